//! The golden models of `tools/golden/models.py`.
#![allow(dead_code, reason = "each test file uses a part")]

pub mod rounded;

use lincah_kernels::{Cpu, Kernels};
use lincah_model::weights::ModelFiles;
use lincah_model::{Adapter, Backbone, Loss, Scorer, Target, TokenBatch, Training};
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub const FAMILIES: [&str; 12] =
    ["gemma", "gemma2", "gemma3", "granite", "llama", "llama_bias", "mistral", "olmo2", "phi3", "qwen2", "qwen3", "smollm3"];

/// What PEFT adapts as one module in Phi 3, and the projections that lincah adapts one by one.
pub const FUSED: [(&str, &[&str]); 2] =
    [(".qkv_proj.", &[".q_proj.", ".k_proj.", ".v_proj."]), (".gate_up_proj.", &[".gate_proj.", ".up_proj."])];

/// 0 to `count - 1`.
pub fn numbers(count: usize) -> Vec<usize> {
    (0..count).collect()
}

/// With an even weight for each text, or for each row.
pub const LOSSES: [(Loss, &str); 3] =
    [(Loss::Label, "label"), (Loss::RestrictedLabel, "restricted"), (Loss::AllTokens, "all_tokens")];

/// A golden model's folder and what is in its file.
pub struct Golden {
    pub folder: PathBuf,
    pub arrays: BTreeMap<String, Vec<f32>>,
    pub integers: BTreeMap<String, Vec<u32>>,
}

impl Golden {
    pub fn read(family: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(family);
        let bytes = std::fs::read(folder.join("golden.safetensors")).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let (mut arrays, mut integers) = (BTreeMap::new(), BTreeMap::new());
        for (name, view) in file.iter() {
            let words = view.data().chunks_exact(4).map(|b| [b[0], b[1], b[2], b[3]]);
            match view.dtype() {
                safetensors::Dtype::F32 => drop(arrays.insert(name.to_string(), words.map(f32::from_le_bytes).collect())),
                safetensors::Dtype::I32 => drop(integers.insert(name.to_string(), words.map(u32::from_le_bytes).collect())),
                other => panic!("{name} is {other:?}"),
            }
        }
        Self { folder, arrays, integers }
    }

    pub fn model<K: Kernels>(&self, kernels: K) -> Arc<Backbone<K>> {
        Arc::new(Backbone::load(kernels, Arc::new(ModelFiles::open(&self.folder).unwrap())).unwrap())
    }

    pub fn adapter(&self) -> Adapter {
        Adapter::read(&self.folder.join("adapter")).unwrap()
    }

    /// The whole adapter, and what of it adapts query and value, so that the MLP is frozen.
    pub fn adapters(&self) -> [Adapter; 2] {
        let whole = self.model(Cpu).train_adapter(&self.adapter()).unwrap().adapter();
        let mut attention = whole.clone();
        attention.config.targets = vec![Target::Query, Target::Value];
        attention.tensors.retain(|key, _| key.contains(".q_proj.") || key.contains(".v_proj."));
        [whole, attention]
    }

    /// Gradients by the keys of the golden adapter: of a fused module, A's is the sum over its projections, and B's are theirs below one another.
    pub fn by_golden_key(&self, gradients: &BTreeMap<String, Vec<f32>>) -> BTreeMap<String, Vec<f32>> {
        let joined = |key: String| {
            let parts = FUSED.iter().find(|(module, _)| key.contains(module));
            let parts = parts.map_or_else(
                || vec![&gradients[&key]],
                |(module, parts)| parts.iter().map(|part| &gradients[&key.replace(module, part)]).collect(),
            );
            let gradient = if key.contains("lora_A") {
                (0..parts[0].len()).map(|index| parts.iter().map(|part| part[index]).sum()).collect()
            } else {
                parts.into_iter().flatten().copied().collect()
            };
            (key, gradient)
        };
        self.adapter().tensors.into_keys().map(joined).collect()
    }

    pub fn texts(&self) -> Vec<&[u32]> {
        let mut rest = self.integers["tokens"].as_slice();
        let mut texts = Vec::new();
        for &length in &self.integers["lengths"] {
            let (text, after) = rest.split_at(length as usize);
            texts.push(text);
            rest = after;
        }
        texts
    }

    /// [`close`] to one of the golden arrays.
    pub fn close(&self, name: &str, found: &[f32], tolerance: f32) {
        close(&format!("{name} in {}", self.folder.display()), &self.arrays[name], found, tolerance);
    }
}

/// Fails where a number differs by more than `tolerance`, relative to the array's largest.
pub fn close(name: &str, expected: &[f32], found: &[f32], tolerance: f32) {
    assert_eq!(expected.len(), found.len(), "{name} has another length");
    let largest = expected.iter().fold(0.0f32, |most, v| most.max(v.abs()));
    let difference = |(a, b): (&f32, &f32)| if b.is_finite() { (a - b).abs() } else { f32::INFINITY };
    let worst = expected.iter().zip(found).map(difference).fold(0.0, f32::max);
    assert!(worst <= tolerance * largest, "{name} differs by {worst:e} where the largest is {largest:e}");
}

/// Calls `check` with what a model of each family makes of the golden texts, and the name of the golden array.
pub fn each_state_and_logits<K: Kernels>(kernels: fn() -> K, mut check: impl FnMut(&Golden, &str, &[f32])) {
    for family in FAMILIES {
        let golden = Golden::read(family);
        let model = golden.model(kernels());
        let texts = golden.texts();
        let vocabulary = model.config().vocabulary_size();
        let candidates: Vec<u32> = (0..vocabulary as u32).collect();
        let shared = TokenBatch::new(&texts);
        assert_eq!(shared.prefix_length(), golden.integers["prefix_length"][0] as usize);
        check(&golden, "base.logits.last", &model.scorer(None).unwrap().score(&shared, &candidates).unwrap());
        let scorer = model.scorer(Some(&golden.adapter())).unwrap();
        let apart = TokenBatch::without_prefix(&texts);
        let states = scorer.hidden_states(&apart).unwrap();
        let layers = states.len() - 2;
        for (layer, state) in states.iter().enumerate() {
            let name = if layer <= layers { format!("hidden.{layer}") } else { String::from("hidden.final") };
            check(&golden, &name, state);
        }
        check(&golden, "logits.all", &scorer.all_logits(&apart).unwrap());
        for batch in [&shared, &apart] {
            check(&golden, "logits.last", &scorer.score(batch, &candidates).unwrap());
        }
    }
}

/// Holds a model's pooled states against the means of its states row by row.
pub fn pooled_states_are_means<K: Kernels>(kernels: fn() -> K) {
    for family in FAMILIES {
        let golden = Golden::read(family);
        let model = golden.model(kernels());
        let (texts, width) = (golden.texts(), model.config().hidden_size());
        let states = model.scorer(None).unwrap().hidden_states(&TokenBatch::without_prefix(&texts)).unwrap();
        let layers = [1, 0];
        for first in [0, 1, 6, 1000] {
            let (mut expected, mut begin) = (Vec::new(), 0);
            for text in &texts {
                let rows = begin + first.min(text.len() - 1)..begin + text.len();
                for layer in layers {
                    let sum = |column: usize| rows.clone().map(|row| states[layer][row * width + column]).sum::<f32>();
                    expected.extend((0..width).map(|column| sum(column) / rows.len() as f32));
                }
                begin += text.len();
            }
            close(family, &expected, &model.pooled_states(&texts, first, &layers).unwrap(), 1e-5);
        }
    }
}
