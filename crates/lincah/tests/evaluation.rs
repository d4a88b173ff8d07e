//! Evaluations and comparisons of both tasks: what they store stays what it was.

#[path = "evaluation/cases.rs"]
mod cases;

use cases::{Case, SECONDS, assert_keeps, cases, stored};
use lincah::comparison::{Comparison, Scored};
use lincah::evaluation::{Evaluation, Score, Truth};
use lincah::metrics::{Metric, MetricError};
use lincah::statistics::{RESAMPLES, ScoredRows, mcnemar};
use lincah::{Decision, DecisionRule, Error, LabelSet, Prediction, Task};
use proptest::prelude::*;
use serde_json::{Value, json};

fn evaluated(case: &Case) -> Evaluation {
    let labels = LabelSet::new(case.labels.clone()).unwrap();
    let truth = Truth { task: case.task, labels: &labels, truth: &case.truth };
    Evaluation::of(&case.predictions, truth, &DecisionRule::default(), SECONDS).unwrap()
}

fn compared(case: &Case) -> Comparison {
    let labels = LabelSet::new(case.labels.clone()).unwrap();
    let truth = Truth { task: case.task, labels: &labels, truth: &case.truth };
    let rule = DecisionRule::default();
    let scored = |predictions| Scored { predictions, rule: &rule, seconds: SECONDS };
    let rows: Vec<u64> = (1..=case.truth.len() as u64).collect();
    Comparison::of(scored(&case.predictions), scored(&case.others), truth, &rows).unwrap()
}

/// What was changed on purpose: a class that a resample left out no longer counts as F1 0, and where it was is in no average. With three or
/// more exclusive labels the macro averages had other names, too, and resamples without an area were not counted.
fn changed(name: &str) -> &'static [&'static str] {
    match name {
        "rare_class" | "absent_class" => &[
            "/intervals/macro_f1",
            "/intervals/f1",
            "/intervals/precision",
            "/intervals/recall",
            "/one_class_resamples",
            "/f1_difference/interval",
        ],
        "one_class" => &["/intervals/macro_f1"],
        "absent_label" => &[
            "/intervals/macro_f1",
            "/intervals/macro_precision",
            "/intervals/macro_recall",
            "/macro_f1/interval",
            "/macro_precision/interval",
            "/macro_recall/interval",
        ],
        // Every resample has every class.
        _ => &[],
    }
}

#[test]
fn evaluations_are_stored_as_they_were() {
    for case in cases() {
        assert_keeps(&serde_json::to_value(evaluated(&case)).unwrap(), case.name, changed(case.name));
    }
}

#[test]
fn comparisons_are_stored_as_they_were() {
    for case in cases() {
        assert_keeps(&serde_json::to_value(compared(&case)).unwrap(), &format!("{}_compared", case.name), changed(case.name));
    }
}

#[test]
fn what_was_stored_is_read_with_the_metrics_that_it_has() {
    for case in cases() {
        let found: Evaluation = serde_json::from_value(stored(case.name)).unwrap();
        let now = evaluated(&case);
        assert_eq!((found.task, &found.labels, found.n, &found.rule), (now.task, &now.labels, now.n, &now.rule), "{}", case.name);
        assert_eq!((found.truncated_texts, found.label_rows()), (now.truncated_texts, now.label_rows()));
        assert_eq!(found.confusion_matrix, now.confusion_matrix);
        let close = |left: Option<f64>, right: Option<f64>| match (left, right) {
            (Some(left), Some(right)) => (left - right).abs() < 1e-12,
            (left, right) => left == right,
        };
        let several = case.task == Task::SingleLabel && case.labels.len() > 2;
        for (found, now) in found.scores.iter().zip(&now.scores) {
            assert_eq!(found.metric, now.metric);
            if !(several && found.metric.is_area()) {
                assert!(close(found.value, now.value), "{} {}: {found:?} {now:?}", case.name, now.metric);
                assert!(close(found.constant_answer, now.constant_answer), "{} {}: {found:?} {now:?}", case.name, now.metric);
            }
        }
        for (found, now) in found.per_label.iter().zip(&now.per_label) {
            assert_eq!((&found.label, found.rows, found.confusion_matrix), (&now.label, now.rows, now.confusion_matrix));
            for (found, now) in
                found.scores.iter().zip(&now.scores).filter(|(_, now)| ![Metric::Accuracy, Metric::MacroF1].contains(&now.metric))
            {
                assert!(close(found.value, now.value), "{} {}: {found:?} {now:?}", case.name, now.metric);
                assert!(close(found.constant_answer, now.constant_answer), "{} {}: {found:?} {now:?}", case.name, now.metric);
            }
        }
    }
}

