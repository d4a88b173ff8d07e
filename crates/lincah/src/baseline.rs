//! What a classifier must beat to be worth its model: TF-IDF with logistic regression, trained on the same rows within a second.
//!
//! It is scikit-learn's pipeline of two `TfidfVectorizer` (words, 1 to 2 of them; `char_wb`, 2 to 5 characters) side by side and
//! `LogisticRegression(C=1)`, one for all exclusive labels or one per independent label; nothing about it is tuned.

mod features;
mod logistic;

use crate::classifier::ScoredDataset;
use crate::data::dataset::Dataset;
use crate::error::Error;
use crate::evaluation::Evaluation;
use crate::prediction::{DecisionRule, Prediction};
use crate::task::Task;
use features::Features;
use logistic::LogisticRegression;
use rayon::prelude::*;
use std::time::Instant;

/// TF-IDF with logistic regression.
#[derive(Debug, Clone)]
pub struct TfidfBaseline {
    features: Features,
    task: Task,
    /// One, or one per independent label.
    regressions: Vec<LogisticRegression>,
}

impl TfidfBaseline {
    /// Fits vocabulary, weights and regressions to `data`.
    pub fn fit(data: &Dataset) -> Self {
        let features = Features::of(&data.texts);
        let rows: Vec<_> = data.texts.iter().map(|text| features.row(text)).collect();
        let labellings: Vec<Vec<usize>> = match data.task {
            Task::SingleLabel => vec![data.classes()],
            Task::MultiLabel => {
                let of_label = |label: usize| data.truth.iter().map(|truth| usize::from(truth[label])).collect();
                (0..data.labels.len()).map(of_label).collect()
            }
        };
        let classes = if data.task == Task::SingleLabel { data.labels.len() } else { 2 };
        let fit = |labels: &Vec<usize>| LogisticRegression::fit(&rows, labels, features.len(), classes);
        let regressions = labellings.par_iter().map(fit).collect();
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

    /// Features: words, pairs of words, and parts of words that occur in the training rows.
    pub fn features(&self) -> usize {
        self.features.len()
    }

    /// Probabilities and decision of each text, in order.
    pub fn predict<T: AsRef<str>>(&self, texts: &[T]) -> Vec<Prediction> {
        let probabilities = |text: &T| {
            let row = self.features.row(text.as_ref());
            match self.task {
                Task::SingleLabel => self.regressions[0].probabilities(&row),
                Task::MultiLabel => self.regressions.iter().map(|regression| regression.probabilities(&row)[1]).collect(),
            }
        };
        texts.iter().map(|text| Prediction::new(self.task, probabilities(text), 0)).collect()
    }
}
