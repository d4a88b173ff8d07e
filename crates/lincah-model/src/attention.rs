//! The attention half of a block: projections, norms of queries and keys, rotary embedding, ragged attention, output projection.

use crate::adapter::LayerAdapter;
use crate::cache::KeyValueCache;
use crate::linear::{Linear, LinearSaved, sum_of_two};
use crate::lora::Target;
use crate::pass::{KeptRows, Pass};
use lincah_kernels::{AttentionGradients, AttentionSaved, AttentionShape, Kernels, NormShape};

/// Attention of one layer.
pub(crate) struct Attention<K: Kernels> {
    pub(crate) layer: usize,
    pub(crate) shape: AttentionShape,
    pub(crate) norm_epsilon: f32,
    /// Which of the pass's rope tables; `None` for no position encoding.
    pub(crate) rope: Option<usize>,
    pub(crate) query: Linear<K>,
    pub(crate) key: Linear<K>,
    pub(crate) value: Linear<K>,
    pub(crate) output: Linear<K>,
    pub(crate) query_norm: Option<ProjectionNorm<K>>,
    pub(crate) key_norm: Option<ProjectionNorm<K>>,
}

/// An RMS norm of queries or keys before RoPE: over each head, or over all of them.
pub(crate) struct ProjectionNorm<K: Kernels> {
    pub(crate) weight: K::Buffer,
    pub(crate) width: usize,
}

/// A projection before its norm, and the norm's factors.
struct ProjectionNormSaved<K: Kernels> {
    input: K::Buffer,
    r: K::Buffer,
}

/// What the backward of attention needs.
pub(crate) struct AttentionActivations<K: Kernels> {
    query_norm: Option<ProjectionNormSaved<K>>,
    key_norm: Option<ProjectionNormSaved<K>>,
    query: K::Buffer,
    key: K::Buffer,
    value: K::Buffer,
    output: K::Buffer,
    log_sum: K::Buffer,
    /// The attention's output on the kept rows, where some are dropped.
    kept_output: Option<K::Buffer>,
    projections: [LinearSaved<K>; 4],
}

impl<K: Kernels> Attention<K> {
    fn projection_norm_shape(&self, pass: &Pass<K>, heads: usize, width: usize) -> NormShape {
        NormShape { rows: pass.rows * heads * self.shape.head_dimension / width, width, epsilon: self.norm_epsilon }
    }

    fn projection_norm(
        &self,
        pass: &Pass<K>,
        heads: usize,
        norm: &Option<ProjectionNorm<K>>,
        x: K::Buffer,
    ) -> (K::Buffer, Option<ProjectionNormSaved<K>>) {
        let Some(ProjectionNorm { weight, width }) = norm else { return (x, None) };
        let shape = self.projection_norm_shape(pass, heads, *width);
        let (mut y, mut r) = (pass.kernels.uninitialized(shape.rows * shape.width), pass.kernels.uninitialized(shape.rows));
        pass.kernels.rms_norm(shape, &x, weight, &mut y, &mut r);
        (y, Some(ProjectionNormSaved { input: x, r }))
    }

    fn projection_norm_backward(
        &self,
        pass: &Pass<K>,
        heads: usize,
        norm: &Option<ProjectionNorm<K>>,
        saved: &Option<ProjectionNormSaved<K>>,
        dy: K::Buffer,
    ) -> K::Buffer {
        let (Some(ProjectionNorm { weight, width }), Some(saved)) = (norm, saved) else { return dy };
        let shape = self.projection_norm_shape(pass, heads, *width);
        let mut dx = pass.kernels.zeros(shape.rows * shape.width);
        pass.kernels.rms_norm_backward(shape, (&saved.input, weight, &saved.r), &dy, &mut dx);
        dx
    }

