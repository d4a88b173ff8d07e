//! What a threshold other than one half would do.

use super::{MetricError, confusion_matrix, precision_recall_curve};

/// What flagging every row with a score at or above `threshold` gives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ThresholdMetrics {
    /// The threshold.
    pub threshold: f64,
    /// Of the flagged rows the share that is positive; none where nothing is flagged.
    pub precision: Option<f64>,
    /// Of the positive rows the share that is flagged, 0 if there is none.
    pub recall: f64,
    /// The harmonic mean of both, 0 if nothing is flagged.
    pub f1: f64,
    /// Share of all rows that is flagged.
    pub flagged: f64,
}

/// Precision, recall, F1 and flagged share where a row counts as positive from `threshold` on.
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Lengths`].
pub fn at_threshold(truth: &[bool], scores: &[f64], threshold: f64) -> Result<ThresholdMetrics, MetricError> {
    let classes: Vec<usize> = truth.iter().map(|&positive| usize::from(positive)).collect();
    let flags: Vec<usize> = scores.iter().map(|&score| usize::from(score >= threshold)).collect();
    let matrix = confusion_matrix(&classes, &flags, 2)?;
    let flagged: usize = flags.iter().sum();
    Ok(ThresholdMetrics {
        threshold,
        precision: (flagged > 0).then(|| matrix.precision(1)),
        recall: matrix.recall(1),
        f1: matrix.f1(1),
        flagged: flagged as f64 / truth.len() as f64,
    })
}

/// The lowest threshold, hence the highest recall, at which the precision is at least `precision`: a score of one of the rows; none if no
/// threshold reaches it.
///
/// # Errors
/// As [`precision_recall_curve`].
pub fn threshold_for_precision(truth: &[bool], scores: &[f64], precision: f64) -> Result<Option<f64>, MetricError> {
    let curve = precision_recall_curve(truth, scores)?;
    let found = curve.thresholds.iter().zip(&curve.precision).find(|&(_, &reached)| reached >= precision);
    Ok(found.map(|(&threshold, _)| threshold))
}
