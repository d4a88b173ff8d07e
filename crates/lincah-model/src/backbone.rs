//! The whole transformer, frozen: embedding, blocks, final norm, head. Scorers and trainings share it.

mod load;

use crate::adapter::LayerAdapter;
use crate::batch::TokenBatch;
use crate::block::Block;
use crate::cache::KeyValueCache;
use crate::config::{BackboneConfig, RopeConfig};
use crate::error::ModelError;
use crate::frozen_states::FrozenStates;
use crate::pass::{DeviceBatch, KeptRows, Pass, rope_tables};
use crate::weights::{ModelFiles, Weights};
use lincah_kernels::{Kernels, NormShape};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

const EMBEDDING: &str = "model.embed_tokens.weight";

/// A decoder-only transformer on the device `K`: its frozen weights, which nothing changes, and what its users share.
pub struct Backbone<K: Kernels> {
    /// The handle that the weights were loaded with, and that all scorers compute with.
    pub(crate) kernels: K,
    files: Arc<ModelFiles>,
    ropes: Vec<RopeConfig>,
    pub(crate) blocks: Vec<Block<K>>,
    final_norm: K::Buffer,
    /// The whole head `[V, D]`, as long as somebody uses it.
    head: Mutex<Weak<K::Matrix>>,
    /// `[V, D]`, where the device keeps it; elsewhere rows are read from the file as texts ask for them.
    embedding: Option<K::Buffer>,
    /// What frozen layers made of texts, as long as a training or somebody else holds it.
    frozen_states: Mutex<Weak<FrozenStates>>,
    pub(crate) recompute: bool,
    /// The layers' weights are in 8 bits.
    pub(crate) int8: bool,
    /// Held by whoever computes with `kernels` on a device whose calls are in one order.
    turn: Mutex<()>,
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

    pub(crate) fn weights(&self) -> &Weights {
        self.files.weights()
    }

