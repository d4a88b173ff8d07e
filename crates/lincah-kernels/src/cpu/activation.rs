//! The activations of the MLP: gated, and GELU alone.

use super::BLOCK;
use super::simd::{exp, vectorized};
use crate::shapes::Activation;
use rayon::prelude::*;

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// `activation(x)` and its derivative. GELU's `0.5 (1 + tanh(u))` is `sigmoid(2u)`.
#[inline(always)]
fn activate(gelu: bool, x: f32) -> (f32, f32) {
    if gelu {
        const C: f32 = 0.797_884_6;
        const K: f32 = 0.044_715;
        let s = sigmoid(2.0 * C * (x + K * x * x * x));
        (x * s, s + x * s * (1.0 - s) * 2.0 * C * (1.0 + 3.0 * K * x * x))
    } else {
        let s = sigmoid(x);
        (x * s, s * (1.0 + x * (1.0 - s)))
    }
}

vectorized! {
    fn forward(gelu: bool, gate: &[f32], up: &[f32], y: &mut [f32]) {
        if gelu {
            for ((y, gate), up) in y.iter_mut().zip(gate).zip(up) {
                *y = activate(true, *gate).0 * up;
            }
        } else {
            for ((y, gate), up) in y.iter_mut().zip(gate).zip(up) {
                *y = activate(false, *gate).0 * up;
            }
        }
    }
}

vectorized! {
    fn backward(gelu: bool, gate: &[f32], up: &[f32], dy: &[f32], d_gate: &mut [f32], d_up: &mut [f32]) {
        let length = dy.len();
        let (gate, up, d_gate, d_up) = (&gate[..length], &up[..length], &mut d_gate[..length], &mut d_up[..length]);
        if gelu {
            for i in 0..length {
                let (value, slope) = activate(true, gate[i]);
                d_gate[i] = dy[i] * up[i] * slope;
                d_up[i] = dy[i] * value;
            }
        } else {
            for i in 0..length {
                let (value, slope) = activate(false, gate[i]);
                d_gate[i] = dy[i] * up[i] * slope;
                d_up[i] = dy[i] * value;
            }
        }
    }
}

/// 1 - erf(x) for x ≥ 0, but for 1.5e-7. Source: Abramowitz and Stegun 1964, formula 7.1.26.
#[inline(always)]
fn erf_complement(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let polynomial = 0.254_829_6 + t * (-0.284_496_74 + t * (1.421_413_8 + t * (-1.453_152_1 + t * 1.061_405_4)));
    t * polynomial * exp(-x * x)
}

vectorized! {
    fn gelu_block(y: &mut [f32]) {
        for y in y.iter_mut() {
            let half = 0.5 * erf_complement(y.abs() * std::f32::consts::FRAC_1_SQRT_2);
            // Φ(y) from the tail that is small, so that it keeps its digits.
            *y *= if *y < 0.0 { half } else { 1.0 - half };
        }
    }
}

pub(super) fn gelu(y: &mut [f32]) {
    y.par_chunks_mut(BLOCK).for_each(gelu_block);
}

pub(super) fn gated_activation(activation: Activation, gate: &[f32], up: &[f32], y: &mut [f32]) {
    let gelu = activation == Activation::GeluTanh;
    y.par_chunks_mut(BLOCK)
        .zip(gate.par_chunks(BLOCK))
        .zip(up.par_chunks(BLOCK))
        .for_each(|((y, gate), up)| forward(gelu, gate, up, y));
}

pub(super) fn gated_activation_backward(
    activation: Activation,
    (gate, up): (&[f32], &[f32]),
    dy: &[f32],
    d_gate: &mut [f32],
    d_up: &mut [f32],
) {
    let gelu = activation == Activation::GeluTanh;
    let inputs = gate.par_chunks(BLOCK).zip(up.par_chunks(BLOCK)).zip(dy.par_chunks(BLOCK));
    let outputs = d_gate.par_chunks_mut(BLOCK).zip(d_up.par_chunks_mut(BLOCK));
    inputs.zip(outputs).for_each(|(((gate, up), dy), (d_gate, d_up))| backward(gelu, gate, up, dy, d_gate, d_up));
}
