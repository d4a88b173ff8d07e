//! Which rows each step sees, in which order, and how much each counts.

use crate::prompt::EncodedPrompt;
use crate::random::below;
use crate::recipe::{ClassWeights, Recipe, TrainingText};
use lincah_model::Loss;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::ops::Range;

/// Most tokens whose activations are held at once, unless a single text has more.
const MOST_TOKENS_AT_ONCE: usize = 640;

/// The steps of a training, each a function of the recipe and its own number alone.
pub(super) struct Plan {
    pub(super) prompts: Vec<EncodedPrompt>,
    /// The token that should follow each.
    pub(super) targets: Vec<u32>,
    pub(super) labels: Vec<usize>,
    pub(super) steps: usize,
    pub(super) steps_per_epoch: usize,
    batch_size: usize,
    class_weights: Vec<f64>,
    loss: Loss,
    /// What the loss is divided by for each text, where that is not its number of tokens.
    terms_of_a_text: Option<usize>,
    shuffle: bool,
    seed: u64,
}

impl Plan {
    pub(super) fn new(
        recipe: &Recipe,
        prompts: Vec<EncodedPrompt>,
        (targets, labels): (Vec<u32>, &[usize]),
        class_rows: &[usize],
    ) -> Self {
        let rows = labels.len();
        let class_weight = |&count: &usize| match recipe.class_weights {
            ClassWeights::Balanced if count > 0 => rows as f64 / (class_rows.len() * count) as f64,
            _ => 1.0,
        };
        Self {
            prompts,
            targets,
            labels: labels.to_vec(),
            steps: recipe.steps(rows),
            steps_per_epoch: rows.div_ceil(recipe.batch_size),
            batch_size: recipe.batch_size,
            class_weights: class_rows.iter().map(class_weight).collect(),
            loss: recipe.loss,
            terms_of_a_text: (recipe.training_text == TrainingText::Codelab).then_some(recipe.max_tokens),
            shuffle: recipe.shuffle,
            seed: recipe.seed,
        }
    }

    /// The rows of `step` (from 0).
    pub(super) fn batch(&self, step: usize) -> Vec<usize> {
        let (epoch, place) = (step / self.steps_per_epoch, step % self.steps_per_epoch);
        let rows = self.labels.len();
        let mut order: Vec<usize> = (0..rows).collect();
        if self.shuffle {
            let mut random = self.random(epoch as u64, 0);
            for last in (1..rows).rev() {
                order.swap(last, below(&mut random, last + 1));
            }
        }
        order[place * self.batch_size..rows.min((place + 1) * self.batch_size)].to_vec()
    }

    /// What each row's loss is multiplied by: the class weights, scaled so that the step's loss is a weighted mean, over the texts or,
    /// for the loss on all tokens, over the tokens (over so many places a text in the codelab's way, which pads).
    pub(super) fn weights(&self, batch: &[usize]) -> Vec<f32> {
        let weight = |&row: &usize| self.class_weights[self.labels[row]];
        let terms = |row: &usize| match (self.loss, self.terms_of_a_text) {
            (Loss::AllTokens, Some(terms)) => terms as f64,
            (Loss::AllTokens, None) => self.prompts[*row].tokens.len() as f64,
            _ => 1.0,
        };
        let sum: f64 = batch.iter().map(|row| weight(row) * terms(row)).sum();
        batch.iter().map(|row| (weight(row) / sum) as f32).collect()
    }

    /// The parts in which a step's batch is computed one after the other: at least `least`, and more where its texts are long, so that
    /// memory has a bound. The gradients are summed, so that only rounding depends on it.
    pub(super) fn parts(&self, batch: &[usize], least: usize) -> Vec<Range<usize>> {
        let most = batch.len().div_ceil(least);
        let mut parts: Vec<Range<usize>> = Vec::new();
        let mut tokens = 0;
        for (index, &row) in batch.iter().enumerate() {
            tokens += self.prompts[row].tokens.len();
            match parts.last_mut() {
                Some(part) if part.len() < most && tokens <= MOST_TOKENS_AT_ONCE => part.end = index + 1,
                _ => {
                    tokens = self.prompts[row].tokens.len();
                    parts.push(index..index + 1);
                }
            }
        }
        parts
    }

    pub(super) fn dropout_seed(&self, step: usize, part: usize) -> u64 {
        self.random(step as u64, 1 + part as u64).next_u64()
    }

    /// A generator for one purpose: ChaCha8 keyed by the seed, on a stream of its own.
    fn random(&self, index: u64, purpose: u64) -> ChaCha8Rng {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed.wrapping_add(0x6C69_6E63_6168));
        random.set_stream(index << 16 | purpose);
        random
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(recipe: &Recipe) -> Plan {
        let prompts = (1..=10).map(|length| EncodedPrompt { tokens: vec![0; length], cut_characters: 0 }).collect();
        Plan::new(recipe, prompts, (vec![7; 10], &[0, 0, 0, 0, 0, 0, 0, 0, 1, 1]), &[8, 2])
    }

    #[test]
    fn every_epoch_sees_every_row_once_in_another_order() {
        let plan = plan(&Recipe { batch_size: 4, epochs: 2, ..Recipe::default() });
        assert_eq!((plan.steps, plan.steps_per_epoch), (6, 3));
        let epoch = |epoch: usize| (0..3).flat_map(|place| plan.batch(epoch * 3 + place)).collect::<Vec<_>>();
        for order in [epoch(0), epoch(1)] {
            let mut sorted = order;
            sorted.sort_unstable();
            assert_eq!(sorted, (0..10).collect::<Vec<_>>());
        }
        assert_ne!(epoch(0), epoch(1));
        assert_ne!(plan.dropout_seed(0, 0), plan.dropout_seed(0, 1));
        assert_ne!(plan.dropout_seed(0, 0), plan.dropout_seed(1, 0));
    }

    #[test]
    fn long_batches_are_computed_in_parts() {
        let prompts = [300, 300, 60, 700, 10, 10].map(|length| EncodedPrompt { tokens: vec![0; length], cut_characters: 0 });
        let plan = Plan::new(&Recipe::default(), prompts.to_vec(), (vec![7; 6], &[0, 1, 0, 1, 0, 1]), &[3, 3]);
        let batch: Vec<usize> = (0..6).collect();
        assert_eq!(plan.parts(&batch, 1), [0..2, 2..3, 3..4, 4..6]);
        assert_eq!(plan.parts(&batch, 6), [0..1, 1..2, 2..3, 3..4, 4..5, 5..6]);
        assert_eq!(plan.parts(&batch[4..], 1), vec![0..2]);
    }

    #[test]
    fn weights_make_a_weighted_mean() {
        let balanced = plan(&Recipe { class_weights: ClassWeights::Balanced, ..Recipe::default() });
        assert_eq!(balanced.weights(&[0, 9]), [0.625 / 3.125, 2.5 / 3.125]);
        let all_tokens = plan(&Recipe { loss: Loss::AllTokens, ..Recipe::default() });
        assert_eq!(all_tokens.weights(&[0, 8]), [0.1, 0.1]);
        let codelab = plan(&Recipe::codelab());
        assert_eq!(codelab.weights(&[0, 8]), [1.0 / 256.0; 2]);
        let in_order = plan(&Recipe { shuffle: false, batch_size: 4, ..Recipe::default() });
        assert_eq!(in_order.batch(5), [8, 9]);
    }
}
