//! A training of one adapter: gradients and optimizer steps.

mod step;

use crate::adapter::{AdaptedProjection, DeviceAdapter, Parameter, adapted_projections};
use crate::backbone::{Backbone, CandidateHead, Head};
use crate::batch::TokenBatch;
use crate::block::BlockActivations;
use crate::config::BackboneConfig;
use crate::error::ModelError;
use crate::frozen_states::FrozenStates;
use crate::lora::{Adapter, AdapterTensor, Initializer, LoraConfig, LoraLayout};
use crate::loss::{Loss, Targets};
use crate::optimizer::{Moments, Optimizer, OptimizerState};
use lincah_kernels::{AdamArrays, AdamStep, Kernels};
use std::collections::BTreeMap;
use std::sync::Arc;
use step::{Asked, DeviceTerms, RecordedSteps, StepInputs, StepRequest, StepTerms};

/// What a step minimizes.
#[derive(Debug, Clone, Copy)]
pub struct Objective<'a> {
    /// The loss.
    pub loss: Loss,
    /// The labels' tokens, which [`Loss::RestrictedLabel`] chooses among.
    pub candidates: &'a [u32],
}

/// What the label rows of a batch's texts should answer: each row belongs to a question, `answers` of them to each, in order; one question
/// for exclusive labels, one with two answers for each independent label. M entries, of which a soft target takes several.
#[derive(Debug, Clone)]
pub struct LabelRowTargets<'a> {
    /// How many rows one question chooses among by their softmax.
    pub answers: usize,
    /// The text of each entry, `[M]`, ascending.
    pub texts: &'a [usize],
    /// The row that is its answer, `[M]`.
    pub rows: &'a [usize],
    /// What its loss is multiplied by, `[M]`.
    pub weights: &'a [f32],
}

/// A training of one adapter on a base model, which it leaves as it is. Several may run at once, and texts may be scored meanwhile.
pub trait Training: Send {
    /// Adds the gradient of the batch's loss to the adapter's gradients and returns the loss, `Σ weight * cross-entropy`.
    /// `dropout_seed` must differ from step to step.
    ///
    /// # Errors
    /// As [`Scorer::score`](crate::Scorer::score); a target that is no candidate; a step that the device has no memory for.
    fn accumulate_gradients(
        &mut self,
        batch: &TokenBatch,
        targets: &Targets,
        objective: Objective,
        dropout_seed: u64,
    ) -> Result<f64, ModelError>;

    /// The same with the adapter's label rows, which are trained too, in place of tokens: `Σ weight * cross-entropy` over each question's rows.
    ///
    /// # Errors
    /// An adapter without label rows, or with fewer than the targets name; else as [`Training::accumulate_gradients`].
    fn accumulate_label_row_gradients(
        &mut self,
        batch: &TokenBatch,
        targets: &LabelRowTargets,
        dropout_seed: u64,
    ) -> Result<f64, ModelError>;

    /// One optimizer step with the accumulated gradients, which are cleared; returns their norm before clipping (in the layout
    /// [`LoraLayout::PerHead`] it counts the shared B once per head).
    fn apply_gradients(&mut self, optimizer: &Optimizer, learning_rate: f64) -> f64;

    /// The adapter as it stands.
    fn adapter(&self) -> Adapter;

    /// What the optimizer remembers, to go on from later.
    fn optimizer_state(&self) -> OptimizerState;
}

/// A [`Training`] on the device `K`.
pub struct BackboneTraining<K: Kernels> {
    base: Arc<Backbone<K>>,
    /// A handle of its own, whose work may run beside that of others.
    kernels: K,
    adapter: DeviceAdapter<K>,
    optimizer_steps: u32,
    recorded: RecordedSteps<K>,
    candidate_head: CandidateHead<K>,
    /// The whole head, from the first loss over the vocabulary on.
    head: Option<Head<K>>,
    frozen_states: Arc<FrozenStates>,
    /// Rows of the largest step that was found to fit.
    largest_step: usize,
}

impl<K: Kernels> Backbone<K> {
    /// Begins the training of a fresh adapter, whose product is zero.
    ///
    /// # Errors
    /// A configuration that this model cannot have; a device without room for another training.
    pub fn begin_training(self: &Arc<Self>, config: &LoraConfig, seed: u64) -> Result<BackboneTraining<K>, ModelError> {
        self.train_adapter(&self.fresh_adapter(config, seed)?)
    }

    /// An adapter whose product is zero: A drawn, B zero.
    ///
    /// # Errors
    /// A configuration that this model cannot have.
    pub fn fresh_adapter(&self, config: &LoraConfig, seed: u64) -> Result<Adapter, ModelError> {
        config.check(self.config())?;
        Ok(fresh_adapter(config, seed, self.config()))
    }

