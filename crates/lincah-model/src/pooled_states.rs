//! What a frozen decoder makes of texts, one row per text and layer.

use crate::adapter::DeviceAdapter;
use crate::backbone::Backbone;
use crate::batch::{ROWS_PER_BATCH, TokenBatch, batches_by_length};
use crate::error::ModelError;
use lincah_kernels::Kernels;

impl<K: Kernels> Backbone<K> {
    /// What the frozen model makes of each text: for each of `layers`, the residual stream behind that many blocks, as a mean over the text's
    /// tokens from number `first` on, or its last token where it has no more. What all texts begin with is computed once, and only the blocks up
    /// to the last of `layers` are. # Shapes: result `[S, layers, D]`.
    ///
    /// The first token of all is better left out: its state is large and nearly the same in all texts (Xiao et al. 2023, arXiv 2309.17453).
    ///
    /// # Errors
    /// As [`Scorer::score`](crate::Scorer::score).
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

/// The mean of rows of `width` numbers, in their order.
pub(crate) fn mean_row<'r>(rows: impl ExactSizeIterator<Item = &'r [f32]>, width: usize) -> Vec<f32> {
    let (mut mean, count) = (vec![0.0; width], rows.len() as f32);
    for row in rows {
        mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += value);
    }
    mean.iter_mut().for_each(|mean| *mean /= count);
    mean
}
