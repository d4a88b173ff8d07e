//! Configurations from GGUF metadata: the small differences between families, and the two real models.

#[path = "../../tests/support/mod.rs"]
mod support;

use std::path::Path;

use super::{Activation, BackboneConfig, ConfigError, QueryKeyNorm, RopeConfig, RopeScaling, from_gguf};
use crate::gguf::GgufFile;
use support::GgufBuilder;

fn builder(architecture: &str, layer_count: u32) -> GgufBuilder {
    let key = |name: &str| format!("{architecture}.{name}");
    GgufBuilder::default()
        .text("general.architecture", architecture)
        .unsigned(&key("block_count"), layer_count)
        .unsigned(&key("context_length"), 128)
        .unsigned(&key("embedding_length"), 32)
        .unsigned(&key("feed_forward_length"), 64)
        .unsigned(&key("attention.head_count"), 4)
        .float(&key("attention.layer_norm_rms_epsilon"), 1e-5)
        .tensor("token_embd.weight", &[2, 32], &[0.0; 64])
}

fn resolve(builder: GgufBuilder) -> Result<BackboneConfig, ConfigError> {
    let file = GgufFile::from_bytes(Path::new("model.gguf"), builder.build())?;
    from_gguf(&file).map(|model| model.config)
}

fn windows(config: &BackboneConfig) -> Vec<Option<usize>> {
    config.layers.iter().map(|layer| layer.window).collect()
}

fn rope(config: &BackboneConfig, layer: usize) -> &RopeConfig {
    config.layers[layer].rope.as_ref().expect("every layer rotates")
}

#[test]
fn what_is_not_written_is_what_llama_cpp_assumes() {
    let llama = resolve(builder("llama", 2)).unwrap();
    assert_eq!((llama.key_value_head_count, llama.head_dimension, llama.vocabulary_size, llama.tied_head), (4, 8, 2, true));
    assert_eq!(*rope(&llama, 1), RopeConfig { base: 10_000.0, scaling: RopeScaling::None });
    assert_eq!((llama.norm_offset, llama.embedding_scale, llama.activation), (0.0, 1.0, Activation::Silu));
    let gemma2 = resolve(builder("gemma2", 3).unsigned("gemma2.attention.key_length", 16)).unwrap();
    assert_eq!(windows(&gemma2), [Some(4096), None, Some(4096)]);
    assert_eq!((gemma2.attention_soft_cap, gemma2.final_soft_cap, gemma2.attention_scale), (Some(50.0), Some(30.0), 0.25));
    // The deepest Gemma 2 divides by the root of hidden over heads, 8 here.
    let deepest = resolve(builder("gemma2", 46).unsigned("gemma2.attention.key_length", 16)).unwrap();
    assert_eq!(deepest.attention_scale, 8f64.powf(-0.5) as f32);
}

#[test]
fn gemma3_keys() {
    let gemma3 = || builder("gemma3", 7).float("gemma3.rope.freq_base", 1e6).unsigned("gemma3.attention.sliding_window", 5);
    let plain = resolve(gemma3()).unwrap();
    assert_eq!(windows(&plain), [Some(5), Some(5), Some(5), Some(5), Some(5), None, Some(5)]);
    assert_eq!((rope(&plain, 0).base, rope(&plain, 5).base), (10_000.0, 1e6));
    assert_eq!((plain.norm_offset, plain.final_soft_cap), (0.0, None));
    let scaled = gemma3()
        .text("gemma3.rope.scaling.type", "linear")
        .float("gemma3.rope.scaling.factor", 8.0)
        .float("gemma3.rope.freq_base_swa", 5000.0)
        .unsigned("gemma3.attention.sliding_window_pattern", 2);
    let scaled = resolve(scaled).unwrap();
    assert_eq!(*rope(&scaled, 0), RopeConfig { base: 5000.0, scaling: RopeScaling::None });
    assert_eq!(*rope(&scaled, 1), RopeConfig { base: 1e6, scaling: RopeScaling::Linear { factor: 8.0 } });
    let missing = resolve(builder("gemma3", 7)).unwrap_err().to_string();
    assert!(missing.contains("`gemma3.rope.freq_base` is missing in model.gguf"), "{missing}");
}

