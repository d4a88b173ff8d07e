//! What one training step reads on the device, how much memory it takes, and its recording for batches of the same shape.

use super::Backbone;
use crate::batch::TokenBatch;
use crate::block::Block;
use crate::error::ModelError;
use crate::lora::Target;
use crate::loss::{Loss, LossTerm};
use crate::pass::{DeviceBatch, KeptRows, MOST_RECORDED_ROWS};
use lincah_kernels::Kernels;
use std::sync::Arc;

/// Most logits that are held at once.
const MOST_LOGITS: usize = 1 << 24;
/// Shapes that are remembered before all are forgotten.
const MOST_SHAPES: usize = 128;

/// Everything that a recording depends on. Batches are filled up to few numbers of rows, so that few shapes occur.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StepShape {
    rows: usize,
    prefix_length: usize,
    texts: usize,
    positions: usize,
    /// Text of each term of the loss.
    terms: Vec<usize>,
    loss: Loss,
    candidates: Vec<u32>,
}

/// A step's inputs, which later steps of the shape replace, and its recording, made at the second step.
pub(crate) struct RecordedStep<K: Kernels> {
    inputs: StepInputs<K>,
    recording: Option<K::Recording>,
}

/// What the step reads on the device besides the model.
pub(crate) struct StepInputs<K: Kernels> {
    pub(crate) on_device: DeviceBatch<K>,
    /// `None` keeps all rows.
    pub(crate) kept: Option<KeptRows<K>>,
    pub(crate) terms: Vec<DeviceTerms<K>>,
    /// `[width, D]`.
    pub(crate) head: Arc<K::Matrix>,
    pub(crate) width: usize,
}

/// Terms of the loss whose logits are held at once, M of them.
pub(crate) struct DeviceTerms<K: Kernels> {
    pub(crate) count: usize,
    pub(crate) rows: K::Indices,
    pub(crate) classes: K::Indices,
    pub(crate) weights: K::Buffer,
    /// Written by the step.
    pub(crate) losses: K::Buffer,
}

/// What a step is asked for.
#[derive(Clone, Copy)]
pub(crate) struct StepRequest<'a> {
    pub(crate) loss: Loss,
    pub(crate) candidates: &'a [u32],
    pub(crate) terms: &'a [LossTerm],
    /// Columns of the logits that the terms' targets stand for.
    pub(crate) classes: &'a [usize],
    pub(crate) lowest: usize,
    pub(crate) dropout_seed: u64,
}

impl<K: Kernels> Backbone<K> {
    /// The loss of a step, whose gradients are added to the blocks'.
    pub(super) fn step(&mut self, blocks: &mut [Block<K>], batch: &TokenBatch, request: StepRequest) -> Result<f64, ModelError> {
        self.check_memory(batch.rows())?;
        if !self.is_recordable(blocks, batch, &request) {
            let mut inputs = self.inputs(batch, batch.texts(), &request)?;
            let entry = self.entry(blocks, batch, &inputs, request.lowest)?;
            self.backpropagate(blocks, &mut inputs, entry, (request.lowest, request.dropout_seed));
            return Ok(self.loss(&inputs, &request));
        }
        let texts = batch.texts();
        let batch = batch.filled(filled_rows(batch.rows()));
        let shape = StepShape {
            rows: batch.rows(),
            prefix_length: batch.prefix_length(),
            texts,
            positions: rope_positions(&batch),
            terms: request.terms.iter().map(|term| term.row).collect(),
            loss: request.loss,
            candidates: request.candidates.to_vec(),
        };
        if self.recorded.len() >= MOST_SHAPES {
            self.recorded.clear();
        }
        let step = match self.recorded.remove(&shape) {
            None => {
                let mut inputs = self.inputs(&batch, texts, &request)?;
                let embedded = self.embed(&batch, &inputs.on_device)?;
                self.backpropagate(blocks, &mut inputs, (embedded, 0), (request.lowest, request.dropout_seed));
                RecordedStep { inputs, recording: None }
            }
            Some(step) => self.again(blocks, &batch, step, &request),
        };
        let value = self.loss(&step.inputs, &request);
        self.recorded.insert(shape, step);
        Ok(value)
    }

    /// The residual stream `[N, D]` before the first layer to compute, and that layer: the lowest adapted one where what enters it is
    /// known from an earlier step. Such states are kept in the processor's memory only.
    fn entry(
        &mut self,
        blocks: &[Block<K>],
        batch: &TokenBatch,
        inputs: &StepInputs<K>,
        lowest: usize,
    ) -> Result<(K::Buffer, usize), ModelError> {
        let hidden_size = self.config().hidden_size;
        if lowest == 0 || self.kernels.gpu().is_some() {
            return Ok((self.embed(batch, &inputs.on_device)?, 0));
        }
        if let Some(rows) = self.frozen.before(lowest, hidden_size).rows(batch) {
            return Ok((self.kernels.upload(&rows), lowest));
        }
        let embedded = self.embed(batch, &inputs.on_device)?;
        let pass = inputs.on_device.pass(&self.kernels, None);
        let states = blocks[..lowest].iter().fold(embedded, |x, block| block.forward(&pass, x, None, None).0);
        let rows = self.kernels.download(&states);
        self.frozen.keep(batch, &rows);
        Ok((states, lowest))
    }

