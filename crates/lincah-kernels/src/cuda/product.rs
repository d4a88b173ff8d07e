//! Matrix products, by cuBLAS.

use super::device::done;
use cudarc::cublas::sys::{cublasMath_t, cublasOperation_t, cublasSetMathMode};
use cudarc::cublas::{CudaBlas, Gemm, GemmConfig, result::CublasError};
use cudarc::driver::{CudaSlice, CudaStream};
use std::sync::{Arc, Mutex, PoisonError};

/// A handle, used by one thread at a time.
pub(super) struct Blas {
    handle: Mutex<CudaBlas>,
    stream: Arc<CudaStream>,
}

/// A row-major matrix on the device, or its transpose.
#[derive(Clone, Copy)]
pub(super) struct Operand<'a> {
    values: &'a CudaSlice<f32>,
    transposed: bool,
}

/// The matrix as it lies in memory.
pub(super) fn plain(values: &CudaSlice<f32>) -> Operand<'_> {
    Operand { values, transposed: false }
}

/// The transpose of what lies in memory.
pub(super) fn transposed(values: &CudaSlice<f32>) -> Operand<'_> {
    Operand { values, transposed: true }
}

impl Blas {
    pub(super) fn new(stream: &Arc<CudaStream>) -> Result<Self, CublasError> {
        let handle = CudaBlas::new(stream.clone())?;
        let mode = match std::env::var("LINCAH_CUDA_PRODUCTS").as_deref() {
            Ok("tf32") => cublasMath_t::CUBLAS_TF32_TENSOR_OP_MATH,
            _ => cublasMath_t::CUBLAS_DEFAULT_MATH,
        };
        // SAFETY: the handle is open.
        unsafe { cublasSetMathMode(*handle.handle(), mode).result()? };
        Ok(Self { handle: Mutex::new(handle), stream: stream.clone() })
    }

    /// `out = alpha left right + beta out`; with `beta` 0, `out` is not read. # Shapes: left `[m, k]`, right `[k, n]`, out `[m, n]`, as
    /// `[m, n, k]`.
    pub(super) fn product(
        &self,
        [m, n, k]: [usize; 3],
        (left, right): (Operand, Operand),
        (alpha, beta): (f32, f32),
        out: &mut CudaSlice<f32>,
    ) {
        if m == 0 || n == 0 {
            return;
        }
        assert!(
            left.values.len() >= m * k && right.values.len() >= k * n && out.len() >= m * n,
            "an array is shorter than its shape"
        );
        let number = |value: usize| i32::try_from(value).expect("a matrix has fewer than 2^31 rows and columns");
        let operation = |transposed| if transposed { cublasOperation_t::CUBLAS_OP_T } else { cublasOperation_t::CUBLAS_OP_N };
        // cuBLAS is column-major, where our arrays are their transposes: outᵀ = rightᵀ leftᵀ.
        let configuration = GemmConfig {
            transa: operation(right.transposed),
            transb: operation(left.transposed),
            m: number(n),
            n: number(m),
            k: number(k),
            alpha,
            lda: number(if right.transposed { k } else { n }),
            ldb: number(if left.transposed { m } else { k }),
            beta,
            ldc: number(n),
        };
        done(self.stream.context().bind_to_thread());
        let handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the assertion holds the arrays to the shape.
        done(unsafe { handle.gemm(configuration, right.values, left.values, out) });
    }
}
