//! The header: counts, metadata and tensor infos, each read only after the file is known to be long enough for it.

use super::tensor::{TensorInfo, TensorType};
use super::{GgufError, Metadata, MetadataArray, MetadataValue, Tensors, ValueType};
use crate::mapped_file::MappedFile;
use std::ops::Range;

const DEFAULT_ALIGNMENT: u64 = 32;
const MAX_ALIGNMENT: u64 = 1 << 16;
const MAX_DIMENSIONS: u32 = 4;

/// What the header says.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) metadata: Metadata,
    /// Where the metadata lie, and how many entries they are.
    pub(super) metadata_bytes: Range<usize>,
    pub(super) metadata_count: u64,
    pub(super) alignment: u64,
    pub(super) tensors: Tensors,
}

/// A tensor info before the start of the data section is known.
struct RawTensor {
    name: String,
    shape: Vec<u64>,
    tensor_type: TensorType,
    offset: u64,
}

pub(super) fn read(file: &MappedFile) -> Result<Header, GgufError> {
    let mut cursor = Cursor { file, offset: 0 };
    if !file.starts_with(b"GGUF") {
        return Err(GgufError::NotGguf { path: file.path().to_owned() });
    }
    cursor.take(4, || "the magic number".into())?;
    let version = cursor.u32(|| "the version".into())?;
    if !matches!(version, 2 | 3) {
        return Err(GgufError::Version { path: file.path().to_owned(), version });
    }
    let tensor_count = cursor.u64(|| "the number of tensors".into())?;
    let metadata_count = cursor.u64(|| "the number of metadata keys".into())?;
    let start = cursor.offset;
    let metadata = cursor.metadata(metadata_count)?;
    let metadata_bytes = start..cursor.offset;
    let alignment = alignment(file, &metadata)?;
    let raw_tensors = cursor.raw_tensors(tensor_count)?;
    let data_start = (cursor.offset as u64).next_multiple_of(alignment);
    let mut tensors = Tensors::new();
    for raw in raw_tensors {
        let info = locate(file, raw, alignment, data_start)?;
        if let Some(previous) = tensors.insert(info.name.clone(), info) {
            return Err(GgufError::Duplicate { path: file.path().to_owned(), what: "tensor", name: previous.name });
        }
    }
    Ok(Header { metadata, metadata_bytes, metadata_count, alignment, tensors })
}

/// Borrows the texts of an array that [`read`] has walked once.
pub(super) fn texts<'a>(file: &'a MappedFile, key: &str, array: &MetadataArray) -> Result<Vec<&'a str>, GgufError> {
    let mut cursor = Cursor { file, offset: array.bytes.start };
    (0..array.count).map(|index| cursor.text(|| format!("element {index} of the metadata key `{key}`"))).collect()
}

fn alignment(file: &MappedFile, metadata: &Metadata) -> Result<u64, GgufError> {
    let alignment = match metadata.get("general.alignment") {
        None => DEFAULT_ALIGNMENT,
        Some(MetadataValue::Unsigned(alignment)) => *alignment,
        Some(other) => {
            let key = "general.alignment".to_owned();
            let found = other.type_name();
            return Err(GgufError::WrongType { path: file.path().to_owned(), key, expected: "an unsigned integer", found });
        }
    };
    if !alignment.is_power_of_two() || !(8..=MAX_ALIGNMENT).contains(&alignment) {
        return Err(GgufError::Alignment { path: file.path().to_owned(), alignment });
    }
    Ok(alignment)
}

