//! The reference in f64, whose numbers are rounded where the CUDA device keeps bfloat16: what rounding alone does to a model.

use lincah_kernels::reference::Reference;
use lincah_kernels::*;

type Exact = Reference<f64>;

/// The device. Numbers between two products keep `bits` bits; 8 are bfloat16's.
pub struct Rounded {
    pub exact: Exact,
    pub bits: i32,
}

/// What an array holds, as in the CUDA module: who writes first chooses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    Nothing,
    Wide,
    Narrow,
}

pub struct Array {
    values: Vec<f64>,
    content: Content,
}

/// A frozen matrix; the head's products are kept wide.
pub struct Matrix {
    matrix: <Exact as Kernels>::Matrix,
    head: bool,
}

impl Rounded {
    pub fn new(bits: i32) -> Self {
        Self { exact: Exact::new(), bits }
    }

    fn rounded(&self, value: f64) -> f64 {
        if value == 0.0 {
            return value;
        }
        let unit = f64::powi(2.0, value.abs().log2().floor() as i32 + 1 - self.bits);
        (value / unit).round_ties_even() * unit
    }

    fn narrow(&self, values: &[f64]) -> Vec<f64> {
        values.iter().map(|&value| self.rounded(value)).collect()
    }

    /// An array that a product or what lies between two has written.
    fn settle(&self, array: &mut Array) {
        if array.content != Content::Wide {
            array.content = Content::Narrow;
            array.values = self.narrow(&array.values);
        }
    }
}

impl Kernels for Rounded {
    type Buffer = Array;
    type Matrix = Matrix;
    type RopeTable = <Exact as Kernels>::RopeTable;
    type Layout = <Exact as Kernels>::Layout;
    type Indices = <Exact as Kernels>::Indices;
    type Recording = ();

    fn concurrent_handle(&self) -> Result<Self, CudaError> {
        Ok(Self { exact: self.exact, bits: self.bits })
    }

    fn keeps_norms(&self) -> bool {
        true
    }

    fn upload(&self, values: &[f32]) -> Array {
        Array { values: self.exact.upload(values), content: Content::Wide }
    }

    fn download(&self, buffer: &Array) -> Vec<f32> {
        self.exact.download(&buffer.values)
    }

    fn zeros(&self, length: usize) -> Array {
        Array { values: vec![0.0; length], content: Content::Nothing }
    }

    fn clear(&self, buffer: &mut Array) {
        *buffer = self.zeros(buffer.values.len());
    }

    fn copy(&self, source: &Array, target: &mut Array) {
        target.values.clone_from(&source.values);
        target.content = source.content;
    }

    fn matrix(&self, values: Vec<f32>, outputs: usize, inputs: usize) -> Matrix {
        let values = values.into_iter().map(|value| self.rounded(f64::from(value)) as f32).collect();
        Matrix { matrix: self.exact.matrix(values, outputs, inputs), head: false }
    }

    fn head_matrix(&self, values: Vec<f32>, outputs: usize, inputs: usize) -> Matrix {
        Matrix { head: true, ..self.matrix(values, outputs, inputs) }
    }

    fn keeps_embedding(&self) -> bool {
        true
    }

    fn embedding(&self, values: &[f32]) -> Array {
        let mut table = self.upload(values);
        table.content = Content::Nothing;
        self.settle(&mut table);
        table
    }

    fn rope_table(&self, inverse_frequencies: &[f32], positions: usize) -> Self::RopeTable {
        self.exact.rope_table(inverse_frequencies, positions)
    }

    fn layout(&self, layout: &RaggedLayout) -> Self::Layout {
        self.exact.layout(layout)
    }

    fn indices(&self, values: &[usize]) -> Self::Indices {
        self.exact.indices(values)
    }

    fn embed(&self, width: usize, tokens: &Self::Indices, table: &Array, factor: f32, y: &mut Array) {
        self.exact.embed(width, tokens, &table.values, factor, &mut y.values);
        y.content = Content::Wide;
    }

