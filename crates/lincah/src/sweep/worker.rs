//! Threads that train, all of a device on one base model.

use super::{PlannedRun, RunResult, ScoredRow};
use crate::base_model::BaseModel;
use crate::baseline::TfidfBaseline;
use crate::classifier::BaseModelRecord;
use crate::error::Error;
use crate::evaluation::Evaluation;
use crate::prediction::DecisionRule;
use crate::recipe::Recipe;
use crate::trainer::{Companion, ScoredOnTheWay, Trainer};
use crate::workers::{self, Heard, Reporter};
use lincah_model::{ComputeOptions, FrozenStates, ModelError};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

/// Runs that one training serves: alike but for their epochs.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) runs: Vec<(String, PlannedRun)>,
}

/// A training that is over.
pub(super) struct Finished {
    /// Each with the rows that it scored, none where it diverged.
    pub(super) results: Vec<(RunResult, Vec<ScoredRow>)>,
    pub(super) cost: f64,
}

impl Group {
    /// Whether `run` is the same training, longer or shorter.
    pub(super) fn shares_training(&self, run: &PlannedRun) -> bool {
        let first = &self.runs[0].1;
        let recipe = |run: &PlannedRun| Recipe { epochs: 0, ..run.recipe.clone() };
        !run.recipe.depends_on_length()
            && run.companions.is_empty()
            && first.companions.is_empty()
            && recipe(first) == recipe(run)
            && first.prompt == run.prompt
            && first.model == run.model
            && first.split_seed == run.split_seed
            && Arc::ptr_eq(&first.train, &run.train)
            && Arc::ptr_eq(&first.test, &run.test)
    }

    fn epochs(&self) -> usize {
        self.runs.iter().map(|(_, run)| run.recipe.epochs).max().unwrap_or(0)
    }

    /// Texts that pass through the model, forward and backward counting as three passes.
    pub(super) fn cost(&self) -> f64 {
        let run = &self.runs[0].1;
        (1 + run.companions.len()) as f64 * (3 * self.epochs() * run.train.len() + self.runs.len() * run.test.len()) as f64
    }
}

/// A device, and what its threads share: the models of the training that began last, and what frozen layers made of texts.
struct Place {
    compute: ComputeOptions,
    opened: Mutex<Option<Opened>>,
}

#[derive(Clone)]
struct Opened {
    models: Vec<BaseModel>,
    _states: Vec<Arc<FrozenStates>>,
}

/// Trains all groups, on each of the devices `jobs` at once.
pub(super) fn run_all(
    groups: &[Group],
    jobs: usize,
    devices: &[ComputeOptions],
    hear: &mut dyn FnMut(Heard<(), Finished>) -> Result<ControlFlow<()>, Error>,
) -> Result<(), Error> {
    let places: Vec<Place> = devices.iter().map(|&compute| Place { compute, opened: Mutex::default() }).collect();
    // A thread on every device before a second one on any.
    let workers: Vec<&Place> = (0..jobs.max(1)).flat_map(|_| &places).collect();
    workers::work(&workers, groups, |place, group, reporter| place.train(group, reporter), hear)
}

impl Place {
    /// The models of a run, opened where others or none are there.
    fn models(&self, run: &PlannedRun) -> Result<Vec<BaseModel>, Error> {
        let mut place = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let names = || std::iter::once(&run.model).chain(run.companions.iter().map(|(name, _)| name));
        if let Some(opened) = &*place
            && opened.models.iter().map(BaseModel::name).eq(names())
        {
            return Ok(opened.models.clone());
        }
        *place = None; // Those before go with their last training.
        let models = names().map(|name| BaseModel::open(name, self.compute)).collect::<Result<Vec<_>, _>>()?;
        let states = models.iter().filter_map(|model| model.language_model().ok()).map(|model| model.frozen_states());
        *place = Some(Opened { _states: states.collect(), models: models.clone() });
        Ok(models)
    }

    /// Trains a group. One that diverges is done run by run, as its shorter runs may not.
    fn train(&self, group: &Group, reporter: &Reporter<()>) -> Result<Finished, Error> {
        let models = self.models(&group.runs[0].1)?;
        let mut results = Vec::new();
        match train_once(&models, group, reporter) {
            Ok(found) => results = found,
            Err(error) if has_diverged(&error) => {
                for run in &group.runs {
                    let alone = Group { runs: vec![run.clone()] };
                    match train_once(&models, &alone, reporter) {
                        Ok(found) => results.extend(found),
                        Err(error) if has_diverged(&error) => results.push((diverged(&models, run)?, Vec::new())),
                        Err(error) => return Err(error),
                    }
                }
            }
            Err(error) => return Err(error),
        }
        Ok(Finished { results, cost: group.cost() })
    }
}

fn train_once(models: &[BaseModel], group: &Group, reporter: &Reporter<()>) -> Result<Vec<(RunResult, Vec<ScoredRow>)>, Error> {
    let run = &group.runs[0].1;
    let epochs: Vec<usize> = group.runs.iter().map(|(_, run)| run.recipe.epochs).collect();
    let recipe = Recipe { epochs: group.epochs(), ..run.recipe.clone() };
    let companion =
        |(base, (_, recipe)): (&BaseModel, &(String, Recipe))| Companion { base: base.clone(), recipe: recipe.clone() };
    let companions: Vec<Companion> = models[1..].iter().zip(&run.companions).map(companion).collect();
    let trainer = Trainer::new(&models[0], run.prompt.clone(), recipe)?.together_with(&companions)?;
    let scored = ScoredOnTheWay { epochs: &epochs, texts: &run.test.texts };
    let scores = trainer.run(&run.train, Some(scored), &mut |_| reporter.asked())?.scores;
    let tfidf = TfidfBaseline::evaluate(&run.train, &run.test)?.evaluation;
    let result = |(key, run): &(String, PlannedRun)| {
        let scores = scores.iter().find(|scores| scores.epoch == run.recipe.epochs).expect("every epoch asked for was scored");
        let (rule, seconds) = (DecisionRule::default(), scores.scoring_seconds);
        let evaluation = Evaluation::of(&scores.predictions, run.test.truth(), &rule, seconds)?;
        let rows = ScoredRow::of(&run.test, &scores.predictions);
        Ok((RunResult { evaluation: Some(evaluation), seconds: scores.seconds, ..empty(models, (key, run), &tfidf) }, rows))
    };
    group.runs.iter().map(result).collect()
}

/// Whether the loss or the scores left the numbers.
fn has_diverged(error: &Error) -> bool {
    matches!(error, Error::Diverged { .. } | Error::Model(ModelError::NotFinite))
}

fn diverged(models: &[BaseModel], (key, run): &(String, PlannedRun)) -> Result<RunResult, Error> {
    Ok(empty(models, (key, run), &TfidfBaseline::evaluate(&run.train, &run.test)?.evaluation))
}

fn empty(models: &[BaseModel], (key, run): (&str, &PlannedRun), tfidf: &Evaluation) -> RunResult {
    RunResult {
        run: key.to_string(),
        base_model: BaseModelRecord::of(&models[0]),
        companions: models[1..].iter().map(BaseModelRecord::of).collect(),
        split_seed: run.split_seed,
        train_size: run.train.len(),
        prompt: run.prompt.clone(),
        recipe: run.recipe.clone(),
        evaluation: None,
        tfidf: tfidf.clone(),
        seconds: 0.0,
    }
}
