//! The gated MLP half of a block.

use crate::adapter::LayerAdapter;
use crate::linear::{Linear, LinearSaved, sum_of_two};
use crate::lora::Target;
use crate::pass::Pass;
use lincah_kernels::{Activation, GatedShape, Kernels};

/// The projections of the MLP.
const TARGETS: [Target; 3] = [Target::Gate, Target::Up, Target::Down];

/// `down(activation(gate(x)) up(x))`.
pub(crate) struct Mlp<K: Kernels> {
    pub(crate) layer: usize,
    pub(crate) activation: Activation,
    pub(crate) gate: Linear<K>,
    pub(crate) up: Linear<K>,
    pub(crate) down: Linear<K>,
}

/// What the backward of the MLP needs besides its input.
pub(crate) struct MlpActivations<K: Kernels> {
    /// Where the two are not computed apart, as [`Kernels::gated_linear`] saved it.
    gate: K::Buffer,
    up: K::Buffer,
    projections: [LinearSaved<K>; 3],
}

impl<K: Kernels> Mlp<K> {
    fn gated_shape(&self, rows: usize) -> GatedShape {
        GatedShape { rows, inputs: self.gate.inputs, outputs: self.gate.outputs, activation: self.activation }
    }

    /// Whether gate and up are computed one by one: the products of [`Kernels::gated_linear`] have no bias and no adapter.
    fn is_apart(&self, adapter: &LayerAdapter<K>) -> bool {
        adapter.adapts(&TARGETS) || self.gate.bias.is_some()
    }

    fn frozen_weights(&self) -> [&K::Matrix; 2] {
        [&self.gate.weight, &self.up.weight]
    }

    /// # Shapes: x and result `[M, D]`.
    pub(crate) fn forward(
        &self,
        pass: &Pass<K>,
        adapter: &LayerAdapter<K>,
        rows: usize,
        x: &K::Buffer,
    ) -> (K::Buffer, MlpActivations<K>) {
        let kernels = pass.kernels;
        let project = |linear: &Linear<K>, x, target| {
            linear.forward(kernels, rows, x, adapter.of(target), pass.dropout_key(self.layer, target))
        };
        let mut activated = kernels.uninitialized(rows * self.gate.outputs);
        let ((gate, gate_saved), (up, up_saved)) = if self.is_apart(adapter) {
            let (gate, up) = kernels.fork_join(|| project(&self.gate, x, Target::Gate), || project(&self.up, x, Target::Up));
            kernels.gated_activation(self.activation, &gate.0, &up.0, &mut activated);
            (gate, up)
        } else {
            let [mut gate, mut up] = [(); 2].map(|()| kernels.uninitialized(rows * self.gate.outputs));
            let inputs = (x, self.frozen_weights());
            kernels.gated_linear(self.gated_shape(rows), inputs, [&mut gate, &mut up], &mut activated);
            ((gate, LinearSaved::none()), (up, LinearSaved::none()))
        };
        let (y, down_saved) = project(&self.down, &activated, Target::Down);
        (y, MlpActivations { gate, up, projections: [gate_saved, up_saved, down_saved] })
    }

    /// Whether the backward reads the input.
    pub(crate) fn reads_input(adapter: &LayerAdapter<K>) -> bool {
        adapter.adapts(&[Target::Gate, Target::Up])
    }

    /// Gradient of the input, `[M, D]`; the activated rows, where a LoRA reads them, are computed again rather than kept.
    pub(crate) fn backward(
        &self,
        (kernels, rows): (&K, usize),
        adapter: &mut LayerAdapter<K>,
        (x, saved): (&K::Buffer, &MlpActivations<K>),
        dy: &K::Buffer,
    ) -> K::Buffer {
        let (width, is_apart) = (self.gate.outputs, self.is_apart(adapter));
        let mut activated = kernels.uninitialized(if is_apart { rows * width } else { 0 });
        if adapter.of(Target::Down).is_some() {
            kernels.gated_activation(self.activation, &saved.gate, &saved.up, &mut activated);
        }
        let mut d_activated = kernels.uninitialized(rows * width);
        let [.., gate_lora, up_lora, down_lora] = adapter.projections.each_mut().map(Option::as_mut);
        let gradient = Some((&mut d_activated, false));
        self.down.backward((kernels, rows), down_lora, (&activated, &saved.projections[2]), dy, gradient);
        if !is_apart {
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
            |dx| gate.backward((kernels, rows), gate_lora, (x, gate_saved), &d_gate, dx),
            |dx| up.backward((kernels, rows), up_lora, (x, up_saved), &d_up, dx),
        );
        dx.expect("the gradient is wanted")
    }
}
