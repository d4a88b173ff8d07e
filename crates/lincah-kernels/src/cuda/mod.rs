//! The CUDA device: NVIDIA GPUs, through the driver, cuBLAS and NVRTC, all loaded when the first model asks for them.
//!
//! Products are in f32. The environment variable `LINCAH_CUDA_PRODUCTS=tf32`, read when a device is opened, lets their factors be
//! rounded to TF32's 11 bits, which the tensor cores multiply several times faster.

#[cfg(feature = "cuda")]
mod attention;
#[cfg(feature = "cuda")]
mod device;
#[cfg(feature = "cuda")]
mod operations;
#[cfg(feature = "cuda")]
mod optimizer;
#[cfg(feature = "cuda")]
mod product;

use crate::Kernels;
use std::error::Error;
use std::fmt;

/// Whether lincah was built with the feature `cuda`.
pub const CUDA_IS_BUILT: bool = cfg!(feature = "cuda");

/// The CUDA device number `ordinal`, computing in f32 (without TF32, unless the environment variable `LINCAH_CUDA_PRODUCTS` is `tf32`).
///
/// The same call on the same card gives the same bits, whatever else runs; other cards and cuBLAS versions round differently, and so
/// may batches of other sizes.
///
/// # Errors
/// If lincah was built without the feature `cuda`, or the driver, a library or the device is missing.
pub fn cuda(ordinal: usize) -> Result<impl Kernels, CudaError> {
    #[cfg(feature = "cuda")]
    return device::Cuda::new(ordinal);
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
    /// What the driver, cuBLAS or NVRTC refused.
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
            Self::NotBuilt { .. } | Self::NoLibrary { .. } => None,
        }
    }
}
