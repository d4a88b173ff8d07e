//! Metrics against scikit-learn's numbers, and what must hold for any input.

use lincah::metrics::*;
use proptest::prelude::*;
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/metrics.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn indices(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap() as usize).collect()
}

#[track_caller]
fn assert_close(found: f64, expected: &Value, what: &str) {
    let expected = expected.as_f64().unwrap();
    assert!((found - expected).abs() <= 1e-13 * expected.abs().max(1.0), "{what}: {found}, expected {expected}");
}

#[track_caller]
fn assert_all_close(found: &[f64], expected: &Value, what: &str) {
    assert_eq!(found.len(), expected.as_array().unwrap().len(), "{what}");
    found.iter().zip(expected.as_array().unwrap()).for_each(|(&found, expected)| assert_close(found, expected, what));
}

/// `null` is scikit-learn's NaN and an error here.
#[track_caller]
fn assert_close_or_undefined(found: Result<f64, MetricError>, expected: &Value, what: &str) {
    match (found, expected.is_null()) {
        (Ok(found), false) => assert_close(found, expected, what),
        (Err(MetricError::OneClass), true) => {}
        (found, _) => panic!("{what}: {found:?}, expected {expected}"),
    }
}

#[test]
fn binary_metrics_are_scikit_learns() {
    for case in golden()["binary"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let (classes, scores) = (indices(&case["truth"]), numbers(&case["scores"]));
        let truth: Vec<bool> = classes.iter().map(|&class| class == 1).collect();
        let threshold = case["threshold"].as_f64().unwrap();
        let predicted: Vec<usize> = scores.iter().map(|&score| usize::from(score >= threshold)).collect();
        let matrix = confusion_matrix(&classes, &predicted, 2).unwrap();
        assert_eq!(serde_json::json!(matrix.counts()), case["confusion_matrix"], "{name}");
        assert_close(matrix.accuracy(), &case["accuracy"], name);
        assert_close(matrix.precision(1), &case["precision"], name);
        assert_close(matrix.recall(1), &case["recall"], name);
        assert_close(matrix.f1(1), &case["f1"], name);
        assert_close(matrix.macro_average().f1, &case["macro_f1"], name);
        assert_close_or_undefined(roc_auc(&truth, &scores), &case["roc_auc"], name);
        let both: Vec<[f64; 2]> = scores.iter().map(|score| [1.0 - score, *score]).collect();
        assert_close(log_loss(&classes, &both).unwrap(), &case["log_loss"], name);
        assert_close(brier(&truth, &scores).unwrap(), &case["brier"], name);
        match roc_curve(&truth, &scores) {
            Ok(curve) => {
                assert_all_close(&curve.false_positive_rate, &case["roc_curve"]["false_positive_rate"], name);
                assert_all_close(&curve.true_positive_rate, &case["roc_curve"]["true_positive_rate"], name);
            }
            Err(error) => assert_eq!((error, &case["roc_auc"]), (MetricError::OneClass, &Value::Null), "{name}"),
        }
        if truth.contains(&true) {
            assert_close(average_precision(&truth, &scores).unwrap(), &case["average_precision"], name);
            let (curve, expected) = (precision_recall_curve(&truth, &scores).unwrap(), &case["precision_recall_curve"]);
            assert_all_close(&curve.precision, &expected["precision"], name);
            assert_all_close(&curve.recall, &expected["recall"], name);
            assert_all_close(&curve.thresholds, &expected["thresholds"], name);
        } else {
            assert_eq!(average_precision(&truth, &scores), Err(MetricError::NoPositive), "{name}");
        }
    }
}

#[test]
fn calibration_and_thresholds_are_scikit_learns() {
    for case in golden()["binary"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let truth: Vec<bool> = indices(&case["truth"]).iter().map(|&class| class == 1).collect();
        let scores = numbers(&case["scores"]);
        for expected in case["calibration"].as_array().unwrap() {
            let bins = calibration_bins(&truth, &scores, expected["bins"].as_u64().unwrap() as usize).unwrap();
            let rows: Vec<usize> = bins.iter().map(|bin| bin.rows).collect();
            assert_eq!(rows, indices(&expected["rows"]), "{name}");
            let filled: Vec<&CalibrationBin> = bins.iter().filter(|bin| bin.rows > 0).collect();
            let shares: Vec<f64> = filled.iter().map(|bin| bin.positive_share().unwrap()).collect();
            assert_all_close(&shares, &expected["positive_share"], name);
            let probabilities: Vec<f64> = filled.iter().map(|bin| bin.mean_probability).collect();
            assert_all_close(&probabilities, &expected["mean_probability"], name);
            assert_close(expected_calibration_error(&bins), &expected["expected_calibration_error"], name);
        }
        for expected in case["thresholds"].as_array().unwrap() {
            let found = at_threshold(&truth, &scores, expected["threshold"].as_f64().unwrap()).unwrap();
            assert_eq!(found.precision.is_none(), expected["precision"].is_null(), "{name}");
            found.precision.into_iter().for_each(|precision| assert_close(precision, &expected["precision"], name));
            assert_close(found.recall, &expected["recall"], name);
            assert_close(found.f1, &expected["f1"], name);
            assert_close(found.flagged, &expected["flagged"], name);
        }
        for expected in case["threshold_for_precision"].as_array().unwrap() {
            match threshold_for_precision(&truth, &scores, expected[0].as_f64().unwrap()) {
                Ok(found) => assert_eq!(found, expected[1].as_f64(), "{name}"),
                Err(error) => assert_eq!((error, &expected[1]), (MetricError::NoPositive, &Value::Null), "{name}"),
            }
        }
    }
}

