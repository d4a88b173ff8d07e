//! Statistics against scipy's, scikit-learn's and NumPy's numbers.

use lincah::Evaluation;
use lincah::statistics::*;
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/statistics.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn indices(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap() as usize).collect()
}

fn rows(value: &Value) -> ScoredRows {
    let scores = numbers(&value["scores"]);
    let predicted: Vec<usize> = scores.iter().map(|&score| usize::from(score > 0.5)).collect();
    ScoredRows::new(&indices(&value["truth"]), &predicted, &scores, 2).unwrap()
}

#[test]
fn a_resample_has_the_metrics_of_its_repeated_rows() {
    let golden = golden();
    let rows = rows(&golden["resamples"]);
    for case in golden["resamples"]["cases"].as_array().unwrap() {
        let counts: Vec<u32> = indices(&case["counts"]).into_iter().map(|count| count as u32).collect();
        let found = rows.resampled(&counts);
        let areas = found.areas;
        for (name, found) in [
            ("f1", Some(found.f1)),
            ("precision", Some(found.precision)),
            ("recall", Some(found.recall)),
            ("accuracy", Some(found.accuracy)),
            ("macro_f1", Some(found.macro_f1)),
            ("roc_auc", areas.map(|areas| areas.0)),
            ("pr_auc", areas.map(|areas| areas.1)),
        ] {
            match (found, case[name].as_f64()) {
                (Some(found), Some(expected)) => {
                    assert!((found - expected).abs() < 1e-12, "{name}: {found}, expected {expected}")
                }
                (found, expected) => assert_eq!(found, expected, "{name}"),
            }
        }
    }
}

#[test]
fn intervals_are_scipys_but_for_the_draws() {
    let golden = golden();
    let found = rows(&golden["intervals"]).intervals();
    let expected = &golden["intervals"]["intervals"];
    for (name, interval) in [("f1", found.f1), ("accuracy", found.accuracy), ("roc_auc", found.roc_auc.unwrap())] {
        for (found, expected) in interval.iter().zip(numbers(&expected[name])) {
            assert!((found - expected).abs() < 0.012, "{name}: {interval:?}, expected {}", expected);
        }
    }
    assert_eq!((found.resamples, found.one_class_resamples), (2000, 0));
}

#[test]
fn percentiles_are_numpys() {
    for case in golden()["percentiles"].as_array().unwrap() {
        let found = percentile_interval(numbers(&case["values"])).unwrap();
        for (found, expected) in found.iter().zip(numbers(&case["interval"])) {
            assert!((found - expected).abs() < 1e-13);
        }
    }
    assert_eq!(percentile_interval(Vec::new()), None);
}

#[test]
fn mcnemar_is_scipys_binomial_test() {
    for case in golden()["mcnemar"].as_array().unwrap() {
        let count = |key: &str| case[key].as_u64().unwrap() as usize;
        let (first, second) = (count("first"), count("second"));
        let a: Vec<bool> = (0..first + second + 4).map(|row| row < first || row >= first + second + 2).collect();
        let b: Vec<bool> = (0..first + second + 4).map(|row| row >= first && row != first + second).collect();
        let b: Vec<bool> = b.iter().enumerate().map(|(row, &b)| if row == first + second + 1 { false } else { b }).collect();
        let found = mcnemar(&a, &b);
        assert_eq!((found.only_first_right, found.only_second_right), (first as u64, second as u64));
        let expected = case["p_value"].as_f64().unwrap();
        assert!((found.p_value - expected).abs() <= 1e-10 * expected + 1e-300, "{first} {second}: {} {expected}", found.p_value);
    }
}

/// Expected values are those of statsmodels 0.15's `multipletests(p, method="holm")`.
#[test]
fn several_p_values_are_adjusted_as_statsmodels_does() {
    let cases: [(&[f64], &[f64]); 4] = [
        (&[0.01, 0.04, 0.03, 0.005], &[0.03, 0.06, 0.06, 0.02]),
        (&[0.6, 0.02, 0.02, 1.0, 0.3], &[1.0, 0.1, 0.1, 1.0, 0.9]),
        (&[0.2], &[0.2]),
        (&[0.001, 0.001], &[0.002, 0.002]),
    ];
    for (p_values, expected) in cases {
        let found = holm(p_values);
        assert_eq!(found.len(), expected.len());
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{p_values:?}: {found:?}");
    }
    assert!(holm(&[]).is_empty());
}

