//! A strict reader of GGUF files: header, metadata and the place of every tensor, over a memory-mapped file.
//!
//! Everything a file says about itself is checked against its real size before it is used, so a damaged file is an error that says
//! what is wrong and where, never a panic or a large allocation. Arrays stay in the file until they are asked for.
//! Source: the GGUF specification, <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>; versions 2 and 3, little endian.

mod blocks;
mod dequantize;
mod error;
mod header;
mod tensor;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

pub(crate) use dequantize::decode_rows;
pub use error::GgufError;
pub use tensor::{TensorInfo, TensorType};

use crate::mapped_file::MappedFile;
use header::Header;

/// An open GGUF file.
#[derive(Debug)]
pub struct GgufFile {
    file: MappedFile,
    header: Header,
}

/// One metadata value. The widths of integers and floats are not kept, their values are.
#[derive(Debug, Clone, PartialEq)]
pub enum MetadataValue {
    /// `u8`, `u16`, `u32` or `u64`.
    Unsigned(u64),
    /// `i8`, `i16`, `i32` or `i64`.
    Integer(i64),
    /// `f32` or `f64`.
    Float(f64),
    /// A byte that is 0 or 1.
    Boolean(bool),
    /// A UTF-8 string.
    Text(String),
    /// An array, which stays in the file: see [`GgufFile::text_array`] and the like.
    Array(MetadataArray),
}

/// Where an array lies and what it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataArray {
    pub(crate) element: ValueType,
    pub(crate) count: usize,
    pub(crate) bytes: Range<usize>,
}

impl MetadataArray {
    /// The number of elements.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// The types of metadata values, by their number in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueType {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Boolean,
    Text,
    Array,
    U64,
    I64,
    F64,
}

impl ValueType {
    const BY_NUMBER: [Self; 13] = [
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::F32,
        Self::Boolean,
        Self::Text,
        Self::Array,
        Self::U64,
        Self::I64,
        Self::F64,
    ];

    pub(crate) fn from_number(number: u32) -> Option<Self> {
        Self::BY_NUMBER.get(usize::try_from(number).ok()?).copied()
    }

    fn array_name(self) -> &'static str {
        match self {
            Self::U8 | Self::U16 | Self::U32 | Self::U64 => "an array of unsigned integers",
            Self::I8 | Self::I16 | Self::I32 | Self::I64 => "an array of integers",
            Self::F32 | Self::F64 => "an array of floats",
            Self::Boolean => "an array of booleans",
            Self::Text => "an array of texts",
            Self::Array => "an array of arrays",
        }
    }
}

impl MetadataValue {
    fn type_name(&self) -> &'static str {
        match self {
            Self::Unsigned(_) => "an unsigned integer",
            Self::Integer(number) if *number < 0 => "a negative integer",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Boolean(_) => "a boolean",
            Self::Text(_) => "text",
            Self::Array(array) => array.element.array_name(),
        }
    }
}

impl GgufFile {
    /// Maps the file and reads its header.
    ///
    /// # Errors
    /// If the file cannot be opened, is not GGUF version 2 or 3, is cut short or damaged, or holds a tensor of an unsupported type.
    pub fn open(path: &Path) -> Result<Self, GgufError> {
        let file = MappedFile::open(path).map_err(|source| GgufError::Open { path: path.to_owned(), source })?;
        Self::from_file(file)
    }

    /// Reads the header of bytes already in memory; `path` names them in messages.
    ///
    /// # Errors
    /// As [`GgufFile::open`].
    pub fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Self, GgufError> {
        Self::from_file(MappedFile::from_bytes(path, bytes))
    }

    fn from_file(file: MappedFile) -> Result<Self, GgufError> {
        let header = header::read(&file)?;
        Ok(Self { file, header })
    }

