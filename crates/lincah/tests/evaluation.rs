//! Evaluations and comparisons of both tasks: what they store stays what it was.

#[path = "evaluation/cases.rs"]
mod cases;

use cases::{Case, SECONDS, assert_keeps, cases};
use lincah::comparison::Comparison;
use lincah::data::dataset::LabelledDataset;
use lincah::data::multi_label::MultiLabelDataset;
use lincah::multi_label::{MultiLabelComparison, MultiLabelEvaluation};
use lincah::{Evaluation, Task};
use serde_json::Value;

/// The evaluation as JSON.
fn evaluation(case: &Case) -> Value {
    match case.task {
        Task::SingleLabel => {
            serde_json::to_value(Evaluation::of(&case.predictions, &classes(case), &case.labels, SECONDS).unwrap()).unwrap()
        }
        Task::MultiLabel => {
            serde_json::to_value(MultiLabelEvaluation::of(&case.predictions, &case.truth, &case.labels, SECONDS).unwrap())
                .unwrap()
        }
    }
}

/// The comparison with the other predictions as JSON.
fn comparison(case: &Case) -> Value {
    let rows: Vec<u64> = (1..=case.truth.len() as u64).collect();
    let texts = vec![String::from("x"); rows.len()];
    let (pair, seconds) = ((case.predictions.as_slice(), case.others.as_slice()), (SECONDS, SECONDS));
    match case.task {
        Task::SingleLabel => {
            let (labels, label_names) = (classes(case), case.labels.clone());
            let data = LabelledDataset { texts, labels, rows, label_names, fractions: None, cut: None };
            serde_json::to_value(Comparison::of(pair, &data, seconds).unwrap()).unwrap()
        }
        Task::MultiLabel => {
            let fractions = case.truth.iter().map(|row| row.iter().map(|&has| f64::from(u8::from(has))).collect()).collect();
            let (labels, label_names) = (case.truth.clone(), case.labels.clone());
            let data = MultiLabelDataset { texts, labels, rows, label_names, fractions, cut: 0.5 };
            serde_json::to_value(MultiLabelComparison::of(pair, &data, seconds).unwrap()).unwrap()
        }
    }
}

fn classes(case: &Case) -> Vec<usize> {
    case.truth.iter().map(|row| row.iter().position(|&is| is).unwrap()).collect()
}

#[test]
fn evaluations_are_stored_as_they_were() {
    for case in cases() {
        assert_keeps(&evaluation(&case), case.name, &[]);
    }
}

#[test]
fn comparisons_are_stored_as_they_were() {
    for case in cases() {
        assert_keeps(&comparison(&case), &format!("{}_compared", case.name), &[]);
    }
}
