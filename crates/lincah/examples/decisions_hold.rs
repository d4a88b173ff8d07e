//! What thresholds, review bands and calibration reach on unseen rows, over many splits: chosen on out-of-fold scores, counted on rows that
//! neither trained nor chose.
//!
//! `cargo run --release --example decisions_hold -- DIR`, where DIR is what `tools/bench/out_of_fold_scores.py` wrote.

use lincah::calibration::{CalibrationChoice, fit_calibration};
use lincah::decisions::{DecisionRequest, DecisionTarget, LabelTarget, OperatingPoints, ReviewTarget, decide};
use lincah::evaluation::Truth;
use lincah::metrics::{calibration_bins, expected_calibration_error, log_loss, roc_auc};
use lincah::{LabelSet, Prediction, Task};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Row {
    truth: Vec<bool>,
    probabilities: Vec<f64>,
    #[serde(default)]
    fold: usize,
}

#[derive(Deserialize)]
struct Split {
    set: String,
    task: String,
    labels: Vec<String>,
    out_of_fold: Vec<Row>,
    unseen: Vec<Row>,
}

struct Rows {
    truth: Vec<Vec<bool>>,
    probabilities: Vec<Vec<f64>>,
}

impl Rows {
    fn of(rows: &[Row]) -> Self {
        Self {
            truth: rows.iter().map(|row| row.truth.clone()).collect(),
            probabilities: rows.iter().map(|row| row.probabilities.clone()).collect(),
        }
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

impl Split {
    fn task(&self) -> Task {
        if self.task.contains("multi") { Task::MultiLabel } else { Task::SingleLabel }
    }

    /// What a request reaches on the unseen rows.
    fn reached(&self, request: &DecisionRequest) -> OperatingPoints {
        let labels = LabelSet::new(self.labels.clone()).unwrap();
        let (chosen_on, unseen) = (Rows::of(&self.out_of_fold), Rows::of(&self.unseen));
        let truth =
            |rows: &'static Rows| Truth { task: self.task(), labels: Box::leak(Box::new(labels.clone())), truth: &rows.truth };
        let (chosen_on, unseen): (&'static Rows, &'static Rows) = (Box::leak(Box::new(chosen_on)), Box::leak(Box::new(unseen)));
        let folds: Vec<usize> = self.out_of_fold.iter().map(|row| row.fold).collect();
        let decided = decide(truth(chosen_on), &chosen_on.probabilities, &folds, request).unwrap();
        let prediction = |row: &Vec<f64>| {
            let probabilities = decided.calibration.apply(self.task(), row);
            let decision = decided.rule.decide(self.task(), &probabilities);
            Prediction { probabilities, decision, truncated_characters: 0, members: Vec::new() }
        };
        let predictions: Vec<Prediction> = unseen.probabilities.iter().map(prediction).collect();
        OperatingPoints::of(truth(unseen), &predictions, &decided.rule).unwrap()
    }
}

fn main() {
    let folder = std::env::args().nth(1).expect("the folder of scores");
    let mut sets: BTreeMap<String, Vec<Split>> = BTreeMap::new();
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let split: Split = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        sets.entry(split.set.clone()).or_default().push(split);
    }
    println!(
        "| set | splits | calibration | asked | reached on unseen rows: mean, worst | short of it | nothing flagged | the other rate |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for (name, splits) in &sets {
        for calibration in [CalibrationChoice::Best, CalibrationChoice::None] {
            for wanted in [0.8, 0.9] {
                for target in [DecisionTarget::Precision(wanted), DecisionTarget::Recall(wanted)] {
                    targets(name, splits, calibration, target, wanted);
                }
            }
        }
    }
    println!(
        "\n| set | splits | asked for review | left to a person on unseen rows: mean, most | wrong among the others, without and with review |"
    );
    println!("| --- | --- | --- | --- | --- |");
    for (name, splits) in &sets {
        for review in ["5%", "20%", "error=10%"] {
            reviews(name, splits, review.parse().unwrap());
        }
    }
    println!("\n| set | splits | method | expected calibration error | log loss | ROC-AUC | splits with a lower error |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for (name, splits) in &sets {
        calibrations(name, splits);
    }
}

fn targets(name: &str, splits: &[Split], calibration: CalibrationChoice, target: DecisionTarget, wanted: f64) {
    let request = DecisionRequest { calibration, targets: vec![LabelTarget { label: None, target }], review: None };
    let (mut reached, mut other, mut silent) = (Vec::new(), Vec::new(), 0);
    for split in splits {
        for point in split.reached(&request).labels.iter().filter(|point| point.positives.rows() > 0) {
            let (precision, recall) = (point.precision().value(), point.recall().value());
            let (asked, beside) = match target {
                DecisionTarget::Precision(_) => (precision, recall),
                _ => (recall, precision),
            };
            match asked {
                Some(value) => reached.push(value),
                None => silent += 1,
            }
            other.extend(beside);
        }
    }
    let short = reached.iter().filter(|&&value| value < wanted).count() as f64 / reached.len().max(1) as f64;
    println!(
        "| {name} | {} | {calibration} | {target} | {:.3}, {:.3} | {:.0} % | {silent} | {:.3} |",
        splits.len(),
        mean(&reached),
        reached.iter().copied().fold(1.0, f64::min),
        100.0 * short,
        mean(&other)
    );
}

fn reviews(name: &str, splits: &[Split], review: ReviewTarget) {
    let (mut left, mut wrong, mut wrong_of_all) = (Vec::new(), Vec::new(), Vec::new());
    for split in splits {
        let share = |points: &OperatingPoints| 1.0 - points.right_of_decided().value().unwrap_or(f64::NAN);
        let points = split.reached(&DecisionRequest { review: Some(review), ..DecisionRequest::default() });
        left.push(points.reviewed as f64 / points.rows as f64);
        wrong.push(share(&points));
        wrong_of_all.push(share(&split.reached(&DecisionRequest::default())));
    }
    println!(
        "| {name} | {} | {review} | {:.3}, {:.3} | {:.3}, {:.3} |",
        splits.len(),
        mean(&left),
        left.iter().copied().fold(0.0, f64::max),
        mean(&wrong_of_all),
        mean(&wrong)
    );
}

/// Mean over the labels of the calibration error, log loss and area of some probabilities.
fn figures(split: &Split, probabilities: &[Vec<f64>]) -> [f64; 3] {
    let labels = split.labels.len();
    let first = usize::from(split.task() == Task::SingleLabel && labels == 2);
    let (mut errors, mut losses, mut areas) = (Vec::new(), Vec::new(), Vec::new());
    for label in first..labels {
        let truth: Vec<bool> = split.unseen.iter().map(|row| row.truth[label]).collect();
        let scores: Vec<f64> = probabilities.iter().map(|row| row[label]).collect();
        errors.push(expected_calibration_error(&calibration_bins(&truth, &scores, 10).unwrap()));
        let classes: Vec<usize> = truth.iter().map(|&has| usize::from(has)).collect();
        losses.push(log_loss(&classes, &scores.iter().map(|score| [1.0 - score, *score]).collect::<Vec<_>>()).unwrap());
        areas.extend(roc_auc(&truth, &scores).ok());
    }
    [mean(&errors), mean(&losses), mean(&areas)]
}

fn calibrations(name: &str, splits: &[Split]) {
    use CalibrationChoice::{Best, Isotonic, None, Platt, Temperature};
    let of = |split: &Split, choice: CalibrationChoice| {
        let labels = LabelSet::new(split.labels.clone()).unwrap();
        let rows = Rows::of(&split.out_of_fold);
        let truth = Truth { task: split.task(), labels: &labels, truth: &rows.truth };
        let calibration = fit_calibration(truth, &rows.probabilities, choice).unwrap();
        let calibrated: Vec<Vec<f64>> =
            split.unseen.iter().map(|row| calibration.apply(split.task(), &row.probabilities)).collect();
        figures(split, &calibrated)
    };
    let plain: Vec<[f64; 3]> = splits.iter().map(|split| of(split, None)).collect();
    for choice in [None, Temperature, Platt, Isotonic, Best] {
        let found: Vec<[f64; 3]> = splits.iter().map(|split| of(split, choice)).collect();
        let column = |index: usize| mean(&found.iter().map(|figures| figures[index]).collect::<Vec<_>>());
        let lower = found.iter().zip(&plain).filter(|(found, plain)| found[0] < plain[0]).count();
        println!("| {name} | {} | {choice} | {:.4} | {:.4} | {:.4} | {lower} |", splits.len(), column(0), column(1), column(2));
    }
}
