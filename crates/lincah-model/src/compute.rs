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
}
