//! The classifier folder: `classifier.json`, `adapter_config.json`, `adapter_model.safetensors`, `README.md`, `training.jsonl`.

use crate::base_model::BaseModel;
use crate::data::dataset::LabelledDataset;
use crate::data::fingerprint::training_fingerprint;
use crate::data::report::DataReport;
use crate::error::Error;
use crate::evaluate::Evaluation;
use crate::prompt::{LabelTokens, Prompt};
use crate::recipe::Recipe;
use crate::task::Task;
use lincah_model::{Adapter, new_file, regular_file};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;

/// The newest `classifier.json` of a classifier of one answer that this lincah writes and reads.
pub const FORMAT_VERSION: u32 = 1;
const RECORD_FILE: &str = "classifier.json";

impl Task {
    /// What a classifier folder's `classifier.json` says.
    ///
    /// # Errors
    /// A folder that is no classifier, a file that is damaged.
    pub fn of(folder: &Path) -> Result<Self, Error> {
        task_of(&read_json(folder)?, folder)
    }
}

/// `classifier.json`: all that is known about a classifier but the adapter's numbers. No text of the data is in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassifierRecord {
    /// [`FORMAT_VERSION`] of the lincah that wrote it.
    pub format_version: u32,
    /// Version of the lincah that wrote it.
    pub lincah_version: String,
    /// Instruction, separator, labels in order, begin of text.
    pub prompt: Prompt,
    /// Token of each label.
    pub label_tokens: LabelTokens,
    /// What it was trained on top of.
    pub base_model: BaseModelRecord,
    /// How it was trained.
    pub recipe: Recipe,
    /// What it was trained with.
    pub data: DataRecord,
    /// Metrics on rows kept from the training: the holdout's where there is one, else the validation rows'.
    pub metrics: Option<Evaluation>,
}

/// Which model a classifier belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseModelRecord {
    /// Catalogue name or path.
    pub name: String,
    /// SHA-256 of the weights.
    pub weights_sha256: String,
    /// Fingerprint of the tokenizer.
    pub tokenizer_sha256: String,
}

impl BaseModelRecord {
    /// The record of a model at hand.
    pub(crate) fn of(base: &BaseModel) -> Self {
        Self {
            name: base.name().to_string(),
            weights_sha256: base.weights_fingerprint().to_string(),
            tokenizer_sha256: base.tokenizer().fingerprint().to_string(),
        }
    }

    /// Refuses a model with other weights or another tokenizer.
    pub(crate) fn verify(&self, base: &BaseModel) -> Result<(), Error> {
        let found = Self::of(base);
        for (part, expected, found) in [
            ("weights", &self.weights_sha256, &found.weights_sha256),
            ("tokenizer", &self.tokenizer_sha256, &found.tokenizer_sha256),
        ] {
            if expected != found {
                let (expected, found) = (expected.clone(), found.clone());
                return Err(Error::WrongBaseModel { part, expected, found, path: base.path().to_path_buf() });
            }
        }
        Ok(())
    }
}

/// What is kept about the training data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataRecord {
    /// Training rows, validation rows not counted.
    pub rows: usize,
    /// Validation rows.
    pub validation_rows: usize,
    /// SHA-256 over the training texts and labels, in order.
    pub fingerprint: String,
    /// Training rows of each label, in the labels' order.
    pub class_rows: Vec<usize>,
    /// The cut that made classes of numbers.
    pub cut: Option<f64>,
    /// Training rows whose text occurs more than once, beyond the first.
    pub duplicate_rows: usize,
    /// Training texts whose end did not fit into the prompt.
    pub cut_texts: usize,
}

impl DataRecord {
    pub(crate) fn class_rows(report: &DataReport) -> Vec<usize> {
        report.classes.iter().map(|class| class.rows).collect()
    }
}

/// Writes `bytes` under a temporary name in the same folder, then renames.
///
/// # Errors
/// [`Error::File`].
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    new_file::write_atomically(path, bytes).map_err(Error::file("write", path))
}

/// Whether `folder` is not there or has nothing in it.
pub(crate) fn is_empty_or_absent(folder: &Path) -> Result<bool, Error> {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(Error::file("read", folder)(error)),
    }
}

pub(super) fn write(folder: &Path, record: &ClassifierRecord, adapter: &Adapter) -> Result<(), Error> {
    write_files(folder, (record, &card(record)), (adapter, &record.base_model))
}

/// Writes adapter, README and, last, `classifier.json`.
pub(crate) fn write_files(
    folder: &Path,
    (record, card): (&impl Serialize, &str),
    (adapter, base_model): (&Adapter, &BaseModelRecord),
) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
    adapter.write(folder, &base_model.name)?;
    write_atomically(&folder.join("README.md"), card.as_bytes())?;
    let mut json = serde_json::to_string_pretty(record).expect("a record serializes");
    json.push('\n');
    write_atomically(&folder.join(RECORD_FILE), json.as_bytes())
}

fn read_json(folder: &Path) -> Result<Value, Error> {
    let path = folder.join(RECORD_FILE);
    let bytes = match regular_file::read(&path, regular_file::SMALL) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let unfinished = folder.join("training.jsonl").exists();
            let hint = if unfinished { "; its training was not finished: run the same command with --resume" } else { "" };
            return Err(Error::NotAClassifier { path: folder.to_path_buf(), hint });
        }
        Err(error) => return Err(Error::file("read", path)(error)),
    };
    serde_json::from_slice(&bytes).map_err(|error| Error::Damaged { path, reason: error.to_string() })
}

