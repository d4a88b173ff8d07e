//! The classifier folder: `classifier.json`, `adapter_config.json`, `adapter_model.safetensors`, `probes.json`, `README.md`, `training.jsonl`.

use super::base_model_record::BaseModelRecord;
use super::member_record::{MEMBERS_FOLDER, MemberRecord, member_folder};
use super::remembered::RememberedRows;
use crate::base_model::BaseModel;
use crate::calibration::{Calibration, CalibrationFigures};
use crate::cascade::Cascade;
use crate::data::dataset::Dataset;
use crate::data::fingerprint::training_fingerprint;
use crate::data::text_columns::TextColumns;
use crate::decisions::{DecisionSource, OperatingPoints};
use crate::error::Error;
use crate::evaluation::Evaluation;
use crate::prediction::DecisionRule;
use crate::prompt::{LabelTokens, Prompt};
use crate::recipe::{Method, Recipe};
use crate::scoring::Scoring;
use crate::sweep::recipe_settings;
use crate::task::Task;
use lincah_model::new_file::write_atomically;
use lincah_model::{Adapter, LoraConfig, LoraLayout, regular_file, sha256};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::Path;

/// The newest `classifier.json` that this lincah writes and reads. Version 1 knew exclusive labels only, version 2 was of independent ones.
pub const FORMAT_VERSION: u32 = 3;
const RECORD_FILE: &str = "classifier.json";
/// Fields that a later lincah fills: what they say changes scores or decisions, so it cannot be left out.
const RESERVED: [&str; 1] = ["text_normalization"];

/// `classifier.json`: all that is known about a classifier but the adapter's numbers. No text of the data is in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassifierRecord {
    /// [`FORMAT_VERSION`] of the lincah that wrote it.
    pub format_version: u32,
    /// Version of the lincah that wrote it.
    pub lincah_version: String,
    /// Whether its labels are exclusive or independent.
    #[serde(default)]
    pub task: Task,
    /// What is asked of the model.
    pub prompt: Prompt,
    /// Token of each answer; absent where no model is asked.
    #[serde(alias = "answer_tokens", default = "LabelTokens::none", skip_serializing_if = "LabelTokens::is_none")]
    pub label_tokens: LabelTokens,
    /// What it was trained on top of; of several members the first one's.
    pub base_model: BaseModelRecord,
    /// What it is made of; absent where that is one adapter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<MemberRecord>,
    /// Each member's weight in the mixture; absent where there is one member.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<f64>,
    /// Members that its training has not come to yet; absent where it is finished.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub members_to_come: usize,
    /// How it was trained.
    pub recipe: Recipe,
    /// What it was trained with.
    pub data: DataRecord,
    /// Metrics on rows kept from the training, if some were.
    pub metrics: Option<Evaluation>,
    /// What makes decisions of probabilities.
    #[serde(default, skip_serializing_if = "is_default")]
    pub decision_rule: DecisionRule,
    /// What is done to the model's probabilities before; absent where nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// What calibration and decision rule were chosen on, and what they reach; absent where they were not chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decisions: Option<DecisionRecord>,
    /// When the first of several members is enough; absent where that was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cascade: Option<Cascade>,
    /// The rows that it has seen; absent from what lincah wrote before it remembered them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training_rows: Option<RememberedRows>,
    /// The precision that it was trained in, as `f32` or `bf16`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<String>,
    /// SHA-256 of the adapter's configuration and numbers; absent from what lincah wrote before version 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter_sha256: Option<String>,
    /// SHA-256 of prompt, label tokens and the longest prompt's tokens; absent from what lincah wrote before version 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_sha256: Option<String>,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

fn is_default(rule: &DecisionRule) -> bool {
    *rule == DecisionRule::default()
}

