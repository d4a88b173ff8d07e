//! Gradients and optimizer steps of the LoRA.

use super::Backbone;
use super::frozen::FrozenStates;
use super::step::{DeviceTerms, StepInputs, StepRequest};
use crate::batch::TokenBatch;
use crate::block::{Block, BlockActivations};
use crate::error::ModelError;
use crate::linear::{Lora, Parameter};
use crate::lora::{Adapter, AdapterError, AdapterTensor, Initializer, LoraConfig, LoraLayout, Target, tensor_key};
use crate::loss::{Loss, Targets};
use crate::optimizer::{Moments, Optimizer, OptimizerState};
use lincah_kernels::{AdamArrays, AdamStep, Kernels};
use std::collections::BTreeMap;

impl<K: Kernels> Backbone<K> {
    /// Every projection that `config` adapts, with PEFT's keys and shapes of its two factors.
    fn adapted(&self, config: &LoraConfig) -> Vec<AdaptedProjection> {
        let rank = config.whole_rank(self.config());
        let layers = (0..self.blocks.len()).filter(|&layer| config.adapts(layer));
        let targets =
            |layer| Target::ALL.into_iter().filter(|target| config.targets.contains(target)).map(move |target| (layer, target));
        let describe = |(layer, target): (usize, Target)| {
            let linear = self.blocks[layer].projection(target);
            let keys = [tensor_key(layer, target, 'A'), tensor_key(layer, target, 'B')];
            let heads = config.heads(target, self.config());
            AdaptedProjection { layer, target, heads, keys, shapes: [[rank, linear.inputs], [linear.outputs, rank]] }
        };
        layers.flat_map(targets).map(describe).collect()
    }

    /// Fits a fresh adapter, whose product is zero, and makes it trainable.
    ///
    /// # Errors
    /// A configuration that this model cannot have.
    pub fn begin_training(&mut self, config: &LoraConfig, seed: u64) -> Result<(), ModelError> {
        config.check(self.config())?;
        if self.int8 {
            return Err(ModelError::Int8Training);
        }
        let mut initializer = Initializer::new(seed);
        let mut tensors = BTreeMap::new();
        for projection in self.adapted(config) {
            let [key_a, key_b] = projection.keys;
            let [shape_a, shape_b] = projection.shapes;
            let inputs = shape_a[1] as f32;
            let bound = match config.layout {
                LoraLayout::Whole => 1.0 / inputs.sqrt(),
                LoraLayout::PerHead => (6.0 / (projection.heads as f32 * inputs)).sqrt(),
            };
            let mut a = initializer.factor_a(projection.heads * config.rank, shape_a[1], bound);
            a.resize(shape_a[0] * shape_a[1], 0.0);
            tensors.insert(key_a, AdapterTensor { shape: shape_a, values: a });
            tensors.insert(key_b, AdapterTensor { shape: shape_b, values: vec![0.0; shape_b[0] * shape_b[1]] });
        }
        self.set_adapter(&Adapter { config: config.clone(), tensors })?;
        self.make_trainable();
        Ok(())
    }

    /// Gives the adapter gradients and fresh optimizer moments.
    pub fn make_trainable(&mut self) {
        self.optimizer_steps = 0;
        self.recorded.clear();
        let kernels = &self.kernels;
        for block in &mut self.blocks {
            for target in Target::ALL {
                if let Some(lora) = &mut block.projection_mut(target).lora {
                    lora.a.begin_training(kernels);
                    lora.b.begin_training(kernels);
                }
            }
        }
    }

    /// Frees gradients and moments, and the whole head, which only a training loss needs.
    pub fn end_training(&mut self) {
        self.recorded.clear();
        for_each_parameter_mut(&mut self.blocks, |_, parameter| parameter.training = None);
        self.frozen = FrozenStates::default();
        self.head.take();
    }

    /// Puts an adapter in place of any earlier one.
    ///
    /// # Errors
    /// An adapter whose arrays are not those that its configuration and this model ask for.
    pub fn set_adapter(&mut self, adapter: &Adapter) -> Result<(), ModelError> {
        adapter.config.check_values(self.blocks.len())?;
        let adapted = self.adapted(&adapter.config);
        let expected: BTreeMap<&String, [usize; 2]> = adapted.iter().flat_map(|p| p.keys.iter().zip(p.shapes)).collect();
        if let Some(key) = adapter.tensors.keys().find(|key| !expected.contains_key(key)) {
            return Err(AdapterError::Mismatch { problem: "has an unexpected", key: key.clone() }.into());
        }
        for (&key, &expected) in &expected {
            let tensor = adapter.tensors.get(key).ok_or_else(|| AdapterError::Mismatch { problem: "lacks", key: key.clone() })?;
            if tensor.shape != expected {
                return Err(AdapterError::Shape { key: key.clone(), found: tensor.shape, expected }.into());
            }
        }
        self.remove_adapter();
        for projection in &adapted {
            let [a, b] = projection.keys.each_ref().map(|key| adapter.tensors[key].values.as_slice());
            let linear = self.blocks[projection.layer].projection_mut(projection.target);
            linear.adapt(&self.kernels, &adapter.config, projection.heads, (a, b));
        }
        self.lora = Some(adapter.config.clone());
        Ok(())
    }

