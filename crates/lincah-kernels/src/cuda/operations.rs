//! The table of operations: each checks its arrays' lengths and launches a kernel or a product.

use super::attention::Layout;
use super::device::{Buffer, Cuda, done, each, grid, launch};
use super::product::{plain, transposed};
use crate::kernels::*;
use crate::layout::RaggedLayout;
use cudarc::driver::CudaSlice;
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

/// A frozen `[O, I]` matrix, row-major.
pub(super) struct Matrix {
    values: CudaSlice<f32>,
    outputs: usize,
    inputs: usize,
}

/// Cosines and sines, `[positions, C / 2]` each.
pub(super) struct RopeTable {
    inverse_frequencies: Vec<f32>,
    positions: usize,
    cosines: Buffer,
    sines: Buffer,
}

/// Threads of a block that reduces over `width` numbers.
fn reducing_threads(width: usize) -> usize {
    width.div_ceil(2).next_multiple_of(32).clamp(32, 512)
}

fn is_gelu(activation: Activation) -> i32 {
    i32::from(activation == Activation::GeluTanh)
}

impl Cuda {
    fn rotate(&self, table: &RopeTable, layout: &Layout, heads: usize, x: &mut Buffer, sign: f32) {
        assert!(layout.longest() <= table.positions, "{} positions, but the table has {}", layout.longest(), table.positions);
        let half = table.inverse_frequencies.len();
        let pairs = layout.rows() * heads * half;
        launch!(self, "rope", each(pairs);
            &(pairs as u64), &(heads as u32), &(half as u32), &sign, &*table.cosines.values, &*table.sines.values,
            &layout.positions(), x.of_mut(2 * pairs));
    }

    /// The rows as the kernels take them, known to lie within an array of `length` numbers.
    fn rows(&self, width: usize, rows: &[usize], length: usize) -> CudaSlice<i32> {
        assert!(rows.iter().all(|row| (row + 1) * width <= length), "a row lies behind its array");
        self.send(&rows.iter().map(|&row| i32::try_from(row).expect("a batch has fewer than 2^31 rows")).collect::<Vec<_>>())
    }
}

impl Kernels for Cuda {
    type Buffer = Buffer;
    type Matrix = Matrix;
    type RopeTable = Arc<RopeTable>;
    type Layout = Layout;

    fn gpu(&self) -> Option<usize> {
        Some(self.stream.context().ordinal())
    }

    fn upload(&self, values: &[f32]) -> Buffer {
        let mut buffer = Cuda::unset(self, values.len());
        if !values.is_empty() {
            done(self.stream.memcpy_htod(values, &mut *buffer.values));
        }
        buffer
    }

    fn download(&self, buffer: &Buffer) -> Vec<f32> {
        if buffer.length == 0 {
            return Vec::new();
        }
        let values = done(self.stream.clone_dtoh(&buffer.values.slice(..buffer.length)));
        done(self.stream.synchronize());
        values
    }

    fn zeros(&self, length: usize) -> Buffer {
        let mut buffer = Cuda::unset(self, length);
        self.clear(&mut buffer);
        buffer
    }

    fn unset(&self, length: usize) -> Buffer {
        Cuda::unset(self, length)
    }

    fn clear(&self, buffer: &mut Buffer) {
        done(self.stream.memset_zeros(&mut *buffer.values));
    }

    fn copy(&self, source: &Buffer, target: &mut Buffer) {
        assert_eq!(source.length, target.length, "arrays of different lengths");
        let length = source.length;
        if length > 0 {
            done(self.stream.memcpy_dtod(&source.values.slice(..length), &mut target.values.slice_mut(..length)));
        }
    }

    fn matrix(&self, values: Vec<f32>, outputs: usize, inputs: usize) -> Matrix {
        assert_eq!(values.len(), outputs * inputs);
        Matrix { values: self.send(&values), outputs, inputs }
    }

    fn large_matrix(&self, values: Vec<f32>, outputs: usize, inputs: usize) -> Matrix {
        self.matrix(values, outputs, inputs)
    }

    fn rope_table(&self, inverse_frequencies: &[f32], positions: usize) -> Arc<RopeTable> {
        let mut tables = self.rope_tables.lock().unwrap_or_else(PoisonError::into_inner);
        let known = tables.iter().position(|table| table.inverse_frequencies == inverse_frequencies);
        if let Some(known) = known {
            if tables[known].positions >= positions {
                return tables[known].clone();
            }
            tables.swap_remove(known);
        }
        // Somewhat longer, so that few batches need a new one.
        let positions = positions.next_multiple_of(256);
        let angles: Vec<f32> = (0..positions).flat_map(|p| inverse_frequencies.iter().map(move |f| p as f32 * f)).collect();
        let table = Arc::new(RopeTable {
            inverse_frequencies: inverse_frequencies.to_vec(),
            positions,
            cosines: self.upload(&angles.iter().map(|a| a.cos()).collect::<Vec<_>>()),
            sines: self.upload(&angles.iter().map(|a| a.sin()).collect::<Vec<_>>()),
        });
        tables.push(table.clone());
        table
    }