/// How calibration and decision rule were chosen, and what they reach on rows that did not choose them: those of each fold are decided by
/// what was chosen on the other folds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionRecord {
    /// Which rows.
    pub source: DecisionSource,
    /// How many.
    pub rows: usize,
    /// What the decisions reach.
    pub points: OperatingPoints,
    /// How the probabilities are calibrated as they are.
    pub before: CalibrationFigures,
    /// And after calibration.
    pub after: CalibrationFigures,
    /// Labels whose target no threshold reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub out_of_reach: Vec<String>,
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
    /// Training rows that have each label, in the labels' order.
    #[serde(rename = "class_rows")]
    pub label_rows: Vec<usize>,
    /// What made labels of numbers.
    #[serde(rename = "cut")]
    pub threshold: Option<f64>,
    /// Training rows whose text occurs more than once, beyond the first.
    pub duplicate_rows: usize,
    /// Training texts whose end did not fit into the prompt.
    #[serde(rename = "cut_texts")]
    pub truncated_texts: usize,
    /// The columns that made a text, where they are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_columns: Option<TextColumns>,
}

impl DataRecord {
    /// Of a classifier that something else has trained.
    pub(crate) fn unknown(labels: usize) -> Self {
        Self {
            rows: 0,
            validation_rows: 0,
            fingerprint: String::new(),
            label_rows: vec![0; labels],
            threshold: None,
            duplicate_rows: 0,
            truncated_texts: 0,
            text_columns: None,
        }
    }

    /// Whether nothing is known of it.
    pub(crate) fn is_unknown(&self) -> bool {
        self.fingerprint.is_empty()
    }
}

/// What a training decides of its classifier's record.
pub(crate) struct NewRecord<'a> {
    pub(crate) base: &'a BaseModel,
    pub(crate) scoring: &'a Scoring,
    pub(crate) recipe: &'a Recipe,
    pub(crate) data: DataRecord,
}

impl From<NewRecord<'_>> for ClassifierRecord {
    fn from(NewRecord { base, scoring, recipe, data }: NewRecord) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            lincah_version: env!("CARGO_PKG_VERSION").to_string(),
            task: scoring.prompt.task(),
            prompt: scoring.prompt.clone(),
            label_tokens: scoring.label_tokens.clone(),
            base_model: BaseModelRecord::of(base),
            members: Vec::new(),
            weights: Vec::new(),
            members_to_come: 0,
            recipe: recipe.clone(),
            data,
            metrics: None,
            decision_rule: DecisionRule::default(),
            calibration: None,
            decisions: None,
            cascade: None,
            training_rows: None,
            precision: Some(base.precision().to_string()),
            adapter_sha256: None,
            prompt_sha256: None,
        }
    }
}

