//! Intervals of single-label metrics.

use super::bootstrap::{RESAMPLES, each_resample, percentile_interval};
use super::paired::Difference;
use crate::metrics::{ConfusionMatrix, MetricError, check_lengths};
use serde::{Deserialize, Serialize};

/// 95 % intervals of the metrics of an [`Evaluation`](crate::Evaluation), each `[low, high]`.
///
/// B = 2000 times n rows are drawn from the n test rows with replacement, whatever their class, and the metric is computed on them; the
/// interval goes from the 2.5th to the 97.5th percentile of the B values.
///
/// Source: Efron and Tibshirani 1993, *An Introduction to the Bootstrap*, chapter 13.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intervals {
    /// Of F1, the macro average with more than two labels.
    pub f1: [f64; 2],
    /// Of the precision.
    pub precision: [f64; 2],
    /// Of the recall.
    pub recall: [f64; 2],
    /// Of the accuracy.
    pub accuracy: [f64; 2],
    /// Of the area under the ROC curve; absent where that is.
    pub roc_auc: Option<[f64; 2]>,
    /// Of the average precision; absent where that is.
    pub pr_auc: Option<[f64; 2]>,
    /// Of the macro average of F1.
    pub macro_f1: [f64; 2],
    /// Resamples drawn.
    pub resamples: usize,
    /// Those of one class only, on which the areas have no value: the areas' intervals are of the others.
    pub one_class_resamples: usize,
}

/// The metrics of one resample, as in [`Evaluation`](crate::Evaluation).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ResampledMetrics {
    /// F1 of the positive class, or the macro average with more than two classes.
    pub f1: f64,
    /// Its precision.
    pub precision: f64,
    /// Its recall.
    pub recall: f64,
    /// The accuracy.
    pub accuracy: f64,
    /// The macro average of F1.
    pub macro_f1: f64,
    /// The area under the ROC curve and the average precision; absent with more than two classes or one class only.
    pub areas: Option<(f64, f64)>,
}

/// Rows with their true and predicted classes and their scores, sorted once for all resamples.
#[derive(Debug, Clone)]
pub struct SingleLabelRows {
    truth: Vec<usize>,
    predicted: Vec<usize>,
    classes: usize,
    /// Rows by descending score, those of one score together; empty with more than two classes.
    tied: Vec<Vec<usize>>,
}

impl SingleLabelRows {
    /// Rows of `classes` classes, the last of them positive; `scores` are the positive class's.
    ///
    /// # Errors
    /// [`MetricError::Empty`], [`MetricError::Lengths`], [`MetricError::Class`], [`MetricError::Score`].
    pub fn new(truth: &[usize], predicted: &[usize], scores: &[f64], classes: usize) -> Result<Self, MetricError> {
        check_lengths(truth.len(), predicted.len())?;
        check_lengths(truth.len(), scores.len())?;
        if let Some((row, &score)) = scores.iter().enumerate().find(|(_, score)| !score.is_finite()) {
            return Err(MetricError::Score { row, score });
        }
        let highest = truth.iter().zip(predicted).map(|(&truth, &predicted)| truth.max(predicted));
        if let Some((row, class)) = highest.enumerate().find(|&(_, class)| class >= classes) {
            return Err(MetricError::Class { row, class, classes });
        }
        let mut order: Vec<usize> = if classes == 2 { (0..truth.len()).collect() } else { Vec::new() };
        order.sort_by(|&left, &right| scores[right].total_cmp(&scores[left]));
        let tied = order.chunk_by(|&left, &right| scores[left] == scores[right]).map(<[usize]>::to_vec).collect();
        Ok(Self { truth: truth.to_vec(), predicted: predicted.to_vec(), classes, tied })
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.truth.len()
    }

