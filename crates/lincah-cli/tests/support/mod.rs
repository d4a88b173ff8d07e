//! A folder to work in, the command, and a model small enough to train within a second.
#![allow(dead_code, reason = "each test file uses a part")]

pub mod serving;
#[path = "../../../lincah/tests/tiny_model/mod.rs"]
mod tiny_model;

use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;
pub use tiny_model::write as write_tiny_model;

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

    /// Puts another tiny decoder into the folder `other`.
    pub fn with_other_decoder(self) -> Self {
        write_tiny_model(&self.path("other"));
        let weights = self.path("other/model.safetensors");
        let mut bytes = std::fs::read(&weights).unwrap();
        let length = bytes.len();
        // Other signs, the same sizes.
        bytes[length - 8000..].chunks_exact_mut(4).step_by(3).for_each(|number| number[3] ^= 0x80);
        std::fs::write(&weights, bytes).unwrap();
        self
    }

    /// Sends Ctrl-C to a training that the options describe once the log at `log` has some steps; gives what it said.
    pub fn interrupted(&self, train: &str, log: &str) -> String {
        let child = self.command(train).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = self.path(log);
        while std::fs::read_to_string(&log).map_or(0, |log| log.lines().count()) < 20 {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        let message = Ran::of(child.wait_with_output().unwrap()).refused();
        assert!(message.starts_with("error: stopped at step ") && message.contains("--resume"), "{message}");
        message
    }

    /// Puts a tiny random BERT over letters and digits into the folder `bert`.
    pub fn with_encoder(self) -> Self {
        let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../lincah-model/tests/golden/bert");
        std::fs::create_dir_all(self.path("bert")).unwrap();
        for name in ["config.json", "model.safetensors"] {
            std::fs::copy(golden.join(name), self.path("bert").join(name)).unwrap();
        }
        let pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(String::from).into_iter();
        let letters = || ('a'..='z').chain('0'..='9');
        let pieces = pieces.chain(letters().map(String::from)).chain(letters().map(|letter| format!("##{letter}")));
        let vocabulary: serde_json::Map<String, Value> = pieces.zip(0u32..).map(|(piece, id)| (piece, id.into())).collect();
        let special = |name: &str| json!({"SpecialToken": {"id": name, "type_id": 0}});
        let added = |name: &str| json!({"id": vocabulary[name], "content": name, "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false});
        let framed = json!([special("[CLS]"), {"Sequence": {"id": "A", "type_id": 0}}, special("[SEP]")]);
        let ids = |name: &str| json!({"id": name, "ids": [vocabulary[name]], "tokens": [name]});
        let tokenizer = json!({
            "version": "1.0", "truncation": null,
            "padding": {"strategy": {"Fixed": 128}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
            "added_tokens": [added("[PAD]"), added("[UNK]"), added("[CLS]"), added("[SEP]"), added("[MASK]")],
            "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {"type": "TemplateProcessing", "single": framed, "pair": framed,
                "special_tokens": {"[CLS]": ids("[CLS]"), "[SEP]": ids("[SEP]")}},
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": vocabulary}
        });
        self.write("bert/tokenizer.json", tokenizer.to_string());
        self
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