    fn layout(&self, layout: &RaggedLayout) -> Layout {
        Layout::new(self, layout)
    }

    fn linear(&self, rows: usize, x: &Buffer, weight: &Matrix, y: &mut Buffer) {
        let Matrix { values, outputs, inputs } = weight;
        let operands = (plain(x.of(rows * inputs)), transposed(values));
        self.blas.product([rows, *outputs, *inputs], operands, (1.0, 0.0), y.of_mut(rows * outputs));
    }

    fn linear_backward(&self, rows: usize, dy: &Buffer, weight: &Matrix, dx: &mut Buffer) {
        let Matrix { values, outputs, inputs } = weight;
        let operands = (plain(dy.of(rows * outputs)), plain(values));
        self.blas.product([rows, *inputs, *outputs], operands, (1.0, 1.0), dx.of_mut(rows * inputs));
    }

    fn add_bias(&self, bias: &Buffer, y: &mut Buffer) {
        let n = y.length;
        launch!(self, "add_bias", each(n); &(n as u64), &(bias.length as u32), &*bias.values, &mut *y.values);
    }

    fn lora(&self, shape: LoraShape, x: &Buffer, (a, b): (&Buffer, &Buffer), h: &mut Buffer, y: &mut Buffer) {
        let LoraShape { rows, inputs, outputs, rank, scale } = shape;
        let down = (plain(x.of(rows * inputs)), transposed(a.of(rank * inputs)));
        self.blas.product([rows, rank, inputs], down, (1.0, 0.0), h.of_mut(rows * rank));
        let up = (plain(&h.values), transposed(b.of(outputs * rank)));
        self.blas.product([rows, outputs, rank], up, (scale, 1.0), y.of_mut(rows * outputs));
    }

    fn lora_backward(&self, shape: LoraShape, saved: LoraSaved<Buffer>, dy: &Buffer, gradients: LoraGradients<Buffer>) {
        let LoraShape { rows, inputs, outputs, rank, scale } = shape;
        let (x, hidden, dy) = (saved.input.of(rows * inputs), saved.hidden.of(rows * rank), dy.of(rows * outputs));
        let (a, b) = (saved.a.of(rank * inputs), saved.b.of(outputs * rank));
        let mut d_hidden = Cuda::unset(self, rows * rank);
        self.blas.product([rows, rank, outputs], (plain(dy), plain(b)), (scale, 0.0), &mut d_hidden.values);
        let d_hidden = &*d_hidden.values;
        let b_gradient = gradients.b.of_mut(outputs * rank);
        self.blas.product([outputs, rank, rows], (transposed(dy), plain(hidden)), (scale, 1.0), b_gradient);
        let a_gradient = gradients.a.of_mut(rank * inputs);
        self.blas.product([rank, inputs, rows], (transposed(d_hidden), plain(x)), (1.0, 1.0), a_gradient);
        self.blas.product([rows, inputs, rank], (plain(d_hidden), plain(a)), (1.0, 1.0), gradients.input.of_mut(rows * inputs));
    }

    fn dropout(&self, x: &Buffer, probability: f32, key: u64, y: &mut Buffer) {
        let (n, keep) = (y.length, 1.0 / (1.0 - probability));
        launch!(self, "dropout", each(n); &(n as u64), x.of(n), &probability, &keep, &key, &mut *y.values);
    }

    fn dropout_backward(&self, dy: &Buffer, probability: f32, key: u64, dx: &mut Buffer) {
        let (n, keep) = (dx.length, 1.0 / (1.0 - probability));
        launch!(self, "dropout_backward", each(n); &(n as u64), dy.of(n), &probability, &keep, &key, &mut *dx.values);
    }

    fn rms_norm(&self, shape: NormShape, x: &Buffer, weight: &Buffer, y: &mut Buffer, r: &mut Buffer) {
        let (rows, width) = (shape.rows, shape.width);
        if rows > 0 {
            launch!(self, "rms_norm", grid((rows, 1), reducing_threads(width), 0);
                &(width as u32), &shape.epsilon, x.of(rows * width), weight.of(width), y.of_mut(rows * width), r.of_mut(rows));
        }
    }

    fn rms_norm_backward(&self, shape: NormShape, saved: (&Buffer, &Buffer, &Buffer), dy: &Buffer, dx: &mut Buffer) {
        let (rows, width) = (shape.rows, shape.width);
        let (x, weight, r) = (saved.0.of(rows * width), saved.1.of(width), saved.2.of(rows));
        if rows > 0 {
            launch!(self, "rms_norm_backward", grid((rows, 1), reducing_threads(width), 0);
                &(width as u32), x, weight, r, dy.of(rows * width), dx.of_mut(rows * width));
        }
    }

    fn rope(&self, table: &Arc<RopeTable>, layout: &Layout, heads: usize, x: &mut Buffer) {
        self.rotate(table, layout, heads, x, 1.0);
    }

    fn rope_backward(&self, table: &Arc<RopeTable>, layout: &Layout, heads: usize, dx: &mut Buffer) {
        self.rotate(table, layout, heads, dx, -1.0);
    }

