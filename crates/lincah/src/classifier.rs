//! A classifier: a prompt, labels and an adapter on a base model.

mod card;
mod decided;
mod folder;
mod probes;
mod remembered;
mod rows;

use crate::base_model::BaseModel;
use crate::calibration::Calibration;
use crate::data::Names;
use crate::data::dataset::Dataset;
use crate::error::Error;
use crate::evaluation::{Evaluation, Truth};
use crate::generate::Generator;
use crate::label::LabelSet;
use crate::prediction::{DecisionRule, Prediction};
use crate::prompt::Prompt;
use crate::scoring::{ScoredText, Scoring};
use crate::task::Task;
use lincah_model::{Adapter, ComputeOptions, Device, ModelError, Scorer};
use probes::Probe;
use std::path::Path;
use std::time::Instant;

pub use folder::{BaseModelRecord, ClassifierRecord, DataRecord, DecisionRecord, DecisionSource, FORMAT_VERSION};
pub(crate) use folder::{NewRecord, is_empty_or_absent};
pub(crate) use probes::{PROBES, StoredProbes};
pub use remembered::{RememberedRows, UnseenRows};
pub use rows::TrainingRows;

/// A text classifier: an instruction-tuned language model, with a LoRA unless it is asked as it is, that is asked about the labels.
///
/// The probability of an exclusive label is the softmax, over the labels' tokens alone, of the model's logits behind the prompt; that of an
/// independent label is the same over the tokens of no and yes behind the question about it.
pub struct AgileClassifier {
    base: BaseModel,
    scoring: Scoring,
    scorer: Box<dyn Scorer>,
    calibration: Calibration,
    rule: DecisionRule,
    record: Option<ClassifierRecord>,
}

impl std::fmt::Debug for AgileClassifier {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("AgileClassifier")
            .field("base", &self.base)
            .field("scoring", &self.scoring)
            .finish_non_exhaustive()
    }
}

/// What a classifier makes of rows with known labels.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredDataset {
    /// For each row.
    pub predictions: Vec<Prediction>,
    /// What comes of them.
    pub evaluation: Evaluation,
}

impl AgileClassifier {
    /// A trained classifier of `record`, with its adapter.
    pub(crate) fn new(base: BaseModel, adapter: &Adapter, record: ClassifierRecord) -> Result<Self, Error> {
        let scorer = base.language_model()?.scorer(Some(adapter))?;
        let (calibration, rule) = (record.calibration.clone().unwrap_or_default(), record.decision_rule.clone());
        Ok(Self { base, scoring: record.scoring(), scorer, calibration, rule, record: Some(record) })
    }

    /// A model that is asked as it is, without any training, in prompts of at most `max_tokens` tokens.
    ///
    /// # Errors
    /// Labels that the tokenizer cannot tell apart, a prompt that does not fit.
    pub fn zero_shot(base: &BaseModel, prompt: Prompt, max_tokens: usize) -> Result<Self, Error> {
        let (scoring, scorer) = (Scoring::resolve(base, prompt, max_tokens)?, base.language_model()?.scorer(None)?);
        let (calibration, rule) = (Calibration::default(), DecisionRule::default());
        Ok(Self { base: base.clone(), scoring, scorer, calibration, rule, record: None })
    }

    /// Reads a classifier folder and its base model.
    ///
    /// # Errors
    /// A folder that is none or is damaged; a base model that is not there, or whose weights or tokenizer are others than in training.
    pub fn load(folder: &Path, compute: impl Into<ComputeOptions>) -> Result<Self, Error> {
        let record = ClassifierRecord::read(folder)?;
        let base = BaseModel::open(&record.base_model.name, compute)?;
        Self::read(folder, record, &base)
    }

    /// Reads a classifier folder onto a base model that is open already, which other classifiers may use too.
    ///
    /// # Errors
    /// A folder that is none or is damaged; a base model whose weights or tokenizer are others than in training.
    pub fn load_on(folder: &Path, base: &BaseModel) -> Result<Self, Error> {
        Self::read(folder, ClassifierRecord::read(folder)?, base)
    }

    fn read(folder: &Path, record: ClassifierRecord, base: &BaseModel) -> Result<Self, Error> {
        let adapter = Adapter::read(folder)?;
        record.verify(folder, &adapter, base)?;
        Self::new(base.clone(), &adapter, record)
    }