fn task_of(value: &Value, folder: &Path) -> Result<Task, Error> {
    match value.get("task") {
        None => Ok(Task::OneLabel),
        Some(task) => serde_json::from_value(task.clone())
            .map_err(|error| Error::Damaged { path: folder.join(RECORD_FILE), reason: error.to_string() }),
    }
}

/// The record of a classifier folder, of the given task and at most the given format version.
pub(crate) fn read_record<T: DeserializeOwned>(folder: &Path, expected: Task, known: u32) -> Result<T, Error> {
    let value = read_json(folder)?;
    let path = folder.join(RECORD_FILE);
    let damaged = |reason: String| Error::Damaged { path: path.clone(), reason };
    let version = value["format_version"].as_u64().ok_or_else(|| damaged(String::from("it has no format_version")))?;
    let found = task_of(&value, folder)?;
    if found != expected {
        return Err(Error::OtherTask { path: folder.to_path_buf(), found, expected });
    }
    if version > u64::from(known) {
        return Err(Error::FormatVersion { path, found: version as u32, known });
    }
    serde_json::from_value(value).map_err(|error| damaged(error.to_string()))
}

impl ClassifierRecord {
    /// Whether the classifier was trained, and its training validated, on these very rows in this order.
    pub fn was_trained_on(&self, data: &LabelledDataset) -> bool {
        let rows = self.data.rows + self.data.validation_rows;
        let same = |train: &LabelledDataset| training_fingerprint(train, self.recipe.soft_labels) == self.data.fingerprint;
        data.len() == rows && self.recipe.split(data).is_ok_and(|(train, _)| same(&train))
    }

    /// Reads a folder's `classifier.json` alone.
    ///
    /// # Errors
    /// A folder that is no classifier of one answer, a file that is damaged or of a later lincah.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        read_record(folder, Task::OneLabel, FORMAT_VERSION)
    }
}

pub(super) fn read(folder: &Path) -> Result<(ClassifierRecord, Adapter), Error> {
    Ok((ClassifierRecord::read(folder)?, Adapter::read(folder)?))
}

/// The README of a classifier folder, in the form of a Hugging Face model card.
fn card(record: &ClassifierRecord) -> String {
    let labels = record.prompt.labels().names();
    let mut card = card_head((&record.lincah_version, &record.base_model), labels, &record.prompt.render("{text}"));
    let _ = writeln!(
        card,
        "The score of a label is the softmax, over the labels' tokens {:?}, of the logits behind this prompt",
        record.label_tokens.ids()
    );
    let _ = writeln!(
        card,
        "(begin-of-text id in front: {}). The positive class is `{}`.\n",
        record.prompt.begin_of_text(),
        record.prompt.labels().positive()
    );
    card.push_str(&card_training(&record.data, labels, &record.recipe));
    if let Some(metrics) = &record.metrics {
        let rows = [("F1", Some(metrics.f1)), ("accuracy", Some(metrics.accuracy)), ("ROC-AUC", metrics.roc_auc)];
        card.push_str(&card_metrics(metrics.n, &rows));
    }
    card.push_str(CARD_LIMITS);
    card
}

/// A card's header, title and prompt.
pub(crate) fn card_head((version, base_model): (&str, &BaseModelRecord), labels: &[String], prompt: &str) -> String {
    format!(
        "---\nlibrary_name: peft\nbase_model: {name}\npipeline_tag: text-classification\ntags: [lora, lincah]\n---\n\n\
         # Text classifier: {}\n\nMade by lincah {version} on top of `{name}`.\n\n## Prompt\n\n```text\n{prompt}\n```\n\n",
        labels.join(", "),
        name = base_model.name,
    )
}

/// A card's account of the training.
pub(crate) fn card_training(data: &DataRecord, labels: &[String], recipe: &Recipe) -> String {
    let counts = labels.iter().zip(&data.class_rows).map(|(label, rows)| format!("{rows} {label}"));
    let targets = recipe.lora.targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let soft = if recipe.soft_labels { " The targets were the fractions in the data (soft labels)." } else { "" };
    format!(
        "## Training\n\n{} texts\n({}), {} texts cut to fit {} tokens.{soft}\n\
         LoRA rank {}, alpha {}, on {targets};\n{} epochs, batch {}, learning rate {} ({:?}), seed {}.\n\n",
        data.rows,
        counts.collect::<Vec<_>>().join(", "),
        data.cut_texts,
        recipe.max_tokens,
        recipe.lora.rank,
        recipe.lora.alpha,
        recipe.epochs,
        recipe.batch_size,
        recipe.learning_rate,
        recipe.schedule,
        recipe.seed,
    )
}

/// A card's table of metrics.
pub(crate) fn card_metrics(rows: usize, metrics: &[(&str, Option<f64>)]) -> String {
    let mut table = format!("## Metrics on {rows} rows kept from the training\n\n| metric | value |\n| --- | --- |\n");
    for (name, value) in metrics {
        let _ = writeln!(table, "| {name} | {} |", value.map_or(String::from("undefined"), |value| format!("{value:.3}")));
    }
    table + "\n"
}

/// A card's last words.
pub(crate) const CARD_LIMITS: &str =
    "## Limits\n\nIt knows only what its training texts show. Test it on your own texts before any decision depends on it.\n";
