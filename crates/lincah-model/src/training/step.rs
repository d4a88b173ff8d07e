//! What one training step reads on the device, how much memory it takes, and its recording for batches of the same shape.

use super::{BackboneTraining, Entry, LabelRowTargets, backpropagate};
use crate::backbone::Head;
use crate::batch::TokenBatch;
use crate::config::QueryKeyNorm;
use crate::error::ModelError;
use crate::loss::Loss;
use crate::pass::{DeviceBatch, KeptRows, MOST_RECORDED_ROWS};
use lincah_kernels::Kernels;
use std::collections::BTreeMap;

/// Most logits that are held at once.
const MOST_LOGITS: usize = 1 << 24;
/// Shapes that are remembered before all are forgotten.
const MOST_SHAPES: usize = 128;

/// Everything that a recording depends on. Batches are filled up to few numbers of rows, so that few shapes occur.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StepShape {
    rows: usize,
    prefix_length: usize,
    texts: usize,
    segments: usize,
    positions: usize,
    /// Text of each scored row, and how many questions it answers.
    scored: (Vec<usize>, usize),
    /// The loss and its candidates; none where the label rows are asked.
    tokens: Option<(Loss, Vec<u32>)>,
}

/// Steps by their shape.
pub(super) type RecordedSteps<K> = BTreeMap<StepShape, RecordedStep<K>>;

/// A step's inputs, which later steps of the shape replace, and its recording, made at the second step.
pub(super) struct RecordedStep<K: Kernels> {
    inputs: StepInputs<K>,
    recording: Option<K::Recording>,
}

/// What the step reads on the device besides the model.
pub(super) struct StepInputs<K: Kernels> {
    pub(super) on_device: DeviceBatch<K>,
    /// `None` keeps all rows.
    pub(super) kept: Option<KeptRows<K>>,
    pub(super) terms: Vec<DeviceTerms<K>>,
    /// `None` asks the adapter's label rows.
    pub(super) head: Option<Head<K>>,
}

/// Scored rows whose logits are held at once, M of them, each with Q questions.
pub(super) struct DeviceTerms<K: Kernels> {
    pub(super) count: usize,
    pub(super) questions: usize,
    /// `[M]`; the others `[M, Q]`.
    pub(super) rows: K::Indices,
    pub(super) classes: K::Indices,
    pub(super) weights: K::Buffer,
    /// Written by the step.
    pub(super) losses: K::Buffer,
}

/// What the scored rows are asked.
#[derive(Clone, Copy)]
pub(super) enum Asked<'a> {
    /// Which token follows, of these or of all.
    Tokens(Loss, &'a [u32]),
    /// Which of the adapter's label rows.
    LabelRows,
}

/// The summands of a loss: M scored rows with Q questions each.
#[derive(Debug, PartialEq)]
pub(super) struct StepTerms {
    /// `[M]`, not all different.
    pub(super) rows: Vec<usize>,
    pub(super) questions: usize,
    /// The column of its question's logits that each answer is, `[M, Q]`.
    pub(super) classes: Vec<usize>,
    /// 0 where a row leaves a question out, `[M, Q]`.
    pub(super) weights: Vec<f32>,
}

impl StepTerms {
    /// Each text is scored as often as its question with most entries needs. `None` if a target is none of the rows, or these are not as
    /// many for each question.
    pub(super) fn of_label_rows(targets: &LabelRowTargets, rows: usize) -> Option<Self> {
        let &LabelRowTargets { answers, texts, rows: target_rows, weights } = targets;
        if answers == 0 || rows == 0 || !rows.is_multiple_of(answers) || target_rows.iter().any(|&row| row >= rows) {
            return None;
        }
        let questions = rows / answers;
        let mut terms = Self { rows: Vec::new(), questions, classes: Vec::new(), weights: Vec::new() };
        // Where each question's next entry of the text at hand goes.
        let (mut first, mut next) = (0, vec![0; questions]);
        for (place, (&row, &weight)) in target_rows.iter().zip(weights).enumerate() {
            if place > 0 && texts[place] != texts[place - 1] {
                first = terms.rows.len();
                next.fill(0);
            }
            let (question, answer) = (row / answers, row % answers);
            let scored = first + next[question];
            next[question] += 1;
            if scored == terms.rows.len() {
                terms.rows.push(texts[place]);
                terms.classes.resize(terms.rows.len() * questions, 0);
                terms.weights.resize(terms.rows.len() * questions, 0.0);
            }
            terms.classes[scored * questions + question] = answer;
            terms.weights[scored * questions + question] = weight;
        }
        Some(terms)
    }
}

