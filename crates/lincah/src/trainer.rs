//! Training: rows in, classifier out, with checkpoints on the way.

mod checkpoint;
mod event;
mod log;
mod plan;

use crate::base_model::BaseModel;
use crate::classifier::{
    AgileClassifier, BaseModelRecord, ClassifierRecord, DataRecord, FORMAT_VERSION, is_empty_or_absent, predict,
};
use crate::data::dataset::LabelledDataset;
use crate::data::fingerprint::training_fingerprint;
use crate::data::report::DataReport;
use crate::error::Error;
use crate::evaluate::Evaluation;
use crate::prediction::Prediction;
use crate::prompt::{LabelTokens, Prompt, PromptEncoder, shared_prefix_length};
use crate::recipe::{Recipe, TrainingText};
use checkpoint::{Best, CHECKPOINT_FILE, Checkpoint};
use lincah_model::{Adapter, Targets, TokenBatch};
use log::Log;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub use event::TrainEvent;
use plan::Next;
pub(crate) use plan::{Plan, Question, class_weights};

/// Trains classifiers from a base model.
///
/// The same base model, prompt, recipe and rows give the same classifier, bit for bit, on one machine; interrupted and resumed or not.
#[derive(Debug)]
pub struct Trainer {
    base: BaseModel,
    prompt: Prompt,
    label_tokens: LabelTokens,
    recipe: Recipe,
    folder: Option<PathBuf>,
    resume: bool,
    stop: Option<Arc<AtomicBool>>,
    checkpoint_interval: Duration,
    /// Epochs after which texts are scored, and the texts.
    scored: Option<(Vec<usize>, Vec<String>)>,
}

/// Between the seeds of one training's members, so that the seeds of two trainings don't meet.
const MEMBER_SEEDS: u64 = 1 << 32;

/// What a training's classifier says of some texts after an epoch.
#[derive(Debug, Clone)]
pub struct EpochScores {
    /// Epochs trained.
    pub epoch: usize,
    /// Of each text, in order.
    pub predictions: Vec<Prediction>,
    /// Seconds that the training took up to here, the scoring left out.
    pub seconds: f64,
    /// Seconds that the scoring took.
    pub scoring_seconds: f64,
}

/// A training to be carried out, whatever it is about.
pub(crate) struct Work<'a> {
    pub(crate) plan: Plan,
    /// SHA-256 of all that decides it.
    pub(crate) run: String,
    pub(crate) facts: DataFacts,
    pub(crate) validate: Option<Validate<'a>>,
}

/// What is told of the data when a training starts.
pub(crate) struct DataFacts {
    pub(crate) validation_rows: usize,
    pub(crate) cut_texts: usize,
    pub(crate) shared_prefix: usize,
}

/// Scores the validation rows with the model as it stands.
pub(crate) type Validate<'a> = Box<dyn Fn(&BaseModel) -> Result<ValidationScores, Error> + 'a>;

/// What a [`TrainEvent::Validation`] tells.
pub(crate) struct ValidationScores {
    pub(crate) loss: f64,
    pub(crate) accuracy: f64,
    pub(crate) f1: f64,
    pub(crate) roc_auc: Option<f64>,
}

/// What a run keeps track of besides the model.
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

impl Trainer {
    /// A trainer; labels whose tokens collide are asked for by letters (see [`LabelTokens::resolve`]).
    ///
    /// # Errors
    /// A recipe out of range, labels that the tokenizer cannot tell apart.
    pub fn new(base: BaseModel, prompt: Prompt, recipe: Recipe) -> Result<Self, Error> {
        recipe.check()?;
        let (prompt, label_tokens) = LabelTokens::resolve(prompt, base.tokenizer())?;
        let checkpoint_interval = Duration::from_secs(20);
        let (folder, stop, scored) = (None, None, None);
        Ok(Self { base, prompt, label_tokens, recipe, folder, resume: false, stop, checkpoint_interval, scored })
    }

    /// Keeps checkpoints and `training.jsonl` in `folder`, which must be empty or absent unless `resume`.
    pub fn in_folder(mut self, folder: &Path, resume: bool) -> Self {
        (self.folder, self.resume) = (Some(folder.to_path_buf()), resume);
        self
    }

