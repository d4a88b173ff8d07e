//! Files of results that a kill cannot leave half written: each time the whole file, renamed into place.

use crate::classifier::write_atomically;
use crate::error::Error;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;

/// Metrics, an object a fold or a run.
pub(crate) const RESULTS_FILE: &str = "results.jsonl";
/// Out-of-fold probabilities, an object a row.
pub(crate) const PREDICTIONS_FILE: &str = "predictions.jsonl";

/// What a folder holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderKind {
    /// A classifier, by `train`; it may be unfinished.
    Classifier,
    /// Folds, by `cross-validate`.
    CrossValidation,
    /// Runs, by `sweep`.
    Sweep,
}

impl FolderKind {
    /// Looks which files are there.
    ///
    /// # Errors
    /// [`Error::NothingToReport`].
    pub fn of(folder: &Path) -> Result<Self, Error> {
        let has = |name: &str| folder.join(name).is_file();
        if has("classifier.json") || has("training.jsonl") {
            Ok(Self::Classifier)
        } else if has(PREDICTIONS_FILE) {
            Ok(Self::CrossValidation)
        } else if has(RESULTS_FILE) {
            Ok(Self::Sweep)
        } else {
            Err(Error::NothingToReport { path: folder.to_path_buf() })
        }
    }
}

/// The objects of a file with one a line; none if there is no such file.
pub(crate) fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, Error> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::file("read", path)(error)),
    };
    let parse = |(index, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| Error::DamagedResults {
            path: path.to_path_buf(),
            line: index + 1,
            reason: error.to_string(),
        })
    };
    text.lines().enumerate().map(parse).collect()
}

/// Writes one object a line.
pub(crate) fn write_lines<T: Serialize>(path: &Path, objects: &[T]) -> Result<(), Error> {
    let lines = objects.iter().map(|object| serde_json::to_string(object).expect("a result serializes") + "\n");
    write_atomically(path, lines.collect::<String>().as_bytes())
}

/// Makes an output folder; one with other things in it than what `owned` names is refused.
pub(crate) fn open_folder(folder: &Path, owned: &str) -> Result<(), Error> {
    let ours = folder.join(owned).exists();
    if !ours && !crate::classifier::is_empty_or_absent(folder)? {
        return Err(Error::NoResultsFolder { path: folder.to_path_buf(), file: owned.to_string() });
    }
    std::fs::create_dir_all(folder).map_err(Error::file("create", folder))
}
