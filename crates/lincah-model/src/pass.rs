//! What one pass over a batch shares between the layers.

use crate::batch::TokenBatch;
use crate::config::RopeConfig;
use lincah_kernels::Kernels;
use std::sync::Arc;

/// The batch on the device.
pub(crate) struct Pass<'a, K: Kernels> {
    pub(crate) kernels: &'a K,
    pub(crate) rows: usize,
    pub(crate) layout: K::Layout,
    /// One table for each distinct rotary embedding of the model, as long as the longest text.
    pub(crate) rope_tables: Arc<[K::RopeTable]>,
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

impl<'a, K: Kernels> Pass<'a, K> {
    pub(crate) fn new(kernels: &'a K, batch: &TokenBatch, rope_tables: Arc<[K::RopeTable]>, dropout_seed: Option<u64>) -> Self {
        Self { kernels, rows: batch.rows(), layout: kernels.layout(&batch.layout), rope_tables, dropout_seed }
    }

    /// A different key for each module of each layer.
    pub(crate) fn dropout_key(&self, layer: usize, module: usize) -> Option<u64> {
        self.dropout_seed
            .map(|seed| seed.wrapping_mul(0x2545_F491_4F6C_DD1D).wrapping_add((layer * 8 + module + 1) as u64).rotate_left(31))
    }
}