#[test]
fn multi_class_metrics_are_scikit_learns() {
    for case in golden()["multi_class"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let truth = indices(&case["truth"]);
        let probabilities: Vec<Vec<f64>> = case["probabilities"].as_array().unwrap().iter().map(numbers).collect();
        let classes = probabilities[0].len();
        let matrix = confusion_matrix(&truth, &indices(&case["predicted"]), classes).unwrap();
        assert_eq!(serde_json::json!(matrix.counts()), case["confusion_matrix"], "{name}");
        assert_close(matrix.accuracy(), &case["accuracy"], name);
        let each = |metric: &dyn Fn(usize) -> f64| (0..classes).map(metric).collect::<Vec<f64>>();
        assert_all_close(&each(&|class| matrix.precision(class)), &case["per_class"]["precision"], name);
        assert_all_close(&each(&|class| matrix.recall(class)), &case["per_class"]["recall"], name);
        assert_all_close(&each(&|class| matrix.f1(class)), &case["per_class"]["f1"], name);
        assert_all_close(&each(&|class| matrix.support(class) as f64), &case["per_class"]["support"], name);
        for (average, kind) in
            [(matrix.macro_average(), "macro"), (matrix.micro_average(), "micro"), (matrix.weighted_average(), "weighted")]
        {
            assert_close(average.precision, &case[kind]["precision"], name);
            assert_close(average.recall, &case[kind]["recall"], name);
            assert_close(average.f1, &case[kind]["f1"], name);
        }
        assert_close(log_loss(&truth, &probabilities).unwrap(), &case["log_loss"], name);
        assert_close(brier_multi_class(&truth, &probabilities).unwrap(), &case["brier"], name);
        for class in 0..classes {
            let positive: Vec<bool> = truth.iter().map(|&other| other == class).collect();
            let scores: Vec<f64> = probabilities.iter().map(|row| row[class]).collect();
            let expected = &case["one_against_rest"];
            assert_close_or_undefined(roc_auc(&positive, &scores), &expected["roc_auc"][class], name);
            if positive.contains(&true) {
                let found = average_precision(&positive, &scores).unwrap();
                assert_close(found, &expected["average_precision"][class], name);
            }
        }
    }
}

#[test]
fn the_same_answer_for_every_row() {
    // ETHOS's codelab test set: 113 of 198 positive.
    let truth: Vec<usize> = (0..198).map(|row| usize::from(row < 113)).collect();
    let matrix = confusion_matrix(&truth, &truth, 2).unwrap().always(1);
    assert_eq!(matrix.counts(), [[0, 85], [0, 113]]);
    assert!((matrix.f1(1) - 0.727).abs() < 5e-4);
    assert_eq!(matrix.f1(0), 0.0);
}

#[test]
fn bad_input_is_an_error() {
    assert_eq!(confusion_matrix(&[0], &[0, 1], 2), Err(MetricError::Lengths { truth: 1, predicted: 2 }));
    assert_eq!(confusion_matrix(&[0, 2], &[0, 1], 2), Err(MetricError::Class { row: 1, class: 2, classes: 2 }));
    assert_eq!(roc_auc(&[], &[]), Err(MetricError::Empty));
    assert_eq!(roc_auc(&[true, true], &[0.1, 0.2]), Err(MetricError::OneClass));
    assert_eq!(roc_auc(&[true], &[f64::INFINITY]), Err(MetricError::Score { row: 0, score: f64::INFINITY }));
    assert_eq!(brier(&[true], &[1.5]), Err(MetricError::Probability { row: 0, probability: 1.5 }));
    assert_eq!(log_loss(&[2], &[[0.5, 0.5]]), Err(MetricError::Class { row: 0, class: 2, classes: 2 }));
    assert!(matches!(log_loss(&[1], &[[0.5, f64::NAN]]), Err(MetricError::Probability { row: 0, .. })));
}

#[test]
fn a_wrong_certainty_has_a_finite_loss() {
    assert!((log_loss(&[0], &[[0.0, 1.0]]).unwrap() - 52.0 * std::f64::consts::LN_2).abs() < 1e-12);
}

