//! What can be wrong with a project.

use lincah::Error;
use lincah::data::DataError;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Why a project cannot be opened, or something cannot be done in it.
#[derive(Debug, thiserror::Error)]
pub enum StudioError {
    /// What the library has against it.
    #[error(transparent)]
    Library(Box<Error>),
    /// A folder that is no project.
    #[error(
        "{path} is no project: it has no project.json; name texts to begin one with (PROJECT DATA.csv --text COLUMN --labels A,B)"
    )]
    NoProject {
        /// The folder.
        path: PathBuf,
    },
    /// A folder that already is one, or has other things in it.
    #[error("{path} is not empty; open it without texts if it is a project, or choose another folder")]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// A project whose files do not belong together.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A text that is not there.
    #[error("there is no text {text}; they are numbered from 0 to {last}")]
    NoText {
        /// Its number.
        text: usize,
        /// The last one's.
        last: usize,
    },
    /// Labels that do not fit the project.
    #[error("{found} labels are given, and {expected} of {labels} are possible: {what}")]
    Labels {
        /// How many there are.
        found: usize,
        /// How many there may be.
        expected: &'static str,
        /// How many labels the project has.
        labels: usize,
        /// Which ones.
        what: String,
    },
    /// A label that is not there.
    #[error("there is no label {label}; they are numbered from 0 to {}", labels - 1)]
    NoLabel {
        /// Its place.
        label: usize,
        /// How many there are.
        labels: usize,
    },
    /// A version of the guideline that is not there.
    #[error("there is no version {version} of the guideline; the newest is {newest}")]
    NoGuideline {
        /// The version.
        version: usize,
        /// The newest one.
        newest: usize,
    },
    /// A guideline whose versions are too long together.
    #[error("the versions of the guideline would have {bytes} bytes together, and {most} are possible; make it shorter")]
    LongGuideline {
        /// How long they would be.
        bytes: usize,
        /// How long they may be.
        most: u64,
    },
    /// A threshold that is no probability.
    #[error("a threshold of {threshold} is none; it is from 0 to 1")]
    Threshold {
        /// The number.
        threshold: f64,
    },
    /// An address that other machines can reach.
    #[error("{bind} can be reached by other machines, and whoever reaches the page can label; listen at 127.0.0.1:{}, and let a proxy with a login lead there", bind.port())]
    PublicBind {
        /// The address.
        bind: SocketAddr,
    },
    /// An address that cannot be listened at.
    #[error("{bind} cannot be listened at: {source}; is a studio open there already? --bind chooses another")]
    Listen {
        /// The address.
        bind: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}

impl StudioError {
    /// What the system says of a file, with what was to be done with it.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Error::File { action, path: path.to_path_buf(), source }.into()
    }

    /// Whether who asked is wrong, and not the project.
    pub(crate) fn is_of_request(&self) -> bool {
        match self {
            Self::NoText { .. } | Self::Labels { .. } | Self::NoLabel { .. } | Self::NoGuideline { .. } => true,
            Self::LongGuideline { .. } | Self::Threshold { .. } => true,
            Self::Library(error) => matches!(**error, Error::DecisionLabel { .. }),
            _ => false,
        }
    }
}

impl From<Error> for StudioError {
    fn from(error: Error) -> Self {
        Self::Library(Box::new(error))
    }
}

impl From<DataError> for StudioError {
    fn from(error: DataError) -> Self {
        Error::from(error).into()
    }
}
