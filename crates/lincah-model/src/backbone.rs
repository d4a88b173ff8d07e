//! The whole transformer: embedding, blocks, final norm, head; and the steps of training its LoRA.

mod decode;
mod frozen;
mod load;
mod remembered;
mod step;
mod train;

pub use decode::Decoding;

use self::frozen::FrozenStates;
use self::remembered::Remembered;
use crate::batch::TokenBatch;
use crate::block::Block;
use crate::cache::KeyValueCache;
use crate::config::{BackboneConfig, RopeConfig};
use crate::error::ModelError;
use crate::lora::LoraConfig;
use crate::pass::{DeviceBatch, KeptRows, Pass, rope_tables};
use crate::weights::{ModelFiles, Weights};
use lincah_kernels::{Kernels, NormShape};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use step::{RecordedStep, StepShape};

const EMBEDDING: &str = "model.embed_tokens.weight";

/// Tokens, and their rows of the head.
type CandidateHead<K> = (Vec<u32>, Arc<<K as Kernels>::Matrix>);

/// A decoder-only transformer on the device `K`, frozen but for its LoRA.
pub struct Backbone<K: Kernels> {
    pub(crate) kernels: K,
    files: Arc<ModelFiles>,
    ropes: Vec<RopeConfig>,
    blocks: Vec<Block<K>>,
    final_norm: K::Buffer,
    /// The whole head `[V, D]`, made when a loss over the vocabulary first asks for it.
    head: OnceLock<Arc<K::Matrix>>,
    /// The head's rows of the tokens that were last asked for.
    candidate_head: Mutex<Option<CandidateHead<K>>>,
    /// `[V, D]`, where the device keeps it; elsewhere rows are read from the file as texts ask for them.
    embedding: Option<K::Buffer>,
    recorded: BTreeMap<StepShape, RecordedStep<K>>,
    lora: Option<LoraConfig>,
    optimizer_steps: u32,
    remembered: Remembered<K>,
    /// What the layers below the lowest adapted one made of the training texts.
    frozen: FrozenStates,
    recompute: bool,
    /// The layers' weights are in 8 bits.
    int8: bool,
    /// Rows of the largest training step that was found to fit.
    largest_step: usize,
}

impl<K: Kernels> Backbone<K> {
    /// The resolved sizes and options.
    pub fn config(&self) -> &BackboneConfig {
        self.files.config()
    }

    /// Whether a training step computes a layer's inside again in the backward rather than keep it from the forward.
    pub fn with_recomputation(self, recompute: bool) -> Self {
        Self { recompute, ..self }
    }

    fn weights(&self) -> &Weights {
        self.files.weights()
    }

    /// Embedded tokens, `[N, D]`.
    fn embed(&self, batch: &TokenBatch, on_device: &DeviceBatch<K>) -> Result<K::Buffer, ModelError> {
        match &self.embedding {
            Some(table) => Ok(self.look_up(table, batch.rows(), on_device)),
            None => {
                let mut rows = self.weights().read_rows(EMBEDDING, &batch.tokens, self.config().hidden_size)?;
                if self.config().embedding_scale != 1.0 {
                    rows.iter_mut().for_each(|value| *value *= self.config().embedding_scale);
                }
                Ok(self.kernels.upload(&rows))
            }
        }
    }

    /// The same from the table on the device.
    fn look_up(&self, table: &K::Buffer, rows: usize, on_device: &DeviceBatch<K>) -> K::Buffer {
        let width = self.config().hidden_size;
        let mut embedded = self.kernels.uninitialized(rows * width);
        self.kernels.embed(width, &on_device.tokens, table, self.config().embedding_scale, &mut embedded);
        embedded
    }

    /// Residual stream behind the last block, on the rows `kept` only where given; `caches` has an entry a layer, or none.
    fn forward(
        &self,
        pass: &Pass<K>,
        embedded: K::Buffer,
        kept: Option<&KeptRows<K>>,
        caches: &mut [KeyValueCache<K>],
    ) -> K::Buffer {
        let last = self.blocks.len() - 1;
        let through = |x, (layer, block): (usize, &Block<K>)| {
            block.forward(pass, x, if layer == last { kept } else { None }, caches.get_mut(layer)).0
        };
        self.blocks.iter().enumerate().fold(embedded, through)
    }

    fn on_device(&self, batch: &TokenBatch) -> DeviceBatch<K> {
        DeviceBatch::new(&self.kernels, batch, self.rope_tables(batch.layout.longest()))
    }

    fn rope_tables(&self, positions: usize) -> Arc<[K::RopeTable]> {
        rope_tables(&self.kernels, &self.ropes, self.config().head_dimension, positions)
    }

    fn final_norm_shape(&self, rows: usize) -> NormShape {
        NormShape { rows, width: self.config().hidden_size, epsilon: self.config().norm_epsilon }
    }

    /// Final norm of `rows` rows, and its factors.
    fn normed(&self, rows: usize, x: &K::Buffer) -> (K::Buffer, K::Buffer) {
        let (mut y, mut r) = (self.kernels.uninitialized(rows * self.config().hidden_size), self.kernels.uninitialized(rows));
        self.kernels.rms_norm(self.final_norm_shape(rows), x, &self.final_norm, &mut y, &mut r);
        (y, r)
    }

