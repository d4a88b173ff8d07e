//! The operations that a device offers to the model.

use crate::error::CudaError;
use crate::layout::RaggedLayout;
use crate::shapes::*;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Rows rounded to multiples of a 127th of their largest number: the multiples, and what one stands for. # Shapes: values and result
/// `[rows, width]`, `[rows]`.
pub(crate) fn int8_rows(values: &[f32], rows: usize, width: usize) -> (Vec<i8>, Vec<f32>) {
    assert_eq!(values.len(), rows * width);
    let (mut rounded, mut scales) = (vec![0; values.len()], vec![0.0; rows]);
    let all = rounded.par_chunks_exact_mut(width).zip(&mut scales).zip(values.par_chunks_exact(width));
    all.with_min_len(16).for_each(|((rounded, scale), row): ((&mut [i8], &mut f32), &[f32])| {
        let highest = row.iter().fold(0.0f32, |highest, value| highest.max(value.abs()));
        *scale = if highest == 0.0 { 1.0 } else { highest / 127.0 };
        rounded.iter_mut().zip(row).for_each(|(rounded, value)| *rounded = (value / *scale).round_ties_even() as i8);
    });
    (rounded, scales)
}

/// A handle on a device, and the device's operations. In the formulas `=` overwrites and `+=` adds to what is there; the dimension letters are those of the crate's front page.
///
/// The work of one handle is done in the order of the calls, as if each had finished before the next. Where a device
/// [records](Self::records), the threads that share a handle take turns: another thread's calls would be recorded too.
///
/// Lengths are the caller's duty: an operation panics where an array is shorter than its shape says.
pub trait Kernels: Send + Sync + 'static {
    /// An array on the device.
    type Buffer: Send + Sync;
    /// A frozen `[O, I]` matrix, laid out for products.
    type Matrix: Send + Sync;
    /// Cosines and sines by position.
    type RopeTable: Send + Sync;
    /// A batch's layout, on the device.
    type Layout: Send + Sync;
    /// Numbers of rows or classes, on the device.
    type Indices: Send + Sync;
    /// Operations that can be run again as they are.
    type Recording: Send + Sync;

    /// Another handle on the same device, whose work may run at the same time as this one's. Arrays, matrices, layouts and indices made
    /// through one handle may be read through another once the first was [synchronized](Self::synchronize); they are changed, and recordings
    /// replayed, only through their own. Whoever drops an array synchronizes every handle that may still read it first.
    ///
    /// # Errors
    /// If the device has no memory left for it: on a GPU 64 MiB, and what its work takes.
    fn concurrent_handle(&self) -> Result<Self, CudaError>
    where
        Self: Sized;
    /// Waits until all work asked of this handle is done. A device whose calls return when they are done has nothing to wait for.
    fn synchronize(&self) {}
    /// The number of the GPU, if the device is one.
    fn gpu(&self) -> Option<usize> {
        None
    }
    /// Runs `work`, many operations one after the other, where the device's threads are at hand: from outside, each operation would wait
    /// for them anew.
    fn within<R: Send>(work: impl FnOnce() -> R + Send) -> R {
        work()
    }
    /// What each operation took since this was last asked; nothing unless the device is [`Profiled`](crate::Profiled).
    fn take_times(&self) -> BTreeMap<&'static str, OperationTime> {
        BTreeMap::new()
    }
    /// Bytes of the device's memory that new arrays can have; `None` where nobody keeps count.
    fn free_memory(&self) -> Option<usize> {
        None
    }
    /// Bytes of a number of a frozen matrix, or of an activation between two products.
    fn product_bytes(&self) -> usize {
        size_of::<f32>()
    }
    /// Whether a norm's output is better kept for the backward than computed again.
    fn keeps_norms(&self) -> bool {
        false
    }
    /// Copies to the device.
    fn upload(&self, values: &[f32]) -> Self::Buffer;
    /// Copies from the device.
    fn download(&self, buffer: &Self::Buffer) -> Vec<f32>;
    /// An array of zeros.
    fn zeros(&self, length: usize) -> Self::Buffer;
    /// An array for an operation that overwrites it (`=`), whose numbers may be anything until then.
    fn uninitialized(&self, length: usize) -> Self::Buffer {
        self.zeros(length)
    }
    /// Sets every number to zero.
    fn clear(&self, buffer: &mut Self::Buffer);
    /// Copies `source` over `target`, of the same length.
    fn copy(&self, source: &Self::Buffer, target: &mut Self::Buffer);
    /// A frozen `[outputs, inputs]` matrix for [`linear`](Self::linear) and its backward, made for many uses.
    fn matrix(&self, values: Vec<f32>, outputs: usize, inputs: usize) -> Self::Matrix;
    /// The same for the output head or rows of it, whose products keep f32 whatever the device rounds others to.
    fn head_matrix(&self, values: Vec<f32>, outputs: usize, inputs: usize) -> Self::Matrix {
        self.matrix(values, outputs, inputs)
    }
    /// Two matrices of one shape that read the same rows, for [`gated_linear`](Self::gated_linear) too.
    fn matrix_pair(&self, values: [Vec<f32>; 2], outputs: usize, inputs: usize) -> [Self::Matrix; 2] {
        values.map(|values| self.matrix(values, outputs, inputs))
    }
    /// The same in 8 bits, for [`linear`](Self::linear) alone: each row is multiples of a 127th of its largest number. `None` if the device has no
    /// such products.
    fn int8_matrix(&self, values: Vec<f32>, outputs: usize, inputs: usize) -> Option<Self::Matrix> {
        let _ = (values, outputs, inputs);
        None
    }
    /// Whether [`embed`](Self::embed)'s table is to be kept on the device.
    fn keeps_embedding(&self) -> bool {
        false
    }
    /// A table for [`embed`](Self::embed), which may be kept as frozen matrices are. # Shapes: `[V, D]`.
    fn embedding(&self, values: &[f32]) -> Self::Buffer {
        self.upload(values)
    }
    /// `cos` and `sin` of `position * inverse_frequencies[i]`, computed in f32 as transformers does.
    fn rope_table(&self, inverse_frequencies: &[f32], positions: usize) -> Self::RopeTable;
    /// Takes a batch's layout to the device.
    fn layout(&self, layout: &RaggedLayout) -> Self::Layout;
    /// Another layout in the place of one with as many rows and segments and as long a common prefix, computed before or not as there.
    fn replace_layout(&self, layout: &RaggedLayout, on_device: &mut Self::Layout) {
        *on_device = self.layout(layout);
    }
    /// Takes numbers of rows or classes to the device.
    fn indices(&self, values: &[usize]) -> Self::Indices;
    /// Other numbers in the place of as many.
    fn replace_indices(&self, values: &[usize], on_device: &mut Self::Indices) {
        *on_device = self.indices(values);
    }
    /// Other numbers in the place of as many.
    fn replace(&self, values: &[f32], buffer: &mut Self::Buffer) {
        *buffer = self.upload(values);
    }

    /// Whether [`record`](Self::record) records anything.
    fn records(&self) -> bool {
        false
    }
    /// Calls `work`, whose operations are recorded rather than run, for [`replay`](Self::replay) to run: on the same arrays, with whatever
    /// these hold then. Every array that `work` reads must have been written before, and be kept as long as the recording. `None` if the
    /// device records nothing, and then `work` was not called.
    fn record(&self, work: &mut dyn FnMut()) -> Option<Self::Recording> {
        let _ = work;
        None
    }
    /// Runs what was recorded.
    fn replay(&self, recording: &Self::Recording) {
        let _ = recording;
    }

    /// `y[n] = factor table[tokens[n]]`. # Shapes: table `[V, D]`, y `[N, D]`.
    fn embed(&self, width: usize, tokens: &Self::Indices, table: &Self::Buffer, factor: f32, y: &mut Self::Buffer) {
        self.gather_rows(width, tokens, table, y);
        self.scale(factor, y);
    }

    /// `y = x Wᵀ`. # Shapes: x `[N, I]`, W `[O, I]`, y `[N, O]`.
    fn linear(&self, rows: usize, x: &Self::Buffer, weight: &Self::Matrix, y: &mut Self::Buffer);
    /// `dx += dy W`. # Shapes: dy `[N, O]`, W `[O, I]`, dx `[N, I]`.
    fn linear_backward(&self, rows: usize, dy: &Self::Buffer, weight: &Self::Matrix, dx: &mut Self::Buffer);
    /// `y += b` in every row. # Shapes: b `[O]`, y `[N, O]`.
    fn add_bias(&self, bias: &Self::Buffer, y: &mut Self::Buffer);

    /// `y = x Wᵀ` with a weight that is trained, and so lies in an array. # Shapes: x `[N, I]`, W `[O, I]`, y `[N, O]`.
    fn trained_linear(&self, shape: LinearShape, x: &Self::Buffer, weight: &Self::Buffer, y: &mut Self::Buffer);
    /// `dx += dy W`, `dW += dyᵀ x`. # Shapes: dx `[N, I]`, dy `[N, O]`, W and dW `[O, I]`.
    fn trained_linear_backward(
        &self,
        shape: LinearShape,
        saved: (&Self::Buffer, &Self::Buffer),
        dy: &Self::Buffer,
        gradients: (&mut Self::Buffer, &mut Self::Buffer),
    );

    /// `h = x Aᵀ`, `y += scale h Bᵀ` (Hu et al. 2021, eq. 3). # Shapes: x `[N, I]`, A `[R, I]`, B `[O, R]`, h `[N, R]`, y `[N, O]`.
    fn lora(
        &self,
        shape: LoraShape,
        x: &Self::Buffer,
        factors: (&Self::Buffer, &Self::Buffer),
        h: &mut Self::Buffer,
        y: &mut Self::Buffer,
    );
    /// With `dh = scale dy B`: `dB += scale dyᵀ h`, `dA += dhᵀ x`, `dx += dh A`. # Shapes: as in [`lora`](Self::lora).
    fn lora_backward(
        &self,
        shape: LoraShape,
        saved: LoraSaved<Self::Buffer>,
        dy: &Self::Buffer,
        gradients: LoraGradients<Self::Buffer>,
    );

    /// `h = z Aᵀ`, `y = x Wᵀ + scale h Bᵀ`: [`linear`](Self::linear), then [`lora`](Self::lora) of z (x after dropout), with the same bits.
    fn adapted_linear(
        &self,
        shape: LoraShape,
        (x, weight): (&Self::Buffer, &Self::Matrix),
        (z, a, b): (&Self::Buffer, &Self::Buffer, &Self::Buffer),
        h: &mut Self::Buffer,
        y: &mut Self::Buffer,
    ) {
        self.linear(shape.rows, x, weight, y);
        self.lora(shape, z, (a, b), h, y);
    }
    /// [`linear_backward`](Self::linear_backward), then [`lora_backward`](Self::lora_backward) of the same input, with the same bits; `dx =`
    /// unless `accumulate`, else `dx +=`.
    fn adapted_linear_backward(
        &self,
        shape: LoraShape,
        weight: &Self::Matrix,
        saved: LoraSaved<Self::Buffer>,
        dy: &Self::Buffer,
        (gradients, accumulate): (LoraGradients<Self::Buffer>, bool),
    ) {
        if !accumulate {
            self.clear(gradients.input);
        }
        self.linear_backward(shape.rows, dy, weight, gradients.input);
        self.lora_backward(shape, saved, dy, gradients);
    }

    /// `y_i = x_i m_i / (1 - p)`, where `m_i` is 0 with probability p, drawn from `key` and `i` alone (Srivastava et al. 2014).
    fn dropout(&self, x: &Self::Buffer, probability: f32, key: u64, y: &mut Self::Buffer);
    /// `dx_i += dy_i m_i / (1 - p)` with the same `m`.
    fn dropout_backward(&self, dy: &Self::Buffer, probability: f32, key: u64, dx: &mut Self::Buffer);

    /// `y = (x - mean(x)) / sqrt(mean((x - mean(x))²) + epsilon) w + b` (Ba et al. 2016). # Shapes: x, y `[N, D]`, w, b `[D]`.
    fn layer_norm(
        &self,
        shape: NormShape,
        x: &Self::Buffer,
        weight_and_bias: (&Self::Buffer, &Self::Buffer),
        y: &mut Self::Buffer,
    );
    /// `y = y Φ(y)`, in place, Φ being the normal distribution's function (Hendrycks & Gimpel 2016, not its tanh approximation).
    fn gelu(&self, y: &mut Self::Buffer);

    /// `r = 1 / sqrt(mean(x²) + epsilon)`, `y = x r w` (Zhang & Sennrich 2019). # Shapes: x, y `[N, D]`, w `[D]`, r `[N]`.
    fn rms_norm(&self, shape: NormShape, x: &Self::Buffer, weight: &Self::Buffer, y: &mut Self::Buffer, r: &mut Self::Buffer);
    /// `y += x`, then the [`rms_norm`](Self::rms_norm) of y. # Shapes: x, y and normed `[N, D]`, w `[D]`, r `[N]`.
    fn add_rms_norm(
        &self,
        shape: NormShape,
        (x, weight): (&Self::Buffer, &Self::Buffer),
        y: &mut Self::Buffer,
        (normed, r): (&mut Self::Buffer, &mut Self::Buffer),
    ) {
        self.add(x, y);
        self.rms_norm(shape, y, weight, normed, r);
    }
    /// With `g = dy w`: `dx += r g - x r³ mean(g x)`. # Shapes: as in [`rms_norm`](Self::rms_norm).
    fn rms_norm_backward(
        &self,
        shape: NormShape,
        saved: (&Self::Buffer, &Self::Buffer, &Self::Buffer),
        dy: &Self::Buffer,
        dx: &mut Self::Buffer,
    );

    /// Rotates each head's pairs `(x_i, x_{i + C/2})` by the angle of its row's position, in place (Su et al. 2021, in the half-split order of GPT-NeoX and transformers). # Shapes: x `[N, heads, C]`.
    fn rope(&self, table: &Self::RopeTable, layout: &Self::Layout, heads: usize, x: &mut Self::Buffer);
    /// Rotates a gradient back, in place. # Shapes: as in [`rope`](Self::rope).
    fn rope_backward(&self, table: &Self::RopeTable, layout: &Self::Layout, heads: usize, dx: &mut Self::Buffer);

    /// [`rope`](Self::rope) of two arrays, each with its heads.
    fn rope_of_two(&self, table: &Self::RopeTable, layout: &Self::Layout, arrays: [(usize, &mut Self::Buffer); 2]) {
        for (heads, x) in arrays {
            self.rope(table, layout, heads, x);
        }
    }
    /// [`rope_backward`](Self::rope_backward) of two arrays, each with its heads.
    fn rope_of_two_backward(&self, table: &Self::RopeTable, layout: &Self::Layout, arrays: [(usize, &mut Self::Buffer); 2]) {
        for (heads, dx) in arrays {
            self.rope_backward(table, layout, heads, dx);
        }
    }

    /// Softmax attention of each sequence over the prefixes that it shares and itself, up to each query's position where it is causal; `log_sum` is what the backward needs (Dao et al. 2022). # Shapes: query, output `[N, H, C]`, key, value `[N, K, C]` (`[P + N, K, C]` where the common prefix was computed before, [`RaggedLayout::continuing`]), log_sum `[N, H]`.
    fn attention(
        &self,
        shape: AttentionShape,
        layout: &Self::Layout,
        inputs: (&Self::Buffer, &Self::Buffer, &Self::Buffer),
        output: &mut Self::Buffer,
        log_sum: &mut Self::Buffer,
    );
    /// Gradients of query, key and value, overwritten; a prefix's are summed over the sequences that share it, and the common prefix's wherever it was computed. # Shapes: as in [`attention`](Self::attention).
    fn attention_backward(
        &self,
        shape: AttentionShape,
        layout: &Self::Layout,
        saved: AttentionSaved<Self::Buffer>,
        d_output: &Self::Buffer,
        gradients: AttentionGradients<Self::Buffer>,
    );

    /// `y = activation(gate) up` (Shazeer 2020). # Shapes: all `[N, F]`.
    fn gated_activation(&self, activation: Activation, gate: &Self::Buffer, up: &Self::Buffer, y: &mut Self::Buffer);
    /// `d_gate = dy up activation'(gate)`, `d_up = dy activation(gate)`. # Shapes: all `[N, F]`.
    fn gated_activation_backward(
        &self,
        activation: Activation,
        inputs: (&Self::Buffer, &Self::Buffer),
        dy: &Self::Buffer,
        d_gate: &mut Self::Buffer,
        d_up: &mut Self::Buffer,
    );

    /// `y = activation(x Gᵀ) (x Uᵀ)`: two [`linear`](Self::linear)s and their [`gated_activation`](Self::gated_activation), with G and U a
    /// [`matrix_pair`](Self::matrix_pair). `saved` is for the backward alone: the device chooses what it holds. # Shapes: x `[N, I]`, G, U
    /// `[F, I]`, saved and y `[N, F]`.
    fn gated_linear(
        &self,
        shape: GatedShape,
        (x, weights): (&Self::Buffer, [&Self::Matrix; 2]),
        saved: [&mut Self::Buffer; 2],
        y: &mut Self::Buffer,
    ) {
        gated_linear_apart(self, shape, (x, weights), saved, y);
    }
    /// `dx = d_gate G + d_up U`, with the [gradients](Self::gated_activation_backward) of the activation's inputs. # Shapes: dy `[N, F]`, dx
    /// `[N, I]`.
    fn gated_linear_backward(
        &self,
        shape: GatedShape,
        (saved, weights): ([&Self::Buffer; 2], [&Self::Matrix; 2]),
        dy: &Self::Buffer,
        dx: &mut Self::Buffer,
    ) {
        gated_linear_backward_apart(self, shape, (saved, weights), dy, dx);
    }

    /// Calls both; neither may write what the other reads or writes. A device may run what they record at the same time.
    fn fork_join<A, B>(&self, first: impl FnOnce() -> A, second: impl FnOnce() -> B) -> (A, B) {
        (first(), second())
    }

    /// `y += x`.
    fn add(&self, x: &Self::Buffer, y: &mut Self::Buffer);
    /// `y[s] = x[rows[s]]`. # Shapes: x `[N, width]`, y `[S, width]`.
    fn gather_rows(&self, width: usize, rows: &Self::Indices, x: &Self::Buffer, y: &mut Self::Buffer);
    /// `dx[rows[s]] += dy[s]`. # Shapes: dy `[S, width]`, dx `[N, width]`.
    fn scatter_add_rows(&self, width: usize, rows: &Self::Indices, dy: &Self::Buffer, dx: &mut Self::Buffer);

    /// `x = cap tanh(x / cap)`, in place.
    fn soft_cap(&self, cap: f32, x: &mut Self::Buffer);
    /// `dx *= 1 - (y / cap)²`, where y is the capped value.
    fn soft_cap_backward(&self, cap: f32, y: &Self::Buffer, dx: &mut Self::Buffer);

    /// Softmax cross-entropy and its gradient: `losses[m] = -log softmax(logits[m])[targets[m]]`, then `logits[m] = weights[m] (softmax(logits[m]) - onehot(targets[m]))` in place. The losses are not weighted. # Shapes: logits `[M, width]`, targets, weights and losses `[M]`.
    fn cross_entropy(
        &self,
        width: usize,
        targets: &Self::Indices,
        weights: &Self::Buffer,
        logits: &mut Self::Buffer,
        losses: &mut Self::Buffer,
    );

    /// The gradient of a matrix whose diagonal blocks are one and the same array and which is zero elsewhere, in place: every diagonal
    /// block becomes the sum of them all, in their order, and the rest 0. # Shapes: dx `[count rows, width]`.
    fn tie_diagonal_blocks(&self, blocks: DiagonalBlocks, dx: &mut Self::Buffer);

    /// Sum of squares, accumulated in f64.
    fn squared_norm(&self, x: &Self::Buffer) -> f64;
    /// Sum of the [`squared_norm`](Self::squared_norm)s.
    fn squared_norm_of_all(&self, arrays: &[&Self::Buffer]) -> f64 {
        arrays.iter().map(|array| self.squared_norm(array)).sum()
    }
    /// `y *= factor`.
    fn scale(&self, factor: f32, y: &mut Self::Buffer);
    /// One optimizer step on `parameter` with its two moments. # Shapes: all alike.
    fn adam_step(
        &self,
        step: AdamStep,
        gradient: &Self::Buffer,
        moments: (&mut Self::Buffer, &mut Self::Buffer),
        parameter: &mut Self::Buffer,
    );
    /// One [`adam_step`](Self::adam_step) on each of the arrays, then `gradient = 0`.
    fn adam_steps(&self, step: AdamStep, arrays: &mut [AdamArrays<Self::Buffer>]) {
        for AdamArrays { gradient, first_moment, second_moment, parameter } in arrays {
            self.adam_step(step, gradient, (first_moment, second_moment), parameter);
            self.clear(gradient);
        }
    }
    /// [`adam_steps`](Self::adam_steps) with the gradients shortened to the norm `clip_norm` where they are longer, by
    /// `min(1, clip_norm / (norm + 1e-6))` as `torch.nn.utils.clip_grad_norm_` computes it; returns their norm before.
    fn clipped_adam_steps(&self, step: AdamStep, clip_norm: Option<f64>, arrays: &mut [AdamArrays<Self::Buffer>]) -> f64 {
        let gradients: Vec<&Self::Buffer> = arrays.iter().map(|array| &*array.gradient).collect();
        let norm = self.squared_norm_of_all(&gradients).sqrt();
        let factor = clip_norm.map_or(1.0, |clip| (clip / (norm + 1e-6)).min(1.0));
        self.adam_steps(AdamStep { gradient_scale: step.gradient_scale * factor, ..step }, arrays);
        norm
    }
}

