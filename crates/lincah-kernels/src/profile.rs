//! A device that measures how long its operations take.

use crate::error::CudaError;
use crate::kernels::Kernels;
use crate::layout::RaggedLayout;
use crate::shapes::*;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// The device `K`, with a clock on each operation. Only a device that has finished when a call returns is measured so: the processor.
#[derive(Debug, Default)]
pub struct Profiled<K> {
    device: K,
    /// Of all handles.
    times: Arc<Mutex<BTreeMap<&'static str, OperationTime>>>,
}

/// A [`Kernels::Matrix`] and its sizes.
#[derive(Debug)]
pub struct SizedMatrix<M> {
    matrix: M,
    outputs: usize,
    inputs: usize,
}

impl<K: Kernels> Profiled<K> {
    /// The same device, measured.
    pub fn new(device: K) -> Self {
        Self { device, times: Arc::default() }
    }

    fn measure<R>(&self, operation: &'static str, flops: usize, call: impl FnOnce(&K) -> R) -> R {
        let begun = Instant::now();
        let result = call(&self.device);
        let time = begun.elapsed();
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = times.entry(operation).or_default();
        entry.calls += 1;
        entry.time += time;
        entry.flops += flops as f64;
        result
    }

    fn sized(matrix: K::Matrix, outputs: usize, inputs: usize) -> SizedMatrix<K::Matrix> {
        SizedMatrix { matrix, outputs, inputs }
    }
}

/// Multiply-adds of the two thin products of a LoRA's forward, as operations.
fn lora_flops(shape: &LoraShape) -> usize {
    2 * shape.rows * shape.rank * (shape.inputs + shape.outputs)
}

fn linear_flops(shape: &LinearShape) -> usize {
    2 * shape.rows * shape.inputs * shape.outputs
}

/// Defines operations that only pass their arguments on, measured under their names.
macro_rules! measured {
    ($(fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?;)*) => {
        $(fn $name(&self, $($argument: $type),*) $(-> $result)? {
            self.measure(stringify!($name), 0, |device| device.$name($($argument),*))
        })*
    };
}

impl<K: Kernels> Kernels for Profiled<K> {
    type Buffer = K::Buffer;
    type Matrix = SizedMatrix<K::Matrix>;
    type RopeTable = K::RopeTable;
    type Layout = K::Layout;
    type Indices = K::Indices;
    type Recording = K::Recording;

    fn concurrent_handle(&self) -> Result<Self, CudaError> {
        Ok(Self { device: self.device.concurrent_handle()?, times: self.times.clone() })
    }

    fn synchronize(&self) {
        self.device.synchronize();
    }

    fn gpu(&self) -> Option<usize> {
        self.device.gpu()
    }

    fn within<R: Send>(work: impl FnOnce() -> R + Send) -> R {
        K::within(work)
    }

