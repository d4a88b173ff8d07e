//! Options of `lincah serve`.

use clap::{Args, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

/// How requests are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RequestLog {
    /// For people.
    Text,
    /// An object per line.
    Json,
    /// Not at all.
    None,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  lincah serve civility\n  lincah serve civility spam=classifiers/spam-3 --bind 0.0.0.0:8080 --key-file keys\n\n\
A classifier is called as its folder unless it is named. A changed folder is loaded anew. Ctrl-C or SIGTERM ends the server when what is under \
way is answered. A key file has one NAME:KEY per line. Every setting of the TOML file is an environment variable, too, as LINCAH_MAX_TEXTS=512."
)]
pub(crate) struct Serve {
    /// Folders of classifiers, each with a name in front if it is to have another one than its folder
    #[arg(value_name = "[NAME=]DIR")]
    pub(crate) classifiers: Vec<String>,
    /// Where to listen; other addresses than this machine's need a key file [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT", env = "LINCAH_BIND")]
    pub(crate) bind: Option<SocketAddr>,
    /// TOML file with these settings and more; the environment comes before it, and options before both
    #[arg(long, value_name = "FILE", env = "LINCAH_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// File with the keys of those who may ask
    #[arg(long, value_name = "FILE", env = "LINCAH_KEY_FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Append what people say of texts, by Perspective's suggestions and Label Studio, to this journal
    #[arg(long, value_name = "FILE", env = "LINCAH_FEEDBACK")]
    pub(crate) feedback: Option<PathBuf>,
    /// Append each decision to this file, chained by a keyed hash
    #[arg(long, value_name = "FILE", requires = "decision_log_key_file", env = "LINCAH_DECISION_LOG")]
    pub(crate) decision_log: Option<PathBuf>,
    /// File with the secret that chains the decision log, of at least 32 characters
    #[arg(long, value_name = "FILE", env = "LINCAH_DECISION_LOG_KEY_FILE")]
    pub(crate) decision_log_key_file: Option<PathBuf>,
    /// One line on standard error per request: who asks, for what, how it ended, how long it took
    #[arg(long, value_name = "FORM", value_enum, default_value_t = RequestLog::Text, env = "LINCAH_LOG")]
    pub(crate) log: RequestLog,
    /// Have the texts in these lines, too
    #[arg(long)]
    pub(crate) log_texts: bool,
    /// Load everything, say what is wrong, and end
    #[arg(long)]
    pub(crate) check: bool,
}
