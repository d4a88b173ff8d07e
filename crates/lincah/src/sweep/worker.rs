//! Threads that train, one base model each.

use super::{PlannedRun, RunResult, ScoredRow};
use crate::base_model::BaseModel;
use crate::baseline::TfidfBaseline;
use crate::classifier::BaseModelRecord;
use crate::error::Error;
use crate::evaluate::Evaluation;
use crate::recipe::Recipe;
use crate::trainer::Trainer;
use lincah_model::Compute;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

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

/// Trains all groups on `jobs` threads, and passes on what is finished, in the calling thread.
pub(super) fn run_all(
    groups: Vec<Group>,
    (jobs, compute): (usize, Compute),
    stop: &Arc<AtomicBool>,
    on_finished: &mut dyn FnMut(Finished) -> Result<(), Error>,
) -> Result<(), Error> {
    let jobs = jobs.clamp(1, groups.len().max(1));
    let queue = Mutex::new(VecDeque::from(groups));
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            let (sender, queue) = (sender.clone(), &queue);
            scope.spawn(move || {
                let mut base = None;
                // The lock is let go before the training begins.
                while let Some(group) = next(queue) {
                    let finished = train(&mut base, &group, compute, stop);
                    let failed = finished.is_err();
                    if sender.send(finished).is_err() || failed {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut outcome = Ok(());
        for finished in receiver {
            let told = finished.and_then(&mut *on_finished);
            if told.is_err() && outcome.is_ok() {
                stop.store(true, Ordering::Relaxed);
                queue.lock().unwrap_or_else(PoisonError::into_inner).clear();
                outcome = told;
            }
        }
        outcome
    })
}

fn next(queue: &Mutex<VecDeque<Group>>) -> Option<Group> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

/// Trains a group with the model in `base`, opening it where another or none is there. A group that diverges is done run by run, as its
/// shorter runs may not.
fn train(base: &mut Option<BaseModel>, group: &Group, compute: Compute, stop: &Arc<AtomicBool>) -> Result<Finished, Error> {
    let mut results = Vec::new();
    match train_once(base, group, compute, stop) {
        Ok(found) => results = found,
        Err(Error::Diverged { .. }) => {
            for run in &group.runs {
                let alone = Group { runs: vec![run.clone()] };
                match train_once(base, &alone, compute, stop) {
                    Ok(found) => results.extend(found),
                    Err(Error::Diverged { .. }) => results.push((diverged(run, compute, base)?, Vec::new())),
                    Err(error) => return Err(error),
                }
            }
        }
        Err(error) => return Err(error),
    }
    Ok(Finished { results, cost: group.cost() })
}

fn open<'a>(base: &'a mut Option<BaseModel>, name: &str, compute: Compute) -> Result<&'a BaseModel, Error> {
    if base.as_ref().is_none_or(|base| base.name() != name) {
        *base = None; // Never two in memory.
        *base = Some(BaseModel::open(name, compute)?);
    }
    Ok(base.as_ref().expect("it was opened above"))
}

fn train_once(
    base: &mut Option<BaseModel>,
    group: &Group,
    compute: Compute,
    stop: &Arc<AtomicBool>,
) -> Result<Vec<(RunResult, Vec<ScoredRow>)>, Error> {
    let run = &group.runs[0].1;
    let record = BaseModelRecord::of(open(base, &run.model, compute)?);
    let model = base.take().expect("it was opened above");
    let epochs: Vec<usize> = group.runs.iter().map(|(_, run)| run.recipe.epochs).collect();
    let recipe = Recipe { epochs: group.epochs(), ..run.recipe.clone() };
    let trainer = Trainer::new(model, run.prompt.clone(), recipe)?.stopping_at(stop.clone());
    let (classifier, scores) = trainer.fit_scoring(&run.train, (&epochs, &run.test.texts), &mut |_| {})?;
    *base = Some(classifier.into_base());
    let (_, tfidf) = TfidfBaseline::evaluate(&run.train, &run.test)?;
    let result = |(key, run): &(String, PlannedRun)| {
        let scores = scores.iter().find(|scores| scores.epoch == run.recipe.epochs).expect("every epoch asked for was scored");
        let finite = scores.predictions.iter().flat_map(|prediction| &prediction.probabilities).all(|value| value.is_finite());
        let evaluate = || Evaluation::of(&scores.predictions, &run.test.labels, &run.test.label_names, scores.scoring_seconds);
        // The last step may have left the numbers without a further loss to show it.
        let evaluation = finite.then(evaluate).transpose()?;
        let rows = ScoredRow::of(&run.test, &scores.predictions);
        Ok((RunResult { evaluation, seconds: scores.seconds, ..empty(key, run, &record, &tfidf) }, rows))
    };
    group.runs.iter().map(result).collect()
}

fn diverged((key, run): &(String, PlannedRun), compute: Compute, base: &mut Option<BaseModel>) -> Result<RunResult, Error> {
    let record = BaseModelRecord::of(open(base, &run.model, compute)?);
    let (_, tfidf) = TfidfBaseline::evaluate(&run.train, &run.test)?;
    Ok(empty(key, run, &record, &tfidf))
}

fn empty(key: &str, run: &PlannedRun, base_model: &BaseModelRecord, tfidf: &Evaluation) -> RunResult {
    RunResult {
        run: key.to_string(),
        base_model: base_model.clone(),
        split_seed: run.split_seed,
        train_size: run.train.len(),
        prompt: run.prompt.clone(),
        recipe: run.recipe.clone(),
        evaluation: None,
        tfidf: tfidf.clone(),
        seconds: 0.0,
    }
}
