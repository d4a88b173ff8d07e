//! The families, and what their names stand for.

use super::QueryKeyNorm;

/// A family of models that share one computation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Gemma,
    Gemma2,
    Gemma3,
    Granite,
    Llama,
    Mistral,
    Olmo2,
    Phi3,
    Qwen2,
    Qwen3,
    SmolLm3,
}

/// Sizes that transformers assumes where config.json does not say them (transformers 5, `configuration_*.py`).
pub(super) struct DefaultSizes {
    pub(super) vocabulary_size: usize,
    pub(super) hidden_size: usize,
    pub(super) intermediate_size: usize,
    pub(super) layer_count: usize,
    pub(super) head_count: usize,
    /// `None`: as many as attention heads.
    pub(super) key_value_head_count: Option<usize>,
    /// `None`: the hidden size over the number of heads.
    pub(super) head_dimension: Option<usize>,
    pub(super) max_positions: usize,
    pub(super) norm_epsilon: f64,
    pub(super) rope_base: f64,
}

impl Family {
    pub(super) const MODEL_TYPES: &str =
        "gemma, gemma2, gemma3_text, gemma3, granite, llama, mistral, olmo2, phi3, qwen2, qwen3, smollm3";
    pub(super) const ARCHITECTURES: &str = "gemma, gemma2, gemma3, llama, qwen2, qwen3";

    /// By `model_type` in a text model's config.json.
    pub(super) fn from_model_type(model_type: &str) -> Option<Self> {
        Some(match model_type {
            "gemma3_text" => Self::Gemma3,
            "granite" => Self::Granite,
            "mistral" => Self::Mistral,
            "olmo2" => Self::Olmo2,
            "phi3" => Self::Phi3,
            "smollm3" => Self::SmolLm3,
            _ => return Self::from_architecture(model_type),
        })
    }

    /// By `general.architecture` in a GGUF file.
    pub(super) fn from_architecture(architecture: &str) -> Option<Self> {
        Some(match architecture {
            "gemma" => Self::Gemma,
            "gemma2" => Self::Gemma2,
            "gemma3" => Self::Gemma3,
            "llama" => Self::Llama,
            "qwen2" => Self::Qwen2,
            "qwen3" => Self::Qwen3,
            _ => return None,
        })
    }

