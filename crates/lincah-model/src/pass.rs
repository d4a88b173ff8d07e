//! A batch on the device, and what one pass over it shares between the layers.

use crate::batch::TokenBatch;
use crate::config::RopeConfig;
use crate::lora::Target;
use lincah_kernels::Kernels;
use std::sync::Arc;

/// Larger batches keep a GPU busy without a recording, and without work beside other work.
pub(crate) const MOST_RECORDED_ROWS: usize = 2048;

/// A batch on the device.
pub(crate) struct DeviceBatch<K: Kernels> {
    rows: usize,
    pub(crate) tokens: K::Indices,
    layout: K::Layout,
    /// One table for each distinct rotary embedding of the model, as long as the longest text.
    rope_tables: Arc<[K::RopeTable]>,
}

impl<K: Kernels> DeviceBatch<K> {
    pub(crate) fn new(kernels: &K, batch: &TokenBatch, rope_tables: Arc<[K::RopeTable]>) -> Self {
        let (tokens, layout) = (kernels.indices(&indices_of(&batch.tokens)), kernels.layout(&batch.layout));
        Self { rows: batch.rows(), tokens, layout, rope_tables }
    }

    /// Puts another batch of the same shape in its place.
    pub(crate) fn replace(&mut self, kernels: &K, batch: &TokenBatch) {
        kernels.replace_indices(&indices_of(&batch.tokens), &mut self.tokens);
        kernels.replace_layout(&batch.layout, &mut self.layout);
    }

    /// A pass over it; `dropout_seed` is given in training.
    pub(crate) fn pass<'a>(&'a self, kernels: &'a K, dropout_seed: Option<u64>) -> Pass<'a, K> {
        Pass { kernels, rows: self.rows, layout: &self.layout, rope_tables: &self.rope_tables, dropout_seed }
    }
}

pub(crate) fn indices_of(tokens: &[u32]) -> Vec<usize> {
    tokens.iter().map(|&token| token as usize).collect()
}

/// The rows on which the last block goes on.
pub(crate) struct KeptRows<K: Kernels> {
    pub(crate) count: usize,
    pub(crate) indices: K::Indices,
}

impl<K: Kernels> KeptRows<K> {
    pub(crate) fn new(kernels: &K, rows: &[usize]) -> Self {
        Self { count: rows.len(), indices: kernels.indices(rows) }
    }
}

/// What one pass over a batch shares between the layers.
pub(crate) struct Pass<'a, K: Kernels> {
    pub(crate) kernels: &'a K,
    pub(crate) rows: usize,
    pub(crate) layout: &'a K::Layout,
    pub(crate) rope_tables: &'a [K::RopeTable],
    /// `Some` in training: what dropout is drawn from.
    pub(crate) dropout_seed: Option<u64>,
}

/// One table for each of `ropes`, of so many positions.
pub(crate) fn rope_tables<K: Kernels>(
    kernels: &K,
    ropes: &[RopeConfig],
    head_dimension: usize,
    positions: usize,
) -> Arc<[K::RopeTable]> {
    ropes.iter().map(|rope| kernels.rope_table(&rope.inverse_frequencies(head_dimension), positions)).collect()
}

impl<K: Kernels> Pass<'_, K> {
    /// A different key for each projection of each layer.
    pub(crate) fn dropout_key(&self, layer: usize, target: Target) -> Option<u64> {
        let place = (layer * 8 + target as usize + 1) as u64;
        self.dropout_seed.map(|seed| seed.wrapping_mul(0x2545_F491_4F6C_DD1D).wrapping_add(place).rotate_left(31))
    }
}
