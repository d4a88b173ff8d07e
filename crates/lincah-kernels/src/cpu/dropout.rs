//! Dropout.

use super::BLOCK;
use super::simd::vectorized;
use crate::reference::dropout_keeps;
use rayon::prelude::*;

vectorized! {
    fn drop_block(first: u64, x: &[f32], probability: f32, key: u64, y: &mut [f32]) {
        let keep = 1.0 / (1.0 - probability);
        for (i, (y, x)) in y.iter_mut().zip(x).enumerate() {
            let factor = if dropout_keeps(key, first + i as u64, probability) { keep } else { 0.0 };
            *y = x * factor;
        }
    }
}

vectorized! {
    fn drop_block_backward(first: u64, dy: &[f32], probability: f32, key: u64, dx: &mut [f32]) {
        let keep = 1.0 / (1.0 - probability);
        for (i, (dx, dy)) in dx.iter_mut().zip(dy).enumerate() {
            let factor = if dropout_keeps(key, first + i as u64, probability) { keep } else { 0.0 };
            *dx += dy * factor;
        }
    }
}

pub(super) fn dropout(x: &[f32], probability: f32, key: u64, y: &mut [f32]) {
    let blocks = y.par_chunks_mut(BLOCK).zip(x.par_chunks(BLOCK)).enumerate();
    blocks.for_each(|(block, (y, x))| drop_block((block * BLOCK) as u64, x, probability, key, y));
}

pub(super) fn dropout_backward(dy: &[f32], probability: f32, key: u64, dx: &mut [f32]) {
    let blocks = dx.par_chunks_mut(BLOCK).zip(dy.par_chunks(BLOCK)).enumerate();
    blocks.for_each(|(block, (dx, dy))| drop_block_backward((block * BLOCK) as u64, dy, probability, key, dx));
}
