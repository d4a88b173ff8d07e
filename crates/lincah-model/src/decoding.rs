//! One text, read part by part.

use crate::adapter::DeviceAdapter;
use crate::backbone::{Backbone, Head};
use crate::batch::TokenBatch;
use crate::cache::KeyValueCache;
use crate::error::ModelError;
use crate::pass::{DeviceBatch, KeptRows};
use lincah_kernels::Kernels;
use std::sync::Arc;

/// One text that is read part by part, with the keys and values of the read tokens kept: see [`Scorer::decoding`](crate::Scorer::decoding).
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
pub(crate) struct CachedDecoding<'a, K: Kernels> {
    base: &'a Backbone<K>,
    adapter: &'a DeviceAdapter<K>,
    layers: Vec<KeyValueCache<K>>,
    rope_tables: Arc<[K::RopeTable]>,
    /// From the first read on.
    head: Option<Head<K>>,
    read: usize,
    positions: usize,
}

impl<'a, K: Kernels> CachedDecoding<'a, K> {
    pub(crate) fn new(base: &'a Backbone<K>, adapter: &'a DeviceAdapter<K>, positions: usize) -> Self {
        let positions = positions.min(base.config().max_positions);
        let _turn = base.turn();
        let layers = base.blocks.iter().map(|block| block.cache(&base.kernels, positions)).collect();
        let rope_tables = base.rope_tables(&base.kernels, positions);
        Self { base, adapter, layers, rope_tables, head: None, read: 0, positions }
    }

    fn read_next(&mut self, tokens: &[u32]) -> Result<Vec<f32>, ModelError> {
        let (base, kernels) = (self.base, &self.base.kernels);
        let batch = TokenBatch::continuing(self.read, tokens);
        base.check(&batch, &[])?;
        let length = self.read + tokens.len();
        if length > self.positions {
            return Err(ModelError::TextTooLong { length, most: self.positions });
        }
        let head = match &self.head {
            Some(head) => head.clone(),
            None => self.head.insert(base.whole_head()?).clone(),
        };
        let _turn = base.turn();
        let on_device = DeviceBatch::new(kernels, &batch, self.rope_tables.clone());
        let last = KeptRows::new(kernels, &batch.layout.last_rows());
        let embedded = base.embed(kernels, &batch, &on_device)?;
        let pass = on_device.pass(kernels, None);
        let x = base.forward(&pass, &self.adapter.layers, embedded, Some(&last), &mut self.layers);
        let (normed, _) = base.normed(kernels, last.count, &x);
        self.read = length;
        Ok(kernels.download(&base.logits(kernels, last.count, &normed, &head)))
    }
}

impl<K: Kernels> Decoding for CachedDecoding<'_, K> {
    fn read(&mut self, tokens: &[u32]) -> Result<Vec<f32>, ModelError> {
        K::within(|| self.read_next(tokens))
    }
}
