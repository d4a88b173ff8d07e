//! A frozen BERT encoder: token batch in, one embedding per text out.
//!
//! Each layer norms behind its halves (Vaswani et al. 2017): `x = LN(x + attention(x))`, `x = LN(x + W₂ gelu(W₁ x))`. Every token sees its whole
//! text, so no two texts share a computation, whatever they begin with.
//!
//! Source: Devlin et al. 2019, arXiv 1810.04805; pooling as Reimers and Gurevych 2019, arXiv 1908.10084.

use crate::batch::{ROWS_PER_BATCH, TokenBatch, batches_by_length};
use crate::compute::{ComputeOptions, Device, Precision};
use crate::config::{EncoderConfig, Pooling};
use crate::error::ModelError;
use crate::language_model::{OnDevice, on_device};
use crate::linear::Linear;
use crate::pooled_states::mean_row;
use crate::weights::{EncoderFiles, Weights};
use lincah_kernels::{AttentionShape, Kernels, NormShape};
use std::sync::{Arc, Mutex, PoisonError};

/// A frozen encoder on some device.
pub trait SentenceEncoder: Send + Sync {
    /// Its sizes.
    fn config(&self) -> &EncoderConfig;
    /// Where it computes; never [`Device::Auto`].
    fn device(&self) -> Device;
    /// How its products are kept.
    fn precision(&self) -> Precision;
    /// The embedding of each text of tokens, its frame included. What a text gets does not depend on the others on the processor.
    /// # Shapes: result `[S, D]`.
    ///
    /// # Errors
    /// Tokens outside the vocabulary, texts longer than the model's positions, embeddings that are not finite.
    fn embed(&self, texts: &[&[u32]]) -> Result<Vec<f32>, ModelError>;
}

/// Reads an encoder onto a device. It computes in the device's default precision, but never in 8 bits.
///
/// # Errors
/// As [`load`](crate::load).
pub fn load_encoder(files: Arc<EncoderFiles>, compute: ComputeOptions) -> Result<Arc<dyn SentenceEncoder>, ModelError> {
    struct Load(Arc<EncoderFiles>);
    impl OnDevice for Load {
        type Loaded = Arc<dyn SentenceEncoder>;

        fn load<K: Kernels>(self, kernels: K) -> Result<Self::Loaded, ModelError> {
            Ok(Arc::new(Encoder::load(kernels, self.0)?))
        }
    }
    let precision = compute.precision.filter(|precision| *precision != Precision::Int8);
    on_device(ComputeOptions { precision, ..compute }, Load(files))
}

struct Norm<K: Kernels> {
    weight: K::Buffer,
    bias: K::Buffer,
}

struct Layer<K: Kernels> {
    query: Linear<K>,
    key: Linear<K>,
    value: Linear<K>,
    attended: Linear<K>,
    attention_norm: Norm<K>,
    inner: Linear<K>,
    outer: Linear<K>,
    norm: Norm<K>,
}

struct Encoder<K: Kernels> {
    kernels: K,
    files: Arc<EncoderFiles>,
    /// A position's embedding and that of the first token type, `[positions, D]`: added once, when the model is read.
    positions: Vec<f32>,
    norm: Norm<K>,
    layers: Vec<Layer<K>>,
    /// Held by whoever computes on a GPU: its work is one stream's.
    turn: Mutex<()>,
}

struct Loader<'a, K: Kernels> {
    kernels: &'a K,
    weights: &'a Weights,
}

impl<K: Kernels> Loader<'_, K> {
    fn vector(&self, name: &str, length: usize) -> Result<K::Buffer, ModelError> {
        Ok(self.kernels.upload(&self.weights.read(name, &[length])?))
    }

    fn norm(&self, module: &str, width: usize) -> Result<Norm<K>, ModelError> {
        let of = |part: &str| self.vector(&format!("{module}.{part}"), width);
        Ok(Norm { weight: of("weight")?, bias: of("bias")? })
    }

    fn linear(&self, module: &str, outputs: usize, inputs: usize) -> Result<Linear<K>, ModelError> {
        let values = self.weights.read(&format!("{module}.weight"), &[outputs, inputs])?;
        let bias = Some(self.vector(&format!("{module}.bias"), outputs)?);
        Ok(Linear { inputs, outputs, weight: self.kernels.matrix(values, outputs, inputs), bias })
    }
}

