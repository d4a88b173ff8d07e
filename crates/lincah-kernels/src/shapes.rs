//! Shapes and options of the operations, and the arrays that they take and give together.

use std::ops::Range;
use std::time::Duration;

/// The gate's activation in the MLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x * sigmoid(x)`.
    Silu,
    /// `0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))`.
    GeluTanh,
}

/// Sizes of one RMS norm: `rows` vectors of `width` numbers.
#[derive(Debug, Clone, Copy)]
pub struct NormShape {
    /// N, or N·H where each head is a vector.
    pub rows: usize,
    /// D, or C where each head is a vector.
    pub width: usize,
    /// Added to the mean square before the root.
    pub epsilon: f32,
}

/// Sizes and activation of the MLP's first half.
#[derive(Debug, Clone, Copy)]
pub struct GatedShape {
    /// N.
    pub rows: usize,
    /// I.
    pub inputs: usize,
    /// F.
    pub outputs: usize,
    /// Of the gate.
    pub activation: Activation,
}

/// Sizes of a linear layer whose weight is trained.
#[derive(Debug, Clone, Copy)]
pub struct LinearShape {
    /// N.
    pub rows: usize,
    /// I.
    pub inputs: usize,
    /// O.
    pub outputs: usize,
}

/// Sizes and scale of one LoRA product.
#[derive(Debug, Clone, Copy)]
pub struct LoraShape {
    /// N.
    pub rows: usize,
    /// I.
    pub inputs: usize,
    /// O.
    pub outputs: usize,
    /// R.
    pub rank: usize,
    /// `alpha / R`, or `alpha / sqrt(R)` with rsLoRA.
    pub scale: f32,
}

/// What the backward of LoRA reads.
#[derive(Debug)]
pub struct LoraSaved<'a, B> {
    /// `[N, I]`, after dropout.
    pub input: &'a B,
    /// `x Aᵀ`, `[N, R]`.
    pub hidden: &'a B,
    /// A, `[R, I]`.
    pub a: &'a B,
    /// B, `[O, R]`.
    pub b: &'a B,
}

/// What the backward of LoRA adds to.
#[derive(Debug)]
pub struct LoraGradients<'a, B> {
    /// `[R, I]`.
    pub a: &'a mut B,
    /// `[O, R]`.
    pub b: &'a mut B,
    /// `[N, I]`.
    pub input: &'a mut B,
}

/// Blocks on the diagonal of a matrix: block i holds rows `i rows ..` and columns `i columns ..`; the matrix may have more columns.
#[derive(Debug, Clone, Copy)]
pub struct DiagonalBlocks {
    /// Blocks, H or K.
    pub count: usize,
    /// Rows of one, C.
    pub rows: usize,
    /// Columns of one.
    pub columns: usize,
    /// Columns of the matrix, R.
    pub width: usize,
}

/// Sizes and options of one attention.
#[derive(Debug, Clone, Copy)]
pub struct AttentionShape {
    /// H.
    pub heads: usize,
    /// K; H is a multiple of it, and query head h reads key-value head `h / (H / K)`.
    pub key_value_heads: usize,
    /// C.
    pub head_dimension: usize,
    /// Multiplies `q · k`.
    pub scale: f32,
    /// `cap * tanh(score / cap)`.
    pub soft_cap: Option<f32>,
    /// A query sees the last `window` positions, its own included. Where attention is causal.
    pub window: Option<usize>,
    /// A query sees no position behind its own; else all of its sequence's prefixes and of its own stretch of rows.
    pub causal: bool,
}

impl AttentionShape {
    /// Positions that the query at `position` sees, in a segment of so many.
    pub(crate) fn visible(&self, position: usize, length: usize) -> Range<usize> {
        assert!(self.causal || self.window.is_none(), "a window is of causal attention");
        if !self.causal {
            return 0..length;
        }
        self.window.map_or(0, |window| (position + 1).saturating_sub(window))..position + 1
    }
}

/// What the backward of attention reads.
#[derive(Debug)]
pub struct AttentionSaved<'a, B> {
    /// `[N, H, C]`.
    pub query: &'a B,
    /// `[N, K, C]`.
    pub key: &'a B,
    /// `[N, K, C]`.
    pub value: &'a B,
    /// `[N, H, C]`.
    pub output: &'a B,
    /// Logarithm of the softmax denominators, `[N, H]`.
    pub log_sum: &'a B,
}

/// What the backward of attention writes.
#[derive(Debug)]
pub struct AttentionGradients<'a, B> {
    /// `[N, H, C]`.
    pub query: &'a mut B,
    /// `[N, K, C]`.
    pub key: &'a mut B,
    /// `[N, K, C]`.
    pub value: &'a mut B,
}

/// One step of Adam: Kingma & Ba 2015, algorithm 1, as `torch.optim.Adam` orders it; with `weight_decay` decoupled (Loshchilov & Hutter 2019) as in `torch.optim.AdamW`.
#[derive(Debug, Clone, Copy)]
pub struct AdamStep {
    /// Learning rate of this step.
    pub learning_rate: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Decoupled weight decay, 0 for plain Adam.
    pub weight_decay: f64,
    /// Number of this step, from 1.
    pub step: u32,
    /// Multiplies the gradient first (gradient clipping).
    pub gradient_scale: f64,
}

/// [`AdamStep`]'s factors, worked out in f64 as PyTorch does.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct AdamFactors {
    pub(crate) gradient: f32,
    pub(crate) beta1: f32,
    pub(crate) rest1: f32,
    pub(crate) beta2: f32,
    pub(crate) rest2: f32,
    pub(crate) rate: f32,
    pub(crate) root: f32,
    pub(crate) epsilon: f32,
    pub(crate) keep: f32,
}

impl AdamStep {
    pub(crate) fn factors(&self) -> AdamFactors {
        AdamFactors {
            gradient: self.gradient_scale as f32,
            beta1: self.beta1 as f32,
            rest1: (1.0 - self.beta1) as f32,
            beta2: self.beta2 as f32,
            rest2: (1.0 - self.beta2) as f32,
            rate: (self.learning_rate / (1.0 - self.beta1.powi(self.step as i32))) as f32,
            root: (1.0 / (1.0 - self.beta2.powi(self.step as i32)).sqrt()) as f32,
            epsilon: self.epsilon as f32,
            keep: (1.0 - self.learning_rate * self.weight_decay) as f32,
        }
    }
}

/// One trained array with what Adam reads and writes; all of one shape.
#[derive(Debug)]
pub struct AdamArrays<'a, B> {
    /// Read, then cleared.
    pub gradient: &'a mut B,
    /// Decaying mean of the gradient.
    pub first_moment: &'a mut B,
    /// Decaying mean of its square.
    pub second_moment: &'a mut B,
    /// What is trained.
    pub parameter: &'a mut B,
}

/// What the calls of one operation took.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct OperationTime {
    /// Calls.
    pub calls: u64,
    /// From the first to the last instruction of each, summed.
    pub time: Duration,
    /// Floating-point operations of the products among them; 0 where the operation is none.
    pub flops: f64,
}
