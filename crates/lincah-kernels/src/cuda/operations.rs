//! The table of operations: each checks its arrays' lengths and launches a kernel or a product.

use super::buffer::{Buffer, Element, View};
use super::device::Cuda;
use super::launch::{each, each_one, grid, launch};
use super::layout::Layout;
use super::matrix::Matrix;
use super::pool::Block;
use super::product::{plain, transposed};
use super::recording::Recording;
use super::rope_table::RopeTable;
use crate::error::CudaError;
use crate::kernels::{Kernels, gated_linear_apart, gated_linear_backward_apart};
use crate::layout::RaggedLayout;
use crate::shapes::*;
use cudarc::driver::sys::CUdeviceptr;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Numbers of rows or classes.
pub(super) struct Indices {
    block: Block,
    length: usize,
    /// One more than the highest.
    end: usize,
    /// Whether no number comes twice.
    apart: bool,
}

impl Indices {
    /// The numbers, known to be below `end`.
    fn below(&self, end: usize) -> CUdeviceptr {
        assert!(self.end <= end, "{} lies behind an array of {end}", self.end - 1);
        self.block.address
    }
}

/// Threads of a block that reduces over `width` numbers, eight or more a thread.
fn reducing_threads(width: usize) -> usize {
    width.div_ceil(8).next_multiple_of(32).clamp(32, 512)
}

/// Of `[N, 2 F]`, where the first F columns begin and where the others do.
fn halves(both: View, outputs: usize) -> [View; 2] {
    [both, both.behind(outputs)]
}

fn is_gelu(activation: Activation) -> i32 {
    i32::from(activation == Activation::GeluTanh)
}

fn small_numbers(values: &[usize]) -> Vec<i32> {
    values.iter().map(|&value| i32::try_from(value).expect("rows and classes are fewer than 2^31")).collect()
}

impl Cuda {
    /// One array or two, each with its heads.
    fn rotate(&self, table: &RopeTable, layout: &Layout, arrays: &mut [(usize, &mut Buffer)], sign: f32) {
        assert!(layout.longest() <= table.positions, "{} positions, but the table has {}", layout.longest(), table.positions);
        let half = table.inverse_frequencies.len();
        let [cosines, sines] = [&table.cosines, &table.sines].map(|angles| self.numbers_of(angles, table.positions * half));
        let n = layout.rows() * half;
        let views: Vec<(u32, View)> =
            arrays.iter_mut().map(|(heads, x)| (*heads as u32, self.settled(x, 2 * n * *heads, self.factors))).collect();
        let ((heads, x), (others, second)) = (views[0], views.get(1).copied().unwrap_or((0, views[0].1)));
        launch!(self, "rope", each_one(n * (heads + others) as usize);
            &(n as u64), &(half as u32), &sign, &cosines, &sines, &layout.positions(), &x, &heads, &second, &others);
    }

    /// The activation of n numbers, in rows of `width` that are the halves of rows of `2 width`, or in one row.
    fn gated(&self, activation: Activation, [gate, up]: [View; 2], (n, width): (usize, usize), y: &mut Buffer) {
        let y = self.output(y, n, self.factors);
        launch!(self, "gated_activation", each(n); &(n as u64), &(width as u64), &is_gelu(activation), &gate, &up, &y);
    }

    /// The gradients of the activation's inputs, which lie as these do.
    fn gated_backward(
        &self,
        activation: Activation,
        [gate, up]: [View; 2],
        (n, width): (usize, usize),
        dy: &Buffer,
        [d_gate, d_up]: [View; 2],
    ) {
        let dy = self.view(dy, n);
        launch!(self, "gated_activation_backward", each(n);
            &(n as u64), &(width as u64), &is_gelu(activation), &gate, &up, &dy, &d_gate, &d_up);
    }

    /// A factor of a product, rounded if it has to be; the buffer, if any, holds it.
    fn factor(&self, buffer: &Buffer, length: usize) -> (View, Option<Buffer>) {
        let view = self.view(buffer, length);
        if view.element() == self.factors {
            return (view, None);
        }
        if let Some(rounded) = buffer.rounded(length) {
            return (rounded, None);
        }
        let rounded = self.converted(view, length, self.factors);
        (self.view(&rounded, length), Some(rounded))
    }

