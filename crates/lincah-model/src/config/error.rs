//! What can be wrong with a model's configuration.

use std::path::PathBuf;

use crate::gguf::GgufError;

/// Why a configuration could not be resolved; every message names the file, the field and what is supported.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not a JSON object.
    #[error("{path} is not a valid JSON object: {source}; fetch the file again", path = path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A field that is needed.
    #[error("the field `{field}` is missing in {path}", path = path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// The field.
        field: String,
    },
    /// A field with a value of another type.
    #[error("the field `{field}` is {found}, expected {expected}, in {path}", path = path.display())]
    WrongType {
        /// The file.
        path: PathBuf,
        /// The field.
        field: String,
        /// What is needed.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// A number that cannot be right.
    #[error("the field `{field}` is {found}, possible is {possible}, in {path}", path = path.display())]
    OutOfRange {
        /// The file.
        path: PathBuf,
        /// The field.
        field: String,
        /// The number that is there.
        found: String,
        /// What is possible.
        possible: String,
    },
    /// Something that lincah does not compute.
    #[error("`{field}` = {found} is not supported, in {path}; supported: {supported}", path = path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The field.
        field: String,
        /// The value that is there.
        found: String,
        /// What would be accepted.
        supported: String,
    },
    /// Fields that contradict each other.
    #[error("{problem}, in {path}", path = path.display())]
    Inconsistent {
        /// The file.
        path: PathBuf,
        /// The contradiction.
        problem: String,
    },
    /// The GGUF metadata could not be read.
    #[error(transparent)]
    Gguf(#[from] GgufError),
}
