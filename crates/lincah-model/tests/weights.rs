//! Weights by their Hugging Face names, from folders and GGUF files, and what is wrong with files that are not whole models.

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use lincah_model::gguf::GgufFile;
use lincah_model::weights::{ModelFiles, TokenizerSource, WeightsError};
use safetensors::tensor::{Dtype, TensorView};
use support::GgufBuilder;

const CONFIG: &str = r#"{"model_type": "llama", "vocab_size": 6, "hidden_size": 4, "intermediate_size": 8, "num_hidden_layers": 1,
    "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4, "max_position_embeddings": 16, "tie_word_embeddings": true}"#;

/// Name and shape of every tensor of that model.
const TENSORS: [(&str, &[usize]); 11] = [
    ("model.embed_tokens.weight", &[6, 4]),
    ("model.layers.0.input_layernorm.weight", &[4]),
    ("model.layers.0.mlp.down_proj.weight", &[4, 8]),
    ("model.layers.0.mlp.gate_proj.weight", &[8, 4]),
    ("model.layers.0.mlp.up_proj.weight", &[8, 4]),
    ("model.layers.0.post_attention_layernorm.weight", &[4]),
    ("model.layers.0.self_attn.k_proj.weight", &[4, 4]),
    ("model.layers.0.self_attn.o_proj.weight", &[4, 8]),
    ("model.layers.0.self_attn.q_proj.weight", &[8, 4]),
    ("model.layers.0.self_attn.v_proj.weight", &[4, 4]),
    ("model.norm.weight", &[4]),
];

/// A tensor of a test: its shape and its numbers.
type Tensor = (Vec<usize>, Vec<f32>);

fn tensors() -> BTreeMap<String, Tensor> {
    let numbers = |count: usize| (0..count).map(|index| index as f32 / 4.0).collect();
    TENSORS.iter().map(|(name, shape)| ((*name).to_owned(), (shape.to_vec(), numbers(shape.iter().product())))).collect()
}

