//! Decisions, one JSON object per line, each chained to the one before by a keyed hash.
//!
//! `hmac` is HMAC-SHA256 over the line's other fields as they are written and the `hmac` of the line before, with a secret key: who changes, drops or
//! reorders lines without the key cannot compute the chain anew. What is cut off behind the last line is not seen by the chain alone; keep its
//! last `hmac` elsewhere, too. Texts are not in it, but a keyed hash of each, by which a text at hand can be found again.

use crate::classifiers::Served;
use hmac::{Hmac, KeyInit, Mac};
use lincah::data::journal::Timestamp;
use lincah::{Decision, Prediction};
use serde_json::{Map, Value, json};
use sha2::Sha256;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn keyed(key: &[u8], parts: &[&[u8]]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length works");
    for part in parts {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part);
    }
    hex(&mac.finalize().into_bytes())
}

fn read_key(path: &Path) -> Result<Vec<u8>, LogError> {
    let key = std::fs::read_to_string(path).map_err(file(path))?;
    let key = key.trim();
    if key.len() < SHORTEST_KEY {
        return Err(LogError::ShortKey { path: path.to_path_buf() });
    }
    Ok(key.as_bytes().to_vec())
}

/// Checks whole lines in order; gives the last line's `hmac` and the bytes up to its end. What a crash has cut off at the end is no line.
fn checked(path: &Path, key: &[u8]) -> Result<(String, u64, usize), LogError> {
    let (mut last, mut length, mut lines) = (String::new(), 0, 0);
    let open = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((last, length, lines)),
        open => open.map_err(file(path))?,
    };
    let mut reader = BufReader::new(open);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).map_err(file(path))? > 0 {
        if line.last() != Some(&b'\n') {
            break;
        }
        let broken = || LogError::Broken { path: path.to_path_buf(), line: lines + 1 };
        let mut entry: Map<String, Value> = serde_json::from_slice(&line).map_err(|_| broken())?;
        let found = entry.shift_remove("hmac").and_then(|value| value.as_str().map(str::to_owned)).ok_or_else(broken)?;
        let written = serde_json::to_vec(&entry).expect("an object serializes");
        if keyed(key, &[&written, last.as_bytes()]) != found {
            return Err(broken());
        }
        (last, length, lines) = (found, length + line.len() as u64, lines + 1);
        line.clear();
    }
    Ok((last, length, lines))
}

impl DecisionLog {
    /// Opens a log to go on with, after a look at its whole chain, or begins one.
    ///
    /// # Errors
    /// A file that cannot be used, a key that is too short, a chain that is broken.
    pub fn open(path: &Path, key_file: &Path) -> Result<Self, LogError> {
        let key = read_key(key_file)?;
        let (last, length, _) = checked(path, &key)?;
        let mut log = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(file(path))?;
        // What a crash left of a line goes.
        log.set_len(length).map_err(file(path))?;
        log.seek(SeekFrom::End(0)).map_err(file(path))?;
        Ok(Self { file: log, path: path.to_path_buf(), key, last, length })
    }

    /// The number of lines of a log whose chain holds.
    ///
    /// # Errors
    /// As [`DecisionLog::open`].
    pub fn verify(path: &Path, key_file: &Path) -> Result<usize, LogError> {
        checked(path, &read_key(key_file)?).map(|(_, _, lines)| lines)
    }

    pub(crate) fn append(&mut self, served: &Served, texts: &[String], predictions: &[Prediction]) -> Result<(), LogError> {
        let names = served.classifier.labels().names();
        let (mut lines, mut last) = (Vec::new(), self.last.clone());
        for (text, prediction) in texts.iter().zip(predictions) {
            let named = prediction.named(served.classifier.task(), names);
            let decided = match &prediction.decision {
                Decision::Abstain => Value::Null,
                _ => named["decision"].clone(),
            };
            let entry = json!({
                "time": Timestamp::now().to_string(), "classifier": served.name, "classifier_sha256": served.sha256,
                "text_hmac": keyed(&self.key, &[b"text", text.as_bytes()]), "scores": named["scores"], "thresholds": served.classifier.rule().thresholds,
                "decision": decided, "review": named["review"],
            });
            let Value::Object(mut entry) = entry else { unreachable!("it is an object") };
            let written = serde_json::to_vec(&entry).expect("an object serializes");
            last = keyed(&self.key, &[&written, last.as_bytes()]);
            entry.insert(String::from("hmac"), Value::from(last.clone()));
            lines.extend(serde_json::to_vec(&entry).expect("an object serializes"));
            lines.push(b'\n');
        }
        let written = self.file.write_all(&lines).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // Half a line would break the chain for those that follow.
            let _ = self.file.set_len(self.length).and_then(|()| self.file.seek(SeekFrom::End(0)).map(drop));
            return Err(file(&self.path)(error));
        }
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
            let mut entry =
                Map::from_iter([(String::from("number"), Value::from(number)), (String::from("score"), Value::from(0.1 + 0.2))]);
            last = keyed(&read_key(&key).unwrap(), &[&serde_json::to_vec(&entry).unwrap(), last.as_bytes()]);
            entry.insert(String::from("hmac"), Value::from(last.clone()));
            text += &(serde_json::to_string(&entry).unwrap() + "\n");
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
        drop(DecisionLog::open(&path, &key).unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), whole);
        assert!(DecisionLog::open(&folder.path().join("new"), &key).is_ok());
    }
}
