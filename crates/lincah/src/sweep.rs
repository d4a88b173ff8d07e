//! Many trainings that differ in chosen settings, their results kept as they come.

mod plan;
mod table;
mod worker;

use crate::classifier::BaseModelRecord;
use crate::data::dataset::Dataset;
use crate::data::fingerprint::training_fingerprint;
use crate::error::Error;
use crate::evaluation::Evaluation;
use crate::folder_lock::FolderLock;
use crate::prediction::Prediction;
use crate::prompt::Prompt;
use crate::recipe::Recipe;
use crate::results::{RESULTS_FILE, RowLabels, open_folder, read_lines, write_lines};
use crate::workers::Heard;
use lincah_model::{ComputeOptions, sha256};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

pub use table::recipe_settings;

pub use plan::{SweepPlan, SweepRecipe};
pub use table::varied_settings;

const TABLE_FILE: &str = "results.csv";
const PREDICTIONS_FOLDER: &str = "predictions";

/// One training of a sweep.
#[derive(Debug, Clone)]
pub struct PlannedRun {
    /// Catalogue name or path of the base model.
    pub model: String,
    /// Models that work together with it, each with how its adapter is trained.
    pub companions: Vec<(String, Recipe)>,
    /// Seed of the split that the rows come from; only recorded.
    pub split_seed: u32,
    /// Rows to train on.
    pub train: Arc<Dataset>,
    /// Rows to score.
    pub test: Arc<Dataset>,
    /// What is asked of the model.
    pub prompt: Prompt,
    /// How it is trained.
    pub recipe: Recipe,
}

impl PlannedRun {
    /// How each model's adapter is trained, the first one's first.
    fn recipes(&self) -> impl Iterator<Item = &Recipe> {
        std::iter::once(&self.recipe).chain(self.companions.iter().map(|(_, recipe)| recipe))
    }
}

/// What came out of a training; a line of `results.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// SHA-256 of all that decides the run.
    pub run: String,
    /// The base model.
    pub base_model: BaseModelRecord,
    /// Models that worked together with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub companions: Vec<BaseModelRecord>,
    /// Seed of the split.
    pub split_seed: u32,
    /// Training rows.
    pub train_size: usize,
    /// What was asked of the model.
    pub prompt: Prompt,
    /// How it was trained.
    pub recipe: Recipe,
    /// Metrics on the scored rows; absent where the training diverged.
    pub evaluation: Option<Evaluation>,
    /// Metrics of TF-IDF with logistic regression, trained on the same rows.
    pub tfidf: Evaluation,
    /// Seconds of training up to there.
    pub seconds: f64,
}

/// A scored row; a line of `predictions/RUN.jsonl`, RUN being the first 16 digits of [`RunResult::run`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoredRow {
    /// The row in the file, from 1.
    pub row: u64,
    /// Its true label or labels.
    #[serde(flatten)]
    pub labels: RowLabels,
    /// The probability of each label, in the prompt's order.
    pub probabilities: Vec<f64>,
}

impl ScoredRow {
    fn of(data: &Dataset, predictions: &[Prediction]) -> Vec<Self> {
        let row = |(index, prediction): (usize, &Prediction)| Self {
            row: data.rows[index],
            labels: RowLabels::of(data, index),
            probabilities: prediction.probabilities.clone(),
        };
        predictions.iter().enumerate().map(row).collect()
    }
}

/// The finished runs of a sweep's folder.
///
/// # Errors
/// A folder without any, results that cannot be read.
pub fn finished_runs(folder: &Path) -> Result<Vec<RunResult>, Error> {
    let results: Vec<RunResult> = read_lines(&folder.join(RESULTS_FILE))?;
    if results.is_empty() { Err(Error::Unfinished { path: folder.to_path_buf(), what: "run of the sweep" }) } else { Ok(results) }
}

/// What happens in a sweep.
#[derive(Debug)]
#[non_exhaustive]
pub enum SweepEvent<'a> {
    /// A run is done.
    Run {
        /// What came out.
        result: &'a RunResult,
        /// Runs done, those of earlier times included.
        done: usize,
        /// Runs in all.
        runs: usize,
        /// Seconds that the others will take at this speed.
        seconds_left: f64,
    },
    /// A device has failed; the others go on without it.
    Lost(&'a Error),
    /// Nothing yet, a moment later.
    Waiting,
}

/// A sweep in a folder, which is locked: what is planned, and what is done.
#[derive(Debug)]
pub struct Sweep {
    folder: PathBuf,
    planned: Vec<(String, PlannedRun)>,
    /// All that the folder holds, of this plan and of earlier ones.
    results: Vec<RunResult>,
    _lock: FolderLock,
}