impl<K: Kernels> Encoder<K> {
    fn load(kernels: K, files: Arc<EncoderFiles>) -> Result<Self, ModelError> {
        let (config, weights) = (files.config(), files.weights());
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let mut positions = weights.read("embeddings.position_embeddings.weight", &[config.max_positions, hidden])?;
        let types = weights.read("embeddings.token_type_embeddings.weight", &[config.token_types, hidden])?;
        for row in positions.chunks_exact_mut(hidden) {
            row.iter_mut().zip(&types[..hidden]).for_each(|(position, of_type)| *position += of_type);
        }
        let loader = Loader { kernels: &kernels, weights };
        let layer = |layer: usize| {
            let name = |module: &str| format!("encoder.layer.{layer}.{module}");
            Ok(Layer {
                query: loader.linear(&name("attention.self.query"), hidden, hidden)?,
                key: loader.linear(&name("attention.self.key"), hidden, hidden)?,
                value: loader.linear(&name("attention.self.value"), hidden, hidden)?,
                attended: loader.linear(&name("attention.output.dense"), hidden, hidden)?,
                attention_norm: loader.norm(&name("attention.output.LayerNorm"), hidden)?,
                inner: loader.linear(&name("intermediate.dense"), inner, hidden)?,
                outer: loader.linear(&name("output.dense"), hidden, inner)?,
                norm: loader.norm(&name("output.LayerNorm"), hidden)?,
            })
        };
        let layers = (0..config.layer_count).map(layer).collect::<Result<_, ModelError>>()?;
        let norm = loader.norm("embeddings.LayerNorm", hidden)?;
        kernels.synchronize();
        Ok(Self { kernels, files: files.clone(), positions, norm, layers, turn: Mutex::new(()) })
    }

    fn config(&self) -> &EncoderConfig {
        self.files.config()
    }

    fn check(&self, texts: &[&[u32]]) -> Result<(), ModelError> {
        let EncoderConfig { vocabulary_size, max_positions: most, .. } = *self.config();
        if let Some(&token) = texts.iter().copied().flatten().find(|&&token| token as usize >= vocabulary_size) {
            return Err(ModelError::TokenOutOfVocabulary { token, vocabulary_size });
        }
        match texts.iter().map(|text| text.len()).find(|&length| length > most) {
            Some(length) => Err(ModelError::TextTooLong { length, most }),
            None => Ok(()),
        }
    }

    fn normed(&self, rows: usize, norm: &Norm<K>, x: &K::Buffer) -> K::Buffer {
        let (width, epsilon) = (self.config().hidden_size, self.config().norm_epsilon);
        let mut y = self.kernels.uninitialized(rows * width);
        self.kernels.layer_norm(NormShape { rows, width, epsilon }, x, (&norm.weight, &norm.bias), &mut y);
        y
    }

    fn linear(&self, rows: usize, linear: &Linear<K>, x: &K::Buffer) -> K::Buffer {
        linear.forward(&self.kernels, rows, x, None, None).0
    }

