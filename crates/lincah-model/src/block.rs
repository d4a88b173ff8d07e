//! One decoder layer: attention and MLP, each between norms and added to the residual stream.

use crate::adapter::LayerAdapter;
use crate::attention::{Attention, AttentionActivations};
use crate::cache::KeyValueCache;
use crate::mlp::{Mlp, MlpActivations};
use crate::pass::{KeptRows, Pass};
use lincah_kernels::{Kernels, NormShape};

/// One decoder layer. Most families norm before each half, OLMo 2 behind it, Gemma 2 and 3 on both sides.
pub(crate) struct Block<K: Kernels> {
    pub(crate) hidden_size: usize,
    pub(crate) norm_epsilon: f32,
    pub(crate) attention_norm: Option<K::Buffer>,
    pub(crate) attention: Attention<K>,
    pub(crate) attention_post_norm: Option<K::Buffer>,
    pub(crate) mlp_norm: Option<K::Buffer>,
    pub(crate) mlp: Mlp<K>,
    pub(crate) mlp_post_norm: Option<K::Buffer>,
}

/// The input of a post-norm and its factors.
struct PostNormSaved<K: Kernels> {
    input: K::Buffer,
    r: K::Buffer,
}

/// What the backward of a block needs. Most normed inputs are computed again rather than kept.
pub(crate) struct BlockActivations<K: Kernels> {
    /// Residual stream on entry, `[N, D]`.
    input: K::Buffer,
    attention_r: Option<K::Buffer>,
    /// Of the first norm, where the device keeps it and the backward reads it.
    attention_normed: Option<K::Buffer>,
    attention: AttentionActivations<K>,
    attention_post: Option<PostNormSaved<K>>,
    /// Residual stream between the halves, `[M, D]`.
    middle: K::Buffer,
    mlp_r: Option<K::Buffer>,
    mlp: MlpActivations<K>,
    mlp_post: Option<PostNormSaved<K>>,
}

impl<K: Kernels> BlockActivations<K> {
    /// The residual stream on entry alone, from which the rest can be computed again.
    pub(crate) fn into_input(self) -> K::Buffer {
        self.input
    }
}

impl<K: Kernels> Block<K> {
    /// Room for the keys and values of so many positions.
    pub(crate) fn cache(&self, kernels: &K, positions: usize) -> KeyValueCache<K> {
        KeyValueCache::new(kernels, self.attention.shape, positions)
    }

    fn norm_shape(&self, rows: usize) -> NormShape {
        NormShape { rows, width: self.hidden_size, epsilon: self.norm_epsilon }
    }

    fn norm(&self, kernels: &K, rows: usize, x: &K::Buffer, weight: &K::Buffer) -> (K::Buffer, K::Buffer) {
        let (mut y, mut r) = (kernels.uninitialized(rows * self.hidden_size), kernels.uninitialized(rows));
        kernels.rms_norm(self.norm_shape(rows), x, weight, &mut y, &mut r);
        (y, r)
    }

    /// For the backward, a norm's output where a LoRA reads it; `None` where there is no norm, or nothing reads it.
    fn normed_again(
        &self,
        kernels: &K,
        rows: usize,
        (x, weight): (&K::Buffer, &Option<K::Buffer>),
        is_read: bool,
    ) -> Option<K::Buffer> {
        let weight = weight.as_ref().filter(|_| is_read)?;
        Some(self.norm(kernels, rows, x, weight).0)
    }

    /// Adds to `dx` the gradient before a norm, or where there is none, `dy` itself.
    fn norm_backward(
        &self,
        kernels: &K,
        rows: usize,
        (x, weight, r): (&K::Buffer, &Option<K::Buffer>, &Option<K::Buffer>),
        dy: &K::Buffer,
        dx: &mut K::Buffer,
    ) {
        match (weight, r) {
            (Some(weight), Some(r)) => kernels.rms_norm_backward(self.norm_shape(rows), (x, weight, r), dy, dx),
            _ => kernels.add(dy, dx),
        }
    }

    fn post_norm(
        &self,
        kernels: &K,
        rows: usize,
        weight: &Option<K::Buffer>,
        x: K::Buffer,
    ) -> (K::Buffer, Option<PostNormSaved<K>>) {
        let Some(weight) = weight else { return (x, None) };
        let (y, r) = self.norm(kernels, rows, &x, weight);
        (y, Some(PostNormSaved { input: x, r }))
    }

    /// The gradient before a post-norm; `None` where there is no norm and `dy` itself is meant.
    fn post_norm_backward(
        &self,
        kernels: &K,
        rows: usize,
        weight: &Option<K::Buffer>,
        saved: &Option<PostNormSaved<K>>,
        dy: &K::Buffer,
    ) -> Option<K::Buffer> {
        let (weight, saved) = (weight.as_ref()?, saved.as_ref()?);
        let mut dx = kernels.zeros(rows * self.hidden_size);
        kernels.rms_norm_backward(self.norm_shape(rows), (&saved.input, weight, &saved.r), dy, &mut dx);
        Some(dx)
    }

