//! An adapter on a device: the factors of each adapted projection, and in training their gradients and moments.

use crate::config::BackboneConfig;
use crate::error::ModelError;
use crate::lora::{Adapter, AdapterError, AdapterTensor, LABEL_ROWS_KEY, LoraConfig, Target, tensor_key};
use lincah_kernels::{DiagonalBlocks, Kernels, LinearShape};
use std::collections::BTreeMap;

/// One trained array with its gradient and Adam's two moments.
pub(crate) struct Parameter<K: Kernels> {
    pub(crate) shape: [usize; 2],
    pub(crate) value: K::Buffer,
    pub(crate) training: Option<ParameterTraining<K>>,
}

/// What a parameter needs in training only.
pub(crate) struct ParameterTraining<K: Kernels> {
    pub(crate) gradient: K::Buffer,
    pub(crate) first_moment: K::Buffer,
    pub(crate) second_moment: K::Buffer,
}

impl<K: Kernels> Parameter<K> {
    fn new(kernels: &K, tensor: &AdapterTensor) -> Self {
        Self { shape: tensor.shape, value: kernels.upload(&tensor.values), training: None }
    }

    fn begin_training(&mut self, kernels: &K) {
        let length = self.shape[0] * self.shape[1];
        let zeros = || kernels.zeros(length);
        self.training = Some(ParameterTraining { gradient: zeros(), first_moment: zeros(), second_moment: zeros() });
    }

    fn linear_shape(&self, rows: usize) -> LinearShape {
        LinearShape { rows, inputs: self.shape[1], outputs: self.shape[0] }
    }

    /// Its products with `rows` rows of x. # Shapes: x `[rows, D]`, the parameter `[L, D]`, result `[rows, L]`.
    pub(crate) fn scores(&self, kernels: &K, rows: usize, x: &K::Buffer) -> K::Buffer {
        let mut scores = kernels.uninitialized(rows * self.shape[0]);
        kernels.trained_linear(self.linear_shape(rows), x, &self.value, &mut scores);
        scores
    }

    /// Adds to the parameter's gradient and to x's.
    pub(crate) fn scores_backward(&mut self, kernels: &K, rows: usize, x: &K::Buffer, dy: &K::Buffer, dx: &mut K::Buffer) {
        let shape = self.linear_shape(rows);
        let (value, gradient) = self.gradient();
        kernels.trained_linear_backward(shape, (x, value), dy, (dx, gradient));
    }

    pub(crate) fn gradient(&mut self) -> (&K::Buffer, &mut K::Buffer) {
        let training = self.training.as_mut().expect("gradients are asked for in training only");
        (&self.value, &mut training.gradient)
    }
}

/// The two factors of a LoRA.
pub(crate) struct Lora<K: Kernels> {
    pub(crate) a: Parameter<K>,
    pub(crate) b: Parameter<K>,
    pub(crate) scale: f32,
    pub(crate) dropout: f32,
    /// Blocks of B that are one array, where heads share it.
    pub(crate) tied: Option<DiagonalBlocks>,
}

/// The LoRA of one layer's projections, in the order of [`Target::ALL`].
pub(crate) struct LayerAdapter<K: Kernels> {
    pub(crate) projections: [Option<Lora<K>>; 7],
}

impl<K: Kernels> LayerAdapter<K> {
    /// Of a layer that is not adapted.
    fn none() -> Self {
        Self { projections: [const { None }; 7] }
    }

    pub(crate) fn of(&self, target: Target) -> Option<&Lora<K>> {
        self.projections[target as usize].as_ref()
    }

    pub(crate) fn adapts(&self, targets: &[Target]) -> bool {
        targets.iter().any(|&target| self.of(target).is_some())
    }
}

/// An adapter on a device, or none: then every layer's is empty.
pub(crate) struct DeviceAdapter<K: Kernels> {
    config: Option<LoraConfig>,
    pub(crate) layers: Vec<LayerAdapter<K>>,
    /// Scores of labels, `[L, D]`, in place of the frozen head.
    pub(crate) label_rows: Option<Parameter<K>>,
}

/// A projection and its two factors' keys and shapes.
pub(crate) struct AdaptedProjection {
    pub(crate) layer: usize,
    pub(crate) target: Target,
    /// That share its B.
    pub(crate) heads: usize,
    pub(crate) keys: [String; 2],
    pub(crate) shapes: [[usize; 2]; 2],
}

/// Every projection that `config` adapts, with PEFT's keys and shapes of its two factors.
pub(crate) fn adapted_projections(config: &LoraConfig, model: &BackboneConfig) -> Vec<AdaptedProjection> {
    let rank = config.whole_rank(model);
    let layers = (0..model.layers.len()).filter(|&layer| config.adapts(layer));
    let targets =
        |layer| Target::ALL.into_iter().filter(|target| config.targets.contains(target)).map(move |target| (layer, target));
    let describe = |(layer, target): (usize, Target)| {
        let [outputs, inputs] = model.projection_shape(target);
        let keys = [tensor_key(layer, target, 'A'), tensor_key(layer, target, 'B')];
        AdaptedProjection { layer, target, heads: config.heads(target, model), keys, shapes: [[rank, inputs], [outputs, rank]] }
    };
    layers.flat_map(targets).map(describe).collect()
}

