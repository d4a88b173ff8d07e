//! Training of multi-label classifiers: the same steps, each text with a question a label.

use super::{MultiLabelClassifier, MultiLabelEvaluation, MultiLabelRecord, predict, record::MULTI_LABEL_FORMAT_VERSION};
use crate::base_model::BaseModel;
use crate::classifier::{BaseModelRecord, DataRecord};
use crate::data::fingerprint::multi_label_fingerprint;
use crate::data::multi_label::MultiLabelDataset;
use crate::data::report::Duplicates;
use crate::data::stratification::multi_label_validation_split;
use crate::error::Error;
use crate::prompt::{EncodedQuestions, LabelTokens, MultiLabelEncoder, MultiLabelPrompt};
use crate::recipe::{Recipe, TrainingText};
use crate::task::Task;
use crate::trainer::{
    DataFacts, Plan, Question, TrainEvent, Trainer, Validate, ValidationScores, Work, class_weights, remove_checkpoint,
    run_fingerprint,
};
use lincah_model::TokenBatch;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Trains multi-label classifiers from a base model.
///
/// A step is over [`Recipe::batch_size`] texts with all their questions; its loss is the mean over the questions. Otherwise it is as
/// [`Trainer`], the same bits for the same input included. With validation, the events' F1 is the micro average, the accuracy the share
/// of right answers, and the area the mean over the labels.
#[derive(Debug)]
pub struct MultiLabelTrainer {
    trainer: Trainer,
    prompt: MultiLabelPrompt,
    folder: Option<PathBuf>,
}

impl MultiLabelTrainer {
    /// A trainer of these labels.
    ///
    /// # Errors
    /// A recipe out of range, answers that the tokenizer cannot tell apart.
    pub fn new(base: BaseModel, prompt: MultiLabelPrompt, recipe: Recipe) -> Result<Self, Error> {
        if recipe.training_text == TrainingText::Codelab {
            let (field, expected) = ("--preset", "default for several labels a text");
            return Err(Error::Recipe { field, value: String::from("codelab"), expected });
        }
        let trainer = Trainer::new(base, prompt.question().clone(), recipe)?;
        let prompt = prompt.with_question(trainer.prompt().clone());
        Ok(Self { trainer, prompt, folder: None })
    }

    /// As [`Trainer::in_folder`].
    pub fn in_folder(self, folder: &Path, resume: bool) -> Self {
        Self { trainer: self.trainer.in_folder(folder, resume), folder: Some(folder.to_path_buf()), ..self }
    }

    /// As [`Trainer::stopping_at`].
    pub fn stopping_at(self, stop: Arc<AtomicBool>) -> Self {
        Self { trainer: self.trainer.stopping_at(stop), ..self }
    }

    /// As [`Trainer::checkpoint_interval`].
    pub fn checkpoint_interval(self, interval: Duration) -> Self {
        Self { trainer: self.trainer.checkpoint_interval(interval), ..self }
    }

