//! Decisions, one JSON object per line, each chained to the one before by a keyed hash.
//!
//! `hmac` is HMAC-SHA256 over the line's other fields as they are written and the `hmac` of the line before, with a secret key: who changes, drops or
//! reorders lines without the key cannot compute the chain anew. What is cut off behind the last line is not seen by the chain alone; keep its
//! last `hmac` elsewhere, too. Texts are not in it, but a keyed hash of each, by which a text at hand can be found again.

use hmac::{Hmac, KeyInit, Mac};
use lincah::data::journal::Timestamp;
use lincah::{LabelSet, Prediction, Task, regular_file, sha256};
use serde_json::{Map, Value};
use sha2::Sha256;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Fewest bytes of a key.
const SHORTEST_KEY: usize = 32;

/// What is wrong with a log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// A file.
    #[error("cannot use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A key that is too short.
    #[error("the key in {} has fewer than {SHORTEST_KEY} characters", path.display())]
    ShortKey {
        /// Its file.
        path: PathBuf,
    },
    /// Another server writes to it.
    #[error("{} is written by another server", path.display())]
    InUse {
        /// The log.
        path: PathBuf,
    },
    /// The chain is broken.
    #[error("line {line} of {} is not the one that was written there, or the key is another", path.display())]
    Broken {
        /// The log.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
}

fn file(path: &Path) -> impl Fn(std::io::Error) -> LogError + '_ {
    |source| LogError::File { path: path.to_path_buf(), source }
}

/// A log that is appended to.
pub struct DecisionLog {
    file: File,
    path: PathBuf,
    key: Vec<u8>,
    /// The last line's `hmac`.
    last: String,
    /// Bytes of whole lines.
    length: u64,
}

fn keyed(key: &[u8], parts: &[&[u8]]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length works");
    for part in parts {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part);
    }
    sha256::hexadecimal(mac.finalize().into_bytes())
}

fn read_key(path: &Path) -> Result<Vec<u8>, LogError> {
    let key = regular_file::read_text(path, regular_file::SMALL).map_err(file(path))?;
    let key = key.trim();
    if key.len() < SHORTEST_KEY {
        return Err(LogError::ShortKey { path: path.to_path_buf() });
    }
    Ok(key.as_bytes().to_vec())
}

/// Whose decisions are logged.
pub(crate) struct Decider<'a> {
    pub(crate) name: &'a str,
    pub(crate) sha256: &'a str,
    pub(crate) task: Task,
    pub(crate) labels: &'a LabelSet,
    pub(crate) thresholds: &'a [f64],
}

/// The whole lines of a log whose chain holds.
#[derive(Default)]
struct Checked {
    /// The last line's `hmac`.
    last: String,
    /// Bytes up to the end of the last whole line.
    length: u64,
    lines: usize,
}

/// Checks whole lines in order, byte by byte. What a crash has cut off at the end is no line.
fn checked(path: &Path, log: impl Read, key: &[u8]) -> Result<Checked, LogError> {
    let mut found = Checked::default();
    let (mut reader, mut line) = (BufReader::new(log), Vec::new());
    while reader.read_until(b'\n', &mut line).map_err(file(path))? > 0 && line.last() == Some(&b'\n') {
        let broken = || LogError::Broken { path: path.to_path_buf(), line: found.lines + 1 };
        let mut entry: Map<String, Value> = serde_json::from_slice(&line).map_err(|_| broken())?;
        let hmac = entry.shift_remove("hmac").and_then(|value| value.as_str().map(str::to_owned)).ok_or_else(broken)?;
        let (written, whole) = written(entry, key, &found.last);
        // Another way to write the same fields is another line.
        if whole != line || written != hmac {
            return Err(broken());
        }
        found = Checked { last: hmac, length: found.length + line.len() as u64, lines: found.lines + 1 };
        line.clear();
    }
    Ok(found)
}

/// The `hmac` of an entry behind the one before, and its line.
fn written(mut entry: Map<String, Value>, key: &[u8], last: &str) -> (String, Vec<u8>) {
    let bytes = serde_json::to_vec(&entry).expect("an object serializes");
    let hmac = keyed(key, &[&bytes, last.as_bytes()]);
    entry.insert(String::from("hmac"), Value::from(hmac.clone()));
    let mut line = serde_json::to_vec(&entry).expect("an object serializes");
    line.push(b'\n');
    (hmac, line)
}

impl DecisionLog {
    /// Opens a log to go on with, after a look at its whole chain, or begins one. It is locked as long as this lives.
    ///
    /// # Errors
    /// A file that cannot be used or that another server writes to, a key that is too short, a chain that is broken.
    pub fn open(path: &Path, key_file: &Path) -> Result<Self, LogError> {
        let key = read_key(key_file)?;
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let log = open.map_err(file(path))?;
        if matches!(log.try_lock(), Err(TryLockError::WouldBlock)) {
            return Err(LogError::InUse { path: path.to_path_buf() });
        }
        let Checked { last, length, .. } = checked(path, &log, &key)?;
        Ok(Self { file: log, path: path.to_path_buf(), key, last, length })
    }

