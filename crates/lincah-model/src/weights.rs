//! Frozen weights from a Hugging Face folder or one GGUF file, memory-mapped, read by their Hugging Face names.
//!
//! ```no_run
//! use lincah_model::weights::ModelFiles;
//!
//! let files = ModelFiles::open("models/SmolLM2-135M-Instruct.Q4_1.gguf".as_ref())?;
//! let hidden = files.config().hidden_size();
//! let norm = files.weights().read("model.norm.weight", &[hidden])?;
//! assert_eq!(norm.len(), hidden);
//! # Ok::<(), lincah_model::weights::WeightsError>(())
//! ```

mod error;
mod folder;
mod gguf_names;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

pub use error::WeightsError;

use crate::config::{self, BackboneConfig, EncoderConfig};
use crate::gguf::{GgufFile, TensorType, decode_rows};
use crate::lora::Target;
use crate::mapped_file::MappedFile;
use crate::{regular_file, sha256};

/// The files of one model: its configuration resolved, its weights mapped.
#[derive(Debug)]
pub struct ModelFiles {
    config: BackboneConfig,
    weights: Weights,
}

/// Where a model's tokenizer is described.
#[derive(Debug)]
pub enum TokenizerSource<'a> {
    /// The tokenizer.json of a Hugging Face folder, which may not exist.
    File(PathBuf),
    /// The metadata of a GGUF file.
    Gguf(&'a GgufFile),
}

/// The memory-mapped weights of one model. Every tensor that the configuration asks for is there in the right shape.
#[derive(Debug)]
pub struct Weights {
    source: Source,
    tensors: BTreeMap<String, StoredTensor>,
    fingerprint: OnceLock<String>,
}

#[derive(Debug)]
enum Source {
    Folder { folder: PathBuf, shards: Vec<MappedFile> },
    Gguf(GgufFile),
}

/// Where a tensor lies and how its numbers are stored.
#[derive(Debug)]
struct StoredTensor {
    shard: usize,
    tensor_type: TensorType,
    shape: Vec<usize>,
    bytes: Range<usize>,
    order: RowOrder,
}

/// How the rows of a tensor lie in the file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RowOrder {
    AsNamed,
    /// llama.cpp's converter lays out the query and key rows of each head as `(C/2, 2)` where Hugging Face has `(2, C/2)`.
    InterleavedHalves {
        head_dimension: usize,
    },
}

impl RowOrder {
    /// The row in the file that holds row `row` of the Hugging Face checkpoint.
    pub(crate) fn stored_row(self, row: usize) -> usize {
        match self {
            Self::AsNamed => row,
            Self::InterleavedHalves { head_dimension } => {
                let (head, within) = (row / head_dimension, row % head_dimension);
                let (half, pair) = (within / (head_dimension / 2), within % (head_dimension / 2));
                head * head_dimension + pair * 2 + half
            }
        }
    }
}

impl ModelFiles {
    /// Opens a Hugging Face folder (config.json and model.safetensors, or model.safetensors.index.json with its shards) or a GGUF file.
    ///
    /// Nothing but headers is read, and all of them are checked: afterwards every tensor of the model is known to be there, in a
    /// type that can be read and in the shape that the configuration asks for, and no tensor is left over.
    ///
    /// # Errors
    /// If a file is missing, damaged or cut short, or describes a model that lincah does not compute.
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        if path.is_dir() { Self::open_folder(path) } else { Self::from_gguf(GgufFile::open(path)?) }
    }

    /// The model in an open GGUF file.
    ///
    /// # Errors
    /// As [`ModelFiles::open`].
    pub fn from_gguf(file: GgufFile) -> Result<Self, WeightsError> {
        let model = config::from_gguf(&file)?;
        let tensors = gguf_names::index(&file, &model)?;
        Self::checked(model.config, Source::Gguf(file), tensors)
    }

    fn open_folder(folder: &Path) -> Result<Self, WeightsError> {
        let path = folder.join("config.json");
        let json =
            regular_file::read(&path, regular_file::SMALL).map_err(|source| WeightsError::Open { path: path.clone(), source })?;
        let model = config::from_hugging_face(&path, &json)?;
        let (shards, tensors) = folder::index(folder, &model)?;
        Self::checked(model.config, Source::Folder { folder: folder.to_owned(), shards }, tensors)
    }

    /// Compares what is there with what the configuration asks for.
    fn checked(config: BackboneConfig, source: Source, tensors: BTreeMap<String, StoredTensor>) -> Result<Self, WeightsError> {
        let weights = Weights { source, tensors, fingerprint: OnceLock::new() };
        let expected: BTreeMap<String, Vec<usize>> = config.tensors().into_iter().collect();
        for (name, shape) in &expected {
            weights.find(name, shape)?;
        }
        // A checkpoint with a tied head may store it once more; transformers drops it too.
        let harmless = |name: &str| name == "lm_head.weight" && config.tied_head;
        match weights.tensors.iter().find(|(name, _)| !expected.contains_key(*name) && !harmless(name)) {
            None => Ok(Self { config, weights }),
            Some((name, tensor)) => {
                Err(WeightsError::Unexpected { tensor: name.clone(), path: weights.shard(tensor).path().to_owned() })
            }
        }
    }

    /// The model's sizes and options.
    pub fn config(&self) -> &BackboneConfig {
        &self.config
    }

    /// The model's weights.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// The Hugging Face folder, if it is one.
    pub fn folder(&self) -> Option<&Path> {
        match &self.weights.source {
            Source::Folder { folder, .. } => Some(folder),
            Source::Gguf(_) => None,
        }
    }

    /// The GGUF file, if it is one.
    pub fn gguf(&self) -> Option<&GgufFile> {
        match &self.weights.source {
            Source::Folder { .. } => None,
            Source::Gguf(file) => Some(file),
        }
    }

    /// How the rows of a projection lie in GGUF files of this model, whether it is one or not.
    pub(crate) fn gguf_row_order(&self, target: Target) -> RowOrder {
        let interleaved = RowOrder::InterleavedHalves { head_dimension: self.config.head_dimension };
        match target {
            Target::Query | Target::Key if self.config.family.is_interleaved_in_gguf() => interleaved,
            _ => RowOrder::AsNamed,
        }
    }

    /// Where the tokenizer is described.
    pub fn tokenizer_source(&self) -> TokenizerSource<'_> {
        match &self.weights.source {
            Source::Folder { folder, .. } => TokenizerSource::File(folder.join("tokenizer.json")),
            Source::Gguf(file) => TokenizerSource::Gguf(file),
        }
    }
}