    /// `y = x Wᵀ` for the `outputs` rows of one matrix or of several.
    fn products(&self, rows: usize, x: &Buffer, (weight, outputs): (&Matrix, usize), y: &mut Buffer) {
        let (x, _rounded) = self.factor(x, rows * weight.inputs);
        let operands = (plain(x), transposed(self.weights(weight, outputs)));
        let y = self.output(y, rows * outputs, weight.product);
        self.product([rows, outputs, weight.inputs], operands, false, y);
    }

    /// `dx += dy W`, as above.
    fn products_backward(&self, rows: usize, dy: &Buffer, (weight, outputs): (&Matrix, usize), dx: &mut Buffer) {
        let (dy, _rounded) = self.factor(dy, rows * outputs);
        let operands = (plain(dy), plain(self.weights(weight, outputs)));
        let (dx, adds) = self.sum(dx, rows * weight.inputs, self.factors);
        self.product([rows, weight.inputs, outputs], operands, adds, dx);
    }

    fn moved(&self, width: usize, rows: &Indices, factor: f32, x: &Buffer, (y, element): (&mut Buffer, Element)) {
        let n = rows.length * width;
        let x_view = self.view(x, rows.end * width);
        let y = self.output(y, n, element);
        if n > 0 {
            launch!(self, "gather_rows", each_one(n);
                &(n as u64), &(width as u32), &rows.below(x.length / width), &factor, &x_view, &y);
        }
    }
}

impl Kernels for Cuda {
    type Buffer = Buffer;
    type Matrix = Matrix;
    type RopeTable = Arc<RopeTable>;
    type Layout = Layout;
    type Indices = Indices;
    type Recording = Recording;

    fn concurrent_handle(&self) -> Result<Self, CudaError> {
        self.another()
    }

    fn synchronize(&self) {
        self.wait();
    }

    fn gpu(&self) -> Option<usize> {
        Some(self.stream().context().ordinal())
    }

    fn free_memory(&self) -> Option<usize> {
        let (free, _) = self.stream().context().mem_get_info().ok()?;
        Some(free + self.opened.pools().iter().map(|pool| pool.free_bytes()).sum::<usize>())
    }

    fn product_bytes(&self) -> usize {
        self.factors.bytes()
    }

    fn keeps_norms(&self) -> bool {
        true
    }

    fn upload(&self, values: &[f32]) -> Buffer {
        let mut buffer = self.uninitialized(values.len());
        self.output(&mut buffer, values.len(), Element::F32);
        self.replace(values, &mut buffer);
        buffer
    }

    fn download(&self, buffer: &Buffer) -> Vec<f32> {
        match buffer.written() {
            None => vec![0.0; buffer.length],
            Some(Element::F32) => self.receive(self.view(buffer, buffer.length).address, buffer.length),
            Some(Element::Bf16) => self.download(&self.converted(self.view(buffer, buffer.length), buffer.length, Element::F32)),
        }
    }

    fn zeros(&self, length: usize) -> Buffer {
        self.zeroed(length)
    }

    fn uninitialized(&self, length: usize) -> Buffer {
        Cuda::uninitialized(self, length)
    }

    fn clear(&self, buffer: &mut Buffer) {
        buffer.forget();
    }

    fn copy(&self, source: &Buffer, target: &mut Buffer) {
        assert_eq!(source.length, target.length, "arrays of different lengths");
        let Some(element) = source.written() else { return target.forget() };
        if target.written().is_some_and(|kept| kept != element) {
            *target = Cuda::uninitialized(self, target.length);
        }
        let length = source.length;
        let to = self.output(target, length, element);
        self.copy_on_device(self.view(source, length).address, to.address, length * element.bytes());
    }

    fn matrix(&self, values: Vec<f32>, outputs: usize, inputs: usize) -> Matrix {
        self.frozen(&values, (outputs, inputs), self.factors)
    }

