//! A training that is carried out: its steps, what is told of them, and what is kept on the way.

use super::checkpoint::{Best, CHECKPOINT_FILE, Checkpoint};
use super::event::TrainEvent;
use super::log::{LOG_FILE, Log};
use super::plan::{MicroBatch, Next, Plan};
use super::{EpochScores, ScoredOnTheWay, Trainer};
use crate::classifier::{AgileClassifier, ClassifierRecord, MEMBERS_FOLDER, ScoredDataset, is_empty_or_absent};
use crate::data::dataset::Dataset;
use crate::error::Error;
use crate::metrics::Metric;
use lincah_model::{Adapter, LabelRowTargets, Objective, Targets, TokenBatch, Training, sha256};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

/// Between the seeds of one training's members, so that the seeds of two trainings don't meet.
const MEMBER_SEEDS: u64 = 1 << 32;

/// A training, and all that decides it.
pub(super) struct TrainingJob<'a> {
    pub(super) trainer: &'a Trainer,
    pub(super) plan: Plan,
    /// Of the classifier that it ends with.
    pub(super) record: &'a ClassifierRecord,
    pub(super) validation: Option<Dataset>,
    /// Tokens that all prompts share.
    pub(super) shared_prefix: usize,
    pub(super) scored: Option<ScoredOnTheWay<'a>>,
}

/// What a training keeps track of besides its adapter.
struct Progress {
    step: usize,
    best: Option<Best>,
    /// Adapters of the members that are trained.
    members: Vec<Adapter>,
    started: Instant,
    /// Time spent on other things than steps.
    aside: Duration,
    examples: usize,
    scores: Vec<EpochScores>,
}

type Tell<'a> = dyn FnMut(&TrainEvent) -> Result<ControlFlow<()>, Error> + 'a;

/// Whether a folder holds a whole classifier, of all its members.
pub(super) fn is_finished(folder: &Path) -> bool {
    let members_come = || ClassifierRecord::read(folder).is_ok_and(|record| record.members_to_come > 0);
    folder.join("classifier.json").exists() && !folder.join(CHECKPOINT_FILE).exists() && !members_come()
}

/// The folder, in a classifier's own, of the out-of-fold scores that chose its decisions.
pub(crate) const FOLDS_FOLDER: &str = "folds";

/// Whether a folder holds nothing but the folds of a training that has not begun itself.
pub(super) fn holds_only_folds(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    let names: Vec<String> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let lock = format!(".{FOLDS_FOLDER}.lincah-lock");
    names.iter().any(|name| name == FOLDS_FOLDER) && names.iter().all(|name| *name == FOLDS_FOLDER || *name == lock)
}

/// Whether there are scores to choose a finished classifier's decisions by, and no decisions.
fn lacks_decisions(folder: &Path) -> bool {
    folder.join(FOLDS_FOLDER).exists() && ClassifierRecord::read(folder).is_ok_and(|record| record.decisions.is_none())
}

/// Refuses a folder that a training cannot begin in, or go on in.
pub(super) fn check_folder(folder: &Path, resume: bool) -> Result<(), Error> {
    let path = || folder.to_path_buf();
    if folder.is_file() {
        return Err(Error::NotAFolder { path: path() });
    }
    match (resume, is_empty_or_absent(folder)?) {
        (true, false) if holds_only_folds(folder) => Ok(()),
        (true, false) if is_finished(folder) && lacks_decisions(folder) => {
            Err(Error::DecisionsToCome { path: path(), folds: folder.join(FOLDS_FOLDER) })
        }
        (_, false) if is_finished(folder) => Err(Error::AlreadyFinished { path: path() }),
        (false, false) => Err(Error::FolderNotEmpty { path: path() }),
        (true, true) => Err(Error::NothingToResume { path: path() }),
        (true, false) if ![LOG_FILE, MEMBERS_FOLDER].iter().any(|name| folder.join(name).exists()) => {
            Err(Error::NothingToResume { path: path() })
        }
        _ => Ok(()),
    }
}

