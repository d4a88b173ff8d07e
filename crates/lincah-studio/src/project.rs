//! A project's folder.
//!
//! ```text
//! project.json    task, labels, seed
//! texts.parquet   the texts, read once, numbered from 0 by their place
//! journal.jsonl   what people said, only ever appended to
//! guideline.json  the versions of the guideline
//! classifiers/    those that were published, by their numbers
//! ```

use crate::error::StudioError;
use crate::guideline::{Guideline, GuidelineVersion};
use crate::labels::{Answer, Labels, Said};
use crate::queue::Lot;
use lincah::data::DataError;
use lincah::data::in_memory::Rows;
use lincah::data::journal::{Action, Journal, JournalEntry, Timestamp};
use lincah::data::records::{ReadOptions, RecordReader, Value, ValueKind};
use lincah::data::split::numpy_permutation;
use lincah::data::text_columns::TextColumns;
use lincah::data::texts::read_texts;
use lincah::data::writer::{Destination, OutputColumn, OutputFormat, RecordWriter};
use lincah::{Dataset, Error, FolderLock, LabelSet, Task, regular_file, write_atomically};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SETTINGS_FILE: &str = "project.json";
const TEXTS_FILE: &str = "texts.parquet";
const JOURNAL_FILE: &str = "journal.jsonl";
const GUIDELINE_FILE: &str = "guideline.json";
const TEXT_COLUMN: &str = "text";

/// What is fixed when a project is created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Version of the folder's form.
    pub format: u32,
    /// Whether labels exclude each other.
    pub task: Task,
    /// The labels; the last one is the positive class of two.
    pub labels: Vec<String>,
    /// Draws the order in which texts are taken at random.
    pub seed: u32,
    /// So many texts, the first of that order, are kept for figures: a model's scores of them are by models that were not trained on them.
    pub audit_texts: usize,
}

/// The form that this version writes.
const FORMAT: u32 = 1;

/// A project to be created.
#[derive(Debug, Clone)]
pub struct NewProject {
    /// The file of the texts.
    pub texts: PathBuf,
    /// The column or columns that make a text.
    pub columns: TextColumns,
    /// How the file is read; its columns are ignored.
    pub read: ReadOptions,
    /// Whether labels exclude each other.
    pub task: Task,
    /// The labels.
    pub labels: Vec<String>,
    /// See [`Settings::seed`].
    pub seed: u32,
    /// See [`Settings::audit_texts`]; at most half of the texts are.
    pub audit_texts: usize,
}

/// A project that is open, by this process alone.
#[derive(Debug)]
pub struct Project {
    folder: PathBuf,
    settings: Settings,
    label_set: LabelSet,
    texts: Arc<[String]>,
    lot: Lot,
    labels: Labels,
    guideline: Guideline,
    _lock: FolderLock,
}