    /// The mean of the head's rows of each name's tokens, to begin label rows with. # Shapes: result `[names, D]`.
    ///
    /// # Errors
    /// Tokens outside the vocabulary, a name without any, weights that cannot be read.
    pub fn head_rows(&self, names: &[Vec<u32>]) -> Result<AdapterTensor, ModelError> {
        let hidden = self.config().hidden_size;
        let mut values = Vec::with_capacity(names.len() * hidden);
        for tokens in names {
            self.check_tokens(tokens)?;
            let rows = self.weights().read_rows(self.config().head_name(), tokens, hidden)?;
            let mean = |column: usize| rows[column..].iter().step_by(hidden).sum::<f32>() / tokens.len().max(1) as f32;
            values.extend((0..hidden).map(mean));
        }
        Ok(AdapterTensor { shape: [names.len(), hidden], values })
    }

    /// Begins the training of an adapter as it is, with fresh optimizer moments.
    ///
    /// # Errors
    /// An adapter that does not fit; a device without room for another training.
    pub fn train_adapter(self: &Arc<Self>, adapter: &Adapter) -> Result<BackboneTraining<K>, ModelError> {
        if self.int8 {
            return Err(ModelError::Int8Training);
        }
        let kernels = self.kernels.concurrent_handle()?;
        let mut on_device = DeviceAdapter::new(&kernels, adapter, self.config())?;
        on_device.begin_training(&kernels);
        Ok(BackboneTraining {
            base: self.clone(),
            kernels,
            adapter: on_device,
            optimizer_steps: 0,
            recorded: RecordedSteps::default(),
            candidate_head: CandidateHead::new(),
            head: None,
            frozen_states: self.frozen_states(),
            largest_step: 0,
        })
    }

    /// Goes on from a remembered adapter and optimizer state.
    ///
    /// # Errors
    /// An adapter that does not fit, or a state of another adapter.
    pub fn resume_training(
        self: &Arc<Self>,
        adapter: &Adapter,
        state: &OptimizerState,
    ) -> Result<BackboneTraining<K>, ModelError> {
        let mut training = self.train_adapter(adapter)?;
        let mut missing = None;
        let kernels = &training.kernels;
        training.adapter.for_each_parameter_mut(|key, parameter| {
            let length = parameter.shape[0] * parameter.shape[1];
            match (state.moments.get(&key), &mut parameter.training) {
                (Some(moments), Some(training)) if moments.first.len() == length && moments.second.len() == length => {
                    training.first_moment = kernels.upload(&moments.first);
                    training.second_moment = kernels.upload(&moments.second);
                }
                _ => missing = Some(key),
            }
        });
        if let Some(key) = missing {
            return Err(ModelError::OptimizerState { key });
        }
        training.optimizer_steps = state.steps;
        Ok(training)
    }
}

/// A drawn, B zero.
fn fresh_adapter(config: &LoraConfig, seed: u64, model: &BackboneConfig) -> Adapter {
    let mut initializer = Initializer::new(seed);
    let mut tensors = BTreeMap::new();
    for AdaptedProjection { heads, keys: [key_a, key_b], shapes: [shape_a, shape_b], .. } in adapted_projections(config, model) {
        let inputs = shape_a[1] as f32;
        let bound = match config.layout {
            LoraLayout::Whole => 1.0 / inputs.sqrt(),
            LoraLayout::PerHead => (6.0 / (heads as f32 * inputs)).sqrt(),
        };
        let mut a = initializer.factor_a(heads * config.rank, shape_a[1], bound);
        a.resize(shape_a[0] * shape_a[1], 0.0);
        tensors.insert(key_a, AdapterTensor { shape: shape_a, values: a });
        tensors.insert(key_b, AdapterTensor { shape: shape_b, values: vec![0.0; shape_b[0] * shape_b[1]] });
    }
    Adapter { config: config.clone(), tensors }
}

impl<K: Kernels> Drop for BackboneTraining<K> {
    /// What the base lends may go back to it only when this training's work has ended.
    fn drop(&mut self) {
        self.kernels.synchronize();
    }
}

