//! The tensors of a Hugging Face folder: one safetensors file, or shards with a list of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use safetensors::{Dtype, SafeTensors};

use super::{RowOrder, StoredTensor, WeightsError};
use crate::config::{BackboneConfig, EncoderConfig, HuggingFaceModel};
use crate::gguf::TensorType;
use crate::lora::FUSED;
use crate::mapped_file::MappedFile;
use crate::regular_file;

const SINGLE: &str = "model.safetensors";
const LIST: &str = "model.safetensors.index.json";

/// The length of the number at the start of a safetensors file that says how long its header is.
const HEADER_LENGTH_BYTES: usize = 8;

#[derive(serde::Deserialize)]
struct List {
    weight_map: BTreeMap<String, String>,
}

type Indexed = (Vec<MappedFile>, BTreeMap<String, StoredTensor>);

/// Maps the weight files, in the order of their names, and finds every tensor of the text model in them.
pub(super) fn index(folder: &Path, model: &HuggingFaceModel) -> Result<Indexed, WeightsError> {
    let (shards, mut tensors) = tensors_by_name(folder, |tensor| text_model_name(tensor, model.multimodal))?;
    split_fused(&model.config, &shards, &mut tensors)?;
    Ok((shards, tensors))
}

/// The same for an encoder, whose checkpoints may hold what it was pretrained with, too.
pub(super) fn index_encoder(folder: &Path, config: &EncoderConfig) -> Result<Indexed, WeightsError> {
    let expected: BTreeSet<String> = config.tensors().into_iter().map(|(name, _)| name).collect();
    let name = |tensor: &str| {
        let name = tensor.strip_prefix("bert.").unwrap_or(tensor);
        expected.contains(name).then(|| name.to_owned())
    };
    tensors_by_name(folder, name)
}

fn tensors_by_name(folder: &Path, name_of: impl Fn(&str) -> Option<String>) -> Result<Indexed, WeightsError> {
    let list_path = folder.join(LIST);
    if folder.join(SINGLE).exists() {
        let shards = vec![open(&folder.join(SINGLE))?];
        let tensors = tensors(&shards, name_of)?;
        return Ok((shards, tensors));
    }
    if !list_path.exists() {
        return Err(WeightsError::NoWeights { folder: folder.to_owned() });
    }
    let json = regular_file::read(&list_path, regular_file::SMALL)
        .map_err(|source| WeightsError::Open { path: list_path.clone(), source })?;
    let list: List = serde_json::from_slice(&json).map_err(|source| WeightsError::Index { path: list_path.clone(), source })?;
    let names: BTreeSet<&String> = list.weight_map.values().collect();
    for (tensor, file) in &list.weight_map {
        if Path::new(file).file_name() != Some(file.as_ref()) {
            return Err(WeightsError::ShardName { path: list_path, tensor: tensor.clone(), file: file.clone() });
        }
    }
    let shards: Vec<MappedFile> = names.iter().map(|name| open(&folder.join(name))).collect::<Result<_, _>>()?;
    let tensors = tensors(&shards, &name_of)?;
    for (tensor, file) in &list.weight_map {
        let Some(name) = name_of(tensor) else { continue };
        let listed = |stored: &StoredTensor| shards[stored.shard].path().ends_with(file);
        if !tensors.get(&name).is_some_and(listed) {
            return Err(WeightsError::NotInShard { path: list_path, tensor: tensor.clone(), file: file.clone() });
        }
    }
    Ok((shards, tensors))
}

/// Puts, in the place of a matrix that holds several projections, each of them: its rows of the same bytes.
fn split_fused(
    config: &BackboneConfig,
    shards: &[MappedFile],
    tensors: &mut BTreeMap<String, StoredTensor>,
) -> Result<(), WeightsError> {
    if !config.fused_projections {
        return Ok(());
    }
    for (layer, fused) in (0..config.layer_count()).flat_map(|layer| FUSED.iter().map(move |fused| (layer, fused))) {
        let tensor = format!("model.layers.{layer}.{}.weight", fused.module);
        let Some(whole) = tensors.remove(&tensor) else {
            return Err(WeightsError::Missing { tensor, path: shards[0].path().to_owned() });
        };
        let (rows, path) = (fused.rows(config), shards[whole.shard].path());
        let expected = [rows.iter().sum(), config.hidden_size];
        if whole.shape != expected {
            let expected = format!("{expected:?}");
            return Err(WeightsError::Shape { tensor, found: whole.shape, expected, path: path.to_owned() });
        }
        let (row_bytes, mut start) = (whole.bytes.len() / expected[0], whole.bytes.start);
        for (target, rows) in fused.targets.iter().zip(rows) {
            let end = start + rows * row_bytes;
            let part = StoredTensor { shape: vec![rows, config.hidden_size], bytes: start..end, ..whole };
            tensors.insert(format!("model.layers.{layer}.{}.weight", target.module()), part);
            start = end;
        }
    }
    Ok(())
}

fn open(path: &Path) -> Result<MappedFile, WeightsError> {
    MappedFile::open(path).map_err(|source| WeightsError::Open { path: path.to_owned(), source })
}

fn tensors(
    shards: &[MappedFile],
    name_of: impl Fn(&str) -> Option<String>,
) -> Result<BTreeMap<String, StoredTensor>, WeightsError> {
    let mut tensors = BTreeMap::new();
    for (shard, file) in shards.iter().enumerate() {
        let path = || file.path().to_owned();
        let (header_length, metadata) =
            SafeTensors::read_metadata(file).map_err(|source| WeightsError::Safetensors { path: path(), source })?;
        let data_start = HEADER_LENGTH_BYTES + header_length;
        for (tensor, info) in metadata.tensors() {
            let Some(name) = name_of(&tensor) else { continue };
            let tensor_type = match info.dtype {
                Dtype::F32 => TensorType::F32,
                Dtype::F16 => TensorType::F16,
                Dtype::BF16 => TensorType::BF16,
                other => return Err(WeightsError::DataType { tensor, found: format!("{other:?}"), path: path() }),
            };
            let (start, end) = info.data_offsets;
            let bytes = data_start + start..data_start + end;
            let stored = StoredTensor { shard, tensor_type, shape: info.shape.clone(), bytes, order: RowOrder::AsNamed };
            if tensors.insert(name, stored).is_some() {
                return Err(WeightsError::Duplicate { tensor, path: path() });
            }
        }
    }
    Ok(tensors)
}

/// The name of a tensor in the text model alone; `None` for what is not read.
fn text_model_name(name: &str, multimodal: bool) -> Option<String> {
    // Older checkpoints store the rotary frequencies, which follow from the configuration.
    if name.ends_with(".rotary_emb.inv_freq") {
        return None;
    }
    if multimodal {
        let bare = name.strip_prefix("model.").unwrap_or(name);
        if bare.starts_with("vision_tower.") || bare.starts_with("multi_modal_projector.") {
            return None;
        }
    }
    if let Some(rest) = name.strip_prefix("model.language_model.") {
        return Some(format!("model.{rest}"));
    }
    Some(name.strip_prefix("language_model.").unwrap_or(name).to_owned())
}
