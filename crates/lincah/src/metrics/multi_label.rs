//! Metrics of predicted sets of labels.

use super::confusion::ratio;
use super::{Averaged, ConfusionMatrix, Metric};

/// Scores of sets of labels.
///
/// Source of the definitions: Tsoumakas, Katakis and Vlahavas 2010, *Mining multi-label data*, doi 10.1007/978-0-387-09823-4_34, in the
/// form of scikit-learn's averages `micro`, `macro` and `samples` with `zero_division=0`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MultiLabelScores {
    /// F1 of the counts summed over all labels: 2 tp / (2 tp + fp + fn).
    pub micro_f1: f64,
    /// Precision of the summed counts.
    pub micro_precision: f64,
    /// Recall of the summed counts.
    pub micro_recall: f64,
    /// Mean of the labels' F1.
    pub macro_f1: f64,
    /// Mean of the labels' precisions.
    pub macro_precision: f64,
    /// Mean of the labels' recalls.
    pub macro_recall: f64,
    /// Mean of the rows' F1: twice the labels that are both true and predicted, over true plus predicted ones; 0 for neither.
    pub example_f1: f64,
    /// Mean of the rows' precisions.
    pub example_precision: f64,
    /// Mean of the rows' recalls.
    pub example_recall: f64,
    /// Share of rows whose labels are all right, the absent ones too.
    pub subset_accuracy: f64,
    /// Share of wrong answers among all rows and labels: the lower the better.
    pub hamming_loss: f64,
}

impl MultiLabelScores {
    /// Each score with its metric.
    pub fn by_metric(&self) -> [(Metric, f64); 11] {
        [
            (Metric::MicroF1, self.micro_f1),
            (Metric::MicroPrecision, self.micro_precision),
            (Metric::MicroRecall, self.micro_recall),
            (Metric::MacroF1, self.macro_f1),
            (Metric::MacroPrecision, self.macro_precision),
            (Metric::MacroRecall, self.macro_recall),
            (Metric::ExampleF1, self.example_f1),
            (Metric::ExamplePrecision, self.example_precision),
            (Metric::ExampleRecall, self.example_recall),
            (Metric::SubsetAccuracy, self.subset_accuracy),
            (Metric::HammingLoss, self.hamming_loss),
        ]
    }
}

/// What true and predicted sets of labels come to: each label's 2 × 2 matrix (class 1 is having the label), and sums over the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct MultiLabelCounts {
    labels: Vec<ConfusionMatrix>,
    rows: f64,
    exact: f64,
    examples: Averaged,
}

impl MultiLabelCounts {
    /// Counts rows, each as often as `counts` says; `truth` and `predicted` are `[rows][labels]` and of one shape.
    pub fn of(truth: &[Vec<bool>], predicted: &[Vec<bool>], counts: &[u32]) -> Self {
        let label_count = truth.first().map_or(0, Vec::len);
        let mut matrices = vec![vec![vec![0; 2]; 2]; label_count];
        let (mut rows, mut exact, mut examples) = (0.0, 0.0, Averaged { precision: 0.0, recall: 0.0, f1: 0.0 });
        for ((truth, predicted), &count) in truth.iter().zip(predicted).zip(counts).filter(|(_, count)| **count > 0) {
            let weight = f64::from(count);
            for (matrix, (&truth, &predicted)) in matrices.iter_mut().zip(truth.iter().zip(predicted)) {
                matrix[usize::from(truth)][usize::from(predicted)] += u64::from(count);
            }
            let number = |labels: &[bool]| labels.iter().filter(|&&label| label).count() as f64;
            let both = truth.iter().zip(predicted).filter(|&(&truth, &predicted)| truth && predicted).count() as f64;
            let (true_labels, predicted_labels) = (number(truth), number(predicted));
            rows += weight;
            exact += if truth == predicted { weight } else { 0.0 };
            examples.precision += weight * ratio(both, predicted_labels);
            examples.recall += weight * ratio(both, true_labels);
            examples.f1 += weight * ratio(2.0 * both, true_labels + predicted_labels);
        }
        Self { labels: matrices.into_iter().map(ConfusionMatrix::from_counts).collect(), rows, exact, examples }
    }

    /// Each label's matrix, true classes in rows; class 1 is having the label.
    pub fn labels(&self) -> &[ConfusionMatrix] {
        &self.labels
    }

    /// All scores.
    pub fn scores(&self) -> MultiLabelScores {
        let sum = |i: usize, j: usize| self.labels.iter().map(|matrix| matrix.counts()[i][j]).sum::<u64>();
        let summed = ConfusionMatrix::from_counts((0..2).map(|i| (0..2).map(|j| sum(i, j)).collect()).collect());
        let mean = |metric: fn(&ConfusionMatrix, usize) -> f64| {
            ratio(self.labels.iter().map(|matrix| metric(matrix, 1)).sum(), self.labels.len() as f64)
        };
        MultiLabelScores {
            micro_f1: summed.f1(1),
            micro_precision: summed.precision(1),
            micro_recall: summed.recall(1),
            macro_f1: mean(ConfusionMatrix::f1),
            macro_precision: mean(ConfusionMatrix::precision),
            macro_recall: mean(ConfusionMatrix::recall),
            example_f1: ratio(self.examples.f1, self.rows),
            example_precision: ratio(self.examples.precision, self.rows),
            example_recall: ratio(self.examples.recall, self.rows),
            subset_accuracy: ratio(self.exact, self.rows),
            hamming_loss: 1.0 - summed.accuracy(),
        }
    }
}