    /// The metrics where row i occurs `counts[i]` times.
    pub fn resampled(&self, counts: &[u32]) -> ResampledMetrics {
        let mut matrix = vec![vec![0; self.classes]; self.classes];
        for ((&truth, &predicted), &count) in self.truth.iter().zip(&self.predicted).zip(counts) {
            matrix[truth][predicted] += u64::from(count);
        }
        let matrix = ConfusionMatrix::from_counts(matrix);
        let macro_average = matrix.macro_average();
        let two = self.classes == 2;
        ResampledMetrics {
            f1: if two { matrix.f1(1) } else { macro_average.f1 },
            precision: if two { matrix.precision(1) } else { macro_average.precision },
            recall: if two { matrix.recall(1) } else { macro_average.recall },
            accuracy: matrix.accuracy(),
            macro_f1: macro_average.f1,
            areas: if two { self.areas(counts) } else { None },
        }
    }

    /// Both areas in one walk down the scores: trapezes under the ROC curve, steps under the precision-recall curve.
    fn areas(&self, counts: &[u32]) -> Option<(f64, f64)> {
        let (mut true_positives, mut false_positives) = (0.0, 0.0);
        let (mut doubled_area, mut precision_area) = (0.0, 0.0);
        for rows in &self.tied {
            let (mut positives, mut negatives) = (0.0, 0.0);
            for &row in rows {
                *(if self.truth[row] == 1 { &mut positives } else { &mut negatives }) += f64::from(counts[row]);
            }
            doubled_area += negatives * (2.0 * true_positives + positives);
            true_positives += positives;
            false_positives += negatives;
            if positives > 0.0 {
                precision_area += positives * true_positives / (true_positives + false_positives);
            }
        }
        let both_classes = true_positives > 0.0 && false_positives > 0.0;
        both_classes.then(|| (doubled_area / (2.0 * true_positives * false_positives), precision_area / true_positives))
    }

    /// The intervals of all metrics.
    pub fn intervals(&self) -> Intervals {
        let metrics = each_resample(self.truth.len(), |counts| self.resampled(counts));
        let of =
            |metric: fn(&ResampledMetrics) -> f64| percentile_interval(metrics.iter().map(metric).collect()).unwrap_or_default();
        let areas: Vec<(f64, f64)> = metrics.iter().filter_map(|metrics| metrics.areas).collect();
        Intervals {
            f1: of(|metrics| metrics.f1),
            precision: of(|metrics| metrics.precision),
            recall: of(|metrics| metrics.recall),
            accuracy: of(|metrics| metrics.accuracy),
            roc_auc: percentile_interval(areas.iter().map(|areas| areas.0).collect()),
            pr_auc: percentile_interval(areas.iter().map(|areas| areas.1).collect()),
            macro_f1: of(|metrics| metrics.macro_f1),
            resamples: RESAMPLES,
            one_class_resamples: if self.classes == 2 { RESAMPLES - areas.len() } else { 0 },
        }
    }
}

/// The differences of F1 and, where it is defined, of the area under the ROC curve, by a paired bootstrap.
///
/// `first` and `second` are of the same rows in the same order.
///
/// Source: Efron and Tibshirani 1993, chapter 13, with the rows as the units that are drawn.
pub fn paired_single_label_differences(first: &SingleLabelRows, second: &SingleLabelRows) -> (Difference, Option<Difference>) {
    let rows = first.rows();
    let difference = |counts: &[u32]| {
        let (first, second) = (first.resampled(counts), second.resampled(counts));
        (second.f1 - first.f1, first.areas.zip(second.areas).map(|(first, second)| second.0 - first.0))
    };
    let (f1, area) = difference(&vec![1; rows]);
    let resampled = each_resample(rows, difference);
    let of = |value: f64, values: Vec<f64>| percentile_interval(values).map(|interval| Difference { value, interval });
    let no_rows = Difference { value: f1, interval: [f1; 2] };
    let f1 = of(f1, resampled.iter().map(|difference| difference.0).collect()).unwrap_or(no_rows);
    (f1, area.and_then(|area| of(area, resampled.iter().filter_map(|difference| difference.1).collect())))
}
