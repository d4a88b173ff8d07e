//! Stratified k-fold cross-validation: every row is scored once, by a classifier that was not trained on it.

use crate::base_model::BaseModel;
use crate::baseline::TfidfBaseline;
use crate::classifier::{BaseModelRecord, ScoredDataset};
use crate::data::dataset::Dataset;
use crate::data::fingerprint::training_fingerprint;
use crate::error::Error;
use crate::evaluation::{Evaluation, Truth};
use crate::folder_lock::FolderLock;
use crate::label::LabelSet;
use crate::prediction::{DecisionRule, Prediction};
use crate::prompt::Prompt;
use crate::recipe::Recipe;
use crate::results::{PREDICTIONS_FILE, RESULTS_FILE, RowLabels, open_folder, read_lines, write_lines};
use crate::task::Task;
use crate::trainer::{Companion, TrainEvent, Trainer};
use crate::workers::{self, Heard, Reporter};
use lincah_model::{ComputeOptions, FrozenStates, sha256};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// A cross-validation to be run, or gone on with.
#[derive(Debug, Clone)]
pub struct CrossValidation {
    /// What is asked of the model.
    pub prompt: Prompt,
    /// How each fold's classifier is trained.
    pub recipe: Recipe,
    /// Models that work together with the first one, as [`Trainer::together_with`] says.
    pub companions: Vec<Companion>,
    /// Number of folds.
    pub folds: usize,
    /// Decides which row is in which fold, see [`Dataset::folds`].
    pub fold_seed: u32,
    /// Where `results.jsonl` and `predictions.jsonl` are kept. A fold that is finished there is not run again.
    pub folder: PathBuf,
    /// Further devices, each of which trains a fold beside the others, on models that are opened there again.
    pub elsewhere: Vec<ComputeOptions>,
}

/// Metrics of one fold, or of all folds' rows together; a line of `results.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoldResult {
    /// Number of the fold, from 0; absent for all folds together.
    pub fold: Option<usize>,
    /// SHA-256 of all that decides the cross-validation.
    pub run: String,
    /// The classifiers' metrics.
    pub evaluation: Evaluation,
    /// Those of TF-IDF with logistic regression, trained on the same rows.
    pub tfidf: Evaluation,
    /// Seconds of the fold's training; of all folds'.
    pub seconds: f64,
    /// How the classifiers were trained: with the line of all folds together; absent from what an earlier lincah wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<FoldTraining>,
}

/// How every fold's classifier is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoldTraining {
    /// On top of what.
    pub base_model: BaseModelRecord,
    /// All models, the first one too; absent from what was written before several could work together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub base_models: Vec<BaseModelRecord>,
    /// What is asked.
    pub prompt: Prompt,
    /// The settings.
    pub recipe: Recipe,
    /// Decides which row is in which fold.
    pub fold_seed: u32,
}

/// A row's out-of-fold probabilities; a line of `predictions.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutOfFold {
    /// The row in the file, from 1.
    pub row: u64,
    /// The fold that it was tested in, from 0.
    pub fold: usize,
    /// Its true label or labels.
    #[serde(flatten)]
    pub labels: RowLabels,
    /// The probability of each label by name.
    pub scores: Map<String, Value>,
    /// The same of each of several members, before any calibration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub member_scores: Vec<Map<String, Value>>,
    /// The same of TF-IDF with logistic regression.
    pub tfidf_scores: Map<String, Value>,
}

