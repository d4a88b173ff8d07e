//! Stratified k-fold cross-validation: every row is scored once, by a classifier that was not trained on it. That of multi-label
//! classifiers is in `multi_label/cross_validation.rs`.

use crate::base_model::BaseModel;
use crate::baseline::TfidfBaseline;
use crate::classifier::BaseModelRecord;
use crate::data::dataset::LabelledDataset;
use crate::data::fingerprint::training_fingerprint;
use crate::data::split::stratified_folds;
use crate::error::Error;
use crate::evaluate::Evaluation;
use crate::prediction::Prediction;
use crate::prompt::Prompt;
use crate::recipe::Recipe;
use crate::results::{PREDICTIONS_FILE, RESULTS_FILE, open_folder, read_lines, write_lines};
use crate::task::Task;
use crate::trainer::{TrainEvent, Trainer};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// A cross-validation to be run, or gone on with.
///
/// With a [`MultiLabelPrompt`](crate::prompt::MultiLabelPrompt) it is one of multi-label classifiers.
#[derive(Debug, Clone)]
pub struct CrossValidation<P = Prompt> {
    /// What is asked of the model.
    pub prompt: P,
    /// How each fold's classifier is trained.
    pub recipe: Recipe,
    /// Number of folds.
    pub folds: usize,
    /// Decides which row is in which fold, see [`stratified_folds`] and, for multi-label classifiers,
    /// [`multi_label_folds`](crate::data::stratification::multi_label_folds).
    pub fold_seed: u32,
    /// Where `results.jsonl` and `predictions.jsonl` are kept. A fold that is finished there is not run again.
    pub folder: PathBuf,
    /// Stops the training of a fold once it is true; the folds before are kept.
    pub stop: Arc<AtomicBool>,
}

/// Metrics of one fold, or of all folds' rows together; a line of `results.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoldResult<E = Evaluation> {
    /// Number of the fold, from 0; absent for all folds together.
    pub fold: Option<usize>,
    /// SHA-256 of all that decides the cross-validation.
    pub run: String,
    /// The classifiers' metrics.
    pub evaluation: E,
    /// Those of TF-IDF with logistic regression, trained on the same rows.
    pub tfidf: E,
    /// Seconds of the fold's training; of all folds'.
    pub seconds: f64,
    /// How the classifiers were trained: with the line of all folds together; absent with multi-label classifiers, and from what an
    /// earlier lincah wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<FoldTraining>,
}

/// How every fold's classifier is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoldTraining {
    /// On top of what.
    pub base_model: BaseModelRecord,
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
    /// Its true label.
    pub label: String,
    /// The probability of each label by name.
    pub scores: Map<String, Value>,
    /// The same of TF-IDF with logistic regression.
    pub tfidf_scores: Map<String, Value>,
}

