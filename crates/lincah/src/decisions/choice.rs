//! Calibration, thresholds and review bands chosen on scored rows, and what they reach on rows that did not choose them.

use super::points::OperatingPoints;
use super::review::{ReviewTarget, around, below_share, distance};
use super::target::{DecisionTarget, TargetError};
use super::threshold::LabelRows;
use crate::calibration::{Calibration, CalibrationChoice, CalibrationFigures, CalibrationMap, fit_calibration};
use crate::data::Names;
use crate::error::Error;
use crate::evaluation::Truth;
use crate::metrics::check_lengths;
use crate::prediction::{DEFAULT_THRESHOLD, DecisionRule, Prediction, most_probable};
use crate::task::Task;
use std::fmt;
use std::str::FromStr;

/// A target of one label, or of every label that has none of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelTarget {
    /// The label; none for all.
    pub label: Option<String>,
    /// What is to be reached.
    pub target: DecisionTarget,
}

impl FromStr for LabelTarget {
    type Err = TargetError;

    /// A target, or a label, a colon and a target.
    fn from_str(text: &str) -> Result<Self, TargetError> {
        if let Ok(target) = text.parse() {
            return Ok(Self { label: None, target });
        }
        let split = text.match_indices(':').find_map(|(at, _)| Some((&text[..at], text[at + 1..].parse().ok()?)));
        let (label, target) = split.ok_or_else(|| TargetError { found: text.to_owned() })?;
        Ok(Self { label: Some(label.to_owned()), target })
    }
}

impl fmt::Display for LabelTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.label {
            Some(label) => write!(formatter, "{label}:{}", self.target),
            None => write!(formatter, "{}", self.target),
        }
    }
}

/// What is wanted of decisions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DecisionRequest {
    /// How probabilities are calibrated first.
    pub calibration: CalibrationChoice,
    /// What thresholds are chosen for; the default rule where there are none.
    pub targets: Vec<LabelTarget>,
    /// How much is left to a person, if anything.
    pub review: Option<ReviewTarget>,
}

/// What was chosen, and what it reaches.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// Fitted to all rows.
    pub calibration: Calibration,
    /// Chosen on all rows.
    pub rule: DecisionRule,
    /// What calibration and rule reach where the rows of each fold are decided by those chosen on the other folds.
    pub points: OperatingPoints,
    /// How the probabilities are calibrated as they are.
    pub before: CalibrationFigures,
    /// And after calibration, each fold's rows by what was fitted to the other folds.
    pub after: CalibrationFigures,
    /// Labels whose target no threshold reaches on these rows.
    pub out_of_reach: Vec<String>,
}

impl DecisionRequest {
    /// Refuses targets of labels that are none, or that have no threshold of their own.
    ///
    /// # Errors
    /// [`Error::DecisionLabel`].
    pub fn check(&self, task: Task, labels: &[String]) -> Result<(), Error> {
        let decided = if task == Task::SingleLabel && labels.len() == 2 { &labels[1..] } else { labels };
        let wrong = self.targets.iter().filter_map(|target| target.label.as_ref()).find(|label| !decided.contains(label));
        match wrong {
            Some(label) => Err(Error::DecisionLabel { label: label.clone(), labels: Names(decided.to_vec()) }),
            None => Ok(()),
        }
    }

    fn target(&self, label: &str) -> Option<DecisionTarget> {
        let of = |name: Option<&str>| self.targets.iter().rev().find(|target| target.label.as_deref() == name);
        of(Some(label)).or_else(|| of(None)).map(|target| target.target)
    }
}