#[test]
fn what_is_stored_now_comes_back_the_same() {
    for case in cases() {
        let evaluation = evaluated(&case);
        let back: Evaluation = serde_json::from_value(serde_json::to_value(&evaluation).unwrap()).unwrap();
        assert_eq!(back, evaluation, "{}", case.name);
    }
    let case = &cases()[1];
    let rule = DecisionRule { thresholds: vec![0.45, 0.5, 0.5], ..DecisionRule::default() };
    let decide = |prediction: &Prediction| Prediction {
        decision: rule.decide(case.task, &prediction.probabilities),
        ..prediction.clone()
    };
    let predictions: Vec<Prediction> = case.predictions.iter().map(decide).collect();
    let labels = LabelSet::new(case.labels.clone()).unwrap();
    let truth = Truth { task: case.task, labels: &labels, truth: &case.truth };
    let evaluation = Evaluation::of(&predictions, truth, &rule, SECONDS).unwrap();
    assert!(evaluation.abstained > 0);
    let json = serde_json::to_value(&evaluation).unwrap();
    assert_eq!((&json["threshold"], &json["thresholds"]), (&Value::Null, &json!([0.45, 0.5, 0.5])));
    assert_eq!(serde_json::from_value::<Evaluation>(json).unwrap(), evaluation);
}

#[test]
fn without_intervals_the_values_are_read_all_the_same() {
    let mut json = stored("two_exclusive");
    json.as_object_mut().unwrap().remove("intervals");
    let found: Evaluation = serde_json::from_value(json).unwrap();
    assert!(found.scores.iter().all(|score| score.value.is_some() && score.interval.is_none()));
    assert_eq!(serde_json::to_value(&found).unwrap()["intervals"], Value::Null);
}

#[test]
fn damaged_evaluations_are_an_error() {
    let refused = |change: &dyn Fn(&mut Value), name: &str| {
        let mut json = stored(name);
        change(&mut json);
        serde_json::from_value::<Evaluation>(json).unwrap_err().to_string()
    };
    let fewer = |json: &mut Value| drop(json["per_label"].as_array_mut().unwrap().pop());
    assert_eq!(refused(&fewer, "three_independent"), "2 entries of `per_label` for 3 labels");
    assert_eq!(
        refused(&|json| json["confusion_matrix"] = json!([[1, 2]]), "two_exclusive"),
        "1 entries of `confusion_matrix` for 2 labels"
    );
    assert_eq!(refused(&|json| json["labels"] = json!(["a", "a"]), "two_exclusive"), "label `a` was given twice");
    let label = refused(&|json| json["per_label"][0]["confusion_matrix"] = json!([]), "two_independent");
    assert_eq!(label, "0 entries of `confusion_matrix` for 2 labels");
    assert!(refused(&|json| json["per_label"][0] = json!(1), "three_exclusive").contains("another shape"));
}

#[test]
fn rows_without_a_decision_are_given_no_label() {
    let labels = LabelSet::new(["a", "b", "c"]).unwrap();
    let truth = [[true, false, false], [false, true, false], [false, false, true], [false, false, true]].map(Vec::from);
    let mut predictions: Vec<Prediction> = [[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.3, 0.3, 0.4], [0.1, 0.1, 0.8]]
        .map(|row| Prediction::new(Task::SingleLabel, row.to_vec(), 0))
        .to_vec();
    predictions[2].decision = Decision::Abstain;
    let truth = Truth { task: Task::SingleLabel, labels: &labels, truth: &truth };
    let found = Evaluation::of(&predictions, truth, &DecisionRule::default(), 1.0).unwrap();
    assert_eq!((found.abstained, found.value(Metric::Accuracy)), (1, Some(0.75)));
    assert_eq!(found.confusion_matrix, [[1, 0, 0], [0, 1, 0], [0, 0, 1]]);
    // Three of three decided rows are right, of four: 2 · 3 / (3 + 4).
    assert_eq!(found.value(Metric::MicroF1), Some(6.0 / 7.0));
    assert_eq!(found.per_label[2].value(Metric::Recall), Some(0.5));
    assert_eq!((found.per_label[2].rows, found.label_rows()), (2, vec![1, 1, 2]));
}

