//! Training: rows in, classifier out, with checkpoints on the way.

mod checkpoint;
mod committee;
mod event;
mod instant;
mod job;
mod log;
mod plan;
mod questions;

use crate::base_model::BaseModel;
use crate::classifier::{AgileClassifier, ClassifierRecord, DataRecord, NewRecord, RememberedRows};
use crate::data::Names;
use crate::data::dataset::Dataset;
use crate::data::fingerprint::training_fingerprint;
use crate::data::report::Duplicates;
use crate::data::text_columns::TextColumns;
use crate::error::Error;
use crate::folder_lock::FolderLock;
use crate::overrides::RecipeOverrides;
use crate::prediction::Prediction;
use crate::prompt::{Prompt, PromptEncoder};
use crate::recipe::{Method, Recipe, Sides};
use crate::scoring::Scoring;
use crate::warm_start::WarmStart;
use job::TrainingJob;
use lincah_model::{ComputeOptions, Device, Loss, TokenBatch};
use plan::{MOST_TOKENS_ON_GPU, Plan};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub(crate) use checkpoint::remove_checkpoint;
pub use committee::Companion;
pub use event::TrainEvent;
pub(crate) use job::FOLDS_FOLDER;

/// Trains classifiers on a base model.
///
/// The same base model, prompt, recipe and rows give the same classifier, bit for bit, on one machine; interrupted and resumed or not.
#[derive(Debug, Clone)]
pub struct Trainer {
    base: BaseModel,
    /// Models that work together with it.
    companions: Vec<Companion>,
    /// What is to be asked, before labels whose tokens collide become letters.
    prompt: Prompt,
    scoring: Scoring,
    recipe: Recipe,
    folder: Option<PathBuf>,
    resume: bool,
    checkpoint_interval: Duration,
    text_columns: Option<TextColumns>,
    /// Further devices, for what can be done beside other things.
    elsewhere: Vec<ComputeOptions>,
}

/// Texts that a training scores on the way.
#[derive(Debug, Clone, Copy)]
pub struct ScoredOnTheWay<'a> {
    /// Epochs after which they are scored.
    pub epochs: &'a [usize],
    /// The texts.
    pub texts: &'a [String],
}

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

/// What a training is given.
struct Given<'a> {
    data: &'a Dataset,
    sides: &'a Sides,
    scored: Option<ScoredOnTheWay<'a>>,
}

type OnEvent<'a> = dyn FnMut(&TrainEvent) -> ControlFlow<()> + 'a;

/// What a training ends with.
pub(crate) struct Trained {
    pub(crate) classifier: AgileClassifier,
    pub(crate) scores: Vec<EpochScores>,
}

impl Trained {
    /// A classifier of a training of so many seconds that is the same after every epoch.
    fn of(classifier: AgileClassifier, scored: Option<ScoredOnTheWay>, seconds: f64) -> Result<Self, Error> {
        let Some(ScoredOnTheWay { epochs, texts }) = scored else { return Ok(Self { classifier, scores: Vec::new() }) };
        let (begun, predictions) = (Instant::now(), classifier.predict(texts)?);
        let scoring_seconds = begun.elapsed().as_secs_f64();
        let scores = |&epoch: &usize| EpochScores { epoch, predictions: predictions.clone(), seconds, scoring_seconds };
        let scores = epochs.iter().map(scores).collect();
        Ok(Self { classifier, scores })
    }
}

impl Trainer {
    /// A trainer; answers whose tokens collide are asked for by letters (see [`LabelTokens::resolve`](crate::prompt::LabelTokens::resolve)).
    ///
    /// # Errors
    /// A recipe out of range, labels that the tokenizer cannot tell apart.
    pub fn new(base: &BaseModel, prompt: Prompt, recipe: Recipe) -> Result<Self, Error> {
        recipe.check()?;
        recipe.check_task(prompt.task())?;
        let trains_rows = recipe.method == Method::Lora && prompt.has_label_rows();
        if trains_rows && recipe.loss != Loss::RestrictedLabel {
            let value = recipe.loss.to_string();
            return Err(Error::Recipe {
                field: "loss",
                value,
                expected: "restricted-label, as labels that are rows have no tokens",
            });
        }
        let scoring = match recipe.method {
            Method::Lora => {
                recipe.lora.check(base.language_model()?.config())?;
                Scoring::resolve(base, prompt.clone(), recipe.max_tokens)?
            }
            Method::Instant => Scoring::of_no_model(prompt.clone(), recipe.max_tokens),
        };
        let checkpoint_interval = Duration::from_secs(20);
        Ok(Self {
            base: base.clone(),
            companions: Vec::new(),
            prompt,
            scoring,
            recipe,
            folder: None,
            resume: false,
            checkpoint_interval,
            text_columns: None,
            elsewhere: Vec::new(),
        })
    }

