//! The keys and values of a text that was scored last: what the next texts begin with alike need not be computed again.

use super::Backbone;
use crate::batch::TokenBatch;
use crate::cache::KeyValueCache;
use lincah_kernels::Kernels;
use std::sync::{Mutex, PoisonError};

/// A scored text and its keys and values in every layer.
pub(super) struct RememberedText<K: Kernels> {
    tokens: Vec<u32>,
    caches: Vec<KeyValueCache<K>>,
}

/// The text that was scored last, of the adapter as it stands.
pub(super) type Remembered<K> = Mutex<Option<RememberedText<K>>>;

impl<K: Kernels> RememberedText<K> {
    /// How many tokens every text of the batch begins with that this one begins with too, short of any text's last.
    fn shared_with(&self, batch: &TokenBatch) -> usize {
        let prefix = &batch.tokens[..batch.prefix_length()];
        let shared = |text: usize| {
            let own = &batch.tokens[batch.layout.own_rows(text)];
            let alike = prefix.iter().chain(own).zip(&self.tokens).take_while(|(a, b)| a == b).count();
            alike.min(prefix.len() + own.len() - 1)
        };
        (0..batch.texts()).map(shared).min().unwrap_or(0)
    }
}

impl<K: Kernels> Backbone<K> {
    /// The batch to compute in the place of `batch`, and caches to compute it with: behind what is remembered, if its texts begin so.
    pub(super) fn behind_remembered(&self, batch: &TokenBatch) -> (TokenBatch, Vec<KeyValueCache<K>>) {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = remembered.as_ref().map_or(0, |text| text.shared_with(batch));
        if let (Some(text), true) = (&*remembered, shared > 0 && shared >= batch.prefix_length()) {
            let rest = batch.behind(shared);
            let room = shared + rest.rows();
            return (rest, text.caches.iter().map(|cache| cache.first(&self.kernels, shared, room)).collect());
        }
        let cache = |block: &crate::block::Block<K>| KeyValueCache::new(&self.kernels, block.attention.shape, batch.rows());
        (batch.clone(), self.blocks.iter().map(cache).collect())
    }

    /// Remembers the first text of `batch`, which was computed with `caches`.
    pub(super) fn remember(&self, batch: &TokenBatch, caches: &[KeyValueCache<K>]) {
        let own = &batch.tokens[batch.layout.own_rows(0)];
        let tokens = [&batch.tokens[..batch.prefix_length()], own].concat();
        let caches = caches.iter().map(|cache| cache.first(&self.kernels, tokens.len(), tokens.len())).collect();
        *self.remembered.lock().unwrap_or_else(PoisonError::into_inner) = Some(RememberedText { tokens, caches });
    }

    /// What was remembered holds no longer: the adapter changes.
    pub(super) fn forget(&mut self) {
        *self.remembered.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