/// Checks that the tensor's bytes lie inside the file.
fn locate(file: &MappedFile, raw: RawTensor, alignment: u64, data_start: u64) -> Result<TensorInfo, GgufError> {
    let RawTensor { name: tensor, shape, tensor_type, offset } = raw;
    let path = || file.path().to_owned();
    if offset % alignment != 0 {
        return Err(GgufError::TensorOffset { path: path(), tensor, offset, alignment });
    }
    let size = match tensor_type.size_in_bytes(&shape) {
        Ok(size) => size,
        Err(problem) => return Err(GgufError::TensorShape { path: path(), tensor, shape, problem }),
    };
    let start = data_start.checked_add(offset);
    let end = start.and_then(|start| start.checked_add(size));
    match (start, end) {
        (Some(start), Some(end)) if end <= file.len() as u64 => Ok(TensorInfo {
            name: tensor,
            shape: shape.iter().map(|&dimension| dimension as usize).collect(),
            tensor_type,
            bytes: start as usize..end as usize,
        }),
        _ => {
            let available = (file.len() as u64).saturating_sub(data_start) as usize;
            Err(GgufError::TensorRange { path: path(), tensor, offset, size, available })
        }
    }
}

/// A place in the file.
struct Cursor<'a> {
    file: &'a MappedFile,
    offset: usize,
}

