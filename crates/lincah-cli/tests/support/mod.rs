//! A folder to work in, the command, and a model small enough to train within a second.
#![allow(dead_code, reason = "each test file uses a part")]

#[path = "../../../lincah/tests/tiny_model/mod.rs"]
mod tiny_model;

use std::path::PathBuf;
use std::process::{Command, Output};
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