    /// By which a config.json of its text model calls it.
    pub(crate) fn model_type(self) -> &'static str {
        match self {
            Self::Gemma => "gemma",
            Self::Gemma2 => "gemma2",
            Self::Gemma3 => "gemma3_text",
            Self::Granite => "granite",
            Self::Llama => "llama",
            Self::Mistral => "mistral",
            Self::Olmo2 => "olmo2",
            Self::Phi3 => "phi3",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::SmolLm3 => "smollm3",
        }
    }

    /// By which GGUF files call it, where lincah knows how they are laid out.
    pub(crate) fn gguf_architecture(self) -> Option<&'static str> {
        match self {
            Self::Gemma => Some("gemma"),
            Self::Gemma2 => Some("gemma2"),
            Self::Gemma3 => Some("gemma3"),
            Self::Llama | Self::Mistral => Some("llama"),
            Self::Qwen2 => Some("qwen2"),
            Self::Qwen3 => Some("qwen3"),
            Self::Granite | Self::Olmo2 | Self::Phi3 | Self::SmolLm3 => None,
        }
    }

    /// Whether GGUF files have the two halves of every query and key head interleaved.
    pub(crate) fn is_interleaved_in_gguf(self) -> bool {
        self.gguf_architecture() == Some("llama")
    }

    /// The class of transformers that generates text.
    pub(crate) fn causal_language_model(self) -> &'static str {
        match self {
            Self::Gemma => "GemmaForCausalLM",
            Self::Gemma2 => "Gemma2ForCausalLM",
            Self::Gemma3 => "Gemma3ForCausalLM",
            Self::Granite => "GraniteForCausalLM",
            Self::Llama => "LlamaForCausalLM",
            Self::Mistral => "MistralForCausalLM",
            Self::Olmo2 => "Olmo2ForCausalLM",
            Self::Phi3 => "Phi3ForCausalLM",
            Self::Qwen2 => "Qwen2ForCausalLM",
            Self::Qwen3 => "Qwen3ForCausalLM",
            Self::SmolLm3 => "SmolLM3ForCausalLM",
        }
    }

    /// The class of transformers that scores labels, or why none gives the same scores.
    pub(crate) fn sequence_classifier(self, soft_capped: bool) -> Result<String, &'static str> {
        match self {
            _ if soft_capped => Err(
                "transformers' sequence classifiers have no soft cap on the logits, so the scores would be others; export it merged",
            ),
            Self::Granite => Err("transformers has no sequence classifier of this family; export it merged"),
            Self::Gemma3 => Ok(String::from("Gemma3TextForSequenceClassification")),
            _ => Ok(self.causal_language_model().replace("ForCausalLM", "ForSequenceClassification")),
        }
    }

    /// Scaled embeddings, norms of `1 + w`, a tanh GELU, a tied head.
    pub(crate) fn is_gemma(self) -> bool {
        matches!(self, Self::Gemma | Self::Gemma2 | Self::Gemma3)
    }

    /// Whether `attention_bias` puts biases on all four projections of attention.
    pub(super) fn reads_attention_bias(self) -> bool {
        matches!(self, Self::Granite | Self::Llama | Self::Olmo2 | Self::SmolLm3)
    }

    pub(super) fn reads_mlp_bias(self) -> bool {
        matches!(self, Self::Granite | Self::Llama | Self::SmolLm3)
    }

    /// Whether `layer_types` may name layers with a window.
    pub(super) fn has_layer_types(self) -> bool {
        matches!(self, Self::Gemma2 | Self::Gemma3 | Self::Qwen2 | Self::Qwen3 | Self::SmolLm3)
    }

    pub(super) fn query_key_norm(self) -> QueryKeyNorm {
        match self {
            Self::Gemma3 | Self::Qwen3 => QueryKeyNorm::PerHead,
            Self::Olmo2 => QueryKeyNorm::AllHeads,
            _ => QueryKeyNorm::None,
        }
    }

    pub(super) fn pre_norms(self) -> bool {
        self != Self::Olmo2
    }

    pub(super) fn post_norms(self) -> bool {
        matches!(self, Self::Gemma2 | Self::Gemma3 | Self::Olmo2)
    }

    pub(super) fn embedding_scale(self, hidden_size: usize) -> f32 {
        if self.is_gemma() { (hidden_size as f64).sqrt() as f32 } else { 1.0 }
    }

    pub(super) fn default_sizes(self) -> DefaultSizes {
        let sizes = |vocabulary_size, hidden_size, intermediate_size, layer_count, head_count, max_positions| DefaultSizes {
            vocabulary_size,
            hidden_size,
            intermediate_size,
            layer_count,
            head_count,
            key_value_head_count: None,
            head_dimension: None,
            max_positions,
            norm_epsilon: 1e-6,
            rope_base: if self == Self::Gemma3 { 1e6 } else { 1e4 },
        };
        match self {
            Self::Gemma => DefaultSizes {
                key_value_head_count: Some(16),
                head_dimension: Some(256),
                ..sizes(256_000, 3072, 24576, 28, 16, 8192)
            },
            Self::Gemma2 => DefaultSizes {
                key_value_head_count: Some(4),
                head_dimension: Some(256),
                ..sizes(256_000, 2304, 9216, 26, 8, 8192)
            },
            Self::Gemma3 => DefaultSizes {
                key_value_head_count: Some(4),
                head_dimension: Some(256),
                ..sizes(262_208, 2304, 9216, 26, 8, 131_072)
            },
            Self::Granite | Self::Llama => sizes(32_000, 4096, 11008, 32, 32, 2048),
            Self::Mistral => DefaultSizes { key_value_head_count: Some(8), ..sizes(32_000, 4096, 14336, 32, 32, 131_072) },
            Self::Olmo2 => DefaultSizes { norm_epsilon: 1e-5, ..sizes(50_304, 4096, 11008, 32, 32, 2048) },
            Self::Phi3 => DefaultSizes { norm_epsilon: 1e-5, ..sizes(32_064, 3072, 8192, 32, 32, 4096) },
            Self::Qwen2 => DefaultSizes { key_value_head_count: Some(32), ..sizes(151_936, 4096, 22016, 32, 32, 32768) },
            Self::Qwen3 => DefaultSizes {
                key_value_head_count: Some(32),
                head_dimension: Some(128),
                ..sizes(151_936, 4096, 22016, 32, 32, 32768)
            },
            Self::SmolLm3 => {
                DefaultSizes { key_value_head_count: Some(4), rope_base: 2e6, ..sizes(128_256, 2048, 11008, 36, 16, 32768) }
            }
        }
    }
}