    /// Back to the frozen model alone.
    pub fn remove_adapter(&mut self) {
        self.forget();
        self.lora = None;
        self.recorded.clear();
        for block in &mut self.blocks {
            Target::ALL.into_iter().for_each(|target| block.projection_mut(target).lora = None);
        }
    }

    /// Calls `visit` with each trained array and its PEFT key, always in the same order.
    fn for_each_parameter<'a>(&'a self, mut visit: impl FnMut(String, &'a Parameter<K>)) {
        for (layer, block) in self.blocks.iter().enumerate() {
            for target in Target::ALL {
                if let Some(lora) = &block.projection(target).lora {
                    visit(tensor_key(layer, target, 'A'), &lora.a);
                    visit(tensor_key(layer, target, 'B'), &lora.b);
                }
            }
        }
    }

    /// The adapter as it stands, if there is one.
    pub fn adapter(&self) -> Option<Adapter> {
        let config = self.lora.clone()?;
        let mut tensors = BTreeMap::new();
        self.for_each_parameter(|key, parameter| {
            tensors.insert(key, AdapterTensor { shape: parameter.shape, values: self.kernels.download(&parameter.value) });
        });
        Some(Adapter { config, tensors })
    }

    /// The gradients accumulated so far, by PEFT key.
    pub fn gradients(&self) -> BTreeMap<String, Vec<f32>> {
        let mut gradients = BTreeMap::new();
        self.for_each_parameter(|key, parameter| {
            if let Some(training) = &parameter.training {
                gradients.insert(key, self.kernels.download(&training.gradient));
            }
        });
        gradients
    }

    /// Adds the gradient of the batch's loss to the LoRA's gradients and returns the loss, `Σ weight * cross-entropy`.
    ///
    /// `candidates` are the labels' tokens, which [`Loss::RestrictedLabel`] chooses among; `dropout_seed` must differ from step to step.
    ///
    /// # Errors
    /// As [`score`](Self::score); a target that is no candidate; no trainable adapter.
    pub fn accumulate_gradients(
        &mut self,
        batch: &TokenBatch,
        targets: &Targets,
        (loss, candidates): (Loss, &[u32]),
        dropout_seed: u64,
    ) -> Result<f64, ModelError> {
        self.check(batch, targets.tokens)?;
        self.check(batch, candidates)?;
        let lowest = self.blocks.iter().position(Block::is_trained);
        let lowest = lowest.ok_or(ModelError::NothingToTrain)?;
        let terms = loss.terms(batch, targets);
        let classes = terms.iter().map(|term| class_of(term.target, loss, candidates)).collect::<Result<Vec<_>, _>>()?;
        let request = StepRequest { loss, candidates, terms: &terms, classes: &classes, lowest, dropout_seed };
        // The blocks are taken out so that the pass may borrow the kernels while their gradients change.
        let mut blocks = std::mem::take(&mut self.blocks);
        let result = self.step(&mut blocks, batch, request);
        self.blocks = blocks;
        result
    }

    /// Forward from what enters layer `first`, and backward. Nothing is read back from the device.
    pub(super) fn backpropagate(
        &self,
        blocks: &mut [Block<K>],
        inputs: &mut StepInputs<K>,
        (entry, first): (K::Buffer, usize),
        (lowest, dropout_seed): (usize, u64),
    ) {
        let pass = inputs.on_device.pass(&self.kernels, Some(dropout_seed));
        let kept = inputs.kept.as_ref();
        let mut x = entry;
        let last = blocks.len() - 1;
        let kept_at = |layer: usize| if layer == last { kept } else { None };
        let mut activations: Vec<Option<Kept<K>>> = (0..first).map(|_| None).collect();
        for (layer, block) in blocks.iter().enumerate().skip(first) {
            let (y, saved) = block.forward(&pass, x, kept_at(layer), None);
            activations.push((layer >= lowest).then(|| match self.recompute {
                true => Kept::Input(saved.into_input()),
                false => Kept::Whole(saved),
            }));
            x = y;
        }
        let rows = kept.map_or(pass.rows, |kept| kept.count);
        let mut dx = self.head_gradient(&x, rows, &mut inputs.terms, (&inputs.head, inputs.width));
        for (layer, block) in blocks.iter_mut().enumerate().skip(lowest).rev() {
            let saved = match activations[layer].take().expect("the forward kept what the backward needs") {
                Kept::Whole(saved) => saved,
                Kept::Input(input) => block.forward(&pass, input, kept_at(layer), None).1,
            };
            match block.backward(&pass, &saved, dx, (kept_at(layer), layer > lowest)) {
                Some(gradient) => dx = gradient,
                None => break,
            }
        }
    }

