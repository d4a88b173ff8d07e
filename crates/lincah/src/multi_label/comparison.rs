//! Two multi-label classifiers on the same rows.

use super::MultiLabelEvaluation;
use super::evaluation::scored_rows;
use crate::comparison::{side_of_decisions, side_of_metric, verdict};
use crate::data::multi_label::MultiLabelDataset;
use crate::error::Error;
use crate::metrics::MultiLabelScores;
use crate::prediction::Prediction;
use crate::statistics::{Difference, McNemar, holm, mcnemar, paired_label_differences, paired_multi_label_differences};
use serde::{Deserialize, Serialize};

/// A row to which the two classifiers give other sets of labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MultiLabelFlip {
    /// The row in the file, from 1.
    pub row: u64,
    /// Its true labels.
    pub truth: Vec<String>,
    /// The first classifier's.
    pub first: Vec<String>,
    /// The second classifier's.
    pub second: Vec<String>,
}

/// One label's answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelComparison {
    /// The label.
    pub label: String,
    /// Test of the answers.
    pub mcnemar: McNemar,
    /// Its p-value, adjusted for the number of labels by [`holm`].
    pub adjusted_p_value: f64,
    /// Difference of F1.
    pub f1_difference: Difference,
    /// Difference of the area under the ROC curve, where it is defined.
    pub roc_auc_difference: Option<Difference>,
}

/// What two multi-label classifiers make of the same rows. Differences are the second's metric minus the first's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MultiLabelComparison {
    /// Rows.
    pub n: usize,
    /// The first classifier's metrics.
    pub first: MultiLabelEvaluation,
    /// The second classifier's metrics.
    pub second: MultiLabelEvaluation,
    /// Test of the rows, one being right where all its labels are.
    pub mcnemar: McNemar,
    /// Differences of the scores.
    pub differences: MultiLabelScores<Difference>,
    /// Difference of the mean area under the ROC curve, where it is defined.
    pub macro_roc_auc_difference: Option<Difference>,
    /// Each label by itself, in order.
    pub per_label: Vec<LabelComparison>,
    /// Rows whose labels differ, in the order of the data.
    pub flips: Vec<MultiLabelFlip>,
    /// One line in plain words.
    pub verdict: String,
}

impl MultiLabelComparison {
    /// Compares the predictions of two classifiers of the same labels for the rows of `data`. `seconds` is what each scoring took.
    ///
    /// # Errors
    /// No rows, or predictions that are not of these rows.
    pub fn of(
        (first, second): (&[Prediction], &[Prediction]),
        data: &MultiLabelDataset,
        seconds: (f64, f64),
    ) -> Result<Self, Error> {
        let names = &data.label_names;
        let evaluation = |predictions, seconds| MultiLabelEvaluation::of(predictions, &data.labels, names, seconds);
        let (first_evaluation, second_evaluation) = (evaluation(first, seconds.0)?, evaluation(second, seconds.1)?);
        let (first_rows, second_rows) = (scored_rows(first, &data.labels)?, scored_rows(second, &data.labels)?);
        let [first, second] = [first, second].map(|all| all.iter().map(Prediction::given).collect::<Vec<_>>());
        let right = |predicted: &[Vec<bool>]| -> Vec<bool> { predicted.iter().zip(&data.labels).map(|(a, b)| a == b).collect() };
        let mcnemar_of_rows = mcnemar(&right(&first), &right(&second));
        let differences = paired_multi_label_differences(&first_rows, &second_rows);
        let tests = [
            ("rows that are all right", side_of_decisions(&mcnemar_of_rows)),
            ("micro F1", side_of_metric(&differences.scores.micro_f1)),
            ("macro F1", side_of_metric(&differences.scores.macro_f1)),
            ("macro ROC-AUC", differences.macro_roc_auc.as_ref().and_then(side_of_metric)),
        ];
        let of_label = |predicted: &[Vec<bool>], label: usize| -> Vec<bool> {
            predicted.iter().zip(&data.labels).map(|(predicted, truth)| predicted[label] == truth[label]).collect()
        };
        let answers: Vec<McNemar> =
            (0..names.len()).map(|label| mcnemar(&of_label(&first, label), &of_label(&second, label))).collect();
        let adjusted = holm(&answers.iter().map(|test| test.p_value).collect::<Vec<_>>());
        let per_label = paired_label_differences(&first_rows, &second_rows).into_iter().enumerate();
        let per_label = per_label.map(|(label, (f1_difference, roc_auc_difference))| LabelComparison {
            label: names[label].clone(),
            mcnemar: answers[label],
            adjusted_p_value: adjusted[label],
            f1_difference,
            roc_auc_difference,
        });
        let named = |labels: &[bool]| names.iter().zip(labels).filter(|(_, has)| **has).map(|(name, _)| name.clone()).collect();
        let rows = first.iter().zip(&second).zip(data.rows.iter().zip(&data.labels));
        let flips = rows.filter(|((first, second), _)| first != second).map(|((first, second), (&row, truth))| MultiLabelFlip {
            row,
            truth: named(truth),
            first: named(first),
            second: named(second),
        });
        Ok(Self {
            n: data.len(),
            mcnemar: mcnemar_of_rows,
            differences: differences.scores,
            macro_roc_auc_difference: differences.macro_roc_auc,
            per_label: per_label.collect(),
            flips: flips.collect(),
            verdict: verdict(&tests),
            first: first_evaluation,
            second: second_evaluation,
        })
    }
}
