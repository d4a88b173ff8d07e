//! Texts whose scores are stored with a classifier, so that another machine can tell whether it computes the same.

use crate::error::Error;
use lincah_model::new_file::write_atomically;
use lincah_model::regular_file;
use serde::{Deserialize, Serialize};
use std::path::Path;

const PROBES_FILE: &str = "probes.json";

/// The texts: short and long, of several scripts, and such as no tokenizer likes. None is from any data.
pub(crate) const PROBES: [&str; 8] = [
    "Thank you, that helped a lot.",
    "I don't think this is right, and nobody asked me.",
    "?",
    "The meeting is moved to Thursday at half past nine; please bring the printed plans, the two keys and something to write with.",
    "C'est où, déjà ? Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. Добрый вечер, как дела?",
    "ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok",
    "see https://example.org/a?b=c#d & <b>this</b>\nsecond line\tand a tab",
    "今日はいい天気ですね。🙂🙂 1234567890",
];

/// `probes.json`: the probe texts' probabilities when the classifier was saved, before any calibration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredProbes {
    /// In which precision they were computed.
    pub(crate) precision: String,
    /// Whether on a GPU.
    pub(crate) on_gpu: bool,
    /// Each text.
    pub(crate) probes: Vec<Probe>,
}

/// A text with its probabilities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Probe {
    pub(crate) text: String,
    /// In the labels' order.
    pub(crate) probabilities: Vec<f64>,
}

impl StoredProbes {
    /// Those of a folder; none where it was written before there were any.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join(PROBES_FILE);
        let bytes = match regular_file::read(&path, regular_file::SMALL) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::file("read", path)(error)),
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| Error::Damaged { path, reason: error.to_string() })
    }

    pub(crate) fn write(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(PROBES_FILE);
        let json = serde_json::to_string_pretty(self).expect("probes serialize") + "\n";
        write_atomically(&path, json.as_bytes()).map_err(Error::file("write", &path))
    }
}
