//! `results.csv`: a run a row, for spreadsheets and data frames.

use super::{PlannedRun, RunResult};
use crate::classifier::write_atomically;
use crate::error::Error;
use crate::prompt::Prompt;
use crate::recipe::Recipe;
use serde_json::{Map, Value};
use std::path::Path;

/// Writes the table in place of the last one. Columns are the settings by the names of the options, then the metrics.
pub(super) fn write(path: &Path, results: &[RunResult]) -> Result<(), Error> {
    let rows: Vec<Map<String, Value>> = results.iter().map(row).collect();
    let failed = |error: csv::Error| Error::File { action: "write", path: path.to_path_buf(), source: error.into() };
    let mut writer = csv::Writer::from_writer(Vec::new());
    if let Some(first) = rows.first() {
        writer.write_record(first.keys()).map_err(failed)?;
    }
    for row in &rows {
        let cell = |value: &Value| match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        writer.write_record(row.values().map(cell)).map_err(failed)?;
    }
    let bytes = writer.into_inner().map_err(|error| Error::file("write", path)(error.into_error()))?;
    write_atomically(path, &bytes)
}

fn row(result: &RunResult) -> Map<String, Value> {
    let mut row = result.settings();
    let evaluation = result.evaluation.as_ref();
    let intervals = evaluation.and_then(|evaluation| evaluation.intervals.as_ref());
    let mut put = |name: &str, value: Option<f64>| row.insert(name.to_string(), Value::from(value));
    put("n", evaluation.map(|evaluation| evaluation.n as f64));
    for (name, value, interval) in [
        ("f1", evaluation.map(|all| all.f1), intervals.map(|all| all.f1)),
        ("precision", evaluation.map(|all| all.precision), intervals.map(|all| all.precision)),
        ("recall", evaluation.map(|all| all.recall), intervals.map(|all| all.recall)),
        ("accuracy", evaluation.map(|all| all.accuracy), intervals.map(|all| all.accuracy)),
        ("macro_f1", evaluation.map(|all| all.macro_f1), intervals.map(|all| all.macro_f1)),
        ("roc_auc", evaluation.and_then(|all| all.roc_auc), intervals.and_then(|all| all.roc_auc)),
        ("pr_auc", evaluation.and_then(|all| all.pr_auc), intervals.and_then(|all| all.pr_auc)),
    ] {
        put(name, value);
        put(&format!("{name}_low"), interval.map(|interval| interval[0]));
        put(&format!("{name}_high"), interval.map(|interval| interval[1]));
    }
    put("log_loss", evaluation.map(|all| all.log_loss));
    put("majority_f1", Some(result.tfidf.baseline_f1));
    put("tfidf_f1", Some(result.tfidf.f1));
    put("tfidf_roc_auc", result.tfidf.roc_auc);
    put("seconds", Some(result.seconds));
    row
}

impl RunResult {
    /// The run's settings by the names of the command's options (`learning_rate` for `--learning-rate`).
    pub fn settings(&self) -> Map<String, Value> {
        settings((&self.base_model.name, self.split_seed, self.train_size), &self.prompt, &self.recipe)
    }
}

impl PlannedRun {
    /// As [`RunResult::settings`].
    pub fn settings(&self) -> Map<String, Value> {
        settings((&self.model, self.split_seed, self.train.len()), &self.prompt, &self.recipe)
    }
}

/// Names of the settings that have several values, in the options' order.
pub fn varied_settings(all: &[&Map<String, Value>]) -> Vec<String> {
    let Some(first) = all.first() else { return Vec::new() };
    let differs = |name: &&String| all.iter().any(|other| other[*name] != first[*name]);
    first.keys().filter(differs).cloned().collect()
}

fn settings((model, split_seed, train_size): (&str, u32, usize), prompt: &Prompt, recipe: &Recipe) -> Map<String, Value> {
    let entries =
        [("model", Value::from(model)), ("split_seed", Value::from(split_seed)), ("train_size", Value::from(train_size))];
    entries.into_iter().map(|(name, value)| (name.to_string(), value)).chain(recipe_settings(prompt, recipe)).collect()
}

/// Recipe and prompt by the names of the command's options.
pub fn recipe_settings(prompt: &Prompt, recipe: &Recipe) -> Map<String, Value> {
    let json = |value: Result<Value, serde_json::Error>| value.expect("a setting serializes");
    let targets: Vec<String> = recipe.lora.targets.iter().map(ToString::to_string).collect();
    let layers = recipe.lora.layers.as_ref().map_or(String::from("all"), |layers| format!("{layers:?}"));
    let entries = [
        ("epochs", Value::from(recipe.epochs)),
        ("learning_rate", Value::from(recipe.learning_rate)),
        ("batch_size", Value::from(recipe.batch_size)),
        ("gradient_accumulation", Value::from(recipe.gradient_accumulation)),
        ("rank", Value::from(recipe.lora.rank)),
        ("alpha", Value::from(recipe.lora.alpha)),
        ("rank_stabilized", Value::from(recipe.lora.rank_stabilized)),
        ("dropout", Value::from(recipe.lora.dropout)),
        ("lora_layout", json(serde_json::to_value(recipe.lora.layout))),
        ("targets", Value::from(targets.join(" "))),
        ("layers", Value::from(layers)),
        ("schedule", json(serde_json::to_value(recipe.schedule))),
        ("warmup", Value::from(recipe.warmup)),
        ("loss", json(serde_json::to_value(recipe.loss))),
        ("training_text", json(serde_json::to_value(recipe.training_text))),
        ("soft_labels", Value::from(recipe.soft_labels)),
        ("class_weights", json(serde_json::to_value(recipe.class_weights))),
        ("shuffle", Value::from(recipe.shuffle)),
        ("weight_decay", Value::from(recipe.optimizer.weight_decay)),
        ("adam_epsilon", Value::from(recipe.optimizer.epsilon)),
        ("clip_norm", Value::from(recipe.optimizer.clip_norm)),
        ("max_tokens", Value::from(recipe.max_tokens)),
        ("prompt", Value::from(prompt.render("{text}"))),
        ("members", Value::from(recipe.members)),
        ("seed", Value::from(recipe.seed)),
    ];
    entries.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}
