//! What enters the lowest adapted layer, kept by text: the layers below are frozen, so that it is the same at every step.

use crate::batch::TokenBatch;
use std::collections::HashMap;
use std::sync::Arc;

/// Most numbers that are kept, a gigabyte; texts beyond are computed at every step.
const MOST_NUMBERS: usize = 1 << 28;

/// The residual stream before a layer, `[tokens, D]` a text.
#[derive(Debug, Default)]
pub(super) struct FrozenStates {
    layer: usize,
    width: usize,
    texts: HashMap<Vec<u32>, FrozenText>,
    numbers: usize,
}

#[derive(Debug)]
struct FrozenText {
    /// Of the tokens that the batch's texts shared when this was computed.
    shared: Arc<[f32]>,
    /// Of the others.
    own: Box<[f32]>,
}

impl FrozenText {
    fn append(&self, from: usize, rows: &mut Vec<f32>) {
        let shared = self.shared.len();
        rows.extend_from_slice(&self.shared[from.min(shared)..]);
        rows.extend_from_slice(&self.own[from.saturating_sub(shared)..]);
    }
}

/// All tokens of each text.
fn texts(batch: &TokenBatch) -> impl Iterator<Item = Vec<u32>> + '_ {
    let prefix = &batch.tokens[..batch.prefix_length()];
    (0..batch.texts()).map(move |text| [prefix, &batch.tokens[batch.layout.own_rows(text)]].concat())
}

impl FrozenStates {
    /// Begins anew where these are states before another layer.
    pub(super) fn before(&mut self, layer: usize, width: usize) -> &mut Self {
        if (self.layer, self.width) != (layer, width) {
            *self = Self { layer, width, ..Self::default() };
        }
        self
    }

    /// The batch's rows, `[N, D]`, if all of its texts are known.
    pub(super) fn rows(&self, batch: &TokenBatch) -> Option<Vec<f32>> {
        let known = texts(batch).map(|tokens| self.texts.get(&tokens)).collect::<Option<Vec<_>>>()?;
        let mut rows = Vec::with_capacity(batch.rows() * self.width);
        known[0].append(0, &mut rows);
        rows.truncate(batch.prefix_length() * self.width);
        known.iter().for_each(|text| text.append(batch.prefix_length() * self.width, &mut rows));
        Some(rows)
    }

    /// Remembers the batch's rows, `[N, D]`.
    pub(super) fn keep(&mut self, batch: &TokenBatch, rows: &[f32]) {
        let shared: Arc<[f32]> = rows[..batch.prefix_length() * self.width].into();
        for (text, tokens) in texts(batch).enumerate() {
            let own = batch.layout.own_rows(text);
            let own = &rows[own.start * self.width..own.end * self.width];
            if self.numbers + own.len() <= MOST_NUMBERS && !self.texts.contains_key(&tokens) {
                self.numbers += own.len();
                self.texts.insert(tokens, FrozenText { shared: shared.clone(), own: own.into() });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_again_in_batches_with_other_prefixes() {
        // A row holds its text's number and its position.
        let all: [&[u32]; 4] = [&[1, 2, 3, 4], &[1, 2, 5], &[1, 2, 3, 4, 6], &[1, 9]];
        let expected = |indices: &[usize]| {
            let texts: Vec<&[u32]> = indices.iter().map(|&index| all[index]).collect();
            let batch = TokenBatch::new(&texts);
            let rows: Vec<f32> = batch.tokens.iter().flat_map(|&token| [token as f32, 0.5]).collect();
            (batch, rows)
        };
        let mut states = FrozenStates::default();
        states.before(2, 2);
        for indices in [&[0, 2][..], &[1, 3]] {
            let (batch, rows) = expected(indices);
            assert_eq!(states.rows(&batch), None);
            states.keep(&batch, &rows);
        }
        for indices in [&[0, 2][..], &[2, 0], &[0, 1], &[3, 2, 1, 0], &[2], &[1]] {
            let (batch, rows) = expected(indices);
            assert_eq!(states.rows(&batch), Some(rows), "{indices:?}");
        }
        assert_eq!(states.before(3, 2).rows(&expected(&[0]).0), None);
    }
}
