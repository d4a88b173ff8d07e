//! Each family resolved from a small config.json, and everything that must be refused.

use super::*;

fn resolve(json: &str) -> Result<BackboneConfig, ConfigError> {
    from_hugging_face(Path::new("config.json"), json.as_bytes()).map(|model| model.config)
}

/// A config.json of `model_type` with these fields besides.
fn config(model_type: &str, fields: &str) -> Result<BackboneConfig, ConfigError> {
    resolve(&format!(
        r#"{{"model_type": "{model_type}", "vocab_size": 50, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 7,
            "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128 {fields}}}"#
    ))
}

fn refused(model_type: &str, fields: &str) -> String {
    config(model_type, fields).expect_err("this configuration is not supported").to_string()
}

fn windows(config: &BackboneConfig) -> Vec<Option<usize>> {
    config.layers.iter().map(|layer| layer.window).collect()
}

fn rope(config: &BackboneConfig, layer: usize) -> &RopeConfig {
    config.layers[layer].rope.as_ref().expect("every layer rotates")
}

#[test]
fn llama() {
    let llama = config("llama", r#", "rms_norm_eps": 1e-5, "rope_theta": 100000, "tie_word_embeddings": true"#).unwrap();
    assert_eq!((llama.vocabulary_size(), llama.hidden_size(), llama.layer_count(), llama.max_positions()), (50, 32, 7, 128));
    assert_eq!((llama.intermediate_size, llama.head_count, llama.key_value_head_count, llama.head_dimension), (64, 4, 2, 8));
    assert_eq!((llama.norm_epsilon, llama.norm_offset, llama.embedding_scale), (1e-5, 0.0, 1.0));
    assert_eq!((llama.query_key_value_bias, llama.output_bias, llama.mlp_bias), (false, false, false));
    assert_eq!((llama.query_key_norm, llama.pre_norms, llama.post_norms), (QueryKeyNorm::None, true, false));
    assert_eq!((llama.tied_head, llama.fused_projections, llama.residual_multiplier, llama.logit_scale), (true, false, 1.0, 1.0));
    assert_eq!((llama.attention_soft_cap, llama.final_soft_cap, llama.activation), (None, None, Activation::Silu));
    assert!((llama.attention_scale - 8f32.powf(-0.5)).abs() < 1e-7);
    assert_eq!(windows(&llama), [None; 7]);
    assert_eq!(*rope(&llama, 6), RopeConfig { base: 100_000.0, scaling: RopeScaling::None });
    let defaults = config("llama", r#", "num_key_value_heads": null, "head_dim": 16"#).unwrap();
    assert_eq!((defaults.key_value_head_count, defaults.head_dimension, defaults.tied_head), (4, 16, false));
    assert_eq!((defaults.norm_epsilon, rope(&defaults, 0).base), (1e-6, 10_000.0));
}

#[test]
fn gemma() {
    let gemma = config("gemma", r#", "hidden_act": "gelu", "hidden_activation": null"#).unwrap();
    assert_eq!((gemma.head_dimension, gemma.norm_offset, gemma.embedding_scale), (256, 1.0, 32f32.sqrt()));
    assert_eq!((gemma.activation, gemma.tied_head, gemma.post_norms), (Activation::GeluTanh, true, false));
    assert_eq!(gemma.attention_scale, 1.0 / 16.0);
    assert_eq!(windows(&gemma), [None; 7]);
    assert!(refused("gemma", r#", "hidden_activation": "relu""#).contains("`hidden_activation` = \"relu\" is not supported"));
}

#[test]
fn gemma2() {
    let gemma = config("gemma2", r#", "head_dim": 16, "query_pre_attn_scalar": 144, "sliding_window": 5"#).unwrap();
    assert_eq!(windows(&gemma), [Some(5), None, Some(5), None, Some(5), None, Some(5)]);
    assert_eq!((gemma.attention_soft_cap, gemma.final_soft_cap), (Some(50.0), Some(30.0)));
    assert_eq!((gemma.attention_scale, gemma.post_norms, gemma.query_key_norm), (1.0 / 12.0, true, QueryKeyNorm::None));
    let uncapped = r#", "attn_logit_softcapping": null, "final_logit_softcapping": null, "layer_types": ["full_attention",
        "full_attention", "sliding_attention", "full_attention", "full_attention", "full_attention", "full_attention"]"#;
    let uncapped = config("gemma2", uncapped).unwrap();
    assert_eq!((uncapped.attention_soft_cap, uncapped.final_soft_cap, uncapped.attention_scale), (None, None, 1.0 / 16.0));
    assert_eq!(windows(&uncapped), [None, None, Some(4096), None, None, None, None]);
    assert!(refused("gemma2", r#", "hidden_activation": "gelu""#).contains("supported: silu, gelu_pytorch_tanh"));
    assert!(refused("gemma2", r#", "sliding_window": null"#).contains("sliding layers and `sliding_window` is not in use"));
}

#[test]
fn gemma3() {
    let gemma =
        config("gemma3_text", r#", "sliding_window": 6, "sliding_window_pattern": 3, "query_pre_attn_scalar": 168"#).unwrap();
    assert_eq!(windows(&gemma), [Some(6), Some(6), None, Some(6), Some(6), None, Some(6)]);
    assert_eq!((rope(&gemma, 0).base, rope(&gemma, 2).base), (10_000.0, 1_000_000.0));
    assert_eq!((gemma.query_key_norm, gemma.post_norms, gemma.final_soft_cap), (QueryKeyNorm::PerHead, true, None));
    assert!((gemma.attention_scale - 168f32.powf(-0.5)).abs() < 1e-8);
    let pattern = config("gemma3_text", "").unwrap();
    assert_eq!(windows(&pattern), [Some(4096), Some(4096), Some(4096), Some(4096), Some(4096), None, Some(4096)]);
    let old = r#", "rope_theta": 500000, "rope_local_base_freq": 5000, "rope_scaling": {"factor": 8.0, "rope_type": "linear"}"#;
    let new = r#", "rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 500000.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 5000.0}}"#;
    for fields in [old, new] {
        let gemma = config("gemma3_text", fields).unwrap();
        assert_eq!(*rope(&gemma, 0), RopeConfig { base: 5000.0, scaling: RopeScaling::None });
        assert_eq!(*rope(&gemma, 5), RopeConfig { base: 500_000.0, scaling: RopeScaling::Linear { factor: 8.0 } });
    }
    let flat = refused("gemma3_text", r#", "rope_parameters": {"rope_type": "default", "rope_theta": 5000.0}"#);
    assert!(flat.contains("`rope_parameters.rope_type` = \"default\" is not supported"), "{flat}");
    let capped = refused("gemma3_text", r#", "attn_logit_softcapping": 50"#);
    assert!(capped.contains("`attn_logit_softcapping` = 50 is not supported"), "{capped}");
    assert!(refused("gemma3_text", r#", "use_bidirectional_attention": true"#).contains("use_bidirectional_attention"));
}

#[test]
fn multimodal_gemma3_takes_defaults_for_what_its_text_config_leaves_out() {
    let json = r#"{"model_type": "gemma3", "vision_config": {}, "text_config": {"model_type": "gemma3_text", "hidden_size": 2560,
        "intermediate_size": 10240, "num_hidden_layers": 34, "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024}}"#;
    let model = from_hugging_face(Path::new("config.json"), json.as_bytes()).unwrap();
    assert!(model.multimodal);
    let gemma = model.config;
    assert_eq!((gemma.vocabulary_size, gemma.head_count, gemma.key_value_head_count, gemma.head_dimension), (262_208, 8, 4, 256));
    assert_eq!((gemma.max_positions, gemma.tied_head, gemma.layers[0].window), (131_072, true, Some(1024)));
    let other = resolve(r#"{"model_type": "llava", "text_config": {"model_type": "llama"}}"#).unwrap_err().to_string();
    assert!(other.contains("`model_type` = \"llava\" is not supported"), "{other}");
    let inside = resolve(r#"{"model_type": "gemma3", "text_config": {"model_type": "gemma3_text", "hidden_size": "x"}}"#);
    let inside = inside.unwrap_err().to_string();
    assert!(inside.contains("`text_config.hidden_size` is \"x\", expected a whole number"), "{inside}");
}

#[test]
fn qwen2() {
    let qwen = config("qwen2", r#", "sliding_window": 5, "use_sliding_window": false"#).unwrap();
    assert_eq!((qwen.query_key_value_bias, qwen.query_key_norm, qwen.head_dimension), (true, QueryKeyNorm::None, 8));
    assert_eq!(windows(&qwen), [None; 7]);
    let sliding = config("qwen2", r#", "sliding_window": 5, "use_sliding_window": true, "max_window_layers": 5"#).unwrap();
    assert_eq!(windows(&sliding), [None, None, None, None, None, Some(5), Some(5)]);
}

#[test]
fn qwen3() {
    let qwen = config("qwen3", "").unwrap();
    assert_eq!((qwen.query_key_value_bias, qwen.query_key_norm), (false, QueryKeyNorm::PerHead));
    assert_eq!((qwen.head_dimension, qwen.post_norms), (128, false));
    assert!(refused("qwen3", r#", "attention_bias": true"#).contains("`attention_bias` = true is not supported"));
}

#[test]
fn mistral() {
    assert_eq!(windows(&config("mistral", "").unwrap()), [Some(4096); 7]);
    assert_eq!(windows(&config("mistral", r#", "sliding_window": 8"#).unwrap()), [Some(8); 7]);
    let full = config("mistral", r#", "sliding_window": null, "head_dim": 16"#).unwrap();
    assert_eq!((windows(&full), full.head_dimension, full.tied_head), (vec![None; 7], 16, false));
    assert!(refused("mistral", r#", "attention_bias": true"#).contains("`attention_bias` = true is not supported"));
}

#[test]
fn smollm3() {
    let rotates = |config: &BackboneConfig| config.layers.iter().map(|layer| layer.rope.is_some()).collect::<Vec<_>>();
    let smollm = config("smollm3", "").unwrap();
    assert_eq!(rotates(&smollm), [true, true, true, false, true, true, true]);
    assert_eq!((rope(&smollm, 0).base, smollm.tied_head, windows(&smollm)), (2e6, true, vec![None; 7]));
    let listed = config("smollm3", r#", "no_rope_layers": [0, 1, 1, 1, 1, 1, 0, 0]"#).unwrap();
    assert_eq!(rotates(&listed), [false, true, true, true, true, true, false]);
    let every_third =
        config("smollm3", r#", "no_rope_layer_interval": 3, "use_sliding_window": true, "sliding_window": 5"#).unwrap();
    assert_eq!(windows(&every_third), [None, None, Some(5), None, None, Some(5), None]);
    for list in ["[1, 0]", r#"[1, 1, 1, 1, 1, 1, "no"]"#] {
        let message = refused("smollm3", &format!(r#", "no_rope_layers": {list}"#));
        assert!(message.contains("`no_rope_layers` is not a list of 0 and 1 for each of the 7 layers"), "{message}");
    }
}

#[test]
fn granite() {
    let multipliers = r#", "embedding_multiplier": 12.0, "residual_multiplier": 0.25, "attention_multiplier": 0.015625,
        "logits_scaling": 8, "rms_norm_eps": 1e-5"#;
    let granite = config("granite", multipliers).unwrap();
    assert_eq!((granite.embedding_scale, granite.residual_multiplier, granite.norm_epsilon), (48.0, 0.25, 1.6e-4));
    assert_eq!((granite.attention_scale, granite.logit_scale), (0.015625, 0.125));
    let plain = config("granite", "").unwrap();
    assert_eq!((plain.embedding_scale, plain.residual_multiplier, plain.norm_epsilon, plain.logit_scale), (1.0, 1.0, 1e-6, 1.0));
    assert_eq!(plain.attention_scale, 1.0);
    assert!(refused("granite", r#", "residual_multiplier": 0"#).contains("`residual_multiplier` is 0"));
    let small = refused("granite", r#", "residual_multiplier": 1e-30"#);
    assert!(small.contains("a multiplier is too small or too large for single precision"), "{small}");
}

#[test]
fn olmo2() {
    let olmo = config("olmo2", "").unwrap();
    assert_eq!((olmo.pre_norms, olmo.post_norms, olmo.query_key_norm), (false, true, QueryKeyNorm::AllHeads));
    assert_eq!((olmo.norm_epsilon, olmo.query_key_norm_widths()), (1e-5, [Some(32), Some(16)]));
    let norms = olmo.norm_names();
    assert_eq!(norms, [None, Some("post_attention_layernorm.weight"), None, Some("post_feedforward_layernorm.weight")]);
}

#[test]
fn phi3() {
    let phi = config("phi3", r#", "sliding_window": 9"#).unwrap();
    assert_eq!((phi.fused_projections, phi.norm_epsilon, windows(&phi)), (true, 1e-5, vec![Some(9); 7]));
    assert_eq!(windows(&config("phi3", "").unwrap()), [None; 7]);
    let long = refused("phi3", r#", "rope_scaling": {"type": "longrope", "short_factor": [1.0], "long_factor": [2.0]}"#);
    assert!(long.contains("`rope_scaling.type` = \"longrope\" is not supported"), "{long}");
    assert!(refused("phi3", r#", "partial_rotary_factor": 0.75"#).contains("`partial_rotary_factor` = 0.75"));
}

#[test]
fn biases_are_where_the_family_has_them() {
    for family in ["llama", "smollm3", "granite"] {
        let biased = config(family, r#", "attention_bias": true, "mlp_bias": true"#).unwrap();
        assert_eq!((biased.query_key_value_bias, biased.output_bias, biased.mlp_bias), (true, true, true), "{family}");
    }
    let olmo = config("olmo2", r#", "attention_bias": true"#).unwrap();
    assert_eq!((olmo.query_key_value_bias, olmo.output_bias, olmo.mlp_bias), (true, true, false));
    assert!(refused("olmo2", r#", "mlp_bias": true"#).contains("`mlp_bias` = true"));
    let qwen = config("qwen2", "").unwrap();
    assert_eq!((qwen.query_key_value_bias, qwen.output_bias), (true, false));
}

#[test]
fn rope_forms() {
    let llama3 = r#"{"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192, "rope_theta": 500000.0}"#;
    let expected =
        RopeScaling::Llama3 { factor: 32.0, low_frequency_factor: 1.0, high_frequency_factor: 4.0, original_max_positions: 8192 };
    for field in ["rope_scaling", "rope_parameters"] {
        let llama = config("llama", &format!(r#", "{field}": {llama3}"#)).unwrap();
        assert_eq!(*rope(&llama, 0), RopeConfig { base: 500_000.0, scaling: expected.clone() });
    }
    let old = config("llama", r#", "rope_scaling": {"type": "linear", "factor": 2}"#).unwrap();
    assert_eq!(rope(&old, 0).scaling, RopeScaling::Linear { factor: 2.0 });
    let yarn = refused("qwen2", r#", "rope_scaling": {"type": "yarn", "factor": 4.0}"#);
    assert!(
        yarn.contains("`rope_scaling.type` = \"yarn\" is not supported, in config.json; supported: default, linear, llama3"),
        "{yarn}"
    );
    let missing = refused("llama", r#", "rope_scaling": {"rope_type": "linear"}"#);
    assert!(missing.contains("the field `rope_scaling.factor` is missing in config.json"), "{missing}");
    let partial = refused("llama", r#", "rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}"#);
    assert!(partial.contains("`rope_parameters.partial_rotary_factor` = 0.5"), "{partial}");
    let nested = refused("llama", r#", "rope_parameters": {"full_attention": {"rope_type": "default"}}"#);
    assert!(nested.contains("rope_parameters.full_attention"), "{nested}");
}

#[test]
fn what_is_not_computed_is_refused_by_name() {
    assert!(refused("mamba", "").contains("`model_type` = \"mamba\" is not supported, in config.json; supported: gemma, gemma2"));
    assert!(refused("qwen2", r#", "mlp_bias": true"#).contains("`mlp_bias` = true"));
    assert!(refused("llama", r#", "hidden_act": "relu""#).contains("`hidden_act` = \"relu\""));
    assert!(refused("llama", r#", "quantization_config": {"bits": 4}"#).contains("`quantization_config` = {\"bits\":4}"));
    assert!(refused("qwen3", r#", "layer_types": ["full_attention"]"#).contains("lists 1 layers and `num_hidden_layers` is 7"));
    assert!(refused("qwen3", r#", "layer_types": ["chunked_attention"]"#).contains("chunked_attention"));
}

#[test]
fn positions_whose_angles_are_not_finite_are_refused() {
    for base in ["1e-30", "0.5"] {
        let message = refused("llama", &format!(r#", "rope_theta": {base}"#));
        assert!(message.contains("is below 1, in config.json"), "{message}");
    }
    let message = refused("llama", r#", "rope_scaling": {"rope_type": "linear", "factor": 1e-38}"#);
    assert!(message.contains("an angle within 128 positions is not finite"), "{message}");
    let message = refused("gemma3_text", r#", "rope_local_base_freq": 1e-20"#);
    assert!(message.contains("a RoPE base of 1e-20 is below 1"), "{message}");
    assert!(refused("llama", r#", "rope_theta": 0"#).contains("`rope_theta` is 0"));
}

/// A rank is bounded by the hidden size, 32 here, before any array is made.
#[test]
fn an_adapter_is_checked_against_the_model() {
    use crate::lora::{AdapterError, LoraConfig, LoraLayout, Target};
    let model = config("llama", "").unwrap();
    let adapter = |rank: usize, alpha: f64| LoraConfig {
        rank,
        alpha,
        dropout: 0.0,
        targets: vec![Target::Query],
        layers: None,
        rank_stabilized: false,
        layout: LoraLayout::PerHead,
    };
    assert!(adapter(32, 8.0).check(&model).is_ok());
    for rank in [33, 100_000, usize::MAX] {
        assert!(matches!(adapter(rank, 8.0).check(&model), Err(AdapterError::RankTooLarge { most: 32, .. })));
    }
    for (rank, alpha) in [(0, 8.0), (4, 0.0), (4, f64::NAN), (4, 1e308), (4, 1e-60)] {
        assert!(matches!(adapter(rank, alpha).check(&model), Err(AdapterError::OutOfRange { .. })), "{rank} {alpha}");
    }
    assert!(adapter(33, 8.0).check_values(7).is_ok(), "the mean of members may have a higher rank");
}

#[test]
fn impossible_sizes_are_refused() {
    for (json, message) in [
        ("[]", "is not a valid JSON object"),
        ("{", "is not a valid JSON object"),
        ("{}", "the field `model_type` is missing"),
        (r#"{"model_type": 3}"#, "`model_type` is 3, expected a text"),
        (r#"{"model_type": "llama", "hidden_size": 0}"#, "`hidden_size` is 0, possible is 1 to 16777216"),
        (
            r#"{"model_type": "llama", "num_hidden_layers": 4000000000}"#,
            "`num_hidden_layers` is 4000000000, possible is 1 to 4096",
        ),
        (r#"{"model_type": "llama", "vocab_size": -1}"#, "`vocab_size` is -1, expected a whole number"),
        (r#"{"model_type": "llama", "num_key_value_heads": 5}"#, "32 attention heads cannot share 5 key-value heads"),
        (r#"{"model_type": "llama", "hidden_size": 100}"#, "`hidden_size` 100 is no multiple of 32 heads"),
        (r#"{"model_type": "llama", "head_dim": 7}"#, "a head dimension of 7 cannot be rotated"),
        (r#"{"model_type": "llama", "rms_norm_eps": 0}"#, "`rms_norm_eps` is 0, possible is any number above 0"),
        (r#"{"model_type": "gemma3_text", "sliding_window": 0}"#, "`sliding_window` is 0"),
        (r#"{"model_type": "gemma3_text", "sliding_window_pattern": 0}"#, "`sliding_window_pattern` is 0"),
    ] {
        let found = resolve(json).expect_err(json).to_string();
        assert!(found.contains(message), "{json}: {found}");
    }
    let long = format!(r#"{{"model_type": "{}"}}"#, "é".repeat(1000));
    assert!(resolve(&long).unwrap_err().to_string().len() < 500);
}

/// Values of transformers 5.23's `LlamaRotaryEmbedding(config).inv_freq` for a head dimension of 64.
#[test]
fn inverse_frequencies_are_those_of_transformers() {
    let cases = [
        (100_000.0, RopeScaling::None, [1.0, 0.080_584_21, 0.009_305_72, 0.003_162_278, 0.001_539_926_5, 1.433_012_6e-5]),
        (
            1_000_000.0,
            RopeScaling::Linear { factor: 8.0 },
            [0.125, 0.006_087_094, 0.000_456_467_68, 0.000_125, 5.271_206e-5, 1.924_908_2e-7],
        ),
        (
            500_000.0,
            RopeScaling::Llama3 {
                factor: 32.0,
                low_frequency_factor: 1.0,
                high_frequency_factor: 4.0,
                original_max_positions: 8192,
            },
            [1.0, 0.056_669_62, 0.004_839_421_2, 0.000_429_556_7, 1.946_163_9e-5, 9.418_306_5e-8],
        ),
    ];
    for (base, scaling, expected) in cases {
        let frequencies = RopeConfig { base, scaling: scaling.clone() }.inverse_frequencies(64);
        assert_eq!(frequencies.len(), 32);
        for (pair, expected) in [0, 7, 13, 16, 18, 31].into_iter().zip(expected) {
            let found: f32 = frequencies[pair];
            assert!((found - expected).abs() <= 1e-6 * expected, "{scaling:?}, pair {pair}: {found}, expected {expected}");
        }
    }
    let written_out = RopeConfig { base: 10_000.0, scaling: RopeScaling::PerFrequency { factors: vec![1.0, 4.0] } };
    let plain = RopeConfig { base: 10_000.0, scaling: RopeScaling::None }.inverse_frequencies(4);
    assert_eq!(written_out.inverse_frequencies(4), [plain[0], plain[1] / 4.0]);
}

#[test]
fn tensors_follow_the_options() {
    let shape = |config: &BackboneConfig, name: &str| {
        let tensors = config.tensors();
        tensors.into_iter().find(|(found, _)| found == name).map(|(_, shape)| shape)
    };
    let qwen = config("qwen2", r#", "head_dim": 16"#).unwrap();
    assert_eq!(qwen.tensors().len(), 3 + 7 * 12);
    assert_eq!(shape(&qwen, "model.layers.6.self_attn.q_proj.weight"), Some(vec![64, 32]));
    assert_eq!(shape(&qwen, "model.layers.6.self_attn.v_proj.bias"), Some(vec![32]));
    assert_eq!(shape(&qwen, "model.layers.6.self_attn.o_proj.weight"), Some(vec![32, 64]));
    assert_eq!(shape(&qwen, "lm_head.weight"), Some(vec![50, 32]));
    let gemma = config("gemma3_text", "").unwrap();
    assert_eq!(gemma.tensors().len(), 2 + 7 * 13);
    assert_eq!(shape(&gemma, "model.layers.0.self_attn.k_norm.weight"), Some(vec![256]));
    assert_eq!(shape(&gemma, "model.layers.0.pre_feedforward_layernorm.weight"), Some(vec![32]));
    assert_eq!(shape(&gemma, "lm_head.weight"), None);
}
