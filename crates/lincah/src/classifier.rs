//! A trained classifier: prompt, labels and adapter on a base model.

mod folder;
mod zero_shot;

use crate::base_model::BaseModel;
use crate::data::dataset::LabelledDataset;
use crate::error::Error;
use crate::evaluate::Evaluation;
use crate::prediction::Prediction;
use crate::prompt::{LabelTokens, Prompt, PromptEncoder};
use crate::task::Task;
use lincah_model::Compute;
use std::path::Path;
use std::time::Instant;

pub use folder::{BaseModelRecord, ClassifierRecord, DataRecord, FORMAT_VERSION, write_atomically};
pub(crate) use folder::{CARD_LIMITS, card_head, card_metrics, card_training, is_empty_or_absent, read_record, write_files};
pub use zero_shot::ZeroShotClassifier;

/// A text classifier: an instruction-tuned language model with a LoRA, asked which of the labels fits.
///
/// The probability of a label is the softmax, over the labels' tokens alone, of the model's logits behind the prompt.
#[derive(Debug)]
pub struct AgileClassifier {
    base: BaseModel,
    record: ClassifierRecord,
}

impl AgileClassifier {
    /// Puts a classifier together from a base model that already carries the adapter.
    pub(crate) fn new(base: BaseModel, record: ClassifierRecord) -> Self {
        Self { base, record }
    }

    /// Reads a classifier folder and its base model: the one recorded, or `model` (a name or path) in its place.
    ///
    /// # Errors
    /// A folder that is none or is damaged; a base model that is not there, or whose weights or tokenizer are others than in training.
    pub fn load(folder: &Path, model: Option<&str>, compute: impl Into<Compute>) -> Result<Self, Error> {
        let (record, adapter) = folder::read(folder)?;
        let mut base = BaseModel::open(model.unwrap_or(&record.base_model.name), compute)?;
        record.base_model.verify(&base)?;
        record.label_tokens.verify(&record.prompt, base.tokenizer())?;
        base.model_mut().set_adapter(&adapter)?;
        Ok(Self { base, record })
    }

    /// Writes the classifier folder: `classifier.json`, the PEFT adapter, and a README that serves as model card.
    ///
    /// # Errors
    /// A folder that cannot be written. `classifier.json` comes last, so a folder that has it is whole.
    pub fn save(&self, folder: &Path) -> Result<(), Error> {
        let adapter = self.base.model().adapter().ok_or(lincah_model::ModelError::NothingToTrain)?;
        folder::write(folder, &self.record, &adapter)
    }

    /// Labels, in the order of the probabilities; the last is the positive class.
    pub fn labels(&self) -> &[String] {
        self.record.prompt.labels().names()
    }

    /// What is stored about the classifier.
    pub fn record(&self) -> &ClassifierRecord {
        &self.record
    }

    /// What is stored about the classifier, to add metrics to.
    pub fn record_mut(&mut self) -> &mut ClassifierRecord {
        &mut self.record
    }

    /// The base model with the adapter.
    pub fn base(&self) -> &BaseModel {
        &self.base
    }

    /// Gives the base model back, the adapter still on it.
    pub fn into_base(self) -> BaseModel {
        self.base
    }

    /// Label and probabilities of each text, in order.
    ///
    /// # Errors
    /// A prompt that does not fit, or weights that cannot be read.
    pub fn predict<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Vec<Prediction>, Error> {
        predict(&self.base, (&self.record.prompt, &self.record.label_tokens), self.record.recipe.max_tokens, texts)
    }

    /// Predicts rows with known labels, and what comes of it.
    ///
    /// # Errors
    /// As [`AgileClassifier::predict`]; no rows.
    pub fn evaluate(&self, data: &LabelledDataset) -> Result<(Vec<Prediction>, Evaluation), Error> {
        let begun = Instant::now();
        let predictions = self.predict(&data.texts)?;
        let evaluation = Evaluation::of(&predictions, &data.labels, self.labels(), begun.elapsed().as_secs_f64())?;
        Ok((predictions, evaluation))
    }
}

/// Label and probabilities of each text with any base model, trained or not.
///
/// # Errors
/// A prompt that does not fit, or weights that cannot be read.
pub fn predict<T: AsRef<str> + Sync>(
    base: &BaseModel,
    (prompt, labels): (&Prompt, &LabelTokens),
    max_tokens: usize,
    texts: &[T],
) -> Result<Vec<Prediction>, Error> {
    let encoder = PromptEncoder::new(base.tokenizer(), prompt, max_tokens)?;
    let prompts = encoder.encode_batch(texts)?;
    let probabilities = base.probabilities(&prompts, labels.ids())?;
    let predictions = probabilities.into_iter().zip(&prompts);
    Ok(predictions
        .map(|(probabilities, prompt)| Prediction::new(Task::SingleLabel, probabilities, prompt.cut_characters))
        .collect())
}
