//! The naive oracle: every operation as its formula reads, in `f32` or `f64`, one thread, no blocking.

use crate::error::CudaError;
use crate::kernels::{Kernels, int8_rows};
use crate::layout::RaggedLayout;
use crate::shapes::*;
use std::ops::Range;

/// A number that the reference computes in.
pub trait Number:
    num_traits::Float + num_traits::FromPrimitive + std::iter::Sum + std::ops::AddAssign + Send + Sync + 'static
{
}
impl Number for f32 {}
impl Number for f64 {}

/// The reference device in the number type `T`.
#[derive(Debug, Default, Clone, Copy)]
pub struct Reference<T>(std::marker::PhantomData<T>);

impl<T> Reference<T> {
    /// A reference device.
    pub fn new() -> Self {
        Self(std::marker::PhantomData)
    }
}

/// A row-major matrix.
#[derive(Debug, Clone)]
pub struct Matrix<T> {
    values: Vec<T>,
    outputs: usize,
    inputs: usize,
}

/// Cosines and sines, `[positions, C / 2]` each.
#[derive(Debug, Clone)]
pub struct RopeTable<T> {
    cosines: Vec<T>,
    sines: Vec<T>,
    half: usize,
}

fn number<T: Number>(value: f32) -> T {
    T::from_f32(value).expect("every f32 is a number of the reference")
}

fn rotate<T: Number>(table: &RopeTable<T>, layout: &RaggedLayout, heads: usize, x: &mut [T], sign: T) {
    let (half, width) = (table.half, 2 * table.half);
    for (row, position) in layout.positions().into_iter().enumerate() {
        for head in 0..heads {
            let base = (row * heads + head) * width;
            for i in 0..half {
                let (cosine, sine) = (table.cosines[position * half + i], sign * table.sines[position * half + i]);
                let (first, second) = (x[base + i], x[base + half + i]);
                x[base + i] = first * cosine - second * sine;
                x[base + half + i] = second * cosine + first * sine;
            }
        }
    }
}

/// `activation(x)` and its derivative.
fn activate<T: Number>(activation: Activation, x: T) -> (T, T) {
    let one = T::one();
    match activation {
        Activation::Silu => {
            let sigmoid = one / (one + (-x).exp());
            (x * sigmoid, sigmoid * (one + x * (one - sigmoid)))
        }
        Activation::GeluTanh => {
            let (half, c, k) = (
                T::from_f64(0.5).unwrap(),
                T::from_f64((2.0 / std::f64::consts::PI).sqrt()).unwrap(),
                T::from_f64(0.044715).unwrap(),
            );
            let three = T::from_f64(3.0).unwrap();
            let t = (c * (x + k * x * x * x)).tanh();
            (half * x * (one + t), half * (one + t) + half * x * (one - t * t) * c * (one + three * k * x * x))
        }
    }
}

/// erf(x) = 2/√π ∫₀ˣ exp(-t²) dt, by Simpson's rule in f64; beyond 6 it is 1 to the last digit.
fn erf(x: f64) -> f64 {
    const INTERVALS: usize = 1000;
    let width = x.clamp(-6.0, 6.0) / INTERVALS as f64;
    let value = |i: usize| (-(i as f64 * width).powi(2)).exp();
    let inner: f64 = (1..INTERVALS).map(|i| value(i) * if i % 2 == 1 { 4.0 } else { 2.0 }).sum();
    std::f64::consts::FRAC_2_SQRT_PI * width / 3.0 * (value(0) + inner + value(INTERVALS))
}

