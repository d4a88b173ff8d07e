//! From a Hugging Face config.json, with the field names and defaults of transformers 5.

mod fields;
mod rope;

use std::path::Path;

use serde_json::Value;

use super::family::Family;
use super::{Activation, BackboneConfig, ConfigError, LayerConfig, MAX_HEAD_DIMENSION, MAX_HEADS, MAX_LAYERS, MAX_SIZE};
pub(super) use fields::Fields;

/// What config.json says of the model and of its files.
#[derive(Debug)]
pub(crate) struct HuggingFaceModel {
    pub(crate) config: BackboneConfig,
    /// Whether the text model is part of one that also sees images, whose other tensors are not read.
    pub(crate) multimodal: bool,
}

/// A layer's kind of attention, as `layer_types` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LayerType {
    Full,
    Sliding,
}

/// Resolves the text of a config.json; `path` names it in messages.
///
/// # Errors
/// If the text is not a JSON object, or a field is missing, of the wrong type, or asks for something that is not supported.
pub(crate) fn from_hugging_face(path: &Path, json: &[u8]) -> Result<HuggingFaceModel, ConfigError> {
    let object: serde_json::Map<String, Value> =
        serde_json::from_slice(json).map_err(|source| ConfigError::Json { path: path.to_owned(), source })?;
    let outer = Fields::new(path, &object);
    outer.require_absent("quantization_config", "unquantized weights (F32, F16, BF16), or a GGUF file for quantized ones")?;
    match outer.object("text_config")? {
        None => Ok(HuggingFaceModel { config: text_model(&outer, outer.boolean("tie_word_embeddings")?)?, multimodal: false }),
        Some(text) => {
            if outer.text("model_type")? != Some("gemma3") {
                return Err(outer.unsupported("model_type", Family::MODEL_TYPES));
            }
            let tied = outer.boolean("tie_word_embeddings")?.or(text.boolean("tie_word_embeddings")?);
            Ok(HuggingFaceModel { config: text_model(&text, tied)?, multimodal: true })
        }
    }
}

fn text_model(fields: &Fields, tied: Option<bool>) -> Result<BackboneConfig, ConfigError> {
    let model_type = fields.text("model_type")?.ok_or_else(|| fields.missing("model_type"))?;
    let family = Family::from_model_type(model_type).ok_or_else(|| fields.unsupported("model_type", Family::MODEL_TYPES))?;
    refuse_what_is_not_computed(family, fields)?;
    let attention_bias = fields.boolean("attention_bias")? == Some(true);
    let defaults = family.default_sizes();
    let size = |field, default, largest| Ok::<_, ConfigError>(fields.size(field, largest)?.unwrap_or(default));
    let hidden_size = size("hidden_size", defaults.hidden_size, MAX_SIZE)?;
    let layer_count = size("num_hidden_layers", defaults.layer_count, MAX_LAYERS)?;
    let head_count = size("num_attention_heads", defaults.head_count, MAX_HEADS)?;
    let default_key_value_heads = if fields.has("num_key_value_heads") { None } else { defaults.key_value_head_count };
    let head_dimension = match fields.size("head_dim", MAX_HEAD_DIMENSION)?.or(defaults.head_dimension) {
        Some(head_dimension) => head_dimension,
        None => fields.derived_head_dimension(hidden_size, head_count)?,
    };
    let max_positions = size("max_position_embeddings", defaults.max_positions, MAX_SIZE)?;
    let layer_types = layer_types(family, fields, layer_count)?;
    let multiplier = |field| match family {
        Family::Granite => Ok(fields.positive(field)?.unwrap_or(1.0)),
        _ => Ok::<_, ConfigError>(1.0),
    };
    let residual_multiplier = multiplier("residual_multiplier")?;
    let embedding_scale =
        f64::from(family.embedding_scale(hidden_size)) * multiplier("embedding_multiplier")? / residual_multiplier;
    let norm_epsilon = fields.positive("rms_norm_eps")?.unwrap_or(defaults.norm_epsilon) / residual_multiplier.powi(2);
    let config = BackboneConfig {
        family,
        vocabulary_size: size("vocab_size", defaults.vocabulary_size, MAX_SIZE)?,
        hidden_size,
        intermediate_size: size("intermediate_size", defaults.intermediate_size, MAX_SIZE)?,
        head_count,
        key_value_head_count: size("num_key_value_heads", default_key_value_heads.unwrap_or(head_count), MAX_HEADS)?,
        head_dimension,
        max_positions,
        norm_epsilon: norm_epsilon as f32,
        norm_offset: if family.is_gemma() { 1.0 } else { 0.0 },
        embedding_scale: embedding_scale as f32,
        residual_multiplier: residual_multiplier as f32,
        query_key_value_bias: family == Family::Qwen2 || attention_bias,
        output_bias: attention_bias,
        mlp_bias: fields.boolean("mlp_bias")? == Some(true),
        query_key_norm: family.query_key_norm(),
        pre_norms: family.pre_norms(),
        fused_projections: family == Family::Phi3,
        post_norms: family.post_norms(),
        attention_scale: attention_scale(family, fields, head_dimension)?,
        attention_soft_cap: attention_soft_cap(family, fields)?,
        final_soft_cap: match family {
            Family::Gemma2 => fields.positive_or("final_logit_softcapping", Some(30.0))?,
            Family::Gemma3 => fields.positive_or("final_logit_softcapping", None)?,
            _ => None,
        },
        logit_scale: (1.0 / multiplier("logits_scaling")?) as f32,
        activation: activation(family, fields)?,
        tied_head: tied.unwrap_or(family.is_gemma() || family == Family::SmolLm3),
        layers: layers(family, fields, &layer_types, max_positions)?,
    };
    config.checked(fields.path())
}