/// The files of an encoder: its configuration resolved, its weights mapped.
#[derive(Debug)]
pub struct EncoderFiles {
    config: EncoderConfig,
    weights: Weights,
}

impl EncoderFiles {
    /// Whether a folder has an encoder, as its config.json says; what is wrong with it is told by [`EncoderFiles::open`] or
    /// [`ModelFiles::open`].
    pub fn are_in(folder: &Path) -> bool {
        let json = regular_file::read(&folder.join("config.json"), regular_file::SMALL);
        json.is_ok_and(|json| EncoderConfig::is_described_by(&json))
    }

    /// Opens the folder of a BERT encoder, as sentence-transformers has it.
    ///
    /// # Errors
    /// As [`ModelFiles::open`].
    pub fn open(folder: &Path) -> Result<Self, WeightsError> {
        let path = folder.join("config.json");
        let json =
            regular_file::read(&path, regular_file::SMALL).map_err(|source| WeightsError::Open { path: path.clone(), source })?;
        let beside = |name: &str| regular_file::read(&folder.join(name), regular_file::SMALL).ok();
        let config = EncoderConfig::from_hugging_face(&path, &json, beside)?;
        let (shards, tensors) = folder::index_encoder(folder, &config)?;
        let source = Source::Folder { folder: folder.to_owned(), shards };
        let weights = Weights { source, tensors, fingerprint: OnceLock::new() };
        config.tensors().iter().try_for_each(|(name, shape)| weights.find(name, shape).map(drop))?;
        Ok(Self { config, weights })
    }

    /// The model's sizes and options.
    pub fn config(&self) -> &EncoderConfig {
        &self.config
    }

    /// The model's weights.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }
}

impl Weights {
    /// All numbers of the tensor `name`, a Hugging Face name such as `model.layers.0.self_attn.q_proj.weight`, row after row.
    ///
    /// What is read is what a Hugging Face checkpoint holds, with one exception: the norm weights of a Gemma GGUF file include the 1
    /// that Hugging Face adds at run time, and its [`BackboneConfig`] says so.
    ///
    /// # Shapes
    /// `shape`, in row-major order; projections are `[out, in]`.
    ///
    /// # Errors
    /// If there is no such tensor, if it has another shape, or if a number in it is NaN or infinite.
    pub fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, WeightsError> {
        let tensor = self.find(name, shape)?;
        let rows = shape.iter().rev().skip(1).product();
        self.decode(name, tensor, rows, |row| row)
    }

    /// The weight of an RMS norm with `offset` added to each number.
    ///
    /// A normed row has at most `√length` in one place, so a weight that is larger than the largest number divided by it is refused: its norm
    /// would overflow.
    ///
    /// # Shapes
    /// `[length]`.
    ///
    /// # Errors
    /// As [`Weights::read`]; [`WeightsError::Overflow`].
    pub fn read_norm(&self, name: &str, length: usize, offset: f32) -> Result<Vec<f32>, WeightsError> {
        let mut numbers = self.read(name, &[length])?;
        numbers.iter_mut().for_each(|number| *number += offset);
        let most = f32::MAX / (length as f32).sqrt();
        match numbers.iter().position(|number| number.abs() > most) {
            None => Ok(numbers),
            Some(column) => Err(WeightsError::Overflow {
                tensor: name.into(),
                found: numbers[column],
                column,
                path: self.shard(self.stored(name)?).path().to_owned(),
            }),
        }
    }

