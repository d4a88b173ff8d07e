//! What decisions come to on rows.

use super::target::DecisionTarget;
use crate::evaluation::Truth;
use crate::metrics::{MetricError, check_lengths};
use crate::prediction::{DEFAULT_THRESHOLD, Decision, DecisionRule, Prediction};
use crate::statistics::{Proportion, lowest_shown_rate, rows_to_show_rate};
use crate::task::Task;
use serde::{Deserialize, Serialize};

/// Rows by what was decided about a label.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    /// Given the label.
    pub flagged: u64,
    /// Not given it.
    pub cleared: u64,
    /// Left to a person.
    pub reviewed: u64,
}

impl Outcomes {
    /// All of them.
    pub fn rows(self) -> u64 {
        self.flagged + self.cleared + self.reviewed
    }
}

/// What the decisions about one label come to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "StoredPoint")]
pub struct OperatingPoint {
    /// The label; of two exclusive labels the last.
    pub label: String,
    /// What the threshold was chosen for, as [`DecisionTarget`] shows it.
    #[serde(default)]
    pub target: Option<String>,
    /// From which probability on it is given; none where the most probable label is.
    #[serde(default)]
    pub threshold: Option<f64>,
    /// From which to below which probability nothing is decided.
    #[serde(default)]
    pub review: Option<[f64; 2]>,
    /// Rows that have it.
    pub positives: Outcomes,
    /// Rows that have it not.
    pub negatives: Outcomes,
}

/// A rate with its rows and exact 95 % interval, as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct StoredRate {
    value: Option<f64>,
    interval: [f64; 2],
    rows: u64,
}

/// [`OperatingPoint`] with what follows from its counts.
#[derive(Serialize)]
struct StoredPoint {
    label: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    threshold: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    review: Option<[f64; 2]>,
    positives: Outcomes,
    negatives: Outcomes,
    precision: StoredRate,
    recall: StoredRate,
    false_positive_rate: StoredRate,
}

impl From<OperatingPoint> for StoredPoint {
    fn from(point: OperatingPoint) -> Self {
        let stored = |rate: Proportion| StoredRate { value: rate.value(), interval: rate.interval(), rows: rate.rows };
        Self {
            precision: stored(point.precision()),
            recall: stored(point.recall()),
            false_positive_rate: stored(point.false_positive_rate()),
            label: point.label,
            target: point.target,
            threshold: point.threshold,
            review: point.review,
            positives: point.positives,
            negatives: point.negatives,
        }
    }
}

impl OperatingPoint {
    /// Of the flagged rows those that have the label.
    pub fn precision(&self) -> Proportion {
        Proportion::new(self.positives.flagged, self.positives.flagged + self.negatives.flagged)
    }

    /// Of the rows that have the label those that are flagged; the ones left to a person are not.
    pub fn recall(&self) -> Proportion {
        Proportion::new(self.positives.flagged, self.positives.rows())
    }

    /// Of the rows without the label those that are flagged.
    pub fn false_positive_rate(&self) -> Proportion {
        Proportion::new(self.negatives.flagged, self.negatives.rows())
    }

    /// Of the rows that have the label those that are missed.
    pub fn missed(&self) -> Proportion {
        Proportion::new(self.positives.cleared, self.positives.rows())
    }

    /// Of all rows those that are flagged.
    pub fn flagged(&self) -> Proportion {
        Proportion::new(self.positives.flagged + self.negatives.flagged, self.positives.rows() + self.negatives.rows())
    }

    /// Of all rows those that are left to a person.
    pub fn reviewed(&self) -> Proportion {
        Proportion::new(self.positives.reviewed + self.negatives.reviewed, self.positives.rows() + self.negatives.rows())
    }

    /// What the rows cannot show: a line where they are too few for the target, even without a single error. One-sided, 95 %.
    pub fn too_few_rows(&self) -> Option<String> {
        let target: DecisionTarget = self.target.as_ref()?.parse().ok()?;
        let (rows, of, error, rate, shown): (u64, String, f64, &str, &dyn Fn(f64) -> f64) = match target {
            DecisionTarget::FalsePositiveRate(rate) => {
                (self.negatives.rows(), String::from("negatives"), rate, "a false-positive rate below", &|bound| bound)
            }
            DecisionTarget::Precision(share) => {
                (self.flagged().successes, String::from("flagged rows"), 1.0 - share, "a precision above", &|bound| 1.0 - bound)
            }
            DecisionTarget::Recall(share) => {
                (self.positives.rows(), String::from("positives"), 1.0 - share, "a recall above", &|bound| 1.0 - bound)
            }
            _ => return None,
        };
        let needed = rows_to_show_rate(error, 0.95);
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        (rows < needed).then(|| {
            format!(
                "{rows} {of} cannot show {rate} {} (one-sided, 95 %); for {} {needed} without an error are needed",
                percent(shown(lowest_shown_rate(rows, 0.95))),
                percent(shown(error)),
            )
        })
    }
}

