//! The model as the rest of lincah sees it, whatever the device.

use crate::backbone::Backbone;
use crate::compute::{ComputeOptions, Device, Precision};
use crate::config::BackboneConfig;
use crate::error::ModelError;
use crate::frozen_states::FrozenStates;
use crate::lora::{Adapter, AdapterTensor, LoraConfig};
use crate::optimizer::OptimizerState;
use crate::scorer::Scorer;
use crate::training::Training;
use crate::weights::ModelFiles;
use lincah_kernels::{Cpu, CudaPrecision, Kernels, OperationTime, Profiled, cuda};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A frozen decoder on some device. It hands out scorers and trainings, several at once; each holds the weights as long as it lives.
pub trait LanguageModel: Send + Sync {
    /// See [`Backbone::config`].
    fn config(&self) -> &BackboneConfig;
    /// Where it computes; never [`Device::Auto`].
    fn device(&self) -> Device;
    /// How its weights and products are kept.
    fn precision(&self) -> Precision;
    /// What each operation took since this was last asked; nothing unless [`ComputeOptions::profile`] was set, or on a GPU.
    fn take_times(&self) -> BTreeMap<&'static str, OperationTime>;
    /// See [`Backbone::scorer`].
    ///
    /// # Errors
    /// As there.
    fn scorer(&self, adapter: Option<&Adapter>) -> Result<Box<dyn Scorer>, ModelError>;
    /// See [`Backbone::begin_training`].
    ///
    /// # Errors
    /// As there.
    fn begin_training(&self, config: &LoraConfig, seed: u64) -> Result<Box<dyn Training>, ModelError>;
    /// See [`Backbone::fresh_adapter`].
    ///
    /// # Errors
    /// As there.
    fn fresh_adapter(&self, config: &LoraConfig, seed: u64) -> Result<Adapter, ModelError>;
    /// See [`Backbone::head_rows`].
    ///
    /// # Errors
    /// As there.
    fn head_rows(&self, names: &[Vec<u32>]) -> Result<AdapterTensor, ModelError>;
    /// See [`Backbone::train_adapter`].
    ///
    /// # Errors
    /// As there.
    fn train_adapter(&self, adapter: &Adapter) -> Result<Box<dyn Training>, ModelError>;
    /// See [`Backbone::resume_training`].
    ///
    /// # Errors
    /// As there.
    fn resume_training(&self, adapter: &Adapter, state: &OptimizerState) -> Result<Box<dyn Training>, ModelError>;
    /// See [`Backbone::pooled_states`].
    ///
    /// # Errors
    /// As there.
    fn pooled_states(&self, texts: &[&[u32]], first: usize, layers: &[usize]) -> Result<Vec<f32>, ModelError>;
    /// What frozen layers made of texts. Trainings share it, and it is kept as long as one of them or the caller holds it.
    fn frozen_states(&self) -> Arc<FrozenStates>;
}

/// What is loaded onto whatever device it will be.
pub(crate) trait OnDevice {
    /// What it becomes there.
    type Loaded;
    fn load<K: Kernels>(self, kernels: K) -> Result<Self::Loaded, ModelError>;
}

/// Opens the device and loads onto it.
pub(crate) fn on_device<L: OnDevice + Send>(compute: ComputeOptions, model: L) -> Result<L::Loaded, ModelError>
where
    L::Loaded: Send,
{
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
            _ if compute.profile => Cpu::within(|| model.load(Profiled::new(Cpu))),
            _ => Cpu::within(|| model.load(Cpu)),
        },
        Device::Cuda(ordinal) => model.load(on_cuda(ordinal)?),
        Device::Auto => match on_cuda(0) {
            Ok(kernels) => model.load(kernels),
            Err(_) => on_device(ComputeOptions { device: Device::Cpu, ..compute }, model),
        },
    }
}

/// Reads a model onto a device.
///
/// # Errors
/// Weights that cannot be read or are damaged; a device that was asked for by name and cannot be used; a precision that it does not have.
pub fn load(files: Arc<ModelFiles>, compute: ComputeOptions) -> Result<Arc<dyn LanguageModel>, ModelError> {
    struct Load(Arc<ModelFiles>, ComputeOptions);
    impl OnDevice for Load {
        type Loaded = Arc<dyn LanguageModel>;

        fn load<K: Kernels>(self, kernels: K) -> Result<Self::Loaded, ModelError> {
            let Self(files, compute) = self;
            let int8 = compute.precision == Some(Precision::Int8);
            let model = if int8 { Backbone::load_int8(kernels, files)? } else { Backbone::load(kernels, files)? };
            Ok(Arc::new(Arc::new(model.with_recomputation(compute.recompute))))
        }
    }
    on_device(compute, Load(files, compute))
}

impl<K: Kernels> LanguageModel for Arc<Backbone<K>> {
    fn config(&self) -> &BackboneConfig {
        Backbone::config(self)
    }

    fn device(&self) -> Device {
        self.kernels.gpu().map_or(Device::Cpu, Device::Cuda)
    }

    fn precision(&self) -> Precision {
        match (self.int8, self.kernels.product_bytes()) {
            (true, _) => Precision::Int8,
            (false, 2) => Precision::Bf16,
            (false, _) => Precision::F32,
        }
    }

    fn take_times(&self) -> BTreeMap<&'static str, OperationTime> {
        self.kernels.take_times()
    }

    fn scorer(&self, adapter: Option<&Adapter>) -> Result<Box<dyn Scorer>, ModelError> {
        Ok(Box::new(Backbone::scorer(self, adapter)?))
    }

    fn begin_training(&self, config: &LoraConfig, seed: u64) -> Result<Box<dyn Training>, ModelError> {
        Ok(Box::new(Backbone::begin_training(self, config, seed)?))
    }

    fn fresh_adapter(&self, config: &LoraConfig, seed: u64) -> Result<Adapter, ModelError> {
        Backbone::fresh_adapter(self, config, seed)
    }

    fn head_rows(&self, names: &[Vec<u32>]) -> Result<AdapterTensor, ModelError> {
        Backbone::head_rows(self, names)
    }

    fn train_adapter(&self, adapter: &Adapter) -> Result<Box<dyn Training>, ModelError> {
        Ok(Box::new(Backbone::train_adapter(self, adapter)?))
    }

    fn resume_training(&self, adapter: &Adapter, state: &OptimizerState) -> Result<Box<dyn Training>, ModelError> {
        Ok(Box::new(Backbone::resume_training(self, adapter, state)?))
    }

    fn pooled_states(&self, texts: &[&[u32]], first: usize, layers: &[usize]) -> Result<Vec<f32>, ModelError> {
        Backbone::pooled_states(self, texts, first, layers)
    }

    fn frozen_states(&self) -> Arc<FrozenStates> {
        Backbone::frozen_states(self)
    }
}
