//! Calibration, decisions and grouped folds against scikit-learn's, SciPy's and statsmodels' (`tools/golden/decisions.py`).

use lincah::calibration::{Calibration, CalibrationChoice, CalibrationMap, adaptive_calibration_error, fit_calibration};
use lincah::data::groups::stratified_groups;
use lincah::decisions::{DecisionRequest, DecisionTarget, LabelTarget, OperatingPoints, ReviewTarget, decide};
use lincah::evaluation::Truth;
use lincah::metrics::log_loss;
use lincah::statistics::exact_interval;
use lincah::{Decision, LabelSet, Prediction, Task};
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    binary: Vec<Binary>,
    several: Vec<Several>,
    grouped: Vec<Grouped>,
    intervals: Vec<Interval>,
}

#[derive(Deserialize)]
struct Binary {
    truth: Vec<u8>,
    probabilities: Vec<f64>,
    points: Vec<f64>,
    temperature: f64,
    platt: Vec<f64>,
    isotonic: Vec<f64>,
    adaptive_error: f64,
}

#[derive(Deserialize)]
struct Several {
    truth: Vec<usize>,
    probabilities: Vec<Vec<f64>>,
    temperature: f64,
}

#[derive(Deserialize)]
struct Grouped {
    seed: u32,
    groups: Vec<usize>,
    truth: Vec<usize>,
    labels: usize,
    folds: usize,
    fold_of: Vec<usize>,
}

#[derive(Deserialize)]
struct Interval {
    successes: u64,
    rows: u64,
    confidence: f64,
    interval: [f64; 2],
}