/// What a step is asked for.
#[derive(Clone, Copy)]
pub(super) struct StepRequest<'a> {
    pub(super) asked: Asked<'a>,
    pub(super) terms: &'a StepTerms,
    pub(super) lowest: usize,
    pub(super) dropout_seed: u64,
}

impl<K: Kernels> BackboneTraining<K> {
    /// The loss of a step, whose gradients are added to the adapter's.
    pub(super) fn step(&mut self, batch: &TokenBatch, request: StepRequest) -> Result<f64, ModelError> {
        self.check_memory(batch.rows())?;
        if !self.is_recordable(batch, &request) {
            let mut inputs = self.inputs(batch, batch.texts(), &request)?;
            let entry = self.entry(batch, &inputs, request.lowest)?;
            self.compute(&mut inputs, entry, &request);
            return Ok(self.loss(&inputs, &request));
        }
        let texts = batch.texts();
        let batch = batch.filled(filled_rows(batch.rows()));
        let shape = StepShape {
            rows: batch.rows(),
            prefix_length: batch.prefix_length(),
            texts,
            segments: batch.layout.segment_count(),
            positions: rope_positions(&batch),
            scored: (request.terms.rows.clone(), request.terms.questions),
            tokens: match request.asked {
                Asked::Tokens(loss, candidates) => Some((loss, candidates.to_vec())),
                Asked::LabelRows => None,
            },
        };
        if self.recorded.len() >= MOST_SHAPES {
            self.recorded.clear();
        }
        let step = match self.recorded.remove(&shape) {
            None => {
                let mut inputs = self.inputs(&batch, texts, &request)?;
                let states = self.base.embed(&self.kernels, &batch, &inputs.on_device)?;
                self.compute(&mut inputs, Entry { states, first: 0 }, &request);
                RecordedStep { inputs, recording: None }
            }
            Some(step) => self.again(&batch, step, &request),
        };
        let value = self.loss(&step.inputs, &request);
        self.recorded.insert(shape, step);
        Ok(value)
    }

    fn compute(&mut self, inputs: &mut StepInputs<K>, entry: Entry<K>, request: &StepRequest) {
        let Self { base, kernels, adapter, .. } = self;
        backpropagate((base, kernels), adapter, inputs, entry, (request.lowest, request.dropout_seed));
    }

    /// The residual stream before the first layer to compute: the lowest adapted one where what enters it is known from an earlier step.
    /// Such states are kept in the processor's memory only.
    fn entry(&self, batch: &TokenBatch, inputs: &StepInputs<K>, lowest: usize) -> Result<Entry<K>, ModelError> {
        let (base, kernels, hidden_size) = (&self.base, &self.kernels, self.base.config().hidden_size);
        if lowest == 0 || kernels.gpu().is_some() {
            return Ok(Entry { states: base.embed(kernels, batch, &inputs.on_device)?, first: 0 });
        }
        if let Some(rows) = self.frozen_states.rows(lowest, hidden_size, batch) {
            return Ok(Entry { states: kernels.upload(&rows), first: lowest });
        }
        let embedded = base.embed(kernels, batch, &inputs.on_device)?;
        let pass = inputs.on_device.pass(kernels, None);
        let below = base.blocks[..lowest].iter().zip(&self.adapter.layers);
        let states = below.fold(embedded, |x, (block, adapter)| block.forward(&pass, adapter, x, None, None).0);
        self.frozen_states.keep(lowest, hidden_size, batch, &kernels.download(&states));
        Ok(Entry { states, first: lowest })
    }

