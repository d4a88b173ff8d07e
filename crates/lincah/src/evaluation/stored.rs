//! The form in which evaluations are stored: that of the first lincah, with keys added since.

use super::constant::{chance_areas, constant_class, constant_label};
use super::{Evaluation, LabelEvaluation, Score};
use crate::label::{LabelError, LabelSet};
use crate::metrics::Metric;
use crate::prediction::{DEFAULT_THRESHOLD, DecisionRule};
use crate::statistics::RESAMPLES;
use crate::task::Task;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The two answers about an independent label, each of which is stored as an evaluation of them.
const ANSWERS: [&str; 2] = ["No", "Yes"];

/// Why stored JSON is no evaluation.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoredError {
    /// Labels that cannot be told apart.
    #[error(transparent)]
    Labels(#[from] LabelError),
    /// A label's entry of another shape.
    #[error("a label's evaluation has another shape: {0}")]
    Label(#[from] serde_json::Error),
    /// Entries and labels that don't belong together.
    #[error("{found} entries of `{key}` for {labels} labels")]
    Entries {
        /// Of what.
        key: &'static str,
        /// How many there are.
        found: usize,
        /// How many there should be.
        labels: usize,
    },
}

/// An evaluation of either task as JSON has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredEvaluation {
    n: usize,
    #[serde(default)]
    task: Option<Task>,
    labels: Vec<String>,
    /// The metrics by key, and single numbers beside them such as `baseline_f1`.
    #[serde(flatten)]
    scores: Map<String, Value>,
    log_loss: f64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    per_label: Vec<Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    confusion_matrix: Vec<Vec<u64>>,
    /// Absent where each label has its own.
    #[serde(default)]
    threshold: Option<f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    thresholds: Vec<f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    review: Vec<[f64; 2]>,
    #[serde(default)]
    intervals: Option<Map<String, Value>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    one_class_resamples: Option<usize>,
    /// Constant answers of independent labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    majority: Option<Map<String, Value>>,
    /// Those of exclusive ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    constant_answers: Option<Map<String, Value>>,
    #[serde(default)]
    abstained: usize,
    cut_texts: usize,
    texts_per_second: f64,
}

/// An exclusive label against the rest.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct StoredLabel {
    label: String,
    rows: u64,
    #[serde(flatten)]
    scores: Map<String, Value>,
    #[serde(default)]
    confusion_matrix: Option<[[u64; 2]; 2]>,
    #[serde(default)]
    log_loss: Option<f64>,
    #[serde(default)]
    intervals: Option<Map<String, Value>>,
}

/// Entries by their metrics' keys.
fn by_key<T: Serialize>(scores: &[Score], of: impl Fn(&Score) -> T) -> Map<String, Value> {
    scores.iter().map(|score| (score.metric.key().to_string(), json!(of(score)))).collect()
}

/// The macro averages by the names that they have with two labels, too, and the areas that only two labels have.
fn with_old_names(mut entries: Map<String, Value>, evaluation: &Evaluation) -> Map<String, Value> {
    if evaluation.task == Task::SingleLabel && !evaluation.has_positive_class() {
        for (old, metric) in [("f1", Metric::MacroF1), ("precision", Metric::MacroPrecision), ("recall", Metric::MacroRecall)] {
            let value = entries.get(metric.key()).cloned().unwrap_or(Value::Null);
            entries.insert(old.to_string(), value);
        }
        entries.extend(["roc_auc", "pr_auc"].map(|key| (key.to_string(), Value::Null)));
    }
    entries
}

/// The intervals, none where there are none at all.
fn stored_intervals(scores: &[Score], without_areas: usize) -> Option<Map<String, Value>> {
    scores.iter().any(|score| score.interval.is_some()).then(|| {
        let mut intervals = by_key(scores, |score| score.interval);
        intervals.insert(String::from("resamples"), json!(RESAMPLES));
        intervals.insert(String::from("one_class_resamples"), json!(without_areas));
        intervals
    })
}

