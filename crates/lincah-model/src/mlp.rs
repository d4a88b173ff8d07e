//! The gated MLP half of a block.

use crate::linear::{Linear, LinearSaved};
use lincah_kernels::{Activation, Kernels};

/// `down(activation(gate(x)) up(x))`.
pub(crate) struct Mlp<K: Kernels> {
    pub(crate) activation: Activation,
    pub(crate) gate: Linear<K>,
    pub(crate) up: Linear<K>,
    pub(crate) down: Linear<K>,
}

/// What the backward of the MLP needs besides its input.
pub(crate) struct MlpActivations<K: Kernels> {
    gate: K::Buffer,
    up: K::Buffer,
    projections: [LinearSaved<K>; 3],
}

impl<K: Kernels> Mlp<K> {
    /// # Shapes: x and result `[M, D]`.
    pub(crate) fn forward(
        &self,
        kernels: &K,
        rows: usize,
        x: &K::Buffer,
        keys: [Option<u64>; 3],
    ) -> (K::Buffer, MlpActivations<K>) {
        let (gate, gate_saved) = self.gate.forward(kernels, rows, x, keys[0]);
        let (up, up_saved) = self.up.forward(kernels, rows, x, keys[1]);
        let mut activated = kernels.unset(rows * self.gate.outputs);
        kernels.gated_activation(self.activation, &gate, &up, &mut activated);
        let (y, down_saved) = self.down.forward(kernels, rows, &activated, keys[2]);
        (y, MlpActivations { gate, up, projections: [gate_saved, up_saved, down_saved] })
    }

    /// Whether the backward reads the input.
    pub(crate) fn reads_input(&self) -> bool {
        self.gate.lora.is_some() || self.up.lora.is_some()
    }

    /// Gradient of the input, `[M, D]`; the activated rows, where a LoRA reads them, are computed again rather than kept.
    pub(crate) fn backward(
        &mut self,
        kernels: &K,
        rows: usize,
        x: &K::Buffer,
        saved: &MlpActivations<K>,
        dy: &K::Buffer,
    ) -> K::Buffer {
        let width = self.gate.outputs;
        let mut activated = kernels.unset(rows * width);
        if self.down.lora.is_some() {
            kernels.gated_activation(self.activation, &saved.gate, &saved.up, &mut activated);
        }
        let mut d_activated = kernels.unset(rows * width);
        self.down.backward(kernels, rows, (&activated, &saved.projections[2]), dy, Some((&mut d_activated, false)));
        let (mut d_gate, mut d_up) = (activated, kernels.unset(rows * width));
        kernels.gated_activation_backward(self.activation, (&saved.gate, &saved.up), &d_activated, &mut d_gate, &mut d_up);
        let mut dx = kernels.unset(rows * self.gate.inputs);
        self.gate.backward(kernels, rows, (x, &saved.projections[0]), &d_gate, Some((&mut dx, false)));
        self.up.backward(kernels, rows, (x, &saved.projections[1]), &d_up, Some((&mut dx, true)));
        dx
    }
}
