//! Classifiers that give a text any number of labels: one yes-or-no question a label.
//!
//! The model reads a text once for all its questions, for they differ behind the text only; see [`MultiLabelPrompt`].
//!
//! ```no_run
//! use lincah::data::multi_label::{LabelColumns, MultiLabelDataset, MultiLabelOptions};
//! use lincah::data::records::ReadOptions;
//! use lincah::multi_label::MultiLabelTrainer;
//! use lincah::prompt::MultiLabelPrompt;
//! use lincah::{BaseModel, Device, LabelSet, Recipe};
//!
//! let columns = vec!["rude".to_owned(), "off-topic".to_owned()];
//! let prompt = MultiLabelPrompt::new(LabelSet::new(columns.clone())?)?;
//! let options = MultiLabelOptions { text_column: "comment".into(), labels: LabelColumns::Each(columns), cut: 0.5 };
//! let data = MultiLabelDataset::read("comments.csv".as_ref(), &ReadOptions::default(), &options)?;
//! let base = BaseModel::open("smollm2-135m", Device::Cpu)?;
//! let trainer = MultiLabelTrainer::new(base, prompt, Recipe::default())?;
//! let classifier = trainer.fit(&data, &mut |event| println!("{event:?}"))?;
//! for (label, probability) in classifier.labels().iter().zip(&classifier.predict(&["Buy this instead!"])?[0].probabilities) {
//!     println!("{label} {probability:.3}");
//! }
//! # Ok::<(), lincah::Error>(())
//! ```

mod baseline;
mod comparison;
mod cross_validation;
mod evaluation;
mod record;
mod trainer;

use crate::base_model::BaseModel;
use crate::error::Error;
use crate::prediction::Prediction;
use crate::prompt::{EncodedPrompt, LabelTokens, MultiLabelEncoder, MultiLabelPrompt};
use crate::task::Task;
use lincah_model::{Adapter, Compute, ModelError};
use std::path::Path;

pub use baseline::evaluate_tfidf;
pub use comparison::{LabelComparison, MultiLabelComparison, MultiLabelFlip};
pub use cross_validation::MultiLabelOutOfFold;
pub use evaluation::MultiLabelEvaluation;
pub use record::{MULTI_LABEL_FORMAT_VERSION, MultiLabelRecord};
pub use trainer::MultiLabelTrainer;

/// A text classifier that asks a language model about each label whether it applies.
///
/// The probability of a label is the softmax, over the tokens of no and yes alone, of the model's logits behind the question.
#[derive(Debug)]
pub struct MultiLabelClassifier {
    base: BaseModel,
    record: MultiLabelRecord,
}

impl MultiLabelClassifier {
    /// Reads a classifier folder and its base model: the one recorded, or `model` (a name or path) in its place.
    ///
    /// # Errors
    /// A folder that is none, is damaged, or is of a classifier of one answer; a base model that is not there, or whose weights or
    /// tokenizer are others than in training.
    pub fn load(folder: &Path, model: Option<&str>, compute: impl Into<Compute>) -> Result<Self, Error> {
        let record = MultiLabelRecord::read(folder)?;
        let adapter = Adapter::read(folder)?;
        let mut base = BaseModel::open(model.unwrap_or(&record.base_model.name), compute)?;
        record.base_model.verify(&base)?;
        record.answer_tokens.verify(record.prompt.question(), base.tokenizer())?;
        base.model_mut().set_adapter(&adapter)?;
        Ok(Self { base, record })
    }

    /// Writes the classifier folder: `classifier.json`, the PEFT adapter, and a README that serves as model card.
    ///
    /// # Errors
    /// A folder that cannot be written. `classifier.json` comes last, so a folder that has it is whole.
    pub fn save(&self, folder: &Path) -> Result<(), Error> {
        let adapter = self.base.model().adapter().ok_or(ModelError::NothingToTrain)?;
        self.record.write(folder, &adapter)
    }

    /// Labels, in the order of the probabilities.
    pub fn labels(&self) -> &[String] {
        self.record.prompt.labels().names()
    }

    /// What is stored about the classifier.
    pub fn record(&self) -> &MultiLabelRecord {
        &self.record
    }

    /// What is stored about the classifier, to add metrics to.
    pub fn record_mut(&mut self) -> &mut MultiLabelRecord {
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

    /// The probability of each label of each text, in order.
    ///
    /// # Errors
    /// A question that does not fit, or weights that cannot be read.
    pub fn predict<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Vec<Prediction>, Error> {
        predict(&self.base, (&self.record.prompt, &self.record.answer_tokens), self.record.recipe.max_tokens, texts)
    }
}

/// The probability of each label of each text with any base model, trained or not.
pub(crate) fn predict<T: AsRef<str> + Sync>(
    base: &BaseModel,
    (prompt, answers): (&MultiLabelPrompt, &LabelTokens),
    max_tokens: usize,
    texts: &[T],
) -> Result<Vec<Prediction>, Error> {
    let encoder = MultiLabelEncoder::new(base.tokenizer(), prompt, max_tokens)?;
    let questions = encoder.encode_batch(texts)?;
    let groups: Vec<&[EncodedPrompt]> = questions.iter().map(|questions| questions.prompts.as_slice()).collect();
    let answers = base.group_probabilities(&groups, answers.ids())?;
    let predictions = answers.into_iter().zip(&questions).map(|(answers, questions)| {
        Prediction::new(Task::MultiLabel, answers.iter().map(|answers| answers[1]).collect(), questions.cut_characters)
    });
    Ok(predictions.collect())
}