    /// Waits until no other scorer computes, where the device is a GPU: its work is one stream's.
    pub(crate) fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        self.kernels.gpu().map(|_| self.turn.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What frozen layers made of texts: the same for all who hold it at the same time.
    pub fn frozen_states(&self) -> Arc<FrozenStates> {
        let mut shared = self.frozen_states.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let states = Arc::new(FrozenStates::default());
            *shared = Arc::downgrade(&states);
            states
        })
    }

    /// Embedded tokens, `[N, D]`.
    pub(crate) fn embed(&self, kernels: &K, batch: &TokenBatch, on_device: &DeviceBatch<K>) -> Result<K::Buffer, ModelError> {
        match &self.embedding {
            Some(_) => Ok(self.look_up(kernels, batch.rows(), on_device)),
            None => {
                let mut rows = self.weights().read_rows(EMBEDDING, &batch.tokens, self.config().hidden_size)?;
                if self.config().embedding_scale != 1.0 {
                    rows.iter_mut().for_each(|value| *value *= self.config().embedding_scale);
                }
                Ok(kernels.upload(&rows))
            }
        }
    }

    /// The same from the table on the device.
    ///
    /// # Panics
    /// If the device keeps no table.
    pub(crate) fn look_up(&self, kernels: &K, rows: usize, on_device: &DeviceBatch<K>) -> K::Buffer {
        let (table, width) = (self.embedding.as_ref().expect("the device keeps the embedding"), self.config().hidden_size);
        let mut embedded = kernels.uninitialized(rows * width);
        kernels.embed(width, &on_device.tokens, table, self.config().embedding_scale, &mut embedded);
        embedded
    }

    /// Residual stream behind the last block, on the rows `kept` only where given; `caches` has an entry per layer, or none.
    pub(crate) fn forward(
        &self,
        pass: &Pass<K>,
        adapters: &[LayerAdapter<K>],
        embedded: K::Buffer,
        kept: Option<&KeptRows<K>>,
        caches: &mut [KeyValueCache<K>],
    ) -> K::Buffer {
        let last = self.blocks.len() - 1;
        let through = |x, (layer, (block, adapter)): (usize, (&Block<K>, &LayerAdapter<K>))| {
            block.forward(pass, adapter, x, if layer == last { kept } else { None }, caches.get_mut(layer)).0
        };
        self.blocks.iter().zip(adapters).enumerate().fold(embedded, through)
    }

    pub(crate) fn on_device(&self, kernels: &K, batch: &TokenBatch) -> DeviceBatch<K> {
        DeviceBatch::new(kernels, batch, self.rope_tables(kernels, batch.layout.longest()))
    }

    pub(crate) fn rope_tables(&self, kernels: &K, positions: usize) -> Arc<[K::RopeTable]> {
        rope_tables(kernels, &self.ropes, self.config().head_dimension, positions)
    }

    /// Final norm of `rows` rows, and its factors.
    pub(crate) fn normed(&self, kernels: &K, rows: usize, x: &K::Buffer) -> (K::Buffer, K::Buffer) {
        let (mut y, mut r) = (kernels.uninitialized(rows * self.config().hidden_size), kernels.uninitialized(rows));
        kernels.rms_norm(self.final_norm_shape(rows), x, &self.final_norm, &mut y, &mut r);
        (y, r)
    }

    /// Adds to the gradient before the final norm. # Shapes: all `[rows, D]`, r `[rows]`.
    pub(crate) fn normed_backward(
        &self,
        kernels: &K,
        rows: usize,
        (x, r): (&K::Buffer, &K::Buffer),
        dy: &K::Buffer,
    ) -> K::Buffer {
        let mut dx = kernels.zeros(rows * self.config().hidden_size);
        kernels.rms_norm_backward(self.final_norm_shape(rows), (x, &self.final_norm, r), dy, &mut dx);
        dx
    }

    fn final_norm_shape(&self, rows: usize) -> NormShape {
        NormShape { rows, width: self.config().hidden_size, epsilon: self.config().norm_epsilon }
    }

    /// `[M, D]` normed rows to `[M, candidates]` logits, scaled and soft-capped where the model does.
    pub(crate) fn logits(&self, kernels: &K, rows: usize, normed: &K::Buffer, head: &Head<K>) -> K::Buffer {
        let mut logits = kernels.uninitialized(rows * head.width);
        kernels.linear(rows, normed, &head.matrix, &mut logits);
        if self.config().logit_scale != 1.0 {
            kernels.scale(self.config().logit_scale, &mut logits);
        }
        if let Some(cap) = self.config().final_soft_cap {
            kernels.soft_cap(cap, &mut logits);
        }
        logits
    }

    /// The head's rows of all tokens, which whoever asks first loads.
    pub(crate) fn whole_head(&self) -> Result<Head<K>, ModelError> {
        let (width, hidden) = (self.config().vocabulary_size, self.config().hidden_size);
        let mut shared = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(matrix) = shared.upgrade() {
            return Ok(Head { matrix, width });
        }
        let values = self.weights().read(self.config().head_name(), &[width, hidden])?;
        let _turn = self.turn();
        let matrix = Arc::new(self.kernels.head_matrix(values, width, hidden));
        self.kernels.synchronize();
        *shared = Arc::downgrade(&matrix);
        Ok(Head { matrix, width })
    }

    pub(crate) fn check_tokens(&self, tokens: &[u32]) -> Result<(), ModelError> {
        let vocabulary_size = self.config().vocabulary_size;
        match tokens.iter().find(|&&token| token as usize >= vocabulary_size) {
            Some(&token) => Err(ModelError::TokenOutOfVocabulary { token, vocabulary_size }),
            None => Ok(()),
        }
    }

    pub(crate) fn check(&self, batch: &TokenBatch, candidates: &[u32]) -> Result<(), ModelError> {
        self.check_tokens(&batch.tokens)?;
        self.check_tokens(candidates)?;
        let (length, most) = (batch.layout.longest(), self.config().max_positions);
        if length > most {
            return Err(ModelError::TextTooLong { length, most });
        }
        Ok(())
    }
}

/// Rows of the head, `[width, D]`.
pub(crate) struct Head<K: Kernels> {
    pub(crate) matrix: Arc<K::Matrix>,
    pub(crate) width: usize,
}

impl<K: Kernels> Clone for Head<K> {
    fn clone(&self) -> Self {
        Self { matrix: self.matrix.clone(), width: self.width }
    }
}

/// Tokens and their rows of the head, as they were last asked for.
pub(crate) struct CandidateHead<K: Kernels>(Mutex<Option<(Vec<u32>, Head<K>)>>);

impl<K: Kernels> CandidateHead<K> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// The rows of `candidates`, made with `kernels` where others were asked for before.
    pub(crate) fn of(&self, base: &Backbone<K>, kernels: &K, candidates: &[u32]) -> Result<Head<K>, ModelError> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, head)) = &*last
            && known == candidates
        {
            return Ok(head.clone());
        }
        let (width, hidden) = (candidates.len(), base.config().hidden_size);
        let values = base.weights().read_rows(base.config().head_name(), candidates, hidden)?;
        let head = Head { matrix: Arc::new(kernels.head_matrix(values, width, hidden)), width };
        *last = Some((candidates.to_vec(), head.clone()));
        Ok(head)
    }
}