    fn head_matrix(&self, values: Vec<f32>, outputs: usize, inputs: usize) -> Matrix {
        self.frozen(&values, (outputs, inputs), Element::F32)
    }

    fn matrix_pair(&self, values: [Vec<f32>; 2], outputs: usize, inputs: usize) -> [Matrix; 2] {
        self.frozen_pair(values, (outputs, inputs))
    }

    fn keeps_embedding(&self) -> bool {
        true
    }

    fn embedding(&self, values: &[f32]) -> Buffer {
        self.kept(&[values])
    }

    fn rope_table(&self, inverse_frequencies: &[f32], positions: usize) -> Arc<RopeTable> {
        self.rope_tables.get(inverse_frequencies, positions, |angles| self.upload(angles))
    }

    fn layout(&self, layout: &RaggedLayout) -> Layout {
        Layout::new(self, layout)
    }

    fn replace_layout(&self, layout: &RaggedLayout, on_device: &mut Layout) {
        on_device.replace(self, layout);
    }

    fn indices(&self, values: &[usize]) -> Indices {
        let apart = values.iter().collect::<BTreeSet<_>>().len() == values.len();
        let end = values.iter().max().map_or(0, |highest| highest + 1);
        Indices { block: self.send(&small_numbers(values)), length: values.len(), end, apart }
    }

    fn replace_indices(&self, values: &[usize], on_device: &mut Indices) {
        assert_eq!(values.len(), on_device.length, "as many indices as there were");
        self.send_to(&small_numbers(values), &on_device.block);
        on_device.end = values.iter().max().map_or(0, |highest| highest + 1);
    }

    fn replace(&self, values: &[f32], buffer: &mut Buffer) {
        assert_eq!(values.len(), buffer.length, "as many numbers as there were");
        self.set_numbers(values, buffer);
    }

    fn records(&self) -> bool {
        true
    }

    fn record(&self, work: &mut dyn FnMut()) -> Option<Recording> {
        Some(self.recorded(work))
    }

    fn replay(&self, recording: &Recording) {
        self.replayed(recording);
    }

    fn embed(&self, width: usize, tokens: &Indices, table: &Buffer, factor: f32, y: &mut Buffer) {
        self.moved(width, tokens, factor, table, (y, Element::F32));
    }

    fn linear(&self, rows: usize, x: &Buffer, weight: &Matrix, y: &mut Buffer) {
        self.products(rows, x, (weight, weight.outputs), y);
    }

    fn linear_backward(&self, rows: usize, dy: &Buffer, weight: &Matrix, dx: &mut Buffer) {
        self.products_backward(rows, dy, (weight, weight.outputs), dx);
    }

    fn trained_linear(&self, shape: LinearShape, x: &Buffer, weight: &Buffer, y: &mut Buffer) {
        let LinearShape { rows, inputs, outputs } = shape;
        let ((x, _x), (weight, _weight)) = (self.factor(x, rows * inputs), self.factor(weight, outputs * inputs));
        let y = self.output(y, rows * outputs, Element::F32);
        self.product([rows, outputs, inputs], (plain(x), transposed(weight)), false, y);
    }

    fn trained_linear_backward(
        &self,
        shape: LinearShape,
        (x, weight): (&Buffer, &Buffer),
        dy: &Buffer,
        (dx, d_weight): (&mut Buffer, &mut Buffer),
    ) {
        let LinearShape { rows, inputs, outputs } = shape;
        let ((x, _x), (dy, _dy)) = (self.factor(x, rows * inputs), self.factor(dy, rows * outputs));
        let (weight, _weight) = self.factor(weight, outputs * inputs);
        let (dx, adds) = self.sum(dx, rows * inputs, self.factors);
        self.product([rows, inputs, outputs], (plain(dy), plain(weight)), adds, dx);
        let d_weight = self.settled(d_weight, outputs * inputs, Element::F32);
        self.product([outputs, inputs, rows], (transposed(dy), plain(x)), true, d_weight);
    }

    fn add_bias(&self, bias: &Buffer, y: &mut Buffer) {
        let (n, width) = (y.length, bias.length);
        let y = self.settled(y, n, self.factors);
        launch!(self, "add_bias", each_one(n); &(n as u64), &(width as u32), &self.numbers_of(bias, width), &y);
    }