    /// The number of lines of a log whose chain holds; 0 where there is none yet. Nothing is written.
    ///
    /// # Errors
    /// As [`DecisionLog::open`].
    pub fn verify(path: &Path, key_file: &Path) -> Result<usize, LogError> {
        let key = read_key(key_file)?;
        match regular_file::open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            open => Self::verify_from(path, open.map_err(file(path))?, &key),
        }
    }

    /// The same of a log that is read from anywhere, with the key itself; `path` is what errors name.
    ///
    /// # Errors
    /// A log that cannot be read, a chain that is broken.
    pub fn verify_from(path: &Path, log: impl Read, key: &[u8]) -> Result<usize, LogError> {
        checked(path, log, key).map(|checked| checked.lines)
    }

    pub(crate) fn append(&mut self, decider: &Decider, texts: &[String], predictions: &[Prediction]) -> Result<(), LogError> {
        let (mut lines, mut last) = (Vec::new(), self.last.clone());
        for (text, prediction) in texts.iter().zip(predictions) {
            let named = prediction.named(decider.task, decider.labels);
            let fields = [
                ("time", Value::from(Timestamp::now().to_string())),
                ("classifier", decider.name.into()),
                ("classifier_sha256", decider.sha256.into()),
                ("text_hmac", keyed(&self.key, &[b"text", text.as_bytes()]).into()),
                ("scores", named["scores"].clone()),
                ("thresholds", decider.thresholds.into()),
                ("decision", named["decision"].clone()),
                ("review", named["review"].clone()),
            ];
            let entry = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            let (hmac, line) = written(entry, &self.key, &last);
            lines.extend(line);
            last = hmac;
        }
        // Behind the last whole line, whatever a write that failed has left there.
        let log = &mut self.file;
        let at_end = log.set_len(self.length).and_then(|()| log.seek(SeekFrom::Start(self.length)));
        at_end.and_then(|_| log.write_all(&lines)).and_then(|()| log.sync_data()).map_err(file(&self.path))?;
        (self.last, self.length) = (last, self.length + lines.len() as u64);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log of three lines, written as `append` writes them.
    fn log(folder: &Path) -> (PathBuf, PathBuf) {
        let (path, key) = (folder.join("log"), folder.join("key"));
        std::fs::write(&key, "a-key-of-forty-characters-for-these-tests\n").unwrap();
        let mut last = String::new();
        let mut text = String::new();
        for number in 0..3 {
            let entry =
                Map::from_iter([(String::from("number"), Value::from(number)), (String::from("score"), Value::from(0.1 + 0.2))]);
            let (hmac, line) = written(entry, &read_key(&key).unwrap(), &last);
            (last, text) = (hmac, text + &String::from_utf8(line).unwrap());
        }
        std::fs::write(&path, text).unwrap();
        (path, key)
    }

    #[test]
    fn a_chain_holds_until_a_line_is_changed_dropped_or_moved() {
        let folder = tempfile::tempdir().unwrap();
        let (path, key) = log(folder.path());
        assert_eq!(DecisionLog::verify(&path, &key).unwrap(), 3);
        let whole = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = whole.lines().collect();
        for (wrong, at) in [
            (whole.replacen("0.30000000000000004", "0.3", 1), 1),
            (format!("{}\n{}\n", lines[0], lines[2]), 2),
            (format!("{}\n{}\n{}\n", lines[1], lines[0], lines[2]), 1),
            (format!("{}\nno line\n", lines[0]), 2),
            // The same fields, written otherwise.
            (whole.replacen("{\"number\":1", "{\"number\":7,\"number\":1", 1), 2),
            (whole.replacen("\"number\":2", "\"number\": 2", 1), 3),
            (whole.replacen("number", "\\u006eumber", 1), 1),
        ] {
            std::fs::write(&path, wrong).unwrap();
            let error = DecisionLog::verify(&path, &key).unwrap_err().to_string();
            assert!(error.contains(&format!("line {at} ")), "{error}");
            assert!(DecisionLog::open(&path, &key).is_err());
        }
        std::fs::write(&path, &whole).unwrap();
        std::fs::write(&key, "another-key-of-forty-characters-for-tests").unwrap();
        assert!(DecisionLog::verify(&path, &key).is_err());
        std::fs::write(&key, "short").unwrap();
        assert!(matches!(DecisionLog::open(&path, &key), Err(LogError::ShortKey { .. })));
    }

    #[test]
    fn what_a_crash_left_of_a_line_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, key) = log(folder.path());
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&whole[..], b"{\"number\":3,\"sco"].concat()).unwrap();
        let mut log = DecisionLog::open(&path, &key).unwrap();
        assert!(matches!(DecisionLog::open(&path, &key), Err(LogError::InUse { .. })));
        let labels = LabelSet::new(["no", "yes"]).unwrap();
        let decider = Decider { name: "kind", sha256: "0", task: Task::SingleLabel, labels: &labels, thresholds: &[] };
        let prediction = Prediction::new(Task::SingleLabel, vec![0.1 + 0.2, 0.7], 0);
        log.append(&decider, &[String::from("a text")], &[prediction]).unwrap();
        drop(log);
        let written = std::fs::read(&path).unwrap();
        assert!(written.starts_with(&whole) && !written.windows(6).any(|bytes| bytes == b"a text"));
        assert_eq!(DecisionLog::verify(&path, &key).unwrap(), 4);
        let new = folder.path().join("new");
        assert_eq!(DecisionLog::verify(&new, &key).unwrap(), 0);
        assert!(!new.exists() && DecisionLog::open(&new, &key).is_ok());
    }
}
