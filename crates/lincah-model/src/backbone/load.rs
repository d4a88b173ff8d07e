//! Building the backbone from its weights.

use super::{Backbone, EMBEDDING};
use crate::attention::{Attention, ProjectionNorm};
use crate::block::Block;
use crate::config::{BackboneConfig, RopeConfig};
use crate::error::ModelError;
use crate::linear::Linear;
use crate::mlp::Mlp;
use crate::weights::{ModelFiles, Weights};
use lincah_kernels::{AttentionShape, Kernels};
use std::sync::{Arc, Mutex, Weak};

/// Reads arrays onto a device.
struct Loader<'a, K: Kernels> {
    kernels: &'a K,
    config: &'a BackboneConfig,
    weights: &'a Weights,
    int8: bool,
}

impl<K: Kernels> Loader<'_, K> {
    fn vector(&self, name: &str, length: usize) -> Result<K::Buffer, ModelError> {
        Ok(self.kernels.upload(&self.weights.read(name, &[length])?))
    }

    /// A norm's weight, with the family's offset added.
    fn norm(&self, name: &str, length: usize) -> Result<K::Buffer, ModelError> {
        Ok(self.kernels.upload(&self.weights.read_norm(name, length, self.config.norm_offset)?))
    }

    fn projection_norm(&self, name: &str, width: Option<usize>) -> Result<Option<ProjectionNorm<K>>, ModelError> {
        width.map(|width| Ok(ProjectionNorm { weight: self.norm(name, width)?, width })).transpose()
    }

    fn embedding(&self) -> Result<K::Buffer, ModelError> {
        let shape = [self.config.vocabulary_size, self.config.hidden_size];
        Ok(self.kernels.embedding(&self.weights.read(EMBEDDING, &shape)?))
    }

    fn linear(&self, module: &str, outputs: usize, inputs: usize, bias: bool) -> Result<Linear<K>, ModelError> {
        let values = self.weight(module, outputs, inputs)?;
        let bias = if bias { Some(self.vector(&format!("{module}.bias"), outputs)?) } else { None };
        let weight = match self.int8 {
            true => self.kernels.int8_matrix(values, outputs, inputs).ok_or(ModelError::NoInt8)?,
            false => self.kernels.matrix(values, outputs, inputs),
        };
        Ok(Linear { inputs, outputs, weight, bias })
    }

    fn weight(&self, module: &str, outputs: usize, inputs: usize) -> Result<Vec<f32>, ModelError> {
        Ok(self.weights.read(&format!("{module}.weight"), &[outputs, inputs])?)
    }

    /// Two layers that read the same rows.
    fn linear_pair(&self, modules: [&str; 2], outputs: usize, inputs: usize, bias: bool) -> Result<[Linear<K>; 2], ModelError> {
        let [first, second] = modules;
        if self.int8 || bias {
            return Ok([self.linear(first, outputs, inputs, bias)?, self.linear(second, outputs, inputs, bias)?]);
        }
        let values = [self.weight(first, outputs, inputs)?, self.weight(second, outputs, inputs)?];
        let weights = self.kernels.matrix_pair(values, outputs, inputs);
        Ok(weights.map(|weight| Linear { inputs, outputs, weight, bias: None }))
    }

    fn attention(&self, layer: usize, ropes: &[RopeConfig]) -> Result<Attention<K>, ModelError> {
        let config = self.config;
        let (hidden, width) = (config.hidden_size, config.head_dimension);
        let (queries, keys) = (config.head_count * width, config.key_value_head_count * width);
        let module = |name: &str| format!("model.layers.{layer}.self_attn.{name}");
        let options = &config.layers[layer];
        let [query_norm_width, key_norm_width] = config.query_key_norm_widths();
        Ok(Attention {
            layer,
            shape: AttentionShape {
                heads: config.head_count,
                key_value_heads: config.key_value_head_count,
                head_dimension: width,
                scale: config.attention_scale,
                soft_cap: config.attention_soft_cap,
                window: options.window,
                causal: true,
            },
            norm_epsilon: config.norm_epsilon,
            rope: options.rope.as_ref().and_then(|rope| ropes.iter().position(|known| known == rope)),
            query: self.linear(&module("q_proj"), queries, hidden, config.query_key_value_bias)?,
            key: self.linear(&module("k_proj"), keys, hidden, config.query_key_value_bias)?,
            value: self.linear(&module("v_proj"), keys, hidden, config.query_key_value_bias)?,
            output: self.linear(&module("o_proj"), hidden, queries, config.output_bias)?,
            query_norm: self.projection_norm(&module("q_norm.weight"), query_norm_width)?,
            key_norm: self.projection_norm(&module("k_norm.weight"), key_norm_width)?,
        })
    }

    fn block(&self, layer: usize, ropes: &[RopeConfig]) -> Result<Block<K>, ModelError> {
        let config = self.config;
        let (hidden, intermediate) = (config.hidden_size, config.intermediate_size);
        let name = |name: &str| format!("model.layers.{layer}.{name}");
        let [gate, up] =
            self.linear_pair([&name("mlp.gate_proj"), &name("mlp.up_proj")], intermediate, hidden, config.mlp_bias)?;
        let norm = |norm: Option<&str>| norm.map(|norm| self.norm(&name(norm), hidden)).transpose();
        let [attention_norm, attention_post_norm, mlp_norm, mlp_post_norm] = config.norm_names();
        Ok(Block {
            hidden_size: hidden,
            norm_epsilon: config.norm_epsilon,
            attention_norm: norm(attention_norm)?,
            attention: self.attention(layer, ropes)?,
            attention_post_norm: norm(attention_post_norm)?,
            mlp_norm: norm(mlp_norm)?,
            mlp: Mlp {
                layer,
                activation: config.activation,
                gate,
                up,
                down: self.linear(&name("mlp.down_proj"), hidden, intermediate, config.mlp_bias)?,
            },
            mlp_post_norm: norm(mlp_post_norm)?,
        })
    }
}