    fn linear(&self, rows: usize, x: &Array, weight: &Matrix, y: &mut Array) {
        self.exact.linear(rows, &self.narrow(&x.values), &weight.matrix, &mut y.values);
        match weight.head {
            true => y.content = Content::Wide,
            false => self.settle(y),
        }
    }

    fn linear_backward(&self, rows: usize, dy: &Array, weight: &Matrix, dx: &mut Array) {
        self.exact.linear_backward(rows, &self.narrow(&dy.values), &weight.matrix, &mut dx.values);
        self.settle(dx);
    }

    fn trained_linear(&self, shape: LinearShape, x: &Array, weight: &Array, y: &mut Array) {
        let [x, weight] = [x, weight].map(|array| self.narrow(&array.values));
        self.exact.trained_linear(shape, &x, &weight, &mut y.values);
        y.content = Content::Wide;
    }

    fn trained_linear_backward(
        &self,
        shape: LinearShape,
        (x, weight): (&Array, &Array),
        dy: &Array,
        (dx, d_weight): (&mut Array, &mut Array),
    ) {
        let [x, weight, dy] = [x, weight, dy].map(|array| self.narrow(&array.values));
        self.exact.trained_linear_backward(shape, (&x, &weight), &dy, (&mut dx.values, &mut d_weight.values));
        self.settle(dx);
        d_weight.content = Content::Wide;
    }

    fn add_bias(&self, bias: &Array, y: &mut Array) {
        self.exact.add_bias(&bias.values, &mut y.values);
        self.settle(y);
    }

    fn lora(&self, shape: LoraShape, x: &Array, (a, b): (&Array, &Array), h: &mut Array, y: &mut Array) {
        self.exact.lora(shape, &x.values, (&a.values, &b.values), &mut h.values, &mut y.values);
        h.content = Content::Wide;
        self.settle(y);
    }

    fn lora_backward(&self, shape: LoraShape, saved: LoraSaved<Array>, dy: &Array, gradients: LoraGradients<Array>) {
        let LoraGradients { a, b, input } = gradients;
        let [x, hidden, by_a, by_b] = [saved.input, saved.hidden, saved.a, saved.b].map(|array| &array.values);
        let saved = LoraSaved { input: x, hidden, a: by_a, b: by_b };
        let exact = LoraGradients { a: &mut a.values, b: &mut b.values, input: &mut input.values };
        self.exact.lora_backward(shape, saved, &dy.values, exact);
        self.settle(input);
    }

    fn dropout(&self, _: &Array, _: f32, _: u64, _: &mut Array) {
        unreachable!("no golden model has dropout")
    }

    fn dropout_backward(&self, _: &Array, _: f32, _: u64, _: &mut Array) {
        unreachable!("no golden model has dropout")
    }

    fn layer_norm(&self, shape: NormShape, x: &Array, (weight, bias): (&Array, &Array), y: &mut Array) {
        self.exact.layer_norm(shape, &x.values, (&weight.values, &bias.values), &mut y.values);
        self.settle(y);
    }

    fn gelu(&self, y: &mut Array) {
        self.exact.gelu(&mut y.values);
        self.settle(y);
    }

    fn rms_norm(&self, shape: NormShape, x: &Array, weight: &Array, y: &mut Array, r: &mut Array) {
        self.exact.rms_norm(shape, &x.values, &weight.values, &mut y.values, &mut r.values);
        r.content = Content::Wide;
        self.settle(y);
    }

    fn rms_norm_backward(&self, shape: NormShape, (x, weight, r): (&Array, &Array, &Array), dy: &Array, dx: &mut Array) {
        self.exact.rms_norm_backward(shape, (&x.values, &weight.values, &r.values), &dy.values, &mut dx.values);
        if dx.content == Content::Nothing {
            dx.content = x.content;
        }
        self.settle(dx);
    }

    fn rope(&self, table: &Self::RopeTable, layout: &Self::Layout, heads: usize, x: &mut Array) {
        self.exact.rope(table, layout, heads, &mut x.values);
        self.settle(x);
    }