    /// Stops between two steps once `stop` is true.
    pub fn stopping_at(mut self, stop: Arc<AtomicBool>) -> Self {
        self.stop = Some(stop);
        self
    }

    /// Least time between checkpoints, 20 seconds if not given.
    pub fn checkpoint_interval(mut self, interval: Duration) -> Self {
        self.checkpoint_interval = interval;
        self
    }

    /// What is asked of the model.
    pub fn prompt(&self) -> &Prompt {
        &self.prompt
    }

    pub(crate) fn base(&self) -> &BaseModel {
        &self.base
    }

    pub(crate) fn label_tokens(&self) -> &LabelTokens {
        &self.label_tokens
    }

    pub(crate) fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Trains on `data`, whose labels are the prompt's, and tells of each step. With a folder, the classifier is saved there.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when stopped, with a checkpoint left in the folder; [`Error::Diverged`]; files that cannot be written.
    pub fn fit(self, data: &LabelledDataset, on_event: &mut dyn FnMut(&TrainEvent)) -> Result<AgileClassifier, Error> {
        Ok(self.run(data, on_event)?.0)
    }

    /// Trains like [`Trainer::fit`], and scores `texts` after each of the `epochs` as the classifier of that moment does.
    ///
    /// Where [`Recipe::depends_on_length`] is false, that is the classifier of a training of so many epochs, bit for bit.
    ///
    /// # Errors
    /// As [`Trainer::fit`].
    pub fn fit_scoring(
        mut self,
        data: &LabelledDataset,
        (epochs, texts): (&[usize], &[String]),
        on_event: &mut dyn FnMut(&TrainEvent),
    ) -> Result<(AgileClassifier, Vec<EpochScores>), Error> {
        self.scored = Some((epochs.to_vec(), texts.to_vec()));
        self.run(data, on_event)
    }

    fn run(
        self,
        data: &LabelledDataset,
        on_event: &mut dyn FnMut(&TrainEvent),
    ) -> Result<(AgileClassifier, Vec<EpochScores>), Error> {
        let (train, validation) = self.recipe.split(data)?;
        let encoder = PromptEncoder::new(self.base.tokenizer(), &self.prompt, self.recipe.max_tokens)?;
        let report = DataReport::of(&train);
        let class_rows = DataRecord::class_rows(&report);
        let questions = self.questions(&train, &encoder, &class_rows)?;
        let prompts = || questions.iter().map(|question| &question.prompt);
        let data_record = DataRecord {
            rows: train.len(),
            validation_rows: validation.as_ref().map_or(0, LabelledDataset::len),
            fingerprint: training_fingerprint(&train, self.recipe.soft_labels),
            class_rows,
            cut: data.cut,
            duplicate_rows: report.normalized_duplicates.extra_rows,
            cut_texts: prompts().filter(|prompt| prompt.cut_characters > 0).count(),
        };
        let shared_prefix = shared_prefix_length(&prompts().collect::<Vec<_>>());
        let record = ClassifierRecord {
            format_version: FORMAT_VERSION,
            lincah_version: env!("CARGO_PKG_VERSION").to_string(),
            prompt: self.prompt.clone(),
            label_tokens: self.label_tokens.clone(),
            base_model: BaseModelRecord::of(&self.base),
            recipe: self.recipe.clone(),
            data: data_record,
            metrics: None,
        };
        let validate = |base: &BaseModel, validation: &LabelledDataset| {
            let evaluation = evaluate_on(base, (&record.prompt, &record.label_tokens), record.recipe.max_tokens, validation)?;
            Ok(ValidationScores {
                loss: evaluation.log_loss,
                accuracy: evaluation.accuracy,
                f1: evaluation.f1,
                roc_auc: evaluation.roc_auc,
            })
        };
        let work = Work {
            plan: Plan::new(&self.recipe, questions, 1),
            run: run_fingerprint(&record),
            facts: DataFacts { validation_rows: record.data.validation_rows, cut_texts: record.data.cut_texts, shared_prefix },
            validate: validation.map(|rows| Box::new(move |base: &BaseModel| validate(base, &rows)) as Validate),
        };
        let folder = self.folder.clone();
        let (base, scores) = self.carry_out(work, on_event)?;
        let classifier = AgileClassifier::new(base, record);
        if let Some(folder) = &folder {
            classifier.save(folder)?;
            remove_checkpoint(folder)?;
        }
        Ok((classifier, scores))
    }

