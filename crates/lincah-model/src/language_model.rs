//! The model as the rest of lincah sees it, whatever the device.

use crate::backbone::Backbone;
use crate::batch::TokenBatch;
use crate::config::BackboneConfig;
use crate::error::ModelError;
use crate::lora::{Adapter, LoraConfig};
use crate::loss::{Loss, Targets};
use crate::optimizer::{Optimizer, OptimizerState};
use crate::weights::ModelFiles;
use lincah_kernels::{Cpu, Kernels, cuda};
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

/// A frozen decoder with an optional, trainable LoRA. The methods are [`Backbone`]'s of the same names.
pub trait LanguageModel: Send + Sync {
    /// See [`Backbone::config`].
    fn config(&self) -> &BackboneConfig;
    /// Where it computes; never [`Device::Auto`].
    fn device(&self) -> Device;
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
/// Weights that cannot be read or are damaged; a device that was asked for by name and cannot be used.
pub fn load(files: Arc<ModelFiles>, device: Device) -> Result<Box<dyn LanguageModel>, ModelError> {
    match device {
        Device::Cpu => Ok(Box::new(Backbone::load(Cpu, files)?)),
        Device::Cuda(ordinal) => Ok(Box::new(Backbone::load(cuda(ordinal)?, files)?)),
        Device::Auto => match cuda(0) {
            Ok(kernels) => Ok(Box::new(Backbone::load(kernels, files)?)),
            Err(_) => load(files, Device::Cpu),
        },
    }
}

impl<K: Kernels> LanguageModel for Backbone<K> {
    fn config(&self) -> &BackboneConfig {
        self.config()
    }

    fn device(&self) -> Device {
        self.kernels.gpu().map_or(Device::Cpu, Device::Cuda)
    }

    fn score(&self, batch: &TokenBatch, candidates: &[u32]) -> Result<Vec<f32>, ModelError> {
        self.score(batch, candidates)
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

#[cfg(test)]
mod tests {
    use super::*;

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
