//! A whole check of data: what [`data::check`](crate::data::check) finds, lengths in tokens, and labels that may be wrong.

use crate::base_model::BaseModel;
use crate::baseline::TfidfBaseline;
use crate::cross_validation::FinishedCrossValidation;
use crate::data::check::{self, DataCheck, Shortcut, TokenLengths};
use crate::data::dataset::Dataset;
use crate::error::Error;
use crate::evaluation::Truth;
use crate::hub;
use crate::label_errors::{Filter, SuspectedRow};
use crate::prediction::Prediction;
use crate::prompt::{LabelTokens, Prompt, PromptEncoder, WhiteSpace};
use serde_json::{Value, json};

/// Folds of the baseline that finds labels that may be wrong, and what decides which row is in which.
const FOLDS: usize = 5;
const FOLD_SEED: u32 = 32;

/// All that a check found.
#[derive(Debug)]
pub struct Checked {
    /// In the texts and labels.
    pub found: DataCheck,
    /// The shortcuts that are flagged where white space is trimmed and made single, as a training does.
    pub trimmed: Vec<Shortcut>,
    /// Lengths in tokens, where they are known.
    pub tokens: Option<TokenLengths>,
    /// None where too few rows are there to tell, or nobody asked.
    pub suspects: Option<Suspects>,
}

/// Rows whose label may be wrong, the surest first.
#[derive(Debug)]
pub struct Suspects {
    /// The rows.
    pub rows: Vec<SuspectedRow>,
    /// Share of the rows whose labels the scores would give too.
    pub agreement: f64,
    /// Whose scores found them.
    pub source: String,
}

impl Checked {
    /// Puts together what was found.
    pub fn of(data: &Dataset, found: DataCheck, tokens: Option<TokenLengths>, suspects: Option<Suspects>) -> Self {
        let trimmed = match found.shortcuts.iter().any(|shortcut| shortcut.flagged) {
            true => check::shortcuts(&data.with_white_space(WhiteSpace::Single)),
            false => Vec::new(),
        };
        let trimmed = trimmed.into_iter().filter(|shortcut| shortcut.flagged).collect();
        Self { found, trimmed, tokens, suspects }
    }

    /// The whole as one object.
    pub fn json(&self) -> Value {
        let mut object = json!(self.found);
        object["lengths"] = json!({"characters": self.found.report.characters, "tokens": self.tokens});
        object["shortcuts_after_trimming"] = json!(self.trimmed);
        object["label_errors"] = json!(self.suspects.as_ref().map_or(&[][..], |suspects| &suspects.rows));
        object["label_errors_from"] = json!(self.suspects.as_ref().map(|suspects| &suspects.source));
        object["label_errors_agreement"] = json!(self.suspects.as_ref().map(|suspects| suspects.agreement));
        object
    }
}

impl Suspects {
    /// By the out-of-fold scores of TF-IDF with logistic regression; none where too few rows are there to tell.
    ///
    /// # Errors
    /// As [`SuspectedRow::find`].
    pub fn of(data: &Dataset) -> Result<Option<Self>, Error> {
        let Some(fold_of) = check::folds(data, FOLDS, FOLD_SEED) else { return Ok(None) };
        let source = String::from("TF-IDF + logistic regression, out of fold");
        Self::found(data.truth(), &data.rows, &TfidfBaseline::out_of_fold(data, &fold_of), source).map(Some)
    }

    /// By the scores of a cross-validation of the same rows, which `source` names.
    ///
    /// # Errors
    /// [`Error::OtherRows`]; as [`SuspectedRow::find`].
    pub fn of_cross_validation(finished: &FinishedCrossValidation, data: &Dataset, source: String) -> Result<Self, Error> {
        finished.texts(data)?;
        let evaluation = &finished.scored.evaluation;
        let truth = Truth { task: evaluation.task, labels: &evaluation.labels, truth: &finished.truth };
        Self::found(truth, &finished.rows, &finished.scored.predictions, source)
    }

    fn found(truth: Truth, rows: &[u64], predictions: &[Prediction], source: String) -> Result<Self, Error> {
        let agree = predictions.iter().zip(truth.truth).filter(|(prediction, truth)| prediction.given() == **truth).count();
        let agreement = agree as f64 / rows.len() as f64;
        Ok(Self { rows: SuspectedRow::find(truth, rows, predictions, Filter::default())?, agreement, source })
    }
}

/// The lengths of the prompts around the texts, for a model by name or the default one.
///
/// # Errors
/// A model that is not there; labels that its tokenizer cannot tell apart.
pub fn token_lengths(data: &Dataset, model: Option<&str>, max_tokens: usize) -> Result<TokenLengths, Error> {
    let tokenizer = BaseModel::tokenizer_of(model.unwrap_or(hub::DEFAULT_MODEL))?;
    let (prompt, _) = LabelTokens::resolve(Prompt::new(data.task, data.labels.clone())?, &tokenizer)?;
    let encoded = PromptEncoder::new(&tokenizer, &prompt, usize::MAX)?.encode_batch(&data.texts)?;
    let longest = encoded.iter().map(|text| text.prompts.iter().map(Vec::len).max().unwrap_or(0));
    Ok(TokenLengths::of(&data.rows, &longest.collect::<Vec<_>>(), max_tokens))
}