#[test]
fn what_is_no_probability_is_an_error() {
    for case in cases() {
        let labels = LabelSet::new(case.labels.clone()).unwrap();
        for value in [f64::NAN, f64::INFINITY, 1.5, -0.1] {
            let mut predictions = case.predictions.clone();
            predictions[4].probabilities[0] = value;
            let truth = Truth { task: case.task, labels: &labels, truth: &case.truth };
            let found = Evaluation::of(&predictions, truth, &DecisionRule::default(), SECONDS);
            let refused = matches!(found, Err(Error::Metric(MetricError::Probability { row: 4, .. })));
            assert!(refused, "{} {value}: {:?}", case.name, found.map(|found| found.n));
        }
    }
}

#[test]
fn a_row_of_exclusive_labels_has_exactly_one() {
    let rows = |truth: Vec<bool>| ScoredRows::new(Task::SingleLabel, &[truth], &[vec![true, false]], &[[0.5, 0.5]]).unwrap_err();
    assert_eq!(rows(vec![false, false]), MetricError::TrueLabels { row: 0, found: 0 });
    assert_eq!(rows(vec![true, true]), MetricError::TrueLabels { row: 0, found: 2 });
}

/// Eleven rows of one class and one of another, all right: a resample without the one row once had macro F1 0.5.
#[test]
fn a_class_that_a_resample_lacks_does_not_widen_the_interval_of_macro_f1() {
    let labels = LabelSet::new(["often", "seldom"]).unwrap();
    let truth: Vec<Vec<bool>> = (0..12).map(|row| vec![row != 3, row == 3]).collect();
    let predictions: Vec<Prediction> = truth
        .iter()
        .map(|row| Prediction::new(Task::SingleLabel, row.iter().map(|&is| if is { 0.9 } else { 0.1 }).collect(), 0))
        .collect();
    let truth = Truth { task: Task::SingleLabel, labels: &labels, truth: &truth };
    let found = Evaluation::of(&predictions, truth, &DecisionRule::default(), 1.0).unwrap();
    let score = found.score(Metric::MacroF1).unwrap();
    assert_eq!((score.value, score.interval, score.is_degenerate()), (Some(1.0), Some([1.0, 1.0]), true));
    assert!(found.resamples_without_areas > RESAMPLES / 4, "(11/12)¹² of them lack the row");
    // scipy 1.17.1's binomtest(12, 12).proportion_ci(0.95, "exact").
    let [low, high] = found.exact_interval(Metric::Accuracy).unwrap();
    assert!((low - 0.735_351_530_602_948_8).abs() < 1e-12 && high == 1.0, "{low}");
    assert_eq!(found.exact_interval(Metric::MacroF1), None);
}

#[test]
fn a_comparison_has_every_metric_and_each_label() {
    for case in cases() {
        let found = compared(&case);
        let (metrics, labels) = (Metric::of(case.task, case.labels.len()), &found.per_label);
        assert_eq!(found.differences.iter().map(|of| of.metric).collect::<Vec<_>>(), metrics, "{}", case.name);
        assert_eq!(labels.len(), if case.task == Task::SingleLabel && case.labels.len() == 2 { 0 } else { case.labels.len() });
        for of in &found.differences {
            let expected = found.second.value(of.metric).zip(found.first.value(of.metric)).map(|(second, first)| second - first);
            let difference = of.difference.map(|difference| difference.value);
            assert!(difference.zip(expected).is_none_or(|(a, b)| (a - b).abs() < 1e-12), "{} {}", case.name, of.metric);
            assert_eq!(difference.is_some(), expected.is_some(), "{} {}", case.name, of.metric);
        }
        let [one, two] = [&case.predictions, &case.others].map(|of| of.iter().map(Prediction::given).collect::<Vec<_>>());
        let right = |given: &[Vec<bool>], label: Option<usize>| -> Vec<bool> {
            given.iter().zip(&case.truth).map(|(a, b)| label.map_or(a == b, |label| a[label] == b[label])).collect()
        };
        assert_eq!(found.mcnemar, mcnemar(&right(&one, None), &right(&two, None)));
        let flipped = (0..one.len()).filter(|&row| one[row] != two[row]).map(|row| row as u64 + 1);
        assert_eq!(found.flips.iter().map(|flip| flip.row).collect::<Vec<_>>(), flipped.collect::<Vec<_>>());
        for (label, of) in labels.iter().enumerate() {
            assert_eq!(of.mcnemar, mcnemar(&right(&one, Some(label)), &right(&two, Some(label))));
            let f1 = |evaluation: &Evaluation| evaluation.per_label[label].value(Metric::F1).unwrap();
            let difference = of.difference(Metric::F1).unwrap().value;
            assert!((difference - (f1(&found.second) - f1(&found.first))).abs() < 1e-12);
            assert!(of.adjusted_p_value >= of.mcnemar.p_value);
        }
        let same = compared(&Case { others: case.predictions.clone(), ..case });
        assert!(same.flips.is_empty() && same.verdict.starts_with("no real difference"), "{}", same.verdict);
        assert!(same.per_label.iter().all(|of| of.adjusted_p_value == 1.0 && of.difference(Metric::F1).unwrap().value == 0.0));
    }
}