/// Chooses calibration and decision rule on rows that the model was not trained on.
///
/// # Shapes
/// probabilities `[rows][labels]`; `fold_of` the fold of each row, from 0.
///
/// # Errors
/// [`Error::DecisionLabel`]; fewer than two folds; no rows; probabilities that are none.
pub fn decide(truth: Truth, probabilities: &[Vec<f64>], fold_of: &[usize], request: &DecisionRequest) -> Result<Decided, Error> {
    request.check(truth.task, truth.labels.names())?;
    check_lengths(truth.truth.len(), probabilities.len())?;
    check_lengths(truth.truth.len(), fold_of.len())?;
    let folds = fold_of.iter().max().map_or(0, |fold| fold + 1);
    if folds < 2 {
        return Err(Error::TooFewRowsToDecide { rows: truth.truth.len() });
    }
    let chosen = chosen_on(truth, probabilities, request)?;
    let mut predictions: Vec<Option<Prediction>> = vec![None; probabilities.len()];
    for fold in 0..folds {
        let (test, train): (Vec<usize>, Vec<usize>) = (0..fold_of.len()).partition(|&row| fold_of[row] == fold);
        if test.is_empty() {
            continue;
        }
        let rows: Vec<Vec<bool>> = train.iter().map(|&row| truth.truth[row].clone()).collect();
        let scores: Vec<Vec<f64>> = train.iter().map(|&row| probabilities[row].clone()).collect();
        let others = chosen_on(Truth { truth: &rows, ..truth }, &scores, request)?;
        for row in test {
            let calibrated = others.calibration.apply(truth.task, &probabilities[row]);
            let decision = others.rule.decide(truth.task, &calibrated);
            predictions[row] =
                Some(Prediction { probabilities: calibrated, decision, truncated_characters: 0, members: Vec::new() });
        }
    }
    let predictions: Vec<Prediction> = predictions.into_iter().flatten().collect();
    let calibrated: Vec<Vec<f64>> = predictions.iter().map(|prediction| prediction.probabilities.clone()).collect();
    Ok(Decided {
        points: OperatingPoints::of(truth, &predictions, &chosen.rule)?,
        before: CalibrationFigures::of(truth, probabilities)?,
        after: CalibrationFigures::of(truth, &calibrated)?,
        calibration: chosen.calibration,
        rule: chosen.rule,
        out_of_reach: chosen.out_of_reach,
    })
}

struct ChosenRule {
    calibration: Calibration,
    rule: DecisionRule,
    out_of_reach: Vec<String>,
}

fn chosen_on(truth: Truth, probabilities: &[Vec<f64>], request: &DecisionRequest) -> Result<ChosenRule, Error> {
    let calibration = fit_calibration(truth, probabilities, request.calibration)?;
    let calibrated: Vec<Vec<f64>> = probabilities.iter().map(|row| calibration.apply(truth.task, row)).collect();
    let (rule, out_of_reach) = Chooser { truth, probabilities: &calibrated, calibration: &calibration, request }.rule();
    Ok(ChosenRule { calibration, rule, out_of_reach })
}

struct Chooser<'a> {
    truth: Truth<'a>,
    /// Calibrated.
    probabilities: &'a [Vec<f64>],
    calibration: &'a Calibration,
    request: &'a DecisionRequest,
}

