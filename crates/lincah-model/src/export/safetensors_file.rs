//! A safetensors file, written tensor by tensor, so that a model never lies in memory whole.

use super::{ExportError, NumberType, new_file};
use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::Path;

/// A tensor by its name and shape, whose numbers come when they are asked for.
pub(super) struct Tensor<'a> {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) numbers: Box<dyn Fn() -> Result<Vec<f32>, ExportError> + 'a>,
}

/// Writes the tensors in the order given. The header is 8 bytes of its length, then JSON, padded with spaces to 8 bytes.
pub(super) fn write(path: &Path, tensors: &[Tensor], number_type: NumberType) -> Result<(), ExportError> {
    let dtype = match number_type {
        NumberType::F32 => "F32",
        NumberType::F16 => "F16",
        NumberType::Bf16 => "BF16",
    };
    let mut header = Map::from_iter([(String::from("__metadata__"), json!({"format": "pt"}))]);
    let mut end = 0;
    for tensor in tensors {
        let start = end;
        end += tensor.shape.iter().product::<usize>() * number_type.width();
        let entry = json!({"dtype": dtype, "shape": tensor.shape, "data_offsets": [start, end]});
        header.insert(tensor.name.clone(), entry);
    }
    let mut header = serde_json::to_vec(&Value::Object(header)).expect("a JSON value serializes");
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut file = new_file(path)?;
    let failed = ExportError::file(path);
    file.write_all(&(header.len() as u64).to_le_bytes()).and_then(|()| file.write_all(&header)).map_err(&failed)?;
    for tensor in tensors {
        let bytes = number_type.tensor_bytes(&tensor.name, &(tensor.numbers)()?)?;
        file.write_all(&bytes).map_err(&failed)?;
    }
    file.commit().map_err(&failed)
}