    fn attention(
        &self,
        shape: AttentionShape,
        layout: &Layout,
        inputs: (&Buffer, &Buffer, &Buffer),
        output: &mut Buffer,
        log_sum: &mut Buffer,
    ) {
        self.attention_forward(shape, layout, inputs, output, log_sum);
    }

    fn attention_backward(
        &self,
        shape: AttentionShape,
        layout: &Layout,
        saved: AttentionSaved<Buffer>,
        d_output: &Buffer,
        gradients: AttentionGradients<Buffer>,
    ) {
        self.attention_gradients(shape, layout, saved, d_output, gradients);
    }

    fn gated_activation(&self, activation: Activation, gate: &Buffer, up: &Buffer, y: &mut Buffer) {
        let n = y.length;
        launch!(self, "gated_activation", each(n);
            &(n as u64), &is_gelu(activation), gate.of(n), up.of(n), &mut *y.values);
    }

    fn gated_activation_backward(
        &self,
        activation: Activation,
        (gate, up): (&Buffer, &Buffer),
        dy: &Buffer,
        d_gate: &mut Buffer,
        d_up: &mut Buffer,
    ) {
        let n = dy.length;
        launch!(self, "gated_activation_backward", each(n);
            &(n as u64), &is_gelu(activation), gate.of(n), up.of(n), &*dy.values, d_gate.of_mut(n), d_up.of_mut(n));
    }

    fn add(&self, x: &Buffer, y: &mut Buffer) {
        let n = y.length;
        launch!(self, "add", each(n); &(n as u64), x.of(n), &mut *y.values);
    }

    fn gather_rows(&self, width: usize, rows: &[usize], x: &Buffer, y: &mut Buffer) {
        let n = rows.len() * width;
        let rows = self.rows(width, rows, x.length);
        launch!(self, "gather_rows", each(n); &(n as u64), &(width as u32), &rows, &*x.values, y.of_mut(n));
    }

    fn scatter_add_rows(&self, width: usize, rows: &[usize], dy: &Buffer, dx: &mut Buffer) {
        let (count, n) = (rows.len(), rows.len() * width);
        let apart = rows.iter().collect::<BTreeSet<_>>().len() == count;
        let rows = self.rows(width, rows, dx.length);
        if apart {
            launch!(self, "scatter_add_rows", each(n); &(n as u64), &(width as u32), &rows, dy.of(n), &mut *dx.values);
        } else {
            launch!(self, "scatter_add_repeated_rows", each(width);
                &(count as u32), &(width as u32), &rows, dy.of(n), &mut *dx.values);
        }
    }

    fn soft_cap(&self, cap: f32, x: &mut Buffer) {
        let n = x.length;
        launch!(self, "soft_cap", each(n); &(n as u64), &cap, &mut *x.values);
    }

    fn soft_cap_backward(&self, cap: f32, y: &Buffer, dx: &mut Buffer) {
        let n = dx.length;
        launch!(self, "soft_cap_backward", each(n); &(n as u64), &cap, y.of(n), &mut *dx.values);
    }

    fn cross_entropy(&self, width: usize, targets: &[u32], weights: &[f32], logits: &mut Buffer) -> Vec<f32> {
        let rows = targets.len();
        assert!(weights.len() >= rows && targets.iter().all(|&target| (target as usize) < width), "a target has no logit");
        if rows == 0 {
            return Vec::new();
        }
        let (targets, weights) = (self.send(targets), self.send(weights));
        let mut losses = Cuda::unset(self, rows);
        launch!(self, "cross_entropy", grid((rows, 1), reducing_threads(width), 0);
            &(width as u32), &targets, &weights, logits.of_mut(rows * width), &mut *losses.values);
        self.download(&losses)
    }

    fn tie_diagonal_blocks(&self, blocks: DiagonalBlocks, dx: &mut Buffer) {
        let DiagonalBlocks { count, rows, columns, width } = blocks;
        let n = count * rows * width;
        assert!(count * columns <= width, "the blocks are wider than their matrix");
        let sizes = [count, rows, columns, width].map(|size| size as u32);
        launch!(self, "tie_diagonal_blocks", each(n);
            &(n as u64), &sizes[0], &sizes[1], &sizes[2], &sizes[3], dx.of_mut(n));
    }

    fn squared_norm(&self, x: &Buffer) -> f64 {
        self.sum_of_squares(&[x])
    }

    fn squared_norm_of_all(&self, arrays: &[&Buffer]) -> f64 {
        self.sum_of_squares(arrays)
    }

    fn scale(&self, factor: f32, y: &mut Buffer) {
        let n = y.length;
        launch!(self, "scale", each(n); &(n as u64), &factor, &mut *y.values);
    }

    fn adam_step(&self, step: AdamStep, gradient: &Buffer, moments: (&mut Buffer, &mut Buffer), parameter: &mut Buffer) {
        self.adam_on_one(step, gradient, moments, parameter);
    }

    fn adam_steps(&self, step: AdamStep, arrays: &mut [AdamArrays<Buffer>]) {
        self.adam(step, arrays);
    }
}
