//! The model as the rest of lincah sees it, whatever the device.

use crate::backbone::Backbone;
use crate::batch::TokenBatch;
use crate::config::BackboneConfig;
use crate::error::ModelError;
use crate::lora::{Adapter, LoraConfig};
use crate::loss::{Loss, Targets};
use crate::optimizer::{Optimizer, OptimizerState};
use crate::weights::ModelFiles;
use lincah_kernels::{Cpu, Kernels};
use std::sync::Arc;

/// Where the model computes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Device {
    /// The processor, with the threads of the current rayon pool.
    #[default]
    Cpu,
}

/// A frozen decoder with an optional, trainable LoRA. Every method is [`Backbone`]'s of the same name.
pub trait LanguageModel: Send + Sync {
    /// See [`Backbone::config`].
    fn config(&self) -> &BackboneConfig;
    /// See [`Backbone::score`].
    ///
    /// # Errors
    /// As there.
    fn score(&self, batch: &TokenBatch, candidates: &[u32]) -> Result<Vec<f32>, ModelError>;
    /// See [`Backbone::begin_training`].
    ///
    /// # Errors
    /// As there.
    fn begin_training(&mut self, config: &LoraConfig, seed: u64) -> Result<(), ModelError>;
    /// See [`Backbone::end_training`].
    fn end_training(&mut self);
    /// See [`Backbone::accumulate_gradients`].
    ///
    /// # Errors
    /// As there.
    fn accumulate_gradients(
        &mut self,
        batch: &TokenBatch,
        targets: &Targets,
        loss: (Loss, &[u32]),
        dropout_seed: u64,
    ) -> Result<f64, ModelError>;
    /// See [`Backbone::apply_gradients`].
    fn apply_gradients(&mut self, optimizer: &Optimizer, learning_rate: f64) -> f64;
    /// See [`Backbone::adapter`].
    fn adapter(&self) -> Option<Adapter>;
    /// See [`Backbone::set_adapter`].
    ///
    /// # Errors
    /// As there.
    fn set_adapter(&mut self, adapter: &Adapter) -> Result<(), ModelError>;
    /// See [`Backbone::optimizer_state`].
    fn optimizer_state(&self) -> OptimizerState;
    /// See [`Backbone::resume_training`].
    ///
    /// # Errors
    /// As there.
    fn resume_training(&mut self, adapter: &Adapter, state: &OptimizerState) -> Result<(), ModelError>;
}

/// Reads a model onto a device.
///
/// # Errors
/// Weights that cannot be read or are damaged.
pub fn load(files: Arc<ModelFiles>, device: Device) -> Result<Box<dyn LanguageModel>, ModelError> {
    match device {
        Device::Cpu => Ok(Box::new(Backbone::load(Cpu, files)?)),
    }
}

impl<K: Kernels> LanguageModel for Backbone<K> {
    fn config(&self) -> &BackboneConfig {
        self.config()
    }

    fn score(&self, batch: &TokenBatch, candidates: &[u32]) -> Result<Vec<f32>, ModelError> {
        self.score(batch, candidates)
    }

    fn begin_training(&mut self, config: &LoraConfig, seed: u64) -> Result<(), ModelError> {
        self.begin_training(config, seed)
    }

    fn end_training(&mut self) {
        self.end_training();
    }

    fn accumulate_gradients(
        &mut self,
        batch: &TokenBatch,
        targets: &Targets,
        loss: (Loss, &[u32]),
        dropout_seed: u64,
    ) -> Result<f64, ModelError> {
        self.accumulate_gradients(batch, targets, loss, dropout_seed)
    }

    fn apply_gradients(&mut self, optimizer: &Optimizer, learning_rate: f64) -> f64 {
        self.apply_gradients(optimizer, learning_rate)
    }

    fn adapter(&self) -> Option<Adapter> {
        self.adapter()
    }

    fn set_adapter(&mut self, adapter: &Adapter) -> Result<(), ModelError> {
        self.set_adapter(adapter)
    }

    fn optimizer_state(&self) -> OptimizerState {
        self.optimizer_state()
    }

    fn resume_training(&mut self, adapter: &Adapter, state: &OptimizerState) -> Result<(), ModelError> {
        self.resume_training(adapter, state)
    }
}
