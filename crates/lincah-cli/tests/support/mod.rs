//! A folder to work in, the command, and a model small enough to train within a second.
#![allow(dead_code, reason = "each test file uses a part")]

use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A temporary folder with a tiny model and a tiny data set in it.
pub struct Bench {
    folder: tempfile::TempDir,
}

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Bench {
    pub fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        write_tiny_model(&bench.path("model"));
        bench.write("data.csv", rows());
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    /// `lincah` in this folder, with a model cache of its own and no network.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lincah"));
        command.args(arguments.split_whitespace()).current_dir(self.folder.path());
        command.env("LINCAH_HOME", self.path("home")).env("HF_HOME", self.path("hf")).env("HF_HUB_OFFLINE", "1");
        command
    }

    pub fn run(&self, arguments: &str) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    /// Names of what lies in `folder`, sorted.
    pub fn list(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Ran {
    pub fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Asserts success and gives standard output.
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// Asserts exit code 1, and that the last line on standard error is the only error; gives it.
    pub fn refused(self) -> String {
        assert_eq!(self.code, Some(1), "{self:?}");
        let errors: Vec<&str> = self.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(errors.len(), 1, "{self:?}");
        assert_eq!(self.stderr.lines().last(), Some(errors[0]), "{self:?}");
        errors[0].to_string()
    }
}

/// 40 texts of two kinds.
fn rows() -> String {
    let mut csv = String::from("id,comment,label\n");
    for row in 0..40 {
        let (text, label) = if row % 2 == 0 { ("aaaa bbbb", "A") } else { ("zzzz yyyy", "B") };
        csv += &format!("{row},{text} {row},{label}\n");
    }
    csv
}

/// A random llama of two layers over single bytes, as a Hugging Face folder.
pub fn write_tiny_model(folder: &Path) {
    const HIDDEN: usize = 32;
    const INTERMEDIATE: usize = 48;
    const VOCABULARY: usize = 257;
    std::fs::create_dir_all(folder).unwrap();
    let config = json!({
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": VOCABULARY, "hidden_size": HIDDEN,
        "intermediate_size": INTERMEDIATE, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
        "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": true,
        "bos_token_id": 256, "eos_token_id": 256, "attention_bias": false, "mlp_bias": false
    });
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    std::fs::write(folder.join("tokenizer.json"), tokenizer().to_string()).unwrap();
    std::fs::write(folder.join("tokenizer_config.json"), json!({"bos_token": "<s>", "eos_token": "<s>"}).to_string()).unwrap();
    let mut shapes = BTreeMap::from([
        (String::from("model.embed_tokens.weight"), vec![VOCABULARY, HIDDEN]),
        (String::from("model.norm.weight"), vec![HIDDEN]),
    ]);
    for layer in 0..2 {
        for (name, shape) in [
            ("self_attn.q_proj", vec![32, HIDDEN]),
            ("self_attn.k_proj", vec![16, HIDDEN]),
            ("self_attn.v_proj", vec![16, HIDDEN]),
            ("self_attn.o_proj", vec![HIDDEN, 32]),
            ("mlp.gate_proj", vec![INTERMEDIATE, HIDDEN]),
            ("mlp.up_proj", vec![INTERMEDIATE, HIDDEN]),
            ("mlp.down_proj", vec![HIDDEN, INTERMEDIATE]),
            ("input_layernorm", vec![HIDDEN]),
            ("post_attention_layernorm", vec![HIDDEN]),
        ] {
            shapes.insert(format!("model.layers.{layer}.{name}.weight"), shape);
        }
    }
    let mut state = 1u64;
    let mut number = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    let bytes: BTreeMap<String, Vec<u8>> = shapes
        .iter()
        .map(|(name, shape)| {
            let norm = shape.len() == 1;
            let values = (0..shape.iter().product()).map(|_| if norm { 1.0 + number() } else { number() * 0.6 });
            (name.clone(), values.flat_map(f32::to_le_bytes).collect())
        })
        .collect();
    let views =
        bytes.iter().map(|(name, bytes)| (name.as_str(), TensorView::new(Dtype::F32, shapes[name].clone(), bytes).unwrap()));
    std::fs::write(folder.join("model.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
}

/// A byte-level tokenizer without merges: every byte is a piece. GPT-2's spelling of bytes: printable ones are themselves, the others
/// follow from U+0100 on.
fn tokenizer() -> serde_json::Value {
    let printable = |byte: u32| (0x21..=0x7e).contains(&byte) || (0xa1..=0xac).contains(&byte) || (0xae..=0xff).contains(&byte);
    let mut others = 0x100;
    let mut vocabulary = serde_json::Map::new();
    for byte in 0..256 {
        let spelled = if printable(byte) {
            byte
        } else {
            others += 1;
            others - 1
        };
        vocabulary.insert(char::from_u32(spelled).unwrap().to_string(), json!(byte));
    }
    vocabulary.insert(String::from("<s>"), json!(256));
    json!({
        "version": "1.0",
        "added_tokens": [{"id": 256, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
        "normalizer": null,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "post_processor": null,
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "vocab": vocabulary, "merges": []}
    })
}
