//! A multi-label classifier against rows with known labels.

use crate::error::Error;
use crate::evaluate::Evaluation;
use crate::metrics::{MultiLabelCounts, MultiLabelScores};
use crate::prediction::DEFAULT_THRESHOLD as THRESHOLD;
use crate::prediction::{Decision, Prediction};
use crate::prompt::MultiLabelPrompt;
use crate::statistics::MultiLabelRows;
use serde::{Deserialize, Serialize};

/// Metrics of sets of labels, and of each label by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MultiLabelEvaluation {
    /// Rows.
    pub n: usize,
    /// The labels' order.
    pub labels: Vec<String>,
    /// F1, precision and recall in three averages, subset accuracy, Hamming loss.
    #[serde(flatten)]
    pub scores: MultiLabelScores,
    /// Mean of the labels' areas under the ROC curve; absent where a label has no rows or all.
    pub macro_roc_auc: Option<f64>,
    /// Mean of the labels' average precisions; absent as above.
    pub macro_pr_auc: Option<f64>,
    /// 95 % bootstrap intervals of the scores, over the test rows only.
    pub intervals: MultiLabelScores<[f64; 2]>,
    /// The interval of the mean area under the ROC curve.
    pub macro_roc_auc_interval: Option<[f64; 2]>,
    /// The interval of the mean average precision.
    pub macro_pr_auc_interval: Option<[f64; 2]>,
    /// The scores of always giving each label its more frequent answer among these rows (no, where they are equal).
    pub majority: MultiLabelScores,
    /// Each label by itself, in order: its question's two answers as classes, yes the positive one. Its `baseline_f1` is that of always
    /// answering yes.
    pub per_label: Vec<Evaluation>,
    /// Mean of `-log p(true answer)` over all rows and labels.
    pub log_loss: f64,
    /// From this probability on a row has a label.
    pub threshold: f64,
    /// Texts whose end did not fit into the questions.
    pub cut_texts: usize,
    /// Speed of the scoring.
    pub texts_per_second: f64,
}

impl MultiLabelEvaluation {
    /// Compares predictions with the true labels, `[rows][labels]`.
    ///
    /// # Errors
    /// No rows, or predictions that are not of these rows.
    pub fn of(predictions: &[Prediction], truth: &[Vec<bool>], labels: &[String], seconds: f64) -> Result<Self, Error> {
        let rows = scored_rows(predictions, truth)?;
        let once = vec![1; truth.len()];
        let (values, intervals) = (rows.resampled(&once), rows.intervals());
        let per_label = (0..labels.len()).map(|label| of_label(predictions, truth, (label, seconds)));
        let per_label = per_label.collect::<Result<Vec<Evaluation>, Error>>()?;
        let frequent = |label: usize| 2 * truth.iter().filter(|labels| labels[label]).count() > truth.len();
        let majority: Vec<bool> = (0..labels.len()).map(frequent).collect();
        Ok(Self {
            n: truth.len(),
            labels: labels.to_vec(),
            scores: values.scores,
            macro_roc_auc: values.macro_roc_auc,
            macro_pr_auc: values.macro_pr_auc,
            intervals: intervals.scores,
            macro_roc_auc_interval: intervals.macro_roc_auc,
            macro_pr_auc_interval: intervals.macro_pr_auc,
            majority: MultiLabelCounts::of(truth, &vec![majority; truth.len()], &once).scores(),
            log_loss: per_label.iter().map(|label| label.log_loss).sum::<f64>() / labels.len() as f64,
            per_label,
            threshold: THRESHOLD,
            cut_texts: predictions.iter().filter(|prediction| prediction.truncated_characters > 0).count(),
            texts_per_second: truth.len() as f64 / seconds.max(1e-9),
        })
    }
}

/// Predictions with the true labels, `[rows][labels]`.
pub(super) fn scored_rows(predictions: &[Prediction], truth: &[Vec<bool>]) -> Result<MultiLabelRows, Error> {
    let predicted: Vec<Vec<bool>> = predictions.iter().map(Prediction::given).collect();
    let scores: Vec<Vec<f64>> = predictions.iter().map(|prediction| prediction.probabilities.clone()).collect();
    Ok(MultiLabelRows::new(truth, &predicted, &scores)?)
}

fn of_label(predictions: &[Prediction], truth: &[Vec<bool>], (label, seconds): (usize, f64)) -> Result<Evaluation, Error> {
    let answer = |prediction: &Prediction| {
        let yes = prediction.probabilities[label];
        Prediction {
            decision: Decision::Label(usize::from(yes >= THRESHOLD)),
            probabilities: vec![1.0 - yes, yes],
            truncated_characters: prediction.truncated_characters,
        }
    };
    let answers: Vec<Prediction> = predictions.iter().map(answer).collect();
    let truth: Vec<usize> = truth.iter().map(|labels| usize::from(labels[label])).collect();
    Evaluation::of(&answers, &truth, MultiLabelPrompt::answers().names(), seconds)
}