impl<K: Kernels> Backbone<K> {
    /// Reads every weight onto the device, but on the processor the embedding, whose rows are read as texts ask for them.
    ///
    /// # Errors
    /// A tensor that cannot be read or holds a number that is not finite.
    pub fn load(kernels: K, files: Arc<ModelFiles>) -> Result<Self, ModelError> {
        Self::load_as(kernels, files, false)
    }

    /// The same with the layers' weights in 8 bits: to score with, not to train.
    ///
    /// # Errors
    /// As [`Backbone::load`]; a device without such products.
    pub fn load_int8(kernels: K, files: Arc<ModelFiles>) -> Result<Self, ModelError> {
        Self::load_as(kernels, files, true)
    }

    fn load_as(kernels: K, files: Arc<ModelFiles>, int8: bool) -> Result<Self, ModelError> {
        let config = files.config();
        if let Some(free) = kernels.free_memory() {
            let numbers: usize = config.tensors().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
            let needed = numbers * kernels.product_bytes();
            if needed > free {
                return Err(ModelError::ModelTooLarge { needed, free });
            }
        }
        let mut ropes: Vec<RopeConfig> = Vec::new();
        for rope in config.layers.iter().filter_map(|layer| layer.rope.as_ref()) {
            if !ropes.contains(rope) {
                ropes.push(rope.clone());
            }
        }
        let loader = Loader { kernels: &kernels, config, weights: files.weights(), int8 };
        let blocks = (0..config.layers.len()).map(|layer| loader.block(layer, &ropes)).collect::<Result<_, _>>()?;
        let final_norm = loader.norm("model.norm.weight", config.hidden_size)?;
        let embedding = if kernels.keeps_embedding() { Some(loader.embedding()?) } else { None };
        // Others read the arrays from streams of their own.
        kernels.synchronize();
        Ok(Self {
            kernels,
            files,
            ropes,
            blocks,
            final_norm,
            head: Mutex::new(Weak::new()),
            embedding,
            frozen_states: Mutex::new(Weak::new()),
            recompute: false,
            int8,
            turn: Mutex::new(()),
        })
    }
}
