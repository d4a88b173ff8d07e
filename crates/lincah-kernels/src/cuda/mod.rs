//! The CUDA device: NVIDIA GPUs, through the driver, cuBLASLt and NVRTC, all loaded when the first model asks for them.

#[cfg(feature = "cuda")]
mod attention;
#[cfg(feature = "cuda")]
mod device;
#[cfg(feature = "cuda")]
mod kernel_cache;
#[cfg(feature = "cuda")]
mod layout;
#[cfg(feature = "cuda")]
mod lora;
#[cfg(feature = "cuda")]
mod memory;
#[cfg(feature = "cuda")]
mod opened;
#[cfg(feature = "cuda")]
mod operations;
#[cfg(feature = "cuda")]
mod optimizer;
#[cfg(feature = "cuda")]
mod product;
#[cfg(feature = "cuda")]
mod recording;

use crate::Kernels;
use std::error::Error;
use std::fmt;

/// Whether lincah was built with the feature `cuda`.
pub const CUDA_IS_BUILT: bool = cfg!(feature = "cuda");

/// How a CUDA device keeps frozen weights and the factors of products.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CudaPrecision {
    /// f32, without TF32.
    F32,
    /// bfloat16, summed in f32; the residual stream, norms, softmax, LoRA and the optimizer stay in f32.
    Bf16,
}

/// The CUDA device number `ordinal`; without a `precision`, in bfloat16 if its compute capability is 8.0 or more, in f32 otherwise.
///
/// The same call on the same card gives the same bits, whatever else runs; other cards and cuBLAS versions round differently, and so
/// may batches of other sizes.
///
/// # Errors
/// If lincah was built without the feature `cuda`, or the driver, a library or the device is missing.
pub fn cuda(ordinal: usize, precision: Option<CudaPrecision>) -> Result<impl Kernels, CudaError> {
    #[cfg(feature = "cuda")]
    return device::Cuda::new(ordinal, precision);
    #[cfg(not(feature = "cuda"))]
    let _ = precision;
    #[cfg(not(feature = "cuda"))]
    return Err::<crate::Cpu, _>(CudaError::NotBuilt { ordinal });
}

/// Why there is no CUDA device.
#[derive(Debug)]
#[non_exhaustive]
pub enum CudaError {
    /// The feature `cuda` is off.
    NotBuilt {
        /// The device that was asked for.
        ordinal: usize,
    },
    /// A shared library that is not there.
    NoLibrary {
        /// What the library does.
        library: &'static str,
        /// How to get it.
        hint: &'static str,
    },
    /// A number behind the last device's.
    NoDevice {
        /// The device that was asked for.
        ordinal: usize,
        /// How many there are.
        count: usize,
    },
    /// bfloat16 on a GPU that has no units for it.
    NoBf16 {
        /// The device that was asked for.
        ordinal: usize,
        /// Its compute capability.
        capability: (i32, i32),
    },
    /// What the driver, cuBLASLt or NVRTC refused.
    Failed {
        /// The device that was asked for.
        ordinal: usize,
        /// What was tried.
        action: &'static str,
        /// The answer.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl fmt::Display for CudaError {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::NotBuilt { ordinal } => {
                write!(formatter, "no CUDA device {ordinal}: this lincah was built without CUDA; build it with --features cuda")
            }
            Self::NoLibrary { library, hint } => write!(formatter, "no CUDA device: {library} is not on this machine; {hint}"),
            Self::NoDevice { ordinal, count: 0 } => {
                write!(formatter, "no CUDA device {ordinal}: the driver shows none; compute with --device cpu")
            }
            Self::NoDevice { ordinal, count } => {
                write!(
                    formatter,
                    "no CUDA device {ordinal}: the driver shows {count}, numbered from 0; the first is --device cuda:0"
                )
            }
            Self::NoBf16 { ordinal, capability: (major, minor) } => {
                write!(
                    formatter,
                    "CUDA device {ordinal} has no bf16: its compute capability is {major}.{minor}, not 8.0 or more; pass --precision f32"
                )
            }
            Self::Failed { ordinal, action, source } => {
                write!(formatter, "CUDA device {ordinal} can't be used: to {action} failed: {source}; see what nvidia-smi says")
            }
        }
    }
}

impl Error for CudaError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed { source, .. } => Some(&**source),
            Self::NotBuilt { .. } | Self::NoLibrary { .. } | Self::NoDevice { .. } | Self::NoBf16 { .. } => None,
        }
    }
}
