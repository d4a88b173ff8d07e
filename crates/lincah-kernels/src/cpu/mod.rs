//! The CPU device: one file an operation, threads through rayon, instruction sets chosen at run time.

mod activation;
mod attention;
mod buffer;
mod dropout;
mod int8;
mod large_pages;
mod lora;
mod loss;
mod matmul;
mod norm;
mod optimizer;
mod rope;
mod simd;

use crate::error::CudaError;
use crate::kernels::Kernels;
use crate::layout::RaggedLayout;
use crate::shapes::*;
pub use buffer::Buffer;
use int8::Int8Panels;
use large_pages::LargePages;
use matmul::{Left, Product, Right, Tail, pack_row_major, pack_transposed, pack_transposed_into, packed_length, product};
use rayon::prelude::*;
pub use rope::RopeTable;
use simd::InstructionSet;

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
    /// Packed for `x Wᵀ`; `dy W` turns a panel at a time.
    Packed(LargePages<f32>),
    /// Rounded, for `x Wᵀ` only.
    Int8(Int8Panels),
}

impl Matrix {
    /// W as a right factor, `[O, I]`.
    fn backward(&self) -> Right<'_> {
        match &self.storage {
            Storage::Packed(panels) => Right::TransposedPanels(panels),
            Storage::Int8(_) => panic!("rounded weights have no backward"),
        }
    }
}

/// Rows that are worth a task of their own.
fn row_grain(width: usize) -> usize {
    (1 << 13) / width.max(1) + 1
}

/// Elements of an array that are worth a task of their own.
const BLOCK: usize = 1 << 13;

impl Kernels for Cpu {
    type Buffer = Buffer;
    type Matrix = Matrix;
    type RopeTable = RopeTable;
    type Layout = RaggedLayout;
    type Indices = Vec<usize>;
    type Recording = ();

    fn concurrent_handle(&self) -> Result<Self, CudaError> {
        Ok(Self)
    }

    fn within<R: Send>(work: impl FnOnce() -> R + Send) -> R {
        rayon::scope(|_| work())
    }

    fn upload(&self, values: &[f32]) -> Buffer {
        let mut buffer = Buffer::uninitialized(values.len());
        buffer.copy_from_slice(values);
        buffer
    }

    fn download(&self, buffer: &Buffer) -> Vec<f32> {
        buffer.to_vec()
    }

    fn zeros(&self, length: usize) -> Buffer {
        Buffer::zeros(length)
    }

    fn uninitialized(&self, length: usize) -> Buffer {
        Buffer::uninitialized(length)
    }

    fn clear(&self, buffer: &mut Buffer) {
        buffer.fill(0.0);
    }

    fn copy(&self, source: &Buffer, target: &mut Buffer) {
        target.copy_from_slice(source);
    }

    fn matrix(&self, values: Vec<f32>, outputs: usize, inputs: usize) -> Matrix {
        let mut panels = LargePages::zeros(packed_length(outputs, inputs));
        pack_transposed_into(&values, outputs, inputs, 1.0, &mut panels);
        Matrix { outputs, inputs, storage: Storage::Packed(panels) }
    }

