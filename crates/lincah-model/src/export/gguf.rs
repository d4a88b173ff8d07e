//! GGUF: an adapter as llama.cpp loads it beside its base, and a base with an adapter merged in.
//!
//! Source of the layout: the GGUF specification (ggml, `docs/gguf.md`); of the adapter's keys and names: llama.cpp's `convert_lora_to_gguf.py`.

use super::{ExportError, NumberType, adapted, factors, new_file};
use crate::gguf::{GgufFile, TensorType};
use crate::lora::{Adapter, Target};
use crate::weights::{ModelFiles, WeightsError};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

const ALIGNMENT: usize = 32;

/// A tensor of a file that is written, rows before columns.
struct NewTensor<'a> {
    name: String,
    shape: Vec<usize>,
    tensor_type: TensorType,
    length: usize,
    bytes: Box<dyn Fn() -> Result<Cow<'a, [u8]>, ExportError> + 'a>,
}

/// Metadata as bytes, and how many entries they are.
#[derive(Default)]
struct Metadata {
    bytes: Vec<u8>,
    count: u64,
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

impl Metadata {
    fn entry(mut self, key: &str, value_type: u32, value: impl FnOnce(&mut Vec<u8>)) -> Self {
        text(&mut self.bytes, key);
        self.bytes.extend(value_type.to_le_bytes());
        value(&mut self.bytes);
        self.count += 1;
        self
    }

    fn text(self, key: &str, value: &str) -> Self {
        self.entry(key, 8, |bytes| text(bytes, value))
    }