    /// Puts the batch in the place of the one before, records the step if that is still to be done, and runs it.
    fn again(
        &self,
        blocks: &mut [Block<K>],
        batch: &TokenBatch,
        RecordedStep { mut inputs, mut recording }: RecordedStep<K>,
        request: &StepRequest,
    ) -> RecordedStep<K> {
        inputs.on_device.replace(&self.kernels, batch);
        if let Some(kept) = &mut inputs.kept {
            self.kernels.replace_indices(&batch.layout.last_rows()[..kept.count], &mut kept.indices);
        }
        for terms in &mut inputs.terms {
            self.kernels.replace_indices(request.classes, &mut terms.classes);
            self.kernels.replace(&request.terms.iter().map(|term| term.weight).collect::<Vec<_>>(), &mut terms.weights);
        }
        let table = self.embedding.as_ref().expect("a device that records keeps the embedding");
        if recording.is_none() {
            recording = self.kernels.record(&mut || {
                let embedded = self.look_up(table, batch.rows(), &inputs.on_device);
                self.backpropagate(blocks, &mut inputs, (embedded, 0), (request.lowest, request.dropout_seed));
            });
        }
        self.kernels.replay(recording.as_ref().expect("a device that records has a recording"));
        RecordedStep { inputs, recording }
    }

    /// Dropout is drawn anew at every step, and the loss on every token has other terms in every batch: neither is recorded.
    fn is_recordable(&self, blocks: &[Block<K>], batch: &TokenBatch, request: &StepRequest) -> bool {
        let drops = |block: &Block<K>| {
            Target::ALL.iter().any(|&target| block.projection(target).lora.as_ref().is_some_and(|lora| lora.dropout > 0.0))
        };
        self.kernels.records()
            && request.loss != Loss::AllTokens
            && batch.rows() <= MOST_RECORDED_ROWS
            && request.terms.len() * self.head_width(request) <= MOST_LOGITS
            && !blocks.iter().any(drops)
    }

    fn head_width(&self, request: &StepRequest) -> usize {
        if request.loss == Loss::RestrictedLabel { request.candidates.len() } else { self.config().vocabulary_size }
    }

    /// The first `texts` texts of the batch are scored.
    fn inputs(&self, batch: &TokenBatch, texts: usize, request: &StepRequest) -> Result<StepInputs<K>, ModelError> {
        let (kernels, width) = (&self.kernels, self.head_width(request));
        let head = match request.loss {
            Loss::RestrictedLabel => self.candidate_head(request.candidates)?,
            Loss::Label | Loss::AllTokens => self.whole_head()?,
        };
        let most = (MOST_LOGITS / width).max(1);
        let terms = request.terms.chunks(most).zip(request.classes.chunks(most));
        let terms = terms.map(|(terms, classes)| DeviceTerms {
            count: terms.len(),
            rows: kernels.indices(&terms.iter().map(|term| term.row).collect::<Vec<_>>()),
            classes: kernels.indices(classes),
            weights: kernels.upload(&terms.iter().map(|term| term.weight).collect::<Vec<_>>()),
            losses: kernels.uninitialized(terms.len()),
        });
        let kept = (request.loss != Loss::AllTokens).then(|| KeptRows::new(kernels, &batch.layout.last_rows()[..texts]));
        let tables = self.rope_tables(rope_positions(batch));
        Ok(StepInputs { on_device: DeviceBatch::new(kernels, batch, tables), kept, terms: terms.collect(), head, width })
    }

    /// `Σ weight * loss`.
    fn loss(&self, inputs: &StepInputs<K>, request: &StepRequest) -> f64 {
        let losses = inputs.terms.iter().flat_map(|terms| self.kernels.download(&terms.losses));
        losses.zip(request.terms).map(|(loss, term)| f64::from(loss) * f64::from(term.weight)).sum()
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
        let (config, product) = (self.config(), self.kernels.product_bytes());
        let (hidden, intermediate) = (config.hidden_size, config.intermediate_size);
        let queries = config.head_count * config.head_dimension;
        let keys = config.key_value_head_count * config.head_dimension;
        let normed = if config.query_key_norm { queries + keys } else { 0 } + if config.post_norms { 2 * hidden } else { 0 };
        let stream = 4 * hidden;
        let layer = 2 * stream + product * (2 * queries + 2 * keys + 2 * intermediate + normed + hidden) + 4 * config.head_count;
        let working = 4 * stream + (4 + 3 * product) * intermediate + (4 + 2 * product) * queries;
        let layers = config.layers.len();
        rows * if self.recompute { layers * stream + layer + working } else { layers * layer + working }
    }
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
    use super::filled_rows;

    #[test]
    fn batches_are_filled_to_few_numbers_of_rows() {
        for rows in 1..3000 {
            let filled = filled_rows(rows);
            assert!(filled > rows && filled <= rows + 32.max(rows / 7), "{rows} {filled}");
        }
    }
}
