//! Softmax cross-entropy and the logits' soft cap.

use super::BLOCK;
use super::simd::{exponentials_of_differences, tanh, vectorized};
use rayon::prelude::*;

vectorized! {
    fn row_loss(row: &mut [f32], target: usize, weight: f32) -> f32 {
        let at_target = row[target];
        let (highest, sum) = exponentials_of_differences(row);
        let factor = weight / sum;
        for v in row.iter_mut() {
            *v *= factor;
        }
        row[target] -= weight;
        highest + sum.ln() - at_target
    }
}

pub(super) fn cross_entropy(width: usize, (targets, weights): (&[usize], &[f32]), logits: &mut [f32], losses: &mut [f32]) {
    let rows = logits.par_chunks_mut(width).zip(targets.par_iter().zip(weights));
    rows.zip(losses).for_each(|((row, (&target, &weight)), loss)| *loss = row_loss(row, target, weight));
}

vectorized! {
    fn cap_block(cap: f32, x: &mut [f32]) {
        for x in x.iter_mut() {
            *x = cap * tanh(*x / cap);
        }
    }
}

vectorized! {
    fn cap_block_backward(cap: f32, y: &[f32], dx: &mut [f32]) {
        for (dx, y) in dx.iter_mut().zip(y) {
            *dx *= 1.0 - (y / cap) * (y / cap);
        }
    }
}

pub(super) fn soft_cap(cap: f32, x: &mut [f32]) {
    x.par_chunks_mut(BLOCK).for_each(|x| cap_block(cap, x));
}

pub(super) fn soft_cap_backward(cap: f32, y: &[f32], dx: &mut [f32]) {
    dx.par_chunks_mut(BLOCK).zip(y.par_chunks(BLOCK)).for_each(|(dx, y)| cap_block_backward(cap, y, dx));
}