impl ClassifierRecord {
    /// Reads a folder's `classifier.json` alone.
    ///
    /// # Errors
    /// A folder that is no classifier, a file that is damaged or of a later lincah.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(RECORD_FILE);
        let damaged = |reason: String| Error::Damaged { path: path.clone(), reason };
        let value = read_json(folder)?;
        let version = value["format_version"].as_u64().ok_or_else(|| damaged(String::from("it has no format_version")))?;
        if version > u64::from(FORMAT_VERSION) {
            return Err(Error::FormatVersion { path, found: version, known: FORMAT_VERSION });
        }
        if let Some(field) = RESERVED.into_iter().find(|field| value.get(field).is_some_and(|value| !value.is_null())) {
            return Err(Error::UnknownField { path, field });
        }
        let record: Self = serde_json::from_value(value).map_err(|error| damaged(error.to_string()))?;
        if record.task != record.prompt.task() {
            return Err(damaged(String::from("its task is not its prompt's")));
        }
        let labels = record.prompt.labels().len();
        if !record.decision_rule.fits(labels) || !record.calibration.as_ref().is_none_or(|map| map.fits(record.task, labels)) {
            return Err(damaged(String::from("its decision rule or calibration is not one of its labels")));
        }
        let several = record.members.len() > 1;
        if !record.cascade.as_ref().is_none_or(|cascade| several && cascade.fits(record.task, labels)) {
            return Err(damaged(String::from("its cascade is not one of its members and labels")));
        }
        let weights = &record.weights;
        if weights.len() != if record.members.len() > 1 { record.members.len() } else { 0 }
            || weights.iter().any(|weight| !weight.is_finite() || *weight < 0.0)
        {
            return Err(damaged(String::from("it has not a weight of 0 or more per member")));
        }
        if record.has_adapter() && record.label_tokens.is_none() {
            return Err(damaged(String::from("it has no token of any answer")));
        }
        Ok(record)
    }

    /// Whether its own folder holds an adapter.
    pub fn has_adapter(&self) -> bool {
        self.members.is_empty() || self.members.contains(&MemberRecord::Adapter)
    }

    /// Its members in words, with their weights; none where it is one adapter.
    pub fn member_descriptions(&self) -> Vec<String> {
        let member = |(place, member): (usize, &MemberRecord)| {
            let what = member.description(&self.base_model);
            match self.weights.get(place) {
                Some(weight) => format!("{what}; weight {weight:.3}"),
                None => what,
            }
        };
        self.members.iter().enumerate().map(member).collect()
    }

    /// How it was trained, and its members where it has several, by name.
    pub fn settings(&self) -> Map<String, Value> {
        let mut settings = recipe_settings(&self.prompt, &self.recipe);
        let members = self.member_descriptions().into_iter().enumerate();
        settings.extend(members.map(|(place, member)| (format!("member {}", place + 1), Value::from(member))));
        settings
    }

    /// The models that it is made of, each once.
    pub fn base_models(&self) -> Vec<BaseModelRecord> {
        let mut models = vec![self.base_model.clone()];
        let of_members = self.members.iter().flat_map(|member| match member {
            MemberRecord::Adapter => Vec::new(),
            MemberRecord::Probe { base_model, .. } => vec![base_model.clone()],
            MemberRecord::Classifier { base_models, .. } => base_models.clone(),
        });
        for model in of_members {
            if !models.contains(&model) {
                models.push(model);
            }
        }
        models
    }

    /// The record of the first decoder that is asked about the labels: its own, or that of a member in the same folder; none where no model is
    /// asked.
    ///
    /// # Errors
    /// As [`Self::read`], of a member.
    pub fn asked(&self, folder: &Path) -> Result<Option<Self>, Error> {
        if self.has_adapter() {
            return Ok(Some(self.clone()));
        }
        for (number, member) in self.members.iter().enumerate() {
            if matches!(member, MemberRecord::Classifier { method: Method::Lora, .. }) {
                return Self::read(&member_folder(folder, number)).map(Some);
            }
        }
        Ok(None)
    }

    /// Whether another record is of the same training: hashes, which are known once a folder is written, and what is chosen later don't count.
    pub(super) fn is_of_the_same_classifier(&self, other: &Self) -> bool {
        let essence = |record: &Self| {
            (
                record.prompt.clone(),
                record.recipe.clone(),
                record.data.clone(),
                record.base_models(),
                record.training_rows.clone(),
            )
        };
        essence(self) == essence(other)
    }

    /// Refuses a member in `folder` other than the one that was saved.
    pub(super) fn verify_member(folder: &Path, sha256: Option<&str>) -> Result<(), Error> {
        if sha256 == Some(Self::file_sha256(folder)?.as_str()) {
            return Ok(());
        }
        let reason = String::from("it is not the member that the classifier was saved with");
        Err(Error::Damaged { path: folder.join(RECORD_FILE), reason })
    }

    /// SHA-256 of a folder's `classifier.json`, which names all that a classifier's scores and decisions come from.
    ///
    /// # Errors
    /// A file that is not there, or cannot be read.
    pub fn file_sha256(folder: &Path) -> Result<String, Error> {
        let path = folder.join(RECORD_FILE);
        Ok(sha256::of_bytes(regular_file::read(&path, regular_file::SMALL).map_err(Error::file("read", &path))?))
    }

    /// Refuses a prompt other than the one that was saved.
    pub(super) fn verify_prompt(&self, folder: &Path) -> Result<(), Error> {
        if self.prompt_sha256.as_ref().is_some_and(|expected| *expected != self.asked_sha256()) {
            let reason = String::from("the prompt in classifier.json is not the one that it was saved with");
            return Err(Error::Damaged { path: folder.to_path_buf(), reason });
        }
        Ok(())
    }

    /// Refuses an adapter other than the one that was saved, and a base model other than the one it was trained on.
    pub(super) fn verify(&self, folder: &Path, adapter: &Adapter, base: &BaseModel) -> Result<(), Error> {
        if self.adapter_sha256.as_ref().is_some_and(|expected| *expected != adapter.sha256()) {
            let reason = String::from("the adapter is not the one that the classifier was saved with");
            return Err(Error::Damaged { path: folder.to_path_buf(), reason });
        }
        if !is_of_recipe(&adapter.config, &self.recipe) {
            let reason = String::from("adapter_config.json is not that of the recipe in classifier.json");
            return Err(Error::Damaged { path: folder.to_path_buf(), reason });
        }
        self.scoring().check_adapter(adapter)?;
        self.base_model.verify(base)?;
        Ok(self.label_tokens.verify(&self.prompt, base.tokenizer())?)
    }

    /// [`Self::prompt_sha256`] of what is asked now.
    fn asked_sha256(&self) -> String {
        let asked = (&self.prompt, &self.label_tokens, self.recipe.max_tokens);
        sha256::of_bytes(serde_json::to_vec(&asked).expect("a prompt serializes"))
    }

    pub(super) fn scoring(&self) -> Scoring {
        Scoring { prompt: self.prompt.clone(), label_tokens: self.label_tokens.clone(), max_tokens: self.recipe.max_tokens }
    }

    /// Whether the classifier was trained, and its training validated, on these very rows in this order.
    pub fn was_trained_on(&self, data: &Dataset) -> bool {
        let rows = self.data.rows + self.data.validation_rows;
        let same = |train: &Dataset| training_fingerprint(train, self.recipe.soft_labels) == self.data.fingerprint;
        data.len() == rows && self.recipe.split(data).is_ok_and(|sides| same(&sides.train))
    }
}

