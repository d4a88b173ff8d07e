//! Matrix products, by cuBLASLt.

use super::blas::{Shape, WORKSPACE};
use super::buffer::View;
use super::device::Cuda;
use super::launch::done;
use super::pool::EXCLUSIVE;
use cudarc::cublaslt::result;
use std::ffi::c_void;
use std::sync::PoisonError;

/// A row-major matrix on the device, or its transpose.
#[derive(Clone, Copy)]
pub(super) struct Operand {
    pub(super) view: View,
    pub(super) transposed: bool,
}

/// The matrix as it lies in memory.
pub(super) fn plain(view: View) -> Operand {
    Operand { view, transposed: false }
}

/// The transpose of what lies in memory.
pub(super) fn transposed(view: View) -> Operand {
    Operand { view, transposed: true }
}

impl Cuda {
    /// `out = alpha left right`, or `+=` with `adds`. # Shapes: left `[m, k]`, right `[k, n]`, out `[m, n]`, as `[m, n, k]`. The callers
    /// have checked that the arrays are as long as that.
    pub(super) fn product(&self, sizes: [usize; 3], (left, right): (Operand, Operand), adds: bool, out: View) {
        if sizes[0] == 0 || sizes[1] == 0 {
            return;
        }
        assert_eq!(left.view.element(), right.view.element(), "the factors of a product are of one kind");
        let shape = Shape {
            sizes,
            transposed: [left.transposed, right.transposed],
            factors: left.view.element(),
            out: out.element(),
            adds,
        };
        done(self.stream().context().bind_to_thread());
        // The first use loads the product's kernels, until when nobody else records. A recording itself holds the lock already.
        let (plan, _exclusive) = match self.opened.blas.known_plan(shape) {
            Some(plan) => (plan, None),
            None => {
                let exclusive = (!self.is_recording()).then(|| EXCLUSIVE.lock().unwrap_or_else(PoisonError::into_inner));
                (done(self.opened.blas.plan(shape)), exclusive)
            }
        };
        let (alpha, beta) = (1.0f32, if adds { 1.0f32 } else { 0.0f32 });
        let place = |view: View| view.address as *const c_void;
        // SAFETY: the plan belongs to the shape, the arrays are as long as it says, and the workspace as long as the plan may use.
        let answer = unsafe {
            result::matmul(
                self.opened.blas.handle,
                plan.product,
                (&raw const alpha).cast(),
                (&raw const beta).cast(),
                place(right.view),
                plan.right,
                place(left.view),
                plan.left,
                place(out),
                plan.out,
                place(out).cast_mut(),
                plan.out,
                &raw const plan.algorithm,
                self.workspace().address as *mut c_void,
                WORKSPACE,
                self.stream().cu_stream().cast(),
            )
        };
        done(answer);
    }
}
