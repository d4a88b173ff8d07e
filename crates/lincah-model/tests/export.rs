//! What is exported, read back: merged weights, label heads, adapters in the forms of llama.cpp and mlx-lm.

mod support;

use lincah_model::export::{
    Checkpoint, HeadRows, LabelHead, NumberType, write_gguf_adapter, write_merged_gguf, write_mlx_adapter,
};
use lincah_model::gguf::GgufFile;
use lincah_model::lora::AdapterTensor;
use lincah_model::weights::ModelFiles;
use lincah_model::{Adapter, LoraConfig, LoraLayout, Target};
use std::path::Path;
use support::GgufBuilder;

const HIDDEN: u64 = 4;

/// GGUF names, Hugging Face names and shapes of the matrices of a model of one layer with two heads of 4 and one key-value head.
const MATRICES: [(&str, &str, [u64; 2]); 8] = [
    ("token_embd", "model.embed_tokens", [6, HIDDEN]),
    ("blk.0.attn_q", "model.layers.0.self_attn.q_proj", [8, HIDDEN]),
    ("blk.0.attn_k", "model.layers.0.self_attn.k_proj", [4, HIDDEN]),
    ("blk.0.attn_v", "model.layers.0.self_attn.v_proj", [4, HIDDEN]),
    ("blk.0.attn_output", "model.layers.0.self_attn.o_proj", [HIDDEN, 8]),
    ("blk.0.ffn_gate", "model.layers.0.mlp.gate_proj", [8, HIDDEN]),
    ("blk.0.ffn_up", "model.layers.0.mlp.up_proj", [8, HIDDEN]),
    ("blk.0.ffn_down", "model.layers.0.mlp.down_proj", [HIDDEN, 8]),
];

fn numbers(count: u64, seed: u64) -> Vec<f32> {
    (0..count).map(|index| ((index * 37 + seed * 11) % 17) as f32 / 8.0 - 1.0).collect()
}

fn gguf(architecture: &str) -> ModelFiles {
    let key = |name: &str| format!("{architecture}.{name}");
    let mut file = GgufBuilder::default().text("general.architecture", architecture).text("general.name", "tiny");
    for (name, value) in [
        ("embedding_length", 4),
        ("block_count", 1),
        ("attention.head_count", 2),
        ("attention.head_count_kv", 1),
        ("attention.key_length", 4),
        ("context_length", 16),
        ("feed_forward_length", 8),
    ] {
        file = file.unsigned(&key(name), value);
    }
    file = file.float(&key("attention.layer_norm_rms_epsilon"), 1e-5);
    for (seed, (name, _, shape)) in (0..).zip(MATRICES) {
        file = file.tensor(&format!("{name}.weight"), &shape, &numbers(shape[0] * shape[1], seed));
    }
    for name in ["blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"] {
        file = file.tensor(&format!("{name}.weight"), &[HIDDEN], &[1.5, 2.0, 2.5, 3.0]);
    }
    ModelFiles::from_gguf(GgufFile::from_bytes(Path::new("tiny.gguf"), file.build()).unwrap()).unwrap()
}

fn adapter(targets: &[Target]) -> Adapter {
    let config = LoraConfig {
        rank: 2,
        alpha: 3.0,
        dropout: 0.0,
        targets: targets.to_vec(),
        layers: None,
        rank_stabilized: true,
        layout: LoraLayout::Whole,
    };
    let mut tensors = std::collections::BTreeMap::new();
    for (seed, target) in (20..).zip(targets) {
        let (_, name, [rows, columns]) = MATRICES.iter().find(|(_, name, _)| name.ends_with(target.name())).unwrap();
        for (factor, shape) in [('A', [2, *columns as usize]), ('B', [*rows as usize, 2])] {
            let values = numbers((shape[0] * shape[1]) as u64, seed);
            tensors.insert(format!("base_model.model.{name}.lora_{factor}.weight"), AdapterTensor { shape, values });
        }
    }
    Adapter { config, tensors }
}

