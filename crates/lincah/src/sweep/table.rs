//! `results.csv`: one row per run, for spreadsheets and data frames.

use super::{PlannedRun, RunResult};
use crate::error::Error;
use crate::prompt::Prompt;
use crate::recipe::{Method, Recipe};
use lincah_model::new_file::write_atomically;
use serde_json::{Map, Value};
use std::path::Path;

/// Writes the table in place of the last one. Columns are the settings by the names of the options, then the metrics.
pub(super) fn write(path: &Path, results: &[RunResult]) -> Result<(), Error> {
    let rows: Vec<Map<String, Value>> = results.iter().map(row).collect();
    let failed = |error: csv::Error| Error::File { action: "write", path: path.to_path_buf(), source: error.into() };
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Runs of another preset may have other settings.
    let mut columns: Vec<&String> = Vec::new();
    for name in rows.iter().flat_map(Map::keys) {
        if !columns.contains(&name) {
            columns.push(name);
        }
    }
    if !columns.is_empty() {
        writer.write_record(&columns).map_err(failed)?;
    }
    for row in &rows {
        let cell = |name: &&String| match row.get(name.as_str()) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        };
        writer.write_record(columns.iter().map(cell)).map_err(failed)?;
    }
    let bytes = writer.into_inner().map_err(|error| Error::file("write", path)(error.into_error()))?;
    write_atomically(path, &bytes).map_err(Error::file("write", path))
}

fn row(result: &RunResult) -> Map<String, Value> {
    let mut row = result.settings();
    let evaluation = result.evaluation.as_ref();
    let mut put = |name: &str, value: Option<f64>| row.insert(name.to_string(), Value::from(value));
    put("n", evaluation.map(|evaluation| evaluation.n as f64));
    // The baseline's columns are there for a run that diverged, too.
    for score in &result.tfidf.scores {
        let (key, found) = (score.metric.key(), evaluation.and_then(|evaluation| evaluation.score(score.metric)));
        let interval = found.and_then(|score| score.interval);
        put(key, found.and_then(|score| score.value));
        put(&format!("{key}_low"), interval.map(|interval| interval[0]));
        put(&format!("{key}_high"), interval.map(|interval| interval[1]));
    }
    put("log_loss", evaluation.map(|all| all.log_loss));
    for metric in result.tfidf.headline() {
        put(&format!("majority_{}", metric.key()), result.tfidf.score(metric).and_then(|score| score.constant_answer));
        put(&format!("tfidf_{}", metric.key()), result.tfidf.value(metric));
    }
    put("seconds", Some(result.seconds));
    row
}

impl RunResult {
    /// The run's settings by the names of the command's options (`learning_rate` for `--learning-rate`).
    pub fn settings(&self) -> Map<String, Value> {
        let models = std::iter::once(&self.base_model).chain(&self.companions).map(|model| model.name.as_str());
        settings((models, self.split_seed, self.train_size), &self.prompt, &self.recipe)
    }
}

impl PlannedRun {
    /// As [`RunResult::settings`].
    pub fn settings(&self) -> Map<String, Value> {
        let models = std::iter::once(&self.model).chain(self.companions.iter().map(|(model, _)| model)).map(String::as_str);
        settings((models, self.split_seed, self.train.len()), &self.prompt, &self.recipe)
    }
}

/// Names of the settings that have several values, in the options' order.
pub fn varied_settings(all: &[&Map<String, Value>]) -> Vec<String> {
    let Some(first) = all.first() else { return Vec::new() };
    let differs = |name: &&String| all.iter().any(|other| other.get(*name) != first.get(*name));
    let mut varied: Vec<String> = first.keys().filter(differs).cloned().collect();
    // What the first one has not, another has.
    for name in all.iter().flat_map(|other| other.keys()).filter(|name| !first.contains_key(*name)) {
        if !varied.contains(name) {
            varied.push(name.clone());
        }
    }
    varied
}

fn settings<'a>(
    (models, split_seed, train_size): (impl Iterator<Item = &'a str>, u32, usize),
    prompt: &Prompt,
    recipe: &Recipe,
) -> Map<String, Value> {
    let model = models.collect::<Vec<_>>().join(TOGETHER);
    let entries =
        [("model", Value::from(model)), ("split_seed", Value::from(split_seed)), ("train_size", Value::from(train_size))];
    entries.into_iter().map(|(name, value)| (name.to_string(), value)).chain(recipe_settings(prompt, recipe)).collect()
}

/// What stands between the names of models that work together.
const TOGETHER: &str = "+";

/// Settings that mean something without LoRA.
const OF_INSTANT: [&str; 6] = ["augmentation", "max_tokens", "white_space", "obfuscation", "prompt", "seed"];

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
        ("augmentation", json(serde_json::to_value(recipe.augmentation))),
        ("class_weights", json(serde_json::to_value(recipe.class_weights))),
        ("shuffle", Value::from(recipe.shuffle)),
        ("weight_decay", Value::from(recipe.optimizer.weight_decay)),
        ("adam_epsilon", Value::from(recipe.optimizer.epsilon)),
        ("clip_norm", Value::from(recipe.optimizer.clip_norm)),
        ("max_tokens", Value::from(recipe.max_tokens)),
        ("white_space", json(serde_json::to_value(prompt.white_space()))),
        ("obfuscation", json(serde_json::to_value(prompt.obfuscation()))),
        ("prompt", Value::from(prompt.render_all("{text}"))),
        ("members", Value::from(recipe.members)),
        ("seed", Value::from(recipe.seed)),
    ];
    let named = entries.into_iter().map(|(name, value)| (name.to_string(), value));
    let start = recipe.start.as_ref().map(|start| (String::from("init"), Value::from(&start.sha256()[..12])));
    match recipe.method {
        Method::Lora => named.chain(start).collect(),
        Method::Instant => {
            let method = (String::from("method"), Value::from("instant"));
            named.filter(|(name, _)| OF_INSTANT.contains(&name.as_str())).chain([method]).collect()
        }
    }
}