    fn lora(&self, shape: LoraShape, x: &Buffer, factors: (&Buffer, &Buffer), h: &mut Buffer, y: &mut Buffer) {
        self.lora_forward(shape, x, factors, h, y);
    }

    fn lora_backward(&self, shape: LoraShape, saved: LoraSaved<Buffer>, dy: &Buffer, gradients: LoraGradients<Buffer>) {
        self.lora_gradients(shape, saved, dy, gradients);
    }

    fn dropout(&self, x: &Buffer, probability: f32, key: u64, y: &mut Buffer) {
        let (n, keep) = (y.length, 1.0 / (1.0 - probability));
        let x = self.view(x, n);
        let y = self.output(y, n, x.element());
        launch!(self, "dropout", each(n); &(n as u64), &x, &probability, &keep, &key, &y);
    }

    fn dropout_backward(&self, dy: &Buffer, probability: f32, key: u64, dx: &mut Buffer) {
        let (n, keep) = (dx.length, 1.0 / (1.0 - probability));
        let dy = self.view(dy, n);
        let (dx, adds) = self.sum(dx, n, dy.element());
        launch!(self, "dropout_backward", each(n); &(n as u64), &dy, &probability, &keep, &key, &dx, &i32::from(adds));
    }

    fn layer_norm(&self, shape: NormShape, x: &Buffer, (weight, bias): (&Buffer, &Buffer), y: &mut Buffer) {
        let (rows, width) = (shape.rows, shape.width);
        let (x, weight, bias) = (self.view(x, rows * width), self.view(weight, width), self.view(bias, width));
        let y = self.output(y, rows * width, self.factors);
        if rows > 0 {
            launch!(self, "layer_norm", grid((rows, 1), reducing_threads(width), 0);
                &(width as u32), &shape.epsilon, &x, &weight, &bias, &y);
        }
    }

    fn gelu(&self, y: &mut Buffer) {
        let n = y.length;
        let y = self.settled(y, n, self.factors);
        launch!(self, "gelu", each(n); &(n as u64), &y);
    }

    fn rms_norm(&self, shape: NormShape, x: &Buffer, weight: &Buffer, y: &mut Buffer, r: &mut Buffer) {
        let (rows, width) = (shape.rows, shape.width);
        let (x, weight) = (self.view(x, rows * width), self.view(weight, width));
        let (y, r) = (self.output(y, rows * width, self.factors), self.output(r, rows, Element::F32));
        if rows > 0 {
            launch!(self, "rms_norm", grid((rows, 1), reducing_threads(width), 0);
                &(width as u32), &shape.epsilon, &x, &weight, &y, &r.address);
        }
    }

    fn add_rms_norm(
        &self,
        shape: NormShape,
        (x, weight): (&Buffer, &Buffer),
        y: &mut Buffer,
        (normed, r): (&mut Buffer, &mut Buffer),
    ) {
        let (rows, width) = (shape.rows, shape.width);
        let (x, weight) = (self.view(x, rows * width), self.view(weight, width));
        let of_y = self.view(y, rows * width);
        let mut wider =
            (of_y.element() != x.element() && x.element() == Element::F32).then(|| Cuda::uninitialized(self, y.length));
        let sum = match &mut wider {
            Some(sum) => self.output(sum, rows * width, Element::F32),
            None => self.settled(y, rows * width, of_y.element()),
        };
        let (normed, r) = (self.output(normed, rows * width, self.factors), self.output(r, rows, Element::F32));
        if rows > 0 {
            launch!(self, "add_rms_norm", grid((rows, 1), reducing_threads(width), 0);
                &(width as u32), &shape.epsilon, &x, &of_y, &sum, &weight, &normed, &r.address);
        }
        if let Some(sum) = wider {
            *y = sum;
        }
    }

