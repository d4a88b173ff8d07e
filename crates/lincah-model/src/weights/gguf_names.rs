//! The tensors of a GGUF file under their Hugging Face names.

use std::collections::BTreeMap;

use super::{RowOrder, StoredTensor, WeightsError};
use crate::config::{BackboneConfig, GgufModel, RopeScaling};
use crate::gguf::GgufFile;

/// Where every tensor of the model lies.
pub(super) fn index(file: &GgufFile, model: &GgufModel) -> Result<BTreeMap<String, StoredTensor>, WeightsError> {
    let mut tensors = BTreeMap::new();
    for info in file.tensors() {
        if info.name == "rope_freqs.weight" && uses_frequency_factors(&model.config) {
            continue;
        }
        let path = || file.path().to_owned();
        let Some(name) = hugging_face_name(&info.name, model.config.post_norms) else {
            return Err(WeightsError::Unexpected { tensor: info.name.clone(), path: path() });
        };
        let rotated = name.ends_with("q_proj.weight") || name.ends_with("k_proj.weight");
        let order = if model.interleaved_query_key && rotated {
            RowOrder::InterleavedHalves { head_dimension: model.config.head_dimension }
        } else {
            RowOrder::AsNamed
        };
        let stored =
            StoredTensor { shard: 0, tensor_type: info.tensor_type, shape: info.shape.clone(), bytes: info.bytes.clone(), order };
        if tensors.insert(name, stored).is_some() {
            return Err(WeightsError::Duplicate { tensor: info.name.clone(), path: path() });
        }
    }
    Ok(tensors)
}

/// Whether the configuration has already taken in the factors of `rope_freqs.weight`.
fn uses_frequency_factors(config: &BackboneConfig) -> bool {
    let ropes = config.layers.iter().filter_map(|layer| layer.rope.as_ref());
    ropes.into_iter().any(|rope| matches!(rope.scaling, RopeScaling::PerFrequency { .. }))
}

fn hugging_face_name(name: &str, post_norms: bool) -> Option<String> {
    match name {
        "token_embd.weight" => return Some("model.embed_tokens.weight".into()),
        "output_norm.weight" => return Some("model.norm.weight".into()),
        "output.weight" => return Some("lm_head.weight".into()),
        _ => {}
    }
    let (layer, rest) = name.strip_prefix("blk.")?.split_once('.')?;
    let (part, kind) = rest.rsplit_once('.')?;
    let part = match part {
        "attn_q" => "self_attn.q_proj",
        "attn_k" => "self_attn.k_proj",
        "attn_v" => "self_attn.v_proj",
        "attn_output" => "self_attn.o_proj",
        "attn_q_norm" => "self_attn.q_norm",
        "attn_k_norm" => "self_attn.k_norm",
        "ffn_gate" => "mlp.gate_proj",
        "ffn_up" => "mlp.up_proj",
        "ffn_down" => "mlp.down_proj",
        "attn_norm" => "input_layernorm",
        // Without post-norms Hugging Face calls the norm before the MLP by its place after attention.
        "ffn_norm" if post_norms => "pre_feedforward_layernorm",
        "ffn_norm" => "post_attention_layernorm",
        "post_attention_norm" if post_norms => "post_attention_layernorm",
        "post_ffw_norm" => "post_feedforward_layernorm",
        _ => return None,
    };
    Some(format!("model.layers.{layer}.{part}.{kind}"))
}