    /// A trainer with the default prompt about the labels of `data`, and the recipe that is suggested for as many rows and this model.
    ///
    /// # Errors
    /// As [`Trainer::new`].
    pub fn suggested(base: &BaseModel, data: &Dataset) -> Result<Self, Error> {
        let recipe = RecipeOverrides::default().recipe(data, base.sizes());
        Self::new(base, Prompt::new(data.task, data.labels.clone())?, recipe)
    }

    /// Models that work together with the first one. An instant classifier reads with all of them. Otherwise the classifier is a committee: an
    /// instant one that reads with all, and beside it every decoder with an adapter of its own, trained one after the other.
    ///
    /// # Errors
    /// As [`Trainer::new`], of each; a model that is there twice; recipes that divide or change the rows otherwise than the first one's.
    pub fn together_with(self, companions: &[Companion]) -> Result<Self, Error> {
        let trainer = Self { companions: companions.to_vec(), ..self };
        trainer.check_companions()?;
        if !trainer.is_of_a_committee() {
            return Ok(trainer);
        }
        trainer.members()?;
        let scoring = Scoring::of_no_model(trainer.prompt.clone(), trainer.recipe.max_tokens);
        Ok(Self { scoring, ..trainer })
    }

    /// Keeps checkpoints and `training.jsonl` in `folder`, which must be empty or absent unless `resume`, and saves the classifier there.
    #[must_use]
    pub fn in_folder(self, folder: &Path, resume: bool) -> Self {
        Self { folder: Some(folder.to_path_buf()), resume, ..self }
    }

    /// Least time between checkpoints, 20 seconds if not given.
    #[must_use]
    pub fn checkpoint_interval(self, interval: Duration) -> Self {
        Self { checkpoint_interval: interval, ..self }
    }

    /// The columns that make a text, to be stored with the classifier; only several are.
    #[must_use]
    pub fn text_columns(self, columns: &TextColumns) -> Self {
        Self { text_columns: (columns.columns.len() > 1).then(|| columns.clone()), ..self }
    }

    /// Trains a committee's members on these devices too, one beside the other. A single classifier is trained on one device.
    #[must_use]
    pub fn also_on(self, elsewhere: &[ComputeOptions]) -> Self {
        Self { elsewhere: elsewhere.to_vec(), ..self }
    }

    /// Further devices that it may use.
    pub(crate) fn elsewhere(&self) -> &[ComputeOptions] {
        &self.elsewhere
    }

    /// The same trainer on another device alone, where its models are opened again.
    pub(crate) fn on(&self, compute: ComputeOptions) -> Result<Self, Error> {
        let companion =
            |companion: &Companion| Ok(Companion { base: companion.base.on(compute)?, recipe: companion.recipe.clone() });
        let companions = self.companions.iter().map(companion).collect::<Result<_, Error>>()?;
        Ok(Self { base: self.base.on(compute)?, companions, elsewhere: Vec::new(), ..self.clone() })
    }

    /// What it trains on top of.
    pub fn base(&self) -> &BaseModel {
        &self.base
    }

    /// The models that work together with it.
    pub(crate) fn companions(&self) -> &[Companion] {
        &self.companions
    }

    /// The settings.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Where checkpoints and classifier are kept, if anywhere.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// What is asked of the model.
    pub fn prompt(&self) -> &Prompt {
        &self.scoring.prompt
    }

    /// Trains on `data`, whose labels are the prompt's, and tells of each step; `on_event` may ask to stop between two of them.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when stopped, with a checkpoint left in the folder; [`Error::Diverged`]; files that cannot be written.
    pub fn fit(
        &self,
        data: &Dataset,
        on_event: &mut dyn FnMut(&TrainEvent) -> ControlFlow<()>,
    ) -> Result<AgileClassifier, Error> {
        Ok(self.run(data, None, on_event)?.classifier)
    }