impl<K: Kernels> Training for BackboneTraining<K> {
    fn accumulate_gradients(
        &mut self,
        batch: &TokenBatch,
        targets: &Targets,
        objective: Objective,
        dropout_seed: u64,
    ) -> Result<f64, ModelError> {
        let Objective { loss, candidates } = objective;
        self.base.check(batch, targets.tokens)?;
        self.base.check(batch, candidates)?;
        let lowest = self.adapter.lowest_layer().ok_or(ModelError::NothingToTrain)?;
        let terms = loss.terms(batch, targets);
        let classes = terms.iter().map(|term| class_of(term.target, loss, candidates)).collect::<Result<Vec<_>, _>>()?;
        let terms = StepTerms {
            rows: terms.iter().map(|term| term.row).collect(),
            questions: 1,
            classes,
            weights: terms.iter().map(|term| term.weight).collect(),
        };
        let request = StepRequest { asked: Asked::Tokens(loss, candidates), terms: &terms, lowest, dropout_seed };
        K::within(|| self.step(batch, request))
    }

    fn accumulate_label_row_gradients(
        &mut self,
        batch: &TokenBatch,
        targets: &LabelRowTargets,
        dropout_seed: u64,
    ) -> Result<f64, ModelError> {
        self.base.check(batch, &[])?;
        let lowest = self.adapter.lowest_layer().ok_or(ModelError::NothingToTrain)?;
        let rows = self.adapter.label_rows.as_ref().map_or(0, |rows| rows.shape[0]);
        let terms = StepTerms::of_label_rows(targets, rows).ok_or(ModelError::NoLabelRows)?;
        let request = StepRequest { asked: Asked::LabelRows, terms: &terms, lowest, dropout_seed };
        K::within(|| self.step(batch, request))
    }

    fn apply_gradients(&mut self, optimizer: &Optimizer, learning_rate: f64) -> f64 {
        K::within(|| self.optimizer_step(optimizer, learning_rate))
    }

    fn adapter(&self) -> Adapter {
        self.adapter.download(&self.kernels).expect("a training has an adapter")
    }

    fn optimizer_state(&self) -> OptimizerState {
        let mut moments = BTreeMap::new();
        self.adapter.for_each_parameter(|key, parameter| {
            if let Some(training) = &parameter.training {
                let [first, second] =
                    [&training.first_moment, &training.second_moment].map(|moment| self.kernels.download(moment));
                moments.insert(key, Moments { first, second });
            }
        });
        OptimizerState { steps: self.optimizer_steps, moments }
    }
}

impl<K: Kernels> BackboneTraining<K> {
    /// The gradients accumulated so far, by PEFT key.
    pub fn gradients(&self) -> BTreeMap<String, Vec<f32>> {
        let mut gradients = BTreeMap::new();
        self.adapter.for_each_parameter(|key, parameter| {
            if let Some(training) = &parameter.training {
                gradients.insert(key, self.kernels.download(&training.gradient));
            }
        });
        gradients
    }

    fn optimizer_step(&mut self, optimizer: &Optimizer, learning_rate: f64) -> f64 {
        self.tie_gradients();
        self.optimizer_steps += 1;
        let step = AdamStep {
            learning_rate,
            beta1: optimizer.beta1,
            beta2: optimizer.beta2,
            epsilon: optimizer.epsilon_at(self.optimizer_steps),
            weight_decay: optimizer.weight_decay,
            step: self.optimizer_steps,
            gradient_scale: 1.0,
        };
        let mut arrays = Vec::new();
        self.adapter.for_each_parameter_mut(|_, Parameter { value, training, .. }| {
            arrays.extend(training.as_mut().map(|training| AdamArrays {
                gradient: &mut training.gradient,
                first_moment: &mut training.first_moment,
                second_moment: &mut training.second_moment,
                parameter: value,
            }));
        });
        self.kernels.clipped_adam_steps(step, optimizer.clip_norm, &mut arrays)
    }

    /// Gives every copy of a shared B the sum of the copies' gradients, so that they stay alike.
    fn tie_gradients(&mut self) {
        let loras = self.adapter.layers.iter_mut().flat_map(|layer| &mut layer.projections).flatten();
        for lora in loras {
            if let (Some(blocks), Some(training)) = (lora.tied, &mut lora.b.training) {
                self.kernels.tie_diagonal_blocks(blocks, &mut training.gradient);
            }
        }
    }
}

/// What a training step keeps of a block's forward.
enum Kept<K: Kernels> {
    Whole(BlockActivations<K>),
    /// Recomputed in the backward.
    Input(K::Buffer),
}

/// Where a step's computation begins: the residual stream `[N, D]` before layer `first`.
struct Entry<K: Kernels> {
    states: K::Buffer,
    first: usize,
}

