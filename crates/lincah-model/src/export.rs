//! A model, an adapter or both, in the files of other programs: Hugging Face checkpoints, GGUF, MLX.

mod checkpoint;
mod config_json;
mod error;
mod gguf;
mod mlx;
mod safetensors_file;

pub use checkpoint::{Checkpoint, HeadRows, LabelHead};
pub use error::ExportError;
pub use gguf::{write_gguf_adapter, write_merged_gguf};
pub use mlx::write_mlx_adapter;

use crate::config::BackboneConfig;
use crate::lora::{Adapter, Target, tensor_key};
use crate::new_file::NewFile;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// How the numbers of a file are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NumberType {
    /// 32 bits, as they are computed with.
    F32,
    /// 16 bits, 11 of them significant.
    F16,
    /// 16 bits, 8 of them significant.
    Bf16,
}

named_choices!(NumberType, "type of numbers": F32 = "f32", F16 = "f16", Bf16 = "bf16");

impl NumberType {
    /// PyTorch's name.
    pub fn torch_name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
        }
    }

    fn width(self) -> usize {
        if self == Self::F32 { 4 } else { 2 }
    }

    /// The numbers' bytes, little-endian, each rounded to the nearest.
    fn bytes(self, numbers: &[f32]) -> Vec<u8> {
        let mut bytes = vec![0; numbers.len() * self.width()];
        let each = bytes.par_chunks_exact_mut(self.width()).zip(numbers);
        match self {
            Self::F32 => each.for_each(|(bytes, number)| bytes.copy_from_slice(&number.to_le_bytes())),
            Self::F16 => each.for_each(|(bytes, number)| bytes.copy_from_slice(&half::f16::from_f32(*number).to_le_bytes())),
            Self::Bf16 => each.for_each(|(bytes, number)| bytes.copy_from_slice(&half::bf16::from_f32(*number).to_le_bytes())),
        }
        bytes
    }

    /// The bytes of a tensor, whose numbers must not overflow.
    fn tensor_bytes(self, tensor: &str, numbers: &[f32]) -> Result<Vec<u8>, ExportError> {
        let overflows = |number: &f32| self == Self::F16 && !half::f16::from_f32(*number).is_finite();
        match numbers.iter().find(|number| overflows(number)) {
            None => Ok(self.bytes(numbers)),
            Some(number) => Err(ExportError::Overflow { tensor: tensor.to_owned(), found: *number }),
        }
    }
}

/// The factors of one projection: A `[R, I]`, B `[O, R]`.
struct Factors<'a> {
    a: &'a [f32],
    b: &'a [f32],
    rank: usize,
    inputs: usize,
    outputs: usize,
}

fn factors(adapter: &Adapter, layer: usize, target: Target) -> Option<Factors<'_>> {
    let of = |factor| adapter.tensors.get(&tensor_key(layer, target, factor));
    let (a, b) = (of('A')?, of('B')?);
    Some(Factors { a: &a.values, b: &b.values, rank: a.shape[0], inputs: a.shape[1], outputs: b.shape[0] })
}

impl Factors<'_> {
    /// W += scale · B · A, in f32.
    fn add_to(&self, scale: f32, weight: &mut [f32]) {
        weight.par_chunks_exact_mut(self.inputs).zip(self.b.par_chunks_exact(self.rank)).for_each(|(row, b)| {
            for (factor, a) in b.iter().zip(self.a.chunks_exact(self.inputs)) {
                let factor = scale * factor;
                row.iter_mut().zip(a).for_each(|(weight, a)| *weight += factor * a);
            }
        });
    }
}

/// Every projection of every layer that an adapter reaches.
fn adapted<'a>(adapter: &'a Adapter, config: &BackboneConfig) -> impl Iterator<Item = (usize, Target, Factors<'a>)> {
    let all = (0..config.layer_count()).flat_map(|layer| Target::ALL.into_iter().map(move |target| (layer, target)));
    all.filter_map(move |(layer, target)| Some((layer, target, factors(adapter, layer, target)?)))
}

fn new_file(path: &Path) -> Result<NewFile, ExportError> {
    NewFile::create(path).map_err(ExportError::file(path))
}