fn refuse_what_is_not_computed(family: Family, fields: &Fields) -> Result<(), ConfigError> {
    for (field, is_computed) in [
        ("attention_bias", family.reads_attention_bias()),
        ("mlp_bias", family.reads_mlp_bias()),
        ("use_bidirectional_attention", false),
    ] {
        if fields.boolean(field)? == Some(true) && !is_computed {
            return Err(fields.unsupported(field, "false"));
        }
    }
    if fields.positive("partial_rotary_factor")?.is_some_and(|factor| factor != 1.0) {
        return Err(fields.unsupported("partial_rotary_factor", "1"));
    }
    fields.require_absent("quantization_config", "unquantized weights (F32, F16, BF16), or a GGUF file for quantized ones")
}

fn attention_scale(family: Family, fields: &Fields, head_dimension: usize) -> Result<f32, ConfigError> {
    let scalar = match family {
        Family::Granite => return Ok(fields.positive("attention_multiplier")?.unwrap_or(1.0) as f32),
        Family::Gemma2 | Family::Gemma3 => fields.positive("query_pre_attn_scalar")?.unwrap_or(256.0),
        _ => head_dimension as f64,
    };
    Ok(scalar.powf(-0.5) as f32)
}

fn attention_soft_cap(family: Family, fields: &Fields) -> Result<Option<f32>, ConfigError> {
    match family {
        Family::Gemma2 => fields.positive_or("attn_logit_softcapping", Some(50.0)),
        // transformers declares the field for Gemma 3 and never reads it; a model that sets it would not agree with anybody.
        Family::Gemma3 if fields.positive("attn_logit_softcapping")?.is_some() => {
            Err(fields.unsupported("attn_logit_softcapping", "null"))
        }
        _ => Ok(None),
    }
}

fn activation(family: Family, fields: &Fields) -> Result<Activation, ConfigError> {
    let (field, default) = match family {
        Family::Gemma => {
            // The first releases say `gelu` in either field and mean the tanh form (transformers #29402).
            for field in ["hidden_act", "hidden_activation"] {
                if !matches!(fields.text(field)?, None | Some("gelu" | "gelu_pytorch_tanh")) {
                    return Err(fields.unsupported(field, "gelu, gelu_pytorch_tanh"));
                }
            }
            return Ok(Activation::GeluTanh);
        }
        Family::Gemma2 | Family::Gemma3 => ("hidden_activation", "gelu_pytorch_tanh"),
        _ => ("hidden_act", "silu"),
    };
    match fields.text(field)?.unwrap_or(default) {
        "silu" | "swish" => Ok(Activation::Silu),
        "gelu_pytorch_tanh" => Ok(Activation::GeluTanh),
        _ => Err(fields.unsupported(field, "silu, gelu_pytorch_tanh")),
    }
}

