//! Scores of texts: a base model's weights with one adapter, or none.

use crate::adapter::{DeviceAdapter, Parameter};
use crate::backbone::{Backbone, CandidateHead};
use crate::batch::TokenBatch;
use crate::cache::KeyValueCache;
use crate::decoding::{CachedDecoding, Decoding};
use crate::error::ModelError;
use crate::lora::Adapter;
use crate::pass::KeptRows;
use lincah_kernels::Kernels;
use std::sync::Arc;

/// Scores texts with a base model and one adapter, or none. Several may score at once, each with an adapter of its own.
pub trait Scorer: Send + Sync {
    /// Logits of the tokens `candidates` at each text's last position. # Shapes: result `[S, candidates]`.
    ///
    /// What a text begins with as the one before is not computed again on the processor, with the same bits.
    ///
    /// # Errors
    /// Tokens outside the vocabulary, texts longer than the model's positions, weights that cannot be read, logits that are not finite.
    fn score(&self, batch: &TokenBatch, candidates: &[u32]) -> Result<Vec<f32>, ModelError>;

    /// The same for the adapter's label rows `W` in place of tokens: `logits = h Wᵀ`, h being the final norm's output at the last position.
    /// # Shapes: W `[L, D]`, result `[S, L]`.
    ///
    /// # Errors
    /// An adapter without label rows; else as [`Scorer::score`].
    fn score_label_rows(&self, batch: &TokenBatch) -> Result<Vec<f32>, ModelError>;

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

impl<K: Kernels> Scorer for BackboneScorer<K> {
    fn score(&self, batch: &TokenBatch, candidates: &[u32]) -> Result<Vec<f32>, ModelError> {
        self.base.check(batch, candidates)?;
        K::within(|| self.score_cached(batch, Asked::Tokens(candidates)))
    }

    fn score_label_rows(&self, batch: &TokenBatch) -> Result<Vec<f32>, ModelError> {
        self.base.check(batch, &[])?;
        let rows = self.adapter.label_rows.as_ref().ok_or(ModelError::NoLabelRows)?;
        K::within(|| self.score_cached(batch, Asked::LabelRows(rows)))
    }

    fn adapter(&self) -> Option<Adapter> {
        let _turn = self.base.turn();
        self.adapter.download(&self.base.kernels)
    }

    fn decoding(&self, positions: usize) -> Box<dyn Decoding + '_> {
        Box::new(CachedDecoding::new(&self.base, &self.adapter, positions))
    }
}

/// What a text's last position is scored on.
enum Asked<'a, K: Kernels> {
    Tokens(&'a [u32]),
    LabelRows(&'a Parameter<K>),
}

impl<K: Kernels> BackboneScorer<K> {
    fn score_cached(&self, batch: &TokenBatch, asked: Asked<K>) -> Result<Vec<f32>, ModelError> {
        let _turn = self.base.turn();
        if self.base.kernels.gpu().is_some() {
            return self.score_with(batch, asked, &mut []);
        }
        let (rest, mut layers) = self.prefix_cache.behind(&self.base, batch);
        let logits = self.score_with(&rest, asked, &mut layers)?;
        self.prefix_cache.keep(&self.base, batch, &layers);
        Ok(logits)
    }

    fn score_with(&self, batch: &TokenBatch, asked: Asked<K>, layers: &mut [KeyValueCache<K>]) -> Result<Vec<f32>, ModelError> {
        let (base, kernels) = (&self.base, &self.base.kernels);
        let on_device = base.on_device(kernels, batch);
        let kept = KeptRows::new(kernels, &batch.layout.last_rows());
        let embedded = base.embed(kernels, batch, &on_device)?;
        let x = base.forward(&on_device.pass(kernels, None), &self.adapter.layers, embedded, Some(&kept), layers);
        let (normed, _) = base.normed(kernels, kept.count, &x);
        let logits = match asked {
            Asked::Tokens(tokens) => base.logits(kernels, kept.count, &normed, &self.candidate_head.of(base, kernels, tokens)?),
            Asked::LabelRows(rows) => rows.scores(kernels, kept.count, &normed),
        };
        let logits = kernels.download(&logits);
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
