//! The gated MLP half of a block.

use crate::linear::{Linear, LinearSaved, sum_of_two};
use lincah_kernels::{Activation, GatedShape, Kernels};

/// `down(activation(gate(x)) up(x))`.
pub(crate) struct Mlp<K: Kernels> {
    pub(crate) activation: Activation,
    pub(crate) gate: Linear<K>,
    pub(crate) up: Linear<K>,
    pub(crate) down: Linear<K>,
}

/// What the backward of the MLP needs besides its input.
pub(crate) struct MlpActivations<K: Kernels> {
    /// Where nothing is adapted, as [`Kernels::gated_linear`] saved it.
    gate: K::Buffer,
    up: K::Buffer,
    projections: [LinearSaved<K>; 3],
}

impl<K: Kernels> Mlp<K> {
    fn is_adapted(&self) -> bool {
        [&self.gate, &self.up, &self.down].iter().any(|projection| projection.lora.is_some())
    }

    fn gated_shape(&self, rows: usize) -> GatedShape {
        GatedShape { rows, inputs: self.gate.inputs, outputs: self.gate.outputs, activation: self.activation }
    }

    fn frozen_weights(&self) -> [&K::Matrix; 2] {
        [&self.gate.weight, &self.up.weight]
    }

    /// # Shapes: x and result `[M, D]`.
    pub(crate) fn forward(
        &self,
        kernels: &K,
        rows: usize,
        x: &K::Buffer,
        keys: [Option<u64>; 3],
    ) -> (K::Buffer, MlpActivations<K>) {
        let mut activated = kernels.uninitialized(rows * self.gate.outputs);
        let ((gate, gate_saved), (up, up_saved)) = if self.is_adapted() {
            let (gate, up) =
                kernels.fork_join(|| self.gate.forward(kernels, rows, x, keys[0]), || self.up.forward(kernels, rows, x, keys[1]));
            kernels.gated_activation(self.activation, &gate.0, &up.0, &mut activated);
            (gate, up)
        } else {
            let [mut gate, mut up] = [(); 2].map(|()| kernels.uninitialized(rows * self.gate.outputs));
            let inputs = (x, self.frozen_weights());
            kernels.gated_linear(self.gated_shape(rows), inputs, [&mut gate, &mut up], &mut activated);
            ((gate, LinearSaved::none()), (up, LinearSaved::none()))
        };
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
        let mut activated = kernels.uninitialized(if self.is_adapted() { rows * width } else { 0 });
        if self.down.lora.is_some() {
            kernels.gated_activation(self.activation, &saved.gate, &saved.up, &mut activated);
        }
        let mut d_activated = kernels.uninitialized(rows * width);
        self.down.backward(kernels, rows, (&activated, &saved.projections[2]), dy, Some((&mut d_activated, false)));
        if !self.is_adapted() {
            let mut dx = kernels.uninitialized(rows * self.gate.inputs);
            let inputs = ([&saved.gate, &saved.up], self.frozen_weights());
            kernels.gated_linear_backward(self.gated_shape(rows), inputs, &d_activated, &mut dx);
            return dx;
        }
        let (mut d_gate, mut d_up) = (activated, kernels.uninitialized(rows * width));
        kernels.gated_activation_backward(self.activation, (&saved.gate, &saved.up), &d_activated, &mut d_gate, &mut d_up);
        let Self { gate, up, .. } = self;
        let [gate_saved, up_saved, _] = &saved.projections;
        let dx = sum_of_two(
            kernels,
            (rows, Some(rows * gate.inputs)),
            |dx| gate.backward(kernels, rows, (x, gate_saved), &d_gate, dx),
            |dx| up.backward(kernels, rows, (x, up_saved), &d_up, dx),
        );
        dx.expect("the gradient is wanted")
    }
}
