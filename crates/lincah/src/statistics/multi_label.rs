//! Intervals of multi-label metrics.

use super::bootstrap::{each_resample, percentile_interval};
use super::paired::Difference;
use super::single_label::{SingleLabelRows, paired_single_label_differences};
use crate::metrics::{MetricError, MultiLabelCounts, MultiLabelScores, check_lengths};

/// The metrics of some rows: scores of the sets of labels, and the means of the areas over the labels.
#[derive(Debug, Clone, PartialEq)]
pub struct MultiLabelValues<T = f64> {
    /// Of the sets of labels.
    pub scores: MultiLabelScores<T>,
    /// Mean of the labels' areas under the ROC curve; absent where a label has no rows or all.
    pub macro_roc_auc: Option<T>,
    /// Mean of the labels' average precisions; absent as above.
    pub macro_pr_auc: Option<T>,
}

/// Rows with their true and predicted sets of labels and each label's probability.
#[derive(Debug, Clone)]
pub struct MultiLabelRows {
    truth: Vec<Vec<bool>>,
    predicted: Vec<Vec<bool>>,
    labels: Vec<SingleLabelRows>,
}

impl MultiLabelRows {
    /// Rows `[rows][labels]`.
    ///
    /// # Errors
    /// [`MetricError::Empty`], [`MetricError::Lengths`], [`MetricError::Score`].
    pub fn new(truth: &[Vec<bool>], predicted: &[Vec<bool>], scores: &[Vec<f64>]) -> Result<Self, MetricError> {
        check_lengths(truth.len(), predicted.len())?;
        check_lengths(truth.len(), scores.len())?;
        let label_count = truth[0].len();
        for ((truth, predicted), scores) in truth.iter().zip(predicted).zip(scores) {
            check_lengths(label_count, truth.len())?;
            check_lengths(label_count, predicted.len())?;
            check_lengths(label_count, scores.len())?;
        }
        let of = |rows: &[Vec<bool>], label: usize| rows.iter().map(|labels| usize::from(labels[label])).collect::<Vec<_>>();
        let scored = |label: usize| {
            let scores: Vec<f64> = scores.iter().map(|scores| scores[label]).collect();
            SingleLabelRows::new(&of(truth, label), &of(predicted, label), &scores, 2)
        };
        let labels = (0..label_count).map(scored).collect::<Result<_, _>>()?;
        Ok(Self { truth: truth.to_vec(), predicted: predicted.to_vec(), labels })
    }

    /// The metrics where row i occurs `counts[i]` times.
    pub fn resampled(&self, counts: &[u32]) -> MultiLabelValues {
        let areas: Option<Vec<(f64, f64)>> = self.labels.iter().map(|label| label.resampled(counts).areas).collect();
        let mean =
            |of: fn(&(f64, f64)) -> f64| areas.as_ref().map(|areas| areas.iter().map(of).sum::<f64>() / areas.len() as f64);
        MultiLabelValues {
            scores: MultiLabelCounts::of(&self.truth, &self.predicted, counts).scores(),
            macro_roc_auc: mean(|areas| areas.0),
            macro_pr_auc: mean(|areas| areas.1),
        }
    }

    /// 95 % percentile bootstrap intervals, the rows resampled as for [`Intervals`](super::Intervals); those of the areas are over the
    /// resamples that have them.
    pub fn intervals(&self) -> MultiLabelValues<[f64; 2]> {
        let values = each_resample(self.truth.len(), |counts| self.resampled(counts));
        let area = |of: fn(&MultiLabelValues) -> Option<f64>| percentile_interval(values.iter().filter_map(of).collect());
        let scores: Vec<MultiLabelScores> = values.iter().map(|values| values.scores).collect();
        MultiLabelValues {
            scores: MultiLabelScores::fold(&scores, |values| percentile_interval(values).unwrap_or_default()),
            macro_roc_auc: area(|values| values.macro_roc_auc),
            macro_pr_auc: area(|values| values.macro_pr_auc),
        }
    }
}

/// The differences of all scores, and of the mean areas where both are defined, by a paired bootstrap over the rows as in
/// [`paired_single_label_differences`].
///
/// `first` and `second` are of the same rows and labels in the same order.
pub fn paired_multi_label_differences(first: &MultiLabelRows, second: &MultiLabelRows) -> MultiLabelValues<Difference> {
    let difference = |counts: &[u32]| {
        let (first, second) = (first.resampled(counts), second.resampled(counts));
        let of =
            |area: fn(&MultiLabelValues) -> Option<f64>| area(&first).zip(area(&second)).map(|(first, second)| second - first);
        MultiLabelValues {
            scores: MultiLabelScores::fold(&[first.scores, second.scores], |values| values[1] - values[0]),
            macro_roc_auc: of(|values| values.macro_roc_auc),
            macro_pr_auc: of(|values| values.macro_pr_auc),
        }
    };
    let rows = first.truth.len();
    let found = difference(&vec![1; rows]);
    let resampled = each_resample(rows, difference);
    let with_interval = |value: f64, values: Vec<f64>| {
        let interval = percentile_interval(values).unwrap_or([value; 2]);
        Difference { value, interval }
    };
    let area = |of: fn(&MultiLabelValues) -> Option<f64>| {
        of(&found).map(|value| with_interval(value, resampled.iter().filter_map(of).collect()))
    };
    let scores: Vec<MultiLabelScores> = std::iter::once(&found).chain(&resampled).map(|values| values.scores).collect();
    MultiLabelValues {
        scores: MultiLabelScores::fold(&scores, |values| with_interval(values[0], values[1..].to_vec())),
        macro_roc_auc: area(|values| values.macro_roc_auc),
        macro_pr_auc: area(|values| values.macro_pr_auc),
    }
}

/// [`paired_single_label_differences`] of each label: of its F1 and, where it is defined, of its area under the ROC curve.
pub fn paired_label_differences(first: &MultiLabelRows, second: &MultiLabelRows) -> Vec<(Difference, Option<Difference>)> {
    first.labels.iter().zip(&second.labels).map(|(first, second)| paired_single_label_differences(first, second)).collect()
}
