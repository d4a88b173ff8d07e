//! Which rows each step sees, in which order, and how much each counts.

use crate::random::below;
use crate::recipe::{ClassWeights, Recipe, TrainingText};
use lincah_model::{Loss, TokenBatch};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::ops::Range;

/// Most tokens whose activations are held at once, unless a single text has more.
const MOST_TOKENS_AT_ONCE: usize = 512;
/// The same on a GPU for rows of several questions, whose many short tails would leave it idle.
pub(super) const MOST_TOKENS_ON_GPU: usize = 4096;

/// What should follow a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// The token of this answer.
    Answer(usize),
    /// This token, the answer being part of what is read.
    Token(u32),
}

/// A prompt of a training row, and how much each answer to it counts.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// Its tokens.
    pub(crate) prompt: Vec<u32>,
    /// What should follow and its weight: its class weight, times its probability where the target is soft.
    pub(crate) answers: Vec<(Next, f64)>,
}

impl Question {
    /// A question whose answers have these probabilities; `weights` are those of the classes.
    pub(crate) fn new(prompt: Vec<u32>, probabilities: &[f64], weights: &[f64]) -> Self {
        let answers = probabilities.iter().zip(weights).enumerate().filter(|(_, (probability, _))| **probability > 0.0);
        Self {
            prompt,
            answers: answers.map(|(answer, (probability, weight))| (Next::Answer(answer), probability * weight)).collect(),
        }
    }

    /// The same question, counted so many times.
    pub(super) fn times(mut self, weight: f64) -> Self {
        self.answers.iter_mut().for_each(|answer| answer.1 *= weight);
        self
    }

    fn weight(&self) -> f64 {
        self.answers.iter().map(|answer| answer.1).sum()
    }
}

/// The weight of each class in the loss.
pub(crate) fn class_weights(recipe: &Recipe, class_rows: &[usize]) -> Vec<f64> {
    let rows: usize = class_rows.iter().sum();
    let weight = |&count: &usize| match recipe.class_weights {
        ClassWeights::Balanced if count > 0 => rows as f64 / (class_rows.len() * count) as f64,
        _ => 1.0,
    };
    class_rows.iter().map(weight).collect()
}

/// The steps of a training, each a function of the recipe and its own number alone.
pub(crate) struct Plan {
    /// The questions of all rows, as many per row.
    questions: Vec<Question>,
    questions_per_row: usize,
    /// Tokens that all questions of a row begin with, computed once for them.
    shared: Vec<usize>,
    pub(super) steps: usize,
    /// Steps of each member; the epochs are numbered on through all of them.
    pub(super) member_steps: usize,
    pub(super) steps_per_epoch: usize,
    batch_size: usize,
    /// Most tokens of a micro-batch.
    most_tokens: usize,
    loss: Loss,
    /// What the loss is divided by for each text, where that is not its number of tokens.
    terms_of_a_text: Option<usize>,
    shuffle: bool,
    seed: u64,
}

/// What is computed at once: prompts, those of a row together, and the targets' places among them, answers and weights.
pub(super) struct MicroBatch<'a> {
    pub(super) groups: Vec<Vec<&'a [u32]>>,
    pub(super) texts: Vec<usize>,
    pub(super) next: Vec<Next>,
    pub(super) weights: Vec<f32>,
}

impl Plan {
    /// The steps over rows of `questions_per_row` questions each.
    pub(crate) fn new(recipe: &Recipe, questions: Vec<Question>, questions_per_row: usize) -> Self {
        let rows = questions.len() / questions_per_row;
        let shared = |row: &[Question]| {
            let prompts: Vec<&[u32]> = row.iter().map(|question| question.prompt.as_slice()).collect();
            TokenBatch::new(&prompts).prefix_length()
        };
        Self {
            shared: questions.chunks(questions_per_row).map(shared).collect(),
            questions,
            questions_per_row,
            most_tokens: MOST_TOKENS_AT_ONCE,
            steps: recipe.steps(rows),
            member_steps: recipe.steps(rows) / recipe.members,
            steps_per_epoch: rows.div_ceil(recipe.batch_size),
            batch_size: recipe.batch_size,
            loss: recipe.loss,
            terms_of_a_text: (recipe.training_text == TrainingText::Codelab).then_some(recipe.max_tokens),
            shuffle: recipe.shuffle,
            seed: recipe.seed,
        }
    }

