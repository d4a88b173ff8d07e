//! Metrics of a classifier, with scikit-learn's definitions: exact, in f64, each with its formula.
//!
//! A class is an index from 0; a binary metric takes `true` for the positive class. Where scikit-learn warns and returns NaN,
//! such as ROC-AUC with one class, there is an error here; where it divides by zero, the result is 0 (its `zero_division=0`).
//!
//! Source of the definitions: Pedregosa et al., *Scikit-learn: Machine Learning in Python*, JMLR 12 (2011), and its user guide,
//! section "Metrics and scoring".

mod calibration;
mod confusion;
mod metric;
mod multi_label;
mod probability;
mod ranking;
mod threshold;

pub use calibration::{CalibrationBin, calibration_bins, expected_calibration_error};
pub use confusion::{Averaged, ConfusionMatrix, confusion_matrix};
pub use metric::Metric;
pub use multi_label::{MultiLabelCounts, MultiLabelScores};
pub(crate) use probability::check as check_probability;
pub use probability::{brier, brier_multi_class, log_loss};
pub use ranking::{PrecisionRecallCurve, RocCurve, average_precision, precision_recall_curve, roc_auc, roc_curve};
pub use threshold::{ThresholdMetrics, at_threshold, threshold_for_precision};

/// Why a metric has no value.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricError {
    /// There are no rows.
    #[error("no rows: a metric needs at least one")]
    Empty,
    /// Truth and prediction are not of the same rows.
    #[error("{truth} true classes and {predicted} predictions: they must be of the same rows")]
    Lengths {
        /// The number of true classes.
        truth: usize,
        /// The number of predictions or scores.
        predicted: usize,
    },
    /// A class that does not exist.
    #[error("row {row}: class {class} is not one of the {classes} classes")]
    Class {
        /// The row's index, from 0.
        row: usize,
        /// The class.
        class: usize,
        /// How many there are.
        classes: usize,
    },
    /// A score that is not finite.
    #[error("row {row}: the score {score} is not a finite number")]
    Score {
        /// The row's index, from 0.
        row: usize,
        /// The score.
        score: f64,
    },
    /// A probability outside [0, 1].
    #[error("row {row}: {probability} is not a probability")]
    Probability {
        /// The row's index, from 0.
        row: usize,
        /// The value.
        probability: f64,
    },
    /// A row with none or several of the exclusive labels.
    #[error("row {row}: {found} of the exclusive labels are true; exactly one must be")]
    TrueLabels {
        /// The row's index, from 0.
        row: usize,
        /// How many are.
        found: usize,
    },
    /// The metric compares two classes and the truth has one.
    #[error("every row has the same true class: this metric needs both classes")]
    OneClass,
    /// The metric is about the positive class and the truth has none of it.
    #[error("no row is of the positive class: this metric needs at least one")]
    NoPositive,
}

pub(crate) fn check_lengths(truth: usize, predicted: usize) -> Result<(), MetricError> {
    match (truth, predicted) {
        (truth, predicted) if truth != predicted => Err(MetricError::Lengths { truth, predicted }),
        (0, _) => Err(MetricError::Empty),
        _ => Ok(()),
    }
}