impl<'a> Cursor<'a> {
    /// The next `size` bytes; `what` names them if they are not there.
    fn take(&mut self, size: u64, what: impl Fn() -> String) -> Result<&'a [u8], GgufError> {
        let remaining = self.file.len() - self.offset;
        if size > remaining as u64 {
            let path = self.file.path().to_owned();
            return Err(GgufError::Truncated { path, what: what(), offset: self.offset, needed: size, remaining });
        }
        let start = self.offset;
        self.offset += size as usize;
        Ok(&self.file[start..self.offset])
    }

    fn array<const WIDTH: usize>(&mut self, what: impl Fn() -> String) -> Result<[u8; WIDTH], GgufError> {
        let mut bytes = [0; WIDTH];
        bytes.copy_from_slice(self.take(WIDTH as u64, what)?);
        Ok(bytes)
    }

    fn u32(&mut self, what: impl Fn() -> String) -> Result<u32, GgufError> {
        self.array(what).map(u32::from_le_bytes)
    }

    fn u64(&mut self, what: impl Fn() -> String) -> Result<u64, GgufError> {
        self.array(what).map(u64::from_le_bytes)
    }

    fn text(&mut self, what: impl Fn() -> String) -> Result<&'a str, GgufError> {
        let length = self.u64(&what)?;
        let offset = self.offset;
        let bytes = self.take(length, &what)?;
        std::str::from_utf8(bytes).map_err(|source| GgufError::Utf8 {
            path: self.file.path().to_owned(),
            what: what(),
            offset,
            source,
        })
    }

    fn metadata(&mut self, count: u64) -> Result<Metadata, GgufError> {
        let mut metadata = Metadata::new();
        for index in 0..count {
            let key = self.text(|| format!("the name of metadata key {index} of {count}"))?;
            let value = self.value(key)?;
            if metadata.insert(key.to_owned(), value).is_some() {
                let path = self.file.path().to_owned();
                return Err(GgufError::Duplicate { path, what: "metadata key", name: key.to_owned() });
            }
        }
        Ok(metadata)
    }

    fn value(&mut self, key: &str) -> Result<MetadataValue, GgufError> {
        let what = || format!("the value of the metadata key `{key}`");
        Ok(match self.value_type(key)? {
            ValueType::U8 => MetadataValue::Unsigned(u8::from_le_bytes(self.array(what)?).into()),
            ValueType::U16 => MetadataValue::Unsigned(u16::from_le_bytes(self.array(what)?).into()),
            ValueType::U32 => MetadataValue::Unsigned(self.u32(what)?.into()),
            ValueType::U64 => MetadataValue::Unsigned(self.u64(what)?),
            ValueType::I8 => MetadataValue::Integer(i8::from_le_bytes(self.array(what)?).into()),
            ValueType::I16 => MetadataValue::Integer(i16::from_le_bytes(self.array(what)?).into()),
            ValueType::I32 => MetadataValue::Integer(i32::from_le_bytes(self.array(what)?).into()),
            ValueType::I64 => MetadataValue::Integer(i64::from_le_bytes(self.array(what)?)),
            ValueType::F32 => MetadataValue::Float(f32::from_le_bytes(self.array(what)?).into()),
            ValueType::F64 => MetadataValue::Float(f64::from_le_bytes(self.array(what)?)),
            ValueType::Boolean => {
                let [byte] = self.array(what)?;
                self.check_boolean(key, byte, self.offset - 1)?;
                MetadataValue::Boolean(byte == 1)
            }
            ValueType::Text => MetadataValue::Text(self.text(what)?.to_owned()),
            ValueType::Array => MetadataValue::Array(self.metadata_array(key)?),
        })
    }

    fn value_type(&mut self, key: &str) -> Result<ValueType, GgufError> {
        let offset = self.offset;
        let number = self.u32(|| format!("the type of the metadata key `{key}`"))?;
        ValueType::from_number(number).ok_or_else(|| self.bad_value_type(key, offset, number))
    }

    /// Walks over an array, checks it, and keeps only where it lies.
    fn metadata_array(&mut self, key: &str) -> Result<MetadataArray, GgufError> {
        let type_offset = self.offset;
        let element = self.value_type(key)?;
        let count = self.u64(|| format!("the length of the metadata key `{key}`"))?;
        let start = self.offset;
        let width: u64 = match element {
            ValueType::U8 | ValueType::I8 | ValueType::Boolean => 1,
            ValueType::U16 | ValueType::I16 => 2,
            ValueType::U32 | ValueType::I32 | ValueType::F32 => 4,
            ValueType::U64 | ValueType::I64 | ValueType::F64 => 8,
            ValueType::Text => {
                for index in 0..count {
                    self.text(|| format!("element {index} of {count} of the metadata key `{key}`"))?;
                }
                return Ok(MetadataArray { element, count: count as usize, bytes: start..self.offset });
            }
            ValueType::Array => return Err(self.bad_value_type(key, type_offset, 9)),
        };
        let bytes = self.take(count.saturating_mul(width), || format!("the {count} elements of the metadata key `{key}`"))?;
        if element == ValueType::Boolean
            && let Some(index) = bytes.iter().position(|&byte| byte > 1)
        {
            self.check_boolean(key, bytes[index], start + index)?;
        }
        Ok(MetadataArray { element, count: count as usize, bytes: start..self.offset })
    }

    fn check_boolean(&self, key: &str, found: u8, offset: usize) -> Result<(), GgufError> {
        if found > 1 {
            return Err(GgufError::Boolean { path: self.file.path().to_owned(), key: key.to_owned(), offset, found });
        }
        Ok(())
    }

    fn bad_value_type(&self, key: &str, offset: usize, number: u32) -> GgufError {
        GgufError::ValueType { path: self.file.path().to_owned(), key: key.to_owned(), offset, number }
    }

    fn raw_tensors(&mut self, count: u64) -> Result<Vec<RawTensor>, GgufError> {
        let mut tensors = Vec::new();
        for index in 0..count {
            tensors.push(self.raw_tensor(index, count)?);
        }
        Ok(tensors)
    }

    fn raw_tensor(&mut self, index: u64, count: u64) -> Result<RawTensor, GgufError> {
        let name = self.text(|| format!("the name of tensor {index} of {count}"))?.to_owned();
        let dimension_count = self.u32(|| format!("the number of dimensions of tensor `{name}`"))?;
        if !(1..=MAX_DIMENSIONS).contains(&dimension_count) {
            let problem = format!("{dimension_count} dimensions are announced and 1 to {MAX_DIMENSIONS} are possible");
            return Err(GgufError::TensorShape { path: self.file.path().to_owned(), tensor: name, shape: Vec::new(), problem });
        }
        let mut shape = Vec::with_capacity(dimension_count as usize);
        for _ in 0..dimension_count {
            shape.push(self.u64(|| format!("the shape of tensor `{name}`"))?);
        }
        shape.reverse();
        let number = self.u32(|| format!("the type of tensor `{name}`"))?;
        let tensor_type = TensorType::from_number(number).ok_or_else(|| GgufError::TensorType {
            path: self.file.path().to_owned(),
            tensor: name.clone(),
            found: super::tensor::unsupported_name(number),
        })?;
        let offset = self.u64(|| format!("the offset of tensor `{name}`"))?;
        Ok(RawTensor { name, shape, tensor_type, offset })
    }
}