impl From<Evaluation> for StoredEvaluation {
    fn from(evaluation: Evaluation) -> Self {
        let mut scores = with_old_names(by_key(&evaluation.scores, |score| score.value), &evaluation);
        let mut intervals = stored_intervals(&evaluation.scores, evaluation.resamples_without_areas);
        let constants = by_key(&evaluation.scores, |score| score.constant_answer);
        let independent = evaluation.task == Task::MultiLabel;
        if independent {
            for metric in [Metric::MacroRocAuc, Metric::MacroPrAuc] {
                let interval = evaluation.score(metric).and_then(|score| score.interval);
                scores.insert(format!("{}_interval", metric.key()), json!(interval));
            }
        } else {
            intervals = intervals.map(|intervals| with_old_names(intervals, &evaluation));
            let first = evaluation.scores.first().and_then(|score| score.constant_answer);
            scores.insert(String::from("baseline_f1"), json!(first));
        }
        let per_label = evaluation.per_label.iter().enumerate();
        Self {
            n: evaluation.n,
            task: Some(evaluation.task),
            labels: evaluation.labels.names().to_vec(),
            scores,
            log_loss: evaluation.log_loss,
            per_label: per_label.map(|(index, label)| stored_label(&evaluation, index, label)).collect(),
            threshold: one_threshold(&evaluation),
            intervals,
            one_class_resamples: independent.then_some(evaluation.resamples_without_areas),
            majority: independent.then(|| constants.clone()),
            constant_answers: (!independent).then_some(constants),
            abstained: evaluation.abstained,
            cut_texts: evaluation.truncated_texts,
            texts_per_second: evaluation.texts_per_second,
            thresholds: evaluation.rule.thresholds,
            review: evaluation.rule.review,
            confusion_matrix: evaluation.confusion_matrix,
        }
    }
}

/// The threshold, where one number says it.
fn one_threshold(evaluation: &Evaluation) -> Option<f64> {
    match evaluation.rule.thresholds.as_slice() {
        [] => Some(DEFAULT_THRESHOLD),
        &[_, positive] if evaluation.has_positive_class() => Some(positive),
        [first, others @ ..] => others.iter().all(|other| other == first).then_some(*first),
    }
}

fn stored_label(evaluation: &Evaluation, index: usize, label: &LabelEvaluation) -> Value {
    let stored = match evaluation.task {
        Task::SingleLabel => serde_json::to_value(StoredLabel {
            label: label.label.clone(),
            rows: label.rows,
            scores: by_key(&label.scores, |score| score.value),
            confusion_matrix: Some(label.confusion_matrix),
            log_loss: label.log_loss,
            intervals: stored_intervals(&label.scores, label.resamples_without_areas),
        }),
        Task::MultiLabel => serde_json::to_value(of_answers(evaluation, index, label)),
    };
    stored.unwrap_or_default()
}

/// An independent label as an evaluation of the answers to its question.
fn of_answers(evaluation: &Evaluation, index: usize, label: &LabelEvaluation) -> Evaluation {
    let threshold = evaluation.rule.thresholds.get(index);
    Evaluation {
        n: evaluation.n,
        task: Task::SingleLabel,
        labels: LabelSet::new(ANSWERS).expect("no and yes are two labels"),
        scores: label.scores.clone(),
        per_label: Vec::new(),
        confusion_matrix: label.confusion_matrix.iter().map(|row| row.to_vec()).collect(),
        log_loss: label.log_loss.unwrap_or(f64::NAN),
        rule: DecisionRule {
            thresholds: threshold.map_or(Vec::new(), |&threshold| vec![1.0 - threshold, threshold]),
            ..DecisionRule::default()
        },
        abstained: 0,
        truncated_texts: evaluation.truncated_texts,
        texts_per_second: evaluation.texts_per_second,
        resamples_without_areas: label.resamples_without_areas,
    }
}

/// What is stored about some metrics.
struct StoredScores<'a> {
    values: &'a Map<String, Value>,
    intervals: Option<&'a Map<String, Value>>,
    constants: Option<&'a Map<String, Value>>,
    /// What the constant answers are where none are stored.
    computed: Vec<(Metric, f64)>,
}

impl StoredScores<'_> {
    fn of(&self, metrics: Vec<Metric>) -> Vec<Score> {
        let find = |entries: &Map<String, Value>, metric: Metric| -> Option<Value> {
            let old = metric.key().strip_prefix("macro_").filter(|_| !metric.is_area());
            entries.get(metric.key()).or_else(|| entries.get(old?)).cloned()
        };
        let score = |metric: Metric| {
            let value = find(self.values, metric).and_then(|value| value.as_f64());
            let beside = || self.values.get(&format!("{}_interval", metric.key())).cloned();
            let interval = self.intervals.and_then(|intervals| find(intervals, metric)).filter(|interval| !interval.is_null());
            let interval = interval.or_else(beside).and_then(|interval| serde_json::from_value(interval).ok());
            let computed = self.computed.iter().find(|(other, _)| *other == metric).map(|(_, value)| *value);
            let stored = self.constants.and_then(|constants| constants.get(metric.key())); // absent from what an earlier lincah wrote
            let constant_answer = stored.map_or(computed, Value::as_f64).filter(|_| value.is_some());
            Score { metric, value, interval, constant_answer }
        };
        metrics.into_iter().map(score).collect()
    }
}