/// Forward from what enters layer `entry.first`, and backward. Nothing is read back from the device.
fn backpropagate<K: Kernels>(
    (base, kernels): (&Backbone<K>, &K),
    adapter: &mut DeviceAdapter<K>,
    inputs: &mut StepInputs<K>,
    entry: Entry<K>,
    (lowest, dropout_seed): (usize, u64),
) {
    let pass = inputs.on_device.pass(kernels, Some(dropout_seed));
    let kept = inputs.kept.as_ref();
    let Entry { states: mut x, first } = entry;
    let last = base.blocks.len() - 1;
    let kept_at = |layer: usize| if layer == last { kept } else { None };
    let mut activations: Vec<Option<Kept<K>>> = (0..first).map(|_| None).collect();
    for (layer, block) in base.blocks.iter().enumerate().skip(first) {
        let (y, saved) = block.forward(&pass, &adapter.layers[layer], x, kept_at(layer), None);
        activations.push((layer >= lowest).then(|| match base.recompute {
            true => Kept::Input(saved.into_input()),
            false => Kept::Whole(saved),
        }));
        x = y;
    }
    let rows = kept.map_or(pass.rows, |kept| kept.count);
    let mut dx = head_gradient((base, kernels), adapter, (&x, rows), (&mut inputs.terms, inputs.head.as_ref()));
    for (layer, block) in base.blocks.iter().enumerate().skip(lowest).rev() {
        let saved = match activations[layer].take().expect("the forward kept what the backward needs") {
            Kept::Whole(saved) => saved,
            Kept::Input(input) => block.forward(&pass, &adapter.layers[layer], input, kept_at(layer), None).1,
        };
        match block.backward(&pass, &mut adapter.layers[layer], &saved, dx, (kept_at(layer), layer > lowest)) {
            Some(gradient) => dx = gradient,
            None => break,
        }
    }
}

/// The losses, and their gradient at the residual stream behind the last block, `[M, D]`. Without a frozen head, the adapter's label rows are
/// asked.
fn head_gradient<K: Kernels>(
    (base, kernels): (&Backbone<K>, &K),
    adapter: &mut DeviceAdapter<K>,
    (x, rows): (&K::Buffer, usize),
    (terms, head): (&mut [DeviceTerms<K>], Option<&Head<K>>),
) -> K::Buffer {
    let hidden = base.config().hidden_size;
    let (normed, r) = base.normed(kernels, rows, x);
    let mut d_normed = kernels.zeros(rows * hidden);
    for terms in terms {
        let mut gathered = kernels.uninitialized(terms.count * hidden);
        kernels.gather_rows(hidden, &terms.rows, &normed, &mut gathered);
        let mut d_gathered = kernels.zeros(terms.count * hidden);
        match head {
            Some(head) => frozen_head_gradient((base, kernels), head, terms, (&gathered, &mut d_gathered)),
            None => {
                let labels = adapter.label_rows.as_mut().expect("a step without a head has label rows");
                let mut scores = labels.scores(kernels, terms.count, &gathered);
                let answers = labels.shape[0] / terms.questions;
                kernels.cross_entropy(answers, &terms.classes, &terms.weights, &mut scores, &mut terms.losses);
                labels.scores_backward(kernels, terms.count, &gathered, &scores, &mut d_gathered);
            }
        }
        kernels.scatter_add_rows(hidden, &terms.rows, &d_gathered, &mut d_normed);
    }
    base.normed_backward(kernels, rows, (x, &r), &d_normed)
}

/// The same for normed rows, by rows of the frozen head.
fn frozen_head_gradient<K: Kernels>(
    (base, kernels): (&Backbone<K>, &K),
    head: &Head<K>,
    terms: &mut DeviceTerms<K>,
    (gathered, d_gathered): (&K::Buffer, &mut K::Buffer),
) {
    let width = head.width;
    let mut logits = base.logits(kernels, terms.count, gathered, head);
    let capped = base.config().final_soft_cap.map(|cap| {
        let mut capped = kernels.uninitialized(terms.count * width);
        kernels.copy(&logits, &mut capped);
        (cap, capped)
    });
    kernels.cross_entropy(width, &terms.classes, &terms.weights, &mut logits, &mut terms.losses);
    if let Some((cap, capped)) = &capped {
        kernels.soft_cap_backward(*cap, capped, &mut logits);
    }
    if base.config().logit_scale != 1.0 {
        kernels.scale(base.config().logit_scale, &mut logits);
    }
    kernels.linear_backward(terms.count, &logits, &head.matrix, d_gathered);
}

/// Column of the logits that stands for a target token.
fn class_of(target: u32, loss: Loss, candidates: &[u32]) -> Result<usize, ModelError> {
    if loss != Loss::RestrictedLabel {
        return Ok(target as usize);
    }
    candidates.iter().position(|&candidate| candidate == target).ok_or(ModelError::NoCandidate { token: target })
}
