//! What a classifier must beat to be worth its model: TF-IDF with logistic regression, trained on the same rows within a second.
//!
//! It is scikit-learn's pipeline of two `TfidfVectorizer` (words, 1 to 2 of them; `char_wb`, 2 to 5 characters) side by side and
//! `LogisticRegression(C=1)`, one for all exclusive labels or one per independent label; nothing about it is tuned.

mod features;

use crate::classifier::ScoredDataset;
use crate::data::dataset::Dataset;
use crate::error::Error;
use crate::evaluation::Evaluation;
use crate::prediction::{DecisionRule, Prediction};
use crate::regression::{EXACT, FitOptions, LabelRegressions, out_of_fold};
use crate::task::Task;
use features::Features;
use std::time::Instant;

/// scikit-learn's `C=1`.
const OPTIONS: FitOptions = FitOptions { penalty: 1.0, tolerance: EXACT };

/// TF-IDF with logistic regression.
#[derive(Debug, Clone)]
pub struct TfidfBaseline {
    features: Features,
    task: Task,
    regressions: LabelRegressions,
}

impl TfidfBaseline {
    /// Fits vocabulary, weights and regressions to `data`.
    pub fn fit(data: &Dataset) -> Self {
        let features = Features::of(&data.texts);
        let rows: Vec<_> = data.texts.iter().map(|text| features.row(text)).collect();
        let regressions = LabelRegressions::fit((data.task, &data.truth), (&rows, features.len()), OPTIONS, None);
        Self { features, task: data.task, regressions }
    }

    /// Fits to `train` and compares with `test`.
    ///
    /// # Errors
    /// No test rows.
    pub fn evaluate(train: &Dataset, test: &Dataset) -> Result<ScoredDataset, Error> {
        let baseline = Self::fit(train);
        let begun = Instant::now();
        let predictions = baseline.predict(&test.texts);
        let evaluation = Evaluation::of(&predictions, test.truth(), &DecisionRule::default(), begun.elapsed().as_secs_f64())?;
        Ok(ScoredDataset { predictions, evaluation })
    }

    /// Scores every row by a baseline fitted to the other folds' rows; `fold_of` has the fold of each row, from 0.
    pub fn out_of_fold(data: &Dataset, fold_of: &[usize]) -> Vec<Prediction> {
        out_of_fold(fold_of, |train, test| {
            let texts: Vec<&str> = test.iter().map(|&row| data.texts[row].as_str()).collect();
            Self::fit(&data.subset(train)).predict(&texts)
        })
    }

    /// Features: words, pairs of words, and parts of words that occur in the training rows.
    pub fn features(&self) -> usize {
        self.features.len()
    }

    /// Probabilities and decision of each text, in order.
    pub fn predict<T: AsRef<str>>(&self, texts: &[T]) -> Vec<Prediction> {
        let probabilities = |text: &T| self.regressions.probabilities(&self.features.row(text.as_ref()));
        texts.iter().map(|text| Prediction::new(self.task, probabilities(text), 0)).collect()
    }
}