/// The rows of a golden case, with their scores.
fn golden_rows(case: &Value) -> (Vec<Vec<bool>>, Vec<Prediction>) {
    let truth: Vec<Vec<u8>> = serde_json::from_value(case["truth"].clone()).unwrap();
    let scores: Vec<Vec<f64>> = serde_json::from_value(case["scores"].clone()).unwrap();
    let truth = truth.into_iter().map(|row| row.into_iter().map(|label| label == 1).collect()).collect();
    (truth, scores.into_iter().map(|row| Prediction::new(Task::MultiLabel, row, 0)).collect())
}

fn of_independent_labels(truth: &[Vec<bool>], predictions: &[Prediction]) -> Evaluation {
    let labels = LabelSet::new((0..truth[0].len()).map(|label| format!("label {label}"))).unwrap();
    let truth = Truth { task: Task::MultiLabel, labels: &labels, truth };
    Evaluation::of(predictions, truth, &DecisionRule::default(), 1.0).unwrap()
}

fn independent_golden() -> Value {
    serde_json::from_str(include_str!("golden/multi_label.json")).unwrap()
}

#[test]
fn intervals_of_scores_and_of_differences_enclose_them_and_stay_the_same() {
    let golden = independent_golden();
    let (truth, predictions) = golden_rows(&golden["metrics"][0]);
    let found = of_independent_labels(&truth, &predictions);
    assert_eq!(found.scores, of_independent_labels(&truth, &predictions).scores);
    for Score { metric, value, interval, .. } in found.scores {
        let (value, [low, high]) = (value.unwrap(), interval.unwrap());
        assert!(low <= value && value <= high && high - low > 0.01 && high - low < 0.6, "{metric}: {value} in [{low}, {high}]");
    }
    // Every third row made right, and the first label's scores turned around in the others.
    let changed = |(row, truth): (usize, &Vec<bool>)| {
        let scores = &predictions[row].probabilities;
        let score = |label: usize| match (row % 3, label) {
            (0, _) => {
                if truth[label] {
                    0.9
                } else {
                    0.1
                }
            }
            (_, 0) => 1.0 - scores[0],
            _ => scores[label],
        };
        Prediction::new(Task::MultiLabel, (0..truth.len()).map(score).collect(), 0)
    };
    let others = truth.iter().enumerate().map(changed).collect();
    let labels = found.labels.names().to_vec();
    let compared = compared(&Case { name: "changed", task: Task::MultiLabel, labels, predictions, others, truth });
    for of in compared.differences.iter().filter(|of| !of.metric.is_area()) {
        let difference = of.difference.unwrap();
        let (value, [low, high]) = (difference.value, difference.interval);
        assert!(low <= value && value <= high && low < high, "{}: {value} [{low}, {high}]", of.metric);
    }
}

