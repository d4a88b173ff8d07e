//! What a decoder looks like, as data: one [`BackboneConfig`] for every family, resolved per layer.
//!
//! Families (gemma, llama, mistral, granite and the others of `family.rs`) are named in this module only.

mod bert;
mod error;
mod family;
mod from_gguf;
#[cfg(test)]
mod gguf_tests;
mod hugging_face;
mod rope;
#[cfg(test)]
mod tests;

use std::path::Path;

pub use bert::EncoderConfig;
pub(crate) use bert::Pooling;
pub use error::ConfigError;
pub(crate) use family::Family;
pub(crate) use from_gguf::{GgufModel, from_gguf};
pub(crate) use hugging_face::{HuggingFaceModel, from_hugging_face};
pub use lincah_kernels::Activation;
pub(crate) use rope::{RopeConfig, RopeScaling};

/// Every size and option of a decoder-only transformer, with each family's conventions resolved.
///
/// The fields are crate-private and nothing but `Debug` and `Clone` is derived, so that an option nobody reads is a compiler warning.
#[derive(Debug, Clone)]
pub struct BackboneConfig {
    /// What others call it by; nothing is computed by it.
    pub(crate) family: Family,
    pub(crate) vocabulary_size: usize,
    pub(crate) hidden_size: usize,
    pub(crate) intermediate_size: usize,
    pub(crate) head_count: usize,
    pub(crate) key_value_head_count: usize,
    pub(crate) head_dimension: usize,
    /// Longest sequence the model was made for.
    pub(crate) max_positions: usize,
    /// Added to the mean square. Granite's residual stream is kept divided by its multiplier m, see `residual_multiplier`: its epsilon is
    /// `epsilon / m²` here.
    pub(crate) norm_epsilon: f32,
    /// Added to every norm weight as stored: 1 in Hugging Face checkpoints of the Gemma families (`1 + w`), 0 elsewhere.
    /// GGUF files hold the sum, so it is 0 for them: subtracting 1 only to add it again would round.
    pub(crate) norm_offset: f32,
    /// Multiplies the token embeddings: `sqrt(hidden_size)` in the Gemma families, `embedding_multiplier / m` in Granite, 1 elsewhere.
    pub(crate) embedding_scale: f32,
    /// Granite multiplies what each half of a block adds to the residual stream x by m. As a norm of `x / m` with `epsilon / m²` is the
    /// norm of x with epsilon, the stream is kept as `x / m` and nothing is multiplied; whoever shows it multiplies by m. 1 elsewhere.
    pub(crate) residual_multiplier: f32,
    /// Biases on the query, key and value projections (Qwen2; Llama and its kin on wish).
    pub(crate) query_key_value_bias: bool,
    /// A bias on the output projection of attention (Llama and its kin on wish).
    pub(crate) output_bias: bool,
    /// Biases on the projections of the MLP (Llama and its kin on wish).
    pub(crate) mlp_bias: bool,
    pub(crate) query_key_norm: QueryKeyNorm,
    /// Norms before attention and before the MLP (all but OLMo 2).
    pub(crate) pre_norms: bool,
    /// Norms after attention and after the MLP, before each is added to the residual (Gemma 2 and 3, OLMo 2).
    pub(crate) post_norms: bool,
    /// Query, key and value, and gate and up, are each one matrix in the file (Phi 3).
    pub(crate) fused_projections: bool,
    /// Multiplies the attention scores: `query_pre_attn_scalar ^ -0.5`, Granite's `attention_multiplier`, or `head_dimension ^ -0.5`.
    pub(crate) attention_scale: f32,
    /// `cap * tanh(score / cap)` on the attention scores (Gemma 2).
    pub(crate) attention_soft_cap: Option<f32>,
    /// `cap * tanh(logit / cap)` on the logits (Gemma 2).
    pub(crate) final_soft_cap: Option<f32>,
    /// Multiplies the logits: `1 / logits_scaling` in Granite, 1 elsewhere.
    pub(crate) logit_scale: f32,
    pub(crate) activation: Activation,
    /// Whether the output head is the embedding matrix.
    pub(crate) tied_head: bool,
    /// One entry a layer.
    pub(crate) layers: Vec<LayerConfig>,
}

/// The RMS norm of the queries and keys, before RoPE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QueryKeyNorm {
    None,
    /// Over each head (Gemma 3, Qwen3).
    PerHead,
    /// Over all heads (OLMo 2).
    AllHeads,
}

/// What differs from layer to layer.
#[derive(Debug, Clone)]
pub(crate) struct LayerConfig {
    /// `None`: every earlier position is seen; `Some(w)`: the last `w` positions, the token's own included.
    pub(crate) window: Option<usize>,
    /// `None`: no position encoding in this layer.
    pub(crate) rope: Option<RopeConfig>,
}

const MAX_LAYERS: usize = 1 << 12;
const MAX_HEADS: usize = 1 << 12;
const MAX_HEAD_DIMENSION: usize = 1 << 14;
const MAX_SIZE: usize = 1 << 24;

impl BackboneConfig {
    /// The number of tokens the model knows.
    pub fn vocabulary_size(&self) -> usize {
        self.vocabulary_size
    }

    /// The length of a token's hidden state.
    pub fn hidden_size(&self) -> usize {
        self.hidden_size
    }

    /// The number of transformer blocks.
    pub fn layer_count(&self) -> usize {
        self.layers.len()
    }

