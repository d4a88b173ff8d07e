//! What the same answer for every row reaches: see [`Score::constant_answer`](super::Score::constant_answer).

use super::Truth;
use crate::metrics::{ConfusionMatrix, Metric, MultiLabelCounts};
use crate::task::Task;

/// Of the metrics of a task.
pub(super) fn constant_answers(truth: Truth) -> Vec<(Metric, f64)> {
    let support = |label: usize| truth.of_label(label).iter().filter(|&&has| has).count() as u64;
    let support: Vec<u64> = (0..truth.labels.len()).map(support).collect();
    match truth.task {
        Task::SingleLabel => constant_class(&support),
        Task::MultiLabel => {
            let rows = truth.truth.len();
            let majority: Vec<bool> = support.iter().map(|&support| 2 * support as usize > rows).collect();
            let scores = MultiLabelCounts::of(truth.truth, &vec![majority; rows], &vec![1; rows]).scores();
            let mut found = scores.by_metric().to_vec();
            found.extend(chance_areas(&support, rows as u64));
            found
        }
    }
}

/// Of the metrics of one label by itself: always having it; for accuracy and macro F1 the better of always and never.
pub(super) fn constant_label(counts: [[u64; 2]; 2]) -> Vec<(Metric, f64)> {
    constant_class(&counts.map(|row| row.iter().sum()))
}

/// Of exclusive labels with so many rows each: with two the last, else the one that is best for the metric.
pub(super) fn constant_class(support: &[u64]) -> Vec<(Metric, f64)> {
    let labels = support.len();
    let row = |row: usize| (0..labels).map(|column| if row == column { support[row] } else { 0 }).collect();
    let matrix = ConfusionMatrix::from_counts((0..labels).map(row).collect());
    let best = |metric: fn(&ConfusionMatrix) -> f64| {
        (0..labels).map(|label| metric(&matrix.always(label))).fold(f64::NEG_INFINITY, f64::max)
    };
    let rows = matrix.total();
    let mut found = vec![
        (Metric::Accuracy, best(ConfusionMatrix::accuracy)),
        (Metric::MicroF1, best(ConfusionMatrix::accuracy)),
        (Metric::MacroF1, best(|matrix| matrix.macro_average().f1)),
        (Metric::MacroPrecision, best(|matrix| matrix.macro_average().precision)),
        (Metric::MacroRecall, best(|matrix| matrix.macro_average().recall)),
        (Metric::WeightedF1, best(|matrix| matrix.weighted_average().f1)),
    ];
    if labels == 2 {
        let always = matrix.always(1);
        found.extend([
            (Metric::F1, always.f1(1)),
            (Metric::Precision, always.precision(1)),
            (Metric::Recall, always.recall(1)),
            (Metric::RocAuc, 0.5),
            (Metric::PrAuc, support[1] as f64 / rows.max(1) as f64),
        ]);
    }
    found.extend(chance_areas(support, rows));
    found
}

/// The macro areas of probabilities that know nothing.
pub(super) fn chance_areas(support: &[u64], rows: u64) -> [(Metric, f64); 2] {
    let share = support.iter().map(|&support| support as f64 / rows.max(1) as f64).sum::<f64>() / support.len().max(1) as f64;
    [(Metric::MacroRocAuc, 0.5), (Metric::MacroPrAuc, share)]
}
