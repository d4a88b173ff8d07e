//! How well probabilities are calibrated.

use crate::evaluation::Truth;
use crate::metrics::{
    MetricError, brier, brier_multi_class, calibration_bins, check_probability, expected_calibration_error, log_loss,
};
use crate::statistics::{percentile_interval, resampled_rows};
use crate::task::Task;
use serde::{Deserialize, Serialize};

/// Bins of the calibration errors.
const BINS: usize = 10;

/// A figure with its 95 % bootstrap interval over the rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CalibrationFigure {
    /// On the rows as they are.
    pub value: f64,
    /// `[low, high]`.
    pub interval: [f64; 2],
}

/// How far probabilities are from what is true; the lower the better.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CalibrationFigures {
    /// [`expected_calibration_error`] over ten bins of equal width; with more than one probability per row the mean of the labels'.
    pub expected_calibration_error: CalibrationFigure,
    /// [`adaptive_calibration_error`] over ten bins of equal rows; otherwise as the one above.
    pub adaptive_calibration_error: CalibrationFigure,
    /// [`brier`] of two exclusive labels; of more [`brier_multi_class`]; of independent labels the mean of each label's.
    pub brier: CalibrationFigure,
    /// Mean of `-log p(true label)`; of independent labels over all answers.
    pub log_loss: CalibrationFigure,
}

impl CalibrationFigures {
    /// The figures of these probabilities. # Shapes: probabilities `[rows][labels]`.
    ///
    /// # Errors
    /// No rows, probabilities that are none, rows of exclusive labels without exactly one.
    pub fn of(truth: Truth, probabilities: &[Vec<f64>]) -> Result<Self, MetricError> {
        let classes = if truth.task == Task::SingleLabel { truth.classes()? } else { Vec::new() };
        let of_rows = |rows: &[usize]| values(truth, &classes, probabilities, rows);
        let value = of_rows(&(0..probabilities.len()).collect::<Vec<_>>())?;
        let resamples = resampled_rows(probabilities.len(), |rows| of_rows(rows).unwrap_or(value));
        let figure = |index: usize| CalibrationFigure {
            value: value[index],
            interval: percentile_interval(resamples.iter().map(|values| values[index]).collect()).unwrap_or([value[index]; 2]),
        };
        Ok(Self {
            expected_calibration_error: figure(0),
            adaptive_calibration_error: figure(1),
            brier: figure(2),
            log_loss: figure(3),
        })
    }
}

/// The expected calibration error over bins of equal rows: the rows by rising probability are cut into `bins` runs whose lengths differ by
/// one at most, and Σ over them of (rows / n) · |mean probability - positive share|.
///
/// Source: Nguyen and O'Connor 2015, *Posterior calibration and exploratory analysis for natural language processing models*, EMNLP.
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Lengths`], [`MetricError::Probability`].
pub fn adaptive_calibration_error(truth: &[bool], probabilities: &[f64], bins: usize) -> Result<f64, MetricError> {
    crate::metrics::check_lengths(truth.len(), probabilities.len())?;
    probabilities.iter().enumerate().try_for_each(|(row, &probability)| check_probability(row, probability).map(drop))?;
    let mut order: Vec<usize> = (0..truth.len()).collect();
    order.sort_by(|&left, &right| probabilities[left].total_cmp(&probabilities[right]));
    let n = order.len();
    let gap = |bin: usize| {
        let rows = &order[bin * n / bins..(bin + 1) * n / bins];
        rows.iter().map(|&row| probabilities[row] - f64::from(u8::from(truth[row]))).sum::<f64>().abs()
    };
    Ok((0..bins).map(gap).sum::<f64>() / n as f64)
}

/// Both errors, Brier score and log loss of some rows, which may be named more than once.
fn values(truth: Truth, classes: &[usize], probabilities: &[Vec<f64>], rows: &[usize]) -> Result<[f64; 4], MetricError> {
    let labels = truth.labels.len();
    let first = if truth.task == Task::SingleLabel && labels == 2 { 1 } else { 0 };
    let (mut errors, mut briers, mut losses) = ([0.0; 2], 0.0, 0.0);
    let column = |label: usize| -> (Vec<bool>, Vec<f64>) {
        rows.iter().map(|&row| (truth.truth[row][label], probabilities[row][label])).unzip()
    };
    for (has, of_label) in (first..labels).map(column) {
        errors[0] += expected_calibration_error(&calibration_bins(&has, &of_label, BINS)?);
        errors[1] += adaptive_calibration_error(&has, &of_label, BINS)?;
        briers += brier(&has, &of_label)?;
        if truth.task == Task::MultiLabel {
            let answers: Vec<[f64; 2]> = of_label.iter().map(|yes| [1.0 - yes, *yes]).collect();
            losses += log_loss(&has.iter().map(|&has| usize::from(has)).collect::<Vec<_>>(), &answers)?;
        }
    }
    let mean = |sum: f64| sum / (labels - first) as f64;
    let (brier, log_loss) = match truth.task {
        Task::MultiLabel => (mean(briers), mean(losses)),
        Task::SingleLabel => {
            let classes: Vec<usize> = rows.iter().map(|&row| classes[row]).collect();
            let of_rows: Vec<&[f64]> = rows.iter().map(|&row| probabilities[row].as_slice()).collect();
            let several = if labels == 2 { briers } else { brier_multi_class(&classes, &of_rows)? };
            (several, log_loss(&classes, &of_rows)?)
        }
    };
    Ok([mean(errors[0]), mean(errors[1]), brier, log_loss])
}
