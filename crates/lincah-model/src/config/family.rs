//! The families, and what their names stand for.

/// A family of models that share one computation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Gemma,
    Gemma2,
    Gemma3,
    Llama,
    Qwen2,
    Qwen3,
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
}

impl Family {
    pub(super) const MODEL_TYPES: &str = "gemma, gemma2, gemma3_text, gemma3, llama, qwen2, qwen3";
    pub(super) const ARCHITECTURES: &str = "gemma, gemma2, gemma3, llama, qwen2, qwen3";

    /// By `model_type` in a text model's config.json.
    pub(super) fn from_model_type(model_type: &str) -> Option<Self> {
        if model_type == "gemma3_text" { Some(Self::Gemma3) } else { Self::from_architecture(model_type) }
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

    /// Scaled embeddings, norms of `1 + w`, a tanh GELU, a tied head.
    pub(super) fn is_gemma(self) -> bool {
        matches!(self, Self::Gemma | Self::Gemma2 | Self::Gemma3)
    }

    pub(super) fn query_key_value_bias(self) -> bool {
        self == Self::Qwen2
    }

    pub(super) fn query_key_norm(self) -> bool {
        matches!(self, Self::Gemma3 | Self::Qwen3)
    }

    pub(super) fn post_norms(self) -> bool {
        matches!(self, Self::Gemma2 | Self::Gemma3)
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
            Self::Llama => sizes(32_000, 4096, 11008, 32, 32, 2048),
            Self::Qwen2 => DefaultSizes { key_value_head_count: Some(32), ..sizes(151_936, 4096, 22016, 32, 32, 32768) },
            Self::Qwen3 => DefaultSizes {
                key_value_head_count: Some(32),
                head_dimension: Some(128),
                ..sizes(151_936, 4096, 22016, 32, 32, 32768)
            },
        }
    }
}