    fn take_times(&self) -> BTreeMap<&'static str, OperationTime> {
        std::mem::take(&mut *self.times.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn free_memory(&self) -> Option<usize> {
        self.device.free_memory()
    }

    fn product_bytes(&self) -> usize {
        self.device.product_bytes()
    }

    fn head_matrix(&self, values: Vec<f32>, outputs: usize, inputs: usize) -> Self::Matrix {
        Self::sized(self.device.head_matrix(values, outputs, inputs), outputs, inputs)
    }

    fn int8_matrix(&self, values: Vec<f32>, outputs: usize, inputs: usize) -> Option<Self::Matrix> {
        Some(Self::sized(self.device.int8_matrix(values, outputs, inputs)?, outputs, inputs))
    }

    fn keeps_embedding(&self) -> bool {
        self.device.keeps_embedding()
    }

    fn embedding(&self, values: &[f32]) -> K::Buffer {
        self.device.embedding(values)
    }

    fn indices(&self, values: &[usize]) -> K::Indices {
        self.device.indices(values)
    }

    fn rope_table(&self, inverse_frequencies: &[f32], positions: usize) -> K::RopeTable {
        self.device.rope_table(inverse_frequencies, positions)
    }

    fn layout(&self, layout: &RaggedLayout) -> K::Layout {
        self.device.layout(layout)
    }

    fn matrix(&self, values: Vec<f32>, outputs: usize, inputs: usize) -> Self::Matrix {
        Self::sized(self.device.matrix(values, outputs, inputs), outputs, inputs)
    }

    fn linear(&self, rows: usize, x: &K::Buffer, weight: &Self::Matrix, y: &mut K::Buffer) {
        let flops = 2 * rows * weight.inputs * weight.outputs;
        self.measure("linear", flops, |device| device.linear(rows, x, &weight.matrix, y));
    }

    fn linear_backward(&self, rows: usize, dy: &K::Buffer, weight: &Self::Matrix, dx: &mut K::Buffer) {
        let flops = 2 * rows * weight.inputs * weight.outputs;
        self.measure("linear_backward", flops, |device| device.linear_backward(rows, dy, &weight.matrix, dx));
    }

    fn lora(&self, shape: LoraShape, x: &K::Buffer, factors: (&K::Buffer, &K::Buffer), h: &mut K::Buffer, y: &mut K::Buffer) {
        self.measure("lora", lora_flops(&shape), |device| device.lora(shape, x, factors, h, y));
    }

    fn lora_backward(&self, shape: LoraShape, saved: LoraSaved<K::Buffer>, dy: &K::Buffer, gradients: LoraGradients<K::Buffer>) {
        self.measure("lora_backward", 2 * lora_flops(&shape), |device| device.lora_backward(shape, saved, dy, gradients));
    }

    fn adapted_linear(
        &self,
        shape: LoraShape,
        (x, weight): (&K::Buffer, &Self::Matrix),
        inputs: (&K::Buffer, &K::Buffer, &K::Buffer),
        h: &mut K::Buffer,
        y: &mut K::Buffer,
    ) {
        let flops = 2 * shape.rows * weight.inputs * weight.outputs + lora_flops(&shape);
        self.measure("adapted_linear", flops, |device| device.adapted_linear(shape, (x, &weight.matrix), inputs, h, y));
    }

    fn adapted_linear_backward(
        &self,
        shape: LoraShape,
        weight: &Self::Matrix,
        saved: LoraSaved<K::Buffer>,
        dy: &K::Buffer,
        gradients: (LoraGradients<K::Buffer>, bool),
    ) {
        let flops = 2 * shape.rows * weight.inputs * weight.outputs + 2 * lora_flops(&shape);
        self.measure("adapted_linear_backward", flops, |device| {
            device.adapted_linear_backward(shape, &weight.matrix, saved, dy, gradients);
        });
    }

    fn trained_linear(&self, shape: LinearShape, x: &K::Buffer, weight: &K::Buffer, y: &mut K::Buffer) {
        let flops = linear_flops(&shape);
        self.measure("trained_linear", flops, |device| device.trained_linear(shape, x, weight, y));
    }

    fn trained_linear_backward(
        &self,
        shape: LinearShape,
        saved: (&K::Buffer, &K::Buffer),
        dy: &K::Buffer,
        gradients: (&mut K::Buffer, &mut K::Buffer),
    ) {
        let flops = 2 * linear_flops(&shape);
        self.measure("trained_linear_backward", flops, |device| device.trained_linear_backward(shape, saved, dy, gradients));
    }

    measured! {
        fn upload(values: &[f32]) -> K::Buffer;
        fn download(buffer: &K::Buffer) -> Vec<f32>;
        fn zeros(length: usize) -> K::Buffer;
        fn uninitialized(length: usize) -> K::Buffer;
        fn clear(buffer: &mut K::Buffer);
        fn copy(source: &K::Buffer, target: &mut K::Buffer);
        fn add_bias(bias: &K::Buffer, y: &mut K::Buffer);
        fn dropout(x: &K::Buffer, probability: f32, key: u64, y: &mut K::Buffer);
        fn dropout_backward(dy: &K::Buffer, probability: f32, key: u64, dx: &mut K::Buffer);
        fn layer_norm(shape: NormShape, x: &K::Buffer, weight_and_bias: (&K::Buffer, &K::Buffer), y: &mut K::Buffer);
        fn gelu(y: &mut K::Buffer);
        fn rms_norm(shape: NormShape, x: &K::Buffer, weight: &K::Buffer, y: &mut K::Buffer, r: &mut K::Buffer);
        fn rms_norm_backward(shape: NormShape, saved: (&K::Buffer, &K::Buffer, &K::Buffer), dy: &K::Buffer, dx: &mut K::Buffer);
        fn rope(table: &K::RopeTable, layout: &K::Layout, heads: usize, x: &mut K::Buffer);
        fn rope_backward(table: &K::RopeTable, layout: &K::Layout, heads: usize, dx: &mut K::Buffer);
        fn attention(
            shape: AttentionShape,
            layout: &K::Layout,
            inputs: (&K::Buffer, &K::Buffer, &K::Buffer),
            output: &mut K::Buffer,
            log_sum: &mut K::Buffer,
        );
        fn attention_backward(
            shape: AttentionShape,
            layout: &K::Layout,
            saved: AttentionSaved<K::Buffer>,
            d_output: &K::Buffer,
            gradients: AttentionGradients<K::Buffer>,
        );
        fn gated_activation(activation: Activation, gate: &K::Buffer, up: &K::Buffer, y: &mut K::Buffer);
        fn gated_activation_backward(
            activation: Activation,
            inputs: (&K::Buffer, &K::Buffer),
            dy: &K::Buffer,
            d_gate: &mut K::Buffer,
            d_up: &mut K::Buffer,
        );
        fn add(x: &K::Buffer, y: &mut K::Buffer);
        fn embed(width: usize, tokens: &K::Indices, table: &K::Buffer, factor: f32, y: &mut K::Buffer);
        fn gather_rows(width: usize, rows: &K::Indices, x: &K::Buffer, y: &mut K::Buffer);
        fn scatter_add_rows(width: usize, rows: &K::Indices, dy: &K::Buffer, dx: &mut K::Buffer);
        fn soft_cap(cap: f32, x: &mut K::Buffer);
        fn soft_cap_backward(cap: f32, y: &K::Buffer, dx: &mut K::Buffer);
        fn cross_entropy(
            width: usize,
            targets: &K::Indices,
            weights: &K::Buffer,
            logits: &mut K::Buffer,
            losses: &mut K::Buffer,
        );
        fn tie_diagonal_blocks(blocks: DiagonalBlocks, dx: &mut K::Buffer);
        fn squared_norm(x: &K::Buffer) -> f64;
        fn squared_norm_of_all(arrays: &[&K::Buffer]) -> f64;
        fn scale(factor: f32, y: &mut K::Buffer);
        fn adam_step(
            step: AdamStep,
            gradient: &K::Buffer,
            moments: (&mut K::Buffer, &mut K::Buffer),
            parameter: &mut K::Buffer,
        );
        fn adam_steps(step: AdamStep, arrays: &mut [AdamArrays<K::Buffer>]);
    }
}
