//! A frozen weight with an optional bias, and the LoRA that may be applied to it.

use crate::adapter::Lora;
use crate::pass::MOST_RECORDED_ROWS;
use lincah_kernels::{Kernels, LoraGradients, LoraSaved, LoraShape};

/// `y = x Wᵀ + bias`, and with a LoRA `+ scale (x Aᵀ) Bᵀ`. # Shapes: W `[O, I]`, A `[R, I]`, B `[O, R]`.
pub(crate) struct Linear<K: Kernels> {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) weight: K::Matrix,
    pub(crate) bias: Option<K::Buffer>,
}

/// What a linear layer's backward needs besides its input.
pub(crate) struct LinearSaved<K: Kernels> {
    /// `x Aᵀ`, `[N, R]`.
    hidden: Option<K::Buffer>,
    /// The input after dropout, where there is dropout.
    dropped: Option<K::Buffer>,
    dropout_key: u64,
}

/// Where an input's gradient goes, and whether it is added to what is there.
pub(crate) type InputGradient<'a, B> = Option<(&'a mut B, bool)>;

/// The gradient of rows that two layers read, `[N, I]` of so many numbers, or nothing if it isn't wanted: each adds its part. On a device that
/// records small steps, the parts are computed [at the same time](Kernels::fork_join), which takes another array and a sum.
pub(crate) fn sum_of_two<K: Kernels>(
    kernels: &K,
    (rows, wanted): (usize, Option<usize>),
    first: impl FnOnce(InputGradient<K::Buffer>),
    second: impl FnOnce(InputGradient<K::Buffer>),
) -> Option<K::Buffer> {
    let mut dx = wanted.map(|length| kernels.uninitialized(length));
    if kernels.records() && rows <= MOST_RECORDED_ROWS {
        let mut others = wanted.map(|length| kernels.uninitialized(length));
        kernels.fork_join(|| first(dx.as_mut().map(|dx| (dx, false))), || second(others.as_mut().map(|dx| (dx, false))));
        if let (Some(dx), Some(others)) = (&mut dx, &others) {
            kernels.add(others, dx);
        }
    } else {
        first(dx.as_mut().map(|dx| (dx, false)));
        second(dx.as_mut().map(|dx| (dx, true)));
    }
    dx
}

impl<K: Kernels> LinearSaved<K> {
    /// Of a layer without LoRA.
    pub(crate) fn none() -> Self {
        Self { hidden: None, dropped: None, dropout_key: 0 }
    }
}

impl<K: Kernels> Linear<K> {
    fn lora_shape(&self, lora: &Lora<K>, rows: usize) -> LoraShape {
        LoraShape { rows, inputs: self.inputs, outputs: self.outputs, rank: lora.a.shape[0], scale: lora.scale }
    }

    /// Forward for `rows` rows. With `dropout_key`, in training: dropout is applied, and what the backward needs is returned.
    pub(crate) fn forward(
        &self,
        kernels: &K,
        rows: usize,
        x: &K::Buffer,
        lora: Option<&Lora<K>>,
        dropout_key: Option<u64>,
    ) -> (K::Buffer, LinearSaved<K>) {
        let mut y = kernels.uninitialized(rows * self.outputs);
        let mut saved = LinearSaved { dropout_key: dropout_key.unwrap_or(0), ..LinearSaved::none() };
        match lora {
            Some(lora) => {
                if dropout_key.is_some() && lora.dropout > 0.0 {
                    let mut dropped = kernels.uninitialized(rows * self.inputs);
                    kernels.dropout(x, lora.dropout, saved.dropout_key, &mut dropped);
                    saved.dropped = Some(dropped);
                }
                let mut hidden = kernels.uninitialized(rows * lora.a.shape[0]);
                let adapter = (saved.dropped.as_ref().unwrap_or(x), &lora.a.value, &lora.b.value);
                kernels.adapted_linear(self.lora_shape(lora, rows), (x, &self.weight), adapter, &mut hidden, &mut y);
                saved.hidden = Some(hidden);
            }
            None => kernels.linear(rows, x, &self.weight, &mut y),
        }
        if let Some(bias) = &self.bias {
            kernels.add_bias(bias, &mut y);
        }
        (y, saved)
    }

    /// Adds to the LoRA's gradients; with `dx`, gives the input's gradient too.
    /// # Shapes: x, dx `[N, I]`, dy `[N, O]`.
    pub(crate) fn backward(
        &self,
        pass: (&K, usize),
        lora: Option<&mut Lora<K>>,
        (x, saved): (&K::Buffer, &LinearSaved<K>),
        dy: &K::Buffer,
        dx: InputGradient<K::Buffer>,
    ) {
        let (kernels, rows) = pass;
        let Some(lora) = lora else {
            if let Some((dx, accumulate)) = dx {
                self.frozen_backward(kernels, rows, dy, (dx, accumulate));
            }
            return;
        };
        let shape = self.lora_shape(lora, rows);
        let dropout = lora.dropout;
        let (a, a_gradient) = lora.a.gradient();
        let (b, b_gradient) = lora.b.gradient();
        let hidden = saved.hidden.as_ref().expect("the forward saved the hidden rows");
        let factors = LoraSaved { input: saved.dropped.as_ref().unwrap_or(x), hidden, a, b };
        match (dx, &saved.dropped) {
            (Some((input, accumulate)), None) => {
                let gradients = LoraGradients { a: a_gradient, b: b_gradient, input };
                kernels.adapted_linear_backward(shape, &self.weight, factors, dy, (gradients, accumulate));
            }
            (dx, dropped) => {
                let mut own = kernels.zeros(rows * self.inputs);
                let gradients = LoraGradients { a: a_gradient, b: b_gradient, input: &mut own };
                kernels.lora_backward(shape, factors, dy, gradients);
                if let (Some((dx, accumulate)), Some(_)) = (dx, dropped) {
                    self.frozen_backward(kernels, rows, dy, (dx, accumulate));
                    kernels.dropout_backward(&own, dropout, saved.dropout_key, dx);
                }
            }
        }
    }

    fn frozen_backward(&self, kernels: &K, rows: usize, dy: &K::Buffer, (dx, accumulate): (&mut K::Buffer, bool)) {
        if !accumulate {
            kernels.clear(dx);
        }
        kernels.linear_backward(rows, dy, &self.weight, dx);
    }
}