impl Project {
    /// Reads the texts, each of several that are the same once, and those without text not at all, and creates the folder.
    ///
    /// # Errors
    /// A folder with something in it; texts that cannot be read, or none; labels that make no set.
    pub fn create(folder: &Path, new: &NewProject) -> Result<Self, StudioError> {
        LabelSet::new(&new.labels).map_err(Error::from)?;
        if std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) || folder.is_file() {
            return Err(StudioError::NotEmpty { path: folder.to_path_buf() });
        }
        let lock = FolderLock::acquire(folder)?;
        let mut seen = HashSet::new();
        let texts = read_texts(&new.texts, &new.read, &new.columns)?.texts;
        let texts: Vec<String> = texts.into_iter().filter(|text| seen.insert(text.clone())).collect();
        std::fs::create_dir_all(folder).map_err(StudioError::file("create", folder))?;
        let path = folder.join(TEXTS_FILE);
        let columns = vec![OutputColumn::new(TEXT_COLUMN, ValueKind::Text)];
        let mut writer = RecordWriter::create(Destination::File(path), OutputFormat::Parquet, columns)?;
        texts.iter().try_for_each(|text| writer.write(vec![Value::Text(text.clone())]))?;
        writer.finish()?;
        let audit_texts = new.audit_texts.min(texts.len() / 2);
        let settings = Settings { format: FORMAT, task: new.task, labels: new.labels.clone(), seed: new.seed, audit_texts };
        // Last, so that a folder that has it is whole.
        let path = folder.join(SETTINGS_FILE);
        let json = serde_json::to_vec_pretty(&settings).expect("settings serialize");
        write_atomically(&path, &json).map_err(StudioError::file("write", &path))?;
        drop(lock);
        Self::open(folder)
    }

    /// Opens a project.
    ///
    /// # Errors
    /// [`StudioError::NoProject`]; a project that is open already, or damaged.
    pub fn open(folder: &Path) -> Result<Self, StudioError> {
        let path = folder.join(SETTINGS_FILE);
        if !path.exists() {
            return Err(StudioError::NoProject { path: folder.to_path_buf() });
        }
        let lock = FolderLock::acquire(folder)?;
        let json = regular_file::read(&path, regular_file::SMALL).map_err(StudioError::file("read", &path))?;
        let damaged = |path: &Path, reason: String| StudioError::Damaged { path: path.to_path_buf(), reason };
        let settings: Settings = serde_json::from_slice(&json).map_err(|error| damaged(&path, error.to_string()))?;
        if settings.format != FORMAT {
            return Err(damaged(&path, format!("its format is {}, and this lincah knows {FORMAT}", settings.format)));
        }
        let label_set = LabelSet::new(&settings.labels).map_err(Error::from)?;
        let read = ReadOptions { columns: Some(vec![TEXT_COLUMN.to_owned()]), ..ReadOptions::default() };
        let reader = RecordReader::open(&folder.join(TEXTS_FILE), &read)?;
        let texts = reader.map(|record| Ok(record?.text(0)?.to_owned())).collect::<Result<Arc<[String]>, DataError>>()?;
        let lot = Lot::new(numpy_permutation(settings.seed, texts.len()), settings.audit_texts);
        let path = folder.join(JOURNAL_FILE);
        let labels = Labels::of(Journal::read(&path)?.entries(), settings.task, &label_set, texts.len())
            .map_err(|reason| damaged(&path, reason))?;
        let guideline = Guideline::read(&folder.join(GUIDELINE_FILE))?;
        Ok(Self { folder: folder.to_path_buf(), settings, label_set, texts, lot, labels, guideline, _lock: lock })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What was fixed at its creation.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The labels.
    pub fn label_set(&self) -> &LabelSet {
        &self.label_set
    }

    /// The texts, by their numbers.
    pub fn texts(&self) -> &Arc<[String]> {
        &self.texts
    }

    /// The order in which texts are drawn.
    pub fn lot(&self) -> &Lot {
        &self.lot
    }

    /// The texts that figures are drawn from.
    pub fn audit(&self) -> &[usize] {
        &self.lot.order[..self.lot.sample]
    }

    /// What people said.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Writes what somebody said of a text, and brings it to disk.
    ///
    /// # Errors
    /// A text that is not there, labels that do not fit; a journal that cannot be written: nothing was said then.
    pub fn say(&mut self, said: Said) -> Result<(), StudioError> {
        let last = self.texts.len() - 1;
        if said.text > last {
            return Err(StudioError::NoText { text: said.text, last });
        }
        self.labels.check(&said)?;
        if said.guideline > self.guideline.version() {
            return Err(StudioError::NoGuideline { version: said.guideline, newest: self.guideline.version() });
        }
        self.write(said)
    }

    /// What the labels mean.
    pub fn guideline(&self) -> &Guideline {
        &self.guideline
    }

    /// Writes a further version of the guideline, in which some labels mean something else, and brings it to disk.
    ///
    /// # Errors
    /// Labels that are not there; a file that cannot be written: there is no new version then.
    pub fn change_guideline(&mut self, who: &str, text: &str, touches: &[usize]) -> Result<(), StudioError> {
        let labels = self.label_set.len();
        if let Some(&label) = touches.iter().find(|label| **label >= labels) {
            return Err(StudioError::NoLabel { label, labels });
        }
        let (who, text, touches) = (who.to_owned(), text.to_owned(), touches.to_vec());
        let version = GuidelineVersion { time: Timestamp::now(), who, text, touches };
        self.guideline = self.guideline.with(version, &self.folder.join(GUIDELINE_FILE))?;
        Ok(())
    }

    /// Texts whose labels were given by an earlier version of the guideline and mean something else by now, in no order.
    pub fn to_review(&self) -> impl Iterator<Item = usize> {
        self.labels.last_opinions().filter_map(|(text, last)| match &last.answer {
            Answer::Labels(labels) if self.guideline.has_changed_since(last.guideline, labels) => Some(text),
            _ => None,
        })
    }

    /// Takes back the last thing that somebody said and that is not taken back; says of which text it was.
    ///
    /// # Errors
    /// A journal that cannot be written.
    pub fn undo(&mut self, who: &str) -> Result<Option<usize>, StudioError> {
        let Some(said) = self.labels.undone(who) else { return Ok(None) };
        let text = said.text;
        self.write(said)?;
        Ok(Some(text))
    }

    fn write(&mut self, said: Said) -> Result<(), StudioError> {
        let (action, labels) = match &said.answer {
            None => (Action::Remove, Vec::new()),
            Some(Answer::Skipped) => (Action::Skip, Vec::new()),
            Some(Answer::Labels(labels)) => {
                (Action::Label, labels.iter().map(|&label| self.settings.labels[label].clone()).collect())
            }
        };
        let entry = JournalEntry {
            // So that the journal alone can be trained on.
            text: (!self.labels.is_known(said.text)).then(|| self.texts[said.text].clone()),
            labels,
            guideline: (said.guideline > 0).then(|| said.guideline.to_string()),
            undo: said.is_undo,
            milliseconds: said.milliseconds,
            ..JournalEntry::new(&said.who, action, said.text.to_string())
        };
        Journal::append(&self.folder.join(JOURNAL_FILE), std::slice::from_ref(&entry))?;
        self.labels.take(said);
        Ok(())
    }

    /// The labelled texts among these as rows to train on, in their order.
    pub fn dataset(&self, texts: impl IntoIterator<Item = usize>) -> Result<Dataset, StudioError> {
        let (mut rows, mut truth) = (Vec::new(), Vec::new());
        for text in texts {
            if let Some(Answer::Labels(labels)) = self.labels.answer(text) {
                rows.push(self.texts[text].clone());
                truth.push((0..self.label_set.len()).map(|label| labels.contains(&label)).collect());
            }
        }
        let rows = Rows { texts: rows, truth, weights: None, columns: Vec::new() };
        Ok(Dataset::from_rows(self.settings.task, self.label_set.clone(), rows)?)
    }
}