    /// One question a text, its target the label or, with soft labels, the fractions.
    fn questions(&self, train: &LabelledDataset, encoder: &PromptEncoder, class_rows: &[usize]) -> Result<Vec<Question>, Error> {
        let weights = class_weights(&self.recipe, class_rows);
        if self.recipe.training_text == TrainingText::Codelab {
            let sequence = |(text, &label): (&String, &usize)| {
                let mut prompt = encoder.encode_training(text, &self.prompt.answers()[label])?;
                let last = prompt.tokens.pop().expect("a sequence ends with end of text");
                Ok(Question { prompt, answers: vec![(Next::Token(last), weights[label])] })
            };
            return train.texts.iter().zip(&train.labels).map(sequence).collect();
        }
        let prompts = encoder.encode_batch(&train.texts)?;
        let hard = |&label: &usize| (0..weights.len()).map(|index| f64::from(u8::from(index == label))).collect();
        let targets: Vec<Vec<f64>> = match self.recipe.soft_labels {
            true => train.soft_targets()?.into_iter().map(Vec::from).collect(),
            false => train.labels.iter().map(hard).collect(),
        };
        Ok(prompts.into_iter().zip(targets).map(|(prompt, target)| Question::new(prompt, &target, &weights)).collect())
    }

    /// Trains by a plan; gives back the base model with the adapter to keep.
    pub(crate) fn carry_out(
        mut self,
        work: Work,
        on_event: &mut dyn FnMut(&TrainEvent),
    ) -> Result<(BaseModel, Vec<EpochScores>), Error> {
        let plan = &work.plan;
        let mut progress = self.begin(&work.run, plan.steps)?;
        let mut log = Log::open(self.folder.as_deref(), progress.step)?;
        let start = TrainEvent::Start {
            step: progress.step,
            steps: plan.steps,
            rows: plan.rows(),
            validation_rows: work.facts.validation_rows,
            cut_texts: work.facts.cut_texts,
            shared_prefix: work.facts.shared_prefix,
        };
        log.tell(&start, on_event)?;
        if let (0, Some(folder)) = (progress.step, &self.folder) {
            // A disk without room is found out now rather than after the work, and every kill finds something to go on from.
            self.checkpoint(&work.run, &progress).write(folder)?;
        }
        let ended = self.steps(&work, &mut progress, &mut |event| log.tell(event, on_event))?;
        self.keep(&progress)?;
        if self.recipe.members > 1 {
            self.score(self.recipe.epochs, &mut progress)?;
        }
        self.tell_end(ended, &progress, &mut |event| log.tell(event, on_event))?;
        Ok((self.base, progress.scores))
    }

    /// A fresh adapter, or the checkpoint's; the training has `steps` steps.
    fn begin(&mut self, run: &str, steps: usize) -> Result<Progress, Error> {
        let mut progress = Progress {
            step: 0,
            best: None,
            members: vec![],
            started: Instant::now(),
            aside: Duration::ZERO,
            examples: 0,
            scores: vec![],
        };
        if let Some(folder) = &self.folder {
            if self.resume && folder.join(CHECKPOINT_FILE).exists() {
                let checkpoint = Checkpoint::read(folder, &self.recipe.lora, steps)?;
                if checkpoint.run != run {
                    return Err(Error::OtherRun { path: folder.clone(), what: "recipe, prompt, model or data" });
                }
                self.base.model_mut().resume_training(&checkpoint.adapter, &checkpoint.optimizer)?;
                (progress.step, progress.best, progress.members) = (checkpoint.step, checkpoint.best, checkpoint.members);
                return Ok(progress);
            }
            let begun = folder.join(log::LOG_FILE).exists() && !folder.join("classifier.json").exists();
            if self.resume && !begun {
                return Err(Error::NothingToResume { path: folder.clone() });
            }
            if !self.resume && !is_empty_or_absent(folder)? {
                return Err(Error::FolderNotEmpty { path: folder.clone() });
            }
        }
        self.base.model_mut().begin_training(&self.recipe.lora, self.recipe.seed)?;
        if let Some(folder) = &self.folder {
            std::fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
        }
        Ok(progress)
    }

