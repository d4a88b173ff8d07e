//! The model as the rest of lincah sees it, whatever the device.

use crate::backbone::{Backbone, Decoding};
use crate::batch::TokenBatch;
use crate::compute::{Compute, Device, Precision};
use crate::config::BackboneConfig;
use crate::error::ModelError;
use crate::lora::{Adapter, LoraConfig};
use crate::loss::{Loss, Targets};
use crate::optimizer::{Optimizer, OptimizerState};
use crate::weights::ModelFiles;
use lincah_kernels::{Cpu, CudaPrecision, Kernels, OperationTime, Profiled, cuda};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A frozen decoder with an optional, trainable LoRA. The methods are [`Backbone`]'s of the same names.
pub trait LanguageModel: Send + Sync {
    /// See [`Backbone::config`].
    fn config(&self) -> &BackboneConfig;
    /// Where it computes; never [`Device::Auto`].
    fn device(&self) -> Device;
    /// What each operation took since this was last asked; nothing unless [`Compute::profile`] was set, or on a GPU.
    fn take_times(&self) -> BTreeMap<&'static str, OperationTime>;
    /// See [`Backbone::score`].
    ///
    /// # Errors
    /// As there.
    fn score(&self, batch: &TokenBatch, candidates: &[u32]) -> Result<Vec<f32>, ModelError>;
    /// See [`Backbone::decoding`].
    fn decoding(&self, positions: usize) -> Box<dyn Decoding + '_>;
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
/// Weights that cannot be read or are damaged; a device that was asked for by name and cannot be used; a precision that it does not have.
pub fn load(files: Arc<ModelFiles>, compute: Compute) -> Result<Box<dyn LanguageModel>, ModelError> {
    let on_cuda = |ordinal: usize| {
        let precision = match compute.precision {
            None => None,
            Some(Precision::F32) => Some(CudaPrecision::F32),
            Some(Precision::Bf16) => Some(CudaPrecision::Bf16),
            Some(precision) => return Err(ModelError::Precision { precision, device: Device::Cuda(ordinal) }),
        };
        Ok(cuda(ordinal, precision)?)
    };
    match compute.device {
        Device::Cpu => match compute.precision {
            Some(precision @ Precision::Bf16) => Err(ModelError::Precision { precision, device: compute.device }),
            _ if compute.profile => Cpu::within(|| load_on(Profiled::new(Cpu), files, compute)),
            _ => Cpu::within(|| load_on(Cpu, files, compute)),
        },
        Device::Cuda(ordinal) => load_on(on_cuda(ordinal)?, files, compute),
        Device::Auto => match on_cuda(0) {
            Ok(kernels) => load_on(kernels, files, compute),
            Err(_) => load(files, Compute { device: Device::Cpu, ..compute }),
        },
    }
}

fn load_on<K: Kernels>(kernels: K, files: Arc<ModelFiles>, compute: Compute) -> Result<Box<dyn LanguageModel>, ModelError> {
    let int8 = compute.precision == Some(Precision::Int8);
    let model = if int8 { Backbone::load_int8(kernels, files)? } else { Backbone::load(kernels, files)? };
    Ok(Box::new(model.with_recomputation(compute.recompute)))
}

impl<K: Kernels> LanguageModel for Backbone<K> {
    fn config(&self) -> &BackboneConfig {
        self.config()
    }

    fn device(&self) -> Device {
        self.kernels.gpu().map_or(Device::Cpu, Device::Cuda)
    }

    fn take_times(&self) -> BTreeMap<&'static str, OperationTime> {
        self.kernels.take_times()
    }

    fn score(&self, batch: &TokenBatch, candidates: &[u32]) -> Result<Vec<f32>, ModelError> {
        K::within(|| self.score(batch, candidates))
    }

    fn decoding(&self, positions: usize) -> Box<dyn Decoding + '_> {
        self.decoding(positions)
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
        K::within(|| self.accumulate_gradients(batch, targets, loss, dropout_seed))
    }

    fn apply_gradients(&mut self, optimizer: &Optimizer, learning_rate: f64) -> f64 {
        K::within(|| self.apply_gradients(optimizer, learning_rate))
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