/// What happens in a cross-validation.
#[derive(Debug)]
#[non_exhaustive]
pub enum CrossValidationEvent<'a> {
    /// Something in the training of a fold, from 0; of several at the same time, what is on the first device.
    Training(usize, &'a TrainEvent),
    /// A fold is done; whether it was already, when the cross-validation began.
    Fold(&'a FoldResult, bool),
    /// A device has failed; the others go on without it.
    Lost(&'a Error),
    /// Nothing yet, a moment later.
    Waiting,
}

type OnEvent<'a> = dyn FnMut(&CrossValidationEvent) -> ControlFlow<()> + 'a;

/// A fold's metrics and scored rows.
type Fold = (FoldResult, Vec<OutOfFold>);

/// A cross-validation on its models and rows.
struct Run<'a> {
    settings: &'a CrossValidation,
    trainer: Trainer,
    data: &'a Dataset,
    fold_of: Vec<usize>,
    fingerprint: String,
}

/// A device that trains folds: the trainer's own, or another, where the models are opened before the first.
struct Place {
    elsewhere: Option<ComputeOptions>,
    opened: Mutex<Option<Opened>>,
}

struct Opened {
    trainer: Trainer,
    /// The folds' texts are the same: what frozen layers make of them is computed once.
    _states: Vec<Arc<FrozenStates>>,
}

impl CrossValidation {
    /// Trains and scores every fold that is not done; returns the folds in order, then all rows together.
    ///
    /// # Errors
    /// A folder of something else, in use, or of a cross-validation with other settings; those of the training. Finished folds are kept.
    pub fn run(&self, base: &BaseModel, data: &Dataset, on_event: &mut OnEvent) -> Result<Vec<FoldResult>, Error> {
        self.recipe.check()?;
        let recipes = std::iter::once(&self.recipe).chain(self.companions.iter().map(|companion| &companion.recipe));
        recipes.filter_map(|recipe| recipe.start.as_ref()).try_for_each(|start| start.check_unseen(data))?;
        let fold_of = data.folds(self.folds, self.fold_seed)?;
        let fingerprint = self.fingerprint(base, data);
        let _lock = FolderLock::acquire(&self.folder)?;
        let trainer = Trainer::new(base, self.prompt.clone(), self.recipe.clone())?.together_with(&self.companions)?;
        Run { settings: self, trainer, data, fold_of, fingerprint }.all(on_event)
    }

    /// SHA-256 over all that decides the results.
    fn fingerprint(&self, base: &BaseModel, data: &Dataset) -> String {
        let (weights, rows) = (base.weights_fingerprint(), training_fingerprint(data, self.recipe.soft_labels));
        let parts = (&self.prompt, &self.recipe, self.folds, self.fold_seed, weights, rows, &data.rows);
        let companion = |companion: &Companion| (companion.base.weights_fingerprint().to_owned(), companion.recipe.clone());
        let companions: Vec<(String, Recipe)> = self.companions.iter().map(companion).collect();
        let bytes = match companions.as_slice() {
            [] => serde_json::to_vec(&parts),
            companions => serde_json::to_vec(&(parts, companions)),
        };
        sha256::of_bytes(bytes.expect("settings serialize"))
    }
}

impl Run<'_> {
    fn all(&self, on_event: &mut OnEvent) -> Result<Vec<FoldResult>, Error> {
        let folder = &self.settings.folder;
        open_folder(folder, RESULTS_FILE)?;
        let mut results: Vec<FoldResult> = read_lines(&folder.join(RESULTS_FILE))?;
        if results.iter().any(|result| result.run != self.fingerprint) {
            return Err(Error::OtherRun { path: folder.clone(), what: "recipe, prompt, model, folds or data" });
        }
        results.retain(|result| result.fold.is_some());
        let mut rows: Vec<OutOfFold> = read_lines(&folder.join(PREDICTIONS_FILE))?;
        for done in &results {
            let _ = on_event(&CrossValidationEvent::Fold(done, true));
        }
        let is_done = |fold: usize| results.iter().any(|result| result.fold == Some(fold));
        rows.retain(|row| is_done(row.fold));
        let folds: Vec<usize> = (0..self.settings.folds).filter(|&fold| !is_done(fold)).collect();
        let elsewhere = self.settings.elsewhere.iter().copied().map(Some);
        let place = |elsewhere| Place { elsewhere, opened: Mutex::default() };
        let places: Vec<Place> = std::iter::once(None).chain(elsewhere).map(place).collect();
        workers::work(&places, &folds, |place, fold, reporter| self.fold(place, *fold, reporter), &mut |heard| {
            match heard {
                Heard::Message((fold, event)) => return Ok(on_event(&CrossValidationEvent::Training(fold, &event))),
                Heard::Waiting => return Ok(on_event(&CrossValidationEvent::Waiting)),
                Heard::Lost(error) => return Ok(on_event(&CrossValidationEvent::Lost(&error))),
                Heard::Done((result, scored)) => {
                    rows.extend(scored);
                    rows.sort_by_key(|row: &OutOfFold| row.fold);
                    // The predictions first: what `results.jsonl` has is whole.
                    write_lines(&folder.join(PREDICTIONS_FILE), &rows)?;
                    results.push(result);
                    write_lines(&folder.join(RESULTS_FILE), &results)?;
                    let _ = on_event(&CrossValidationEvent::Fold(&results[results.len() - 1], false));
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        results.sort_by_key(|result| result.fold);
        results.push(self.pooled(&results, &rows)?);
        write_lines(&folder.join(RESULTS_FILE), &results)?;
        Ok(results)
    }

    /// The trainer of a place, opened there if it was not.
    fn opened(&self, elsewhere: Option<ComputeOptions>) -> Result<Opened, Error> {
        let trainer = match elsewhere {
            None => self.trainer.clone(),
            Some(compute) => self.trainer.on(compute)?,
        };
        let decoders = trainer.bases().filter_map(|base| base.language_model().ok());
        Ok(Opened { _states: decoders.map(|model| model.frozen_states()).collect(), trainer })
    }

    /// Trains on all folds but one, and scores that one.
    fn fold(&self, place: &Place, fold: usize, reporter: &Reporter<(usize, TrainEvent)>) -> Result<Fold, Error> {
        let mut opened = place.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let trainer = match &mut *opened {
            Some(opened) => &opened.trainer,
            none => &none.insert(self.opened(place.elsewhere)?).trainer,
        };
        let (test, train): (Vec<usize>, Vec<usize>) = (0..self.data.len()).partition(|&row| self.fold_of[row] == fold);
        let (train, test) = (self.data.subset(&train), self.data.subset(&test));
        let begun = Instant::now();
        let classifier = trainer.fit(&train, &mut |event| match place.elsewhere {
            None => reporter.tell((fold, event.clone())),
            Some(_) => reporter.asked(),
        })?;
        let seconds = begun.elapsed().as_secs_f64();
        let (scored, tfidf) = (classifier.evaluate(&test)?, TfidfBaseline::evaluate(&train, &test)?);
        let rows = (0..test.len()).map(|index| OutOfFold {
            row: test.rows[index],
            fold,
            labels: RowLabels::of(&test, index),
            scores: test.labels.by_name(&scored.predictions[index].probabilities),
            member_scores: scored.predictions[index].members.iter().map(|member| test.labels.by_name(member)).collect(),
            tfidf_scores: test.labels.by_name(&tfidf.predictions[index].probabilities),
        });
        let (run, rows) = (self.fingerprint.clone(), rows.collect());
        let (evaluation, tfidf) = (scored.evaluation, tfidf.evaluation);
        Ok((FoldResult { fold: Some(fold), run, evaluation, tfidf, seconds, training: None }, rows))
    }

    /// The metrics of all rows' out-of-fold probabilities.
    fn pooled(&self, folds: &[FoldResult], rows: &[OutOfFold]) -> Result<FoldResult, Error> {
        let CrossValidation { prompt, recipe, fold_seed, folder, .. } = self.settings;
        let scored = ScoredRows::of(rows, (self.data.task, &self.data.labels), folder)?;
        let seconds = |of: fn(&FoldResult) -> &Evaluation| -> f64 {
            folds.iter().map(|fold| of(fold).n as f64 / of(fold).texts_per_second).sum()
        };
        let truth = Truth { task: self.data.task, labels: &self.data.labels, truth: &scored.truth };
        let rule = DecisionRule::default();
        let evaluation = Evaluation::of(&scored.predictions, truth, &rule, seconds(|fold| &fold.evaluation))?;
        let truncated_texts = folds.iter().map(|fold| fold.evaluation.truncated_texts).sum();
        Ok(FoldResult {
            fold: None,
            run: self.fingerprint.clone(),
            evaluation: Evaluation { truncated_texts, ..evaluation },
            tfidf: Evaluation::of(&scored.tfidf_predictions, truth, &rule, seconds(|fold| &fold.tfidf))?,
            seconds: folds.iter().map(|fold| fold.seconds).sum(),
            training: Some(FoldTraining {
                base_model: BaseModelRecord::of(self.trainer.base()),
                base_models: self.trainer.bases().map(BaseModelRecord::of).collect(),
                prompt: prompt.clone(),
                recipe: recipe.clone(),
                fold_seed: *fold_seed,
            }),
        })
    }
}

/// Out-of-fold rows as truth and predictions.
struct ScoredRows {
    truth: Vec<Vec<bool>>,
    predictions: Vec<Prediction>,
    tfidf_predictions: Vec<Prediction>,
}

impl ScoredRows {
    fn of(rows: &[OutOfFold], (task, labels): (Task, &LabelSet), folder: &Path) -> Result<Self, Error> {
        let other_labels = |row: u64| {
            let reason = format!("row {row} has other labels than the data");
            Error::Damaged { path: folder.join(PREDICTIONS_FILE), reason }
        };
        let probabilities = |row: &OutOfFold, scores: &Map<String, Value>| {
            let of_labels = labels.names().iter().map(|name| scores.get(name).and_then(Value::as_f64));
            of_labels.collect::<Option<Vec<f64>>>().ok_or_else(|| other_labels(row.row))
        };
        let prediction = |row: &OutOfFold| {
            let members = row.member_scores.iter().map(|scores| probabilities(row, scores)).collect::<Result<_, Error>>()?;
            Ok::<_, Error>(Prediction { members, ..Prediction::new(task, probabilities(row, &row.scores)?, 0) })
        };
        let tfidf_prediction = |row: &OutOfFold| Ok::<_, Error>(Prediction::new(task, probabilities(row, &row.tfidf_scores)?, 0));
        let truth = |row: &OutOfFold| row.labels.truth(labels).ok_or_else(|| other_labels(row.row));
        Ok(Self {
            truth: rows.iter().map(truth).collect::<Result<_, _>>()?,
            predictions: rows.iter().map(prediction).collect::<Result<_, _>>()?,
            tfidf_predictions: rows.iter().map(tfidf_prediction).collect::<Result<_, _>>()?,
        })
    }
}

/// A finished cross-validation as it lies in its folder; rows in the order of the data.
#[derive(Debug, Clone, PartialEq)]
pub struct FinishedCrossValidation {
    /// Each fold's metrics.
    pub folds: Vec<FoldResult>,
    /// Those of all rows together.
    pub pooled: FoldResult,
    /// The rows in the file, from 1.
    pub rows: Vec<u64>,
    /// The fold that each row was tested in, from 0.
    pub fold_of: Vec<usize>,
    /// Whether each row has each label, `[rows][labels]`.
    pub truth: Vec<Vec<bool>>,
    /// Out of fold, with the metrics of all rows together.
    pub scored: ScoredDataset,
    /// The same of TF-IDF with logistic regression.
    pub tfidf: ScoredDataset,
}

impl FinishedCrossValidation {
    /// Reads a folder.
    ///
    /// # Errors
    /// Folds that are missing, files that cannot be read.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let mut folds: Vec<FoldResult> = read_lines(&folder.join(RESULTS_FILE))?;
        let pooled = folds.pop_if(|result| result.fold.is_none());
        let pooled = pooled
            .ok_or_else(|| Error::Unfinished { path: folder.to_path_buf(), what: "cross-validation over all its folds" })?;
        let mut rows: Vec<OutOfFold> = read_lines(&folder.join(PREDICTIONS_FILE))?;
        rows.sort_by_key(|row| row.row);
        let ScoredRows { truth, predictions, tfidf_predictions } =
            ScoredRows::of(&rows, (pooled.evaluation.task, &pooled.evaluation.labels), folder)?;
        let scored = ScoredDataset { predictions, evaluation: pooled.evaluation.clone() };
        let tfidf = ScoredDataset { predictions: tfidf_predictions, evaluation: pooled.tfidf.clone() };
        let fold_of = rows.iter().map(|row| row.fold).collect();
        Ok(Self { folds, pooled, rows: rows.iter().map(|row| row.row).collect(), fold_of, truth, scored, tfidf })
    }

    /// The texts of the rows out of the data that they came from.
    ///
    /// # Errors
    /// [`Error::OtherRows`] where the data lack a row or label it differently.
    pub fn texts(&self, data: &Dataset) -> Result<Dataset, Error> {
        let names = self.scored.evaluation.labels.names();
        let places: HashMap<u64, usize> = data.rows.iter().enumerate().map(|(place, &row)| (row, place)).collect();
        let named = |truth: &[bool], names: &[String]| -> String {
            let given = names.iter().zip(truth).filter(|(_, has)| **has).map(|(name, _)| name.as_str());
            given.collect::<Vec<_>>().join(", ")
        };
        let place = |(&row, truth): (&u64, &Vec<bool>)| {
            let found = places.get(&row).copied();
            let (scored, labels) = (named(truth, names), found.map(|place| named(&data.truth[place], data.labels.names())));
            found.filter(|_| labels.as_ref() == Some(&scored)).ok_or_else(|| Error::OtherRows {
                row,
                scored,
                found: labels.map_or(String::from("there is no such row"), |labels| format!("it is {labels}")),
            })
        };
        let places: Vec<usize> = self.rows.iter().zip(&self.truth).map(place).collect::<Result<_, _>>()?;
        Ok(data.subset(&places))
    }
}
