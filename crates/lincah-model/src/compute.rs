//! Where and how a model computes.

use std::fmt;
use std::str::FromStr;

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

/// Devices that work at the same time, the first of them alone where there is nothing to share: names separated by commas, or `cuda:all`. A device
/// may be there twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Devices {
    /// The first.
    pub first: Device,
    /// The others.
    pub others: Vec<Device>,
}

impl From<Device> for Devices {
    fn from(first: Device) -> Self {
        Self { first, others: Vec::new() }
    }
}

impl fmt::Display for Devices {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        self.first.fmt(formatter)?;
        self.others.iter().try_for_each(|device| write!(formatter, ",{device}"))
    }
}

impl FromStr for Devices {
    type Err = NoDevices;

    fn from_str(names: &str) -> Result<Self, NoDevices> {
        let mut devices = match names {
            "cuda:all" => (0..lincah_kernels::cuda_device_count()?).map(Device::Cuda).collect(),
            names => names.split(',').map(|name| name.trim().parse()).collect::<Result<Vec<Device>, _>>()?,
        };
        if devices.contains(&Device::Auto) && devices.len() > 1 {
            return Err(NoDevices::AutoAmongOthers);
        }
        let none = || lincah_kernels::CudaError::NoDevice { ordinal: 0, count: 0 };
        let first = (!devices.is_empty()).then(|| devices.remove(0)).ok_or_else(none)?;
        Ok(Self { first, others: devices })
    }
}

/// Why a text names no [`Devices`].
#[derive(Debug, thiserror::Error)]
pub enum NoDevices {
    /// One of them is none.
    #[error(transparent)]
    Unknown(#[from] UnknownDevice),
    /// There is no GPU.
    #[error(transparent)]
    Cuda(#[from] lincah_kernels::CudaError),
    /// `auto` is one device.
    #[error("auto is one device; name each of several, or cuda:all")]
    AutoAmongOthers,
}

/// A name that is no [`Device`]'s.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no device; it is cpu, cuda, cuda:N (a GPU's number) or auto; several are separated by commas, or cuda:all")]
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

named_choices!(Precision, "precision": F32 = "f32", Bf16 = "bf16", Int8 = "int8");

/// Where and how a model computes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ComputeOptions {
    /// Where.
    pub device: Device,
    /// How weights and products are kept; `None` is the device's default.
    pub precision: Option<Precision>,
    /// Whether a training step keeps only what enters a layer and computes the rest again in the backward: a third more work, and a
    /// fraction of the memory, with the same results.
    pub recompute: bool,
    /// Whether the processor's operations are measured, for [`LanguageModel::take_times`](crate::LanguageModel::take_times).
    pub profile: bool,
}

impl From<Device> for ComputeOptions {
    fn from(device: Device) -> Self {
        Self { device, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precisions_have_names() {
        for &precision in Precision::ALL {
            assert_eq!(precision.to_string().parse(), Ok(precision));
        }
        for name in ["", "f16", "BF16"] {
            let known = Precision::NAMES;
            assert_eq!(name.parse::<Precision>(), Err(crate::UnknownName { what: "precision", name: name.into(), known }));
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

    #[test]
    fn several_devices_are_listed() {
        for names in ["cpu", "auto", "cuda,cuda:3", "cuda:1,cuda:1,cpu"] {
            assert_eq!(names.parse::<Devices>().unwrap().to_string(), names);
        }
        let two = "cuda:1, cpu".parse::<Devices>().unwrap();
        assert_eq!((two.first, two.others), (Device::Cuda(1), vec![Device::Cpu]));
        assert!(matches!("auto,cpu".parse::<Devices>(), Err(NoDevices::AutoAmongOthers)));
        assert!(matches!("cpu,".parse::<Devices>(), Err(NoDevices::Unknown(_))));
        // Without a GPU there is no first one; with some, these are all.
        match "cuda:all".parse::<Devices>() {
            Ok(all) => assert_eq!(all.first, Device::Cuda(0)),
            Err(error) => assert!(matches!(error, NoDevices::Cuda(_)), "{error}"),
        }
    }
}