    fn rope_backward(&self, table: &Self::RopeTable, layout: &Self::Layout, heads: usize, dx: &mut Array) {
        self.exact.rope_backward(table, layout, heads, &mut dx.values);
        self.settle(dx);
    }

    fn attention(
        &self,
        shape: AttentionShape,
        layout: &Self::Layout,
        (query, key, value): (&Array, &Array, &Array),
        output: &mut Array,
        log_sum: &mut Array,
    ) {
        let inputs = (&query.values, &key.values, &value.values);
        self.exact.attention(shape, layout, inputs, &mut output.values, &mut log_sum.values);
        log_sum.content = Content::Wide;
        self.settle(output);
    }

    fn attention_backward(
        &self,
        shape: AttentionShape,
        layout: &Self::Layout,
        saved: AttentionSaved<Array>,
        d_output: &Array,
        gradients: AttentionGradients<Array>,
    ) {
        let [query, key, value] = [saved.query, saved.key, saved.value].map(|array| &array.values);
        let saved = AttentionSaved { query, key, value, output: &saved.output.values, log_sum: &saved.log_sum.values };
        let AttentionGradients { query, key, value } = gradients;
        let exact = AttentionGradients { query: &mut query.values, key: &mut key.values, value: &mut value.values };
        self.exact.attention_backward(shape, layout, saved, &d_output.values, exact);
        [query, key, value].into_iter().for_each(|gradient| self.settle(gradient));
    }

    fn gated_activation(&self, activation: Activation, gate: &Array, up: &Array, y: &mut Array) {
        self.exact.gated_activation(activation, &gate.values, &up.values, &mut y.values);
        self.settle(y);
    }

    fn gated_activation_backward(
        &self,
        activation: Activation,
        (gate, up): (&Array, &Array),
        dy: &Array,
        d_gate: &mut Array,
        d_up: &mut Array,
    ) {
        let inputs = (&gate.values, &up.values);
        self.exact.gated_activation_backward(activation, inputs, &dy.values, &mut d_gate.values, &mut d_up.values);
        self.settle(d_gate);
        self.settle(d_up);
    }

    fn add(&self, x: &Array, y: &mut Array) {
        self.exact.add(&x.values, &mut y.values);
        if x.content == Content::Wide {
            y.content = Content::Wide;
        }
        self.settle(y);
    }

    fn gather_rows(&self, width: usize, rows: &Self::Indices, x: &Array, y: &mut Array) {
        self.exact.gather_rows(width, rows, &x.values, &mut y.values);
        y.content = x.content;
    }

    fn scatter_add_rows(&self, width: usize, rows: &Self::Indices, dy: &Array, dx: &mut Array) {
        if dx.content == Content::Nothing {
            dx.content = dy.content;
        }
        self.exact.scatter_add_rows(width, rows, &dy.values, &mut dx.values);
        self.settle(dx);
    }

    fn soft_cap(&self, cap: f32, x: &mut Array) {
        self.exact.soft_cap(cap, &mut x.values);
    }

    fn soft_cap_backward(&self, cap: f32, y: &Array, dx: &mut Array) {
        self.exact.soft_cap_backward(cap, &y.values, &mut dx.values);
    }

    fn cross_entropy(&self, width: usize, targets: &Self::Indices, weights: &Array, logits: &mut Array, losses: &mut Array) {
        self.exact.cross_entropy(width, targets, &weights.values, &mut logits.values, &mut losses.values);
    }

    fn tie_diagonal_blocks(&self, blocks: DiagonalBlocks, dx: &mut Array) {
        self.exact.tie_diagonal_blocks(blocks, &mut dx.values);
    }

    fn squared_norm(&self, x: &Array) -> f64 {
        self.exact.squared_norm(&x.values)
    }

    fn scale(&self, factor: f32, y: &mut Array) {
        self.exact.scale(factor, &mut y.values);
    }

    fn adam_step(&self, step: AdamStep, gradient: &Array, (first, second): (&mut Array, &mut Array), parameter: &mut Array) {
        let moments = (&mut first.values, &mut second.values);
        self.exact.adam_step(step, &gradient.values, moments, &mut parameter.values);
    }
}