    /// The steps that are left; returns whether the training ended before its last epoch.
    fn steps(
        &mut self,
        Work { plan, run, validate, .. }: &Work,
        progress: &mut Progress,
        tell: &mut dyn FnMut(&TrainEvent) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        let mut last_checkpoint = Instant::now();
        while progress.step < plan.steps {
            let event = self.one_step(plan, progress)?;
            tell(&event)?;
            self.end_member(plan, progress)?;
            let mut stop_early = false;
            self.score_epoch(plan, progress)?;
            if let (true, Some(validate)) = (progress.step.is_multiple_of(plan.steps_per_epoch), validate) {
                let begun = Instant::now();
                stop_early = self.validate(plan, validate, progress, tell)?;
                progress.aside += begun.elapsed();
            }
            if stop_early {
                return Ok(true);
            }
            let asked_to_stop = self.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed));
            if let Some(folder) = &self.folder
                && (asked_to_stop || last_checkpoint.elapsed() >= self.checkpoint_interval)
            {
                let begun = Instant::now();
                self.checkpoint(run, progress).write(folder)?;
                last_checkpoint = Instant::now();
                progress.aside += begun.elapsed();
            }
            if asked_to_stop {
                let kept = self.folder.as_ref();
                let kept = kept.map_or(String::new(), |folder| {
                    format!("; go on with the same command and --resume (kept in {})", folder.display())
                });
                return Err(Error::Interrupted { step: progress.step, steps: plan.steps, kept });
            }
        }
        Ok(false)
    }

    /// Where a member's last step was taken: keeps its adapter and begins the next member.
    fn end_member(&mut self, plan: &Plan, progress: &mut Progress) -> Result<(), Error> {
        if self.recipe.members == 1 || !progress.step.is_multiple_of(plan.member_steps) {
            return Ok(());
        }
        progress.members.push(self.base.model().adapter().expect("a training has an adapter"));
        if progress.step < plan.steps {
            let seed = self.recipe.seed.wrapping_add(progress.members.len() as u64 * MEMBER_SEEDS);
            self.base.model_mut().begin_training(&self.recipe.lora, seed)?;
        }
        Ok(())
    }

    /// Scores the texts if an epoch has just ended; of several members only their mean is scored, at the end.
    fn score_epoch(&self, plan: &Plan, progress: &mut Progress) -> Result<(), Error> {
        if self.recipe.members > 1 || !progress.step.is_multiple_of(plan.steps_per_epoch) {
            return Ok(());
        }
        self.score(progress.step / plan.steps_per_epoch, progress)
    }

    /// Scores the texts that [`Trainer::fit_scoring`] was given, if `epoch` is in its list.
    fn score(&self, epoch: usize, progress: &mut Progress) -> Result<(), Error> {
        let Some((epochs, texts)) = &self.scored else { return Ok(()) };
        if !epochs.contains(&epoch) {
            return Ok(());
        }
        let (begun, seconds) = (Instant::now(), (progress.started.elapsed() - progress.aside).as_secs_f64());
        let predictions = predict(&self.base, (&self.prompt, &self.label_tokens), self.recipe.max_tokens, texts)?;
        progress.aside += begun.elapsed();
        let scoring_seconds = begun.elapsed().as_secs_f64();
        progress.scores.push(EpochScores { epoch, predictions, seconds, scoring_seconds });
        Ok(())
    }

    fn one_step(&mut self, plan: &Plan, progress: &mut Progress) -> Result<TrainEvent, Error> {
        let step = progress.step;
        let batch = plan.batch(step);
        let mut loss = 0.0;
        for (index, part) in plan.parts(&batch, self.recipe.gradient_accumulation).into_iter().enumerate() {
            let token = |next: &Next| match *next {
                Next::Answer(answer) => self.label_tokens.ids()[answer],
                Next::Token(token) => token,
            };
            let tokens: Vec<u32> = part.next.iter().map(token).collect();
            let targets = Targets { texts: &part.texts, tokens: &tokens, weights: &part.weights };
            let objective = (self.recipe.loss, self.label_tokens.ids());
            let dropout_seed = plan.dropout_seed(step, index);
            let batch = TokenBatch::new(&part.prompts);
            loss += self.base.model_mut().accumulate_gradients(&batch, &targets, objective, dropout_seed)?;
        }
        if !loss.is_finite() {
            return Err(Error::Diverged { step: step + 1 });
        }
        let learning_rate = self.recipe.learning_rate
            * self.recipe.schedule.factor(step % plan.member_steps, plan.member_steps, self.recipe.warmup);
        let gradient_norm = self.base.model_mut().apply_gradients(&self.recipe.optimizer, learning_rate);
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
    fn validate(
        &self,
        plan: &Plan,
        validate: &Validate,
        progress: &mut Progress,
        tell: &mut dyn FnMut(&TrainEvent) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        let epoch = progress.step / plan.steps_per_epoch;
        let ValidationScores { loss, accuracy, f1, roc_auc } = validate(&self.base)?;
        let best = progress.best.as_ref().is_none_or(|best| loss < best.loss);
        if best {
            let adapter = self.base.model().adapter().expect("a training has an adapter");
            progress.best = Some(Best { epoch, loss, adapter });
        }
        tell(&TrainEvent::Validation { step: progress.step, epoch, loss, accuracy, f1, roc_auc, best })?;
        let since_best = epoch - progress.best.as_ref().map_or(epoch, |best| best.epoch);
        Ok(progress.step < plan.steps && self.recipe.patience.is_some_and(|patience| since_best >= patience))
    }

    fn checkpoint(&self, run: &str, progress: &Progress) -> Checkpoint {
        Checkpoint {
            run: run.to_string(),
            step: progress.step,
            adapter: self.base.model().adapter().expect("a training has an adapter"),
            optimizer: self.base.model().optimizer_state(),
            best: progress.best.clone(),
            members: progress.members.clone(),
        }
    }

    /// Ends the training with the adapter to keep: the best epoch's, the mean of the members', or the last step's.
    fn keep(&mut self, progress: &Progress) -> Result<(), Error> {
        self.base.model_mut().end_training();
        if let Some(best) = &progress.best {
            self.base.model_mut().set_adapter(&best.adapter)?;
        } else if !progress.members.is_empty() {
            self.base.model_mut().set_adapter(&Adapter::average(&progress.members))?;
        }
        Ok(())
    }

    fn tell_end(
        &self,
        stopped_early: bool,
        progress: &Progress,
        tell: &mut dyn FnMut(&TrainEvent) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let seconds = progress.started.elapsed().as_secs_f64();
        let kept_epoch = progress.best.as_ref().map_or(self.recipe.epochs, |best| best.epoch);
        tell(&TrainEvent::End { step: progress.step, stopped_early, kept_epoch, seconds })
    }
}

/// Removes the checkpoint of a training whose classifier is saved.
pub(crate) fn remove_checkpoint(folder: &Path) -> Result<(), Error> {
    let path = folder.join(CHECKPOINT_FILE);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Scores a data set with a model as it stands.
pub(crate) fn evaluate_on(
    base: &BaseModel,
    question: (&Prompt, &LabelTokens),
    max_tokens: usize,
    data: &LabelledDataset,
) -> Result<Evaluation, Error> {
    let begun = Instant::now();
    let predictions = predict(base, question, max_tokens, &data.texts)?;
    Evaluation::of(&predictions, &data.labels, question.0.labels().names(), begun.elapsed().as_secs_f64())
}

/// SHA-256 over all that decides a run.
pub(crate) fn run_fingerprint(record: &impl Serialize) -> String {
    let json = serde_json::to_vec(record).expect("a record serializes");
    Sha256::digest(json).iter().map(|byte| format!("{byte:02x}")).collect()
}
