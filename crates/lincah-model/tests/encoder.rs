//! A tiny BERT against transformers in float64: `tools/golden/encoder.py`.

use lincah_model::weights::EncoderFiles;
use lincah_model::{ComputeOptions, Device, ModelError, Precision, SentenceEncoder, load_encoder};
use safetensors::SafeTensors;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const TEXTS: usize = 4;
const WIDTH: usize = 24;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/bert")
}

/// The folder of the golden model with other files beside.
fn model_with(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(golden().join(name), folder.path().join(name)).unwrap();
    }
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    folder
}

fn open(folder: &Path, compute: ComputeOptions) -> Arc<dyn SentenceEncoder> {
    load_encoder(Arc::new(EncoderFiles::open(folder).unwrap()), compute).unwrap()
}

fn numbers<T>(kind: &str, of: impl Fn(&[u8]) -> T, size: usize) -> Vec<Vec<T>> {
    let bytes = std::fs::read(golden().join("golden.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = |text: usize| tensors.tensor(&format!("{kind}.{text}")).unwrap().data().chunks_exact(size).map(&of).collect();
    (0..TEXTS).map(tensor).collect()
}

fn embeddings(kind: &str) -> Vec<Vec<f32>> {
    numbers(kind, |bytes| f32::from_le_bytes(bytes.try_into().unwrap()), 4)
}

fn tokens() -> Vec<Vec<u32>> {
    numbers("tokens", |bytes| i64::from_le_bytes(bytes.try_into().unwrap()) as u32, 8)
}

/// The largest difference of any number from the golden's.
fn largest_difference(encoder: &dyn SentenceEncoder, kind: &str) -> f32 {
    let texts = tokens();
    let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
    let found = encoder.embed(&texts).unwrap();
    assert_eq!(found.len(), TEXTS * WIDTH);
    found.iter().zip(embeddings(kind).iter().flatten()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

const NORMALIZED: &str = r#"[{"type": "sentence_transformers.models.Transformer", "path": ""},
    {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}, {"type": "sentence_transformers.models.Normalize", "path": ""}]"#;
const MEAN: &str = r#"{"word_embedding_dimension": 24, "pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true}"#;
const FIRST: &str = r#"[{"type": "sentence_transformers.models.Transformer", "path": ""},
    {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}]"#;
const CLS: &str = r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#;

#[test]
fn embeddings_are_those_of_transformers() {
    let mean = open(model_with(&[]).path(), ComputeOptions::default());
    assert!(largest_difference(&*mean, "mean") < 1e-5);
    let normalized = model_with(&[("modules.json", NORMALIZED), ("1_Pooling/config.json", MEAN)]);
    assert!(largest_difference(&*open(normalized.path(), ComputeOptions::default()), "normalized") < 2e-6);
    let first = model_with(&[
        ("modules.json", FIRST),
        ("1_Pooling/config.json", CLS),
        ("sentence_bert_config.json", r#"{"max_seq_length": 32}"#),
    ]);
    let first = open(first.path(), ComputeOptions::default());
    assert!(largest_difference(&*first, "first") < 1e-5);
    assert_eq!((first.config().hidden_size(), first.config().max_tokens()), (WIDTH, 32));
}

#[test]
#[ignore = "needs an NVIDIA GPU and the feature cuda"]
fn embeddings_on_cuda() {
    let folder = model_with(&[]);
    let of = |precision| ComputeOptions { device: Device::Cuda(0), precision: Some(precision), ..ComputeOptions::default() };
    let difference = |precision| largest_difference(&*open(folder.path(), of(precision)), "mean");
    assert!(difference(Precision::F32) < 1e-4);
    assert!(difference(Precision::Bf16) < 0.05);
}

#[test]
fn a_text_has_the_same_bits_in_any_batch() {
    let encoder = open(model_with(&[]).path(), ComputeOptions::default());
    let texts = tokens();
    let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
    let all = encoder.embed(&texts).unwrap();
    for (text, together) in texts.iter().zip(all.chunks(WIDTH)) {
        assert_eq!(encoder.embed(&[text]).unwrap(), together);
    }
    let many: Vec<&[u32]> = texts.iter().cycle().take(100).copied().collect();
    assert!(encoder.embed(&many).unwrap().chunks(TEXTS * WIDTH).all(|chunk| chunk == all));
    assert!(encoder.embed(&[]).unwrap().is_empty());
}

#[test]
fn what_cannot_be_embedded_is_refused() {
    let encoder = open(model_with(&[]).path(), ComputeOptions::default());
    assert!(matches!(encoder.embed(&[&[83]]), Err(ModelError::TokenOutOfVocabulary { token: 83, .. })));
    assert!(matches!(encoder.embed(&[&[1; 49]]), Err(ModelError::TextTooLong { length: 49, most: 48 })));
    let refused = |files: &[(&str, &str)]| EncoderFiles::open(model_with(files).path()).unwrap_err().to_string();
    let dense = r#"[{"type": "sentence_transformers.models.Dense", "path": "2_Dense"}]"#;
    assert!(refused(&[("modules.json", dense)]).contains("supported: Transformer, Pooling and Normalize"));
    let most = r#"{"pooling_mode_max_tokens": true}"#;
    assert!(refused(&[("modules.json", FIRST), ("1_Pooling/config.json", most)]).contains("pooling_mode_max_tokens"));
    assert!(refused(&[("modules.json", "{")]).contains("modules.json"));
    let relative = r#"{"model_type": "bert", "position_embedding_type": "relative_key"}"#;
    assert!(refused(&[("config.json", relative)]).contains("supported: absolute"));
    assert!(refused(&[("config.json", r#"{"model_type": "bert"}"#)]).contains("embeddings.word_embeddings.weight"));
    assert!(EncoderFiles::are_in(&golden()) && !EncoderFiles::are_in(&golden().join("..").join("llama")));
}