    fn int8_matrix(&self, values: Vec<f32>, outputs: usize, inputs: usize) -> Option<Matrix> {
        Some(Matrix { outputs, inputs, storage: Storage::Int8(Int8Panels::new(&values, outputs, inputs)) })
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

    fn linear(&self, rows: usize, x: &Buffer, weight: &Matrix, y: &mut Buffer) {
        match &weight.storage {
            Storage::Packed(panels) => {
                product(Left::row_major(x, rows, weight.inputs), Right::Panels(panels), weight.inputs, weight.outputs, false, y);
            }
            Storage::Int8(panels) => panels.product(x, rows, None, y),
        }
    }

    fn linear_backward(&self, rows: usize, dy: &Buffer, weight: &Matrix, dx: &mut Buffer) {
        product(Left::row_major(dy, rows, weight.outputs), weight.backward(), weight.outputs, weight.inputs, true, dx);
    }

    fn trained_linear(&self, shape: LinearShape, x: &Buffer, weight: &Buffer, y: &mut Buffer) {
        let LinearShape { rows, inputs, outputs } = shape;
        let panels = pack_transposed(&weight[..outputs * inputs], outputs, inputs, 1.0);
        product(Left::row_major(x, rows, inputs), Right::Panels(&panels), inputs, outputs, false, y);
    }

    fn trained_linear_backward(
        &self,
        shape: LinearShape,
        (x, weight): (&Buffer, &Buffer),
        dy: &Buffer,
        (dx, d_weight): (&mut Buffer, &mut Buffer),
    ) {
        let LinearShape { rows, inputs, outputs } = shape;
        product(Left::row_major(dy, rows, outputs), Right::RowMajor(weight, inputs), outputs, inputs, true, dx);
        product(Left::transposed(dy, outputs), Right::RowMajor(x, inputs), rows, inputs, true, d_weight);
    }

    fn add_bias(&self, bias: &Buffer, y: &mut Buffer) {
        for row in y.chunks_exact_mut(bias.len()) {
            row.iter_mut().zip(bias.iter()).for_each(|(y, b)| *y += b);
        }
    }

    fn lora(&self, shape: LoraShape, x: &Buffer, (a, b): (&Buffer, &Buffer), h: &mut Buffer, y: &mut Buffer) {
        let LoraShape { rows, outputs, rank, scale, .. } = shape;
        lora::hidden(shape, x, a, h);
        product(Left::row_major(h, rows, rank), Right::Panels(&pack_transposed(b, outputs, rank, scale)), rank, outputs, true, y);
    }

    fn lora_backward(&self, shape: LoraShape, saved: LoraSaved<Buffer>, dy: &Buffer, gradients: LoraGradients<Buffer>) {
        let LoraShape { rows, inputs, rank, .. } = shape;
        let dh = lora::hidden_and_b_gradients(shape, &saved, dy, gradients.b);
        lora::a_gradient(shape, &dh, saved.input, gradients.a);
        product(Left::row_major(&dh, rows, rank), Right::RowMajor(saved.a, inputs), rank, inputs, true, gradients.input);
    }

    fn adapted_linear(
        &self,
        shape: LoraShape,
        (x, weight): (&Buffer, &Matrix),
        (z, a, b): (&Buffer, &Buffer, &Buffer),
        h: &mut Buffer,
        y: &mut Buffer,
    ) {
        let LoraShape { rows, inputs, outputs, rank, scale } = shape;
        lora::hidden(shape, z, a, h);
        let panels = pack_transposed(b, outputs, rank, scale);
        let tail = Some(Tail { left: Left::row_major(h, rows, rank), panels: &panels, inner: rank });
        match &weight.storage {
            Storage::Int8(weights) => weights.product(x, rows, tail, y),
            Storage::Packed(weights) => {
                let (left, right) = (Left::row_major(x, rows, inputs), Right::Panels(weights));
                Product { left, right, inner: inputs, columns: outputs, accumulate: false, tail }.run_on_all_threads(y);
            }
        }
    }

    fn adapted_linear_backward(
        &self,
        shape: LoraShape,
        weight: &Matrix,
        saved: LoraSaved<Buffer>,
        dy: &Buffer,
        (gradients, accumulate): (LoraGradients<Buffer>, bool),
    ) {
        let LoraShape { rows, inputs, outputs, rank, .. } = shape;
        let dh = lora::hidden_and_b_gradients(shape, &saved, dy, gradients.b);
        let panels = pack_row_major(saved.a, rank, inputs);
        let tail = Tail { left: Left::row_major(&dh, rows, rank), panels: &panels, inner: rank };
        let (left, right) = (Left::row_major(dy, rows, outputs), weight.backward());
        let whole = Product { left, right, inner: outputs, columns: inputs, accumulate, tail: Some(tail) };
        whole.run_on_all_threads(gradients.input);
        lora::a_gradient(shape, &dh, saved.input, gradients.a);
    }

    fn dropout(&self, x: &Buffer, probability: f32, key: u64, y: &mut Buffer) {
        dropout::dropout(x, probability, key, y);
    }

    fn dropout_backward(&self, dy: &Buffer, probability: f32, key: u64, dx: &mut Buffer) {
        dropout::dropout_backward(dy, probability, key, dx);
    }

    fn layer_norm(&self, shape: NormShape, x: &Buffer, (weight, bias): (&Buffer, &Buffer), y: &mut Buffer) {
        norm::layer_norm(shape, x, (weight, bias), y);
    }

    fn gelu(&self, y: &mut Buffer) {
        activation::gelu(y);
    }

    fn rms_norm(&self, shape: NormShape, x: &Buffer, weight: &Buffer, y: &mut Buffer, r: &mut Buffer) {
        norm::rms_norm(shape, x, weight, y, r);
    }

    fn rms_norm_backward(&self, shape: NormShape, (x, weight, r): (&Buffer, &Buffer, &Buffer), dy: &Buffer, dx: &mut Buffer) {
        norm::rms_norm_backward(shape, (x, weight, r), dy, dx);
    }

    fn rope(&self, table: &RopeTable, layout: &RaggedLayout, heads: usize, x: &mut Buffer) {
        rope::rotate(table, layout, heads, x, 1.0);
    }

    fn rope_backward(&self, table: &RopeTable, layout: &RaggedLayout, heads: usize, dx: &mut Buffer) {
        rope::rotate(table, layout, heads, dx, -1.0);
    }

    fn attention(
        &self,
        shape: AttentionShape,
        layout: &RaggedLayout,
        (query, key, value): (&Buffer, &Buffer, &Buffer),
        output: &mut Buffer,
        log_sum: &mut Buffer,
    ) {
        attention::forward(shape, layout, (query, key, value), output, log_sum);
    }

    fn attention_backward(
        &self,
        shape: AttentionShape,
        layout: &RaggedLayout,
        saved: AttentionSaved<Buffer>,
        d_output: &Buffer,
        gradients: AttentionGradients<Buffer>,
    ) {
        attention::backward(shape, layout, saved, d_output, gradients);
    }

    fn gated_activation(&self, activation: Activation, gate: &Buffer, up: &Buffer, y: &mut Buffer) {
        activation::gated_activation(activation, gate, up, y);
    }

    fn gated_activation_backward(
        &self,
        activation: Activation,
        (gate, up): (&Buffer, &Buffer),
        dy: &Buffer,
        d_gate: &mut Buffer,
        d_up: &mut Buffer,
    ) {
        activation::gated_activation_backward(activation, (gate, up), dy, d_gate, d_up);
    }

    fn add(&self, x: &Buffer, y: &mut Buffer) {
        y.par_chunks_mut(BLOCK).zip(x.par_chunks(BLOCK)).for_each(|(y, x)| y.iter_mut().zip(x).for_each(|(y, x)| *y += x));
    }

    fn gather_rows(&self, width: usize, rows: &Vec<usize>, x: &Buffer, y: &mut Buffer) {
        for (y, &row) in y.chunks_exact_mut(width).zip(rows) {
            y.copy_from_slice(&x[row * width..][..width]);
        }
    }

    fn scatter_add_rows(&self, width: usize, rows: &Vec<usize>, dy: &Buffer, dx: &mut Buffer) {
        for (dy, &row) in dy.chunks_exact(width).zip(rows) {
            dx[row * width..][..width].iter_mut().zip(dy).for_each(|(dx, dy)| *dx += dy);
        }
    }

    fn soft_cap(&self, cap: f32, x: &mut Buffer) {
        loss::soft_cap(cap, x);
    }

    fn soft_cap_backward(&self, cap: f32, y: &Buffer, dx: &mut Buffer) {
        loss::soft_cap_backward(cap, y, dx);
    }

    fn cross_entropy(&self, width: usize, targets: &Vec<usize>, weights: &Buffer, logits: &mut Buffer, losses: &mut Buffer) {
        loss::cross_entropy(width, (targets, weights), logits, losses);
    }

    fn tie_diagonal_blocks(&self, blocks: DiagonalBlocks, dx: &mut Buffer) {
        optimizer::tie_diagonal_blocks(blocks, dx);
    }

    fn squared_norm(&self, x: &Buffer) -> f64 {
        optimizer::squared_norm(x)
    }

    fn scale(&self, factor: f32, y: &mut Buffer) {
        y.iter_mut().for_each(|y| *y *= factor);
    }

    fn adam_step(&self, step: AdamStep, gradient: &Buffer, (first, second): (&mut Buffer, &mut Buffer), parameter: &mut Buffer) {
        optimizer::adam_step(step, gradient, (first, second), parameter);
    }
}