/// W + alpha / √r · B · A, written down once more.
fn merged(files: &ModelFiles, adapter: &Adapter, name: &str, [rows, columns]: [u64; 2]) -> Vec<f32> {
    let shape = [rows as usize, columns as usize];
    let weight = files.weights().read(&format!("{name}.weight"), &shape).unwrap();
    let factor = |factor: &str| adapter.tensors.get(&format!("base_model.model.{name}.lora_{factor}.weight"));
    let (Some(a), Some(b)) = (factor("A"), factor("B")) else { return weight };
    let scale = 3.0 / 2f64.sqrt();
    let product = |row: usize, column: usize| -> f64 {
        (0..2).map(|r| f64::from(b.values[row * 2 + r]) * f64::from(a.values[r * shape[1] + column])).sum()
    };
    let place = |place: usize| f64::from(weight[place]) + scale * product(place / shape[1], place % shape[1]);
    (0..weight.len()).map(|index| place(index) as f32).collect()
}

fn near(found: &[f32], expected: &[f32], tolerance: f32) -> bool {
    found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= tolerance)
}

#[test]
fn a_checkpoint_has_the_merged_weights_of_a_gguf_file() {
    for architecture in ["llama", "gemma"] {
        let (files, adapter) = (gguf(architecture), adapter(&Target::ALL));
        let folder = tempfile::tempdir().unwrap();
        let checkpoint = Checkpoint {
            files: &files,
            adapter: Some(&adapter),
            head: None,
            number_type: NumberType::F32,
            special: [Some(1), Some(2), None],
        };
        checkpoint.write(folder.path()).unwrap();
        let read = ModelFiles::open(folder.path()).unwrap();
        for (_, name, shape) in MATRICES {
            let found = read.weights().read(&format!("{name}.weight"), &shape.map(|length| length as usize)).unwrap();
            assert!(near(&found, &merged(&files, &adapter, name, shape), 1e-5), "{architecture} {name}");
        }
        // What Hugging Face adds at run time is not in the file.
        let norm = read.weights().read("model.norm.weight", &[4]).unwrap();
        assert_eq!(norm[0], if architecture == "gemma" { 0.5 } else { 1.5 });
        let config: serde_json::Value =
            serde_json::from_slice(&std::fs::read(folder.path().join("config.json")).unwrap()).unwrap();
        assert_eq!((&config["bos_token_id"], &config["pad_token_id"]), (&1.into(), &serde_json::Value::Null));
    }
}

#[test]
fn a_label_head_has_the_rows_of_the_labels_tokens() {
    let files = gguf("llama");
    let folder = tempfile::tempdir().unwrap();
    let names = vec![String::from("a"), String::from("b")];
    let head = LabelHead { rows: HeadRows::Tokens(vec![5, 0]), names, independent: false };
    let checkpoint =
        Checkpoint { files: &files, adapter: None, head: Some(head), number_type: NumberType::Bf16, special: [None; 3] };
    checkpoint.write(folder.path()).unwrap();
    let bytes = std::fs::read(folder.path().join("model.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let score = tensors.tensor("score.weight").unwrap();
    assert_eq!((score.shape(), score.dtype()), (&[2, 4][..], safetensors::Dtype::BF16));
    let found: Vec<f32> =
        score.data().chunks_exact(2).map(|pair| half::bf16::from_le_bytes([pair[0], pair[1]]).to_f32()).collect();
    let rows = files.weights().read_rows("model.embed_tokens.weight", &[5, 0], 4).unwrap();
    assert!(near(&found, &rows, 0.01), "{found:?} {rows:?}");
    let config: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.path().join("config.json")).unwrap()).unwrap();
    assert_eq!(
        (&config["architectures"][0], &config["id2label"]["1"], &config["label2id"]["b"]),
        (&"LlamaForSequenceClassification".into(), &"b".into(), &1.into())
    );
}

