//! Labels that may hold together: metrics against scikit-learn's numbers, folds against iterative-stratification's, readers, questions.

#[path = "multi_label/dataset.rs"]
mod dataset;
#[path = "multi_label/questions.rs"]
mod questions;
mod tiny;

use lincah::data::multi_label::MultiLabelDataset;
use lincah::data::stratification::{iterative_stratification, multi_label_folds, multi_label_validation_split};
use lincah::metrics::MultiLabelScores;
use lincah::multi_label::{MultiLabelComparison, MultiLabelEvaluation};
use lincah::statistics::{MultiLabelRows, mcnemar};
use lincah::{Prediction, Task};
use proptest::prelude::*;
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/multi_label.json")).unwrap()
}

fn truth(case: &Value) -> Vec<Vec<bool>> {
    let rows: Vec<Vec<u8>> = serde_json::from_value(case["truth"].clone()).unwrap();
    rows.into_iter().map(|row| row.into_iter().map(|label| label == 1).collect()).collect()
}

fn scores(case: &Value) -> Vec<Vec<f64>> {
    serde_json::from_value(case["scores"].clone()).unwrap()
}

fn close(name: &str, found: Option<f64>, expected: &Value) {
    match (found, expected.as_f64()) {
        (Some(found), Some(expected)) => assert!((found - expected).abs() < 1e-12, "{name}: {found}, expected {expected}"),
        (found, expected) => assert_eq!(found, expected, "{name}"),
    }
}

/// Every score of `expected` that is one of the set's.
fn scores_are(found: &MultiLabelScores, expected: &Value) {
    let found = serde_json::to_value(found).unwrap();
    let found = found.as_object().unwrap();
    assert_eq!(found.len(), 11);
    found.iter().for_each(|(name, value)| close(name, value.as_f64(), &expected[name]));
}

fn evaluation(truth: &[Vec<bool>], scores: Vec<Vec<f64>>) -> MultiLabelEvaluation {
    let names: Vec<String> = (0..truth[0].len()).map(|label| format!("label {label}")).collect();
    let prediction = |probabilities| Prediction::new(Task::MultiLabel, probabilities, 0);
    let predictions: Vec<Prediction> = scores.into_iter().map(prediction).collect();
    MultiLabelEvaluation::of(&predictions, truth, &names, 1.0).unwrap()
}

/// Two classifiers' probabilities for the same rows.
fn compared(scores: [&[Vec<f64>]; 2], truth: &[Vec<bool>]) -> MultiLabelComparison {
    let data = MultiLabelDataset {
        texts: vec![String::from("x"); truth.len()],
        label_names: (0..truth[0].len()).map(|label| format!("label {label}")).collect(),
        fractions: truth.iter().map(|row| row.iter().map(|&has| f64::from(u8::from(has))).collect()).collect(),
        labels: truth.to_vec(),
        rows: (1..=truth.len() as u64).collect(),
        cut: 0.5,
    };
    let [first, second] = scores.map(|scores| {
        let prediction = |row: &Vec<f64>| Prediction::new(Task::MultiLabel, row.clone(), 0);
        scores.iter().map(prediction).collect::<Vec<_>>()
    });
    MultiLabelComparison::of((&first, &second), &data, (1.0, 2.0)).unwrap()
}

/// The scores with every third row made right, and the first label's turned around in the others.
fn changed(scores: &[Vec<f64>], truth: &[Vec<bool>]) -> Vec<Vec<f64>> {
    let row = |(row, (scores, truth)): (usize, (&Vec<f64>, &Vec<bool>))| match row % 3 {
        0 => truth.iter().map(|&has| if has { 0.9 } else { 0.1 }).collect(),
        _ => scores.iter().enumerate().map(|(label, p)| if label == 0 { 1.0 - p } else { *p }).collect(),
    };
    scores.iter().zip(truth).enumerate().map(row).collect()
}

