//! The CUDA device: NVIDIA GPUs, through the driver, cuBLASLt and NVRTC, all loaded when the first model asks for them.

#[cfg(feature = "cuda")]
mod attention;
#[cfg(feature = "cuda")]
mod blas;
#[cfg(feature = "cuda")]
mod buffer;
#[cfg(feature = "cuda")]
mod device;
#[cfg(feature = "cuda")]
mod kernel_cache;
#[cfg(feature = "cuda")]
mod launch;
#[cfg(feature = "cuda")]
mod layout;
#[cfg(feature = "cuda")]
mod lora;
#[cfg(feature = "cuda")]
mod matrix;
#[cfg(feature = "cuda")]
mod memory;
#[cfg(feature = "cuda")]
mod opened;
#[cfg(feature = "cuda")]
mod operations;
#[cfg(feature = "cuda")]
mod optimizer;
#[cfg(feature = "cuda")]
mod pool;
mod precision;
#[cfg(feature = "cuda")]
mod product;
#[cfg(feature = "cuda")]
mod recording;
#[cfg(feature = "cuda")]
mod rope_table;

use crate::error::CudaError;
use crate::kernels::Kernels;
pub use precision::CudaPrecision;

/// Whether lincah was built with the feature `cuda`.
pub const CUDA_IS_BUILT: bool = cfg!(feature = "cuda");

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

/// How many CUDA devices there are.
///
/// # Errors
/// If lincah was built without the feature `cuda`, or the driver is missing.
pub fn cuda_device_count() -> Result<usize, CudaError> {
    #[cfg(feature = "cuda")]
    return device::count();
    #[cfg(not(feature = "cuda"))]
    return Err(CudaError::NotBuilt { ordinal: 0 });
}
