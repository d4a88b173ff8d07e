//! The CPU device: one file an operation, threads through rayon, instruction sets chosen at run time.

mod activation;
mod attention;
mod dropout;
mod loss;
mod matmul;
mod norm;
mod optimizer;
mod rope;
mod simd;

use crate::kernels::*;
use crate::layout::RaggedLayout;
use matmul::{Left, Right, pack_row_major, pack_transposed, product, product_unpacked, unpack_transposed};
use rayon::prelude::*;
pub use rope::RopeTable;
use simd::InstructionSet;
use std::sync::OnceLock;

/// The processor, with as many threads as the current rayon pool.
#[derive(Debug, Default, Clone, Copy)]
pub struct Cpu;

impl Cpu {
    /// The instruction set in use: `avx512`, `avx2` or `portable`.
    pub fn instructions(&self) -> &'static str {
        match simd::instruction_set() {
            InstructionSet::Avx512 => "avx512",
            InstructionSet::Avx2 => "avx2",
            InstructionSet::Portable => "portable",
        }
    }
}

/// A frozen `[O, I]` matrix.
#[derive(Debug)]
pub struct Matrix {
    outputs: usize,
    inputs: usize,
    storage: Storage,
}

#[derive(Debug)]
enum Storage {
    /// Packed for `x Wᵀ` and, from the first `dy W` on, for that too: fastest, in training twice the memory.
    Packed { forward: Vec<f32>, backward: OnceLock<Vec<f32>> },
    /// Row-major, never packed.
    RowMajor(Vec<f32>),
}

/// Rows that are worth a task of their own.
fn row_grain(width: usize) -> usize {
    (1 << 13) / width.max(1) + 1
}

/// Elements of an array that are worth a task of their own.
const BLOCK: usize = 1 << 13;

impl Kernels for Cpu {
    type Buffer = Vec<f32>;
    type Matrix = Matrix;
    type RopeTable = RopeTable;
    type Layout = RaggedLayout;
    type Indices = Vec<usize>;
    type Recording = ();

    fn upload(&self, values: &[f32]) -> Vec<f32> {
        values.to_vec()
    }

    fn download(&self, buffer: &Vec<f32>) -> Vec<f32> {
        buffer.clone()
    }

    fn zeros(&self, length: usize) -> Vec<f32> {
        vec![0.0; length]
    }

    fn clear(&self, buffer: &mut Vec<f32>) {
        buffer.fill(0.0);
    }

    fn copy(&self, source: &Vec<f32>, target: &mut Vec<f32>) {
        target.copy_from_slice(source);
    }

    fn matrix(&self, values: Vec<f32>, outputs: usize, inputs: usize) -> Matrix {
        let storage = Storage::Packed { forward: pack_transposed(&values, outputs, inputs, 1.0), backward: OnceLock::new() };
        Matrix { outputs, inputs, storage }
    }

    fn large_matrix(&self, values: Vec<f32>, outputs: usize, inputs: usize) -> Matrix {
        assert_eq!(values.len(), outputs * inputs);
        Matrix { outputs, inputs, storage: Storage::RowMajor(values) }
    }

    fn rope_table(&self, inverse_frequencies: &[f32], positions: usize) -> RopeTable {
        RopeTable::new(inverse_frequencies, positions)
    }

    fn layout(&self, layout: &RaggedLayout) -> RaggedLayout {
        layout.clone()
    }

    fn indices(&self, values: &[usize]) -> Vec<usize> {
        values.to_vec()
    }

    fn linear(&self, rows: usize, x: &Vec<f32>, weight: &Matrix, y: &mut Vec<f32>) {
        match &weight.storage {
            Storage::Packed { forward, .. } => {
                product(Left::row_major(x, rows, weight.inputs), Right::Panels(forward), weight.inputs, weight.outputs, false, y);
            }
            Storage::RowMajor(values) => product_unpacked(x, rows, values, weight.inputs, y),
        }
    }

    fn linear_backward(&self, rows: usize, dy: &Vec<f32>, weight: &Matrix, dx: &mut Vec<f32>) {
        let right = match &weight.storage {
            Storage::Packed { forward, backward } => Right::Panels(backward.get_or_init(|| {
                let values = unpack_transposed(forward, weight.outputs, weight.inputs);
                pack_row_major(&values, weight.outputs, weight.inputs)
            })),
            Storage::RowMajor(values) => Right::RowMajor(values, weight.inputs),
        };
        product(Left::row_major(dy, rows, weight.outputs), right, weight.outputs, weight.inputs, true, dx);
    }

    fn add_bias(&self, bias: &Vec<f32>, y: &mut Vec<f32>) {
        for row in y.chunks_exact_mut(bias.len()) {
            row.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
        }
    }

    fn lora(&self, shape: LoraShape, x: &Vec<f32>, (a, b): (&Vec<f32>, &Vec<f32>), h: &mut Vec<f32>, y: &mut Vec<f32>) {
        let LoraShape { rows, inputs, outputs, rank, scale } = shape;
        product(Left::row_major(x, rows, inputs), Right::Panels(&pack_transposed(a, rank, inputs, 1.0)), inputs, rank, false, h);
        product(Left::row_major(h, rows, rank), Right::Panels(&pack_transposed(b, outputs, rank, scale)), rank, outputs, true, y);
    }