    fn float(self, key: &str, value: f32) -> Self {
        self.entry(key, 6, |bytes| bytes.extend(value.to_le_bytes()))
    }
}

fn write(path: &Path, metadata: &Metadata, alignment: usize, tensors: &[NewTensor]) -> Result<(), ExportError> {
    let mut header = b"GGUF".to_vec();
    header.extend(3u32.to_le_bytes());
    header.extend((tensors.len() as u64).to_le_bytes());
    header.extend(metadata.count.to_le_bytes());
    header.extend(&metadata.bytes);
    let mut offset = 0;
    for tensor in tensors {
        text(&mut header, &tensor.name);
        header.extend((tensor.shape.len() as u32).to_le_bytes());
        tensor.shape.iter().rev().for_each(|&length| header.extend((length as u64).to_le_bytes()));
        header.extend(tensor.tensor_type.number().to_le_bytes());
        header.extend((offset as u64).to_le_bytes());
        offset += tensor.length.next_multiple_of(alignment);
    }
    header.resize(header.len().next_multiple_of(alignment), 0);
    let mut file = new_file(path)?;
    let failed = ExportError::file(path);
    file.write_all(&header).map_err(&failed)?;
    for tensor in tensors {
        let bytes = (tensor.bytes)()?;
        debug_assert_eq!(bytes.len(), tensor.length);
        let filled = tensor.length.next_multiple_of(alignment) - tensor.length;
        file.write_all(&bytes).and_then(|()| file.write_all(&vec![0; filled])).map_err(&failed)?;
    }
    file.commit().map_err(&failed)
}

fn name_of(layer: usize, target: Target) -> String {
    let name = match target {
        Target::Query => "attn_q",
        Target::Key => "attn_k",
        Target::Value => "attn_v",
        Target::Output => "attn_output",
        Target::Gate => "ffn_gate",
        Target::Up => "ffn_up",
        Target::Down => "ffn_down",
    };
    format!("blk.{layer}.{name}.weight")
}

/// The rows of a projection in the order in which GGUF files of the model have them. # Shapes: `[outputs, width]`.
fn in_file_order(files: &ModelFiles, target: Target, values: &[f32], width: usize) -> Vec<f32> {
    let order = files.gguf_row_order(target);
    let mut ordered = vec![0.0; values.len()];
    for (row, values) in values.chunks_exact(width).enumerate() {
        let place = order.stored_row(row) * width;
        ordered[place..place + width].copy_from_slice(values);
    }
    ordered
}

/// Writes an adapter for llama.cpp, to be loaded beside a GGUF file of its base model. llama.cpp scales by `alpha / rank`.
///
/// # Errors
/// A model of an architecture whose GGUF files lincah does not know; a file that cannot be written.
pub fn write_gguf_adapter(files: &ModelFiles, adapter: &Adapter, path: &Path) -> Result<(), ExportError> {
    let config = files.config();
    let architecture = match files.gguf() {
        Some(file) => file.text("general.architecture").ok().flatten(),
        None => config.family.gguf_architecture(),
    };
    let architecture = architecture.ok_or_else(|| {
        ExportError::form(
            "lincah does not know how GGUF files of this family are laid out; export it merged, and convert that with llama.cpp",
        )
    })?;
    let adapter = adapter.split(config)?;
    let rank = adapter.rank();
    let metadata = Metadata::default()
        .text("general.architecture", architecture)
        .text("general.type", "adapter")
        .text("adapter.type", "lora")
        .float("adapter.lora.alpha", adapter.scale() * rank as f32);
    let mut tensors = Vec::new();
    for (layer, target, factors) in adapted(&adapter, config) {
        let b = in_file_order(files, target, factors.b, factors.rank);
        let parts =
            [("lora_a", [factors.rank, factors.inputs], factors.a.to_vec()), ("lora_b", [factors.outputs, factors.rank], b)];
        for (name, shape, values) in parts {
            tensors.push(NewTensor {
                name: format!("{}.{name}", name_of(layer, target)),
                shape: shape.to_vec(),
                tensor_type: TensorType::F32,
                length: 4 * values.len(),
                bytes: Box::new(move || Ok(Cow::Owned(NumberType::F32.bytes(&values)))),
            });
        }
    }
    write(path, &metadata, ALIGNMENT, &tensors)
}

/// Writes a base model's GGUF file anew with an adapter merged into it. With a `number_type` all matrices are of it; with none, those that the
/// adapter reaches are of 16 bits, and the others keep their bytes.
///
/// # Errors
/// A base model that is no GGUF file; numbers that the type cannot hold; a file that cannot be written.
pub fn write_merged_gguf(
    files: &ModelFiles,
    adapter: &Adapter,
    number_type: Option<NumberType>,
    path: &Path,
) -> Result<(), ExportError> {
    let config = files.config();
    let file: &GgufFile = files.gguf().ok_or_else(|| {
        ExportError::form(
            "its base model is no GGUF file; export it merged, and convert that with llama.cpp's convert_hf_to_gguf.py",
        )
    })?;
    let (bytes, count) = file.metadata_bytes();
    let metadata = Metadata { bytes: bytes.to_vec(), count };
    let reached: BTreeMap<String, (usize, Target)> =
        adapted(adapter, config).map(|(layer, target, _)| (name_of(layer, target), (layer, target))).collect();
    let merged = move |layer: usize, target: Target| -> Result<Vec<f32>, ExportError> {
        let shape = config.projection_shape(target);
        let name = format!("model.layers.{layer}.{}.weight", target.module());
        let mut weight = files.weights().read(&name, &shape)?;
        if let Some(factors) = factors(adapter, layer, target) {
            factors.add_to(adapter.scale(), &mut weight);
        }
        Ok(in_file_order(files, target, &weight, shape[1]))
    };
    let mut tensors = Vec::new();
    for tensor in file.tensors() {
        let reached = reached.get(tensor.name()).copied();
        let is_matrix = tensor.shape().len() > 1;
        let number_type = match (number_type, reached) {
            (None, Some(_)) => Some(NumberType::F16),
            (given, _) => given.filter(|_| is_matrix),
        };
        let (tensor_type, length) = match number_type {
            Some(number_type) => (number_type.tensor_type(), tensor.shape().iter().product::<usize>() * number_type.width()),
            None => (tensor.tensor_type(), tensor.bytes().len()),
        };
        let bytes = move || {
            let Some(number_type) = number_type else { return Ok(Cow::Borrowed(&file.mapped_file()[tensor.bytes()])) };
            let numbers = match reached {
                Some((layer, target)) => merged(layer, target)?,
                None => file.read_rows(tensor, 0..tensor.rows()).map_err(WeightsError::from)?,
            };
            Ok(Cow::Owned(number_type.tensor_bytes(tensor.name(), &numbers)?))
        };
        let (name, shape) = (tensor.name().to_owned(), tensor.shape().to_vec());
        tensors.push(NewTensor { name, shape, tensor_type, length, bytes: Box::new(bytes) });
    }
    write(path, &metadata, file.alignment(), &tensors)
}

impl NumberType {
    fn tensor_type(self) -> TensorType {
        match self {
            Self::F32 => TensorType::F32,
            Self::F16 => TensorType::F16,
            Self::Bf16 => TensorType::BF16,
        }
    }
}
