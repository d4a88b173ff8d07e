//! Keys and values of what a scorer's texts begin with: the next texts that begin alike need not compute them again.

use crate::backbone::Backbone;
use crate::batch::TokenBatch;
use crate::cache::KeyValueCache;
use lincah_kernels::Kernels;
use std::sync::{Mutex, PoisonError};

/// Most bytes of keys and values that a scorer keeps.
const MOST_BYTES: usize = 8 << 20;

/// The beginning of the text that was scored last, and its keys and values in every layer.
struct CachedPrefix<K: Kernels> {
    tokens: Vec<u32>,
    layers: Vec<KeyValueCache<K>>,
}

/// What a scorer keeps from one batch to the next.
pub(crate) struct PrefixCache<K: Kernels>(Mutex<Option<CachedPrefix<K>>>);

impl<K: Kernels> CachedPrefix<K> {
    /// How many tokens every text of the batch begins with that this one begins with too, short of any text's last.
    fn shared_with(&self, batch: &TokenBatch) -> usize {
        let shared = |text: usize| {
            let tokens = batch.text_tokens(text);
            let alike = tokens.iter().zip(&self.tokens).take_while(|(a, b)| a == b).count();
            alike.min(tokens.len() - 1)
        };
        (0..batch.texts()).map(shared).min().unwrap_or(0)
    }
}

impl<K: Kernels> PrefixCache<K> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// The batch to compute in the place of `batch`, and caches to compute it with: behind what is cached, if its texts begin so.
    pub(crate) fn behind(&self, base: &Backbone<K>, batch: &TokenBatch) -> (TokenBatch, Vec<KeyValueCache<K>>) {
        let cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = cached.as_ref().map_or(0, |prefix| prefix.shared_with(batch));
        if let (Some(prefix), true) = (&*cached, shared > 0 && shared >= batch.prefix_length()) {
            let rest = batch.behind(shared);
            let room = shared + rest.rows();
            return (rest, prefix.layers.iter().map(|layer| layer.first(&base.kernels, shared, room)).collect());
        }
        (batch.clone(), base.blocks.iter().map(|block| block.cache(&base.kernels, batch.rows())).collect())
    }

    /// Keeps the beginning of the first text of `batch`, which was computed with `layers`.
    pub(crate) fn keep(&self, base: &Backbone<K>, batch: &TokenBatch, layers: &[KeyValueCache<K>]) {
        let mut tokens = batch.text_tokens(0);
        tokens.truncate(MOST_BYTES / base.config().cache_bytes());
        let layers = layers.iter().map(|layer| layer.first(&base.kernels, tokens.len(), tokens.len())).collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(CachedPrefix { tokens, layers });
    }
}
