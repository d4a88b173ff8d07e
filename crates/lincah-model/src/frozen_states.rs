//! What enters the lowest adapted layer, kept by text: the layers below are frozen, so that it is the same at every step.

use crate::batch::TokenBatch;
use std::collections::HashMap;
use std::ops::Range;
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
    /// Of those that its group's shared.
    group: Arc<[f32]>,
    /// Of the others.
    own: Box<[f32]>,
}

impl FrozenText {
    /// Puts the numbers from place `from` on over `rows`.
    fn copy(&self, from: usize, rows: &mut [f32]) {
        let (mut skipped, mut written) = (from, 0);
        for part in [&self.shared[..], &self.group, &self.own] {
            let begin = skipped.min(part.len());
            skipped -= begin;
            let part = &part[begin..];
            let count = part.len().min(rows.len() - written);
            rows[written..written + count].copy_from_slice(&part[..count]);
            written += count;
        }
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
        let mut rows = vec![0.0; batch.rows() * width];
        let prefix = batch.prefix_length();
        known[0].copy(0, &mut rows[..prefix * width]);
        for (text, states) in known.iter().enumerate() {
            let (group, own) = (batch.layout.group_prefix(text), batch.layout.own_rows(text));
            states.copy(prefix * width, &mut rows[group.start * width..group.end * width]);
            states.copy((prefix + group.len()) * width, &mut rows[own.start * width..own.end * width]);
        }
        Some(rows)
    }

    /// Keeps the batch's rows before `layer`, `[N, D]`.
    pub(crate) fn keep(&self, layer: usize, width: usize, batch: &TokenBatch, rows: &[f32]) {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let shared: Arc<[f32]> = rows[..batch.prefix_length() * width].into();
        let (mut of_group, mut group): (Range<usize>, Arc<[f32]>) = (0..0, Arc::default());
        for (text, tokens) in texts(batch).enumerate() {
            if batch.layout.group_prefix(text) != of_group {
                of_group = batch.layout.group_prefix(text);
                group = rows[of_group.start * width..of_group.end * width].into();
            }
            let own = batch.layout.own_rows(text);
            let own = &rows[own.start * width..own.end * width];
            let key = (layer, tokens);
            if states.numbers + own.len() <= MOST_NUMBERS && !states.texts.contains_key(&key) {
                states.numbers += own.len();
                states.texts.insert(key, FrozenText { shared: shared.clone(), group: group.clone(), own: own.into() });
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
        let grouped = TokenBatch::grouped(&[vec![all[3]], vec![all[0], all[2]], vec![all[1]]]);
        let rows: Vec<f32> = grouped.tokens.iter().flat_map(|&token| [token as f32, 0.5]).collect();
        assert_eq!(states.rows(2, 2, &grouped), Some(rows.clone()));
        states.keep(5, 2, &grouped, &rows);
        let (batch, rows) = expected(&[2, 0]);
        assert_eq!(states.rows(5, 2, &batch), Some(rows));
        assert_eq!(states.rows(3, 2, &expected(&[0]).0), None);
    }
}
