//! A model small enough to train within a second.

use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;

#[path = "../tiny/byte_alphabet.rs"]
mod byte_alphabet;

use byte_alphabet::byte_alphabet;

const HIDDEN: usize = 32;
const INTERMEDIATE: usize = 48;
const LAYERS: usize = 2;
/// The bytes, and begin of text.
const VOCABULARY: usize = 257;

/// A random llama over single bytes, as a Hugging Face folder.
pub fn write(folder: &Path) {
    let config = json!({
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": VOCABULARY, "hidden_size": HIDDEN,
        "intermediate_size": INTERMEDIATE, "num_hidden_layers": LAYERS, "num_attention_heads": 4, "num_key_value_heads": 2,
        "head_dim": 8, "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
        "tie_word_embeddings": true, "bos_token_id": 256, "eos_token_id": 256, "attention_bias": false, "mlp_bias": false
    });
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    std::fs::write(folder.join("tokenizer.json"), tokenizer().to_string()).unwrap();
    let ends = json!({ "bos_token": "<s>", "eos_token": "<s>" });
    std::fs::write(folder.join("tokenizer_config.json"), ends.to_string()).unwrap();
    let mut state = 1u64;
    let mut number = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    let shapes = shapes();
    let mut bytes: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    for (name, shape) in &shapes {
        let value = |number: f32| if shape.len() == 1 { 1.0 + number } else { number * 0.6 };
        let values = (0..shape.iter().product()).flat_map(|_| value(number()).to_le_bytes());
        bytes.insert(name, values.collect());
    }
    let views = bytes.iter().map(|(name, bytes)| (*name, TensorView::new(Dtype::F32, shapes[*name].clone(), bytes).unwrap()));
    std::fs::write(folder.join("model.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
}

/// The shape of each array.
fn shapes() -> BTreeMap<String, Vec<usize>> {
    let mut shapes = BTreeMap::from([
        (String::from("model.embed_tokens.weight"), vec![VOCABULARY, HIDDEN]),
        (String::from("model.norm.weight"), vec![HIDDEN]),
    ]);
    for layer in 0..LAYERS {
        for (name, shape) in [
            ("self_attn.q_proj", vec![32, HIDDEN]),
            ("self_attn.k_proj", vec![16, HIDDEN]),
            ("self_attn.v_proj", vec![16, HIDDEN]),
            ("self_attn.o_proj", vec![HIDDEN, 32]),
            ("mlp.gate_proj", vec![INTERMEDIATE, HIDDEN]),
            ("mlp.up_proj", vec![INTERMEDIATE, HIDDEN]),
            ("mlp.down_proj", vec![HIDDEN, INTERMEDIATE]),
            ("input_layernorm", vec![HIDDEN]),
            ("post_attention_layernorm", vec![HIDDEN]),
        ] {
            shapes.insert(format!("model.layers.{layer}.{name}.weight"), shape);
        }
    }
    shapes
}

/// A byte-level tokenizer without merges. The classifiers among the fixtures know its bytes by their SHA-256.
fn tokenizer() -> serde_json::Value {
    let bytes = byte_alphabet().into_iter().map(String::from).chain([String::from("<s>")]);
    let vocabulary: serde_json::Map<_, _> = bytes.enumerate().map(|(id, piece)| (piece, json!(id))).collect();
    let byte_level =
        |space: bool| json!({ "type": "ByteLevel", "add_prefix_space": space, "trim_offsets": true, "use_regex": true });
    json!({
        "version": "1.0",
        "added_tokens": [{
            "id": 256, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true
        }],
        "normalizer": null, "pre_tokenizer": byte_level(false), "post_processor": null, "decoder": byte_level(true),
        "model": { "type": "BPE", "vocab": vocabulary, "merges": [] }
    })
}