    fn lora_backward(&self, shape: LoraShape, saved: LoraSaved<Vec<f32>>, dy: &Vec<f32>, gradients: LoraGradients<Vec<f32>>) {
        let LoraShape { rows, inputs, outputs, rank, scale } = shape;
        let mut dh = vec![0.0; rows * rank];
        product(Left::row_major(dy, rows, outputs), Right::RowMajor(saved.b, rank), outputs, rank, false, &mut dh);
        dh.iter_mut().for_each(|value| *value *= scale);
        // dBᵀ, because a product with few rows and many columns fills the registers, and one with few columns does not.
        let mut db = vec![0.0; rank * outputs];
        product(Left::transposed(saved.hidden, rank), Right::RowMajor(dy, outputs), rows, outputs, false, &mut db);
        for (o, row) in gradients.b[..outputs * rank].chunks_exact_mut(rank).enumerate() {
            for (r, gradient) in row.iter_mut().enumerate() {
                *gradient += scale * db[r * outputs + o];
            }
        }
        product(Left::transposed(&dh, rank), Right::RowMajor(saved.input, inputs), rows, inputs, true, gradients.a);
        product(Left::row_major(&dh, rows, rank), Right::RowMajor(saved.a, inputs), rank, inputs, true, gradients.input);
    }

    fn dropout(&self, x: &Vec<f32>, probability: f32, key: u64, y: &mut Vec<f32>) {
        dropout::dropout(x, probability, key, y);
    }

    fn dropout_backward(&self, dy: &Vec<f32>, probability: f32, key: u64, dx: &mut Vec<f32>) {
        dropout::dropout_backward(dy, probability, key, dx);
    }

    fn rms_norm(&self, shape: NormShape, x: &Vec<f32>, weight: &Vec<f32>, y: &mut Vec<f32>, r: &mut Vec<f32>) {
        norm::rms_norm(shape, x, weight, y, r);
    }

    fn rms_norm_backward(
        &self,
        shape: NormShape,
        (x, weight, r): (&Vec<f32>, &Vec<f32>, &Vec<f32>),
        dy: &Vec<f32>,
        dx: &mut Vec<f32>,
    ) {
        norm::rms_norm_backward(shape, (x, weight, r), dy, dx);
    }

    fn rope(&self, table: &RopeTable, layout: &RaggedLayout, heads: usize, x: &mut Vec<f32>) {
        rope::rotate(table, layout, heads, x, 1.0);
    }

    fn rope_backward(&self, table: &RopeTable, layout: &RaggedLayout, heads: usize, dx: &mut Vec<f32>) {
        rope::rotate(table, layout, heads, dx, -1.0);
    }

    fn attention(
        &self,
        shape: AttentionShape,
        layout: &RaggedLayout,
        (query, key, value): (&Vec<f32>, &Vec<f32>, &Vec<f32>),
        output: &mut Vec<f32>,
        log_sum: &mut Vec<f32>,
    ) {
        attention::forward(shape, layout, (query, key, value), output, log_sum);
    }

    fn attention_backward(
        &self,
        shape: AttentionShape,
        layout: &RaggedLayout,
        saved: AttentionSaved<Vec<f32>>,
        d_output: &Vec<f32>,
        gradients: AttentionGradients<Vec<f32>>,
    ) {
        attention::backward(shape, layout, saved, d_output, gradients);
    }

    fn gated_activation(&self, activation: Activation, gate: &Vec<f32>, up: &Vec<f32>, y: &mut Vec<f32>) {
        activation::gated_activation(activation, gate, up, y);
    }

    fn gated_activation_backward(
        &self,
        activation: Activation,
        (gate, up): (&Vec<f32>, &Vec<f32>),
        dy: &Vec<f32>,
        d_gate: &mut Vec<f32>,
        d_up: &mut Vec<f32>,
    ) {
        activation::gated_activation_backward(activation, (gate, up), dy, d_gate, d_up);
    }

    fn add(&self, x: &Vec<f32>, y: &mut Vec<f32>) {
        y.par_chunks_mut(BLOCK).zip(x.par_chunks(BLOCK)).for_each(|(y, x)| y.iter_mut().zip(x).for_each(|(y, x)| *y += x));
    }

    fn gather_rows(&self, width: usize, rows: &Vec<usize>, x: &Vec<f32>, y: &mut Vec<f32>) {
        for (y, &row) in y.chunks_exact_mut(width).zip(rows) {
            y.copy_from_slice(&x[row * width..][..width]);
        }
    }

    fn scatter_add_rows(&self, width: usize, rows: &Vec<usize>, dy: &Vec<f32>, dx: &mut Vec<f32>) {
        for (dy, &row) in dy.chunks_exact(width).zip(rows) {
            dx[row * width..][..width].iter_mut().zip(dy).for_each(|(dx, dy)| *dx += dy);
        }
    }

    fn soft_cap(&self, cap: f32, x: &mut Vec<f32>) {
        loss::soft_cap(cap, x);
    }

    fn soft_cap_backward(&self, cap: f32, y: &Vec<f32>, dx: &mut Vec<f32>) {
        loss::soft_cap_backward(cap, y, dx);
    }

    fn cross_entropy(
        &self,
        width: usize,
        targets: &Vec<usize>,
        weights: &Vec<f32>,
        logits: &mut Vec<f32>,
        losses: &mut Vec<f32>,
    ) {
        loss::cross_entropy(width, (targets, weights), logits, losses);
    }

    fn tie_diagonal_blocks(&self, blocks: DiagonalBlocks, dx: &mut Vec<f32>) {
        optimizer::tie_diagonal_blocks(blocks, dx);
    }

    fn squared_norm(&self, x: &Vec<f32>) -> f64 {
        optimizer::squared_norm(x)
    }

    fn scale(&self, factor: f32, y: &mut Vec<f32>) {
        y.iter_mut().for_each(|y| *y *= factor);
    }

    fn adam_step(
        &self,
        step: AdamStep,
        gradient: &Vec<f32>,
        (first, second): (&mut Vec<f32>, &mut Vec<f32>),
        parameter: &mut Vec<f32>,
    ) {
        optimizer::adam_step(step, gradient, (first, second), parameter);
    }
}
