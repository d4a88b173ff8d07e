//! A classifier against rows with known labels.

use crate::error::Error;
use crate::metrics;
use crate::prediction::{Decision, Prediction};
use crate::statistics::{Intervals, SingleLabelRows};
use serde::{Deserialize, Serialize};

/// Metrics of one label among more than two, against all others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelScores {
    /// The label.
    pub label: String,
    /// Rows that have it.
    pub rows: u64,
    /// `2 tp / (2 tp + fp + fn)`.
    pub f1: f64,
    /// `tp / (tp + fp)`.
    pub precision: f64,
    /// `tp / (tp + fn)`.
    pub recall: f64,
    /// Area under the ROC curve of its probability; absent where it has no rows or all.
    pub roc_auc: Option<f64>,
    /// Average precision of its probability; absent as above.
    pub pr_auc: Option<f64>,
}

/// Metrics with scikit-learn's definitions. With two labels they are those of the positive class (the last); with more, precision,
/// recall and F1 are macro averages and the areas are absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Rows.
    pub n: usize,
    /// `2 tp / (2 tp + fp + fn)`.
    pub f1: f64,
    /// `tp / (tp + fp)`.
    pub precision: f64,
    /// `tp / (tp + fn)`.
    pub recall: f64,
    /// Share of right labels.
    pub accuracy: f64,
    /// Area under the ROC curve; absent where one class has no rows or there are more than two labels.
    pub roc_auc: Option<f64>,
    /// Average precision.
    pub pr_auc: Option<f64>,
    /// Mean of `-log p(true label)`.
    pub log_loss: f64,
    /// Macro average of the labels' F1.
    pub macro_f1: f64,
    /// F1 of the counts summed over the labels, which is the accuracy; absent with two labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub micro_f1: Option<f64>,
    /// Average of the labels' F1, each weighted by its rows; absent with two labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weighted_f1: Option<f64>,
    /// Each label against all others, in the labels' order; none with two labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub per_label: Vec<LabelScores>,
    /// Rows true, columns predicted, in the labels' order.
    pub confusion_matrix: Vec<Vec<u64>>,
    /// The labels' order.
    pub labels: Vec<String>,
    /// A row is positive from this probability on (ties go to the first label).
    pub threshold: f64,
    /// F1 of always answering the more frequent label, or the positive one where there are two: what any classifier must beat.
    pub baseline_f1: f64,
    /// 95 % bootstrap intervals, over the test rows only; absent from what an earlier lincah wrote.
    #[serde(default)]
    pub intervals: Option<Intervals>,
    /// Texts whose end did not fit into the prompt.
    pub cut_texts: usize,
    /// Speed of the scoring.
    pub texts_per_second: f64,
}

impl Evaluation {
    /// Compares predictions with the true labels (indices into `labels`).
    ///
    /// # Errors
    /// No rows.
    pub fn of(predictions: &[Prediction], truth: &[usize], labels: &[String], seconds: f64) -> Result<Self, Error> {
        let decided = |prediction: &Prediction| match prediction.decision {
            Decision::Label(label) => label,
            _ => prediction.most_probable(),
        };
        let predicted: Vec<usize> = predictions.iter().map(decided).collect();
        let matrix = metrics::confusion_matrix(truth, &predicted, labels.len())?;
        let probabilities: Vec<&[f64]> = predictions.iter().map(|prediction| prediction.probabilities.as_slice()).collect();
        let positive = labels.len() - 1;
        let macro_average = matrix.macro_average();
        let two = labels.len() == 2;
        let is_positive: Vec<bool> = truth.iter().map(|&label| label == positive).collect();
        let scores: Vec<f64> = probabilities.iter().map(|probabilities| probabilities[positive]).collect();
        let both_classes = two && is_positive.contains(&true) && is_positive.contains(&false);
        let area = |area: fn(&[bool], &[f64]) -> Result<f64, metrics::MetricError>| {
            both_classes.then(|| area(&is_positive, &scores)).transpose()
        };
        Ok(Self {
            n: truth.len(),
            f1: if two { matrix.f1(positive) } else { macro_average.f1 },
            precision: if two { matrix.precision(positive) } else { macro_average.precision },
            recall: if two { matrix.recall(positive) } else { macro_average.recall },
            accuracy: matrix.accuracy(),
            roc_auc: area(metrics::roc_auc)?,
            pr_auc: area(metrics::average_precision)?,
            log_loss: metrics::log_loss(truth, &probabilities)?,
            macro_f1: macro_average.f1,
            micro_f1: (!two).then(|| matrix.micro_average().f1),
            weighted_f1: (!two).then(|| matrix.weighted_average().f1),
            per_label: if two { Vec::new() } else { per_label(&matrix, truth, &probabilities, labels)? },
            confusion_matrix: matrix.counts().to_vec(),
            labels: labels.to_vec(),
            threshold: 0.5,
            baseline_f1: if two {
                matrix.always(positive).f1(positive)
            } else {
                matrix.always(metrics::majority_class(truth)?).macro_average().f1
            },
            intervals: Some(SingleLabelRows::new(truth, &predicted, &scores, labels.len())?.intervals()),
            cut_texts: predictions.iter().filter(|prediction| prediction.truncated_characters > 0).count(),
            texts_per_second: truth.len() as f64 / seconds.max(1e-9),
        })
    }
}

impl TryFrom<&Evaluation> for crate::evaluation::Evaluation {
    type Error = serde_json::Error;

    /// By way of the stored form, which is the same.
    fn try_from(evaluation: &Evaluation) -> Result<Self, serde_json::Error> {
        serde_json::from_value(serde_json::to_value(evaluation)?)
    }
}

fn per_label(
    matrix: &metrics::ConfusionMatrix,
    truth: &[usize],
    probabilities: &[&[f64]],
    labels: &[String],
) -> Result<Vec<LabelScores>, Error> {
    let scores = |(class, label): (usize, &String)| {
        let is: Vec<bool> = truth.iter().map(|&label| label == class).collect();
        let scores: Vec<f64> = probabilities.iter().map(|probabilities| probabilities[class]).collect();
        let defined = |area: Result<f64, metrics::MetricError>| match area {
            Err(metrics::MetricError::OneClass | metrics::MetricError::NoPositive) => Ok(None),
            area => area.map(Some),
        };
        Ok(LabelScores {
            label: label.clone(),
            rows: matrix.support(class),
            f1: matrix.f1(class),
            precision: matrix.precision(class),
            recall: matrix.recall(class),
            roc_auc: defined(metrics::roc_auc(&is, &scores))?,
            pr_auc: defined(metrics::average_precision(&is, &scores))?,
        })
    };
    labels.iter().enumerate().map(scores).collect()
}