    /// Puts the batch in the place of the one before, records the step if that is still to be done, and runs it.
    fn again(&mut self, batch: &TokenBatch, step: RecordedStep<K>, request: &StepRequest) -> RecordedStep<K> {
        let Self { base, kernels, adapter, .. } = self;
        let RecordedStep { mut inputs, mut recording } = step;
        inputs.on_device.replace(kernels, batch);
        if let Some(kept) = &mut inputs.kept {
            kernels.replace_indices(&batch.layout.last_rows()[..kept.count], &mut kept.indices);
        }
        for terms in &mut inputs.terms {
            kernels.replace_indices(&request.terms.classes, &mut terms.classes);
            kernels.replace(&request.terms.weights, &mut terms.weights);
        }
        if recording.is_none() {
            recording = kernels.record(&mut || {
                let states = base.look_up(kernels, batch.rows(), &inputs.on_device);
                let seeds = (request.lowest, request.dropout_seed);
                backpropagate((base, kernels), adapter, &mut inputs, Entry { states, first: 0 }, seeds);
            });
        }
        kernels.replay(recording.as_ref().expect("a device that records has a recording"));
        RecordedStep { inputs, recording }
    }

    /// Dropout is drawn anew at every step, and the loss on every token has other terms in every batch: neither is recorded.
    fn is_recordable(&self, batch: &TokenBatch, request: &StepRequest) -> bool {
        let mut loras = self.adapter.layers.iter().flat_map(|layer| &layer.projections).flatten();
        self.kernels.records()
            && !is_of_all_tokens(request)
            && batch.rows() <= MOST_RECORDED_ROWS
            && request.terms.rows.len() * self.head_width(request) <= MOST_LOGITS
            && loras.all(|lora| lora.dropout == 0.0)
    }

    fn head_width(&self, request: &StepRequest) -> usize {
        match request.asked {
            Asked::Tokens(Loss::RestrictedLabel, candidates) => candidates.len(),
            Asked::Tokens(..) => self.base.config().vocabulary_size,
            Asked::LabelRows => self.adapter.label_rows.as_ref().map_or(0, |rows| rows.shape[0]),
        }
    }

    /// The first `texts` texts of the batch are scored.
    fn inputs(&mut self, batch: &TokenBatch, texts: usize, request: &StepRequest) -> Result<StepInputs<K>, ModelError> {
        let head = match (request.asked, &self.head) {
            (Asked::Tokens(Loss::RestrictedLabel, candidates), _) => {
                Some(self.candidate_head.of(&self.base, &self.kernels, candidates)?)
            }
            (Asked::Tokens(..), Some(head)) => Some(head.clone()),
            (Asked::Tokens(..), None) => Some(self.head.insert(self.base.whole_head()?).clone()),
            (Asked::LabelRows, _) => None,
        };
        let most = (MOST_LOGITS / self.head_width(request)).max(1);
        let (kernels, StepTerms { rows, questions, classes, weights }) = (&self.kernels, request.terms);
        let of_rows = rows.chunks(most).zip(classes.chunks(most * questions)).zip(weights.chunks(most * questions));
        let terms = of_rows.map(|((rows, classes), weights)| DeviceTerms {
            count: rows.len(),
            questions: *questions,
            rows: kernels.indices(rows),
            classes: kernels.indices(classes),
            weights: kernels.upload(weights),
            losses: kernels.uninitialized(classes.len()),
        });
        let kept = (!is_of_all_tokens(request)).then(|| KeptRows::new(kernels, &batch.layout.last_rows()[..texts]));
        let tables = self.base.rope_tables(kernels, rope_positions(batch));
        Ok(StepInputs { on_device: DeviceBatch::new(kernels, batch, tables), kept, terms: terms.collect(), head })
    }

