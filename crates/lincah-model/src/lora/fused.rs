//! Projections that a model's files keep as one matrix (Phi 3): lincah computes them one by one, each with a LoRA of its own.

use super::{Adapter, AdapterError, AdapterTensor, Target, tensor_key};
use crate::config::BackboneConfig;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A module of a layer, and the projections whose rows it holds, from top to bottom.
pub(crate) struct Fused {
    pub(crate) module: &'static str,
    pub(crate) targets: &'static [Target],
}

/// Phi 3's two.
pub(crate) const FUSED: [Fused; 2] = [
    Fused { module: "self_attn.qkv_proj", targets: &[Target::Query, Target::Key, Target::Value] },
    Fused { module: "mlp.gate_up_proj", targets: &[Target::Gate, Target::Up] },
];

impl Fused {
    /// PEFT's name, such as `qkv_proj`.
    pub(crate) fn name(&self) -> &'static str {
        self.module.rsplit('.').next().unwrap_or(self.module)
    }

    /// Rows of each projection.
    pub(crate) fn rows(&self, model: &BackboneConfig) -> Vec<usize> {
        self.targets.iter().map(|&target| model.projection_shape(target)[0]).collect()
    }

    pub(super) fn key(&self, layer: usize, factor: char) -> String {
        format!("base_model.model.model.layers.{layer}.{}.lora_{factor}.weight", self.module)
    }
}

impl Adapter {
    /// The adapter with a pair of factors for each projection: of a fused module's pair `(A, B)`, each projection gets A and its rows of B.
    ///
    /// # Errors
    /// A B with another number of rows than the module.
    pub(crate) fn split(&self, model: &BackboneConfig) -> Result<Cow<'_, Self>, AdapterError> {
        let is_fused = |key: &String| FUSED.iter().any(|fused| key.contains(&format!(".{}.", fused.module)));
        if !model.fused_projections || !self.tensors.keys().any(is_fused) {
            return Ok(Cow::Borrowed(self));
        }
        let mut tensors: BTreeMap<String, AdapterTensor> =
            self.tensors.iter().filter(|(key, _)| !is_fused(key)).map(|(key, tensor)| (key.clone(), tensor.clone())).collect();
        for (layer, fused) in (0..model.layer_count()).flat_map(|layer| FUSED.iter().map(move |fused| (layer, fused))) {
            let Some(a) = self.tensors.get(&fused.key(layer, 'A')) else { continue };
            let key = fused.key(layer, 'B');
            let b = self.tensors.get(&key).ok_or_else(|| AdapterError::Mismatch { problem: "lacks", key: key.clone() })?;
            let rows = fused.rows(model);
            let expected = [rows.iter().sum(), a.shape[0]];
            if b.shape != expected {
                return Err(AdapterError::Shape { key, found: b.shape, expected });
            }
            let mut below = b.values.as_slice();
            for (&target, rows) in fused.targets.iter().zip(rows) {
                let (values, rest) = below.split_at(rows * b.shape[1]);
                let b = AdapterTensor { shape: [rows, b.shape[1]], values: values.to_vec() };
                tensors.extend([(tensor_key(layer, target, 'A'), a.clone()), (tensor_key(layer, target, 'B'), b)]);
                below = rest;
            }
        }
        Ok(Cow::Owned(Self { config: self.config.clone(), tensors }))
    }
}