/// Whether an adapter's targets, layers and way to scale are those of the recipe.
fn is_of_recipe(config: &LoraConfig, recipe: &Recipe) -> bool {
    let lora = &recipe.lora;
    let scale = if lora.layout == LoraLayout::Whole && lora.rank_stabilized == config.rank_stabilized {
        // The mean of several members keeps alpha over the members' rank, or over its root.
        let members = recipe.members as f64;
        let expected = if lora.rank_stabilized { lora.alpha / members.sqrt() } else { lora.alpha };
        (config.alpha - expected).abs() <= 1e-9 * expected && config.rank == lora.rank * recipe.members
    } else {
        lora.layout == LoraLayout::PerHead && (config.scale() - lora.scale()).abs() <= 1e-6 * lora.scale()
    };
    let mut targets = lora.targets.clone();
    targets.sort();
    scale && config.targets == targets && config.layers == lora.layers
}

/// Whether `folder` is not there or has nothing in it.
pub(crate) fn is_empty_or_absent(folder: &Path) -> Result<bool, Error> {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(Error::file("read", folder)(error)),
    }
}

/// Writes README and, last, `classifier.json` beside the adapter that is there.
pub(super) fn write_record(folder: &Path, record: &ClassifierRecord, card: String) -> Result<(), Error> {
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        write_atomically(&path, text.as_bytes()).map_err(Error::file("write", &path))
    };
    write("README.md", card)?;
    let mut all = record.members.clone();
    for (number, member) in all.iter_mut().enumerate() {
        if let MemberRecord::Classifier { sha256, .. } = member {
            let folder = member_folder(folder, number);
            if sha256.is_some() {
                // What was loaded and measured is what is meant.
                ClassifierRecord::verify_member(&folder, sha256.as_deref())?;
            }
            *sha256 = Some(ClassifierRecord::file_sha256(&folder)?);
        }
    }
    let record = ClassifierRecord {
        format_version: FORMAT_VERSION,
        members: all,
        adapter_sha256: record.has_adapter().then(|| Adapter::read(folder)).transpose()?.map(|adapter| adapter.sha256()),
        prompt_sha256: Some(record.asked_sha256()),
        ..record.clone()
    };
    write(RECORD_FILE, serde_json::to_string_pretty(&record).expect("a record serializes") + "\n")
}

fn read_json(folder: &Path) -> Result<Value, Error> {
    let path = folder.join(RECORD_FILE);
    let bytes = match regular_file::read(&path, regular_file::SMALL) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let unfinished = ["training.jsonl", MEMBERS_FOLDER].iter().any(|name| folder.join(name).exists());
            let hint = if unfinished { "; its training was not finished: run the same command with --resume" } else { "" };
            return Err(Error::NotAClassifier { path: folder.to_path_buf(), hint });
        }
        Err(error) => return Err(Error::file("read", path)(error)),
    };
    serde_json::from_slice(&bytes).map_err(|error| Error::Damaged { path, reason: error.to_string() })
}
