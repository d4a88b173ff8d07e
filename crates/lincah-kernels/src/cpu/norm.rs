//! RMS norm and layer norm.

use super::simd::{dot, dot3, sum, vectorized};
use crate::shapes::NormShape;
use rayon::prelude::*;

vectorized! {
    fn norm_row(x: &[f32], weight: &[f32], epsilon: f32, y: &mut [f32]) -> f32 {
        let r = 1.0 / (dot(x, x) / x.len() as f32 + epsilon).sqrt();
        for ((y, x), w) in y.iter_mut().zip(x).zip(weight) {
            *y = x * r * w;
        }
        r
    }
}

vectorized! {
    fn norm_row_backward(x: &[f32], weight: &[f32], r: f32, dy: &[f32], dx: &mut [f32]) {
        let mean = dot3(x, weight, dy) / x.len() as f32;
        let factor = r * r * r * mean;
        for (((dx, x), w), dy) in dx.iter_mut().zip(x).zip(weight).zip(dy) {
            *dx += r * dy * w - x * factor;
        }
    }
}

vectorized! {
    fn layer_norm_row(x: &[f32], weight: &[f32], bias: &[f32], epsilon: f32, y: &mut [f32]) {
        let width = x.len() as f32;
        let mean = sum(x) / width;
        for (y, x) in y.iter_mut().zip(x) {
            *y = x - mean;
        }
        let r = 1.0 / (dot(y, y) / width + epsilon).sqrt();
        for ((y, w), b) in y.iter_mut().zip(weight).zip(bias) {
            *y = *y * r * w + b;
        }
    }
}

pub(super) fn layer_norm(shape: NormShape, x: &[f32], (weight, bias): (&[f32], &[f32]), y: &mut [f32]) {
    let rows = y[..shape.rows * shape.width].par_chunks_mut(shape.width).with_min_len(super::row_grain(shape.width));
    rows.zip(x.par_chunks(shape.width)).for_each(|(y, x)| layer_norm_row(x, weight, bias, shape.epsilon, y));
}

pub(super) fn rms_norm(shape: NormShape, x: &[f32], weight: &[f32], y: &mut [f32], r: &mut [f32]) {
    let rows = r[..shape.rows].par_iter_mut().with_min_len(super::row_grain(shape.width));
    rows.zip(y.par_chunks_mut(shape.width))
        .zip(x.par_chunks(shape.width))
        .for_each(|((r, y), x)| *r = norm_row(x, weight, shape.epsilon, y));
}

pub(super) fn rms_norm_backward(shape: NormShape, (x, weight, r): (&[f32], &[f32], &[f32]), dy: &[f32], dx: &mut [f32]) {
    let rows = dx[..shape.rows * shape.width].par_chunks_mut(shape.width).with_min_len(super::row_grain(shape.width));
    rows.enumerate().for_each(|(n, dx)| {
        let row = n * shape.width..(n + 1) * shape.width;
        norm_row_backward(&x[row.clone()], weight, r[n], &dy[row], dx);
    });
}
