//! A PEFT adapter that others trained, or that was exported, as a classifier.

use crate::base_model::BaseModel;
use crate::calibration::Calibration;
use crate::classifier::{AgileClassifier, ClassifierRecord, DataRecord, NewRecord};
use crate::error::Error;
use crate::prediction::DecisionRule;
use crate::prompt::Prompt;
use crate::recipe::Recipe;
use crate::scoring::Scoring;
use lincah_model::{Adapter, regular_file};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

/// The file of an export that says how its model is asked.
pub(crate) const PROMPT_FILE: &str = "prompt.json";

/// How an imported adapter is asked, and what is made of its answers. An export of lincah has it in `prompt.json`, as `classifier`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// What is asked.
    pub prompt: Prompt,
    /// Longest prompt, in tokens.
    pub max_tokens: usize,
    /// What makes decisions of probabilities.
    pub decision_rule: DecisionRule,
    /// What is done to probabilities.
    #[serde(default)]
    pub calibration: Calibration,
}

impl Asked {
    /// What an export's folder says; `None` where it says nothing.
    ///
    /// # Errors
    /// A file that cannot be read, or says something else.
    pub fn read(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join(PROMPT_FILE);
        let damaged = |error: serde_json::Error| Error::Damaged { path: path.clone(), reason: error.to_string() };
        match regular_file::read(&path, regular_file::SMALL) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            read => {
                let bytes = read.map_err(Error::file("read", &path))?;
                let mut json: Value = serde_json::from_slice(&bytes).map_err(damaged)?;
                let classifier = json.get_mut("classifier").map(Value::take).unwrap_or_default();
                serde_json::from_value(classifier).map(Some).map_err(damaged)
            }
        }
    }
}

/// The base model that a PEFT adapter names.
///
/// # Errors
/// A configuration that is not there or no JSON.
pub fn base_model_of(folder: &Path) -> Result<Option<String>, Error> {
    let path = folder.join("adapter_config.json");
    let bytes = regular_file::read(&path, regular_file::SMALL).map_err(Error::file("read", &path))?;
    let json: Value = serde_json::from_slice(&bytes).map_err(|error| Error::Damaged { path, reason: error.to_string() })?;
    Ok(json["base_model_name_or_path"].as_str().filter(|name| !name.is_empty()).map(str::to_owned))
}

impl AgileClassifier {
    /// A PEFT adapter of a causal language model (`task_type` CAUSAL_LM) or of a sequence classifier (SEQ_CLS, whose head becomes label rows),
    /// asked as `asked` says. Nothing is known of what it was trained on.
    ///
    /// # Errors
    /// Files that are not there, damaged or of another kind of adapter or model; labels that the tokenizer cannot tell apart; decisions that
    /// are not of these labels.
    pub fn import(folder: &Path, base: &BaseModel, asked: Asked) -> Result<Self, Error> {
        let adapter = Adapter::read(folder)?;
        let Asked { prompt, max_tokens, decision_rule, calibration } = asked;
        let (task, labels) = (prompt.task(), prompt.labels().len());
        if !decision_rule.fits(labels) || !calibration.fits(task, labels) {
            let reason = String::from("its decision rule or calibration is not one of its labels");
            return Err(Error::Damaged { path: folder.join(PROMPT_FILE), reason });
        }
        // A sequence classifier has rows, whatever the options say.
        let prompt = if adapter.label_rows().is_some() { prompt.with_label_rows()? } else { prompt };
        let scoring = Scoring::resolve(base, prompt, max_tokens)?;
        let adapter = scoring.with_rows_of_others(adapter);
        let recipe = Recipe { lora: adapter.config.clone(), max_tokens, ..Recipe::default() };
        let data = DataRecord::unknown(labels);
        let mut record = ClassifierRecord::from(NewRecord { base, scoring: &scoring, recipe: &recipe, data });
        record.decision_rule = decision_rule;
        record.calibration = Some(calibration).filter(|calibration| !calibration.maps.is_empty());
        Self::new(base.clone(), &adapter, record)
    }
}
