//! A Hugging Face folder: config.json and model.safetensors.

use super::safetensors_file::{self, Tensor};
use super::{ExportError, NumberType, config_json, factors};
use crate::config::BackboneConfig;
use crate::lora::{Adapter, AdapterTensor, FUSED, Fused, Target};
use crate::new_file::write_atomically;
use crate::weights::ModelFiles;
use std::borrow::Cow;
use std::path::Path;

/// A head that scores labels in place of tokens, without a bias.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelHead {
    /// Where its rows come from.
    pub rows: HeadRows,
    /// The labels' names.
    pub names: Vec<String>,
    /// Whether any number of the labels may hold, each with the sigmoid of its own logit.
    pub independent: bool,
}

/// Rows of a head, one per label.
#[derive(Debug, Clone, PartialEq)]
pub enum HeadRows {
    /// The token head's rows of these tokens, whose logits are the same.
    Tokens(Vec<u32>),
    /// The rows themselves. # Shapes: `[L, D]`.
    Own(AdapterTensor),
}

/// What a Hugging Face checkpoint is made of.
#[derive(Debug)]
pub struct Checkpoint<'a> {
    /// The base model, whose quantized weights are written as the numbers that they stand for.
    pub files: &'a ModelFiles,
    /// An adapter that is merged into the weights: `W + scale · B · A`, computed in f32 and rounded once.
    pub adapter: Option<&'a Adapter>,
    /// A head of labels in place of the one of tokens.
    pub head: Option<LabelHead>,
    /// How the numbers are stored.
    pub number_type: NumberType,
    /// Ids of begin and end of text and of what fills batches, as far as there are.
    pub special: [Option<u32>; 3],
}

impl Checkpoint<'_> {
    /// Writes `config.json` and `model.safetensors` into a folder.
    ///
    /// # Errors
    /// A model that transformers has no such form of, numbers that the type cannot hold, a folder that cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), ExportError> {
        let config = self.files.config();
        let json = config_json::of(self)?;
        let adapter = self.adapter.map(|adapter| adapter.split(config)).transpose()?;
        let adapter = adapter.as_ref().map(Cow::as_ref);
        let mut tensors: Vec<Tensor> = Vec::new();
        for (name, shape) in config.tensors() {
            if self.head.is_some() && name == "lm_head.weight" {
                continue;
            }
            let numbers = {
                let (name, shape) = (name.clone(), shape.clone());
                Box::new(move || self.numbers(adapter, &name, &shape))
            };
            tensors.push(Tensor { name, shape, numbers });
        }
        if let Some(head) = &self.head {
            let width = config.hidden_size;
            let numbers = move || match &head.rows {
                HeadRows::Own(rows) => Ok(rows.values.clone()),
                HeadRows::Tokens(tokens) => {
                    let mut numbers = self.files.weights().read_rows(config.head_name(), tokens, width)?;
                    numbers.iter_mut().for_each(|number| *number *= config.logit_scale);
                    Ok(numbers)
                }
            };
            let shape = vec![head.names.len(), width];
            tensors.push(Tensor { name: String::from("score.weight"), shape, numbers: Box::new(numbers) });
        }
        if config.fused_projections {
            tensors = fused(config, tensors);
        }
        safetensors_file::write(&folder.join("model.safetensors"), &tensors, self.number_type)?;
        let path = folder.join("config.json");
        let mut text = serde_json::to_string_pretty(&json).expect("a JSON value serializes");
        text.push('\n');
        write_atomically(&path, text.as_bytes()).map_err(ExportError::file(&path))
    }

    /// A tensor as a checkpoint of the Hub has it, with what the adapter adds.
    fn numbers(&self, adapter: Option<&Adapter>, name: &str, shape: &[usize]) -> Result<Vec<f32>, ExportError> {
        let config = self.files.config();
        let mut numbers = self.files.weights().read(name, shape)?;
        if config.family.is_gemma() && self.files.gguf().is_some() && name.ends_with("norm.weight") {
            // GGUF files of these families hold the sum with the 1 that Hugging Face adds at run time.
            numbers.iter_mut().for_each(|number| *number -= 1.0);
        }
        if let Some((adapter, (layer, target))) = adapter.zip(projection(name))
            && let Some(factors) = factors(adapter, layer, target)
        {
            factors.add_to(adapter.scale(), &mut numbers);
        }
        Ok(numbers)
    }
}

/// The layer and projection that a weight is of.
fn projection(name: &str) -> Option<(usize, Target)> {
    let (layer, module) = name.strip_prefix("model.layers.")?.strip_suffix(".weight")?.split_once('.')?;
    let target = Target::ALL.into_iter().find(|target| target.module() == module)?;
    Some((layer.parse().ok()?, target))
}

/// The tensors with those together that the family's files keep in one.
fn fused<'a>(config: &BackboneConfig, tensors: Vec<Tensor<'a>>) -> Vec<Tensor<'a>> {
    let mut all = Vec::new();
    let mut parts: Vec<(usize, &Fused, Tensor<'a>)> = Vec::new();
    for tensor in tensors {
        let fused = projection(&tensor.name)
            .and_then(|(layer, target)| Some((layer, FUSED.iter().find(|fused| fused.targets.contains(&target))?)));
        match fused {
            Some((layer, fused)) => parts.push((layer, fused, tensor)),
            None => all.push(tensor),
        }
    }
    while let Some(&(layer, fused, _)) = parts.first() {
        let (of, rest): (Vec<_>, Vec<_>) =
            parts.into_iter().partition(|(other, module, _)| *other == layer && module.module == fused.module);
        parts = rest;
        let rows = of.iter().map(|(_, _, tensor)| tensor.shape[0]).sum();
        let numbers = move || {
            let each = of.iter().map(|(_, _, tensor)| (tensor.numbers)());
            Ok(each.collect::<Result<Vec<_>, ExportError>>()?.concat())
        };
        all.push(Tensor {
            name: format!("model.layers.{layer}.{}.weight", fused.module),
            shape: vec![rows, config.hidden_size],
            numbers: Box::new(numbers),
        });
    }
    all
}
