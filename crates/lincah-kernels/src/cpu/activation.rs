//! The gated activation of the MLP.

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