impl Chooser<'_> {
    fn rule(&self) -> (DecisionRule, Vec<String>) {
        let (names, request) = (self.truth.labels.names(), self.request);
        if request.targets.is_empty() && request.review.is_none() {
            return (DecisionRule::default(), Vec::new());
        }
        let mut out_of_reach = Vec::new();
        let threshold = |label: usize| {
            let Some(target) = self.target(label) else { return self.default_threshold() };
            let chosen = self.rows(label).choose(target);
            if !chosen.reached {
                out_of_reach.push(names[label].clone());
            }
            chosen.threshold
        };
        let mut thresholds: Vec<f64> = self.decided().map(threshold).collect();
        let mut review = Vec::new();
        match request.review {
            None => {}
            Some(_) if self.is_most_probable() => thresholds = self.least_sure(&thresholds),
            Some(ReviewTarget::Budget(share)) => {
                let nearest = |row: &Vec<f64>| {
                    let of_labels = self.decided().zip(&thresholds).map(|(label, &threshold)| distance(row[label], threshold));
                    of_labels.fold(f64::INFINITY, f64::min)
                };
                let half = below_share(self.probabilities.iter().map(nearest).collect(), share).max(0.0);
                review = thresholds.iter().map(|&threshold| around(threshold, half)).collect();
            }
            Some(ReviewTarget::Error(error)) => {
                review = self.decided().zip(&thresholds).map(|(label, &at)| self.rows(label).band(error, at)).collect();
                let empty = |band: &[f64; 2]| band[0] == band[1];
                thresholds.iter_mut().zip(&review).filter(|(_, band)| empty(band)).for_each(|(at, band)| *at = band[0]);
            }
        }
        let target = |label: usize| self.target(label).map_or(String::new(), |target| target.to_string());
        let mut targets: Vec<String> = self.decided().map(target).collect();
        if self.is_of_two() {
            // Both labels have an entry: the first one is given below the last one's threshold.
            thresholds.insert(0, 1.0 - thresholds[0]);
            targets.insert(0, String::new());
            if let Some(&[low, high]) = review.first() {
                review.insert(0, [1.0 - high, 1.0 - low]);
            }
        }
        if targets.iter().all(String::is_empty) {
            targets.clear();
        }
        (DecisionRule { thresholds, review, targets }, out_of_reach)
    }

    fn is_of_two(&self) -> bool {
        self.truth.task == Task::SingleLabel && self.truth.labels.len() == 2
    }

    /// Whether the most probable label is given, if it is probable enough.
    fn is_most_probable(&self) -> bool {
        self.truth.task == Task::SingleLabel && !self.is_of_two()
    }

    /// The labels with a threshold of their own.
    fn decided(&self) -> std::ops::Range<usize> {
        usize::from(self.is_of_two())..self.truth.labels.len()
    }

    fn target(&self, label: usize) -> Option<DecisionTarget> {
        self.request.target(&self.truth.labels.names()[label])
    }

    fn default_threshold(&self) -> f64 {
        if self.is_most_probable() { 0.0 } else { DEFAULT_THRESHOLD }
    }

    fn rows(&self, label: usize) -> LabelRows {
        let score = |row: &Vec<f64>| (!self.is_most_probable() || most_probable(row) == label).then_some(row[label]);
        let map = self.calibration.maps.get(if self.calibration.maps.len() == 1 { 0 } else { label });
        LabelRows {
            truth: self.truth.of_label(label),
            scores: self.probabilities.iter().map(score).collect(),
            calibrated: map.is_some_and(|map| *map != CalibrationMap::None),
        }
    }

    /// Thresholds of exclusive labels, raised until the texts that the most probable label is too improbable of are as many as may be, or
    /// few enough of the others are wrong.
    fn least_sure(&self, thresholds: &[f64]) -> Vec<f64> {
        let best = |row: &Vec<f64>| {
            let label = most_probable(row);
            (label, row[label])
        };
        let raised = |least: f64| thresholds.iter().map(|threshold| threshold.max(least)).collect();
        let tops: Vec<(usize, f64)> = self.probabilities.iter().map(best).collect();
        match self.request.review {
            // A text below its own threshold is left to a person already.
            Some(ReviewTarget::Budget(share)) => {
                let sure = |&(label, top): &(usize, f64)| if top < thresholds[label] { f64::MIN } else { top };
                raised(below_share(tops.iter().map(sure).collect(), share).max(0.0))
            }
            Some(ReviewTarget::Error(error)) => {
                let rows = LabelRows {
                    truth: tops.iter().zip(self.truth.truth).map(|(&(label, _), truth)| truth[label]).collect(),
                    scores: tops.iter().map(|&(label, top)| (top >= thresholds[label]).then_some(top)).collect(),
                    calibrated: false,
                };
                raised(rows.choose(DecisionTarget::Precision(1.0 - error)).threshold)
            }
            None => thresholds.to_vec(),
        }
    }
}