#[test]
fn a_merged_gguf_file_is_the_model_with_the_adapter_and_an_adapter_file_adds_the_same() {
    let targets = [Target::Query, Target::Key, Target::Down];
    let (files, adapter) = (gguf("llama"), adapter(&targets));
    let folder = tempfile::tempdir().unwrap();
    for (number_type, tolerance) in [(None, 4e-3), (Some(NumberType::F32), 1e-5)] {
        let path = folder.path().join("merged.gguf");
        write_merged_gguf(&files, &adapter, number_type, &path).unwrap();
        let read = ModelFiles::open(&path).unwrap();
        assert_eq!(read.gguf().unwrap().text("general.name").unwrap(), Some("tiny"));
        for (_, name, shape) in MATRICES {
            let found = read.weights().read(&format!("{name}.weight"), &shape.map(|length| length as usize)).unwrap();
            assert!(near(&found, &merged(&files, &adapter, name, shape), tolerance), "{name}");
        }
    }
    let path = folder.path().join("adapter.gguf");
    write_gguf_adapter(&files, &adapter, &path).unwrap();
    let added = GgufFile::open(&path).unwrap();
    assert_eq!((added.text("general.type").unwrap(), added.text("adapter.type").unwrap()), (Some("adapter"), Some("lora")));
    // llama.cpp: W + alpha / r · B · A, on the rows as they lie in the base's file.
    let scale = added.float("adapter.lora.alpha").unwrap().unwrap() as f32 / 2.0;
    let whole = GgufFile::open(&folder.path().join("merged.gguf")).unwrap();
    for (name, _, [rows, columns]) in MATRICES {
        let of = |file: &GgufFile, name: &str| {
            let tensor = file.tensor(name)?;
            let rows = tensor.shape()[..tensor.shape().len() - 1].iter().product();
            Some(file.read_rows(tensor, 0..rows).unwrap())
        };
        let factors = ["lora_a", "lora_b"].map(|factor| of(&added, &format!("{name}.weight.{factor}")));
        let [Some(a), Some(b)] = factors else {
            assert!(!targets.iter().any(|target| name == format!("blk.0.{}", gguf_name(*target))), "{name}");
            continue;
        };
        let mut weight = of(files.gguf().unwrap(), &format!("{name}.weight")).unwrap();
        for (row, column) in (0..rows as usize).flat_map(|row| (0..columns as usize).map(move |column| (row, column))) {
            let product: f32 = (0..2).map(|r| b[row * 2 + r] * a[r * columns as usize + column]).sum();
            weight[row * columns as usize + column] += scale * product;
        }
        assert!(near(&weight, &of(&whole, &format!("{name}.weight")).unwrap(), 1e-5), "{name}");
    }
}

fn gguf_name(target: Target) -> &'static str {
    match target {
        Target::Query => "attn_q",
        Target::Key => "attn_k",
        Target::Down => "ffn_down",
        _ => "",
    }
}

#[test]
fn an_mlx_adapter_is_transposed_and_says_which_layers_it_is_for() {
    let (files, adapter) = (gguf("llama"), adapter(&[Target::Down]));
    let folder = tempfile::tempdir().unwrap();
    write_mlx_adapter(&adapter, files.config(), folder.path()).unwrap();
    let bytes = std::fs::read(folder.path().join("adapters.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let a = tensors.tensor("model.layers.0.mlp.down_proj.lora_a").unwrap();
    let original = &adapter.tensors["base_model.model.model.layers.0.mlp.down_proj.lora_A.weight"];
    let number = |place: usize| f32::from_le_bytes(a.data()[4 * place..4 * place + 4].try_into().unwrap());
    assert_eq!(a.shape(), [8, 2]);
    assert!((0..8).all(|input| (0..2).all(|rank| number(input * 2 + rank) == original.values[rank * 8 + input])));
    let config: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("adapter_config.json")).unwrap()).unwrap();
    let parameters = &config["lora_parameters"];
    assert_eq!((&config["num_layers"], &parameters["keys"][0]), (&1.into(), &"mlp.down_proj".into()));
    assert!((parameters["scale"].as_f64().unwrap() - 3.0 / 2f64.sqrt()).abs() < 1e-6);
}

#[test]
fn what_a_type_or_a_family_cannot_hold_is_refused() {
    let (files, mut adapter) = (gguf("llama"), adapter(&[Target::Down]));
    adapter.config.alpha = 1e7;
    let folder = tempfile::tempdir().unwrap();
    let message = write_merged_gguf(&files, &adapter, None, &folder.path().join("merged.gguf")).unwrap_err().to_string();
    assert!(message.contains("`blk.0.ffn_down.weight`") && message.contains("f16"), "{message}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
