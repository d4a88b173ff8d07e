//! Adam, the gradients' norm, and gradients of shared blocks.

use super::BLOCK;
use super::simd::vectorized;
use crate::shapes::{AdamFactors, AdamStep, DiagonalBlocks};
use rayon::prelude::*;

vectorized! {
    fn update(factors: AdamFactors, gradient: &[f32], first: &mut [f32], second: &mut [f32], parameter: &mut [f32]) {
        let f = factors;
        for (((g, m), v), p) in gradient.iter().zip(first).zip(second).zip(parameter) {
            let g = g * f.gradient;
            *m = f.beta1 * *m + f.rest1 * g;
            *v = f.beta2 * *v + f.rest2 * g * g;
            *p = *p * f.keep - f.rate * *m / (v.sqrt() * f.root + f.epsilon);
        }
    }
}

pub(super) fn adam_step(step: AdamStep, gradient: &[f32], (first, second): (&mut [f32], &mut [f32]), parameter: &mut [f32]) {
    let factors = step.factors();
    let moments = first.par_chunks_mut(BLOCK).zip(second.par_chunks_mut(BLOCK));
    let blocks = gradient.par_chunks(BLOCK).zip(moments).zip(parameter.par_chunks_mut(BLOCK));
    blocks.for_each(|((gradient, (first, second)), parameter)| update(factors, gradient, first, second, parameter));
}

/// One thread: a few thousand numbers a projection.
pub(super) fn tie_diagonal_blocks(blocks: DiagonalBlocks, dx: &mut [f32]) {
    let DiagonalBlocks { count, rows, columns, width } = blocks;
    assert!(dx.len() >= count * rows * width && count * columns <= width, "the array is shorter than its blocks");
    let mut sum = vec![0.0; columns];
    for row in 0..rows {
        let starts = (0..count).map(|block| ((block * rows + row) * width, block * columns));
        sum.fill(0.0);
        for (start, column) in starts.clone() {
            sum.iter_mut().zip(&dx[start + column..]).for_each(|(sum, value)| *sum += value);
        }
        for (start, column) in starts {
            dx[start..start + width].fill(0.0);
            dx[start + column..start + column + columns].copy_from_slice(&sum);
        }
    }
}

vectorized! {
    fn squares(x: &[f32]) -> f64 {
        let mut sums = [0.0f64; 16];
        let (blocks, rest) = x.as_chunks::<16>();
        for block in blocks {
            for lane in 0..16 {
                sums[lane] += f64::from(block[lane]) * f64::from(block[lane]);
            }
        }
        sums.iter().sum::<f64>() + rest.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>()
    }
}

/// Blocks are added in order, so that the threads do not matter.
pub(super) fn squared_norm(x: &[f32]) -> f64 {
    x.par_chunks(BLOCK).map(squares).collect::<Vec<_>>().into_iter().sum()
}