/// What the decisions about a task's labels come to on rows: the one type behind report, evaluation, page and stored classifier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperatingPoints {
    /// Rows.
    pub rows: u64,
    /// Rows that are left to a person.
    pub reviewed: u64,
    /// Rows of which every decision is right.
    pub right: u64,
    /// Of two exclusive labels the last alone; else each against the rest.
    pub labels: Vec<OperatingPoint>,
}

impl OperatingPoints {
    /// Counts the decisions of `predictions`, which `rule` made.
    ///
    /// # Errors
    /// [`MetricError::Empty`], [`MetricError::Lengths`].
    pub fn of(truth: Truth, predictions: &[Prediction], rule: &DecisionRule) -> Result<Self, MetricError> {
        check_lengths(truth.truth.len(), predictions.len())?;
        let labels = truth.labels.len();
        let first = if truth.task == Task::SingleLabel && labels == 2 { 1 } else { 0 };
        let point = |label: usize| {
            let (mut positives, mut negatives) = (Outcomes::default(), Outcomes::default());
            for (truth, prediction) in truth.truth.iter().zip(predictions) {
                let outcomes = if truth[label] { &mut positives } else { &mut negatives };
                match &prediction.decision {
                    Decision::Abstain => outcomes.reviewed += 1,
                    decision if decision.given(labels)[label] => outcomes.flagged += 1,
                    _ => outcomes.cleared += 1,
                }
            }
            let threshold = match (truth.task, rule.thresholds.get(label)) {
                (_, Some(&threshold)) => Some(threshold),
                (Task::SingleLabel, None) if labels > 2 => None,
                (_, None) => Some(DEFAULT_THRESHOLD),
            };
            let review = rule.review.get(label).copied().filter(|[low, high]| low < high);
            let (label, target) = (truth.labels.names()[label].clone(), rule.target_of(label).map(str::to_owned));
            OperatingPoint { label, target, threshold, review, positives, negatives }
        };
        let right = truth.truth.iter().zip(predictions).filter(|(truth, prediction)| prediction.is_right(truth));
        Ok(Self {
            rows: predictions.len() as u64,
            reviewed: predictions.iter().filter(|prediction| prediction.decision == Decision::Abstain).count() as u64,
            right: right.count() as u64,
            labels: (first..labels).map(point).collect(),
        })
    }

    /// Of the rows that are decided those with every decision right.
    pub fn right_of_decided(&self) -> Proportion {
        Proportion::new(self.right, self.rows - self.reviewed)
    }

    /// One sentence that anybody can read, with exact 95 % intervals; it is about texts of the same mix as these rows.
    pub fn sentence(&self) -> String {
        let percent = |share: f64| format!("{:.0} %", 100.0 * share);
        let rate = |rate: Proportion| {
            let [low, high] = rate.interval();
            rate.value()
                .map_or(String::from("none"), |value| format!("{} ({} to {})", percent(value), percent(low), percent(high)))
        };
        let reviewed = match Proportion::new(self.reviewed, self.rows).value() {
            Some(share) if share > 0.0 => format!("; a person looks at {}", percent(share)),
            _ => String::new(),
        };
        match self.labels.as_slice() {
            [only] => {
                let (label, missed) = (&only.label, rate(only.missed()));
                let flagged = match only.flagged().value() {
                    Some(share) if share > 0.0 => {
                        let right = rate(only.precision());
                        format!(
                            "Of 100 texts like these {:.0} are flagged as {label}, {right} of the flags are right, and",
                            100.0 * share
                        )
                    }
                    _ => format!("No text like these is flagged as {label}, and"),
                };
                format!("{flagged} {missed} of the texts that are {label} are missed{reviewed}.")
            }
            labels => {
                let worst = labels.iter().filter(|label| label.positives.rows() > 0);
                let worst = worst.min_by(|a, b| {
                    let recall = |point: &OperatingPoint| point.recall().value().unwrap_or(1.0);
                    recall(a).total_cmp(&recall(b))
                });
                let worst = worst
                    .map_or(String::new(), |label| format!(", and least are found of {}: {}", label.label, rate(label.recall())));
                format!(
                    "Of the texts like these that are decided, {} are all right{worst}{reviewed}.",
                    rate(self.right_of_decided())
                )
            }
        }
    }
}