    /// The losses, and their gradient at the residual stream behind the last block, `[M, D]`.
    fn head_gradient(
        &self,
        x: &K::Buffer,
        rows: usize,
        terms: &mut [DeviceTerms<K>],
        (head, width): (&K::Matrix, usize),
    ) -> K::Buffer {
        let (kernels, hidden) = (&self.kernels, self.config().hidden_size);
        let (normed, r) = self.normed(rows, x);
        let mut d_normed = kernels.zeros(rows * hidden);
        for terms in terms {
            let mut gathered = kernels.unset(terms.count * hidden);
            kernels.gather_rows(hidden, &terms.rows, &normed, &mut gathered);
            let mut logits = self.logits(terms.count, &gathered, head, width);
            let capped = self.config().final_soft_cap.map(|cap| {
                let mut capped = kernels.unset(terms.count * width);
                kernels.copy(&logits, &mut capped);
                (cap, capped)
            });
            kernels.cross_entropy(width, &terms.classes, &terms.weights, &mut logits, &mut terms.losses);
            if let Some((cap, capped)) = &capped {
                kernels.soft_cap_backward(*cap, capped, &mut logits);
            }
            let mut d_gathered = kernels.zeros(terms.count * hidden);
            kernels.linear_backward(terms.count, &logits, head, &mut d_gathered);
            kernels.scatter_add_rows(hidden, &terms.rows, &d_gathered, &mut d_normed);
        }
        let mut dx = kernels.zeros(rows * hidden);
        kernels.rms_norm_backward(self.final_norm_shape(rows), (x, &self.final_norm, &r), &d_normed, &mut dx);
        dx
    }

    /// One optimizer step with the accumulated gradients, which are cleared; returns their norm before clipping (in the layout
    /// [`LoraLayout::PerHead`] it counts the shared B once a head).
    pub fn apply_gradients(&mut self, optimizer: &Optimizer, learning_rate: f64) -> f64 {
        self.forget();
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
        for_each_parameter_mut(&mut self.blocks, |_, Parameter { value, training, .. }| {
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
        for linear in self.blocks.iter_mut().flat_map(Block::projections_mut) {
            if let Some(Lora { b: Parameter { training: Some(training), .. }, tied: Some(blocks), .. }) = &mut linear.lora {
                self.kernels.tie_diagonal_blocks(*blocks, &mut training.gradient);
            }
        }
    }

    /// What the optimizer remembers, to go on from later.
    pub fn optimizer_state(&self) -> OptimizerState {
        let mut moments = BTreeMap::new();
        self.for_each_parameter(|key, parameter| {
            if let Some(training) = &parameter.training {
                let [first, second] =
                    [&training.first_moment, &training.second_moment].map(|moment| self.kernels.download(moment));
                moments.insert(key, Moments { first, second });
            }
        });
        OptimizerState { steps: self.optimizer_steps, moments }
    }

    /// Goes on from a remembered adapter and optimizer state.
    ///
    /// # Errors
    /// An adapter that does not fit, or a state of another adapter.
    pub fn resume_training(&mut self, adapter: &Adapter, state: &OptimizerState) -> Result<(), ModelError> {
        if self.int8 {
            return Err(ModelError::Int8Training);
        }
        self.set_adapter(adapter)?;
        self.make_trainable();
        let mut missing = None;
        let kernels = &self.kernels;
        for_each_parameter_mut(&mut self.blocks, |key, parameter| {
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
        self.optimizer_steps = state.steps;
        Ok(())
    }
}

/// What a training step keeps of a block's forward.
enum Kept<K: Kernels> {
    Whole(BlockActivations<K>),
    /// Recomputed in the backward.
    Input(K::Buffer),
}

/// Calls `visit` with each trained array and its PEFT key, always in the same order.
fn for_each_parameter_mut<'a, K: Kernels>(blocks: &'a mut [Block<K>], mut visit: impl FnMut(String, &'a mut Parameter<K>)) {
    for (layer, block) in blocks.iter_mut().enumerate() {
        for (target, linear) in Target::ALL.into_iter().zip(block.projections_mut()) {
            if let Some(lora) = &mut linear.lora {
                visit(tensor_key(layer, target, 'A'), &mut lora.a);
                visit(tensor_key(layer, target, 'B'), &mut lora.b);
            }
        }
    }
}

/// A projection and its two factors' keys and shapes.
struct AdaptedProjection {
    layer: usize,
    target: Target,
    /// That share its B.
    heads: usize,
    keys: [String; 2],
    shapes: [[usize; 2]; 2],
}

/// Column of the logits that stands for a target token.
fn class_of(target: u32, loss: Loss, candidates: &[u32]) -> Result<usize, ModelError> {
    if loss != Loss::RestrictedLabel {
        return Ok(target as usize);
    }
    candidates.iter().position(|&candidate| candidate == target).ok_or(ModelError::NoCandidate { token: target })
}