    /// States of the last layer, `[N, D]`.
    fn states(&self, batch: &TokenBatch) -> Result<Vec<f32>, ModelError> {
        let (kernels, config, rows) = (&self.kernels, self.config(), batch.rows());
        let (width, heads) = (config.hidden_size, config.head_count);
        let mut embedded = self.files.weights().read_rows("embeddings.word_embeddings.weight", &batch.tokens, width)?;
        for (row, position) in embedded.chunks_exact_mut(width).zip(batch.layout.positions()) {
            row.iter_mut().zip(&self.positions[position * width..]).for_each(|(value, position)| *value += position);
        }
        let head_dimension = width / heads;
        let scale = 1.0 / (head_dimension as f32).sqrt();
        let shape =
            AttentionShape { heads, key_value_heads: heads, head_dimension, scale, soft_cap: None, window: None, causal: false };
        let layout = kernels.layout(&batch.layout);
        let mut x = self.normed(rows, &self.norm, &kernels.upload(&embedded));
        for layer in &self.layers {
            let [query, key, value] = [&layer.query, &layer.key, &layer.value].map(|linear| self.linear(rows, linear, &x));
            let (mut output, mut log_sum) = (kernels.uninitialized(rows * width), kernels.uninitialized(rows * heads));
            kernels.attention(shape, &layout, (&query, &key, &value), &mut output, &mut log_sum);
            let mut attended = self.linear(rows, &layer.attended, &output);
            kernels.add(&x, &mut attended);
            x = self.normed(rows, &layer.attention_norm, &attended);
            let mut inner = self.linear(rows, &layer.inner, &x);
            kernels.gelu(&mut inner);
            let mut outer = self.linear(rows, &layer.outer, &inner);
            kernels.add(&x, &mut outer);
            x = self.normed(rows, &layer.norm, &outer);
        }
        Ok(kernels.download(&x))
    }

    /// One embedding out of a text's states, `[n, D]` to `[D]`.
    fn pooled(&self, states: &[f32]) -> Vec<f32> {
        let width = self.config().hidden_size;
        let mut pooled = match self.config().pooling {
            Pooling::First => states[..width].to_vec(),
            Pooling::Mean => mean_row(states.chunks_exact(width), width),
        };
        if self.config().normalized {
            // The least length is PyTorch's, of `normalize`.
            let length = pooled.iter().map(|value| value * value).sum::<f32>().sqrt().max(1e-12);
            pooled.iter_mut().for_each(|value| *value /= length);
        }
        pooled
    }

    fn embed_batch(&self, texts: &[&[u32]]) -> Result<Vec<Vec<f32>>, ModelError> {
        let batch = TokenBatch::without_prefix(texts);
        let states = {
            let _turn = self.kernels.gpu().map(|_| self.turn.lock().unwrap_or_else(PoisonError::into_inner));
            K::within(|| self.states(&batch))?
        };
        let width = self.config().hidden_size;
        let text = |text: usize| {
            let rows = batch.layout.own_rows(text);
            self.pooled(&states[rows.start * width..rows.end * width])
        };
        Ok((0..batch.texts()).map(text).collect())
    }
}

impl<K: Kernels> SentenceEncoder for Encoder<K> {
    fn config(&self) -> &EncoderConfig {
        Encoder::config(self)
    }

    fn device(&self) -> Device {
        self.kernels.gpu().map_or(Device::Cpu, Device::Cuda)
    }

    fn precision(&self) -> Precision {
        if self.kernels.product_bytes() == 2 { Precision::Bf16 } else { Precision::F32 }
    }

    fn embed(&self, texts: &[&[u32]]) -> Result<Vec<f32>, ModelError> {
        self.check(texts)?;
        let width = self.config().hidden_size;
        let mut embeddings = vec![0.0; texts.len() * width];
        let lengths: Vec<usize> = texts.iter().map(|text| text.len()).collect();
        for batch in batches_by_length(&lengths, ROWS_PER_BATCH) {
            let of: Vec<&[u32]> = batch.iter().map(|&index| texts[index]).collect();
            for (index, embedding) in batch.into_iter().zip(self.embed_batch(&of)?) {
                embeddings[index * width..][..width].copy_from_slice(&embedding);
            }
        }
        if embeddings.iter().all(|value| value.is_finite()) { Ok(embeddings) } else { Err(ModelError::NotFinite) }
    }
}