    /// The same with larger micro-batches.
    pub(super) fn with_most_tokens(self, most_tokens: usize) -> Self {
        Self { most_tokens, ..self }
    }

    /// Training rows.
    pub(super) fn rows(&self) -> usize {
        self.questions.len() / self.questions_per_row
    }

    /// The rows of `step` (from 0).
    pub(super) fn batch(&self, step: usize) -> Vec<usize> {
        let (epoch, place) = (step / self.steps_per_epoch, step % self.steps_per_epoch);
        let rows = self.rows();
        let mut order: Vec<usize> = (0..rows).collect();
        if self.shuffle {
            let mut random = self.random(epoch as u64, 0);
            for last in (1..rows).rev() {
                order.swap(last, below(&mut random, last + 1));
            }
        }
        order[place * self.batch_size..rows.min((place + 1) * self.batch_size)].to_vec()
    }

    /// The micro-batches in which a step's batch is computed one after the other: at least `least`, and more where its texts are long, so
    /// that memory has a bound. The gradients are summed, so that only rounding depends on it.
    ///
    /// What the questions of a row share is held once. The weights are scaled so that the step's loss is a weighted mean, over the questions
    /// or, for the loss on all tokens, over the tokens (over so many places per text in the codelab's way, which pads).
    pub(super) fn micro_batches(&self, batch: &[usize], least: usize) -> Vec<MicroBatch<'_>> {
        let of_row = |&row: &usize| row * self.questions_per_row..(row + 1) * self.questions_per_row;
        let questions: Vec<usize> = batch.iter().flat_map(of_row).collect();
        let terms = |question: &Question| match (self.loss, self.terms_of_a_text) {
            (Loss::AllTokens, Some(terms)) => terms as f64,
            (Loss::AllTokens, None) => question.prompt.len() as f64,
            _ => 1.0,
        };
        let sum: f64 = questions.iter().map(|&question| &self.questions[question]).map(|q| q.weight() * terms(q)).sum();
        let micro_batch = |range: Range<usize>| {
            let range = &questions[range];
            let rows = range.chunk_by(|&left, &right| self.row(left) == self.row(right));
            let prompts = |row: &[usize]| row.iter().map(|&question| self.questions[question].prompt.as_slice()).collect();
            let answers = || {
                let of = |(text, &question): (usize, &usize)| self.questions[question].answers.iter().map(move |a| (text, a));
                range.iter().enumerate().flat_map(of)
            };
            MicroBatch {
                groups: rows.map(prompts).collect(),
                texts: answers().map(|(text, _)| text).collect(),
                next: answers().map(|(_, answer)| answer.0).collect(),
                weights: answers().map(|(_, answer)| (answer.1 / sum) as f32).collect(),
            }
        };
        self.ranges(&questions, batch.len().div_ceil(least)).into_iter().map(micro_batch).collect()
    }

    fn row(&self, question: usize) -> usize {
        question / self.questions_per_row
    }

    /// Runs of a step's questions that are computed at once: of at most `most` rows, and not too many tokens. A row that has room is not
    /// divided.
    fn ranges(&self, questions: &[usize], most: usize) -> Vec<Range<usize>> {
        let (mut ranges, mut tokens, mut rows): (Vec<Range<usize>>, usize, usize) = (Vec::new(), 0, 0);
        let mut begin = 0;
        for row in questions.chunk_by(|&left, &right| self.row(left) == self.row(right)) {
            let shared = self.shared[self.row(row[0])];
            let own = |&question: &usize| self.questions[question].prompt.len() - shared;
            let needed = shared + row.iter().map(own).sum::<usize>();
            match ranges.last_mut() {
                Some(range) if rows < most && tokens + needed <= self.most_tokens => {
                    range.end += row.len();
                    (tokens, rows) = (tokens + needed, rows + 1);
                }
                _ => {
                    ranges.push(begin..begin);
                    tokens = shared;
                    for (index, question) in row.iter().enumerate() {
                        let place = begin + index;
                        if !ranges[ranges.len() - 1].is_empty() && tokens + own(question) > self.most_tokens {
                            ranges.push(place..place);
                            tokens = shared;
                        }
                        tokens += own(question);
                        let last = ranges.len() - 1;
                        ranges[last].end = place + 1;
                    }
                    rows = 1;
                }
            }
            begin += row.len();
        }
        ranges
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
        let labels = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1];
        Plan::new(recipe, questions(&labels, &(1..=10).collect::<Vec<_>>(), &class_weights(recipe, &[8, 2])), 1)
    }

    /// Questions of these labels and lengths, each with its own tokens.
    fn questions(labels: &[usize], lengths: &[usize], weights: &[f64]) -> Vec<Question> {
        let question = |(index, (&label, &length)): (usize, (&usize, &usize))| {
            Question::new(vec![index as u32; length], &[[1.0, 0.0], [0.0, 1.0]][label], weights)
        };
        labels.iter().zip(lengths).enumerate().map(question).collect()
    }

    fn lengths(plan: &Plan, batch: &[usize], least: usize) -> Vec<usize> {
        plan.micro_batches(batch, least).iter().map(|batch| batch.groups.iter().flatten().count()).collect()
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
    fn long_batches_are_computed_in_micro_batches() {
        let questions = questions(&[0, 1, 0, 1, 0, 1], &[250, 250, 60, 700, 10, 10], &[1.0, 1.0]);
        let plan = Plan::new(&Recipe::default(), questions, 1);
        let batch: Vec<usize> = (0..6).collect();
        assert_eq!(lengths(&plan, &batch, 1), [2, 1, 1, 2]);
        assert_eq!(lengths(&plan, &batch, 6), [1; 6]);
        assert_eq!(lengths(&plan, &batch[4..], 1), [2]);
    }

    #[test]
    fn the_questions_of_a_row_are_computed_together() {
        let question = |shared: usize, own: u32| {
            let tokens = std::iter::repeat_n(9, shared).chain(std::iter::repeat_n(own, 20)).collect();
            Question::new(tokens, &[0.0, 1.0], &[1.0, 1.0])
        };
        let row = |shared: usize| (0..3).map(move |own| question(shared, own));
        let plan = Plan::new(&Recipe::default(), row(5).chain(row(452)).chain(row(487)).collect(), 3);
        assert_eq!((plan.rows(), plan.steps_per_epoch), (3, 1));
        // 452 + 3 · 20 tokens are just not too many at once, 487 + 2 · 20 are.
        assert_eq!(lengths(&plan, &[1, 0, 2], 1), [3, 3, 1, 1, 1]);
        let short = Plan::new(&Recipe::default(), row(5).chain(row(9)).chain(row(30)).collect(), 3);
        assert_eq!(lengths(&short, &[0, 1, 2], 1), [9]);
        assert_eq!(lengths(&short, &[0, 1, 2], 2), [6, 3]);
    }

    fn weights(plan: &Plan, batch: &[usize]) -> Vec<f32> {
        plan.micro_batches(batch, 1).into_iter().flat_map(|batch| batch.weights).collect()
    }

    #[test]
    fn weights_make_a_weighted_mean() {
        let balanced = plan(&Recipe { class_weights: ClassWeights::Balanced, ..Recipe::default() });
        assert_eq!(weights(&balanced, &[0, 9]), [0.625 / 3.125, 2.5 / 3.125]);
        let all_tokens = plan(&Recipe { loss: Loss::AllTokens, ..Recipe::default() });
        assert_eq!(weights(&all_tokens, &[0, 8]), [0.1, 0.1]);
        let codelab = plan(&Recipe::codelab());
        assert_eq!(weights(&codelab, &[0, 8]), [1.0 / 256.0; 2]);
        let in_order = plan(&Recipe { shuffle: false, batch_size: 4, ..Recipe::default() });
        assert_eq!(in_order.batch(5), [8, 9]);
    }

    #[test]
    fn a_soft_target_is_shared_out_among_the_answers() {
        let prompt = |token| vec![token; 3];
        let soft = [Question::new(prompt(1), &[0.25, 0.75], &[1.0, 2.0]), Question::new(prompt(2), &[1.0, 0.0], &[1.0, 2.0])];
        let plan = Plan::new(&Recipe::default(), soft.to_vec(), 1);
        let parts = plan.micro_batches(&[0, 1], 1);
        assert_eq!((&parts[0].texts, &parts[0].next), (&vec![0, 0, 1], &[0, 1, 0].map(Next::Answer).to_vec()));
        assert_eq!(parts[0].weights, [0.25, 1.5, 1.0].map(|weight| (weight / 2.75) as f32));
    }
}