/// Whether dropout keeps element `index` under `key`: a 64-bit mix (splitmix64) of both, compared with the probability.
#[inline(always)]
pub(crate) fn dropout_keeps(key: u64, index: u64, probability: f32) -> bool {
    let mut z = key.wrapping_add(index.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    (z >> 40) as f32 * (1.0 / (1u64 << 24) as f32) >= probability
}

/// One query's row of attention.
struct QueryRow<T> {
    seen: Range<usize>,
    probabilities: Vec<T>,
    capped: Vec<T>,
    log_sum: T,
}

fn query_row<T: Number>(
    shape: AttentionShape,
    q: &[T],
    key_of: impl Fn(usize) -> usize,
    key: &[T],
    seen: Range<usize>,
) -> QueryRow<T> {
    let capped: Vec<T> = seen
        .clone()
        .map(|j| {
            let k = &key[key_of(j)..][..shape.head_dimension];
            let score = q.iter().zip(k).map(|(&a, &b)| a * b).sum::<T>() * number(shape.scale);
            shape.soft_cap.map_or(score, |cap| number::<T>(cap) * (score / number(cap)).tanh())
        })
        .collect();
    let highest = capped.iter().copied().fold(T::neg_infinity(), T::max);
    let sum = capped.iter().map(|&s| (s - highest).exp()).sum::<T>();
    let log_sum = highest + sum.ln();
    let probabilities = capped.iter().map(|&s| (s - log_sum).exp()).collect();
    QueryRow { seen, probabilities, capped, log_sum }
}

impl<T: Number> Kernels for Reference<T> {
    type Buffer = Vec<T>;
    type Matrix = Matrix<T>;
    type RopeTable = RopeTable<T>;
    type Layout = RaggedLayout;
    type Indices = Vec<usize>;
    type Recording = ();

    fn concurrent_handle(&self) -> Result<Self, CudaError> {
        Ok(Self::new())
    }

    fn upload(&self, values: &[f32]) -> Vec<T> {
        values.iter().map(|&v| number(v)).collect()
    }

    fn download(&self, buffer: &Vec<T>) -> Vec<f32> {
        buffer.iter().map(|v| v.to_f32().expect("every number of the reference rounds to f32")).collect()
    }

    fn zeros(&self, length: usize) -> Vec<T> {
        vec![T::zero(); length]
    }

    fn clear(&self, buffer: &mut Vec<T>) {
        buffer.fill(T::zero());
    }

    fn copy(&self, source: &Vec<T>, target: &mut Vec<T>) {
        target.copy_from_slice(source);
    }

    fn matrix(&self, values: Vec<f32>, outputs: usize, inputs: usize) -> Matrix<T> {
        assert_eq!(values.len(), outputs * inputs);
        Matrix { values: self.upload(&values), outputs, inputs }
    }

    fn int8_matrix(&self, values: Vec<f32>, outputs: usize, inputs: usize) -> Option<Matrix<T>> {
        let (rounded, scales) = int8_rows(&values, outputs, inputs);
        let values = rounded.iter().enumerate().map(|(i, &value)| number::<T>(f32::from(value)) * number(scales[i / inputs]));
        Some(Matrix { values: values.collect(), outputs, inputs })
    }

    fn rope_table(&self, inverse_frequencies: &[f32], positions: usize) -> RopeTable<T> {
        let angles: Vec<f32> = (0..positions).flat_map(|p| inverse_frequencies.iter().map(move |f| p as f32 * f)).collect();
        RopeTable {
            cosines: angles.iter().map(|a| number(a.cos())).collect(),
            sines: angles.iter().map(|a| number(a.sin())).collect(),
            half: inverse_frequencies.len(),
        }
    }

    fn layout(&self, layout: &RaggedLayout) -> RaggedLayout {
        layout.clone()
    }

    fn indices(&self, values: &[usize]) -> Vec<usize> {
        values.to_vec()
    }

    fn linear(&self, rows: usize, x: &Vec<T>, weight: &Matrix<T>, y: &mut Vec<T>) {
        for n in 0..rows {
            for o in 0..weight.outputs {
                y[n * weight.outputs + o] =
                    (0..weight.inputs).map(|i| x[n * weight.inputs + i] * weight.values[o * weight.inputs + i]).sum();
            }
        }
    }

    fn linear_backward(&self, rows: usize, dy: &Vec<T>, weight: &Matrix<T>, dx: &mut Vec<T>) {
        for n in 0..rows {
            for i in 0..weight.inputs {
                dx[n * weight.inputs + i] +=
                    (0..weight.outputs).map(|o| dy[n * weight.outputs + o] * weight.values[o * weight.inputs + i]).sum();
            }
        }
    }

    fn trained_linear(&self, LinearShape { rows, inputs, outputs }: LinearShape, x: &Vec<T>, weight: &Vec<T>, y: &mut Vec<T>) {
        for (n, o) in (0..rows).flat_map(|n| (0..outputs).map(move |o| (n, o))) {
            y[n * outputs + o] = (0..inputs).map(|i| x[n * inputs + i] * weight[o * inputs + i]).sum();
        }
    }

    fn trained_linear_backward(
        &self,
        LinearShape { rows, inputs, outputs }: LinearShape,
        (x, weight): (&Vec<T>, &Vec<T>),
        dy: &Vec<T>,
        (dx, d_weight): (&mut Vec<T>, &mut Vec<T>),
    ) {
        for (n, i) in (0..rows).flat_map(|n| (0..inputs).map(move |i| (n, i))) {
            dx[n * inputs + i] += (0..outputs).map(|o| dy[n * outputs + o] * weight[o * inputs + i]).sum();
        }
        for (o, i) in (0..outputs).flat_map(|o| (0..inputs).map(move |i| (o, i))) {
            d_weight[o * inputs + i] += (0..rows).map(|n| dy[n * outputs + o] * x[n * inputs + i]).sum();
        }
    }

    fn add_bias(&self, bias: &Vec<T>, y: &mut Vec<T>) {
        for row in y.chunks_mut(bias.len()) {
            row.iter_mut().zip(bias).for_each(|(y, &b)| *y += b);
        }
    }

    fn lora(&self, shape: LoraShape, x: &Vec<T>, (a, b): (&Vec<T>, &Vec<T>), h: &mut Vec<T>, y: &mut Vec<T>) {
        let LoraShape { rows, inputs, outputs, rank, scale } = shape;
        for n in 0..rows {
            for r in 0..rank {
                h[n * rank + r] = (0..inputs).map(|i| x[n * inputs + i] * a[r * inputs + i]).sum();
            }
            for o in 0..outputs {
                y[n * outputs + o] += number::<T>(scale) * (0..rank).map(|r| h[n * rank + r] * b[o * rank + r]).sum();
            }
        }
    }

    fn lora_backward(&self, shape: LoraShape, saved: LoraSaved<Vec<T>>, dy: &Vec<T>, gradients: LoraGradients<Vec<T>>) {
        let LoraShape { rows, inputs, outputs, rank, scale } = shape;
        for n in 0..rows {
            for r in 0..rank {
                let dh = number::<T>(scale) * (0..outputs).map(|o| dy[n * outputs + o] * saved.b[o * rank + r]).sum();
                for i in 0..inputs {
                    gradients.a[r * inputs + i] += dh * saved.input[n * inputs + i];
                    gradients.input[n * inputs + i] += dh * saved.a[r * inputs + i];
                }
                for o in 0..outputs {
                    gradients.b[o * rank + r] += number::<T>(scale) * dy[n * outputs + o] * saved.hidden[n * rank + r];
                }
            }
        }
    }

    fn dropout(&self, x: &Vec<T>, probability: f32, key: u64, y: &mut Vec<T>) {
        let keep = number::<T>(1.0 / (1.0 - probability));
        for (i, (y, &x)) in y.iter_mut().zip(x).enumerate() {
            *y = if dropout_keeps(key, i as u64, probability) { x * keep } else { T::zero() };
        }
    }

    fn dropout_backward(&self, dy: &Vec<T>, probability: f32, key: u64, dx: &mut Vec<T>) {
        let keep = number::<T>(1.0 / (1.0 - probability));
        for (i, (dx, &dy)) in dx.iter_mut().zip(dy).enumerate() {
            if dropout_keeps(key, i as u64, probability) {
                *dx += dy * keep;
            }
        }
    }

    fn layer_norm(&self, shape: NormShape, x: &Vec<T>, (weight, bias): (&Vec<T>, &Vec<T>), y: &mut Vec<T>) {
        let rows = x.chunks(shape.width).zip(y.chunks_mut(shape.width)).take(shape.rows);
        for (x, y) in rows {
            let width = number::<T>(shape.width as f32);
            let mean = x.iter().copied().sum::<T>() / width;
            let variance = x.iter().map(|&x| (x - mean) * (x - mean)).sum::<T>() / width;
            let r = T::one() / (variance + number(shape.epsilon)).sqrt();
            for (i, y) in y.iter_mut().enumerate() {
                *y = (x[i] - mean) * r * weight[i] + bias[i];
            }
        }
    }

    fn gelu(&self, y: &mut Vec<T>) {
        for y in y.iter_mut() {
            let x = y.to_f64().expect("every number of the reference is one of f64");
            *y = T::from_f64(0.5 * x * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2))).expect("f64 rounds to any");
        }
    }

    fn rms_norm(&self, shape: NormShape, x: &Vec<T>, weight: &Vec<T>, y: &mut Vec<T>, r: &mut Vec<T>) {
        let width = T::from_usize(shape.width).unwrap();
        for (n, r) in r[..shape.rows].iter_mut().enumerate() {
            let row = &x[n * shape.width..][..shape.width];
            let mean_square = row.iter().map(|&v| v * v).sum::<T>() / width;
            *r = T::one() / (mean_square + number(shape.epsilon)).sqrt();
            for (i, &value) in row.iter().enumerate() {
                y[n * shape.width + i] = value * *r * weight[i];
            }
        }
    }

    fn rms_norm_backward(&self, shape: NormShape, (x, weight, r): (&Vec<T>, &Vec<T>, &Vec<T>), dy: &Vec<T>, dx: &mut Vec<T>) {
        let width = T::from_usize(shape.width).unwrap();
        for (n, &r) in r[..shape.rows].iter().enumerate() {
            let at = n * shape.width;
            let mean = (0..shape.width).map(|i| dy[at + i] * weight[i] * x[at + i]).sum::<T>() / width;
            for i in 0..shape.width {
                dx[at + i] += r * dy[at + i] * weight[i] - x[at + i] * r * r * r * mean;
            }
        }
    }

    fn rope(&self, table: &RopeTable<T>, layout: &RaggedLayout, heads: usize, x: &mut Vec<T>) {
        rotate(table, layout, heads, x, T::one());
    }

    fn rope_backward(&self, table: &RopeTable<T>, layout: &RaggedLayout, heads: usize, dx: &mut Vec<T>) {
        rotate(table, layout, heads, dx, -T::one());
    }

    fn attention(
        &self,
        shape: AttentionShape,
        layout: &RaggedLayout,
        (query, key, value): (&Vec<T>, &Vec<T>, &Vec<T>),
        output: &mut Vec<T>,
        log_sum: &mut Vec<T>,
    ) {
        let (heads, width, group) = (shape.heads, shape.head_dimension, shape.heads / shape.key_value_heads);
        for segment in layout.segments() {
            for row in segment.own.clone() {
                let position = segment.first_position() + row - segment.own.start;
                for head in 0..heads {
                    let key_of = |j: usize| (segment.key_row(j) * shape.key_value_heads + head / group) * width;
                    let at = (row * heads + head) * width;
                    let result = query_row(shape, &query[at..at + width], key_of, key, shape.visible(position, segment.length()));
                    log_sum[row * heads + head] = result.log_sum;
                    for c in 0..width {
                        output[at + c] = result
                            .probabilities
                            .iter()
                            .enumerate()
                            .map(|(j, &p)| p * value[key_of(result.seen.start + j) + c])
                            .sum();
                    }
                }
            }
        }
    }

    fn attention_backward(
        &self,
        shape: AttentionShape,
        layout: &RaggedLayout,
        saved: AttentionSaved<Vec<T>>,
        d_output: &Vec<T>,
        gradients: AttentionGradients<Vec<T>>,
    ) {
        let (heads, width, group) = (shape.heads, shape.head_dimension, shape.heads / shape.key_value_heads);
        self.clear(gradients.query);
        self.clear(gradients.key);
        self.clear(gradients.value);
        for segment in layout.segments() {
            for row in segment.own.clone() {
                let position = segment.first_position() + row - segment.own.start;
                for head in 0..heads {
                    let key_of = |j: usize| (segment.key_row(j) * shape.key_value_heads + head / group) * width;
                    let at = (row * heads + head) * width;
                    let q = &saved.query[at..at + width];
                    let result = query_row(shape, q, key_of, saved.key, shape.visible(position, segment.length()));
                    let d_probabilities: Vec<T> = result
                        .seen
                        .clone()
                        .map(|j| (0..width).map(|c| d_output[at + c] * saved.value[key_of(j) + c]).sum())
                        .collect();
                    let mean = d_probabilities.iter().zip(&result.probabilities).map(|(&d, &p)| d * p).sum::<T>();
                    for (j, &d_probability) in d_probabilities.iter().enumerate() {
                        let (probability, key_at) = (result.probabilities[j], key_of(result.seen.start + j));
                        let slope = shape.soft_cap.map_or(T::one(), |cap| T::one() - (result.capped[j] / number(cap)).powi(2));
                        let d_score = probability * (d_probability - mean) * slope * number(shape.scale);
                        for c in 0..width {
                            gradients.query[at + c] += d_score * saved.key[key_at + c];
                            gradients.key[key_at + c] += d_score * q[c];
                            gradients.value[key_at + c] += probability * d_output[at + c];
                        }
                    }
                }
            }
        }
    }

    fn gated_activation(&self, activation: Activation, gate: &Vec<T>, up: &Vec<T>, y: &mut Vec<T>) {
        for (i, y) in y.iter_mut().enumerate() {
            *y = activate(activation, gate[i]).0 * up[i];
        }
    }

    fn gated_activation_backward(
        &self,
        activation: Activation,
        (gate, up): (&Vec<T>, &Vec<T>),
        dy: &Vec<T>,
        d_gate: &mut Vec<T>,
        d_up: &mut Vec<T>,
    ) {
        for i in 0..dy.len() {
            let (value, slope) = activate(activation, gate[i]);
            d_gate[i] = dy[i] * up[i] * slope;
            d_up[i] = dy[i] * value;
        }
    }

    fn add(&self, x: &Vec<T>, y: &mut Vec<T>) {
        y.iter_mut().zip(x).for_each(|(y, &x)| *y += x);
    }

    fn gather_rows(&self, width: usize, rows: &Vec<usize>, x: &Vec<T>, y: &mut Vec<T>) {
        for (s, &row) in rows.iter().enumerate() {
            y[s * width..][..width].copy_from_slice(&x[row * width..][..width]);
        }
    }

    fn scatter_add_rows(&self, width: usize, rows: &Vec<usize>, dy: &Vec<T>, dx: &mut Vec<T>) {
        for (s, &row) in rows.iter().enumerate() {
            for c in 0..width {
                dx[row * width + c] += dy[s * width + c];
            }
        }
    }

    fn soft_cap(&self, cap: f32, x: &mut Vec<T>) {
        x.iter_mut().for_each(|x| *x = number::<T>(cap) * (*x / number(cap)).tanh());
    }

    fn soft_cap_backward(&self, cap: f32, y: &Vec<T>, dx: &mut Vec<T>) {
        dx.iter_mut().zip(y).for_each(|(dx, &y)| *dx = *dx * (T::one() - (y / number(cap)).powi(2)));
    }

    fn cross_entropy(&self, width: usize, targets: &Vec<usize>, weights: &Vec<T>, logits: &mut Vec<T>, losses: &mut Vec<T>) {
        let rows = logits.chunks_mut(width).zip(targets.iter().zip(weights));
        for ((row, (&target, &weight)), loss) in rows.zip(losses) {
            let highest = row.iter().copied().fold(T::neg_infinity(), T::max);
            let log_sum = highest + row.iter().map(|&v| (v - highest).exp()).sum::<T>().ln();
            *loss = log_sum - row[target];
            for (i, v) in row.iter_mut().enumerate() {
                let hot = if i == target { T::one() } else { T::zero() };
                *v = weight * ((*v - log_sum).exp() - hot);
            }
        }
    }

    fn squared_norm(&self, x: &Vec<T>) -> f64 {
        x.iter().map(|v| v.to_f64().expect("every number of the reference rounds to f64").powi(2)).sum()
    }

    fn tie_diagonal_blocks(&self, blocks: DiagonalBlocks, dx: &mut Vec<T>) {
        let DiagonalBlocks { count, rows, columns, width } = blocks;
        let place = |block: usize, row: usize, column: usize| (block * rows + row) * width + block * columns + column;
        let mut tied = vec![T::zero(); count * rows * width];
        for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
            let sum = (0..count).map(|block| dx[place(block, row, column)]).fold(T::zero(), |sum, value| sum + value);
            (0..count).for_each(|block| tied[place(block, row, column)] = sum);
        }
        dx[..tied.len()].copy_from_slice(&tied);
    }

    fn scale(&self, factor: f32, y: &mut Vec<T>) {
        y.iter_mut().for_each(|y| *y = *y * number(factor));
    }

    fn adam_step(&self, step: AdamStep, gradient: &Vec<T>, (first, second): (&mut Vec<T>, &mut Vec<T>), parameter: &mut Vec<T>) {
        let number = |value: f64| T::from_f64(value).expect("every f64 is a number of the reference");
        let correction1 = 1.0 - step.beta1.powi(step.step as i32);
        let correction2 = (1.0 - step.beta2.powi(step.step as i32)).sqrt();
        for i in 0..parameter.len() {
            let g = gradient[i] * number(step.gradient_scale);
            first[i] = number(step.beta1) * first[i] + number(1.0 - step.beta1) * g;
            second[i] = number(step.beta2) * second[i] + number(1.0 - step.beta2) * g * g;
            let change = number(step.learning_rate / correction1) * first[i]
                / (second[i].sqrt() / number(correction2) + number(step.epsilon));
            parameter[i] = parameter[i] * number(1.0 - step.learning_rate * step.weight_decay) - change;
        }
    }
}
