//! LoRA's thin products.

use super::Buffer;
use super::matmul::{Left, Right, pack_transposed, product};
use crate::shapes::{LoraSaved, LoraShape};

/// `h = x Aᵀ`. # Shapes: x `[N, I]`, A `[R, I]`, h `[N, R]`.
pub(super) fn hidden(shape: LoraShape, x: &[f32], a: &[f32], h: &mut [f32]) {
    let LoraShape { rows, inputs, rank, .. } = shape;
    product(Left::row_major(x, rows, inputs), Right::Panels(&pack_transposed(a, rank, inputs, 1.0)), inputs, rank, false, h);
}

/// `dB += scale dyᵀ h`; returns `dh = scale dy B`, `[N, R]`. # Shapes: dy `[N, O]`, h `[N, R]`, B and dB `[O, R]`.
pub(super) fn hidden_and_b_gradients(shape: LoraShape, saved: &LoraSaved<Buffer>, dy: &[f32], db: &mut [f32]) -> Buffer {
    let LoraShape { rows, outputs, rank, scale, .. } = shape;
    let (mut dh, mut transposed) = (Buffer::uninitialized(rows * rank), Buffer::uninitialized(rank * outputs));
    product(Left::row_major(dy, rows, outputs), Right::RowMajor(saved.b, rank), outputs, rank, false, &mut dh);
    dh.iter_mut().for_each(|value| *value *= scale);
    // dBᵀ, because a product with few rows and many columns fills the registers, and one with few columns does not.
    product(Left::transposed(saved.hidden, rank), Right::RowMajor(dy, outputs), rows, outputs, false, &mut transposed);
    for (o, row) in db[..outputs * rank].chunks_exact_mut(rank).enumerate() {
        for (r, gradient) in row.iter_mut().enumerate() {
            *gradient += scale * transposed[r * outputs + o];
        }
    }
    dh
}

/// `dA += dhᵀ x`. # Shapes: dh `[N, R]`, x `[N, I]`, dA `[R, I]`.
pub(super) fn a_gradient(shape: LoraShape, dh: &[f32], x: &[f32], da: &mut [f32]) {
    let LoraShape { rows, inputs, rank, .. } = shape;
    product(Left::transposed(dh, rank), Right::RowMajor(x, inputs), rows, inputs, true, da);
}