/// Refuses what another kind of training has begun in a folder: of one classifier, or of a committee of several.
pub(super) fn check_kind(folder: &Path, of_committee: bool) -> Result<(), Error> {
    let has = |folder: &Path, names: &[&str]| names.iter().any(|name| folder.join(name).exists());
    let members = std::fs::read_dir(folder.join(MEMBERS_FOLDER)).into_iter().flatten().flatten();
    let of_several = members.into_iter().any(|member| has(&member.path(), &["classifier.json", LOG_FILE]));
    let of_one = has(folder, &[LOG_FILE, CHECKPOINT_FILE]);
    match (of_committee, of_one, of_several) {
        (true, true, _) | (false, _, true) => {
            Err(Error::OtherRun { path: folder.to_path_buf(), what: "list of models or preset" })
        }
        _ => Ok(()),
    }
}

impl TrainingJob<'_> {
    /// Trains; returns the adapter to keep, and the texts that were scored on the way.
    pub(super) fn execute(
        self,
        on_event: &mut dyn FnMut(&TrainEvent) -> ControlFlow<()>,
    ) -> Result<(Adapter, Vec<EpochScores>), Error> {
        let folder = self.trainer.folder.as_deref();
        let run = sha256::of_bytes(serde_json::to_vec(self.record).expect("a record serializes"));
        let (mut training, mut progress) = self.begin(&run)?;
        let mut log = Log::open(folder, progress.step)?;
        let start = TrainEvent::Start {
            step: progress.step,
            steps: self.plan.steps,
            rows: self.plan.rows(),
            validation_rows: self.record.data.validation_rows,
            truncated_texts: self.record.data.truncated_texts,
            shared_prefix: self.shared_prefix,
        };
        let asked = log.tell(&start, on_event)?;
        if let (0, Some(folder)) = (progress.step, folder) {
            // A disk without room is found out now rather than after the work, and every kill finds something to go on from.
            let begun = Instant::now();
            self.checkpoint(&run, training.as_ref(), &progress).write(folder)?;
            progress.aside += begun.elapsed();
        }
        let mut tell = |event: &TrainEvent| log.tell(event, on_event);
        let stopped_early = self.steps((&run, asked), &mut training, &mut progress, &mut tell)?;
        let adapter = match (&progress.best, progress.members.as_slice()) {
            (Some(best), _) => best.adapter.clone(),
            (None, []) => training.adapter(),
            (None, members) => Adapter::average(members),
        };
        if self.trainer.recipe.members > 1 {
            self.score(self.trainer.recipe.epochs, &adapter, &mut progress)?;
        }
        let seconds = progress.started.elapsed().as_secs_f64();
        let kept_epoch = progress.best.as_ref().map_or(self.trainer.recipe.epochs, |best| best.epoch);
        let _ = tell(&TrainEvent::End { step: progress.step, stopped_early, kept_epoch, seconds })?;
        Ok((adapter, progress.scores))
    }

    /// A fresh adapter, or the checkpoint's.
    fn begin(&self, run: &str) -> Result<(Box<dyn Training>, Progress), Error> {
        let mut progress = Progress {
            step: 0,
            best: None,
            members: vec![],
            started: Instant::now(),
            aside: Duration::ZERO,
            examples: 0,
            scores: vec![],
        };
        let (recipe, model) = (&self.trainer.recipe, self.trainer.base.language_model()?);
        if let Some(folder) = &self.trainer.folder {
            if self.trainer.resume && folder.join(CHECKPOINT_FILE).exists() {
                let checkpoint = Checkpoint::read(folder, &recipe.lora, self.plan.steps)?;
                if checkpoint.run != run {
                    return Err(Error::OtherRun { path: folder.clone(), what: "recipe, prompt, model or data" });
                }
                let training = model.resume_training(&checkpoint.adapter, &checkpoint.optimizer)?;
                (progress.step, progress.best, progress.members) = (checkpoint.step, checkpoint.best, checkpoint.members);
                return Ok((training, progress));
            }
            std::fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
        }
        Ok((self.begin_member(recipe.seed)?, progress))
    }

    /// A training of a fresh adapter, or of the one to start from.
    fn begin_member(&self, seed: u64) -> Result<Box<dyn Training>, Error> {
        let Trainer { base, scoring, recipe, .. } = self.trainer;
        let model = base.language_model()?;
        let adapter = match &recipe.start {
            Some(start) => start.adapter(base, &scoring.prompt)?,
            None => model.fresh_adapter(&recipe.lora, seed)?,
        };
        let lacks_rows = scoring.prompt.has_label_rows() && adapter.label_rows().is_none();
        let adapter = if lacks_rows { adapter.with_label_rows(scoring.first_label_rows(base)?) } else { adapter };
        Ok(model.train_adapter(&adapter)?)
    }

    /// The steps that are left; returns whether the training ended before its last epoch.
    fn steps(
        &self,
        (run, mut asked): (&str, ControlFlow<()>),
        training: &mut Box<dyn Training>,
        progress: &mut Progress,
        tell: &mut Tell,
    ) -> Result<bool, Error> {
        let (trainer, plan) = (self.trainer, &self.plan);
        let mut last_checkpoint = Instant::now();
        while progress.step < plan.steps {
            if asked.is_continue() {
                asked = tell(&self.one_step(training.as_mut(), progress)?)?;
                self.end_member(training, progress)?;
                if progress.step.is_multiple_of(plan.steps_per_epoch) && self.end_epoch(training.as_ref(), progress, tell)? {
                    return Ok(true);
                }
            }
            let is_due = asked.is_break() || last_checkpoint.elapsed() >= trainer.checkpoint_interval;
            if let (true, Some(folder)) = (is_due, &trainer.folder) {
                let begun = Instant::now();
                self.checkpoint(run, training.as_ref(), progress).write(folder)?;
                last_checkpoint = Instant::now();
                progress.aside += begun.elapsed();
            }
            if asked.is_break() && progress.step < plan.steps {
                return Err(Error::Interrupted { step: progress.step, steps: plan.steps, folder: trainer.folder.clone() });
            }
        }
        Ok(false)
    }

    /// Where a member's last step was taken: keeps its adapter and begins the next member.
    fn end_member(&self, training: &mut Box<dyn Training>, progress: &mut Progress) -> Result<(), Error> {
        let recipe = &self.trainer.recipe;
        if recipe.members == 1 || !progress.step.is_multiple_of(self.plan.member_steps) {
            return Ok(());
        }
        progress.members.push(training.adapter());
        if progress.step < self.plan.steps {
            let seed = recipe.seed.wrapping_add(progress.members.len() as u64 * MEMBER_SEEDS);
            *training = self.begin_member(seed)?;
        }
        Ok(())
    }

    /// Scores what is to be scored after an epoch; returns whether the patience is over.
    fn end_epoch(&self, training: &dyn Training, progress: &mut Progress, tell: &mut Tell) -> Result<bool, Error> {
        let epoch = progress.step / self.plan.steps_per_epoch;
        if self.trainer.recipe.members == 1 && self.scored.is_some_and(|scored| scored.epochs.contains(&epoch)) {
            self.score(epoch, &training.adapter(), progress)?;
        }
        let Some(validation) = &self.validation else { return Ok(false) };
        let begun = Instant::now();
        let stop = self.validate(validation, training.adapter(), progress, tell)?;
        progress.aside += begun.elapsed();
        Ok(stop)
    }

    /// The classifier with an adapter as it stands.
    fn classifier(&self, adapter: &Adapter) -> Result<AgileClassifier, Error> {
        AgileClassifier::new(self.trainer.base.clone(), adapter, self.record.clone())
    }

    /// Scores the texts of [`ScoredOnTheWay`], if `epoch` is among its epochs.
    fn score(&self, epoch: usize, adapter: &Adapter, progress: &mut Progress) -> Result<(), Error> {
        let Some(scored) = self.scored.filter(|scored| scored.epochs.contains(&epoch)) else { return Ok(()) };
        let (begun, seconds) = (Instant::now(), (progress.started.elapsed() - progress.aside).as_secs_f64());
        let predictions = self.classifier(adapter)?.predict(scored.texts)?;
        progress.aside += begun.elapsed();
        let scoring_seconds = begun.elapsed().as_secs_f64();
        progress.scores.push(EpochScores { epoch, predictions, seconds, scoring_seconds });
        Ok(())
    }

    /// Adds the gradients of a micro-batch, and returns its loss.
    fn gradients(
        &self,
        training: &mut dyn Training,
        batch: &TokenBatch,
        of: &MicroBatch,
        dropout_seed: u64,
    ) -> Result<f64, Error> {
        let scoring = &self.trainer.scoring;
        let answer = |next: &Next| match *next {
            Next::Answer(answer) => answer,
            Next::Token(_) => unreachable!("labels that are rows have no tokens"),
        };
        if scoring.prompt.has_label_rows() {
            let rows: Vec<usize> = of.next.iter().map(answer).collect();
            let (answers, _) = scoring.answers_and_questions();
            let targets = LabelRowTargets { answers, texts: &of.texts, rows: &rows, weights: &of.weights };
            return Ok(training.accumulate_label_row_gradients(batch, &targets, dropout_seed)?);
        }
        let candidates = scoring.label_tokens.ids();
        let token = |next: &Next| match *next {
            Next::Answer(answer) => candidates[answer],
            Next::Token(token) => token,
        };
        let tokens: Vec<u32> = of.next.iter().map(token).collect();
        let targets = Targets { texts: &of.texts, tokens: &tokens, weights: &of.weights };
        let objective = Objective { loss: self.trainer.recipe.loss, candidates };
        Ok(training.accumulate_gradients(batch, &targets, objective, dropout_seed)?)
    }

    fn one_step(&self, training: &mut dyn Training, progress: &mut Progress) -> Result<TrainEvent, Error> {
        let (recipe, plan, step) = (&self.trainer.recipe, &self.plan, progress.step);
        let batch = plan.batch(step);
        let mut loss = 0.0;
        for (index, micro_batch) in plan.micro_batches(&batch, recipe.gradient_accumulation).into_iter().enumerate() {
            let batch = TokenBatch::grouped(&micro_batch.groups);
            loss += self.gradients(training, &batch, &micro_batch, plan.dropout_seed(step, index))?;
        }
        if !loss.is_finite() {
            return Err(Error::Diverged { step: step + 1 });
        }
        let learning_rate =
            recipe.learning_rate * recipe.schedule.factor(step % plan.member_steps, plan.member_steps, recipe.warmup);
        let gradient_norm = training.apply_gradients(&recipe.optimizer, learning_rate);
        progress.step += 1;
        progress.examples += batch.len();
        let seconds = (progress.started.elapsed() - progress.aside).as_secs_f64();
        let examples_per_second = progress.examples as f64 / seconds.max(1e-9);
        let examples_left = (plan.steps - progress.step) as f64 * plan.rows() as f64 / plan.steps_per_epoch as f64;
        Ok(TrainEvent::Step {
            step: progress.step,
            epoch: step / plan.steps_per_epoch + 1,
            loss,
            learning_rate,
            gradient_norm,
            examples_per_second,
            seconds_left: examples_left / examples_per_second,
        })
    }

    /// Scores the validation rows; returns whether the patience is over.
    fn validate(&self, validation: &Dataset, adapter: Adapter, progress: &mut Progress, tell: &mut Tell) -> Result<bool, Error> {
        let epoch = progress.step / self.plan.steps_per_epoch;
        let ScoredDataset { evaluation, .. } = self.classifier(&adapter)?.evaluate(validation)?;
        let loss = evaluation.log_loss;
        let best = progress.best.as_ref().is_none_or(|best| loss < best.loss);
        if best {
            progress.best = Some(Best { epoch, loss, adapter });
        }
        // Of independent labels, the accuracy is the share of right answers.
        let accuracy = evaluation.value(Metric::Accuracy).or(evaluation.value(Metric::HammingLoss).map(|wrong| 1.0 - wrong));
        let f1 = [Metric::F1, Metric::MicroF1, Metric::MacroF1].into_iter().find_map(|metric| evaluation.value(metric));
        let roc_auc = evaluation.value(Metric::RocAuc).or(evaluation.value(Metric::MacroRocAuc));
        let (accuracy, f1) = (accuracy.unwrap_or(f64::NAN), f1.unwrap_or(f64::NAN));
        let _ = tell(&TrainEvent::Validation { step: progress.step, epoch, loss, accuracy, f1, roc_auc, best })?;
        let since_best = epoch - progress.best.as_ref().map_or(epoch, |best| best.epoch);
        let patience = self.trainer.recipe.patience;
        Ok(progress.step < self.plan.steps && patience.is_some_and(|patience| since_best >= patience))
    }

    fn checkpoint(&self, run: &str, training: &dyn Training, progress: &Progress) -> Checkpoint {
        Checkpoint {
            run: run.to_string(),
            step: progress.step,
            adapter: training.adapter(),
            optimizer: training.optimizer_state(),
            best: progress.best.clone(),
            members: progress.members.clone(),
        }
    }
}
