//! Scores of texts: a base model's weights with one adapter, or none.

use crate::adapter::DeviceAdapter;
use crate::backbone::{Backbone, CandidateHead};
use crate::batch::TokenBatch;
use crate::cache::KeyValueCache;
use crate::decoding::{CachedDecoding, Decoding};
use crate::encoder::{batches_by_length, mean_row};
use crate::error::ModelError;
use crate::lora::Adapter;
use crate::pass::KeptRows;
use lincah_kernels::Kernels;
use std::sync::Arc;

/// Most rows of texts whose states are pooled at once.
const ROWS_PER_BATCH: usize = 1024;

/// Scores texts with a base model and one adapter, or none. Several may score at once, each with an adapter of its own.
pub trait Scorer: Send + Sync {
    /// Logits of the tokens `candidates` at each text's last position. # Shapes: result `[S, candidates]`.
    ///
    /// What a text begins with as the one before is not computed again on the processor, with the same bits.
    ///
    /// # Errors
    /// Tokens outside the vocabulary, texts longer than the model's positions, weights that cannot be read, logits that are not finite.
    fn score(&self, batch: &TokenBatch, candidates: &[u32]) -> Result<Vec<f32>, ModelError>;

    /// The adapter, if there is one.
    fn adapter(&self) -> Option<Adapter>;

    /// Begins a text of at most `positions` tokens (or as many as the model was made for, if these are fewer). Its keys and values are
    /// kept, so that every token is computed once.
    fn decoding(&self, positions: usize) -> Box<dyn Decoding + '_>;
}

/// A [`Scorer`] on the device `K`.
pub struct BackboneScorer<K: Kernels> {
    pub(crate) base: Arc<Backbone<K>>,
    pub(crate) adapter: DeviceAdapter<K>,
    prefix_cache: crate::prefix_cache::PrefixCache<K>,
    candidate_head: CandidateHead<K>,
}

impl<K: Kernels> Backbone<K> {
    /// A scorer with an adapter, or with the frozen model alone.
    ///
    /// # Errors
    /// An adapter whose arrays are not those that its configuration and this model ask for.
    pub fn scorer(self: &Arc<Self>, adapter: Option<&Adapter>) -> Result<BackboneScorer<K>, ModelError> {
        let _turn = self.turn();
        let adapter = match adapter {
            Some(adapter) => DeviceAdapter::new(&self.kernels, adapter, self.config())?,
            None => DeviceAdapter::none(self.blocks.len()),
        };
        let (prefix_cache, candidate_head) = (crate::prefix_cache::PrefixCache::new(), CandidateHead::new());
        Ok(BackboneScorer { base: self.clone(), adapter, prefix_cache, candidate_head })
    }
}

impl<K: Kernels> Backbone<K> {
    /// What the frozen model makes of each text: for each of `layers`, the residual stream behind that many blocks, as a mean over the text's
    /// tokens from number `first` on, or its last token where it has no more. What all texts begin with is computed once, and only the blocks up
    /// to the last of `layers` are. # Shapes: result `[S, layers, D]`.
    ///
    /// The first token of all is better left out: its state is large and nearly the same in all texts (Xiao et al. 2023, arXiv 2309.17453).
    ///
    /// # Errors
    /// As [`Scorer::score`].
    ///
    /// # Panics
    /// If there is no such layer.
    pub fn pooled_states(&self, texts: &[&[u32]], first: usize, layers: &[usize]) -> Result<Vec<f32>, ModelError> {
        let (width, deepest) = (self.config().hidden_size, layers.iter().copied().max().unwrap_or(0));
        assert!(deepest <= self.blocks.len(), "the model has {} layers", self.blocks.len());
        let lengths: Vec<usize> = texts.iter().map(|text| text.len()).collect();
        let mut pooled = vec![0.0; texts.len() * layers.len() * width];
        for batch in batches_by_length(&lengths, ROWS_PER_BATCH) {
            let tokens = TokenBatch::new(&batch.iter().map(|&index| texts[index]).collect::<Vec<_>>());
            self.check(&tokens, &[])?;
            let states = {
                let _turn = self.turn();
                K::within(|| self.states(&tokens, layers, deepest))?
            };
            for (text, &index) in batch.iter().enumerate() {
                let rows: Vec<usize> = (0..tokens.prefix_length()).chain(tokens.layout.own_rows(text)).collect();
                let rows = &rows[first.min(rows.len() - 1)..];
                for (at, states) in states.iter().enumerate() {
                    let rows = rows.iter().map(|row| &states[row * width..][..width]);
                    pooled[(index * layers.len() + at) * width..][..width].copy_from_slice(&mean_row(rows, width));
                }
            }
        }
        let multiplier = self.config().residual_multiplier;
        pooled.iter_mut().for_each(|value| *value *= multiplier);
        if pooled.iter().all(|value| value.is_finite()) { Ok(pooled) } else { Err(ModelError::NotFinite) }
    }