    /// `Σ weight * loss`.
    fn loss(&self, inputs: &StepInputs<K>, request: &StepRequest) -> f64 {
        let losses = inputs.terms.iter().flat_map(|terms| self.kernels.download(&terms.losses));
        losses.zip(&request.terms.weights).map(|(loss, &weight)| f64::from(loss) * f64::from(weight)).sum()
    }

    /// Refuses a step that would not fit, before it begins. A larger step is looked at once.
    fn check_memory(&mut self, rows: usize) -> Result<(), ModelError> {
        if rows <= self.largest_step {
            return Ok(());
        }
        if let Some(free) = self.kernels.free_memory() {
            let needed = self.step_bytes(rows);
            if needed > free {
                return Err(ModelError::StepTooLarge { rows, needed, free });
            }
        }
        self.largest_step = rows;
        Ok(())
    }

    /// About how many bytes a training step of so many rows takes: what the forward keeps of every layer, and what one layer works with.
    fn step_bytes(&self, rows: usize) -> usize {
        let (config, product) = (self.base.config(), self.kernels.product_bytes());
        let (hidden, intermediate) = (config.hidden_size, config.intermediate_size);
        let queries = config.head_count * config.head_dimension;
        let keys = config.key_value_head_count * config.head_dimension;
        let has_query_key_norm = config.query_key_norm != QueryKeyNorm::None;
        let normed = if has_query_key_norm { queries + keys } else { 0 } + if config.post_norms { 2 * hidden } else { 0 };
        let stream = 4 * hidden;
        let layer = 2 * stream + product * (2 * queries + 2 * keys + 2 * intermediate + normed + hidden) + 4 * config.head_count;
        let working = 4 * stream + (4 + 3 * product) * intermediate + (4 + 2 * product) * queries;
        let layers = config.layers.len();
        rows * if self.base.recompute { layers * stream + layer + working } else { layers * layer + working }
    }
}

fn is_of_all_tokens(request: &StepRequest) -> bool {
    matches!(request.asked, Asked::Tokens(Loss::AllTokens, _))
}

/// Positions of the rotary tables: a few more, so that batches of one shape share them.
fn rope_positions(batch: &TokenBatch) -> usize {
    batch.layout.longest().next_multiple_of(64)
}

/// Rows to fill a batch up to: one at least. Fewer than 256 rows cost what the weights cost, however many there are.
fn filled_rows(rows: usize) -> usize {
    (rows + 1).next_multiple_of(((rows + 1).next_power_of_two() / 16).max(32))
}

#[cfg(test)]
mod tests {
    use super::{LabelRowTargets, StepTerms, filled_rows};

    #[test]
    fn a_text_is_scored_once_for_all_its_questions_and_again_for_soft_targets() {
        let targets = LabelRowTargets {
            answers: 2,
            texts: &[0, 0, 0, 0, 2, 2],
            rows: &[1, 2, 3, 4, 0, 5],
            weights: &[1.0, 0.25, 0.75, 2.0, 3.0, 4.0],
        };
        let expected = StepTerms {
            rows: vec![0, 0, 2],
            questions: 3,
            classes: vec![1, 0, 0, 0, 1, 0, 0, 0, 1],
            weights: vec![1.0, 0.25, 2.0, 0.0, 0.75, 0.0, 3.0, 0.0, 4.0],
        };
        assert_eq!(StepTerms::of_label_rows(&targets, 6), Some(expected));
        assert_eq!(StepTerms::of_label_rows(&targets, 5), None);
        assert_eq!(StepTerms::of_label_rows(&targets, 4), None);
    }

    #[test]
    fn batches_are_filled_to_few_numbers_of_rows() {
        for rows in 1..3000 {
            let filled = filled_rows(rows);
            assert!(filled > rows && filled <= rows + 32.max(rows / 7), "{rows} {filled}");
        }
    }
}
