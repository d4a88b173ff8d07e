//! Threads that train, all on one base model.

use super::{PlannedRun, RunResult, ScoredRow};
use crate::base_model::BaseModel;
use crate::baseline::TfidfBaseline;
use crate::classifier::BaseModelRecord;
use crate::error::Error;
use crate::evaluation::Evaluation;
use crate::prediction::DecisionRule;
use crate::recipe::Recipe;
use crate::trainer::{ScoredOnTheWay, Trainer};
use lincah_model::{ComputeOptions, FrozenStates, ModelError};
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

/// How often the caller is asked whether to stop.
const MOMENT: Duration = Duration::from_millis(200);

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
        (3 * self.epochs() * run.train.len() + self.runs.len() * run.test.len()) as f64
    }
}

/// What the threads share.
struct Work {
    queue: Mutex<VecDeque<Group>>,
    compute: ComputeOptions,
    /// The model of the training that began last, and what frozen layers made of texts.
    base: Mutex<Option<(BaseModel, Arc<FrozenStates>)>>,
    stop: AtomicBool,
}

/// Trains all groups on `jobs` threads, and passes on what is finished in the calling thread, which is asked now and then whether to stop.
pub(super) fn run_all(
    groups: Vec<Group>,
    jobs: usize,
    compute: ComputeOptions,
    on_finished: &mut dyn FnMut(Option<Finished>) -> Result<ControlFlow<()>, Error>,
) -> Result<(), Error> {
    let jobs = jobs.clamp(1, groups.len().max(1));
    let work = Work { queue: Mutex::new(VecDeque::from(groups)), compute, base: Mutex::default(), stop: AtomicBool::new(false) };
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            let (sender, work) = (sender.clone(), &work);
            scope.spawn(move || {
                // The lock is let go before the training begins.
                while let Some(group) = work.next() {
                    let finished = work.train(&group);
                    let failed = finished.is_err();
                    if sender.send(finished).is_err() || failed {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut outcome = Ok(());
        loop {
            let told = match receiver.recv_timeout(MOMENT) {
                Ok(finished) => finished.and_then(|finished| on_finished(Some(finished))),
                Err(RecvTimeoutError::Timeout) => on_finished(None),
                Err(RecvTimeoutError::Disconnected) => return outcome,
            };
            if !matches!(told, Ok(ControlFlow::Continue(()))) {
                work.stop();
            }
            if let (Err(error), true) = (told, outcome.is_ok()) {
                outcome = Err(error);
            }
        }
    })
}

impl Work {
    fn next(&self) -> Option<Group> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).truncate(0);
    }

    /// The base model `name`, opened where another or none is there.
    fn base(&self, name: &str) -> Result<BaseModel, Error> {
        let mut base = self.base.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, _)) = &*base
            && known.name() == name
        {
            return Ok(known.clone());
        }
        *base = None; // The one before goes with its last training.
        let opened = BaseModel::open(name, self.compute)?;
        *base = Some((opened.clone(), opened.language_model()?.frozen_states()));
        Ok(opened)
    }

    /// Trains a group. One that diverges is done run by run, as its shorter runs may not.
    fn train(&self, group: &Group) -> Result<Finished, Error> {
        let base = self.base(&group.runs[0].1.model)?;
        let mut results = Vec::new();
        match self.train_once(&base, group) {
            Ok(found) => results = found,
            Err(error) if has_diverged(&error) => {
                for run in &group.runs {
                    let alone = Group { runs: vec![run.clone()] };
                    match self.train_once(&base, &alone) {
                        Ok(found) => results.extend(found),
                        Err(error) if has_diverged(&error) => results.push((diverged(&base, run)?, Vec::new())),
                        Err(error) => return Err(error),
                    }
                }
            }
            Err(error) => return Err(error),
        }
        Ok(Finished { results, cost: group.cost() })
    }

    fn train_once(&self, base: &BaseModel, group: &Group) -> Result<Vec<(RunResult, Vec<ScoredRow>)>, Error> {
        let run = &group.runs[0].1;
        let epochs: Vec<usize> = group.runs.iter().map(|(_, run)| run.recipe.epochs).collect();
        let recipe = Recipe { epochs: group.epochs(), ..run.recipe.clone() };
        let trainer = Trainer::new(base, run.prompt.clone(), recipe)?;
        let scored = ScoredOnTheWay { epochs: &epochs, texts: &run.test.texts };
        let asked = |_: &_| match self.stop.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let scores = trainer.run(&run.train, Some(scored), &mut { asked })?.scores;
        let tfidf = TfidfBaseline::evaluate(&run.train, &run.test)?.evaluation;
        let result = |(key, run): &(String, PlannedRun)| {
            let scores =
                scores.iter().find(|scores| scores.epoch == run.recipe.epochs).expect("every epoch asked for was scored");
            let (rule, seconds) = (DecisionRule::default(), scores.scoring_seconds);
            let evaluation = Evaluation::of(&scores.predictions, run.test.truth(), &rule, seconds)?;
            let rows = ScoredRow::of(&run.test, &scores.predictions);
            Ok((RunResult { evaluation: Some(evaluation), seconds: scores.seconds, ..empty(base, (key, run), &tfidf) }, rows))
        };
        group.runs.iter().map(result).collect()
    }
}

/// Whether the loss or the scores left the numbers.
fn has_diverged(error: &Error) -> bool {
    matches!(error, Error::Diverged { .. } | Error::Model(ModelError::NotFinite))
}

fn diverged(base: &BaseModel, (key, run): &(String, PlannedRun)) -> Result<RunResult, Error> {
    Ok(empty(base, (key, run), &TfidfBaseline::evaluate(&run.train, &run.test)?.evaluation))
}

fn empty(base: &BaseModel, (key, run): (&str, &PlannedRun), tfidf: &Evaluation) -> RunResult {
    RunResult {
        run: key.to_string(),
        base_model: BaseModelRecord::of(base),
        split_seed: run.split_seed,
        train_size: run.train.len(),
        prompt: run.prompt.clone(),
        recipe: run.recipe.clone(),
        evaluation: None,
        tfidf: tfidf.clone(),
        seconds: 0.0,
    }
}
