//! One label of all rows, as curves and tables need it.

use super::chart::Drawing;
use super::curves::{self, BINS, Binary};
use crate::error::Error;
use crate::evaluation::{Evaluation, Truth};
use crate::metrics::{CalibrationBin, brier, calibration_bins, expected_calibration_error};
use crate::prediction::{DEFAULT_THRESHOLD, Prediction};
use crate::task::Task;

/// One label of all rows.
pub(super) struct Column<'a> {
    pub(super) label: usize,
    pub(super) name: &'a str,
    pub(super) rest: &'a str,
    pub(super) truth: Vec<bool>,
    pub(super) given: Vec<bool>,
    pub(super) scores: Vec<f64>,
    pub(super) threshold: Option<f64>,
    pub(super) baseline: Option<Vec<f64>>,
    pub(super) alone: bool,
}

/// The columns of the labels that have curves: the last of two exclusive ones, else all.
pub(super) fn columns<'a>(
    evaluation: &'a Evaluation,
    truth: Truth,
    predictions: &[Prediction],
    baseline: Option<&[Prediction]>,
) -> Vec<Column<'a>> {
    let names = evaluation.labels.names();
    let alone = evaluation.has_positive_class();
    let probabilities = |predictions: &[Prediction], label: usize| -> Vec<f64> {
        predictions.iter().map(|prediction| prediction.probabilities[label]).collect()
    };
    let threshold = |label: usize| {
        let own = evaluation.rule.thresholds.get(label).copied().unwrap_or(DEFAULT_THRESHOLD);
        (alone || evaluation.task == Task::MultiLabel).then_some(own)
    };
    let column = |label: usize| Column {
        label,
        name: &names[label],
        rest: if alone { &names[0] } else { "the rest" },
        truth: truth.of_label(label),
        given: predictions.iter().map(|prediction| prediction.given()[label]).collect(),
        scores: probabilities(predictions, label),
        threshold: threshold(label),
        baseline: baseline.map(|predictions| probabilities(predictions, label)),
        alone,
    };
    (usize::from(alone)..names.len()).map(column).collect()
}

impl Column<'_> {
    pub(super) fn binary(&self) -> Binary<'_> {
        Binary {
            truth: &self.truth,
            given: &self.given,
            scores: &self.scores,
            threshold: self.threshold,
            baseline: self.baseline.as_deref(),
            names: (self.rest, self.name),
            place: (!self.alone).then_some(self.label + 1),
        }
    }

    /// Whether there are rows with the label and rows without: all curves need both.
    pub(super) fn has_both(&self) -> bool {
        self.truth.contains(&true) && self.truth.contains(&false)
    }

    pub(super) fn drawings(&self) -> Result<[Drawing; 4], Error> {
        let rows = self.binary();
        let bins = self.bins()?;
        Ok([curves::roc(rows)?, curves::precision_recall(rows)?, curves::histogram(rows)?, curves::calibration(rows, &bins)])
    }

    pub(super) fn bins(&self) -> Result<Vec<CalibrationBin>, Error> {
        Ok(calibration_bins(&self.truth, &self.scores, BINS)?)
    }

    /// Expected calibration error and Brier score.
    pub(super) fn calibration(&self) -> Result<[f64; 2], Error> {
        Ok([expected_calibration_error(&self.bins()?), brier(&self.truth, &self.scores)?])
    }
}