impl<K: Kernels> DeviceAdapter<K> {
    /// No adapter: the frozen model alone.
    pub(crate) fn none(layers: usize) -> Self {
        Self { config: None, layers: (0..layers).map(|_| LayerAdapter::none()).collect(), label_rows: None }
    }

    /// Takes an adapter to the device.
    ///
    /// # Errors
    /// One whose arrays are not those that its configuration and the model ask for.
    pub(crate) fn new(kernels: &K, adapter: &Adapter, model: &BackboneConfig) -> Result<Self, ModelError> {
        adapter.config.check_values(model.layers.len())?;
        let adapter = adapter.split(model)?;
        let adapted = adapted_projections(&adapter.config, model);
        let expected: BTreeMap<&String, [usize; 2]> = adapted.iter().flat_map(|p| p.keys.iter().zip(p.shapes)).collect();
        let rows = adapter.label_rows();
        if let Some(key) = adapter.tensors.keys().find(|key| !expected.contains_key(key) && *key != LABEL_ROWS_KEY) {
            return Err(AdapterError::Mismatch { problem: "has an unexpected", key: key.clone() }.into());
        }
        for (&key, &expected) in &expected {
            let tensor = adapter.tensors.get(key).ok_or_else(|| AdapterError::Mismatch { problem: "lacks", key: key.clone() })?;
            if tensor.shape != expected {
                return Err(AdapterError::Shape { key: key.clone(), found: tensor.shape, expected }.into());
            }
        }
        if let Some(rows) = rows.filter(|rows| rows.shape[0] < 2 || rows.shape[1] != model.hidden_size) {
            let expected = [rows.shape[0].max(2), model.hidden_size];
            return Err(AdapterError::Shape { key: LABEL_ROWS_KEY.to_owned(), found: rows.shape, expected }.into());
        }
        let mut device = Self {
            config: Some(adapter.config.clone()),
            label_rows: rows.map(|rows| Parameter::new(kernels, rows)),
            ..Self::none(model.layers.len())
        };
        for AdaptedProjection { layer, target, heads, keys, shapes } in &adapted {
            let [a, b] = keys.each_ref().map(|key| Parameter::new(kernels, &adapter.tensors[key]));
            let [outputs, width] = shapes[1];
            let blocks = DiagonalBlocks { count: *heads, rows: outputs / heads, columns: adapter.config.rank, width };
            device.layers[*layer].projections[*target as usize] = Some(Lora {
                a,
                b,
                scale: adapter.config.scale(),
                dropout: adapter.config.dropout as f32,
                tied: (*heads > 1).then_some(blocks),
            });
        }
        Ok(device)
    }

    /// Gives every array a gradient and fresh optimizer moments.
    pub(crate) fn begin_training(&mut self, kernels: &K) {
        self.for_each_parameter_mut(|_, parameter| parameter.begin_training(kernels));
    }

    /// The adapter as it stands; `None` where there is none.
    pub(crate) fn download(&self, kernels: &K) -> Option<Adapter> {
        let mut tensors = BTreeMap::new();
        self.for_each_parameter(|key, parameter| {
            tensors.insert(key, AdapterTensor { shape: parameter.shape, values: kernels.download(&parameter.value) });
        });
        Some(Adapter { config: self.config.clone()?, tensors })
    }

    /// The lowest adapted layer.
    pub(crate) fn lowest_layer(&self) -> Option<usize> {
        self.layers.iter().position(|layer| layer.adapts(&Target::ALL))
    }

    /// Calls `visit` with each array and its PEFT key, always in the same order.
    pub(crate) fn for_each_parameter<'a>(&'a self, mut visit: impl FnMut(String, &'a Parameter<K>)) {
        for (layer, adapter) in self.layers.iter().enumerate() {
            for (target, lora) in Target::ALL.into_iter().zip(&adapter.projections) {
                if let Some(lora) = lora {
                    visit(tensor_key(layer, target, 'A'), &lora.a);
                    visit(tensor_key(layer, target, 'B'), &lora.b);
                }
            }
        }
        if let Some(rows) = &self.label_rows {
            visit(LABEL_ROWS_KEY.to_owned(), rows);
        }
    }

    /// The same, to be changed.
    pub(crate) fn for_each_parameter_mut<'a>(&'a mut self, mut visit: impl FnMut(String, &'a mut Parameter<K>)) {
        for (layer, adapter) in self.layers.iter_mut().enumerate() {
            for (target, lora) in Target::ALL.into_iter().zip(&mut adapter.projections) {
                if let Some(lora) = lora {
                    visit(tensor_key(layer, target, 'A'), &mut lora.a);
                    visit(tensor_key(layer, target, 'B'), &mut lora.b);
                }
            }
        }
        if let Some(rows) = &mut self.label_rows {
            visit(LABEL_ROWS_KEY.to_owned(), rows);
        }
    }
}
