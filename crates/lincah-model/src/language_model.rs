//! The model as the rest of lincah sees it, whatever the device.

use crate::backbone::Backbone;
use crate::batch::TokenBatch;
use crate::config::BackboneConfig;
use crate::error::ModelError;
use crate::lora::{Adapter, LoraConfig};
use crate::loss::{Loss, Targets};
use crate::optimizer::{Optimizer, OptimizerState};
use crate::weights::ModelFiles;
use lincah_kernels::{Cpu, CudaPrecision, Kernels, OperationTime, Profiled, cuda};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Where the model computes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Device {
    /// The processor, with the threads of the current rayon pool.
    #[default]
    Cpu,
    /// The NVIDIA GPU of this number.
    Cuda(usize),
    /// The first NVIDIA GPU if it can be used, else the processor.
    Auto,
}

impl Device {
    /// Whether this lincah can compute on GPUs at all: it was built with the feature `cuda`.
    pub const CUDA_IS_BUILT: bool = lincah_kernels::CUDA_IS_BUILT;
}

impl fmt::Display for Device {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Cpu => formatter.write_str("cpu"),
            Self::Cuda(0) => formatter.write_str("cuda"),
            Self::Cuda(ordinal) => write!(formatter, "cuda:{ordinal}"),
            Self::Auto => formatter.write_str("auto"),
        }
    }
}

impl FromStr for Device {
    type Err = UnknownDevice;

    fn from_str(name: &str) -> Result<Self, UnknownDevice> {
        match name {
            "cpu" => Ok(Self::Cpu),
            "auto" => Ok(Self::Auto),
            "cuda" => Ok(Self::Cuda(0)),
            _ => {
                let ordinal = name.strip_prefix("cuda:").and_then(|ordinal| ordinal.parse().ok());
                ordinal.map(Self::Cuda).ok_or_else(|| UnknownDevice { name: name.into() })
            }
        }
    }
}

/// A name that is no [`Device`]'s.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no device; it is cpu, cuda, cuda:N (a GPU's number) or auto")]
pub struct UnknownDevice {
    /// The name.
    pub name: String,
}

/// How weights and products are kept. Norms, softmax, LoRA and the optimizer are in f32 everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Precision {
    /// 32-bit floating point: the default on the processor, and on GPUs of compute capability below 8.0.
    F32,
    /// bfloat16 factors, summed in f32: the default on a GPU.
    Bf16,
    /// Weights of 8 bits, a scale a row: the processor's fast way to score, which cannot train.
    Int8,
}

impl Precision {
    const ALL: [Self; 3] = [Self::F32, Self::Bf16, Self::Int8];
}

impl fmt::Display for Precision {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        })
    }
}

impl FromStr for Precision {
    type Err = UnknownPrecision;

    fn from_str(name: &str) -> Result<Self, UnknownPrecision> {
        let named = |precision: &Self| precision.to_string() == name;
        Self::ALL.into_iter().find(named).ok_or_else(|| UnknownPrecision { name: name.into() })
    }
}

/// A name that is no [`Precision`]'s.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no precision; it is f32, bf16 or int8")]
pub struct UnknownPrecision {
    /// The name.
    pub name: String,
}

/// Where and how a model computes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compute {
    /// Where.
    pub device: Device,
    /// How weights and products are kept; `None` is the device's default.
    pub precision: Option<Precision>,
    /// Whether a training step keeps only what enters a layer and computes the rest again in the backward: a third more work, and a
    /// fraction of the memory, with the same results.
    pub recompute: bool,
    /// Whether the processor's operations are measured, for [`LanguageModel::take_times`].
    pub profile: bool,
}

impl From<Device> for Compute {
    fn from(device: Device) -> Self {
        Self { device, ..Self::default() }
    }
}

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

/// One text that is read part by part, with the keys and values of the read tokens kept: see [`Backbone::decoding`].
pub trait Decoding: Send {
    /// Reads the text's next tokens, one at least. # Shapes: result `[V]`, the logits of the token that follows the last of them.
    ///
    /// # Errors
    /// Tokens outside the vocabulary, more tokens than positions, weights that cannot be read; nothing is read then.
    ///
    /// # Panics
    /// If there are no tokens.
    fn read(&mut self, tokens: &[u32]) -> Result<Vec<f32>, ModelError>;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precisions_have_names() {
        for precision in Precision::ALL {
            assert_eq!(precision.to_string().parse(), Ok(precision));
        }
        for name in ["", "f16", "BF16"] {
            assert_eq!(name.parse::<Precision>(), Err(UnknownPrecision { name: name.into() }));
        }
    }

    #[test]
    fn devices_have_names() {
        for name in ["cpu", "cuda", "cuda:3", "auto"] {
            assert_eq!(name.parse::<Device>().unwrap().to_string(), name);
        }
        for name in ["", "gpu", "cuda:", "cuda:-1", "cuda3", "CPU"] {
            assert_eq!(name.parse::<Device>(), Err(UnknownDevice { name: name.into() }));
        }
    }
}