    /// The residual stream behind `layers` blocks each, `[N, D]`.
    fn states(&self, batch: &TokenBatch, layers: &[usize], deepest: usize) -> Result<Vec<Vec<f32>>, ModelError> {
        let kernels = &self.kernels;
        let on_device = self.on_device(kernels, batch);
        let (pass, adapter) = (on_device.pass(kernels, None), DeviceAdapter::none(1));
        let mut x = self.embed(kernels, batch, &on_device)?;
        let mut states = vec![Vec::new(); layers.len()];
        for depth in 0..=deepest {
            layers.iter().zip(&mut states).filter(|(layer, _)| **layer == depth).for_each(|(_, to)| *to = kernels.download(&x));
            if depth < deepest {
                x = self.blocks[depth].forward(&pass, &adapter.layers[0], x, None, None).0;
            }
        }
        Ok(states)
    }
}

impl<K: Kernels> Scorer for BackboneScorer<K> {
    fn score(&self, batch: &TokenBatch, candidates: &[u32]) -> Result<Vec<f32>, ModelError> {
        self.base.check(batch, candidates)?;
        K::within(|| self.score_cached(batch, candidates))
    }

    fn adapter(&self) -> Option<Adapter> {
        let _turn = self.base.turn();
        self.adapter.download(&self.base.kernels)
    }

    fn decoding(&self, positions: usize) -> Box<dyn Decoding + '_> {
        Box::new(CachedDecoding::new(&self.base, &self.adapter, positions))
    }
}

impl<K: Kernels> BackboneScorer<K> {
    fn score_cached(&self, batch: &TokenBatch, candidates: &[u32]) -> Result<Vec<f32>, ModelError> {
        let _turn = self.base.turn();
        if self.base.kernels.gpu().is_some() {
            return self.score_with(batch, candidates, &mut []);
        }
        let (rest, mut layers) = self.prefix_cache.behind(&self.base, batch);
        let logits = self.score_with(&rest, candidates, &mut layers)?;
        self.prefix_cache.keep(&self.base, batch, &layers);
        Ok(logits)
    }

    fn score_with(
        &self,
        batch: &TokenBatch,
        candidates: &[u32],
        layers: &mut [KeyValueCache<K>],
    ) -> Result<Vec<f32>, ModelError> {
        let (base, kernels) = (&self.base, &self.base.kernels);
        let on_device = base.on_device(kernels, batch);
        let kept = KeptRows::new(kernels, &batch.layout.last_rows());
        let head = self.candidate_head.of(base, kernels, candidates)?;
        let embedded = base.embed(kernels, batch, &on_device)?;
        let x = base.forward(&on_device.pass(kernels, None), &self.adapter.layers, embedded, Some(&kept), layers);
        let (normed, _) = base.normed(kernels, kept.count, &x);
        let logits = kernels.download(&base.logits(kernels, kept.count, &normed, &head));
        if logits.iter().all(|logit| logit.is_finite()) { Ok(logits) } else { Err(ModelError::NotFinite) }
    }

    /// Residual stream before the first block, after each block, and after the final norm. # Shapes: each `[N, D]`.
    ///
    /// # Errors
    /// As [`Scorer::score`].
    pub fn hidden_states(&self, batch: &TokenBatch) -> Result<Vec<Vec<f32>>, ModelError> {
        let (base, kernels) = (&self.base, &self.base.kernels);
        base.check(batch, &[])?;
        let _turn = base.turn();
        let on_device = base.on_device(kernels, batch);
        let pass = on_device.pass(kernels, None);
        let mut x = base.embed(kernels, batch, &on_device)?;
        let multiplier = base.config().residual_multiplier;
        let stream = |x: &K::Buffer| kernels.download(x).iter().map(|value| value * multiplier).collect();
        let mut states: Vec<Vec<f32>> = vec![stream(&x)];
        for (block, adapter) in base.blocks.iter().zip(&self.adapter.layers) {
            x = block.forward(&pass, adapter, x, None, None).0;
            states.push(stream(&x));
        }
        states.push(kernels.download(&base.normed(kernels, batch.rows(), &x).0));
        Ok(states)
    }

    /// Logits of the whole vocabulary at every row. # Shapes: result `[N, V]`.
    ///
    /// # Errors
    /// As [`Scorer::score`].
    pub fn all_logits(&self, batch: &TokenBatch) -> Result<Vec<f32>, ModelError> {
        let (base, kernels) = (&self.base, &self.base.kernels);
        base.check(batch, &[])?;
        let head = base.whole_head()?;
        let _turn = base.turn();
        let on_device = base.on_device(kernels, batch);
        let embedded = base.embed(kernels, batch, &on_device)?;
        let x = base.forward(&on_device.pass(kernels, None), &self.adapter.layers, embedded, None, &mut []);
        let (normed, _) = base.normed(kernels, batch.rows(), &x);
        Ok(kernels.download(&base.logits(kernels, batch.rows(), &normed, &head)))
    }
}