    /// Trains like [`Trainer::fit`], and scores texts after some of the epochs as the classifier of that moment does.
    ///
    /// Where [`Recipe::depends_on_length`] is false, that is the classifier of a training of so many epochs, bit for bit.
    pub(crate) fn run(
        &self,
        data: &Dataset,
        scored: Option<ScoredOnTheWay>,
        on_event: &mut dyn FnMut(&TrainEvent) -> ControlFlow<()>,
    ) -> Result<Trained, Error> {
        self.check_labels(data)?;
        let _lock = self.folder.as_deref().map(FolderLock::acquire).transpose()?;
        if let Some(folder) = &self.folder {
            Self::check_folder(folder, self.resume || job::holds_only_folds(folder))?;
            job::check_kind(folder, self.is_of_a_committee())?;
        }
        let sides = self.recipe.split(data)?;
        let given = Given { data, sides: &sides, scored };
        if self.recipe.method == Method::Instant {
            return self.run_instant(&given, on_event);
        }
        if self.is_of_a_committee() {
            return self.run_committee(&given, on_event);
        }
        let encoder = PromptEncoder::new(self.base.tokenizer(), &self.scoring.prompt, self.recipe.max_tokens)?;
        let trained_on = self.recipe.augmentation.applied(&sides.train, self.recipe.seed);
        let mut questions = questions::of(&trained_on, &encoder, &self.scoring.prompt, &self.recipe)?;
        if trained_on.len() > sides.train.len() {
            // Copies are no texts of the data.
            let texts = encoder.encode_batch(&sides.train.texts)?;
            questions.truncated_texts = texts.iter().filter(|text| text.truncated_characters > 0).count();
        }
        let prompts: Vec<&[u32]> = questions.all.iter().map(|question| question.prompt.as_slice()).collect();
        let shared_prefix = TokenBatch::new(&prompts).prefix_length();
        let record = self.record(data, &sides, questions.truncated_texts);
        let plan = Plan::new(&self.recipe, questions.all, self.scoring.prompt.questions());
        // A row of one question keeps its micro-batches, and so its bits.
        let fills_gpu = self.base.device() != Device::Cpu && self.scoring.prompt.questions() > 1;
        let job = TrainingJob {
            trainer: self,
            plan: if fills_gpu { plan.with_most_tokens(MOST_TOKENS_ON_GPU) } else { plan },
            record: &record,
            validation: sides.validation,
            shared_prefix,
            scored,
        };
        let (adapter, scores) = job.execute(on_event)?;
        // Not part of what decides the training, which checkpoints know again.
        let training_rows = Some(self.remembered(&record, data));
        let classifier = AgileClassifier::new(self.base.clone(), &adapter, ClassifierRecord { training_rows, ..record })?;
        // Scores that are no numbers are found out before anything is saved.
        classifier.predict(&data.texts[..1])?;
        if let Some(folder) = &self.folder {
            classifier.save(folder)?;
            remove_checkpoint(folder)?;
        }
        Ok(Trained { classifier, scores })
    }

    /// The rows that the classifier knows, by itself and by what it starts from.
    fn remembered(&self, record: &ClassifierRecord, data: &Dataset) -> RememberedRows {
        RememberedRows::new(&record.data.fingerprint, &data.texts).after(self.starts().filter_map(WarmStart::rows))
    }

    /// What the adapters start from, where that is another classifier.
    pub(crate) fn starts(&self) -> impl Iterator<Item = &WarmStart> {
        let companions = self.companions.iter().map(|companion| &companion.recipe);
        std::iter::once(&self.recipe).chain(companions).filter_map(|recipe| recipe.start.as_ref())
    }

    /// What is known of the classifier before it is trained.
    fn record(&self, data: &Dataset, sides: &Sides, truncated_texts: usize) -> ClassifierRecord {
        let data = DataRecord {
            rows: sides.train.len(),
            validation_rows: sides.validation.as_ref().map_or(0, Dataset::len),
            fingerprint: training_fingerprint(&sides.train, self.recipe.soft_labels),
            label_rows: sides.train.label_rows(),
            threshold: data.threshold,
            duplicate_rows: Duplicates::normalized(&sides.train.texts, &sides.train.rows).extra_rows,
            truncated_texts,
            text_columns: self.text_columns.clone(),
        };
        ClassifierRecord::from(NewRecord { base: &self.base, scoring: &self.scoring, recipe: &self.recipe, data })
    }

    fn check_labels(&self, data: &Dataset) -> Result<(), Error> {
        data.check_trainable()?;
        let prompt = &self.scoring.prompt;
        if (prompt.task(), prompt.labels()) == (data.task, &data.labels) {
            return Ok(());
        }
        Err(Error::OtherLabels { first: Names(prompt.labels().names().to_vec()), second: Names(data.labels.names().to_vec()) })
    }

    /// Refuses the output folder, if there is one and it is unfit.
    pub(crate) fn check_own_folder(&self) -> Result<(), Error> {
        self.folder.as_deref().map_or(Ok(()), |folder| Self::check_folder(folder, self.resume))
    }

    /// Refuses an unfit output folder, before anything long begins.
    ///
    /// # Errors
    /// A folder with other things in it, nothing to resume, a training that is finished already.
    pub fn check_folder(folder: &Path, resume: bool) -> Result<(), Error> {
        job::check_folder(folder, resume)
    }
}