/// What happens in a cross-validation.
#[derive(Debug)]
#[non_exhaustive]
pub enum CrossValidationEvent<'a, E = Evaluation> {
    /// Something in the training of a fold, from 0.
    Training(usize, &'a TrainEvent),
    /// A fold is done; whether it was already, when the cross-validation began.
    Fold(&'a FoldResult<E>, bool),
}

impl<P: Serialize> CrossValidation<P> {
    /// SHA-256 over all that decides the results.
    pub(crate) fn fingerprint(&self, base: &BaseModel, (data, rows): (String, &[u64])) -> String {
        let weights = base.weights_fingerprint();
        let parts = (&self.prompt, &self.recipe, self.folds, self.fold_seed, weights, data, rows);
        let json = serde_json::to_vec(&parts).expect("settings serialize");
        Sha256::digest(json).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The base model, given back, a fold's metrics and its scored rows.
pub(crate) type ScoredFold<E, R> = (BaseModel, FoldResult<E>, Vec<R>);

/// A cross-validation of one kind of classifiers, on its rows.
pub(crate) trait Folds {
    /// Metrics of a fold.
    type Evaluation: Serialize + DeserializeOwned;
    /// A line of `predictions.jsonl`.
    type Row: Serialize + DeserializeOwned;

    /// Number of folds, their folder, and the fingerprint of the cross-validation.
    fn settings(&self) -> (usize, &Path, &str);
    /// The fold of a row.
    fn fold_of(row: &Self::Row) -> usize;
    /// Trains on all folds but one and scores that one; gives the base model back.
    fn fold(
        &self,
        base: BaseModel,
        fold: usize,
        on_event: &mut dyn FnMut(&TrainEvent),
    ) -> Result<ScoredFold<Self::Evaluation, Self::Row>, Error>;
    /// The metrics of all rows' out-of-fold probabilities.
    fn pooled(&self, folds: &[FoldResult<Self::Evaluation>], rows: &[Self::Row]) -> Result<FoldResult<Self::Evaluation>, Error>;
}

/// Trains and scores every fold that is not done; returns the folds in order, then all rows together.
pub(crate) fn run_folds<F: Folds>(
    folds: &F,
    mut base: BaseModel,
    on_event: &mut dyn FnMut(&CrossValidationEvent<F::Evaluation>),
) -> Result<Vec<FoldResult<F::Evaluation>>, Error> {
    let (count, folder, run) = folds.settings();
    open_folder(folder, RESULTS_FILE)?;
    let mut results: Vec<FoldResult<F::Evaluation>> = read_lines(&folder.join(RESULTS_FILE))?;
    if results.iter().any(|result| result.run != run) {
        return Err(Error::OtherRun { path: folder.to_path_buf(), what: "recipe, prompt, model, folds or data" });
    }
    results.retain(|result| result.fold.is_some());
    let mut predictions: Vec<F::Row> = read_lines(&folder.join(PREDICTIONS_FILE))?;
    for fold in 0..count {
        if let Some(done) = results.iter().find(|result| result.fold == Some(fold)) {
            on_event(&CrossValidationEvent::Fold(done, true));
            continue;
        }
        predictions.retain(|prediction| F::fold_of(prediction) != fold);
        let (trained, result, scored) =
            folds.fold(base, fold, &mut |event| on_event(&CrossValidationEvent::Training(fold, event)))?;
        base = trained;
        predictions.extend(scored);
        // The predictions first: what `results.jsonl` has is whole.
        write_lines(&folder.join(PREDICTIONS_FILE), &predictions)?;
        results.push(FoldResult { run: run.to_owned(), ..result });
        write_lines(&folder.join(RESULTS_FILE), &results)?;
        on_event(&CrossValidationEvent::Fold(&results[results.len() - 1], false));
    }
    results.sort_by_key(|result| result.fold);
    let pooled = folds.pooled(&results, &predictions)?;
    results.push(FoldResult { run: run.to_owned(), ..pooled });
    write_lines(&folder.join(RESULTS_FILE), &results)?;
    Ok(results)
}

/// `predictions.jsonl` has other labels than the data.
pub(crate) fn other_labels(folder: &Path, row: u64) -> Error {
    let reason = format!("row {row} has other labels than the data");
    Error::Damaged { path: folder.join(PREDICTIONS_FILE), reason }
}

/// Probabilities by name.
pub(crate) fn by_name(names: &[String], probabilities: &[f64]) -> Map<String, Value> {
    names.iter().cloned().zip(probabilities.iter().map(|&probability| Value::from(probability))).collect()
}

/// The probabilities in the order of the names, if there is one for each.
pub(crate) fn in_order(names: &[String], scores: &Map<String, Value>) -> Option<Vec<f64>> {
    names.iter().map(|name| scores.get(name).and_then(Value::as_f64)).collect()
}

impl CrossValidation {
    /// Trains and scores every fold that is not done; returns the folds in order, then all rows together.
    ///
    /// # Errors
    /// A folder of something else, or of a cross-validation with other settings; those of the training.
    pub fn run(
        &self,
        base: BaseModel,
        data: &LabelledDataset,
        on_event: &mut dyn FnMut(&CrossValidationEvent),
    ) -> Result<Vec<FoldResult>, Error> {
        self.recipe.check()?;
        let fold_of = stratified_folds(&data.labels, self.folds, self.fold_seed)?;
        let run = self.fingerprint(&base, (training_fingerprint(data, self.recipe.soft_labels), &data.rows));
        let base_model = BaseModelRecord::of(&base);
        run_folds(&OneLabelFolds { settings: self, data, fold_of, run, base_model }, base, on_event)
    }
}

/// [`Folds`] of classifiers of one answer.
struct OneLabelFolds<'a> {
    settings: &'a CrossValidation,
    data: &'a LabelledDataset,
    fold_of: Vec<usize>,
    run: String,
    base_model: BaseModelRecord,
}

impl Folds for OneLabelFolds<'_> {
    type Evaluation = Evaluation;
    type Row = OutOfFold;

    fn settings(&self) -> (usize, &Path, &str) {
        (self.settings.folds, &self.settings.folder, &self.run)
    }

    fn fold_of(row: &OutOfFold) -> usize {
        row.fold
    }

    fn fold(
        &self,
        base: BaseModel,
        fold: usize,
        on_event: &mut dyn FnMut(&TrainEvent),
    ) -> Result<ScoredFold<Evaluation, OutOfFold>, Error> {
        let (test, train): (Vec<usize>, Vec<usize>) = (0..self.data.len()).partition(|&row| self.fold_of[row] == fold);
        let (train, test) = (self.data.subset(&train), self.data.subset(&test));
        let CrossValidation { prompt, recipe, stop, .. } = self.settings;
        let begun = Instant::now();
        let trainer = Trainer::new(base, prompt.clone(), recipe.clone())?.stopping_at(stop.clone());
        let classifier = trainer.fit(&train, on_event)?;
        let seconds = begun.elapsed().as_secs_f64();
        let (predictions, evaluation) = classifier.evaluate(&test)?;
        let (tfidf_predictions, tfidf) = TfidfBaseline::evaluate(&train, &test)?;
        let scores = |prediction: &Prediction| by_name(&test.label_names, &prediction.probabilities);
        let scored = predictions.iter().zip(&tfidf_predictions).enumerate().map(|(index, (prediction, tfidf))| OutOfFold {
            row: test.rows[index],
            fold,
            label: test.label_names[test.labels[index]].clone(),
            scores: scores(prediction),
            tfidf_scores: scores(tfidf),
        });
        let result = FoldResult { fold: Some(fold), run: String::new(), evaluation, tfidf, seconds, training: None };
        Ok((classifier.into_base(), result, scored.collect()))
    }

    fn pooled(&self, folds: &[FoldResult], rows: &[OutOfFold]) -> Result<FoldResult, Error> {
        let CrossValidation { prompt, recipe, fold_seed, folder, .. } = self.settings;
        let names = &self.data.label_names;
        let of = |scores, speed: fn(&FoldResult) -> f64| {
            let (predictions, truth) = scored(rows, names, scores, folder)?;
            Evaluation::of(&predictions, &truth, names, folds.iter().map(speed).sum())
        };
        let cut_texts = folds.iter().map(|fold| fold.evaluation.cut_texts).sum();
        let evaluation = of(|row| &row.scores, |fold| fold.evaluation.n as f64 / fold.evaluation.texts_per_second)?;
        Ok(FoldResult {
            fold: None,
            run: String::new(),
            evaluation: Evaluation { cut_texts, ..evaluation },
            tfidf: of(|row| &row.tfidf_scores, |fold| fold.tfidf.n as f64 / fold.tfidf.texts_per_second)?,
            seconds: folds.iter().map(|fold| fold.seconds).sum(),
            training: Some(FoldTraining {
                base_model: self.base_model.clone(),
                prompt: prompt.clone(),
                recipe: recipe.clone(),
                fold_seed: *fold_seed,
            }),
        })
    }
}

/// The probabilities by name that [`scored`] takes.
type Scores = fn(&OutOfFold) -> &Map<String, Value>;

/// Predictions and true labels of the rows.
fn scored(rows: &[OutOfFold], names: &[String], scores: Scores, folder: &Path) -> Result<(Vec<Prediction>, Vec<usize>), Error> {
    let of = |row: &OutOfFold| {
        let probabilities = in_order(names, scores(row))?;
        Some((Prediction::new(Task::SingleLabel, probabilities, 0), names.iter().position(|name| *name == row.label)?))
    };
    rows.iter().map(|row| of(row).ok_or_else(|| other_labels(folder, row.row))).collect()
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
    /// Their true labels, indices into the evaluation's.
    pub truth: Vec<usize>,
    /// Out of fold.
    pub predictions: Vec<Prediction>,
    /// The same of TF-IDF with logistic regression.
    pub tfidf_predictions: Vec<Prediction>,
}

impl FinishedCrossValidation {
    /// Reads a folder.
    ///
    /// # Errors
    /// Folds that are missing, files that cannot be read, multi-label classifiers ([`Error::OtherTask`]).
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let lines: Vec<Value> = read_lines(&folder.join(RESULTS_FILE))?;
        if lines.iter().any(|line| line["evaluation"].get("hamming_loss").is_some()) {
            let (found, expected) = (Task::MultiLabel, Task::SingleLabel);
            return Err(Error::OtherTask { path: folder.to_path_buf(), found, expected });
        }
        let mut folds: Vec<FoldResult> = read_lines(&folder.join(RESULTS_FILE))?;
        let pooled = folds.pop_if(|result| result.fold.is_none());
        let pooled = pooled
            .ok_or_else(|| Error::Unfinished { path: folder.to_path_buf(), what: "cross-validation over all its folds" })?;
        let mut rows: Vec<OutOfFold> = read_lines(&folder.join(PREDICTIONS_FILE))?;
        rows.sort_by_key(|row| row.row);
        let names = &pooled.evaluation.labels;
        let (predictions, truth) = scored(&rows, names, |row| &row.scores, folder)?;
        let (tfidf_predictions, _) = scored(&rows, names, |row| &row.tfidf_scores, folder)?;
        let rows = rows.iter().map(|row| row.row).collect();
        Ok(Self { folds, pooled, rows, truth, predictions, tfidf_predictions })
    }

    /// The texts of the rows out of the data that they came from.
    ///
    /// # Errors
    /// [`Error::OtherRows`] where the data lack a row or label it differently.
    pub fn texts(&self, data: &LabelledDataset) -> Result<LabelledDataset, Error> {
        let labels = &self.pooled.evaluation.labels;
        let places: std::collections::HashMap<u64, usize> =
            data.rows.iter().enumerate().map(|(place, &row)| (row, place)).collect();
        let place = |(&row, &truth): (&u64, &usize)| {
            let found = places.get(&row).copied();
            let name = found.map(|place| &data.label_names[data.labels[place]]);
            found.filter(|_| name == Some(&labels[truth])).ok_or_else(|| Error::OtherRows {
                row,
                scored: labels[truth].clone(),
                found: name.map_or(String::from("there is no such row"), |name| format!("it is {name}")),
            })
        };
        let places: Vec<usize> = self.rows.iter().zip(&self.truth).map(place).collect::<Result<_, _>>()?;
        Ok(data.subset(&places))
    }
}