proptest! {
    #[test]
    fn metrics_are_shares(
        rows in prop::collection::vec(prop::collection::vec((any::<bool>(), 0.0..=1.0), 4), 1..20), labels in 2_usize..5,
    ) {
        let truth: Vec<Vec<bool>> = rows.iter().map(|row| row[..labels].iter().map(|cell| cell.0).collect()).collect();
        let scores = rows.iter().map(|row| row[..labels].iter().map(|cell| cell.1).collect());
        let predictions: Vec<Prediction> = scores.map(|scores| Prediction::new(Task::MultiLabel, scores, 0)).collect();
        let found = of_independent_labels(&truth, &predictions);
        for Score { metric, value, .. } in &found.scores {
            prop_assert!(value.is_none_or(|value| (0.0..=1.0).contains(&value)), "{} is {:?}", metric, value);
        }
        let value = |metric| found.value(metric).unwrap();
        prop_assert!(value(Metric::SubsetAccuracy) <= 1.0 - value(Metric::HammingLoss) + 1e-12);
    }
}

#[test]
fn metrics_of_exclusive_labels_are_scikit_learns() {
    let golden: Value = serde_json::from_str(include_str!("golden/metrics.json")).unwrap();
    for case in golden["multi_class"].as_array().unwrap() {
        let read = |key: &str| -> Vec<usize> { serde_json::from_value(case[key].clone()).unwrap() };
        let probabilities: Vec<Vec<f64>> = serde_json::from_value(case["probabilities"].clone()).unwrap();
        let labels = LabelSet::new((0..probabilities[0].len()).map(|label| format!("label {label}"))).unwrap();
        let truth: Vec<Vec<bool>> =
            read("truth").iter().map(|class| (0..labels.len()).map(|label| label == *class).collect()).collect();
        let predictions: Vec<Prediction> =
            probabilities.into_iter().map(|row| Prediction::new(Task::SingleLabel, row, 0)).collect();
        let truth = Truth { task: Task::SingleLabel, labels: &labels, truth: &truth };
        let found = Evaluation::of(&predictions, truth, &DecisionRule::default(), 1.0).unwrap();
        let mut expected = vec![
            (Metric::Accuracy, &case["accuracy"]),
            (Metric::MacroF1, &case["macro"]["f1"]),
            (Metric::MacroPrecision, &case["macro"]["precision"]),
            (Metric::MacroRecall, &case["macro"]["recall"]),
            (Metric::MacroRocAuc, &case["macro"]["roc_auc"]),
            (Metric::MacroPrAuc, &case["macro"]["average_precision"]),
            (Metric::MicroF1, &case["micro"]["f1"]),
            (Metric::WeightedF1, &case["weighted"]["f1"]),
        ];
        expected.retain(|(metric, _)| found.score(*metric).is_some());
        assert_eq!(expected.len(), if labels.len() == 2 { 2 } else { 8 });
        for (metric, expected) in expected {
            match (found.value(metric), expected.as_f64()) {
                (Some(value), Some(expected)) => {
                    assert!((value - expected).abs() < 1e-12, "{metric}: {value}, expected {expected}")
                }
                (value, expected) => assert_eq!(value, expected, "{metric}"),
            }
        }
    }
}

#[test]
fn metrics_of_independent_labels_are_scikit_learns() {
    let close = |name: &str, found: Option<f64>, expected: &Value| match (found, expected.as_f64()) {
        (Some(found), Some(expected)) => assert!((found - expected).abs() < 1e-12, "{name}: {found}, expected {expected}"),
        (found, expected) => assert_eq!(found, expected, "{name}"),
    };
    for case in independent_golden()["metrics"].as_array().unwrap() {
        let (truth, predictions) = golden_rows(case);
        let found = of_independent_labels(&truth, &predictions);
        for score in &found.scores {
            close(score.metric.name(), score.value, &case["values"][score.metric.key()]);
            if !score.metric.is_area() {
                close(score.metric.name(), score.constant_answer, &case["majority"][score.metric.key()]);
            }
        }
        for (label, expected) in found.per_label.iter().zip(case["labels"].as_array().unwrap()) {
            for metric in [Metric::F1, Metric::Precision, Metric::Recall, Metric::RocAuc, Metric::PrAuc] {
                close(metric.name(), label.value(metric), &expected[metric.key()]);
            }
            close("log loss", label.log_loss, &expected["log_loss"]);
        }
        let mean = found.per_label.iter().map(|label| label.log_loss.unwrap()).sum::<f64>() / found.per_label.len() as f64;
        assert!((found.log_loss - mean).abs() < 1e-12);
    }
}