/// Rows of both classes; scores on a coarse grid, so that many are tied.
fn scored_rows() -> impl Strategy<Value = (Vec<bool>, Vec<f64>)> {
    prop::collection::vec((any::<bool>(), 0_u8..=20), 0..60).prop_map(|rows| {
        let rows: Vec<(bool, u8)> = rows.into_iter().chain([(true, 7), (false, 11)]).collect();
        rows.into_iter().map(|(positive, score)| (positive, f64::from(score) / 20.0)).unzip()
    })
}

proptest! {
    #[test]
    fn roc_auc_is_the_share_of_pairs_in_order((truth, scores) in scored_rows()) {
        let rows = || truth.iter().zip(&scores);
        let (mut in_order, mut pairs) = (0.0, 0.0);
        for (_, positive) in rows().filter(|(truth, _)| **truth) {
            for (_, negative) in rows().filter(|(truth, _)| !**truth) {
                pairs += 1.0;
                in_order += if positive > negative { 1.0 } else if positive == negative { 0.5 } else { 0.0 };
            }
        }
        prop_assert!((roc_auc(&truth, &scores).unwrap() - in_order / pairs).abs() < 1e-12);
    }

    #[test]
    fn a_monotone_map_changes_no_ranking_metric((truth, scores) in scored_rows()) {
        let mapped: Vec<f64> = scores.iter().map(|score| (3.0 * score).exp() - 100.0).collect();
        prop_assert_eq!(roc_auc(&truth, &scores), roc_auc(&truth, &mapped));
        prop_assert_eq!(average_precision(&truth, &scores), average_precision(&truth, &mapped));
    }

    #[test]
    fn complements((truth, scores) in scored_rows()) {
        let opposite: Vec<bool> = truth.iter().map(|positive| !positive).collect();
        let negated: Vec<f64> = scores.iter().map(|score| -score).collect();
        let auc = roc_auc(&truth, &scores).unwrap();
        prop_assert!((auc + roc_auc(&opposite, &scores).unwrap() - 1.0).abs() < 1e-12);
        prop_assert!((auc - roc_auc(&opposite, &negated).unwrap()).abs() < 1e-12);
    }

    #[test]
    fn curves_and_areas_agree((truth, scores) in scored_rows()) {
        let curve = roc_curve(&truth, &scores).unwrap();
        let (x, y) = (&curve.false_positive_rate, &curve.true_positive_rate);
        prop_assert!(x.is_sorted() && y.is_sorted() && curve.thresholds.is_sorted_by(|left, right| left > right));
        prop_assert_eq!((x[0], y[0], x[x.len() - 1], y[y.len() - 1]), (0.0, 0.0, 1.0, 1.0));
        let area: f64 = (1..x.len()).map(|k| (x[k] - x[k - 1]) * (y[k] + y[k - 1]) / 2.0).sum();
        prop_assert!((area - roc_auc(&truth, &scores).unwrap()).abs() < 1e-12);
        let curve = precision_recall_curve(&truth, &scores).unwrap();
        prop_assert_eq!(curve.thresholds.len() + 1, curve.precision.len());
        prop_assert!(curve.recall.is_sorted_by(|left, right| left >= right));
    }

    #[test]
    fn bins_hold_every_row_and_a_threshold_keeps_its_precision((truth, scores) in scored_rows(), wanted in 0.0_f64..1.0) {
        let bins = calibration_bins(&truth, &scores, 7).unwrap();
        prop_assert_eq!(bins.iter().map(|bin| bin.rows).sum::<usize>(), truth.len());
        for bin in bins.iter().filter(|bin| bin.rows > 0) {
            prop_assert!(bin.low - 1e-12 <= bin.mean_probability && bin.mean_probability <= bin.high + 1e-12);
        }
        prop_assert!((0.0..=1.0).contains(&expected_calibration_error(&bins)));
        match threshold_for_precision(&truth, &scores, wanted).unwrap() {
            Some(threshold) => prop_assert!(at_threshold(&truth, &scores, threshold).unwrap().precision.unwrap() >= wanted),
            None => {
                for &threshold in &scores {
                    prop_assert!(at_threshold(&truth, &scores, threshold).unwrap().precision.unwrap() < wanted);
                }
            }
        }
    }

    #[test]
    fn f1_is_the_harmonic_mean((truth, scores) in scored_rows(), cut in 0.0_f64..1.0) {
        let truth: Vec<usize> = truth.into_iter().map(usize::from).collect();
        let predicted: Vec<usize> = scores.iter().map(|&score| usize::from(score >= cut)).collect();
        let matrix = confusion_matrix(&truth, &predicted, 2).unwrap();
        let (precision, recall) = (matrix.precision(1), matrix.recall(1));
        let harmonic = if precision + recall == 0.0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) };
        prop_assert!((matrix.f1(1) - harmonic).abs() < 1e-12);
        prop_assert!((matrix.weighted_average().recall - matrix.accuracy()).abs() < 1e-12);
        prop_assert_eq!(matrix.total(), truth.len() as u64);
    }
}