impl Sweep {
    /// Plans runs in `folder`; those whose results are there already count as done, and results of other plans stay.
    ///
    /// # Errors
    /// A folder of something else, or in use; a recipe out of range; results that cannot be read.
    pub fn open(folder: &Path, runs: Vec<PlannedRun>) -> Result<Self, Error> {
        for run in &runs {
            for recipe in run.recipes() {
                recipe.check()?;
                recipe.check_task(run.prompt.task())?;
                recipe.start.iter().try_for_each(|start| start.check_unseen(&run.test))?;
            }
        }
        let lock = FolderLock::acquire(folder)?;
        open_folder(folder, RESULTS_FILE)?;
        let results = read_lines(&folder.join(RESULTS_FILE))?;
        // The file marks the folder as a sweep's from now on.
        write_lines(&folder.join(RESULTS_FILE), &results)?;
        let mut fingerprints = BTreeMap::new();
        let mut of = |rows: &Arc<Dataset>, soft_labels: bool| -> String {
            let fingerprint = || training_fingerprint(rows, soft_labels);
            fingerprints.entry((Arc::as_ptr(rows) as usize, soft_labels)).or_insert_with(fingerprint).clone()
        };
        let mut planned: Vec<(String, PlannedRun)> = Vec::with_capacity(runs.len());
        for run in runs {
            let soft = run.recipe.soft_labels;
            let parts = (&run.model, of(&run.train, soft), of(&run.test, false), run.split_seed, &run.prompt, &run.recipe);
            let bytes = match run.companions.as_slice() {
                [] => serde_json::to_vec(&parts),
                companions => serde_json::to_vec(&(parts, companions)),
            };
            let key = sha256::of_bytes(bytes.expect("settings serialize"));
            if planned.iter().all(|(other, _)| *other != key) {
                planned.push((key, run));
            }
        }
        Ok(Self { folder: folder.to_path_buf(), planned, results, _lock: lock })
    }

    /// Runs planned.
    pub fn runs(&self) -> usize {
        self.planned.len()
    }

    /// What is planned, in order.
    pub fn planned(&self) -> impl Iterator<Item = &PlannedRun> {
        self.planned.iter().map(|(_, run)| run)
    }

    /// The plan's results so far, in the plan's order.
    pub fn results(&self) -> Vec<&RunResult> {
        self.planned.iter().filter_map(|(key, _)| self.results.iter().find(|result| result.run == *key)).collect()
    }

    /// Runs what is not done on each of the devices, `jobs` at once on one base model.
    ///
    /// Runs that differ in `epochs` alone are one training, scored at each, where [`Recipe::depends_on_length`] is false.
    ///
    /// # Errors
    /// [`Error::Interrupted`] once `on_event` asks to stop; a model that cannot be opened, files that cannot be written. Finished runs are
    /// kept.
    pub fn run(
        &mut self,
        jobs: usize,
        devices: &[ComputeOptions],
        on_event: &mut dyn FnMut(&SweepEvent) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let groups = self.groups();
        let (begun, cost) = (Instant::now(), groups.iter().map(worker::Group::cost).sum::<f64>());
        let (mut spent, runs) = (0.0, self.planned.len());
        let outcome = worker::run_all(&groups, jobs, devices, &mut |heard| {
            let finished: worker::Finished = match heard {
                Heard::Done(finished) => finished,
                Heard::Lost(error) => return Ok(on_event(&SweepEvent::Lost(&error))),
                Heard::Message(()) | Heard::Waiting => return Ok(on_event(&SweepEvent::Waiting)),
            };
            spent += finished.cost;
            let new = self.results.len()..self.results.len() + finished.results.len();
            for (result, rows) in finished.results {
                self.keep_predictions(&result.run, &rows)?;
                self.results.push(result);
            }
            write_lines(&self.folder.join(RESULTS_FILE), &self.results)?;
            table::write(&self.folder.join(TABLE_FILE), &self.results)?;
            let done = self.results().len();
            let seconds_left = begun.elapsed().as_secs_f64() * (cost - spent) / spent;
            let mut asked = ControlFlow::Continue(());
            for (index, result) in self.results[new.clone()].iter().enumerate() {
                let done = done - new.len() + index + 1;
                if on_event(&SweepEvent::Run { result, done, runs, seconds_left }).is_break() {
                    asked = ControlFlow::Break(());
                }
            }
            Ok(asked)
        });
        table::write(&self.folder.join(TABLE_FILE), &self.results)?;
        outcome
    }

    fn keep_predictions(&self, run: &str, rows: &[ScoredRow]) -> Result<(), Error> {
        let folder = self.folder.join(PREDICTIONS_FOLDER);
        std::fs::create_dir_all(&folder).map_err(Error::file("create", &folder))?;
        write_lines(&folder.join(format!("{}.jsonl", &run[..16])), rows)
    }

    /// What is left to do, as trainings.
    fn groups(&self) -> Vec<worker::Group> {
        let done = |key: &str| self.results.iter().any(|result| result.run == key);
        let mut groups: Vec<worker::Group> = Vec::new();
        for (key, run) in self.planned.iter().filter(|(key, _)| !done(key)) {
            match groups.iter_mut().find(|group| group.shares_training(run)) {
                Some(group) => group.runs.push((key.clone(), run.clone())),
                None => groups.push(worker::Group { runs: vec![(key.clone(), run.clone())] }),
            }
        }
        groups
    }
}