    /// `[M, D]` normed rows to `[M, candidates]` logits, soft-capped where the model does.
    fn logits(&self, rows: usize, normed: &K::Buffer, head: &K::Matrix, width: usize) -> K::Buffer {
        let mut logits = self.kernels.uninitialized(rows * width);
        self.kernels.linear(rows, normed, head, &mut logits);
        if let Some(cap) = self.config().final_soft_cap {
            self.kernels.soft_cap(cap, &mut logits);
        }
        logits
    }

    /// The head's rows of `candidates`, `[candidates, D]`, kept for the next time.
    fn candidate_head(&self, candidates: &[u32]) -> Result<Arc<K::Matrix>, ModelError> {
        let mut kept = self.candidate_head.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, head)) = &*kept
            && known == candidates
        {
            return Ok(head.clone());
        }
        let values = self.weights().read_rows(self.config().head_name(), candidates, self.config().hidden_size)?;
        let head = Arc::new(self.kernels.head_matrix(values, candidates.len(), self.config().hidden_size));
        *kept = Some((candidates.to_vec(), head.clone()));
        Ok(head)
    }

    fn whole_head(&self) -> Result<Arc<K::Matrix>, ModelError> {
        if let Some(head) = self.head.get() {
            return Ok(head.clone());
        }
        let (vocabulary, hidden) = (self.config().vocabulary_size, self.config().hidden_size);
        let values = self.weights().read(self.config().head_name(), &[vocabulary, hidden])?;
        Ok(self.head.get_or_init(|| Arc::new(self.kernels.head_matrix(values, vocabulary, hidden))).clone())
    }

    /// Logits of the tokens `candidates` at each text's last position. # Shapes: result `[S, candidates]`.
    ///
    /// What a text begins with as the one before is not computed again on the processor, with the same bits.
    ///
    /// # Errors
    /// Tokens outside the vocabulary, texts longer than the model's positions, weights that cannot be read.
    pub fn score(&self, batch: &TokenBatch, candidates: &[u32]) -> Result<Vec<f32>, ModelError> {
        self.check(batch, candidates)?;
        if self.kernels.gpu().is_some() {
            return self.score_with(batch, candidates, &mut []);
        }
        let (rest, mut caches) = self.behind_remembered(batch);
        let logits = self.score_with(&rest, candidates, &mut caches)?;
        self.remember(batch, &caches);
        Ok(logits)
    }

    fn score_with(
        &self,
        batch: &TokenBatch,
        candidates: &[u32],
        caches: &mut [KeyValueCache<K>],
    ) -> Result<Vec<f32>, ModelError> {
        let on_device = self.on_device(batch);
        let kept = KeptRows::new(&self.kernels, &batch.layout.last_rows());
        let head = self.candidate_head(candidates)?;
        let embedded = self.embed(batch, &on_device)?;
        let x = self.forward(&on_device.pass(&self.kernels, None), embedded, Some(&kept), caches);
        let (normed, _) = self.normed(kept.count, &x);
        Ok(self.kernels.download(&self.logits(kept.count, &normed, &head, candidates.len())))
    }

    /// Residual stream before the first block, after each block, and after the final norm. # Shapes: each `[N, D]`.
    ///
    /// # Errors
    /// As [`score`](Self::score).
    pub fn hidden_states(&self, batch: &TokenBatch) -> Result<Vec<Vec<f32>>, ModelError> {
        self.check(batch, &[])?;
        let on_device = self.on_device(batch);
        let pass = on_device.pass(&self.kernels, None);
        let mut x = self.embed(batch, &on_device)?;
        let mut states = vec![self.kernels.download(&x)];
        for block in &self.blocks {
            x = block.forward(&pass, x, None, None).0;
            states.push(self.kernels.download(&x));
        }
        states.push(self.kernels.download(&self.normed(batch.rows(), &x).0));
        Ok(states)
    }

    /// Logits of the whole vocabulary at every row. # Shapes: result `[N, V]`.
    ///
    /// # Errors
    /// As [`score`](Self::score).
    pub fn all_logits(&self, batch: &TokenBatch) -> Result<Vec<f32>, ModelError> {
        self.check(batch, &[])?;
        let on_device = self.on_device(batch);
        let embedded = self.embed(batch, &on_device)?;
        let x = self.forward(&on_device.pass(&self.kernels, None), embedded, None, &mut []);
        let (normed, _) = self.normed(batch.rows(), &x);
        let head = self.whole_head()?;
        Ok(self.kernels.download(&self.logits(batch.rows(), &normed, &head, self.config().vocabulary_size)))
    }

    fn check(&self, batch: &TokenBatch, candidates: &[u32]) -> Result<(), ModelError> {
        let vocabulary_size = self.config().vocabulary_size;
        if let Some(&token) = batch.tokens.iter().chain(candidates).find(|&&token| token as usize >= vocabulary_size) {
            return Err(ModelError::TokenOutOfVocabulary { token, vocabulary_size });
        }
        let (length, most) = (batch.layout.longest(), self.config().max_positions);
        if length > most {
            return Err(ModelError::TextTooLong { length, most });
        }
        Ok(())
    }
}