    fn rms_norm_backward(&self, shape: NormShape, saved: (&Buffer, &Buffer, &Buffer), dy: &Buffer, dx: &mut Buffer) {
        let (rows, width) = (shape.rows, shape.width);
        let (x, weight, r) = (self.view(saved.0, rows * width), self.view(saved.1, width), self.numbers_of(saved.2, rows));
        let dy = self.view(dy, rows * width);
        // What is normed in f32 is the residual stream, whose gradient is kept as it is.
        let (sum, adds) = self.sum(dx, rows * width, x.element());
        // A product will read it rounded.
        let rounded = if sum.element() == self.factors { View::none() } else { self.rounded_output(dx) };
        if rows > 0 {
            launch!(self, "rms_norm_backward", grid((rows, 1), reducing_threads(width), 0);
                &(width as u32), &x, &weight, &r, &dy, &sum, &i32::from(adds), &rounded);
        }
    }

    fn rope(&self, table: &Arc<RopeTable>, layout: &Layout, heads: usize, x: &mut Buffer) {
        self.rotate(table, layout, &mut [(heads, x)], 1.0);
    }

    fn rope_backward(&self, table: &Arc<RopeTable>, layout: &Layout, heads: usize, dx: &mut Buffer) {
        self.rotate(table, layout, &mut [(heads, dx)], -1.0);
    }

    fn rope_of_two(&self, table: &Arc<RopeTable>, layout: &Layout, arrays: [(usize, &mut Buffer); 2]) {
        let [first, second] = arrays;
        self.rotate(table, layout, &mut [first, second], 1.0);
    }

    fn rope_of_two_backward(&self, table: &Arc<RopeTable>, layout: &Layout, arrays: [(usize, &mut Buffer); 2]) {
        let [first, second] = arrays;
        self.rotate(table, layout, &mut [first, second], -1.0);
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
        self.gated(activation, [gate, up].map(|buffer| self.view(buffer, n)), (n, n), y);
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
        let gradients = [d_gate, d_up].map(|buffer| self.output(buffer, n, self.factors));
        self.gated_backward(activation, [gate, up].map(|buffer| self.view(buffer, n)), (n, n), dy, gradients);
    }

    fn gated_linear(&self, shape: GatedShape, (x, weights): (&Buffer, [&Matrix; 2]), saved: [&mut Buffer; 2], y: &mut Buffer) {
        if !Matrix::are_joined(weights) {
            return gated_linear_apart(self, shape, (x, weights), saved, y);
        }
        let GatedShape { rows, outputs, activation, .. } = shape;
        let [both, _] = saved;
        *both = Cuda::uninitialized(self, rows * 2 * outputs);
        self.products(rows, x, (weights[0], 2 * outputs), both);
        let halves = halves(self.view(both, rows * 2 * outputs), outputs);
        self.gated(activation, halves, (rows * outputs, outputs), y);
    }

    fn gated_linear_backward(
        &self,
        shape: GatedShape,
        (saved, weights): ([&Buffer; 2], [&Matrix; 2]),
        dy: &Buffer,
        dx: &mut Buffer,
    ) {
        if !Matrix::are_joined(weights) {
            return gated_linear_backward_apart(self, shape, (saved, weights), dy, dx);
        }
        let GatedShape { rows, outputs, activation, .. } = shape;
        let length = rows * 2 * outputs;
        let mut both = Cuda::uninitialized(self, length);
        let gradients = halves(self.output(&mut both, length, self.factors), outputs);
        let halves = halves(self.view(saved[0], length), outputs);
        self.gated_backward(activation, halves, (rows * outputs, outputs), dy, gradients);
        dx.forget();
        self.products_backward(rows, &both, (weights[0], 2 * outputs), dx);
    }

    fn fork_join<A, B>(&self, first: impl FnOnce() -> A, second: impl FnOnce() -> B) -> (A, B) {
        Cuda::fork_join(self, first, second)
    }

    fn add(&self, x: &Buffer, y: &mut Buffer) {
        let n = y.length;
        let x = self.view(x, n);
        let Some(element) = y.written() else {
            *y = self.converted(x, n, x.element());
            return;
        };
        let of_y = self.settled(y, n, element);
        if element.bytes() >= x.element().bytes() {
            launch!(self, "add", each(n); &(n as u64), &x, &of_y, &of_y);
            return;
        }
        let mut sum = Cuda::uninitialized(self, n);
        let of_sum = self.output(&mut sum, n, x.element());
        launch!(self, "add", each(n); &(n as u64), &x, &of_y, &of_sum);
        *y = sum;
    }