/// The kind of every layer: as listed, else by the family's rule.
fn layer_types(family: Family, fields: &Fields, layer_count: usize) -> Result<Vec<LayerType>, ConfigError> {
    if let Some(names) = fields.list("layer_types")? {
        let parse = |name: &Value| match name.as_str() {
            Some("full_attention") => Some(LayerType::Full),
            Some("sliding_attention") if family.has_layer_types() => Some(LayerType::Sliding),
            _ => None,
        };
        let types: Option<Vec<_>> = names.iter().map(parse).collect();
        let types = types.ok_or_else(|| fields.unsupported("layer_types", "full_attention, sliding_attention"))?;
        if types.len() != layer_count {
            let problem = format!("`layer_types` lists {} layers and `num_hidden_layers` is {layer_count}", types.len());
            return Err(fields.inconsistent(problem));
        }
        return Ok(types);
    }
    let every =
        |period: usize, layer: usize| if (layer + 1).is_multiple_of(period) { LayerType::Full } else { LayerType::Sliding };
    let types = 0..layer_count;
    Ok(match family {
        Family::Gemma | Family::Granite | Family::Llama | Family::Olmo2 => vec![LayerType::Full; layer_count],
        Family::Mistral | Family::Phi3 => {
            let kind = if window(family, fields)?.is_some() { LayerType::Sliding } else { LayerType::Full };
            vec![kind; layer_count]
        }
        Family::SmolLm3 => {
            let slides = window(family, fields)?.is_some();
            let kind = |rotates: bool| if slides && !rotates { LayerType::Sliding } else { LayerType::Full };
            rotating_layers(family, fields, layer_count)?.into_iter().map(kind).collect()
        }
        Family::Gemma2 => types.map(|layer| every(2, layer)).collect(),
        Family::Gemma3 => {
            let period = fields.size("sliding_window_pattern", MAX_LAYERS)?.unwrap_or(6);
            types.map(|layer| every(period, layer)).collect()
        }
        Family::Qwen2 | Family::Qwen3 => {
            let first = fields.whole("max_window_layers")?.unwrap_or(28);
            let slides = window(family, fields)?.is_some();
            types.map(|layer| if slides && layer as u64 >= first { LayerType::Sliding } else { LayerType::Full }).collect()
        }
    })
}

/// Which layers rotate queries and keys: all of them, but in SmolLM 3.
fn rotating_layers(family: Family, fields: &Fields, layer_count: usize) -> Result<Vec<bool>, ConfigError> {
    if family != Family::SmolLm3 {
        return Ok(vec![true; layer_count]);
    }
    let Some(flags) = fields.list("no_rope_layers")? else {
        let interval = fields.size("no_rope_layer_interval", MAX_LAYERS)?.unwrap_or(4);
        return Ok((1..=layer_count).map(|layer| !layer.is_multiple_of(interval)).collect());
    };
    // A 1 stands for a layer that rotates, whatever the field is called.
    let flags: Option<Vec<bool>> = flags.iter().take(layer_count).map(|flag| Some(flag.as_u64()? != 0)).collect();
    match flags {
        Some(flags) if flags.len() == layer_count => Ok(flags),
        _ => Err(fields.inconsistent(format!("`no_rope_layers` is not a list of 0 and 1 for each of the {layer_count} layers"))),
    }
}

/// The window of the sliding layers, if the model has one.
fn window(family: Family, fields: &Fields) -> Result<Option<usize>, ConfigError> {
    let in_use = match family {
        Family::Gemma | Family::Granite | Family::Llama | Family::Olmo2 => false,
        Family::Gemma2 | Family::Gemma3 | Family::Mistral | Family::Phi3 => true,
        Family::Qwen2 | Family::Qwen3 | Family::SmolLm3 => fields.boolean("use_sliding_window")?.unwrap_or(false),
    };
    if in_use && !fields.has("sliding_window") && !matches!(family, Family::Phi3 | Family::SmolLm3) {
        return Ok(Some(4096));
    }
    if in_use { fields.size("sliding_window", MAX_SIZE) } else { Ok(None) }
}

fn layers(family: Family, fields: &Fields, types: &[LayerType], max_positions: usize) -> Result<Vec<LayerConfig>, ConfigError> {
    let window = window(family, fields)?;
    let rope = rope::resolve(family == Family::Gemma3, fields, family.default_sizes().rope_base, max_positions)?;
    let rotating = rotating_layers(family, fields, types.len())?;
    let layer = |(&layer_type, rotates): (&LayerType, bool)| match (layer_type, window) {
        (LayerType::Full, _) => Ok(LayerConfig { window: None, rope: rotates.then(|| rope.full.clone()) }),
        (LayerType::Sliding, Some(window)) => {
            Ok(LayerConfig { window: Some(window), rope: rotates.then(|| rope.sliding.clone()) })
        }
        (LayerType::Sliding, None) => {
            Err(fields.inconsistent("`layer_types` has sliding layers and `sliding_window` is not in use".into()))
        }
    };
    types.iter().zip(rotating).map(layer).collect()
}
