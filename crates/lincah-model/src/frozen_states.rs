//! What enters the lowest adapted layer, kept by text: the layers below are frozen, so that it is the same at every step.

use crate::batch::TokenBatch;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Most numbers that are kept, a gigabyte; texts beyond are computed at every step.
const MOST_NUMBERS: usize = 1 << 28;

/// The residual stream before a layer, `[tokens, D]` per text, shared by the trainings of one base model.
#[derive(Debug, Default)]
pub struct FrozenStates(Mutex<States>);

#[derive(Debug, Default)]
struct States {
    /// By layer and text.
    texts: HashMap<(usize, Vec<u32>), FrozenText>,
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
    (0..batch.texts()).map(|text| batch.text_tokens(text))
}

impl FrozenStates {
    /// The batch's rows before `layer`, `[N, D]`, if all of its texts are known.
    pub(crate) fn rows(&self, layer: usize, width: usize, batch: &TokenBatch) -> Option<Vec<f32>> {
        let states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = texts(batch).map(|tokens| states.texts.get(&(layer, tokens))).collect::<Option<Vec<_>>>()?;
        let mut rows = Vec::with_capacity(batch.rows() * width);
        known[0].append(0, &mut rows);
        rows.truncate(batch.prefix_length() * width);
        known.iter().for_each(|text| text.append(batch.prefix_length() * width, &mut rows));
        Some(rows)
    }

    /// Keeps the batch's rows before `layer`, `[N, D]`.
    pub(crate) fn keep(&self, layer: usize, width: usize, batch: &TokenBatch, rows: &[f32]) {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let shared: Arc<[f32]> = rows[..batch.prefix_length() * width].into();
        for (text, tokens) in texts(batch).enumerate() {
            let own = batch.layout.own_rows(text);
            let own = &rows[own.start * width..own.end * width];
            let key = (layer, tokens);
            if states.numbers + own.len() <= MOST_NUMBERS && !states.texts.contains_key(&key) {
                states.numbers += own.len();
                states.texts.insert(key, FrozenText { shared: shared.clone(), own: own.into() });
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
        let states = FrozenStates::default();
        for indices in [&[0, 2][..], &[1, 3]] {
            let (batch, rows) = expected(indices);
            assert_eq!(states.rows(2, 2, &batch), None);
            states.keep(2, 2, &batch, &rows);
        }
        for indices in [&[0, 2][..], &[2, 0], &[0, 1], &[3, 2, 1, 0], &[2], &[1]] {
            let (batch, rows) = expected(indices);
            assert_eq!(states.rows(2, 2, &batch), Some(rows), "{indices:?}");
        }
        assert_eq!(states.rows(3, 2, &expected(&[0]).0), None);
    }
}
