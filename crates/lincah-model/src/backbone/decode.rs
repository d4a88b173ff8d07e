//! One text, read part by part.

use super::Backbone;
use crate::batch::TokenBatch;
use crate::cache::KeyValueCache;
use crate::error::ModelError;
use crate::pass::{DeviceBatch, KeptRows};
use lincah_kernels::Kernels;
use std::sync::Arc;

/// One text that is read part by part, with the keys and values of the read tokens kept: see [`Backbone::decoding`].
pub trait Decoding: Send {
    /// Reads the text's next tokens, one at least. # Shapes: result `[V]`, the logits of the token that follows the last of them.
    ///
    /// # Errors
    /// Tokens outside the vocabulary, more tokens than positions, weights that cannot be read; nothing is read then.
    ///
    /// # Panics
    /// If there are no tokens.
    fn read(&mut self, tokens: &[u32]) -> Result<Vec<f32>, ModelError>;
}

/// A text that grows, with the keys and values of what was read of it.
struct CachedDecoding<'a, K: Kernels> {
    backbone: &'a Backbone<K>,
    caches: Vec<KeyValueCache<K>>,
    rope_tables: Arc<[K::RopeTable]>,
    read: usize,
    positions: usize,
}

impl<K: Kernels> Backbone<K> {
    /// Begins a text of at most `positions` tokens (or as many as the model was made for, if these are fewer). Its keys and values are
    /// kept, so that every token is computed once.
    pub fn decoding(&self, positions: usize) -> Box<dyn Decoding + '_> {
        let positions = positions.min(self.config().max_positions);
        let cache = |block: &crate::block::Block<K>| KeyValueCache::new(&self.kernels, block.attention.shape, positions);
        Box::new(CachedDecoding {
            backbone: self,
            caches: self.blocks.iter().map(cache).collect(),
            rope_tables: self.rope_tables(positions),
            read: 0,
            positions,
        })
    }
}

impl<K: Kernels> Decoding for CachedDecoding<'_, K> {
    fn read(&mut self, tokens: &[u32]) -> Result<Vec<f32>, ModelError> {
        K::within(|| self.read_next(tokens))
    }
}

impl<K: Kernels> CachedDecoding<'_, K> {
    fn read_next(&mut self, tokens: &[u32]) -> Result<Vec<f32>, ModelError> {
        let model = self.backbone;
        let batch = TokenBatch::continuing(self.read, tokens);
        model.check(&batch, &[])?;
        let length = self.read + tokens.len();
        if length > self.positions {
            return Err(ModelError::TextTooLong { length, most: self.positions });
        }
        let on_device = DeviceBatch::new(&model.kernels, &batch, self.rope_tables.clone());
        let last = KeptRows::new(&model.kernels, &batch.layout.last_rows());
        let head = model.whole_head()?;
        let embedded = model.embed(&batch, &on_device)?;
        let x = model.forward(&on_device.pass(&model.kernels, None), embedded, Some(&last), &mut self.caches);
        let (normed, _) = model.normed(last.count, &x);
        self.read = length;
        let logits = model.logits(last.count, &normed, &head, model.config().vocabulary_size);
        Ok(model.kernels.download(&logits))
    }
}