#[test]
fn frequency_factors_are_taken_from_their_tensor() {
    let factors = [1.0, 1.5, 4.0, 32.0];
    let llama = resolve(builder("llama", 1).tensor("rope_freqs.weight", &[4], &factors)).unwrap();
    assert_eq!(rope(&llama, 0).scaling, RopeScaling::PerFrequency { factors: factors.to_vec() });
    let bad = resolve(builder("llama", 1).tensor("rope_freqs.weight", &[4], &[1.0, 0.0, 1.0, 1.0])).unwrap_err().to_string();
    assert!(bad.contains("`rope_freqs.weight` has a factor that is not a number above 0"), "{bad}");
    let both = builder("llama", 1).tensor("rope_freqs.weight", &[4], &factors).float("llama.rope.scaling.factor", 2.0);
    assert!(resolve(both).unwrap_err().to_string().contains("both a linear RoPE scaling and `rope_freqs.weight`"));
}

#[test]
fn impossible_metadata_is_refused() {
    let missing = resolve(GgufBuilder::default()).unwrap_err().to_string();
    assert!(missing.contains("`general.architecture` is missing in model.gguf"), "{missing}");
    let layers = resolve(builder("llama", 4_000_000_000)).unwrap_err().to_string();
    assert!(layers.contains("`llama.block_count` is 4000000000, possible is 1 to 4096"), "{layers}");
    let base = resolve(builder("llama", 1).float("llama.rope.freq_base", f32::NAN)).unwrap_err().to_string();
    assert!(base.contains("`llama.rope.freq_base` is NaN, possible is any number above 0"), "{base}");
    let heads = resolve(builder("llama", 1).unsigned("llama.attention.head_count_kv", 3)).unwrap_err().to_string();
    assert!(heads.contains("4 attention heads cannot share 3 key-value heads"), "{heads}");
    let causal = resolve(builder("qwen3", 1).boolean("qwen3.attention.causal", false)).unwrap_err().to_string();
    assert!(causal.contains("`qwen3.attention.causal` = false is not supported"), "{causal}");
}

#[test]
#[ignore = "needs the models smollm2-135m and gemma-3-270m"]
fn real_models_resolve_to_what_their_cards_say() {
    let smollm2 = from_gguf(&GgufFile::open(&support::smollm2()).unwrap()).unwrap();
    assert!(smollm2.interleaved_query_key);
    let smollm2 = smollm2.config;
    assert_eq!((smollm2.vocabulary_size, smollm2.hidden_size, smollm2.intermediate_size), (49152, 576, 1536));
    assert_eq!((smollm2.head_count, smollm2.key_value_head_count, smollm2.head_dimension), (9, 3, 64));
    assert_eq!((smollm2.max_positions, smollm2.norm_epsilon, smollm2.attention_scale), (8192, 1e-5, 0.125));
    assert_eq!((windows(&smollm2), smollm2.tied_head), (vec![None; 30], true));
    assert_eq!(*rope(&smollm2, 29), RopeConfig { base: 100_000.0, scaling: RopeScaling::None });
    let gemma3 = from_gguf(&GgufFile::open(&support::gemma3()).unwrap()).unwrap();
    assert!(!gemma3.interleaved_query_key);
    let gemma3 = gemma3.config;
    assert_eq!((gemma3.vocabulary_size, gemma3.hidden_size, gemma3.intermediate_size), (262_144, 640, 2048));
    assert_eq!((gemma3.head_count, gemma3.key_value_head_count, gemma3.head_dimension), (4, 1, 256));
    assert_eq!((gemma3.max_positions, gemma3.norm_epsilon, gemma3.attention_scale), (32768, 1e-6, 0.0625));
    assert_eq!((gemma3.norm_offset, gemma3.embedding_scale, gemma3.tied_head), (0.0, 640f32.sqrt(), true));
    assert_eq!(
        (gemma3.query_key_norm, gemma3.post_norms, gemma3.activation),
        (QueryKeyNorm::PerHead, true, Activation::GeluTanh)
    );
    let window = |layer: usize| if layer % 6 == 5 { None } else { Some(512) };
    assert_eq!(windows(&gemma3), (0..18).map(window).collect::<Vec<_>>());
    assert_eq!((rope(&gemma3, 0).base, rope(&gemma3, 5).base), (10_000.0, 1e6));
}