    /// The longest sequence the model was made for.
    pub fn max_positions(&self) -> usize {
        self.max_positions
    }

    /// The tensor whose rows give the logits.
    pub(crate) fn head_name(&self) -> &'static str {
        if self.tied_head { "model.embed_tokens.weight" } else { "lm_head.weight" }
    }

    /// Bytes of one token's keys and values in all layers.
    pub(crate) fn cache_bytes(&self) -> usize {
        2 * self.layers.len() * self.key_value_head_count * self.head_dimension * size_of::<f32>()
    }

    /// Every tensor such a model has, by its Hugging Face name, with its shape.
    pub(crate) fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let hidden = self.hidden_size;
        let mut tensors = vec![
            ("model.embed_tokens.weight".to_owned(), vec![self.vocabulary_size, hidden]),
            ("model.norm.weight".to_owned(), vec![hidden]),
        ];
        if !self.tied_head {
            tensors.push(("lm_head.weight".to_owned(), vec![self.vocabulary_size, hidden]));
        }
        for index in 0..self.layers.len() {
            self.layer_tensors(index, &mut tensors);
        }
        tensors
    }

    fn layer_tensors(&self, index: usize, tensors: &mut Vec<(String, Vec<usize>)>) {
        let (hidden, intermediate) = (self.hidden_size, self.intermediate_size);
        let query = self.head_count * self.head_dimension;
        let key_value = self.key_value_head_count * self.head_dimension;
        let mut add = |name: &str, shape: &[usize]| tensors.push((format!("model.layers.{index}.{name}"), shape.to_vec()));
        for (name, rows) in [("q", query), ("k", key_value), ("v", key_value)] {
            add(&format!("self_attn.{name}_proj.weight"), &[rows, hidden]);
            if self.query_key_value_bias {
                add(&format!("self_attn.{name}_proj.bias"), &[rows]);
            }
        }
        add("self_attn.o_proj.weight", &[hidden, query]);
        if self.output_bias {
            add("self_attn.o_proj.bias", &[hidden]);
        }
        if let [Some(query), Some(key)] = self.query_key_norm_widths() {
            add("self_attn.q_norm.weight", &[query]);
            add("self_attn.k_norm.weight", &[key]);
        }
        for (name, rows, columns) in
            [("gate", intermediate, hidden), ("up", intermediate, hidden), ("down", hidden, intermediate)]
        {
            add(&format!("mlp.{name}_proj.weight"), &[rows, columns]);
            if self.mlp_bias {
                add(&format!("mlp.{name}_proj.bias"), &[rows]);
            }
        }
        for name in self.norm_names().into_iter().flatten() {
            add(name, &[hidden]);
        }
    }

    /// How many numbers the norms of the queries and the keys normalize together.
    pub(crate) fn query_key_norm_widths(&self) -> [Option<usize>; 2] {
        [self.head_count, self.key_value_head_count].map(|heads| match self.query_key_norm {
            QueryKeyNorm::None => None,
            QueryKeyNorm::PerHead => Some(self.head_dimension),
            QueryKeyNorm::AllHeads => Some(heads * self.head_dimension),
        })
    }

    /// A block's norms: before and after attention, before and after the MLP. Without norms after attention, Hugging Face calls the one
    /// before the MLP by its place there.
    pub(crate) fn norm_names(&self) -> [Option<&'static str>; 4] {
        let before_mlp = if self.post_norms { "pre_feedforward_layernorm.weight" } else { "post_attention_layernorm.weight" };
        [
            self.pre_norms.then_some("input_layernorm.weight"),
            self.post_norms.then_some("post_attention_layernorm.weight"),
            self.pre_norms.then_some(before_mlp),
            self.post_norms.then_some("post_feedforward_layernorm.weight"),
        ]
    }

    /// The position encodings that differ from the layer before.
    fn ropes(&self) -> impl Iterator<Item = &RopeConfig> {
        let ropes = self.layers.iter().map(|layer| layer.rope.as_ref());
        let before = std::iter::once(None).chain(ropes.clone());
        ropes.zip(before).filter(|(rope, before)| rope != before).filter_map(|(rope, _)| rope)
    }

    /// Checks what must hold between the fields, whatever file they came from.
    fn checked(self, path: &Path) -> Result<Self, ConfigError> {
        let problem = if !self.head_count.is_multiple_of(self.key_value_head_count) {
            format!("{} attention heads cannot share {} key-value heads evenly", self.head_count, self.key_value_head_count)
        } else if !self.head_dimension.is_multiple_of(2) {
            format!("a head dimension of {} cannot be rotated in pairs", self.head_dimension)
        } else if let Some(base) = self.ropes().map(|rope| rope.base).find(|base| *base < 1.0) {
            format!("a RoPE base of {base:e} is below 1")
        } else if self.ropes().any(|rope| !rope.is_finite(self.head_dimension, self.max_positions)) {
            format!("with the RoPE base or scaling that is given, an angle within {} positions is not finite", self.max_positions)
        } else if ![self.embedding_scale, self.norm_epsilon, self.logit_scale].iter().all(|number| number.is_finite()) {
            "a multiplier is too small or too large for single precision".into()
        } else if !self.attention_scale.is_finite() {
            format!("{} attention heads are more than a hidden size of {}", self.head_count, self.hidden_size)
        } else {
            return Ok(self);
        };
        Err(ConfigError::Inconsistent { path: path.to_owned(), problem })
    }
}
