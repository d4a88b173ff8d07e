//! An adapter as mlx-lm reads it: `adapters.safetensors` and `adapter_config.json`.

use super::safetensors_file::{self, Tensor};
use super::{ExportError, NumberType, adapted};
use crate::config::BackboneConfig;
use crate::lora::{Adapter, Target};
use crate::new_file::write_atomically;
use serde_json::json;
use std::path::Path;

/// Writes an adapter into a folder. Every projection that is adapted in some layer is there in all layers from the first adapted one on, as
/// mlx-lm asks for; what a layer lacks adds nothing. # Shapes: lora_a `[I, R]`, lora_b `[R, O]`.
///
/// # Errors
/// Projections that the model's files keep in one, a folder that cannot be written.
pub fn write_mlx_adapter(adapter: &Adapter, config: &BackboneConfig, folder: &Path) -> Result<(), ExportError> {
    if config.fused_projections {
        return Err(ExportError::form("its projections are one matrix in mlx-lm's model; export it merged"));
    }
    let rank = adapter.rank();
    let mut tensors = Vec::new();
    let mut targets: Vec<Target> = Vec::new();
    let first = adapted(adapter, config).map(|(layer, ..)| layer).min().unwrap_or(0);
    for (_, target, _) in adapted(adapter, config) {
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    for layer in first..config.layer_count() {
        for &target in &targets {
            let [outputs, inputs] = config.projection_shape(target);
            let factors = super::factors(adapter, layer, target);
            let (a, b) = factors.map_or((vec![0.0; rank * inputs], vec![0.0; outputs * rank]), |factors| {
                (factors.a.to_vec(), factors.b.to_vec())
            });
            for (name, shape, values) in [("lora_a", [rank, inputs], a), ("lora_b", [outputs, rank], b)] {
                tensors.push(Tensor {
                    name: format!("model.layers.{layer}.{}.{name}", target.module()),
                    shape: vec![shape[1], shape[0]],
                    numbers: Box::new(move || Ok(transposed(&values, shape))),
                });
            }
        }
    }
    safetensors_file::write(&folder.join("adapters.safetensors"), &tensors, NumberType::F32)?;
    let path = folder.join("adapter_config.json");
    let config = json!({
        "fine_tune_type": "lora",
        "num_layers": config.layer_count() - first,
        "lora_parameters": {
            "rank": rank, "scale": adapter.scale(), "dropout": 0.0,
            "keys": targets.iter().map(|target| target.module()).collect::<Vec<_>>(),
        },
    });
    let text = serde_json::to_string_pretty(&config).expect("a JSON value serializes") + "\n";
    write_atomically(&path, text.as_bytes()).map_err(ExportError::file(&path))
}

fn transposed(values: &[f32], [rows, columns]: [usize; 2]) -> Vec<f32> {
    (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column])).collect()
}
