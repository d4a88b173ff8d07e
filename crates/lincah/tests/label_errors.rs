//! Rows whose label may be wrong, against cleanlab.

use lincah::Task;
use lincah::label_errors::{Filter, label_errors};
use serde_json::Value;
use std::collections::BTreeSet;

const FILTERS: [(&str, Filter); 2] =
    [("prune_by_noise_rate", Filter::PruneByNoiseRate), ("confident_learning", Filter::ConfidentLearning)];

fn golden(key: &str) -> Vec<Value> {
    let golden: Value = serde_json::from_str(include_str!("golden/label_errors.json")).unwrap();
    golden[key].as_array().unwrap().clone()
}

fn numbers<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn suspects_of_exclusive_labels_are_cleanlabs_in_its_order() {
    for case in golden("exclusive") {
        let probabilities: Vec<Vec<f64>> = numbers(&case["probabilities"]);
        let labels: Vec<usize> = numbers(&case["labels"]);
        let truth: Vec<Vec<bool>> =
            labels.iter().map(|&label| (0..probabilities[0].len()).map(|class| class == label).collect()).collect();
        for (name, filter) in FILTERS {
            let found = label_errors(Task::SingleLabel, &truth, &probabilities, filter).unwrap();
            let expected: Vec<usize> = numbers(&case["found"][name]["ranked"]);
            assert!(!expected.is_empty());
            assert_eq!(found.iter().map(|error| error.index).collect::<Vec<_>>(), expected, "{name}");
            let scores: Vec<f64> = numbers(&case["found"][name]["scores"]);
            assert!(found.iter().zip(scores).all(|(error, score)| (error.score - score).abs() < 1e-12), "{name}");
        }
    }
}

#[test]
fn suspects_of_independent_labels_are_cleanlabs_for_each_label() {
    for case in golden("independent") {
        let probabilities: Vec<Vec<f64>> = numbers(&case["probabilities"]);
        let truth: Vec<Vec<u8>> = numbers(&case["truth"]);
        let truth: Vec<Vec<bool>> = truth.iter().map(|row| row.iter().map(|&has| has == 1).collect()).collect();
        for (name, filter) in FILTERS {
            let found = label_errors(Task::MultiLabel, &truth, &probabilities, filter).unwrap();
            let found: BTreeSet<(usize, usize)> = (found.iter())
                .flat_map(|error| {
                    let labels = 0..error.suggested.len();
                    labels.filter(|&label| error.suggested[label] != truth[error.index][label]).map(|label| (error.index, label))
                })
                .collect();
            let mask: Vec<Vec<u8>> = numbers(&case["found"][name]);
            let expected: BTreeSet<(usize, usize)> = (mask.iter().enumerate())
                .flat_map(|(row, labels)| {
                    labels.iter().enumerate().filter(|(_, is)| **is == 1).map(move |(label, _)| (row, label))
                })
                .collect();
            assert!(!expected.is_empty());
            assert_eq!(found, expected, "{name}");
        }
    }
}