fn without_areas(intervals: Option<&Map<String, Value>>) -> usize {
    let count = intervals.and_then(|intervals| intervals.get("one_class_resamples")).and_then(Value::as_u64);
    count.unwrap_or_default() as usize
}

impl TryFrom<StoredEvaluation> for Evaluation {
    type Error = StoredError;

    fn try_from(mut stored: StoredEvaluation) -> Result<Self, StoredError> {
        let labels = LabelSet::new(std::mem::take(&mut stored.labels))?;
        let multi_label = stored.scores.contains_key(Metric::HammingLoss.key());
        let task = stored.task.unwrap_or(if multi_label { Task::MultiLabel } else { Task::SingleLabel });
        stored.check_entries(task, labels.len())?;
        let per_label = match task {
            Task::SingleLabel => stored.exclusive_labels()?,
            Task::MultiLabel => stored.independent_labels(&labels)?,
        };
        let rows: Vec<u64> = match per_label.as_slice() {
            [] => stored.confusion_matrix.iter().map(|row| row.iter().sum()).collect(),
            labels => labels.iter().map(|label| label.rows).collect(),
        };
        let computed = match task {
            Task::SingleLabel => constant_class(&rows),
            // The others are in `majority`.
            Task::MultiLabel => chance_areas(&rows, stored.n as u64).to_vec(),
        };
        let (intervals, constants) = (stored.intervals.as_ref(), stored.constant_answers.as_ref().or(stored.majority.as_ref()));
        let scores = StoredScores { values: &stored.scores, intervals, constants, computed };
        Ok(Self {
            n: stored.n,
            task,
            scores: scores.of(Metric::of(task, labels.len())),
            labels,
            per_label,
            log_loss: stored.log_loss,
            abstained: stored.abstained,
            truncated_texts: stored.cut_texts,
            texts_per_second: stored.texts_per_second,
            resamples_without_areas: stored.one_class_resamples.unwrap_or_else(|| without_areas(intervals)),
            rule: DecisionRule { thresholds: stored.thresholds, review: stored.review, targets: Vec::new() },
            confusion_matrix: stored.confusion_matrix,
        })
    }
}

impl StoredEvaluation {
    fn check_entries(&self, task: Task, labels: usize) -> Result<(), StoredError> {
        let entries = |key: &'static str, found: usize| match found == labels {
            true => Ok(()),
            false => Err(StoredError::Entries { key, found, labels }),
        };
        if task == Task::SingleLabel {
            entries("confusion_matrix", self.confusion_matrix.len())?;
            self.confusion_matrix.iter().try_for_each(|row| entries("confusion_matrix", row.len()))?;
        }
        let whole = task == Task::SingleLabel && labels == 2 && self.per_label.is_empty();
        if whole { Ok(()) } else { entries("per_label", self.per_label.len()) }
    }

    fn exclusive_labels(&self) -> Result<Vec<LabelEvaluation>, StoredError> {
        let of = |(index, value): (usize, &Value)| {
            let stored: StoredLabel = serde_json::from_value(value.clone())?;
            let counts = stored.confusion_matrix.unwrap_or_else(|| self.against_rest(index));
            let (intervals, computed) = (stored.intervals.as_ref(), constant_label(counts));
            let scores = StoredScores { values: &stored.scores, intervals, constants: None, computed };
            Ok(LabelEvaluation {
                scores: scores.of(Metric::of_label()),
                resamples_without_areas: without_areas(intervals),
                label: stored.label,
                rows: stored.rows,
                confusion_matrix: counts,
                log_loss: stored.log_loss,
            })
        };
        self.per_label.iter().enumerate().map(of).collect()
    }

    /// A label's matrix out of that of all.
    fn against_rest(&self, label: usize) -> [[u64; 2]; 2] {
        let mut counts = [[0; 2]; 2];
        for (row, cells) in self.confusion_matrix.iter().enumerate() {
            for (column, &count) in cells.iter().enumerate() {
                counts[usize::from(row == label)][usize::from(column == label)] += count;
            }
        }
        counts
    }

    fn independent_labels(&self, labels: &LabelSet) -> Result<Vec<LabelEvaluation>, StoredError> {
        let of = |(label, value): (&String, &Value)| {
            let stored: StoredEvaluation = serde_json::from_value(value.clone())?;
            let answers = Evaluation::try_from(stored)?;
            let counts = [0, 1].map(|row| [0, 1].map(|column| answers.confusion_matrix[row][column]));
            Ok(LabelEvaluation {
                label: label.clone(),
                rows: counts[1].iter().sum(),
                scores: answers.scores,
                confusion_matrix: counts,
                log_loss: Some(answers.log_loss),
                resamples_without_areas: answers.resamples_without_areas,
            })
        };
        labels.names().iter().zip(&self.per_label).map(of).collect()
    }
}
