//! What can be in the way of an export.

use crate::lora::AdapterError;
use crate::weights::WeightsError;
use std::path::{Path, PathBuf};

/// Why something could not be exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A form that this model has none of.
    #[error("this model cannot be exported so: {reason}")]
    Form {
        /// Why not, and what can be done.
        reason: String,
    },
    /// A number that 16 bits cannot hold.
    #[error("tensor `{tensor}` holds {found:e}, which f16 cannot; export with --dtype f32 or bf16")]
    Overflow {
        /// The tensor.
        tensor: String,
        /// The number.
        found: f32,
    },
    /// A file that cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The model's own files.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The adapter.
    #[error(transparent)]
    Adapter(#[from] AdapterError),
}

impl ExportError {
    pub(super) fn file(path: &Path) -> impl Fn(std::io::Error) -> Self + '_ {
        |source| Self::Write { path: path.to_path_buf(), source }
    }

    pub(super) fn form(reason: impl Into<String>) -> Self {
        Self::Form { reason: reason.into() }
    }
}