#[test]
fn intervals_do_not_depend_on_the_threads_and_count_resamples_of_one_class() {
    let rows = ScoredRows::new(&[0, 0, 0, 1], &[0, 1, 0, 1], &[0.1, 0.7, 0.3, 0.6], 2).unwrap();
    let one = rayon_pool(1).install(|| rows.intervals());
    assert_eq!(one, rayon_pool(3).install(|| rows.intervals()));
    // All of the three negatives, (3/4)⁴, or only the positive, (1/4)⁴: 32 %.
    assert!((one.one_class_resamples as f64 / 2000.0 - 82.0 / 256.0).abs() < 0.04, "{}", one.one_class_resamples);
    assert!(one.roc_auc.is_some_and(|[low, high]| low <= 2.0 / 3.0 && high >= 2.0 / 3.0));
}

fn rayon_pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

#[test]
fn more_than_two_classes_have_macro_averages_and_no_areas() {
    let rows = ScoredRows::new(&[0, 1, 2, 1], &[0, 1, 1, 1], &[0.1, 0.2, 0.3, 0.1], 3).unwrap();
    let intervals = rows.intervals();
    assert_eq!((intervals.roc_auc, intervals.one_class_resamples), (None, 0));
    assert_eq!(intervals.f1, intervals.macro_f1);
    assert!(ScoredRows::new(&[0, 3], &[0, 1], &[0.1, 0.2], 3).is_err());
}

#[test]
fn a_paired_difference_is_clear_where_one_classifier_is_always_better() {
    let truth: Vec<usize> = (0..60).map(|row| row % 2).collect();
    let good: Vec<f64> = truth.iter().map(|&truth| 0.25 + 0.5 * truth as f64).collect();
    let bad: Vec<f64> = (0..60).map(|row| ((row * 37) % 60) as f64 / 60.0).collect();
    let scored = |scores: &[f64]| {
        let predicted: Vec<usize> = scores.iter().map(|&score| usize::from(score > 0.5)).collect();
        ScoredRows::new(&truth, &predicted, scores, 2).unwrap()
    };
    let (f1, area) = paired_differences(&scored(&bad), &scored(&good));
    assert!(f1.is_clear() && area.is_some_and(|area| area.is_clear() && area.value > 0.3));
    let (f1, area) = paired_differences(&scored(&good), &scored(&good));
    assert_eq!((f1.value, f1.interval, f1.is_clear()), (0.0, [0.0; 2], false));
    assert_eq!(area.map(|area| area.value), Some(0.0));
}

#[test]
fn mean_and_sample_deviation() {
    let found = mean_deviation(&[1.0, 2.0, 3.0, 4.0]).unwrap();
    assert_eq!((found.n, found.mean), (4, 2.5));
    assert!((found.deviation.unwrap() - (5.0_f64 / 3.0).sqrt()).abs() < 1e-15);
    assert_eq!(mean_deviation(&[2.0]).unwrap().deviation, None);
    assert_eq!(mean_deviation(&[]), None);
}

#[test]
fn an_evaluation_of_an_earlier_lincah_has_no_intervals() {
    let predictions =
        [0.2, 0.9].map(|positive: f64| lincah::Prediction::new(lincah::Task::SingleLabel, vec![1.0 - positive, positive], 0));
    let labels = [String::from("no"), String::from("yes")];
    let evaluation = Evaluation::of(&predictions, &[0, 1], &labels, 1.0).unwrap();
    let mut json = serde_json::to_value(&evaluation).unwrap();
    assert_eq!(json["intervals"]["accuracy"], serde_json::json!([1.0, 1.0]));
    json.as_object_mut().unwrap().remove("intervals");
    let earlier: Evaluation = serde_json::from_value(json).unwrap();
    assert_eq!(earlier, Evaluation { intervals: None, ..evaluation });
}
