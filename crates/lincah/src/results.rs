//! Files of results that a kill cannot leave half written: each time the whole file, renamed into place; and what their lines share.

use crate::data::dataset::Dataset;
use crate::error::Error;
use crate::label::LabelSet;
use crate::task::Task;
use lincah_model::new_file::write_atomically;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Metrics, one object per fold or run.
pub(crate) const RESULTS_FILE: &str = "results.jsonl";
/// Out-of-fold probabilities, one object per row.
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

/// The true labels of a scored row: one, or any number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RowLabels {
    /// Of exclusive labels.
    One {
        /// Its label.
        label: String,
    },
    /// Of independent labels.
    Any {
        /// Its labels.
        labels: Vec<String>,
    },
}

impl RowLabels {
    /// Those of a row of `data`.
    pub(crate) fn of(data: &Dataset, row: usize) -> Self {
        Self::named(data.task, &data.labels, &data.truth[row])
    }

    /// The names of those of `labels` that a row has.
    pub(crate) fn named(task: Task, labels: &LabelSet, truth: &[bool]) -> Self {
        let mut has = labels.names().iter().zip(truth).filter(|(_, has)| **has).map(|(name, _)| name.clone());
        match task {
            Task::SingleLabel => Self::One { label: has.next().unwrap_or_else(|| labels.names()[0].clone()) },
            Task::MultiLabel => Self::Any { labels: has.collect() },
        }
    }

    /// Whether the row has each of `labels`; none where it has another.
    pub(crate) fn truth(&self, labels: &LabelSet) -> Option<Vec<bool>> {
        let names = match self {
            Self::One { label } => std::slice::from_ref(label),
            Self::Any { labels } => labels,
        };
        let mut truth = vec![false; labels.len()];
        for name in names {
            truth[labels.position(name)?] = true;
        }
        Some(truth)
    }
}

/// The objects of a file with one per line; none if there is no such file.
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

/// Writes one object per line.
pub(crate) fn write_lines<T: Serialize>(path: &Path, objects: &[T]) -> Result<(), Error> {
    let lines = objects.iter().map(|object| serde_json::to_string(object).expect("a result serializes") + "\n");
    write_atomically(path, lines.collect::<String>().as_bytes()).map_err(Error::file("write", path))
}

/// Makes an output folder; one with other things in it than what `owned` names is refused.
pub(crate) fn open_folder(folder: &Path, owned: &str) -> Result<(), Error> {
    let ours = folder.join(owned).exists();
    if !ours && !crate::classifier::is_empty_or_absent(folder)? {
        return Err(Error::NoResultsFolder { path: folder.to_path_buf(), file: owned.to_string() });
    }
    std::fs::create_dir_all(folder).map_err(Error::file("create", folder))
}