    /// Trains on `data`, whose labels are the prompt's, and tells of each step. With a folder, the classifier is saved there.
    ///
    /// # Errors
    /// As [`Trainer::fit`].
    pub fn fit(self, data: &MultiLabelDataset, on_event: &mut dyn FnMut(&TrainEvent)) -> Result<MultiLabelClassifier, Error> {
        let (base, recipe) = (self.trainer.base(), self.trainer.recipe());
        let (train, validation) = split(data, recipe)?;
        let encoder = MultiLabelEncoder::new(base.tokenizer(), &self.prompt, recipe.max_tokens)?;
        let encoded = encoder.encode_batch(&train.texts)?;
        let record = MultiLabelRecord {
            format_version: MULTI_LABEL_FORMAT_VERSION,
            task: Task::MultiLabel,
            lincah_version: env!("CARGO_PKG_VERSION").to_string(),
            prompt: self.prompt.clone(),
            answer_tokens: self.trainer.label_tokens().clone(),
            base_model: BaseModelRecord::of(base),
            recipe: recipe.clone(),
            data: data_record(&train, validation.as_ref(), &encoded, recipe.soft_labels),
            metrics: None,
        };
        let validate = |base: &BaseModel, rows: &MultiLabelDataset| {
            let evaluation = evaluate_on(base, (&record.prompt, &record.answer_tokens), record.recipe.max_tokens, rows)?;
            Ok(ValidationScores {
                loss: evaluation.log_loss,
                accuracy: 1.0 - evaluation.scores.hamming_loss,
                f1: evaluation.scores.micro_f1,
                roc_auc: evaluation.macro_roc_auc,
            })
        };
        let tokens: Vec<&[u32]> = encoded.iter().flat_map(|text| &text.prompts).map(|prompt| prompt.tokens.as_slice()).collect();
        let facts = DataFacts {
            validation_rows: record.data.validation_rows,
            cut_texts: record.data.cut_texts,
            shared_prefix: TokenBatch::new(&tokens).prefix_length(),
        };
        let work = Work {
            plan: Plan::new(recipe, questions(&train, encoded, recipe), data.label_names.len()),
            run: run_fingerprint(&record),
            facts,
            validate: validation.map(|rows| Box::new(move |base: &BaseModel| validate(base, &rows)) as Validate),
        };
        let (base, _) = self.trainer.carry_out(work, on_event)?;
        let classifier = MultiLabelClassifier { base, record };
        if let Some(folder) = &self.folder {
            classifier.save(folder)?;
            remove_checkpoint(folder)?;
        }
        Ok(classifier)
    }
}

type Sides = (MultiLabelDataset, Option<MultiLabelDataset>);

fn split(data: &MultiLabelDataset, recipe: &Recipe) -> Result<Sides, Error> {
    if recipe.validation == 0.0 {
        return Ok((data.clone(), None));
    }
    let split = multi_label_validation_split(&data.labels, recipe.validation, recipe.seed as u32)?;
    Ok((data.subset(&split.train), Some(data.subset(&split.test))))
}

fn data_record(
    train: &MultiLabelDataset,
    validation: Option<&MultiLabelDataset>,
    encoded: &[EncodedQuestions],
    soft_labels: bool,
) -> DataRecord {
    DataRecord {
        rows: train.len(),
        validation_rows: validation.map_or(0, MultiLabelDataset::len),
        fingerprint: multi_label_fingerprint(train, soft_labels),
        class_rows: (0..train.label_names.len()).map(|label| train.positives(label)).collect(),
        cut: Some(train.cut),
        duplicate_rows: Duplicates::normalized(&train.texts, &train.rows).extra_rows,
        cut_texts: encoded.iter().filter(|text| text.cut_characters > 0).count(),
    }
}

/// A question a text and label, its target no or yes or, with soft labels, the fraction. Class weights balance each label by itself.
fn questions(train: &MultiLabelDataset, encoded: Vec<EncodedQuestions>, recipe: &Recipe) -> Vec<Question> {
    let weights = |label: usize| {
        let positives = train.positives(label);
        class_weights(recipe, &[train.len() - positives, positives])
    };
    let weights: Vec<Vec<f64>> = (0..train.label_names.len()).map(weights).collect();
    let mut questions = Vec::with_capacity(train.len() * weights.len());
    for (row, text) in encoded.into_iter().enumerate() {
        for (label, prompt) in text.prompts.into_iter().enumerate() {
            let yes =
                if recipe.soft_labels { train.fractions[row][label] } else { f64::from(u8::from(train.labels[row][label])) };
            questions.push(Question::new(prompt, &[1.0 - yes, yes], &weights[label]));
        }
    }
    questions
}

/// Scores a data set with a model as it stands.
fn evaluate_on(
    base: &BaseModel,
    question: (&MultiLabelPrompt, &LabelTokens),
    max_tokens: usize,
    data: &MultiLabelDataset,
) -> Result<MultiLabelEvaluation, Error> {
    let begun = Instant::now();
    let predictions = predict(base, question, max_tokens, &data.texts)?;
    MultiLabelEvaluation::of(&predictions, &data.labels, &data.label_names, begun.elapsed().as_secs_f64())
}