fn serialize(tensors: &BTreeMap<String, Tensor>) -> Vec<u8> {
    let bytes = |numbers: &[f32]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
    let stored: Vec<_> = tensors.iter().map(|(name, (shape, numbers))| (name, shape.clone(), bytes(numbers))).collect();
    let views = stored.iter().map(|(name, shape, bytes)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

fn folder(config: &str, tensors: &BTreeMap<String, Tensor>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.json"), config).unwrap();
    std::fs::write(folder.path().join("model.safetensors"), serialize(tensors)).unwrap();
    folder
}

fn refused(folder: &tempfile::TempDir) -> String {
    ModelFiles::open(folder.path()).expect_err("these files are not a whole model").to_string()
}

#[test]
fn a_folder_is_read_by_name_shape_and_row() {
    let folder = folder(CONFIG, &tensors());
    let files = ModelFiles::open(folder.path()).unwrap();
    for (name, (shape, numbers)) in tensors() {
        assert_eq!(files.weights().read(&name, &shape).unwrap(), numbers, "{name}");
    }
    let rows = files.weights().read_rows("model.embed_tokens.weight", &[5, 0, 5], 4).unwrap();
    assert_eq!(rows, [5.0, 5.25, 5.5, 5.75, 0.0, 0.25, 0.5, 0.75, 5.0, 5.25, 5.5, 5.75]);
    assert!(matches!(files.tokenizer_source(), TokenizerSource::File(path) if path == folder.path().join("tokenizer.json")));
    let text = files.weights().read("model.norm.weight", &[5]).unwrap_err().to_string();
    assert!(text.contains("tensor `model.norm.weight` has shape [4], expected [5], in "), "{text}");
    let text = files.weights().read("model.norm.bias", &[4]).unwrap_err().to_string();
    assert!(text.contains("tensor `model.norm.bias` is missing in "), "{text}");
    let text = files.weights().read_rows("model.embed_tokens.weight", &[6], 4).unwrap_err().to_string();
    assert!(text.contains("`model.embed_tokens.weight` has 6 rows, asked for row 6, in "), "{text}");
    let text = files.weights().read_rows("model.norm.weight", &[0], 4).unwrap_err().to_string();
    assert!(text.contains("`model.norm.weight` has shape [4], expected [rows, 4]"), "{text}");
}

/// Phi 3's files: query, key and value in one matrix, gate and up in another.
#[test]
fn fused_projections_are_read_one_by_one() {
    let config = CONFIG.replace("llama", "phi3");
    let mut fused = tensors();
    let mut fuse = |name: &str, parts: &[&str]| {
        let parts: Vec<Tensor> =
            parts.iter().map(|part| fused.remove(&format!("model.layers.0.{part}.weight")).unwrap()).collect();
        let rows = parts.iter().map(|(shape, _)| shape[0]).sum();
        let numbers = parts.into_iter().flat_map(|(_, numbers)| numbers).collect();
        fused.insert(format!("model.layers.0.{name}.weight"), (vec![rows, 4], numbers));
    };
    fuse("self_attn.qkv_proj", &["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]);
    fuse("mlp.gate_up_proj", &["mlp.gate_proj", "mlp.up_proj"]);
    let whole = folder(&config, &fused);
    let files = ModelFiles::open(whole.path()).unwrap();
    for (name, (shape, numbers)) in tensors() {
        assert_eq!(files.weights().read(&name, &shape).unwrap(), numbers, "{name}");
    }
    let rows = files.weights().read_rows("model.layers.0.self_attn.v_proj.weight", &[1], 4).unwrap();
    assert_eq!(rows, [1.0, 1.25, 1.5, 1.75]);
    fused.insert("model.layers.0.mlp.gate_up_proj.weight".into(), (vec![8, 4], vec![0.0; 32]));
    let message = refused(&folder(&config, &fused));
    assert!(message.contains("`model.layers.0.mlp.gate_up_proj.weight` has shape [8, 4], expected [16, 4]"), "{message}");
    fused.remove("model.layers.0.mlp.gate_up_proj.weight");
    let message = refused(&folder(&config, &fused));
    assert!(message.contains("tensor `model.layers.0.mlp.gate_up_proj.weight` is missing"), "{message}");
}

#[test]
fn the_fingerprint_is_the_sha256_of_the_weight_file() {
    let folder = folder(CONFIG, &tensors());
    let files = ModelFiles::open(folder.path()).unwrap();
    let fingerprint = files.weights().fingerprint();
    assert_eq!(fingerprint, lincah_model::sha256::of_bytes(serialize(&tensors())));
}

#[test]
fn half_precision_is_read() {
    let folder = folder(CONFIG, &tensors());
    let path = folder.path().join("model.safetensors");
    let all = tensors();
    let stored: Vec<(&String, Vec<usize>, Dtype, Vec<u8>)> = all
        .iter()
        .map(|(name, (shape, numbers))| {
            let brain = name.contains("mlp");
            let bytes = |number: &f32| match brain {
                true => half::bf16::from_f32(*number).to_le_bytes(),
                false => half::f16::from_f32(*number).to_le_bytes(),
            };
            (name, shape.clone(), if brain { Dtype::BF16 } else { Dtype::F16 }, numbers.iter().flat_map(bytes).collect())
        })
        .collect();
    let views = stored.iter().map(|(name, shape, kind, bytes)| (name, TensorView::new(*kind, shape.clone(), bytes).unwrap()));
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    let files = ModelFiles::open(folder.path()).unwrap();
    for (name, (shape, numbers)) in all {
        assert_eq!(files.weights().read(&name, &shape).unwrap(), numbers, "{name}");
    }
    let integers = TensorView::new(Dtype::I32, vec![4], &[0; 16]).unwrap();
    std::fs::write(&path, safetensors::serialize([("model.norm.weight", integers)], None).unwrap()).unwrap();
    let text = refused(&folder);
    assert!(text.contains("tensor `model.norm.weight` has type I32, supported are F32, F16 and BF16, in "), "{text}");
}

#[test]
fn a_norm_that_overflows_is_refused() {
    let mut tensors = tensors();
    tensors.get_mut("model.norm.weight").unwrap().1[2] = 3e38;
    let folder = folder(CONFIG, &tensors);
    let files = ModelFiles::open(folder.path()).unwrap();
    let refused = files.weights().read_norm("model.norm.weight", 4, 1.0).unwrap_err();
    assert!(matches!(refused, WeightsError::Overflow { column: 2, .. }), "{refused}");
    let other = files.weights().read_norm("model.layers.0.input_layernorm.weight", 4, 1.0).unwrap();
    assert_eq!(other, [1.0, 1.25, 1.5, 1.75]);
}

#[test]
#[cfg(unix)]
fn pipes_in_place_of_files_are_refused() {
    for name in ["config.json", "model.safetensors"] {
        let folder = folder(CONFIG, &tensors());
        let path = folder.path().join(name);
        std::fs::remove_file(&path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert!(refused(&folder).contains("not a regular file"));
    }
}

#[test]
fn shards_are_found_through_their_list() {
    let folder = folder(CONFIG, &BTreeMap::new());
    std::fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    let text = refused(&folder);
    assert!(text.contains("has neither model.safetensors nor model.safetensors.index.json"), "{text}");
    let mut first = tensors();
    let second = first.split_off("model.layers.0.mlp.up_proj.weight");
    let place = |(name, file): (&String, &str)| (name.clone(), file.to_owned());
    let places = first.keys().map(|name| (name, "a.safetensors")).chain(second.keys().map(|name| (name, "b.safetensors")));
    let map: BTreeMap<String, String> = places.map(place).collect();
    let list = folder.path().join("model.safetensors.index.json");
    let write_list = |map: &BTreeMap<String, String>| {
        std::fs::write(&list, serde_json::json!({"metadata": {}, "weight_map": map}).to_string()).unwrap();
    };
    write_list(&map);
    std::fs::write(folder.path().join("a.safetensors"), serialize(&first)).unwrap();
    let text = refused(&folder);
    assert!(text.contains("cannot open ") && text.contains("b.safetensors"), "{text}");
    std::fs::write(folder.path().join("b.safetensors"), serialize(&second)).unwrap();
    let files = ModelFiles::open(folder.path()).unwrap();
    for (name, (shape, numbers)) in tensors() {
        assert_eq!(files.weights().read(&name, &shape).unwrap(), numbers, "{name}");
    }
    let mut wrong = map.clone();
    wrong.insert("model.norm.weight".into(), "a.safetensors".into());
    write_list(&wrong);
    let text = refused(&folder);
    assert!(text.contains("places tensor `model.norm.weight` in `a.safetensors`, which does not have it"), "{text}");
    for outside in ["../b.safetensors", "/b.safetensors", "..", ""] {
        wrong.insert("model.norm.weight".into(), outside.into());
        write_list(&wrong);
        let text = refused(&folder);
        assert!(text.contains("which is not the name of a file in the same folder"), "{outside}: {text}");
    }
    std::fs::write(&list, "{").unwrap();
    assert!(refused(&folder).contains("is not a valid list of weight files"));
}

#[test]
fn a_model_must_be_whole_and_nothing_more() {
    let changed = |change: &dyn Fn(&mut BTreeMap<String, Tensor>)| {
        let mut tensors = tensors();
        change(&mut tensors);
        folder(CONFIG, &tensors)
    };
    let text = refused(&changed(&|tensors| drop(tensors.remove("model.norm.weight"))));
    assert!(text.contains("tensor `model.norm.weight` is missing in "), "{text}");
    let bias = "model.layers.0.self_attn.q_proj.bias";
    let text = refused(&changed(&|tensors| drop(tensors.insert(bias.into(), (vec![8], vec![0.0; 8])))));
    assert!(text.contains(&format!("tensor `{bias}` has no place in a model of this configuration")), "{text}");
    let text = refused(&changed(&|tensors| drop(tensors.insert("model.norm.weight".into(), (vec![5], vec![0.0; 5])))));
    assert!(text.contains("tensor `model.norm.weight` has shape [5], expected [4], in "), "{text}");
    let harmless = changed(&|tensors| {
        tensors.insert("lm_head.weight".into(), (vec![6, 4], vec![0.0; 24]));
        tensors.insert("model.layers.0.self_attn.rotary_emb.inv_freq".into(), (vec![2], vec![0.0; 2]));
    });
    assert!(ModelFiles::open(harmless.path()).is_ok());
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let folder = changed(&|tensors| tensors.get_mut("model.layers.0.mlp.up_proj.weight").unwrap().1[13] = bad);
        let files = ModelFiles::open(folder.path()).unwrap();
        let text = files.weights().read("model.layers.0.mlp.up_proj.weight", &[8, 4]).unwrap_err().to_string();
        assert!(text.contains(&format!("`model.layers.0.mlp.up_proj.weight` holds {bad} at row 3, column 1, in ")), "{text}");
    }
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(ModelFiles::open(empty.path()), Err(WeightsError::Open { path, .. }) if path.ends_with("config.json")));
    assert!(matches!(ModelFiles::open(Path::new("no/such/model")), Err(WeightsError::Gguf(_))));
}

#[test]
fn the_text_model_of_a_multimodal_gemma3_is_read() {
    let text_config = r#"{"model_type": "gemma3_text", "vocab_size": 6, "hidden_size": 4, "intermediate_size": 8, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4}"#;
    let config = format!(r#"{{"model_type": "gemma3", "text_config": {text_config}, "vision_config": {{}}}}"#);
    let mut plain = tensors();
    for (name, width) in
        [("self_attn.q_norm", 4), ("self_attn.k_norm", 4), ("pre_feedforward_layernorm", 4), ("post_feedforward_layernorm", 4)]
    {
        plain.insert(format!("model.layers.0.{name}.weight"), (vec![width], vec![0.5; width]));
    }
    let old = |name: &str| format!("language_model.{name}");
    let new = |name: &str| name.replacen("model.", "model.language_model.", 1);
    for (rename, vision) in [(&old as &dyn Fn(&str) -> String, "vision_tower.x"), (&new, "model.vision_tower.x")] {
        let mut stored: BTreeMap<_, _> = plain.iter().map(|(name, tensor)| (rename(name), tensor.clone())).collect();
        stored.insert(vision.into(), (vec![1], vec![0.0]));
        let files = folder(&config, &stored);
        let files = ModelFiles::open(files.path()).unwrap();
        for (name, (shape, numbers)) in &plain {
            assert_eq!(&files.weights().read(name, shape).unwrap(), numbers, "{name}");
        }
        let text_only = folder(text_config, &stored);
        assert!(refused(&text_only).contains(&format!("tensor `{vision}` has no place")));
    }
}

/// The model of [`TENSORS`] as llama.cpp's converter would write it, under `architecture`.
fn gguf(architecture: &str) -> GgufBuilder {
    let key = |name: &str| format!("{architecture}.{name}");
    let mut builder = GgufBuilder::default()
        .text("general.architecture", architecture)
        .unsigned(&key("block_count"), 1)
        .unsigned(&key("context_length"), 16)
        .unsigned(&key("embedding_length"), 4)
        .unsigned(&key("feed_forward_length"), 8)
        .unsigned(&key("attention.head_count"), 2)
        .unsigned(&key("attention.head_count_kv"), 1)
        .unsigned(&key("attention.key_length"), 4)
        .float(&key("attention.layer_norm_rms_epsilon"), 1e-5);
    let names = [
        ("model.embed_tokens.weight", "token_embd.weight"),
        ("model.layers.0.input_layernorm.weight", "blk.0.attn_norm.weight"),
        ("model.layers.0.mlp.down_proj.weight", "blk.0.ffn_down.weight"),
        ("model.layers.0.mlp.gate_proj.weight", "blk.0.ffn_gate.weight"),
        ("model.layers.0.mlp.up_proj.weight", "blk.0.ffn_up.weight"),
        ("model.layers.0.post_attention_layernorm.weight", "blk.0.ffn_norm.weight"),
        ("model.layers.0.self_attn.k_proj.weight", "blk.0.attn_k.weight"),
        ("model.layers.0.self_attn.o_proj.weight", "blk.0.attn_output.weight"),
        ("model.layers.0.self_attn.q_proj.weight", "blk.0.attn_q.weight"),
        ("model.layers.0.self_attn.v_proj.weight", "blk.0.attn_v.weight"),
        ("model.norm.weight", "output_norm.weight"),
    ];
    for (name, gguf_name) in names {
        let (shape, numbers) = &tensors()[name];
        let shape: Vec<u64> = shape.iter().map(|&dimension| dimension as u64).collect();
        let rotated = name.contains("q_proj") || name.contains("k_proj");
        let numbers = if rotated && architecture == "llama" { interleave(numbers) } else { numbers.clone() };
        builder = builder.tensor(gguf_name, &shape, &numbers);
    }
    builder
}

/// Of each head's four rows of four numbers the first half goes to the even and the second to the odd rows.
fn interleave(numbers: &[f32]) -> Vec<f32> {
    let row = |head: &[f32], row: usize| head[row * 4..row * 4 + 4].to_vec();
    numbers.chunks(16).flat_map(|head| [row(head, 0), row(head, 2), row(head, 1), row(head, 3)].concat()).collect()
}

fn open_gguf(builder: &GgufBuilder) -> Result<ModelFiles, WeightsError> {
    ModelFiles::from_gguf(GgufFile::from_bytes(Path::new("model.gguf"), builder.build())?)
}

fn refused_gguf(builder: GgufBuilder) -> String {
    open_gguf(&builder).expect_err("this file is not a model that is supported").to_string()
}

#[test]
fn a_gguf_file_is_read_by_hugging_face_names_in_their_row_order() {
    for architecture in ["llama", "gemma"] {
        let files = open_gguf(&gguf(architecture)).unwrap();
        assert_eq!((files.config().vocabulary_size(), files.config().layer_count(), files.config().max_positions()), (6, 1, 16));
        for (name, (shape, numbers)) in tensors() {
            assert_eq!(files.weights().read(&name, &shape).unwrap(), numbers, "{name}");
        }
        let rows = files.weights().read_rows("model.layers.0.self_attn.q_proj.weight", &[6, 1], 4).unwrap();
        assert_eq!(rows, [6.0, 6.25, 6.5, 6.75, 1.0, 1.25, 1.5, 1.75]);
        assert!(matches!(files.tokenizer_source(), TokenizerSource::Gguf(file) if file.path() == Path::new("model.gguf")));
    }
}

#[test]
fn a_gguf_file_that_means_something_else_is_refused() {
    let text = refused_gguf(gguf("mamba"));
    assert!(text.contains("`general.architecture` = mamba is not supported, in model.gguf; supported: gemma, gemma2"), "{text}");
    let text = refused_gguf(gguf("qwen2"));
    assert!(text.contains("tensor `model.layers.0.self_attn.k_proj.bias` is missing in model.gguf"), "{text}");
    let text = refused_gguf(gguf("llama").text("general.type", "adapter"));
    assert!(text.contains("`general.type` = adapter is not supported"), "{text}");
    let text = refused_gguf(gguf("llama").text("llama.rope.scaling.type", "yarn"));
    assert!(text.contains("`llama.rope.scaling.type` = yarn is not supported"), "{text}");
    let text = refused_gguf(gguf("llama").unsigned("llama.expert_count", 8));
    assert!(text.contains("`llama.expert_count` = Unsigned(8) is not supported"), "{text}");
    let text = refused_gguf(gguf("llama").unsigned("llama.attention.sliding_window", 8));
    assert!(text.contains("`llama.attention.sliding_window` = 8 is not supported"), "{text}");
    let text = refused_gguf(gguf("llama").unsigned("llama.rope.dimension_count", 2));
    assert!(text.contains("`llama.rope.dimension_count` = 2 is not supported, in model.gguf; supported: 4"), "{text}");
    let text = refused_gguf(gguf("llama").unsigned("llama.vocab_size", 7));
    assert!(text.contains("`llama.vocab_size` is 7 and `token_embd.weight` has 6 rows"), "{text}");
    let text = refused_gguf(gguf("llama").raw("split.count", 2, &[2, 0]));
    assert!(text.contains("`split.count` = 2"), "{text}");
    let text = refused_gguf(gguf("llama").tensor("blk.0.attn_q.bias", &[8], &[0.0; 8]));
    assert!(text.contains("tensor `model.layers.0.self_attn.q_proj.bias` has no place"), "{text}");
    let text = refused_gguf(gguf("llama").tensor("blk.0.ffn_gate_exps.weight", &[8], &[0.0; 8]));
    assert!(text.contains("tensor `blk.0.ffn_gate_exps.weight` has no place"), "{text}");
    let text = refused_gguf(gguf("gemma").tensor("rope_freqs.weight", &[2], &[1.0, 8.0]));
    assert!(text.contains("tensor `rope_freqs.weight` has no place"), "{text}");
    let text = refused_gguf(gguf("llama").tensor("rope_freqs.weight", &[3], &[1.0; 3]));
    assert!(text.contains("tensor `rope_freqs.weight` has shape [3], expected [2]"), "{text}");
    assert!(open_gguf(&gguf("llama").tensor("rope_freqs.weight", &[2], &[1.0, 8.0])).is_ok());
    let untied = open_gguf(&gguf("llama").tensor("output.weight", &[6, 4], &[0.25; 24])).unwrap();
    assert_eq!(untied.weights().read("lm_head.weight", &[6, 4]).unwrap(), [0.25; 24]);
}

#[test]
#[ignore = "needs the models smollm2-135m and gemma-3-270m"]
fn real_models_agree_bit_for_bit_with_what_transformers_loads_from_the_same_file() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/gguf/real_models.json");
    let recorded: serde_json::Value = serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
    let models = [
        ("smollm2-135m", support::smollm2(), 576, 1536, 9 * 64, 3 * 64, 64, false),
        ("gemma-3-270m", support::gemma3(), 640, 2048, 4 * 256, 256, 256, true),
    ];
    for (model, path, hidden, intermediate, query, key_value, head, norms_include_one) in models {
        let files = ModelFiles::open(&path).unwrap();
        for (name, digest) in recorded[model]["hugging_face"].as_object().unwrap() {
            if name == "lm_head.weight" {
                continue; // tied in both models
            }
            let part = name.rsplit('.').nth(1).unwrap();
            let shape = match part {
                "embed_tokens" => vec![files.config().vocabulary_size(), hidden],
                "q_proj" => vec![query, hidden],
                "k_proj" | "v_proj" => vec![key_value, hidden],
                "o_proj" => vec![hidden, query],
                "gate_proj" | "up_proj" => vec![intermediate, hidden],
                "down_proj" => vec![hidden, intermediate],
                "q_norm" | "k_norm" => vec![head],
                _ => vec![hidden],
            };
            let mut numbers = files.weights().read(name, &shape).unwrap();
            if norms_include_one && part.ends_with("norm") {
                numbers.iter_mut().for_each(|number| *number -= 1.0);
            }
            assert_eq!(Some(support::digest(&numbers).as_str()), digest.as_str(), "{name} of {model}");
        }
    }
}

#[test]
#[ignore = "needs the model gemma-3-270m"]
fn the_fingerprint_of_a_real_model_is_its_published_sha256() {
    let files = ModelFiles::open(&support::gemma3()).unwrap();
    assert_eq!(files.weights().fingerprint(), "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818");
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]

    #[test]
    fn a_truncated_safetensors_file_is_an_error(length in 0..serialize(&tensors()).len()) {
        let folder = folder(CONFIG, &tensors());
        let bytes = &serialize(&tensors())[..length];
        std::fs::write(folder.path().join("model.safetensors"), bytes).unwrap();
        proptest::prop_assert!(ModelFiles::open(folder.path()).is_err());
    }

    #[test]
    fn changed_bytes_never_panic(
        changes in proptest::collection::vec((0..serialize(&tensors()).len(), proptest::num::u8::ANY), 1..6),
        config_changes in proptest::collection::vec((0..CONFIG.len(), proptest::num::u8::ANY), 0..2),
    ) {
        let folder = folder(CONFIG, &tensors());
        let mut bytes = serialize(&tensors());
        for (place, byte) in changes {
            bytes[place] = byte;
        }
        std::fs::write(folder.path().join("model.safetensors"), bytes).unwrap();
        let mut config = CONFIG.as_bytes().to_vec();
        for (place, byte) in config_changes {
            config[place] = byte;
        }
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        if let Ok(files) = ModelFiles::open(folder.path()) {
            for (name, shape) in TENSORS {
                let _ = files.weights().read(name, shape);
            }
        }
    }

    #[test]
    fn a_changed_gguf_model_never_panics(changes in proptest::collection::vec((0..gguf("llama").build().len(), proptest::num::u8::ANY), 1..6)) {
        let mut bytes = gguf("llama").build();
        for (place, byte) in changes {
            bytes[place] = byte;
        }
        if let Ok(files) = GgufFile::from_bytes(Path::new("model.gguf"), bytes).map_err(WeightsError::from).and_then(ModelFiles::from_gguf) {
            for (name, shape) in TENSORS {
                let _ = files.weights().read(name, shape);
            }
        }
    }
}