fn golden() -> Golden {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/decisions.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn labels(count: usize) -> LabelSet {
    LabelSet::new((0..count).map(|label| format!("label {label}"))).unwrap()
}

fn one_hot(classes: &[usize], labels: usize) -> Vec<Vec<bool>> {
    classes.iter().map(|&class| (0..labels).map(|label| label == class).collect()).collect()
}

fn two(probabilities: &[f64]) -> Vec<Vec<f64>> {
    probabilities.iter().map(|&probability| vec![1.0 - probability, probability]).collect()
}

#[test]
fn maps_are_scikit_learns() {
    for case in golden().binary {
        let (labels, classes) = (labels(2), case.truth.iter().map(|&class| usize::from(class)).collect::<Vec<_>>());
        let (truth, probabilities) = (one_hot(&classes, 2), two(&case.probabilities));
        let truth = Truth { task: Task::SingleLabel, labels: &labels, truth: &truth };
        let fitted = |choice| fit_calibration(truth, &probabilities, choice).unwrap();
        let at_points = |calibration: &Calibration| -> Vec<f64> {
            two(&case.points).iter().map(|row| calibration.apply(Task::SingleLabel, row)[1]).collect()
        };
        match fitted(CalibrationChoice::Temperature).maps.as_slice() {
            [CalibrationMap::Temperature { temperature }] => {
                assert!((temperature / case.temperature - 1.0).abs() < 1e-5, "{temperature} and not {}", case.temperature);
            }
            other => panic!("{other:?}"),
        }
        // scikit-learn's solver stops earlier than Newton's method.
        for (choice, expected, tolerance) in
            [(CalibrationChoice::Platt, &case.platt, 1e-4), (CalibrationChoice::Isotonic, &case.isotonic, 1e-9)]
        {
            let found = at_points(&fitted(choice));
            assert!(
                found.iter().zip(expected).all(|(a, b)| (a - b).abs() < tolerance),
                "{choice}: {found:?} and not {expected:?}"
            );
        }
        let has: Vec<bool> = classes.iter().map(|&class| class == 1).collect();
        let error = adaptive_calibration_error(&has, &case.probabilities, 10).unwrap();
        assert!((error - case.adaptive_error).abs() < 1e-12, "{error} and not {}", case.adaptive_error);
    }
}

#[test]
fn one_temperature_fits_several_labels() {
    for case in golden().several {
        let count = case.probabilities[0].len();
        let (labels, truth) = (labels(count), one_hot(&case.truth, count));
        let truth = Truth { task: Task::SingleLabel, labels: &labels, truth: &truth };
        let fitted = fit_calibration(truth, &case.probabilities, CalibrationChoice::Temperature).unwrap();
        match fitted.maps.as_slice() {
            [CalibrationMap::Temperature { temperature }] => {
                assert!((temperature / case.temperature - 1.0).abs() < 1e-5, "{temperature} and not {}", case.temperature);
            }
            other => panic!("{other:?}"),
        }
        // The best map is no worse on the rows than none.
        let best = fit_calibration(truth, &case.probabilities, CalibrationChoice::Best).unwrap();
        let calibrated: Vec<Vec<f64>> = case.probabilities.iter().map(|row| best.apply(Task::SingleLabel, row)).collect();
        assert!(log_loss(&case.truth, &calibrated).unwrap() < log_loss(&case.truth, &case.probabilities).unwrap());
        assert!(calibrated.iter().all(|row| (row.iter().sum::<f64>() - 1.0).abs() < 1e-9));
    }
}

#[test]
fn grouped_folds_are_scikit_learns() {
    for case in golden().grouped {
        let truth = one_hot(&case.truth, case.labels);
        let shares = vec![1.0 / case.folds as f64; case.folds];
        assert_eq!(stratified_groups(&case.groups, &truth, &shares, case.seed), case.fold_of, "seed {}", case.seed);
    }
}

#[test]
fn exact_intervals_are_statsmodels() {
    for case in golden().intervals {
        let found = exact_interval(case.successes, case.rows, case.confidence);
        let near = found.iter().zip(&case.interval).all(|(found, expected)| (found - expected).abs() < 1e-9);
        assert!(near, "{} of {}: {found:?} and not {:?}", case.successes, case.rows, case.interval);
    }
}

/// What a request chooses on some rows, and decides about the same.
fn decided(task: Task, truth: &[Vec<bool>], probabilities: &[Vec<f64>], request: &DecisionRequest) -> OperatingPoints {
    let labels = labels(truth[0].len());
    let truth = Truth { task, labels: &labels, truth };
    let folds: Vec<usize> = (0..probabilities.len()).map(|row| row % 3).collect();
    let chosen = decide(truth, probabilities, &folds, request).unwrap();
    assert_eq!(chosen.points.rows as usize, probabilities.len(), "every row is counted once");
    let prediction = |row: &Vec<f64>| {
        let probabilities = chosen.calibration.apply(task, row);
        let decision = chosen.rule.decide(task, &probabilities);
        Prediction { probabilities, decision, truncated_characters: 0, members: Vec::new() }
    };
    let predictions: Vec<Prediction> = probabilities.iter().map(prediction).collect();
    if request.review.is_none() && (task == Task::MultiLabel || labels.len() == 2) {
        assert!(predictions.iter().all(|prediction| prediction.decision != Decision::Abstain));
    }
    OperatingPoints::of(truth, &predictions, &chosen.rule).unwrap()
}

fn request(target: DecisionTarget, review: Option<ReviewTarget>) -> DecisionRequest {
    let calibration = CalibrationChoice::None;
    DecisionRequest { calibration, targets: vec![LabelTarget { label: None, target }], review }
}

/// Rows of both tasks with noisy scores.
fn rows() -> impl Strategy<Value = (Task, Vec<Vec<bool>>, Vec<Vec<f64>>)> {
    let row = (any::<bool>(), any::<bool>(), 0.0..1.0_f64, 0.0..1.0_f64);
    (any::<bool>(), prop::collection::vec(row, 12..80)).prop_map(|(exclusive, rows)| {
        let score = |has: bool, noise: f64| if has { 0.3 + 0.7 * noise } else { 0.7 * noise };
        let task = if exclusive { Task::SingleLabel } else { Task::MultiLabel };
        let truth = rows.iter().map(|&(a, b, ..)| if exclusive { vec![!a, a] } else { vec![a, b] }).collect();
        let scores = rows.iter().map(|&(a, b, x, y)| {
            let (first, second) = (score(a, x), score(b, y));
            if exclusive { vec![1.0 - first, first] } else { vec![first, second] }
        });
        (task, truth, scores.collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn targets_are_reached_on_the_rows_that_chose(rows in rows(), share in 0.1..0.95_f64) {
        let (task, truth, probabilities) = rows;
        let of = |target| decided(task, &truth, &probabilities, &request(target, None));
        for point in of(DecisionTarget::Recall(share)).labels {
            prop_assert!(point.positives.rows() == 0 || point.recall().value().unwrap() >= share - 1e-12);
        }
        for point in of(DecisionTarget::FalsePositiveRate(share)).labels {
            prop_assert!(point.negatives.rows() == 0 || point.false_positive_rate().value().unwrap() <= share + 1e-12);
        }
    }

    #[test]
    fn no_more_than_the_budget_is_left_to_a_person(rows in rows(), share in 0.02..0.6_f64) {
        let (task, truth, probabilities) = rows;
        let found = decided(task, &truth, &probabilities, &request(DecisionTarget::F1, Some(ReviewTarget::Budget(share))));
        prop_assert!(found.reviewed as f64 <= share * found.rows as f64 + 1e-9, "{} of {}", found.reviewed, found.rows);
    }
}

proptest! {
    #[test]
    fn whatever_is_typed_is_read_or_refused(text in r"(precision|recall|fpr|cost|f1|error|threshold)?[=: ,fpn0-9.%eE+-]{0,12}|\PC{0,24}") {
        use lincah::data::moment::Moment;
        use lincah::decisions::Prevalences;
        use lincah::gate::Gate;
        if let Ok(target) = text.parse::<LabelTarget>() {
            prop_assert_eq!(target.to_string().parse::<LabelTarget>().unwrap(), target);
        }
        if let Ok(review) = text.parse::<ReviewTarget>() {
            let (ReviewTarget::Budget(share) | ReviewTarget::Error(share)) = review;
            prop_assert!(share > 0.0 && share < 1.0);
        }
        if let Ok(prevalences) = text.parse::<Prevalences>() {
            prop_assert!(prevalences.of("any label").is_none_or(|share| share > 0.0 && share < 1.0));
        }
        if let Ok(gate) = text.parse::<Gate>() {
            prop_assert_eq!(gate.to_string().parse::<Gate>().unwrap(), gate);
        }
        let _ = text.parse::<Moment>();
    }
}
