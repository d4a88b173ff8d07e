//! Two classifiers on the same rows: is the difference real, and which decisions flip? Of multi-label classifiers it is in
//! `multi_label/comparison.rs`.

use crate::data::dataset::LabelledDataset;
use crate::error::Error;
use crate::evaluate::Evaluation;
use crate::prediction::Prediction;
use crate::statistics::{Difference, McNemar, SingleLabelRows, mcnemar, paired_single_label_differences};
use serde::{Deserialize, Serialize};

/// A row that the two classifiers decide differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flip {
    /// The row in the file, from 1.
    pub row: u64,
    /// Its true label.
    pub truth: String,
    /// What the first classifier says.
    pub first: String,
    /// What the second classifier says.
    pub second: String,
}

/// What two classifiers make of the same rows. Differences are the second's metric minus the first's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Rows.
    pub n: usize,
    /// The first classifier's metrics.
    pub first: Evaluation,
    /// The second classifier's metrics.
    pub second: Evaluation,
    /// Test of the decisions.
    pub mcnemar: McNemar,
    /// Difference of F1, the macro average with more than two labels.
    pub f1_difference: Difference,
    /// Difference of the area under the ROC curve, where it is defined.
    pub roc_auc_difference: Option<Difference>,
    /// Rows on which the decisions differ, in the order of the data.
    pub flips: Vec<Flip>,
    /// One line in plain words.
    pub verdict: String,
}

impl Comparison {
    /// Compares the predictions of two classifiers of the same labels for the rows of `data`. `seconds` is what each scoring took.
    ///
    /// # Errors
    /// No rows, or predictions that are not of these rows.
    pub fn of(
        (first, second): (&[Prediction], &[Prediction]),
        data: &LabelledDataset,
        seconds: (f64, f64),
    ) -> Result<Self, Error> {
        let names = &data.label_names;
        let evaluation = |predictions, seconds| Evaluation::of(predictions, &data.labels, names, seconds);
        let (first_evaluation, second_evaluation) = (evaluation(first, seconds.0)?, evaluation(second, seconds.1)?);
        let right = |predictions: &[Prediction]| -> Vec<bool> {
            predictions.iter().zip(&data.labels).map(|(prediction, &label)| prediction.most_probable() == label).collect()
        };
        let mcnemar = mcnemar(&right(first), &right(second));
        let (f1_difference, roc_auc_difference) = paired_single_label_differences(&scored(first, data)?, &scored(second, data)?);
        let tests = [
            ("decisions", side_of_decisions(&mcnemar)),
            ("F1", side_of_metric(&f1_difference)),
            ("ROC-AUC", roc_auc_difference.as_ref().and_then(side_of_metric)),
        ];
        let rows = first.iter().zip(second).zip(data.rows.iter().zip(&data.labels));
        let flips = rows.filter(|((first, second), _)| first.most_probable() != second.most_probable()).map(
            |((first, second), (&row, &truth))| Flip {
                row,
                truth: names[truth].clone(),
                first: names[first.most_probable()].clone(),
                second: names[second.most_probable()].clone(),
            },
        );
        Ok(Self {
            n: data.len(),
            flips: flips.collect(),
            verdict: verdict(&tests),
            first: first_evaluation,
            second: second_evaluation,
            mcnemar,
            f1_difference,
            roc_auc_difference,
        })
    }
}

fn scored(predictions: &[Prediction], data: &LabelledDataset) -> Result<SingleLabelRows, Error> {
    let predicted: Vec<usize> = predictions.iter().map(|prediction| prediction.most_probable()).collect();
    let positive = data.label_names.len() - 1;
    let scores: Vec<f64> = predictions.iter().map(|prediction| prediction.probabilities[positive]).collect();
    Ok(SingleLabelRows::new(&data.labels, &predicted, &scores, data.label_names.len())?)
}

/// Which side a test of the decisions speaks for, at 5 %: the second's (true), the first's, or neither.
pub(crate) fn side_of_decisions(test: &McNemar) -> Option<bool> {
    (test.p_value < 0.05).then_some(test.only_second_right > test.only_first_right)
}

/// The same of a metric that is the better the higher it is.
pub(crate) fn side_of_metric(difference: &Difference) -> Option<bool> {
    difference.is_clear().then_some(difference.value > 0.0)
}

/// Says what several tests say together, each named with the side that it speaks for; each has its own 5 %.
pub(crate) fn verdict(tests: &[(&str, Option<bool>)]) -> String {
    let of = |side: bool| -> Vec<&str> { tests.iter().filter(|test| test.1 == Some(side)).map(|test| test.0).collect() };
    match (of(true).as_slice(), of(false).as_slice()) {
        ([], []) => String::from("no real difference: on these rows, chance explains what differs"),
        (better, []) => format!("the second is better, by {}; chance hardly explains that", better.join(", ")),
        ([], better) => format!("the first is better, by {}; chance hardly explains that", better.join(", ")),
        (second, first) => {
            format!("mixed: the second is better by {}, the first by {}", second.join(", "), first.join(", "))
        }
    }
}
