//! The metrics by name.

use crate::task::Task;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What an evaluation measures of decisions and probabilities.
///
/// Without a prefix a metric is that of one class, the positive one of two exclusive labels or having an independent label; a macro average
/// is the plain mean over the labels, a micro average is of the counts summed over them. Definitions are scikit-learn's with
/// `zero_division=0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Metric {
    /// 2 tp / (2 tp + fp + fn) of the positive class.
    F1,
    /// tp / (tp + fp) of the positive class.
    Precision,
    /// tp / (tp + fn) of the positive class.
    Recall,
    /// Share of rows with the right label.
    Accuracy,
    /// Area under the ROC curve of the positive class's probability.
    RocAuc,
    /// Average precision of the positive class's probability.
    PrAuc,
    /// F1 of the counts summed over the labels.
    MicroF1,
    /// Precision of the summed counts.
    MicroPrecision,
    /// Recall of the summed counts.
    MicroRecall,
    /// Mean of the labels' F1.
    MacroF1,
    /// Mean of the labels' precisions.
    MacroPrecision,
    /// Mean of the labels' recalls.
    MacroRecall,
    /// Mean of the labels' F1, each weighted by its rows.
    WeightedF1,
    /// Mean of the rows' F1: twice the labels both true and given, over true plus given ones; 0 for neither.
    ExampleF1,
    /// Mean of the rows' precisions.
    ExamplePrecision,
    /// Mean of the rows' recalls.
    ExampleRecall,
    /// Share of rows whose labels are all right, the absent ones too.
    SubsetAccuracy,
    /// Share of wrong answers among all rows and labels: the lower the better.
    HammingLoss,
    /// Mean of the labels' areas under the ROC curve, each label against the rest.
    MacroRocAuc,
    /// Mean of the labels' average precisions, each label against the rest.
    MacroPrAuc,
}

/// Of two classes, the last of them positive; also of each label against the rest.
const TWO_CLASSES: [Metric; 7] =
    [Metric::F1, Metric::Precision, Metric::Recall, Metric::Accuracy, Metric::RocAuc, Metric::PrAuc, Metric::MacroF1];

const EXCLUSIVE: [Metric; 8] = [
    Metric::MacroF1,
    Metric::MacroPrecision,
    Metric::MacroRecall,
    Metric::Accuracy,
    Metric::MacroRocAuc,
    Metric::MacroPrAuc,
    Metric::MicroF1,
    Metric::WeightedF1,
];

const INDEPENDENT: [Metric; 13] = [
    Metric::MicroF1,
    Metric::MicroPrecision,
    Metric::MicroRecall,
    Metric::MacroF1,
    Metric::MacroPrecision,
    Metric::MacroRecall,
    Metric::ExampleF1,
    Metric::ExamplePrecision,
    Metric::ExampleRecall,
    Metric::SubsetAccuracy,
    Metric::HammingLoss,
    Metric::MacroRocAuc,
    Metric::MacroPrAuc,
];

impl Metric {
    /// The metrics of a task with so many labels, in the order in which they are printed.
    pub fn of(task: Task, labels: usize) -> Vec<Self> {
        match (task, labels) {
            (Task::MultiLabel, _) => INDEPENDENT.to_vec(),
            (Task::SingleLabel, 2) => TWO_CLASSES.to_vec(),
            (Task::SingleLabel, _) => EXCLUSIVE.to_vec(),
        }
    }

    /// The metrics of each label against the rest, in the order in which they are printed.
    pub fn of_label() -> Vec<Self> {
        TWO_CLASSES.to_vec()
    }

    /// The metrics that a short line about a task has, the first of them before all others.
    pub fn headline(task: Task, labels: usize) -> [Self; 2] {
        match (task, labels) {
            (Task::MultiLabel, _) => [Self::MicroF1, Self::MacroF1],
            (Task::SingleLabel, 2) => [Self::F1, Self::RocAuc],
            (Task::SingleLabel, _) => [Self::MacroF1, Self::MacroRocAuc],
        }
    }

    /// The name as it is printed.
    pub fn name(self) -> &'static str {
        self.names().0
    }

    /// The name in JSON. A stored evaluation of three or more exclusive labels has its macro averages as `f1`, `precision` and `recall`, too.
    pub fn key(self) -> &'static str {
        self.names().1
    }

    /// Whether more is better.
    pub fn higher_is_better(self) -> bool {
        self != Self::HammingLoss
    }

    /// Whether it is an area under a curve: of the probabilities, and undefined where a label has no rows or all.
    pub fn is_area(self) -> bool {
        matches!(self, Self::RocAuc | Self::PrAuc | Self::MacroRocAuc | Self::MacroPrAuc)
    }

    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::F1 => ("F1", "f1"),
            Self::Precision => ("precision", "precision"),
            Self::Recall => ("recall", "recall"),
            Self::Accuracy => ("accuracy", "accuracy"),
            Self::RocAuc => ("ROC-AUC", "roc_auc"),
            Self::PrAuc => ("PR-AUC", "pr_auc"),
            Self::MicroF1 => ("micro F1", "micro_f1"),
            Self::MicroPrecision => ("micro precision", "micro_precision"),
            Self::MicroRecall => ("micro recall", "micro_recall"),
            Self::MacroF1 => ("macro F1", "macro_f1"),
            Self::MacroPrecision => ("macro precision", "macro_precision"),
            Self::MacroRecall => ("macro recall", "macro_recall"),
            Self::WeightedF1 => ("weighted F1", "weighted_f1"),
            Self::ExampleF1 => ("example F1", "example_f1"),
            Self::ExamplePrecision => ("example precision", "example_precision"),
            Self::ExampleRecall => ("example recall", "example_recall"),
            Self::SubsetAccuracy => ("subset accuracy", "subset_accuracy"),
            Self::HammingLoss => ("Hamming loss", "hamming_loss"),
            Self::MacroRocAuc => ("macro ROC-AUC", "macro_roc_auc"),
            Self::MacroPrAuc => ("macro PR-AUC", "macro_pr_auc"),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serialized_names_are_the_keys() {
        for metric in TWO_CLASSES.into_iter().chain(EXCLUSIVE).chain(INDEPENDENT) {
            assert_eq!(serde_json::to_value(metric).unwrap(), metric.key());
        }
    }

    #[test]
    fn only_a_loss_is_better_when_lower_and_headlines_are_metrics_of_their_task() {
        for (task, labels) in [(Task::SingleLabel, 2), (Task::SingleLabel, 3), (Task::MultiLabel, 2)] {
            let all = Metric::of(task, labels);
            assert!(Metric::headline(task, labels).iter().all(|metric| all.contains(metric)));
            assert!(all.iter().all(|metric| metric.higher_is_better() != metric.name().contains("loss")));
        }
    }
}