    /// Residual stream in, `[N, D]`, and out, `[M, D]`: on the `kept` rows, or on all. For the cache, see [`Attention::forward`].
    pub(crate) fn forward(
        &self,
        pass: &Pass<K>,
        adapter: &LayerAdapter<K>,
        x: K::Buffer,
        kept: Option<&KeptRows<K>>,
        cache: Option<&mut KeyValueCache<K>>,
    ) -> (K::Buffer, BlockActivations<K>) {
        let kernels = pass.kernels;
        let (normed, attention_r) = self.attention_norm.as_ref().map(|weight| self.norm(kernels, pass.rows, &x, weight)).unzip();
        let (y, attention) = self.attention.forward(pass, adapter, normed.as_ref().unwrap_or(&x), kept, cache);
        let attention_normed = normed.filter(|_| kernels.keeps_norms() && Attention::reads_input(adapter));
        let rows = kept.map_or(pass.rows, |kept| kept.count);
        let (mut middle, attention_post) = self.post_norm(kernels, rows, &self.attention_post_norm, y);
        let gathered = kept.map(|kept| {
            let mut residual = kernels.uninitialized(rows * self.hidden_size);
            kernels.gather_rows(self.hidden_size, &kept.indices, &x, &mut residual);
            residual
        });
        let residual = gathered.as_ref().unwrap_or(&x);
        let (normed, mlp_r) = match &self.mlp_norm {
            Some(weight) => {
                let (mut normed, mut r) = (kernels.uninitialized(rows * self.hidden_size), kernels.uninitialized(rows));
                kernels.add_rms_norm(self.norm_shape(rows), (residual, weight), &mut middle, (&mut normed, &mut r));
                (Some(normed), Some(r))
            }
            None => {
                kernels.add(residual, &mut middle);
                (None, None)
            }
        };
        let (y, mlp) = self.mlp.forward(pass, adapter, rows, normed.as_ref().unwrap_or(&middle));
        let (mut out, mlp_post) = self.post_norm(kernels, rows, &self.mlp_post_norm, y);
        kernels.add(&middle, &mut out);
        (
            out,
            BlockActivations { input: x, attention_r, attention_normed, attention, attention_post, middle, mlp_r, mlp, mlp_post },
        )
    }

    /// From the gradient of the residual stream behind the block, `[M, D]`, to that before it, `[N, D]`; `None` where `wants_input` is false.
    pub(crate) fn backward(
        &self,
        pass: &Pass<K>,
        adapter: &mut LayerAdapter<K>,
        saved: &BlockActivations<K>,
        mut dx: K::Buffer,
        (kept, wants_input): (Option<&KeptRows<K>>, bool),
    ) -> Option<K::Buffer> {
        let kernels = pass.kernels;
        let rows = kept.map_or(pass.rows, |kept| kept.count);
        let normed = self.normed_again(kernels, rows, (&saved.middle, &self.mlp_norm), Mlp::reads_input(adapter));
        let d_mlp = self.post_norm_backward(kernels, rows, &self.mlp_post_norm, &saved.mlp_post, &dx);
        let normed = normed.as_ref().unwrap_or(&saved.middle);
        let d_normed = self.mlp.backward((kernels, rows), adapter, (normed, &saved.mlp), d_mlp.as_ref().unwrap_or(&dx));
        self.norm_backward(kernels, rows, (&saved.middle, &self.mlp_norm, &saved.mlp_r), &d_normed, &mut dx);
        let input = (&saved.input, &self.attention_norm);
        let again = Attention::reads_input(adapter) && saved.attention_normed.is_none();
        let computed = self.normed_again(kernels, pass.rows, input, again);
        let normed = saved.attention_normed.as_ref().or(computed.as_ref()).unwrap_or(&saved.input);
        let d_attention = self.post_norm_backward(kernels, rows, &self.attention_post_norm, &saved.attention_post, &dx);
        let dy = d_attention.as_ref().unwrap_or(&dx);
        let d_normed = self.attention.backward(pass, adapter, (normed, &saved.attention), dy, (kept, wants_input))?;
        if let Some(kept) = kept {
            let mut all = kernels.zeros(pass.rows * self.hidden_size);
            kernels.scatter_add_rows(self.hidden_size, &kept.indices, &dx, &mut all);
            dx = all;
        }
        let norm = (&saved.input, &self.attention_norm, &saved.attention_r);
        self.norm_backward(kernels, pass.rows, norm, &d_normed, &mut dx);
        Some(dx)
    }
}
