//! The codelab's own stack, KerasHub, on a tiny Gemma (`tools/golden/keras_codelab.py`): ten losses of its training, and the LoRA kernels
//! and logits that it ends with.

use lincah_kernels::{Cpu, CudaPrecision, Kernels, cuda, reference::Reference};
use lincah_model::lora::AdapterTensor;
use lincah_model::weights::ModelFiles;
use lincah_model::{
    Adapter, Backbone, LoraConfig, LoraLayout, Loss, Objective, Optimizer, Target, Targets, TokenBatch, Training,
};
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const BATCH: usize = 2;
const LENGTH: usize = 12;
/// Keras computes in f32 itself.
const TOLERANCE: f32 = 2e-5;

struct Golden {
    arrays: BTreeMap<String, AdapterTensor>,
    sequences: Vec<Vec<u32>>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/keras")
}

fn config() -> LoraConfig {
    let targets = vec![Target::Query, Target::Value];
    LoraConfig { rank: 4, alpha: 4.0, dropout: 0.0, targets, layers: None, rank_stabilized: false, layout: LoraLayout::PerHead }
}

impl Golden {
    fn read() -> Self {
        let bytes = std::fs::read(folder().join("golden.safetensors")).unwrap();
        let (mut arrays, mut integers) = (BTreeMap::new(), BTreeMap::new());
        for (name, view) in SafeTensors::deserialize(&bytes).unwrap().iter() {
            let words = view.data().chunks_exact(4).map(|b| [b[0], b[1], b[2], b[3]]);
            if view.dtype() == Dtype::F32 {
                let shape = [view.shape()[0], view.shape().get(1).copied().unwrap_or(1)];
                arrays.insert(name.to_string(), AdapterTensor { shape, values: words.map(f32::from_le_bytes).collect() });
            } else {
                integers.insert(name.to_string(), words.map(u32::from_le_bytes).collect::<Vec<_>>());
            }
        }
        let mut tokens = integers["tokens"].iter().copied();
        let sequences = integers["lengths"].iter().map(|&length| tokens.by_ref().take(length as usize).collect()).collect();
        Self { arrays, sequences }
    }

    fn adapter(&self, moment: &str) -> Adapter {
        let prefix = format!("{moment}.");
        let tensors =
            self.arrays.iter().filter_map(|(key, tensor)| Some((key.strip_prefix(&prefix)?.to_string(), tensor.clone())));
        Adapter { config: config(), tensors: tensors.collect() }
    }
}

fn model<K: Kernels>(kernels: K) -> Arc<Backbone<K>> {
    Arc::new(Backbone::load(kernels, Arc::new(ModelFiles::open(&folder()).unwrap())).unwrap())
}

fn close(name: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let worst =
        found.iter().zip(expected).map(|(a, b)| if a.is_finite() { (a - b).abs() } else { f32::INFINITY }).fold(0.0, f32::max);
    assert!(worst <= tolerance, "{name} differs by {worst:e}");
}

fn ten_steps_of_the_codelab<K: Kernels>(kernels: K) {
    let golden = Golden::read();
    let model = model(kernels);
    let mut training = model.train_adapter(&golden.adapter("initial")).unwrap();
    let objective = Objective { loss: Loss::AllTokens, candidates: &[] };
    let weights = [1.0 / (BATCH * LENGTH) as f32; BATCH];
    let optimizer = Optimizer { epsilon_before_correction: true, ..Optimizer::default() };
    let mut losses = Vec::new();
    for batch in golden.sequences.chunks(BATCH) {
        let (inputs, last): (Vec<&[u32]>, Vec<u32>) =
            batch.iter().map(|sequence| (&sequence[..sequence.len() - 1], sequence[sequence.len() - 1])).unzip();
        let targets = Targets { texts: &[0, 1], tokens: &last, weights: &weights };
        losses.push(training.accumulate_gradients(&TokenBatch::new(&inputs), &targets, objective, 0).unwrap() as f32);
        training.apply_gradients(&optimizer, 5e-4);
    }
    close("losses", &losses, &golden.arrays["losses"].values, TOLERANCE);
    let (initial, trained) = (golden.adapter("initial"), golden.adapter("trained"));
    for (key, tensor) in training.adapter().tensors {
        close(&key, &tensor.values, &trained.tensors[&key].values, TOLERANCE);
        let moved = tensor.values.iter().zip(&initial.tensors[&key].values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(moved > 100.0 * TOLERANCE, "{key} moved by {moved:e} only, which proves nothing");
    }
    let texts: Vec<&[u32]> = golden.sequences[..BATCH].iter().map(|sequence| &sequence[..sequence.len().min(LENGTH)]).collect();
    let scorer = model.scorer(Some(&training.adapter())).unwrap();
    let logits = scorer.all_logits(&TokenBatch::without_prefix(&texts)).unwrap();
    close("logits after", &logits, &golden.arrays["logits_after"].values, 10.0 * TOLERANCE);
}

#[test]
fn ten_steps_of_the_codelab_on_the_cpu() {
    ten_steps_of_the_codelab(Cpu);
}

#[test]
fn ten_steps_of_the_codelab_on_the_reference() {
    ten_steps_of_the_codelab(Reference::<f32>::new());
}

#[test]
#[ignore = "needs an NVIDIA GPU and the feature cuda"]
fn ten_steps_of_the_codelab_on_cuda() {
    ten_steps_of_the_codelab(cuda(0, Some(CudaPrecision::F32)).expect("a GPU"));
}

#[test]
fn the_whole_form_without_the_layout_gives_the_same_logits() {
    let golden = Golden::read();
    let saved = tempfile::tempdir().unwrap();
    golden.adapter("trained").write(saved.path(), "tiny").unwrap();
    let model = model(Cpu).scorer(Some(&Adapter::read(saved.path()).unwrap())).unwrap();
    let texts: Vec<&[u32]> = golden.sequences[..BATCH].iter().map(|sequence| &sequence[..sequence.len().min(LENGTH)]).collect();
    let logits = model.all_logits(&TokenBatch::without_prefix(&texts)).unwrap();
    close("logits", &logits, &golden.arrays["logits_after"].values, 10.0 * TOLERANCE);
}

#[test]
fn a_fresh_adapter_is_drawn_as_he_uniform_over_all_heads() {
    let tensors = model(Cpu).begin_training(&config(), 3).unwrap().adapter().tensors;
    let golden = Golden::read();
    for (place, target, heads, bound) in [(0, "q_proj", 4, (6.0f32 / 64.0).sqrt()), (1, "v_proj", 2, (6.0f32 / 32.0).sqrt())] {
        let a = &tensors[&format!("base_model.model.model.layers.1.self_attn.{target}.lora_A.weight")];
        let (drawn, padding) = a.values.split_at(heads * 4 * 16);
        let largest = |values: &[f32]| values.iter().fold(0.0f32, |most, value| most.max(value.abs()));
        assert_eq!((a.shape, largest(padding)), ([16, 16], 0.0));
        assert!((0.9 * bound..=bound).contains(&largest(drawn)), "{target}: {}", largest(drawn));
        assert!((0.9 * bound..=bound).contains(&golden.arrays["largest_initial_a"].values[place]), "Keras draws from there too");
    }
}
