//! The config.json of a checkpoint: the model's own with what the export changes, or written anew for a GGUF file.

use super::{Checkpoint, ExportError};
use crate::config::{Activation, BackboneConfig, ConfigError, Family, RopeConfig, RopeScaling};
use crate::regular_file;
use crate::weights::{ModelFiles, WeightsError};
use serde_json::{Map, Value, json};

pub(super) fn of(checkpoint: &Checkpoint) -> Result<Value, ExportError> {
    let (files, config) = (checkpoint.files, checkpoint.files.config());
    let mut json = match files.folder() {
        Some(_) => own(files)?,
        None => written(config)?,
    };
    let architecture = match checkpoint.head {
        None => config.family.causal_language_model().to_owned(),
        Some(_) => config.family.sequence_classifier(config.final_soft_cap.is_some()).map_err(ExportError::form)?,
    };
    json.insert(String::from("architectures"), json!([architecture]));
    json.insert(String::from("torch_dtype"), checkpoint.number_type.torch_name().into());
    json.insert(String::from("tie_word_embeddings"), config.tied_head.into());
    for (name, id) in ["bos_token_id", "eos_token_id", "pad_token_id"].into_iter().zip(checkpoint.special) {
        json.insert(name.to_owned(), id.into());
    }
    if let Some(head) = &checkpoint.head {
        let by_id: Map<String, Value> =
            head.names.iter().enumerate().map(|(id, name)| (id.to_string(), name.as_str().into())).collect();
        let by_label: Map<String, Value> = head.names.iter().enumerate().map(|(id, name)| (name.clone(), id.into())).collect();
        json.insert(String::from("id2label"), Value::Object(by_id));
        json.insert(String::from("label2id"), Value::Object(by_label));
        let problem_type = if head.independent { "multi_label_classification" } else { "single_label_classification" };
        json.insert(String::from("problem_type"), problem_type.into());
        json.insert(String::from("num_labels"), head.names.len().into());
    }
    Ok(Value::Object(json))
}

/// The text model's part of the config.json in the model's folder.
fn own(files: &ModelFiles) -> Result<Map<String, Value>, ExportError> {
    let path = files.folder().expect("it was asked before").join("config.json");
    let read = regular_file::read(&path, regular_file::SMALL);
    let bytes = read.map_err(|source| WeightsError::Open { path: path.clone(), source })?;
    let parsed: Result<Map<String, Value>, _> = serde_json::from_slice(&bytes);
    let mut json = parsed.map_err(|source| WeightsError::Config(ConfigError::Json { path, source }))?;
    if let Some(Value::Object(text)) = json.remove("text_config") {
        json = text;
        json.insert(String::from("model_type"), files.config().family.model_type().into());
    }
    for name in ["dtype", "torch_dtype", "auto_map", "_name_or_path", "transformers_version"] {
        json.remove(name);
    }
    Ok(json)
}

/// A single-precision number with the digits that make it.
fn number(value: f32) -> Value {
    serde_json::from_str(&format!("{value:e}")).expect("a finite number is JSON")
}

/// A config.json that resolves to the same configuration, but that the norms' weights lack the 1 of the Gemma families.
fn written(config: &BackboneConfig) -> Result<Map<String, Value>, ExportError> {
    let family = config.family;
    let rope = |windowed: bool| {
        let layers = config.layers.iter().filter(|layer| layer.window.is_some() == windowed);
        layers.filter_map(|layer| layer.rope.as_ref()).next()
    };
    let activation = match config.activation {
        Activation::Silu => "silu",
        Activation::GeluTanh => "gelu_pytorch_tanh",
    };
    let mut json = json!({
        "model_type": family.model_type(),
        "vocab_size": config.vocabulary_size,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.layers.len(),
        "num_attention_heads": config.head_count,
        "num_key_value_heads": config.key_value_head_count,
        "head_dim": config.head_dimension,
        "max_position_embeddings": config.max_positions,
        "rms_norm_eps": number(config.norm_epsilon),
        "hidden_act": activation,
        "hidden_activation": activation,
        "attention_bias": false,
        "attention_dropout": 0.0,
    });
    if let Some(full) = rope(false) {
        json["rope_theta"] = number(full.base);
        json["rope_scaling"] = scaling(full)?;
    }
    if matches!(family, Family::Gemma2 | Family::Gemma3) {
        json["query_pre_attn_scalar"] = (config.attention_scale.powi(-2).round() as u64).into();
        let kind = |window: Option<usize>| if window.is_some() { "sliding_attention" } else { "full_attention" };
        json["layer_types"] = config.layers.iter().map(|layer| kind(layer.window)).collect();
        json["sliding_window"] = config.layers.iter().find_map(|layer| layer.window).into();
        json["attn_logit_softcapping"] = config.attention_soft_cap.map_or(Value::Null, number);
        json["final_logit_softcapping"] = config.final_soft_cap.map_or(Value::Null, number);
    }
    if let (Family::Gemma3, Some(local)) = (family, rope(true)) {
        json["rope_local_base_freq"] = number(local.base);
    }
    match json {
        Value::Object(json) => Ok(json),
        _ => unreachable!("it was written as an object"),
    }
}

fn scaling(rope: &RopeConfig) -> Result<Value, ExportError> {
    match &rope.scaling {
        RopeScaling::None => Ok(Value::Null),
        RopeScaling::Linear { factor } => Ok(json!({"rope_type": "linear", "factor": number(*factor)})),
        _ => Err(ExportError::form(
            "its GGUF file has the rotary frequencies written out, which config.json cannot say; take the model as a Hugging Face folder",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::from_hugging_face;
    use std::path::Path;

    /// Every family that GGUF files are read of, by what transformers would say of it.
    #[test]
    fn what_is_written_resolves_to_the_same() {
        for family in ["gemma", "gemma2", "gemma3_text", "llama", "qwen2", "qwen3"] {
            let mut described = json!({
                "model_type": family, "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 6,
                "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 512, "rms_norm_eps": 1e-5,
                "rope_theta": 12345.0, "tie_word_embeddings": true,
            });
            if family.starts_with("gemma2") || family.starts_with("gemma3") {
                described["query_pre_attn_scalar"] = 24.into();
                described["sliding_window"] = 16.into();
            }
            let path = Path::new("config.json");
            let resolve = |json: &Value| from_hugging_face(path, json.to_string().as_bytes()).unwrap().config;
            let config = resolve(&described);
            let mut json = written(&config).unwrap();
            json.insert(String::from("tie_word_embeddings"), true.into());
            assert_eq!(format!("{:?}", resolve(&Value::Object(json))), format!("{config:?}"), "{family}");
        }
    }
}