#[test]
fn a_comparison_is_made_of_the_two_evaluations_and_of_each_label_alone() {
    let cases = golden()["metrics"].clone();
    let case = cases.as_array().unwrap().iter().max_by_key(|case| truth(case).len()).unwrap();
    let (truth, first) = (truth(case), scores(case));
    let second = changed(&first, &truth);
    let found = compared([&first, &second], &truth);
    let [one, two] = [&first, &second].map(|scores| evaluation(&truth, scores.clone()));
    assert_eq!((&found.first.scores, &found.second.scores), (&one.scores, &two.scores));
    let differences = serde_json::to_value(found.differences).unwrap();
    let [one_values, two_values] = [&one, &two].map(|of| serde_json::to_value(of.scores).unwrap());
    for (name, difference) in differences.as_object().unwrap() {
        let value = difference["value"].as_f64().unwrap();
        assert!((value - (two_values[name].as_f64().unwrap() - one_values[name].as_f64().unwrap())).abs() < 1e-12, "{name}");
        let [low, high]: [f64; 2] = serde_json::from_value(difference["interval"].clone()).unwrap();
        assert!(low <= value && value <= high && low < high, "{name}: {value} [{low}, {high}]");
    }
    let sets =
        |scores: &[Vec<f64>]| -> Vec<Vec<bool>> { scores.iter().map(|row| row.iter().map(|&p| p >= 0.5).collect()).collect() };
    let (first_sets, second_sets) = (sets(&first), sets(&second));
    let right = |sets: &[Vec<bool>], label: Option<usize>| -> Vec<bool> {
        sets.iter().zip(&truth).map(|(a, b)| label.map_or(a == b, |label| a[label] == b[label])).collect()
    };
    assert_eq!(found.mcnemar, mcnemar(&right(&first_sets, None), &right(&second_sets, None)));
    for (label, of) in found.per_label.iter().enumerate() {
        assert_eq!(of.mcnemar, mcnemar(&right(&first_sets, Some(label)), &right(&second_sets, Some(label))));
        assert!(of.adjusted_p_value >= of.mcnemar.p_value);
        assert!((of.f1_difference.value - (two.per_label[label].f1 - one.per_label[label].f1)).abs() < 1e-12);
    }
    let flipped = (0..truth.len()).filter(|&row| first_sets[row] != second_sets[row]).map(|row| row as u64 + 1);
    assert_eq!(found.flips.iter().map(|flip| flip.row).collect::<Vec<_>>(), flipped.collect::<Vec<_>>());
    let same = compared([&first, &first], &truth);
    assert!(same.flips.is_empty() && same.verdict.starts_with("no real difference"), "{}", same.verdict);
    assert!(same.per_label.iter().all(|of| of.adjusted_p_value == 1.0 && of.f1_difference.value == 0.0));
}

#[test]
fn metrics_are_scikit_learns() {
    for case in golden()["metrics"].as_array().unwrap() {
        let found = evaluation(&truth(case), scores(case));
        scores_are(&found.scores, &case["values"]);
        close("macro_roc_auc", found.macro_roc_auc, &case["values"]["macro_roc_auc"]);
        close("macro_pr_auc", found.macro_pr_auc, &case["values"]["macro_pr_auc"]);
        scores_are(&found.majority, &case["majority"]);
        let mut log_loss = 0.0;
        for (label, expected) in found.per_label.iter().zip(case["labels"].as_array().unwrap()) {
            close("f1", Some(label.f1), &expected["f1"]);
            close("precision", Some(label.precision), &expected["precision"]);
            close("recall", Some(label.recall), &expected["recall"]);
            close("roc_auc", label.roc_auc, &expected["roc_auc"]);
            close("pr_auc", label.pr_auc, &expected["pr_auc"]);
            close("log_loss", Some(label.log_loss), &expected["log_loss"]);
            log_loss += label.log_loss / found.per_label.len() as f64;
        }
        assert!((found.log_loss - log_loss).abs() < 1e-12);
    }
}

#[test]
fn a_resample_has_the_metrics_of_its_repeated_rows() {
    let golden = golden();
    let resamples = &golden["resamples"];
    let (truth, scores) = (truth(resamples), scores(resamples));
    let predicted: Vec<Vec<bool>> = scores.iter().map(|row| row.iter().map(|&score| score >= 0.5).collect()).collect();
    let rows = MultiLabelRows::new(&truth, &predicted, &scores).unwrap();
    for case in resamples["cases"].as_array().unwrap() {
        let counts: Vec<u32> = serde_json::from_value(case["counts"].clone()).unwrap();
        let found = rows.resampled(&counts);
        scores_are(&found.scores, case);
        close("macro_roc_auc", found.macro_roc_auc, &case["macro_roc_auc"]);
        close("macro_pr_auc", found.macro_pr_auc, &case["macro_pr_auc"]);
    }
}

#[test]
fn intervals_enclose_their_scores_and_stay_the_same() {
    let golden = golden();
    let case = &golden["metrics"][0];
    let found = evaluation(&truth(case), scores(case));
    assert_eq!(found.intervals, evaluation(&truth(case), scores(case)).intervals);
    let values = serde_json::to_value(found.scores).unwrap();
    let intervals = serde_json::to_value(found.intervals).unwrap();
    for (name, value) in values.as_object().unwrap() {
        let [low, high]: [f64; 2] = serde_json::from_value(intervals[name].clone()).unwrap();
        let value = value.as_f64().unwrap();
        assert!(low <= value && value <= high && high - low > 0.01 && high - low < 0.6, "{name}: {value} in [{low}, {high}]");
    }
    let [low, high] = found.macro_roc_auc_interval.unwrap();
    assert!(low < found.macro_roc_auc.unwrap() && found.macro_roc_auc.unwrap() < high);
}

