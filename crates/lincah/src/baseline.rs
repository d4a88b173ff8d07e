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
use features::{Features, SparseRow};
use logistic::{EXACT, LogisticRegression, NEAR};
use rayon::prelude::*;
use std::time::Instant;

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
        let regressions = LabelRegressions::fit((data.task, &data.truth), &rows, features.len(), EXACT);
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

/// A logistic regression for all exclusive labels, or one per independent label.
#[derive(Debug, Clone)]
pub(crate) struct LabelRegressions {
    task: Task,
    regressions: Vec<LogisticRegression>,
}

impl LabelRegressions {
    /// Fits to rows of features, by ascending index, with truth `[rows][labels]`.
    fn fit((task, truth): (Task, &[Vec<bool>]), rows: &[SparseRow], features: usize, tolerance: f64) -> Self {
        let labels = truth.first().map_or(0, Vec::len);
        let class = |truth: &Vec<bool>| truth.iter().position(|&has| has).unwrap_or(0);
        let (labellings, classes): (Vec<Vec<usize>>, usize) = match task {
            Task::SingleLabel => (vec![truth.iter().map(class).collect()], labels),
            Task::MultiLabel => {
                let of_label = |label: usize| truth.iter().map(|truth| usize::from(truth[label])).collect();
                ((0..labels).map(of_label).collect(), 2)
            }
        };
        let fit = |labels: &Vec<usize>| LogisticRegression::fit(rows, labels, (features, classes), tolerance);
        Self { task, regressions: labellings.par_iter().map(fit).collect() }
    }

    /// The probability of each label.
    fn probabilities(&self, row: &SparseRow) -> Vec<f64> {
        match self.task {
            Task::SingleLabel => self.regressions[0].probabilities(row),
            Task::MultiLabel => self.regressions.iter().map(|regression| regression.probabilities(row)[1]).collect(),
        }
    }

    /// Each row's probabilities by regressions on the other folds' rows; `rows` are the features of those of `data`.
    pub(crate) fn out_of_fold(data: &Dataset, rows: &[SparseRow], features: usize, fold_of: &[usize]) -> Vec<Vec<f64>> {
        out_of_fold(fold_of, |train, test| {
            let (of_train, truth): (Vec<SparseRow>, Vec<Vec<bool>>) =
                train.iter().map(|&row| (rows[row].clone(), data.truth[row].clone())).unzip();
            let fitted = Self::fit((data.task, &truth), &of_train, features, NEAR);
            test.iter().map(|&row| fitted.probabilities(&rows[row])).collect()
        })
    }
}

/// What `score` makes of each row, given the rows of the other folds and those of its own.
fn out_of_fold<T>(fold_of: &[usize], score: impl Fn(&[usize], &[usize]) -> Vec<T>) -> Vec<T> {
    let folds = fold_of.iter().max().map_or(0, |last| last + 1);
    let mut scored: Vec<(usize, T)> = Vec::with_capacity(fold_of.len());
    for fold in 0..folds {
        let (test, train): (Vec<usize>, Vec<usize>) = (0..fold_of.len()).partition(|&row| fold_of[row] == fold);
        let scores = score(&train, &test);
        scored.extend(test.into_iter().zip(scores));
    }
    scored.sort_by_key(|(row, _)| *row);
    scored.into_iter().map(|(_, score)| score).collect()
}
