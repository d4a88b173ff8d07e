//! Every operation of the table on the crate's front page, run on a device over many shapes, with its outputs poisoned first.

pub mod attention;
mod elementwise;
mod linear;
mod loss;

use lincah_kernels::Kernels;

/// How far an output may be from the reference's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// Of any number, relative to the output's largest.
    pub of_largest: f64,
    /// Of a number that is at least a hundredth of the largest, relative to itself.
    pub relative: f64,
    /// An error that is always small enough.
    pub always: f64,
}

/// Sums over many products: rounding grows with their number, and cancellation makes small results less exact.
pub const SUM: Tolerance = Tolerance { of_largest: 1e-5, relative: 2e-4, always: 0.0 };
/// Sums over inputs that were rounded to fifteen bits or somewhat fewer.
pub const INPUT_ROUNDING: Tolerance = Tolerance { of_largest: 1e-4, relative: 5e-3, always: 0.0 };
/// Differences from 1 of probabilities that are nearly 1.
pub const PROBABILITY: Tolerance = Tolerance { of_largest: 1e-5, relative: 2e-4, always: 2e-7 };
/// A formula in a few elements.
pub const FORMULA: Tolerance = Tolerance { of_largest: 2e-6, relative: 2e-5, always: 0.0 };
/// One rounding or two.
pub const ROUNDING: Tolerance = Tolerance { of_largest: 2.5e-7, relative: 2.5e-7, always: 0.0 };

/// What an operation left in one array.
#[derive(Debug)]
pub struct Output {
    /// Operation, shape and array.
    pub name: String,
    pub tolerance: Tolerance,
    /// Numbers that the operation owns; those after them must be as they were.
    pub length: usize,
    pub values: Vec<f32>,
}

/// Numbers behind every output that no operation may touch.
const GUARD: usize = 5;

/// An array for an operation that overwrites: all NaN, so that nothing of it may be read.
pub fn poisoned<K: Kernels>(device: &K, length: usize) -> K::Buffer {
    device.upload(&vec![f32::NAN; length + GUARD])
}

/// The outputs of one operation over all its shapes.
#[derive(Debug, Default)]
pub struct Outputs(pub Vec<Output>);

impl Outputs {
    /// Keeps an array that may be longer than `length`.
    fn push<K: Kernels>(&mut self, device: &K, tolerance: Tolerance, length: usize, name: String, buffer: &K::Buffer) {
        self.0.push(Output { name, tolerance, length, values: device.download(buffer) });
    }

    /// Keeps numbers that the operation returned.
    fn push_values(&mut self, tolerance: Tolerance, name: String, values: Vec<f32>) {
        self.0.push(Output { name, tolerance, length: values.len(), values });
    }
}

/// Runs one operation on a device.
pub type Run<K> = fn(&K) -> Outputs;

/// Every operation by name.
pub fn operations<K: Kernels>() -> Vec<(&'static str, Run<K>)> {
    vec![
        ("buffers", elementwise::buffers),
        ("linear", linear::linear),
        ("linear_backward", linear::linear_backward),
        ("int8_linear", linear::int8_linear),
        ("trained_linear", linear::trained_linear),
        ("add_bias", linear::add_bias),
        ("lora", linear::lora),
        ("lora_backward", linear::lora_backward),
        ("adapted_linear", linear::adapted_linear),
        ("adapted_linear_backward", linear::adapted_linear_backward),
        ("dropout", elementwise::dropout),
        ("layer_norm", elementwise::layer_norm),
        ("gelu", elementwise::gelu),
        ("rms_norm", elementwise::rms_norm),
        ("add_rms_norm", elementwise::add_rms_norm),
        ("embed", elementwise::embed),
        ("rms_norm_backward", elementwise::rms_norm_backward),
        ("rope", attention::rope),
        ("attention", attention::attention),
        ("attention_backward", attention::attention_backward),
        ("gated_activation", elementwise::gated_activation),
        ("gated_activation_backward", elementwise::gated_activation_backward),
        ("gated_linear", linear::gated_linear),
        ("gated_linear_backward", linear::gated_linear_backward),
        ("add", elementwise::add),
        ("gather_rows", elementwise::gather_rows),
        ("scatter_add_rows", elementwise::scatter_add_rows),
        ("soft_cap", loss::soft_cap),
        ("cross_entropy", loss::cross_entropy),
        ("tie_diagonal_blocks", loss::tie_diagonal_blocks),
        ("squared_norm", loss::squared_norm),
        ("scale", elementwise::scale),
        ("adam_step", loss::adam_step),
        ("clipped_adam_steps", loss::clipped_adam_steps),
    ]
}
