//! Statistics against scipy's, scikit-learn's and NumPy's numbers.

use lincah::Task;
use lincah::metrics::{Metric, MetricError};
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

/// Rows of two classes, positive above one half.
fn scored(truth: &[usize], scores: &[f64]) -> ScoredRows {
    let both = |positive: bool| vec![!positive, positive];
    let truth: Vec<Vec<bool>> = truth.iter().map(|&class| both(class == 1)).collect();
    let given: Vec<Vec<bool>> = scores.iter().map(|&score| both(score > 0.5)).collect();
    let probabilities: Vec<[f64; 2]> = scores.iter().map(|&score| [1.0 - score, score]).collect();
    ScoredRows::new(Task::SingleLabel, &truth, &given, &probabilities).unwrap()
}

fn rows(value: &Value) -> ScoredRows {
    scored(&indices(&value["truth"]), &numbers(&value["scores"]))
}

/// The entry of a metric of two classes.
fn of<T: Copy>(metric: Metric, values: &MetricValues<T>) -> Option<T> {
    Metric::of(Task::SingleLabel, 2)
        .iter()
        .zip(&values.metrics)
        .find(|(other, _)| **other == metric)
        .and_then(|(_, value)| *value)
}

#[test]
fn a_resample_has_the_metrics_of_its_repeated_rows() {
    let golden = golden();
    let rows = rows(&golden["resamples"]);
    for case in golden["resamples"]["cases"].as_array().unwrap() {
        let counts: Vec<u32> = indices(&case["counts"]).into_iter().map(|count| count as u32).collect();
        let found = rows.values(&counts);
        let classes = indices(&golden["resamples"]["truth"]);
        let lacks_one =
            [0, 1].iter().any(|class| classes.iter().zip(&counts).all(|(other, &count)| other != class || count == 0));
        for metric in Metric::of(Task::SingleLabel, 2) {
            let (name, found) = (metric.key(), of(metric, &found));
            if metric == Metric::MacroF1 && lacks_one {
                continue;
            }
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
fn a_resample_of_independent_labels_has_the_metrics_of_its_repeated_rows() {
    let golden: Value = serde_json::from_str(include_str!("golden/multi_label.json")).unwrap();
    let resamples = &golden["resamples"];
    let truth: Vec<Vec<bool>> =
        resamples["truth"].as_array().unwrap().iter().map(|row| indices(row).into_iter().map(|has| has == 1).collect()).collect();
    let scores: Vec<Vec<f64>> = resamples["scores"].as_array().unwrap().iter().map(numbers).collect();
    let given: Vec<Vec<bool>> = scores.iter().map(|row| row.iter().map(|&score| score >= 0.5).collect()).collect();
    let rows = ScoredRows::new(Task::MultiLabel, &truth, &given, &scores).unwrap();
    for case in resamples["cases"].as_array().unwrap() {
        let counts: Vec<u32> = indices(&case["counts"]).into_iter().map(|count| count as u32).collect();
        let occurs = |label: usize| (0..truth.len()).any(|row| counts[row] > 0 && (truth[row][label] || given[row][label]));
        let lacks_one = !(0..rows.labels()).all(occurs);
        let found = rows.values(&counts).metrics;
        for (metric, found) in Metric::of(Task::MultiLabel, rows.labels()).into_iter().zip(found) {
            // scikit-learn counts a label that the resample lacks as 0.
            let is_average = [Metric::MacroF1, Metric::MacroPrecision, Metric::MacroRecall].contains(&metric);
            match (found, case[metric.key()].as_f64()) {
                _ if is_average && lacks_one => {}
                (Some(found), Some(expected)) => {
                    assert!((found - expected).abs() < 1e-12, "{metric}: {found}, expected {expected}")
                }
                (found, expected) => assert_eq!(found, expected, "{metric}"),
            }
        }
    }
}

#[test]
fn rows_of_another_shape_are_refused() {
    let rows = |truth: &[Vec<bool>], scores: &[Vec<f64>]| {
        ScoredRows::new(Task::MultiLabel, truth, &vec![vec![true, false]; truth.len()], scores).map(|rows| rows.rows())
    };
    let lengths = |truth, predicted| Err(MetricError::Lengths { truth, predicted });
    assert_eq!(rows(&[], &[]), Err(MetricError::Empty));
    assert_eq!(rows(&[vec![true, false]], &[]), lengths(1, 0));
    assert_eq!(rows(&[vec![true]], &[vec![0.5]]), lengths(1, 2));
    assert_eq!(rows(&[vec![true, false]], &[vec![0.5]]), lengths(2, 1));
    assert!(matches!(rows(&[vec![true, false]], &[vec![0.5, f64::NAN]]), Err(MetricError::Probability { row: 0, .. })));
    assert_eq!(rows(&[vec![true, false]], &[vec![0.5, 0.5]]), Ok(1));
}

#[test]
fn intervals_are_scipys_but_for_the_draws() {
    let golden = golden();
    let MetricIntervals { intervals, without_areas, .. } = rows(&golden["intervals"]).intervals();
    let expected = &golden["intervals"]["intervals"];
    for metric in [Metric::F1, Metric::Accuracy, Metric::RocAuc] {
        let (name, interval) = (metric.key(), of(metric, &intervals).unwrap());
        for (found, expected) in interval.iter().zip(numbers(&expected[name])) {
            assert!((found - expected).abs() < 0.012, "{name}: {interval:?}, expected {}", expected);
        }
    }
    assert_eq!(without_areas, 0);
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
    let rows = scored(&[0, 0, 0, 1], &[0.1, 0.7, 0.3, 0.6]);
    let one = rayon_pool(1).install(|| rows.intervals());
    assert_eq!(one, rayon_pool(3).install(|| rows.intervals()));
    // All of the three negatives, (3/4)⁴, or only the positive, (1/4)⁴: 32 %.
    assert!((one.without_areas as f64 / 2000.0 - 82.0 / 256.0).abs() < 0.04, "{}", one.without_areas);
    assert!(of(Metric::RocAuc, &one.intervals).is_some_and(|[low, high]| low <= 2.0 / 3.0 && high >= 2.0 / 3.0));
}

fn rayon_pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

/// Classes that some rows have or are given, but not these: the average of a resample is over the others. scikit-learn's own default, without
/// `labels`, is over the classes that occur.
#[test]
fn macro_averages_of_a_resample_are_over_the_classes_that_occur_in_it() {
    let class = |class: usize| (0..3).map(|other| other == class).collect::<Vec<bool>>();
    let truth = [class(0), class(1), class(2), class(1)];
    let given = [class(0), class(1), class(1), class(0)];
    let rows = ScoredRows::new(Task::SingleLabel, &truth, &given, &[[0.4, 0.3, 0.3]; 4]).unwrap();
    let macro_f1 = |counts: [u32; 4]| rows.values(&counts).metrics[0].unwrap();
    // Each case: f1_score(truth, predicted, average="macro") of the repeated rows, scikit-learn 1.9.1.
    assert!((macro_f1([1, 1, 1, 1]) - 7.0 / 18.0).abs() < 1e-15, "{}", macro_f1([1, 1, 1, 1]));
    assert!((macro_f1([2, 2, 0, 0]) - 1.0).abs() < 1e-15);
    assert!((macro_f1([2, 1, 0, 1]) - (4.0 / 5.0 + 2.0 / 3.0) / 2.0).abs() < 1e-15);
    let never = ScoredRows::new(Task::SingleLabel, &truth[..2], &given[..2], &[[0.4, 0.3, 0.3]; 2]).unwrap();
    assert!(
        (never.values(&[1, 1]).metrics[0].unwrap() - 2.0 / 3.0).abs() < 1e-15,
        "no row has the third: it is in the metric as 0"
    );
    assert!((never.values(&[2, 0]).metrics[0].unwrap() - 1.0 / 2.0).abs() < 1e-15, "and in every resample");
}

#[test]
fn a_paired_difference_is_clear_where_one_classifier_is_always_better() {
    let truth: Vec<usize> = (0..60).map(|row| row % 2).collect();
    let good: Vec<f64> = truth.iter().map(|&truth| 0.25 + 0.5 * truth as f64).collect();
    let bad: Vec<f64> = (0..60).map(|row| ((row * 37) % 60) as f64 / 60.0).collect();
    let (good, bad) = (scored(&truth, &good), scored(&truth, &bad));
    let found = paired_differences(&bad, &good).unwrap();
    assert!(of(Metric::F1, &found).is_some_and(|f1| f1.is_clear()));
    assert!(of(Metric::RocAuc, &found).is_some_and(|area| area.is_clear() && area.value > 0.3));
    let found = paired_differences(&good, &good).unwrap();
    assert!(found.metrics.iter().flatten().all(|same| (same.value, same.interval, same.is_clear()) == (0.0, [0.0; 2], false)));
    assert!(paired_differences(&good, &scored(&truth[..2], &[0.2, 0.8])).is_err());
}

#[test]
fn mean_and_sample_deviation() {
    let found = mean_deviation(&[1.0, 2.0, 3.0, 4.0]).unwrap();
    assert_eq!((found.n, found.mean), (4, 2.5));
    assert!((found.deviation.unwrap() - (5.0_f64 / 3.0).sqrt()).abs() < 1e-15);
    assert_eq!(mean_deviation(&[2.0]).unwrap().deviation, None);
    assert_eq!(mean_deviation(&[]), None);
}