    fn gather_rows(&self, width: usize, rows: &Indices, x: &Buffer, y: &mut Buffer) {
        let element = x.written().unwrap_or(Element::F32);
        self.moved(width, rows, 1.0, x, (y, element));
    }

    fn scatter_add_rows(&self, width: usize, rows: &Indices, dy: &Buffer, dx: &mut Buffer) {
        let n = rows.length * width;
        if n == 0 {
            return;
        }
        let (dy, below) = (self.view(dy, n), rows.below(dx.length / width));
        let whole = dx.length;
        let dx = self.settled(dx, whole, dy.element());
        if rows.apart {
            launch!(self, "scatter_add_rows", each_one(n); &(n as u64), &(width as u32), &below, &dy, &dx);
        } else {
            launch!(self, "scatter_add_repeated_rows", each_one(width); &(rows.length as u32), &(width as u32), &below, &dy, &dx);
        }
    }

    fn soft_cap(&self, cap: f32, x: &mut Buffer) {
        let n = x.length;
        let x = self.settled(x, n, Element::F32);
        launch!(self, "soft_cap", each_one(n); &(n as u64), &cap, &x);
    }

    fn soft_cap_backward(&self, cap: f32, y: &Buffer, dx: &mut Buffer) {
        let n = dx.length;
        let (y, dx) = (self.view(y, n), self.settled(dx, n, Element::F32));
        launch!(self, "soft_cap_backward", each_one(n); &(n as u64), &cap, &y, &dx);
    }

    fn cross_entropy(&self, width: usize, targets: &Indices, weights: &Buffer, logits: &mut Buffer, losses: &mut Buffer) {
        let rows = targets.length;
        if rows == 0 {
            return;
        }
        let (weights, logits) = (self.numbers_of(weights, rows), self.numbers(logits, rows * width));
        let losses = self.output(losses, rows, Element::F32);
        launch!(self, "cross_entropy", grid((rows, 1), width.div_ceil(2).next_multiple_of(32).clamp(32, 512), 0);
            &(width as u32), &targets.below(width), &weights, &logits, &losses.address);
    }

    fn tie_diagonal_blocks(&self, blocks: DiagonalBlocks, dx: &mut Buffer) {
        let DiagonalBlocks { count, rows, columns, width } = blocks;
        let n = count * rows * width;
        assert!(count * columns <= width, "the blocks are wider than their matrix");
        let sizes = [count, rows, columns, width].map(|size| size as u32);
        launch!(self, "tie_diagonal_blocks", each_one(n);
            &(n as u64), &sizes[0], &sizes[1], &sizes[2], &sizes[3], &self.numbers(dx, n));
    }

    fn squared_norm(&self, x: &Buffer) -> f64 {
        self.sum_of_squares(&[x])
    }

    fn squared_norm_of_all(&self, arrays: &[&Buffer]) -> f64 {
        self.sum_of_squares(arrays)
    }

    fn scale(&self, factor: f32, y: &mut Buffer) {
        let n = y.length;
        if y.written().is_some() {
            let y = self.settled(y, n, Element::F32);
            launch!(self, "scale", each(n); &(n as u64), &factor, &y);
        }
    }

    fn adam_step(&self, step: AdamStep, gradient: &Buffer, moments: (&mut Buffer, &mut Buffer), parameter: &mut Buffer) {
        self.adam_on_one(step, gradient, moments, parameter);
    }

    fn adam_steps(&self, step: AdamStep, arrays: &mut [AdamArrays<Buffer>]) {
        self.adam(step, arrays);
    }

    fn clipped_adam_steps(&self, step: AdamStep, clip_norm: Option<f64>, arrays: &mut [AdamArrays<Buffer>]) -> f64 {
        self.clipped_adam(step, clip_norm, arrays)
    }
}
