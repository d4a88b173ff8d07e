//! Options of `lincah studio`.

use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  lincah studio civility samples/comments.csv --text comment --labels civil,uncivil\n  lincah studio civility\n\n\
The first command makes a project of the texts; the second goes on with it. Open the address that is printed: a key labels and shows the next \
text, and a classifier learns on the way. Each answer is on disk before the next text is shown. `lincah train civility/journal.jsonl` trains on \
the labels, by hand or while the page is open."
)]
pub(crate) struct Studio {
    /// Folder of the project
    #[arg(value_name = "PROJECT")]
    pub(crate) project: PathBuf,
    /// Texts without labels as CSV, TSV, JSONL (each also as .gz), Parquet or a text per line, to begin a project
    #[arg(value_name = "DATA", requires = "labels")]
    pub(crate) data: Option<PathBuf>,
    /// Column with the texts; several, as title,body, are joined by a line break
    #[arg(long, value_delimiter = ',', value_name = "COLUMN", default_value = "text")]
    pub(crate) text: Vec<String>,
    /// Labels that exclude each other; of two the last is the positive class
    #[arg(long, value_delimiter = ',', value_name = "A,B", requires = "data")]
    pub(crate) labels: Vec<String>,
    /// The labels may hold together
    #[arg(long, requires = "data")]
    pub(crate) multi_label: bool,
    /// Draws the order in which texts are taken by lot
    #[arg(long, value_name = "SEED", default_value_t = 1, requires = "data")]
    pub(crate) seed: u32,
    /// Keep so many texts, drawn by lot, for figures: at most half of them
    #[arg(long, value_name = "N", default_value_t = 200, requires = "data")]
    pub(crate) audit: usize,
    /// Models that an instant classifier reads with
    #[arg(long, value_delimiter = ',', value_name = "MODELS", default_values = lincah::hub::DEFAULT_MODELS)]
    pub(crate) model: Vec<String>,
    /// Where to listen; only this machine can reach it
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8090")]
    pub(crate) bind: SocketAddr,
}
