//! What can be wrong with a GGUF file.

use std::path::PathBuf;

/// Why a GGUF file could not be read; every message names the file, the place and what to do.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    /// The operating system could not open or map the file.
    #[error("cannot open the GGUF file {path}: {source}", path = path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The first four bytes are not `GGUF`.
    #[error("{path} is not a GGUF file: it does not start with `GGUF`; give a .gguf file or a Hugging Face model folder", path = path.display())]
    NotGguf {
        /// The file.
        path: PathBuf,
    },
    /// A version other than 2 and 3, or a big-endian file.
    #[error("{path} has GGUF version {version}; little-endian versions 2 and 3 are supported: convert the model again with a current llama.cpp", path = path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version number as read.
        version: u32,
    },
    /// The file ends before what its header announces.
    #[error("{path} is cut short or damaged: {what} at byte {offset} needs {needed} bytes, {remaining} are left; fetch the file again", path = path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// What was being read.
        what: String,
        /// Where, in bytes from the start of the file.
        offset: usize,
        /// How many bytes it takes.
        needed: u64,
        /// How many bytes the file still has.
        remaining: usize,
    },
    /// A string that is not UTF-8.
    #[error("{path} is damaged: {what} at byte {offset} is not valid UTF-8; fetch the file again", path = path.display())]
    Utf8 {
        /// The file.
        path: PathBuf,
        /// What was being read.
        what: String,
        /// Where, in bytes from the start of the file.
        offset: usize,
        /// Where inside the string.
        source: std::str::Utf8Error,
    },
    /// A number that does not stand for any metadata type, or an array of arrays.
    #[error("{path} is damaged: the metadata key `{key}` at byte {offset} has the unknown value type {number}; fetch the file again", path = path.display())]
    ValueType {
        /// The file.
        path: PathBuf,
        /// The metadata key.
        key: String,
        /// Where, in bytes from the start of the file.
        offset: usize,
        /// The type's number as read.
        number: u32,
    },
    /// A boolean that is neither 0 nor 1.
    #[error("{path} is damaged: the metadata key `{key}` at byte {offset} is a boolean of value {found}; fetch the file again", path = path.display())]
    Boolean {
        /// The file.
        path: PathBuf,
        /// The metadata key.
        key: String,
        /// Where, in bytes from the start of the file.
        offset: usize,
        /// The byte as read.
        found: u8,
    },
    /// The same metadata key or tensor name twice.
    #[error("{path} is damaged: {what} `{name}` appears twice; fetch the file again", path = path.display())]
    Duplicate {
        /// The file.
        path: PathBuf,
        /// `metadata key` or `tensor`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// `general.alignment` is not a power of two of at least 8.
    #[error("{path} says `general.alignment` = {alignment}; a power of two from 8 to 65536 is supported: the file is damaged, fetch it again", path = path.display())]
    Alignment {
        /// The file.
        path: PathBuf,
        /// The value as read.
        alignment: u64,
    },
    /// A tensor of a type that cannot be read.
    #[error("tensor `{tensor}` has type {found}, supported are {supported}, in {path}; take another quantization of the model", path = path.display(), supported = super::tensor::SUPPORTED)]
    TensorType {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The type's name, or its number where it has none.
        found: String,
    },
    /// A tensor whose shape makes no sense.
    #[error("tensor `{tensor}` has shape {shape:?}, but {problem}, in {path}; the file is damaged, fetch it again", path = path.display())]
    TensorShape {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its dimensions in row-major order, as far as read.
        shape: Vec<u64>,
        /// What is wrong with them.
        problem: String,
    },
    /// A tensor that is not aligned.
    #[error("tensor `{tensor}` starts at offset {offset}, which is no multiple of the alignment {alignment}, in {path}; the file is damaged, fetch it again", path = path.display())]
    TensorOffset {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its offset in the data section.
        offset: u64,
        /// The file's alignment.
        alignment: u64,
    },
    /// A tensor that reaches beyond the end of the file.
    #[error("{path} is cut short or damaged: tensor `{tensor}` takes {size} bytes at offset {offset} of the data section, which has {available} bytes; fetch the file again", path = path.display())]
    TensorRange {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its offset in the data section.
        offset: u64,
        /// Its size in bytes.
        size: u64,
        /// The size of the data section.
        available: usize,
    },
    /// A metadata key that is needed.
    #[error("the metadata key `{key}` is missing in {path}; convert the model again with a current llama.cpp", path = path.display())]
    MissingKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
    },
    /// A metadata key with a value of another type.
    #[error("the metadata key `{key}` holds {found}, expected {expected}, in {path}; convert the model again with a current llama.cpp", path = path.display())]
    WrongType {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The type that is needed.
        expected: &'static str,
        /// The type that is there.
        found: &'static str,
    },
    /// Rows asked for that the tensor does not have.
    #[error("tensor `{tensor}` has {rows} rows, asked for rows {start} to {end}, in {path}", path = path.display())]
    Rows {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// How many rows it has.
        rows: usize,
        /// The first row asked for.
        start: usize,
        /// One past the last row asked for.
        end: usize,
    },
}