    /// `[N, D]` normed input to the output projection on the kept rows, `[M, D]` (`kept` of them; `None` keeps all N). With a cache, the
    /// rows go on from those in it, and are added to it; there is no backward then.
    pub(crate) fn forward(
        &self,
        pass: &Pass<K>,
        adapter: &LayerAdapter<K>,
        x: &K::Buffer,
        kept: Option<&KeptRows<K>>,
        cache: Option<&mut KeyValueCache<K>>,
    ) -> (K::Buffer, AttentionActivations<K>) {
        let (kernels, rows, shape) = (pass.kernels, pass.rows, self.shape);
        let project = |linear: &Linear<K>, rows, x, target| {
            linear.forward(kernels, rows, x, adapter.of(target), pass.dropout_key(self.layer, target))
        };
        let ((query, query_saved), ((key, key_saved), (value, value_saved))) = kernels.fork_join(
            || project(&self.query, rows, x, Target::Query),
            || (project(&self.key, rows, x, Target::Key), project(&self.value, rows, x, Target::Value)),
        );
        let (mut query, query_norm) = self.projection_norm(pass, shape.heads, &self.query_norm, query);
        let (mut key, key_norm) = self.projection_norm(pass, shape.key_value_heads, &self.key_norm, key);
        if let Some(rope) = self.rope {
            let arrays = [(shape.heads, &mut query), (shape.key_value_heads, &mut key)];
            kernels.rope_of_two(&pass.rope_tables[rope], pass.layout, arrays);
        }
        let width = shape.heads * shape.head_dimension;
        let (mut output, mut log_sum) = (kernels.uninitialized(rows * width), kernels.uninitialized(rows * shape.heads));
        let (all_keys, all_values) = match cache {
            Some(cache) => cache.append(kernels, rows, (&key, &value)),
            None => (&key, &value),
        };
        kernels.attention(shape, pass.layout, (&query, all_keys, all_values), &mut output, &mut log_sum);
        let kept_output = kept.map(|kept| {
            let mut gathered = kernels.uninitialized(kept.count * width);
            kernels.gather_rows(width, &kept.indices, &output, &mut gathered);
            gathered
        });
        let projected = kept_output.as_ref().unwrap_or(&output);
        let (y, output_saved) = project(&self.output, kept.map_or(rows, |kept| kept.count), projected, Target::Output);
        let projections = [query_saved, key_saved, value_saved, output_saved];
        (y, AttentionActivations { query_norm, key_norm, query, key, value, output, log_sum, kept_output, projections })
    }

    /// Whether the backward reads the input.
    pub(crate) fn reads_input(adapter: &LayerAdapter<K>) -> bool {
        adapter.adapts(&[Target::Query, Target::Key, Target::Value])
    }

    /// From the gradient of the output projection, `[M, D]`, to that of the normed input, `[N, D]`; `None` where `wants_input` is false.
    pub(crate) fn backward(
        &self,
        pass: &Pass<K>,
        adapter: &mut LayerAdapter<K>,
        (x, saved): (&K::Buffer, &AttentionActivations<K>),
        dy: &K::Buffer,
        (kept, wants_input): (Option<&KeptRows<K>>, bool),
    ) -> Option<K::Buffer> {
        let (kernels, rows, shape) = (pass.kernels, pass.rows, self.shape);
        let width = shape.heads * shape.head_dimension;
        let kept_rows = kept.map_or(rows, |kept| kept.count);
        let mut d_output = kernels.uninitialized(kept_rows * width);
        let projected = saved.kept_output.as_ref().unwrap_or(&saved.output);
        let [query_lora, key_lora, value_lora, output_lora, ..] = adapter.projections.each_mut().map(Option::as_mut);
        let gradient = Some((&mut d_output, false));
        self.output.backward((kernels, kept_rows), output_lora, (projected, &saved.projections[3]), dy, gradient);
        if let Some(kept) = kept {
            let mut all = kernels.zeros(rows * width);
            kernels.scatter_add_rows(width, &kept.indices, &d_output, &mut all);
            d_output = all;
        }
        let key_width = shape.key_value_heads * shape.head_dimension;
        let (mut dq, mut dk, mut dv) = (
            kernels.uninitialized(rows * width),
            kernels.uninitialized(rows * key_width),
            kernels.uninitialized(rows * key_width),
        );
        let activations = AttentionSaved {
            query: &saved.query,
            key: &saved.key,
            value: &saved.value,
            output: &saved.output,
            log_sum: &saved.log_sum,
        };
        let gradients = AttentionGradients { query: &mut dq, key: &mut dk, value: &mut dv };
        kernels.attention_backward(shape, pass.layout, activations, &d_output, gradients);
        if let Some(rope) = self.rope {
            let arrays = [(shape.heads, &mut dq), (shape.key_value_heads, &mut dk)];
            kernels.rope_of_two_backward(&pass.rope_tables[rope], pass.layout, arrays);
        }
        let dq = self.projection_norm_backward(pass, shape.heads, &self.query_norm, &saved.query_norm, dq);
        let dk = self.projection_norm_backward(pass, shape.key_value_heads, &self.key_norm, &saved.key_norm, dk);
        let Self { query, key, value, .. } = self;
        let [query_saved, key_saved, value_saved, _] = &saved.projections;
        let length = wants_input.then_some(rows * query.inputs);
        sum_of_two(
            kernels,
            (rows, length),
            |dx| query.backward((kernels, rows), query_lora, (x, query_saved), &dq, dx),
            |mut dx| {
                let first = dx.as_mut().map(|(dx, adds)| (&mut **dx, *adds));
                key.backward((kernels, rows), key_lora, (x, key_saved), &dk, first);
                value.backward((kernels, rows), value_lora, (x, value_saved), &dv, dx.map(|(dx, _)| (dx, true)));
            },
        )
    }
}