    /// Writes the classifier folder: `classifier.json`, the PEFT adapter, a README that serves as model card, and the scores of probe texts.
    ///
    /// # Errors
    /// A folder that cannot be written, a classifier that was not trained. `classifier.json` comes last, so a folder that has it is whole.
    pub fn save(&self, folder: &Path) -> Result<(), Error> {
        let (Some(record), Some(adapter)) = (&self.record, self.scorer.adapter()) else {
            return Err(ModelError::NothingToTrain.into());
        };
        let scored = self.score(&PROBES)?;
        let probe = |(text, scored): (&&str, ScoredText)| Probe { text: text.to_string(), probabilities: scored.probabilities };
        let probes = PROBES.iter().zip(scored).map(probe).collect();
        let (precision, on_gpu) = (self.base.precision().to_string(), self.base.device() != Device::Cpu);
        let probes = StoredProbes { precision, on_gpu, probes };
        folder::write(folder, record, (&adapter, &probes), card::card(record))
    }

    /// Whether its labels are exclusive or independent.
    pub fn task(&self) -> Task {
        self.scoring.prompt.task()
    }

    /// Its labels, in the order of the probabilities; the last of two exclusive ones is the positive class.
    pub fn labels(&self) -> &LabelSet {
        self.scoring.prompt.labels()
    }

    /// What is asked of the model.
    pub fn prompt(&self) -> &Prompt {
        &self.scoring.prompt
    }

    /// Longest prompt, in tokens.
    pub fn max_tokens(&self) -> usize {
        self.scoring.max_tokens
    }

    /// What is done to the model's probabilities.
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// What makes decisions of probabilities.
    pub fn rule(&self) -> &DecisionRule {
        &self.rule
    }

    /// What is stored about a trained classifier.
    pub fn record(&self) -> Option<&ClassifierRecord> {
        self.record.as_ref()
    }

    /// Puts metrics on rows kept from the training into what is stored.
    pub fn set_metrics(&mut self, metrics: Evaluation) {
        if let Some(record) = &mut self.record {
            record.metrics = Some(metrics);
        }
    }

    /// The base model, without the adapter.
    pub fn base(&self) -> &BaseModel {
        &self.base
    }

    /// The base model with the adapter, to go on from texts.
    pub fn into_generator(self) -> Generator {
        Generator { base: self.base, scorer: self.scorer }
    }

    /// Calibrated probabilities and decision of each text, in order.
    ///
    /// # Errors
    /// A prompt that does not fit, weights that cannot be read, scores that are not finite.
    pub fn predict<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Vec<Prediction>, Error> {
        let prediction = |text: ScoredText| {
            let probabilities = self.calibration.apply(self.task(), &text.probabilities);
            let decision = self.rule.decide(self.task(), &probabilities);
            Prediction { probabilities, decision, truncated_characters: text.truncated_characters }
        };
        Ok(self.score(texts)?.into_iter().map(prediction).collect())
    }

    /// The model's probabilities of each text as they are.
    pub(crate) fn score<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Vec<ScoredText>, Error> {
        self.scoring.score(&self.base, self.scorer.as_ref(), texts)
    }

    /// Predicts rows with known labels, and what comes of it.
    ///
    /// # Errors
    /// As [`AgileClassifier::predict`]; no rows; data with other labels.
    pub fn evaluate(&self, data: &Dataset) -> Result<ScoredDataset, Error> {
        self.check_labels(data)?;
        let begun = Instant::now();
        let predictions = self.predict(&data.texts)?;
        let evaluation = Evaluation::of(&predictions, data.truth(), &self.rule, begun.elapsed().as_secs_f64())?;
        Ok(ScoredDataset { predictions, evaluation })
    }

    fn check_labels(&self, data: &Dataset) -> Result<(), Error> {
        if (self.task(), self.labels()) == (data.task, &data.labels) {
            return Ok(());
        }
        Err(Error::OtherLabels { first: Names(self.labels().names().to_vec()), second: Names(data.labels.names().to_vec()) })
    }
}

impl Dataset {
    /// What is true of the rows.
    pub fn truth(&self) -> Truth<'_> {
        Truth { task: self.task, labels: &self.labels, truth: &self.truth }
    }
}