    /// The path that was opened.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    pub(crate) fn mapped_file(&self) -> &MappedFile {
        &self.file
    }

    /// The metadata as they lie in the file, and how many entries they are.
    pub(crate) fn metadata_bytes(&self) -> (&[u8], u64) {
        (&self.file[self.header.metadata_bytes.clone()], self.header.metadata_count)
    }

    /// Tensors begin at multiples of this.
    pub(crate) fn alignment(&self) -> usize {
        self.header.alignment as usize
    }

    /// The metadata value of `key`, if the file has it.
    pub fn metadata(&self, key: &str) -> Option<&MetadataValue> {
        self.header.metadata.get(key)
    }

    /// All metadata keys, sorted.
    pub fn metadata_keys(&self) -> impl Iterator<Item = &str> {
        self.header.metadata.keys().map(String::as_str)
    }

    /// The tensor of this (GGUF) name, if the file has it.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.header.tensors.get(name)
    }

    /// All tensors, sorted by name.
    pub fn tensors(&self) -> impl Iterator<Item = &TensorInfo> {
        self.header.tensors.values()
    }

    /// The error for a key that is needed and not there, for `file.text(key)?.ok_or_else(|| file.missing(key))?`.
    pub fn missing(&self, key: &str) -> GgufError {
        GgufError::MissingKey { path: self.path().to_owned(), key: key.to_owned() }
    }

    /// A text value; `None` if the key is absent.
    ///
    /// # Errors
    /// If the key holds a value of another type.
    pub fn text(&self, key: &str) -> Result<Option<&str>, GgufError> {
        match self.metadata(key) {
            None => Ok(None),
            Some(MetadataValue::Text(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong_type(key, "text", other)),
        }
    }

    /// A whole number of at least 0, stored signed or unsigned; `None` if the key is absent.
    ///
    /// # Errors
    /// If the key holds a value of another type or a negative number.
    pub fn unsigned(&self, key: &str) -> Result<Option<u64>, GgufError> {
        let value = match self.metadata(key) {
            None => return Ok(None),
            Some(value) => value,
        };
        let number = match value {
            MetadataValue::Unsigned(number) => Some(*number),
            MetadataValue::Integer(number) => u64::try_from(*number).ok(),
            _ => None,
        };
        number.map(Some).ok_or_else(|| self.wrong_type(key, "an unsigned integer", value))
    }

    /// A floating-point value; `None` if the key is absent.
    ///
    /// # Errors
    /// If the key holds a value of another type.
    pub fn float(&self, key: &str) -> Result<Option<f64>, GgufError> {
        match self.metadata(key) {
            None => Ok(None),
            Some(MetadataValue::Float(number)) => Ok(Some(*number)),
            Some(other) => Err(self.wrong_type(key, "a float", other)),
        }
    }

    /// A boolean value; `None` if the key is absent.
    ///
    /// # Errors
    /// If the key holds a value of another type.
    pub fn boolean(&self, key: &str) -> Result<Option<bool>, GgufError> {
        match self.metadata(key) {
            None => Ok(None),
            Some(MetadataValue::Boolean(value)) => Ok(Some(*value)),
            Some(other) => Err(self.wrong_type(key, "a boolean", other)),
        }
    }

    /// An array of texts, borrowed from the file; `None` if the key is absent.
    ///
    /// # Errors
    /// If the key holds a value of another type.
    pub fn text_array(&self, key: &str) -> Result<Option<Vec<&str>>, GgufError> {
        let Some(array) = self.array(key, "an array of texts", |element| element == ValueType::Text)? else { return Ok(None) };
        header::texts(&self.file, key, array).map(Some)
    }

    /// An array of floats, of either width, as `f32`; `None` if the key is absent.
    ///
    /// # Errors
    /// If the key holds a value of another type.
    pub fn float_array(&self, key: &str) -> Result<Option<Vec<f32>>, GgufError> {
        let is_float = |element| matches!(element, ValueType::F32 | ValueType::F64);
        let Some(array) = self.array(key, "an array of floats", is_float)? else { return Ok(None) };
        let bytes = &self.file[array.bytes.clone()];
        Ok(Some(match array.element {
            ValueType::F32 => elements(bytes, f32::from_le_bytes),
            _ => elements(bytes, |bytes| f64::from_le_bytes(bytes) as f32),
        }))
    }

    /// An array of integers of any width (booleans as 0 and 1); `None` if the key is absent.
    ///
    /// # Errors
    /// If the key holds a value of another type, or a number above `i64::MAX`.
    pub fn integer_array(&self, key: &str) -> Result<Option<Vec<i64>>, GgufError> {
        let expected = "an array of integers";
        let is_integer = |element| !matches!(element, ValueType::F32 | ValueType::F64 | ValueType::Text | ValueType::Array);
        let Some(array) = self.array(key, expected, is_integer)? else { return Ok(None) };
        let bytes = &self.file[array.bytes.clone()];
        let numbers = match array.element {
            ValueType::I8 => elements(bytes, |bytes| i64::from(i8::from_le_bytes(bytes))),
            ValueType::U16 => elements(bytes, |bytes| i64::from(u16::from_le_bytes(bytes))),
            ValueType::I16 => elements(bytes, |bytes| i64::from(i16::from_le_bytes(bytes))),
            ValueType::U32 => elements(bytes, |bytes| i64::from(u32::from_le_bytes(bytes))),
            ValueType::I32 => elements(bytes, |bytes| i64::from(i32::from_le_bytes(bytes))),
            ValueType::I64 => elements(bytes, i64::from_le_bytes),
            ValueType::U64 => {
                let numbers = elements(bytes, |bytes| i64::try_from(u64::from_le_bytes(bytes)));
                let numbers: Result<Vec<i64>, _> = numbers.into_iter().collect();
                let found = "an array with a number above 9223372036854775807";
                numbers.map_err(|_| self.wrong_type_name(key, expected, found))?
            }
            _ => elements(bytes, |bytes| i64::from(u8::from_le_bytes(bytes))),
        };
        Ok(Some(numbers))
    }

    fn array(
        &self,
        key: &str,
        expected: &'static str,
        accepts: impl Fn(ValueType) -> bool,
    ) -> Result<Option<&MetadataArray>, GgufError> {
        match self.metadata(key) {
            None => Ok(None),
            Some(MetadataValue::Array(array)) if accepts(array.element) => Ok(Some(array)),
            Some(other) => Err(self.wrong_type(key, expected, other)),
        }
    }

    fn wrong_type(&self, key: &str, expected: &'static str, found: &MetadataValue) -> GgufError {
        self.wrong_type_name(key, expected, found.type_name())
    }

    fn wrong_type_name(&self, key: &str, expected: &'static str, found: &'static str) -> GgufError {
        GgufError::WrongType { path: self.path().to_owned(), key: key.to_owned(), expected, found }
    }
}

/// Decodes an array of fixed-width elements whose length the header reader has checked.
fn elements<const WIDTH: usize, T>(bytes: &[u8], decode: impl Fn([u8; WIDTH]) -> T) -> Vec<T> {
    bytes.as_chunks::<WIDTH>().0.iter().map(|chunk| decode(*chunk)).collect()
}

type Metadata = BTreeMap<String, MetadataValue>;
type Tensors = BTreeMap<String, TensorInfo>;
