//! What can be wrong with a model's files.

use std::path::PathBuf;

use crate::config::ConfigError;
use crate::gguf::GgufError;

/// Why a model's files could not be opened or a tensor not be read; every message names the tensor and the file.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The operating system could not open or map a file.
    #[error("cannot open {path}: {source}", path = path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A folder without weights that can be read.
    #[error("{folder} has neither model.safetensors nor model.safetensors.index.json; pickled weights (.bin, .pt) are never read: save the model as safetensors, or give a .gguf file", folder = folder.display())]
    NoWeights {
        /// The folder.
        folder: PathBuf,
    },
    /// A safetensors header that does not fit its file.
    #[error("{path} is not a whole safetensors file: {source}; fetch the file again", path = path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        source: safetensors::SafeTensorError,
    },
    /// A list of shards that is not the expected JSON.
    #[error("{path} is not a valid list of weight files: {source}; fetch the file again", path = path.display())]
    Index {
        /// The list.
        path: PathBuf,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A shard outside the model's folder.
    #[error("{path} places tensor `{tensor}` in `{file}`, which is not the name of a file in the same folder; fetch the file again", path = path.display())]
    ShardName {
        /// The list.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The file's name as listed.
        file: String,
    },
    /// A shard without a tensor that the list says it has.
    #[error("{path} places tensor `{tensor}` in `{file}`, which does not have it; fetch the model again", path = path.display())]
    NotInShard {
        /// The list.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The file's name as listed.
        file: String,
    },
    /// A tensor of a type that cannot be read.
    #[error("tensor `{tensor}` has type {found}, supported are F32, F16 and BF16, in {path}; take the model in one of these, or a GGUF file", path = path.display())]
    DataType {
        /// The tensor.
        tensor: String,
        /// Its type.
        found: String,
        /// The file.
        path: PathBuf,
    },
    /// Two tensors of one name.
    #[error("tensor `{tensor}` is there twice, the second time in {path}; fetch the model again", path = path.display())]
    Duplicate {
        /// The tensor.
        tensor: String,
        /// The second file.
        path: PathBuf,
    },
    /// A tensor that the configuration asks for.
    #[error("tensor `{tensor}` is missing in {path}; the file is not a whole model of this configuration", path = path.display())]
    Missing {
        /// The tensor.
        tensor: String,
        /// The folder or file.
        path: PathBuf,
    },
    /// A tensor of another shape than the configuration gives it.
    #[error("tensor `{tensor}` has shape {found:?}, expected {expected}, in {path}", path = path.display())]
    Shape {
        /// The tensor.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that is needed.
        expected: String,
        /// The file.
        path: PathBuf,
    },
    /// A tensor that the configuration gives no place, so that the model would not compute what its file means.
    #[error("tensor `{tensor}` has no place in a model of this configuration, in {path}; a plain text model without extra parts is needed", path = path.display())]
    Unexpected {
        /// The tensor.
        tensor: String,
        /// The file.
        path: PathBuf,
    },
    /// A weight that is not a number.
    #[error("tensor `{tensor}` holds {found} at row {row}, column {column}, in {path}; the file is damaged, fetch it again", path = path.display())]
    NotFinite {
        /// The tensor.
        tensor: String,
        /// NaN or an infinity.
        found: f32,
        /// Its row.
        row: usize,
        /// Its column.
        column: usize,
        /// The file.
        path: PathBuf,
    },
    /// A norm's weight with which a normed row overflows.
    #[error("tensor `{tensor}` holds {found:e} at column {column}, with which its norm overflows, in {path}; the file is damaged, fetch it again", path = path.display())]
    Overflow {
        /// The tensor.
        tensor: String,
        /// The number.
        found: f32,
        /// Its column.
        column: usize,
        /// The file.
        path: PathBuf,
    },
    /// A row that a matrix does not have.
    #[error("tensor `{tensor}` has {row_count} rows, asked for row {row}, in {path}", path = path.display())]
    Row {
        /// The tensor.
        tensor: String,
        /// The row asked for.
        row: u32,
        /// How many rows there are.
        row_count: usize,
        /// The file.
        path: PathBuf,
    },
    /// The configuration could not be resolved.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The GGUF file could not be read.
    #[error(transparent)]
    Gguf(#[from] GgufError),
}