#[test]
fn rows_of_another_shape_are_refused() {
    let rows =
        |truth: &[Vec<bool>], scores: &[Vec<f64>]| MultiLabelRows::new(truth, &vec![vec![true, false]; truth.len()], scores);
    assert!(rows(&[], &[]).is_err());
    assert!(rows(&[vec![true, false]], &[]).is_err());
    assert!(rows(&[vec![true]], &[vec![0.5]]).is_err());
    assert!(rows(&[vec![true, false]], &[vec![0.5]]).is_err());
    assert!(rows(&[vec![true, false]], &[vec![0.5, f64::NAN]]).is_err());
    assert!(rows(&[vec![true, false]], &[vec![0.5, 0.5]]).is_ok());
}

#[test]
fn folds_are_those_of_iterative_stratification() {
    for case in golden()["folds"].as_array().unwrap() {
        let (truth, seed) = (truth(case), case["seed"].as_u64().unwrap() as u32);
        let expected: Vec<usize> = serde_json::from_value(case["fold_of"].clone()).unwrap();
        assert_eq!(multi_label_folds(&truth, case["folds"].as_u64().unwrap() as usize, seed).unwrap(), expected);
        let shares: Vec<f64> = serde_json::from_value(case["shares"].clone()).unwrap();
        let expected: Vec<usize> = serde_json::from_value(case["parts"].clone()).unwrap();
        assert_eq!(iterative_stratification(&truth, &shares, seed), expected);
    }
    let rows = vec![vec![true, false]; 3];
    assert!(multi_label_folds(&rows, 1, 0).unwrap_err().to_string().starts_with("1 folds"));
    assert!(multi_label_folds(&rows, 4, 0).unwrap_err().to_string().contains("no more than the 3 rows"));
    assert!(multi_label_validation_split(&rows, 1.0, 0).is_err());
    assert!(multi_label_validation_split(&rows[..1], 0.2, 0).is_err());
}

proptest! {
    #[test]
    fn folds_share_out_rows_and_the_rarest_label(
        rows in prop::collection::vec(prop::collection::vec(any::<bool>(), 3), 2..60), folds in 2_usize..6, seed in any::<u32>(),
    ) {
        prop_assume!(folds <= rows.len());
        let fold_of = multi_label_folds(&rows, folds, seed).unwrap();
        prop_assert_eq!(fold_of.len(), rows.len());
        prop_assert!(fold_of.iter().all(|&fold| fold < folds));
        prop_assert_eq!(&fold_of, &multi_label_folds(&rows, folds, seed).unwrap());
        // The rarest label is dealt out first, so that no two folds differ by more than one of its rows.
        let count = |label: usize| rows.iter().filter(|row| row[label]).count();
        if let Some(rarest) = (0..3).filter(|&label| count(label) > 0).min_by_key(|&label| count(label))
            && (0..3).filter(|&label| count(label) == count(rarest)).count() == 1
        {
            let of_fold = |fold: usize| rows.iter().zip(&fold_of).filter(|(row, of)| row[rarest] && **of == fold).count();
            let counts: Vec<usize> = (0..folds).map(of_fold).collect();
            prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{:?}", counts);
        }
        let split = multi_label_validation_split(&rows, 0.5, seed);
        if let Ok(split) = split {
            let mut all: Vec<usize> = split.train.iter().chain(&split.test).copied().collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..rows.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn metrics_are_shares(
        rows in prop::collection::vec(prop::collection::vec((any::<bool>(), 0.0..=1.0), 4), 1..20), labels in 2_usize..5,
    ) {
        let truth: Vec<Vec<bool>> = rows.iter().map(|row| row[..labels].iter().map(|cell| cell.0).collect()).collect();
        let scores: Vec<Vec<f64>> = rows.iter().map(|row| row[..labels].iter().map(|cell| cell.1).collect()).collect();
        let found = evaluation(&truth, scores);
        let values = serde_json::to_value(found.scores).unwrap();
        for (name, value) in values.as_object().unwrap() {
            prop_assert!((0.0..=1.0).contains(&value.as_f64().unwrap()), "{} is {}", name, value);
        }
        prop_assert!(found.scores.subset_accuracy <= 1.0 - found.scores.hamming_loss + 1e-12);
    }
}
