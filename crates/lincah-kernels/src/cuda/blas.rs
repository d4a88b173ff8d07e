//! cuBLASLt, whose algorithms are asked for once a shape.

use super::buffer::Element;
use cudarc::cublaslt::{result, sys};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Memory for sums that are split over the inner dimension.
pub(super) const WORKSPACE: usize = 32 << 20;

/// What cuBLASLt's choice depends on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shape {
    pub(super) sizes: [usize; 3],
    pub(super) transposed: [bool; 2],
    pub(super) factors: Element,
    pub(super) out: Element,
    pub(super) adds: bool,
}

/// Descriptors of one shape and the algorithm for it. They live as long as the process: there are few, and they are small.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    pub(super) product: sys::cublasLtMatmulDesc_t,
    pub(super) left: sys::cublasLtMatrixLayout_t,
    pub(super) right: sys::cublasLtMatrixLayout_t,
    pub(super) out: sys::cublasLtMatrixLayout_t,
    pub(super) algorithm: sys::cublasLtMatmulAlgo_t,
}

/// cuBLASLt and its plans.
pub(super) struct Blas {
    pub(super) handle: sys::cublasLtHandle_t,
    plans: Mutex<BTreeMap<Shape, Plan>>,
}

// SAFETY: cuBLASLt's handle may be used from many threads at once, and descriptors are not changed after they were made; the workspace is
// the calling handle's own.
unsafe impl Send for Blas {}
// SAFETY: as above.
unsafe impl Sync for Blas {}

impl Drop for Blas {
    fn drop(&mut self) {
        // SAFETY: the handle is open, and nobody has it any more.
        let _ = unsafe { result::destroy_handle(self.handle) };
    }
}

fn data_type(element: Element) -> sys::cudaDataType {
    match element {
        Element::F32 => sys::cudaDataType::CUDA_R_32F,
        Element::Bf16 => sys::cudaDataType::CUDA_R_16BF,
    }
}

impl Blas {
    /// The context must be bound.
    pub(super) fn new() -> Result<Self, result::CublasError> {
        Ok(Self { handle: result::create_handle()?, plans: Mutex::default() })
    }

    pub(super) fn known_plan(&self, shape: Shape) -> Option<Plan> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).get(&shape).copied()
    }

    pub(super) fn plan(&self, shape: Shape) -> Result<Plan, result::CublasError> {
        // Asked for outside the lock: two handles may both ask, and get the same answer.
        let plan = self.new_plan(shape)?;
        Ok(*self.plans.lock().unwrap_or_else(PoisonError::into_inner).entry(shape).or_insert(plan))
    }

    /// cuBLASLt is column-major, where our arrays are their transposes: outᵀ = rightᵀ leftᵀ.
    fn new_plan(&self, shape: Shape) -> Result<Plan, result::CublasError> {
        let [m, n, k] = shape.sizes;
        let layout = |transposed: bool, rows: usize, columns: usize, element| {
            let (rows, columns) = if transposed { (columns, rows) } else { (rows, columns) };
            result::create_matrix_layout(data_type(element), rows as u64, columns as u64, rows as i64)
        };
        let compute = sys::cublasComputeType_t::CUBLAS_COMPUTE_32F;
        let product = result::create_matmul_desc(compute, sys::cudaDataType::CUDA_R_32F)?;
        let [left, right] =
            [layout(shape.transposed[0], k, m, shape.factors)?, layout(shape.transposed[1], n, k, shape.factors)?];
        let out = layout(false, n, m, shape.out)?;
        let preference = result::create_matmul_pref()?;
        use sys::cublasLtMatmulDescAttributes_t::{CUBLASLT_MATMUL_DESC_TRANSA, CUBLASLT_MATMUL_DESC_TRANSB};
        let most = sys::cublasLtMatmulPreferenceAttributes_t::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES;
        // SAFETY: all descriptors were made above; every attribute gets a value of its type and size.
        let found = unsafe {
            for (attribute, transposed) in
                [(CUBLASLT_MATMUL_DESC_TRANSA, shape.transposed[1]), (CUBLASLT_MATMUL_DESC_TRANSB, shape.transposed[0])]
            {
                let operation = i32::from(transposed);
                result::set_matmul_desc_attribute(product, attribute, (&raw const operation).cast(), size_of::<i32>())?;
            }
            let bytes = WORKSPACE;
            result::set_matmul_pref_attribute(preference, most, (&raw const bytes).cast(), size_of::<usize>())?;
            let found = result::get_matmul_algo_heuristic(self.handle, product, right, left, out, out, preference);
            result::destroy_matmul_pref(preference)?;
            found?
        };
        Ok(Plan { product, left, right, out, algorithm: found.algo })
    }
}