/// [`Kernels::gated_linear`] with a product for each matrix.
pub(crate) fn gated_linear_apart<K: Kernels + ?Sized>(
    kernels: &K,
    shape: GatedShape,
    (x, [gate_weight, up_weight]): (&K::Buffer, [&K::Matrix; 2]),
    [gate, up]: [&mut K::Buffer; 2],
    y: &mut K::Buffer,
) {
    kernels.linear(shape.rows, x, gate_weight, gate);
    kernels.linear(shape.rows, x, up_weight, up);
    kernels.gated_activation(shape.activation, gate, up, y);
}

/// [`Kernels::gated_linear_backward`] with a product for each matrix.
pub(crate) fn gated_linear_backward_apart<K: Kernels + ?Sized>(
    kernels: &K,
    shape: GatedShape,
    ([gate, up], [gate_weight, up_weight]): ([&K::Buffer; 2], [&K::Matrix; 2]),
    dy: &K::Buffer,
    dx: &mut K::Buffer,
) {
    let [mut d_gate, mut d_up] = [(); 2].map(|()| kernels.uninitialized(shape.rows * shape.outputs));
    kernels.gated_activation_backward(shape.activation, (gate, up), dy, &mut d_gate, &mut d_up);
    kernels.clear(dx);
    kernels.linear_backward(shape.rows, &d_gate, gate_weight, dx);
    kernels.linear_backward(shape.rows, &d_up, up_weight, dx);
}