    /// The rows `rows` of the matrix `name`, in the order given; only these are read and converted.
    ///
    /// # Shapes
    /// `[rows.len(), width]` out of a `[_, width]` matrix.
    ///
    /// # Errors
    /// As [`Weights::read`], and if the matrix has no such row.
    pub fn read_rows(&self, name: &str, rows: &[u32], width: usize) -> Result<Vec<f32>, WeightsError> {
        let tensor = self.stored(name)?;
        let path = || self.shard(tensor).path().to_owned();
        let row_count = match tensor.shape[..] {
            [row_count, found] if found == width => row_count,
            _ => {
                let expected = format!("[rows, {width}]");
                return Err(WeightsError::Shape { tensor: name.into(), found: tensor.shape.clone(), expected, path: path() });
            }
        };
        if let Some(&row) = rows.iter().find(|&&row| row as usize >= row_count) {
            return Err(WeightsError::Row { tensor: name.into(), row, row_count, path: path() });
        }
        self.decode(name, tensor, rows.len(), |index| rows[index] as usize)
    }

    /// The SHA-256, in hexadecimal, of the bytes of all weight files, one after the other in the order of their names.
    ///
    /// For a model in one file this is what `sha256sum` prints. It is computed once, on the first call.
    pub fn fingerprint(&self) -> &str {
        self.fingerprint.get_or_init(|| {
            let mut hash = Sha256::new();
            match &self.source {
                Source::Folder { shards, .. } => shards.iter().for_each(|shard| hash.update(&shard[..])),
                Source::Gguf(file) => hash.update(&file.mapped_file()[..]),
            }
            sha256::hexadecimal(hash.finalize())
        })
    }

    fn decode(
        &self,
        name: &str,
        tensor: &StoredTensor,
        count: usize,
        row: impl Fn(usize) -> usize + Sync,
    ) -> Result<Vec<f32>, WeightsError> {
        let width = tensor.shape.last().copied().unwrap_or(1);
        let bytes = &self.shard(tensor)[tensor.bytes.clone()];
        let numbers = decode_rows(tensor.tensor_type, bytes, width, count, |index| tensor.order.stored_row(row(index)));
        match first_not_finite(&numbers) {
            None => Ok(numbers),
            Some(index) => Err(WeightsError::NotFinite {
                tensor: name.into(),
                found: numbers[index],
                row: row(index / width),
                column: index % width,
                path: self.shard(tensor).path().to_owned(),
            }),
        }
    }

    fn stored(&self, name: &str) -> Result<&StoredTensor, WeightsError> {
        let missing = || WeightsError::Missing { tensor: name.into(), path: self.path().to_owned() };
        self.tensors.get(name).ok_or_else(missing)
    }

    fn find(&self, name: &str, shape: &[usize]) -> Result<&StoredTensor, WeightsError> {
        let tensor = self.stored(name)?;
        if tensor.shape != shape {
            return Err(WeightsError::Shape {
                tensor: name.into(),
                found: tensor.shape.clone(),
                expected: format!("{shape:?}"),
                path: self.shard(tensor).path().to_owned(),
            });
        }
        Ok(tensor)
    }

    fn shard(&self, tensor: &StoredTensor) -> &MappedFile {
        match &self.source {
            Source::Folder { shards, .. } => &shards[tensor.shard],
            Source::Gguf(file) => file.mapped_file(),
        }
    }

    /// The folder or the file.
    fn path(&self) -> &Path {
        match &self.source {
            Source::Folder { folder, .. } => folder,
            Source::Gguf(file) => file.path(),
        }
    }
}

/// Index of the first number that is infinite or none. Whole blocks are looked at, for a search number by number costs more than the reading.
fn first_not_finite(numbers: &[f32]) -> Option<usize> {
    const BLOCK: usize = 1 << 14;
    let is_finite = |block: &[f32]| block.iter().fold(true, |finite, number| finite & number.is_finite());
    let block = numbers.par_chunks(BLOCK).position_first(|block| !is_finite(block))?;
    numbers[block * BLOCK..].iter().position(|number| !number.is_finite()).map(|index| block * BLOCK + index)
}

#[cfg(test)]
mod tests {
    use super::first_not_finite;

    #[test]
    fn the_first_number_that_is_not_finite_is_found_in_any_block() {
        let mut numbers = vec![0.5f32; 40_000];
        assert_eq!(first_not_finite(&numbers), None);
        assert_eq!(first_not_finite(&[]), None);
        for (place, number) in [(39_999, f32::NAN), (16_384, f32::INFINITY), (16_383, f32::NEG_INFINITY), (0, f32::NAN)] {
            numbers[place] = number;
            assert_eq!(first_not_finite(&numbers), Some(place));
        }
    }
}
