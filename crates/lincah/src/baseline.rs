//! What a classifier must beat to be worth its model: TF-IDF with logistic regression, trained on the same rows within a second.
//!
//! It is scikit-learn's pipeline of two `TfidfVectorizer` (words, 1 to 2 of them; `char_wb`, 2 to 5 characters) side by side and
//! `LogisticRegression(C=1)`; nothing about it is tuned.

mod features;
mod logistic;

use crate::data::dataset::LabelledDataset;
use crate::error::Error;
use crate::evaluate::Evaluation;
use crate::prediction::Prediction;
use crate::task::Task;
use features::Features;
use logistic::LogisticRegression;
use rayon::prelude::*;
use std::time::Instant;

/// TF-IDF with logistic regression.
#[derive(Debug, Clone)]
pub struct TfidfBaseline {
    features: Features,
    regression: LogisticRegression,
}

impl TfidfBaseline {
    /// Fits vocabulary, weights and regression to `data`.
    pub fn fit(data: &LabelledDataset) -> Self {
        Self::fit_all(&data.texts, std::slice::from_ref(&data.labels), data.label_names.len()).remove(0)
    }

    /// One baseline for each of several labellings of the same texts.
    pub(crate) fn fit_all(texts: &[String], labellings: &[Vec<usize>], classes: usize) -> Vec<Self> {
        let features = Features::of(texts);
        let rows: Vec<_> = texts.iter().map(|text| features.row(text)).collect();
        let fit = |labels: &Vec<usize>| {
            let regression = LogisticRegression::fit(&rows, labels, features.len(), classes);
            Self { features: features.clone(), regression }
        };
        labellings.par_iter().map(fit).collect()
    }

    /// Fits to `train` and compares with `test`: predictions and metrics.
    ///
    /// # Errors
    /// No test rows.
    pub fn evaluate(train: &LabelledDataset, test: &LabelledDataset) -> Result<(Vec<Prediction>, Evaluation), Error> {
        let baseline = Self::fit(train);
        let begun = Instant::now();
        let predictions = baseline.predict(&test.texts);
        let evaluation = Evaluation::of(&predictions, &test.labels, &test.label_names, begun.elapsed().as_secs_f64())?;
        Ok((predictions, evaluation))
    }

    /// Features: words, pairs of words, and parts of words that occur in the training rows.
    pub fn features(&self) -> usize {
        self.features.len()
    }

    /// Label and probabilities of each text, in order.
    pub fn predict<T: AsRef<str>>(&self, texts: &[T]) -> Vec<Prediction> {
        let probabilities = texts.iter().map(|text| self.regression.probabilities(&self.features.row(text.as_ref())));
        probabilities.map(|probabilities| Prediction::new(Task::SingleLabel, probabilities, 0)).collect()
    }
}
