//! Two classifiers of either task on the same rows: is the difference real, and which decisions flip?

mod changes;
mod stored;

use crate::error::Error;
use crate::evaluation::{Evaluation, Truth};
use crate::metrics::{Metric, check_lengths};
use crate::prediction::{DecisionRule, Prediction};
use crate::statistics::{Difference, McNemar, MetricValues, holm, mcnemar, paired_differences};
use crate::task::Task;
use serde::Serialize;
use stored::StoredComparison;

pub use changes::{Change, ChangeKind, DecisionChanges};

/// What a classifier makes of some rows.
#[derive(Debug, Clone, Copy)]
pub struct Scored<'a> {
    /// For each row.
    pub predictions: &'a [Prediction],
    /// What made decisions of the probabilities.
    pub rule: &'a DecisionRule,
    /// What the scoring took.
    pub seconds: f64,
}

/// A row that the two classifiers decide differently. A set of exclusive labels has one; none where nothing was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flip {
    /// The row in the file, from 1.
    pub row: u64,
    /// Its true labels.
    pub truth: Vec<String>,
    /// The first classifier's.
    pub first: Vec<String>,
    /// The second classifier's.
    pub second: Vec<String>,
}

/// The difference of a metric, the second's less the first's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricDifference {
    /// Of which metric.
    pub metric: Metric,
    /// Absent where one of the classifiers has no value.
    pub difference: Option<Difference>,
}

impl MetricDifference {
    /// Whether the second is better, where chance hardly explains the difference.
    pub fn second_is_better(&self) -> Option<bool> {
        let clear = self.difference.filter(Difference::is_clear)?;
        Some((clear.value > 0.0) == self.metric.higher_is_better())
    }
}

/// The answers about one label.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelComparison {
    /// The label.
    pub label: String,
    /// Test of the answers, whether each row has the label.
    pub mcnemar: McNemar,
    /// Its p-value, adjusted for the number of labels by [`holm`].
    pub adjusted_p_value: f64,
    /// Of the metrics of [`Metric::of_label`], in that order.
    pub differences: Vec<MetricDifference>,
}

impl LabelComparison {
    /// The difference of a metric, where it is defined.
    pub fn difference(&self, metric: Metric) -> Option<&Difference> {
        difference(&self.differences, metric)
    }
}

/// What two classifiers make of the same rows. Differences are the second's metric less the first's.
///
/// It is stored as it always was: `f1_difference` and `roc_auc_difference` of exclusive labels, a flip's labels as one string each;
/// `differences` by [`Metric::key`] and a flip's labels as arrays of independent ones.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(into = "StoredComparison")]
pub struct Comparison {
    /// Rows.
    pub n: usize,
    /// The first classifier's metrics.
    pub first: Evaluation,
    /// The second classifier's metrics.
    pub second: Evaluation,
    /// Test of the decisions: exclusive labels the one given, independent ones all of a row's answers.
    pub mcnemar: McNemar,
    /// Of the metrics of [`Metric::of`], in that order, all from the same resamples.
    pub differences: Vec<MetricDifference>,
    /// Each label against the rest, in the labels' order; empty with two exclusive labels.
    pub per_label: Vec<LabelComparison>,
    /// Rows on which the decisions differ, in the order of the data.
    pub flips: Vec<Flip>,
    /// One line in plain words.
    pub verdict: String,
}

impl Comparison {
    /// Compares two classifiers of the same labels on the same rows, whose numbers in the file are `rows`.
    ///
    /// # Errors
    /// As [`Evaluation::of`]; row numbers that are not of these rows.
    pub fn of(first: Scored, second: Scored, truth: Truth, rows: &[u64]) -> Result<Self, Error> {
        check_lengths(truth.truth.len(), rows.len())?;
        let [first_evaluation, second_evaluation] =
            [first, second].map(|scored| Evaluation::of(scored.predictions, truth, scored.rule, scored.seconds));
        let (first_evaluation, second_evaluation) = (first_evaluation?, second_evaluation?);
        let found = paired_differences(&truth.scored_rows(first.predictions)?, &truth.scored_rows(second.predictions)?)?;
        let [first, second] = [first, second].map(|scored| scored.predictions.iter().map(Prediction::given).collect::<Vec<_>>());
        let right =
            |given: &[Vec<bool>]| -> Vec<bool> { given.iter().zip(truth.truth).map(|(given, truth)| given == truth).collect() };
        let mcnemar = mcnemar(&right(&first), &right(&second));
        let metrics = Metric::of(truth.task, truth.labels.len());
        let differences = with_metrics(metrics, &found.metrics);
        Ok(Self {
            n: truth.truth.len(),
            per_label: per_label(truth, (&first, &second), &found),
            flips: flips(truth, (&first, &second), rows),
            verdict: verdict(truth.task, &mcnemar, &differences),
            first: first_evaluation,
            second: second_evaluation,
            mcnemar,
            differences,
        })
    }

    /// The difference of a metric, where it is defined.
    pub fn difference(&self, metric: Metric) -> Option<&Difference> {
        difference(&self.differences, metric)
    }
}

fn difference(differences: &[MetricDifference], metric: Metric) -> Option<&Difference> {
    differences.iter().find(|of| of.metric == metric)?.difference.as_ref()
}

fn with_metrics(metrics: Vec<Metric>, differences: &[Option<Difference>]) -> Vec<MetricDifference> {
    metrics.into_iter().zip(differences).map(|(metric, &difference)| MetricDifference { metric, difference }).collect()
}

/// Labels given to each row, by either classifier.
type Given<'a> = (&'a [Vec<bool>], &'a [Vec<bool>]);

fn per_label(truth: Truth, (first, second): Given, found: &MetricValues<Difference>) -> Vec<LabelComparison> {
    let right = |given: &[Vec<bool>], label: usize| -> Vec<bool> {
        given.iter().zip(truth.truth).map(|(given, truth)| given[label] == truth[label]).collect()
    };
    let labels = 0..found.per_label.len();
    let answers: Vec<McNemar> = labels.clone().map(|label| mcnemar(&right(first, label), &right(second, label))).collect();
    let adjusted = holm(&answers.iter().map(|test| test.p_value).collect::<Vec<_>>());
    let of = |label: usize| LabelComparison {
        label: truth.labels.names()[label].clone(),
        mcnemar: answers[label],
        adjusted_p_value: adjusted[label],
        differences: with_metrics(Metric::of_label(), &found.per_label[label]),
    };
    labels.map(of).collect()
}

fn flips(truth: Truth, (first, second): Given, rows: &[u64]) -> Vec<Flip> {
    let named = |labels: &[bool]| -> Vec<String> {
        truth.labels.names().iter().zip(labels).filter(|(_, has)| **has).map(|(name, _)| name.clone()).collect()
    };
    let differ = (0..rows.len()).filter(|&row| first[row] != second[row]);
    let flip = |row: usize| Flip {
        row: rows[row],
        truth: named(&truth.truth[row]),
        first: named(&first[row]),
        second: named(&second[row]),
    };
    differ.map(flip).collect()
}

/// Says what several tests say together, each with the side that it speaks for; each has its own 5 %.
fn verdict(task: Task, decisions: &McNemar, differences: &[MetricDifference]) -> String {
    let of_decisions = (decisions.p_value < 0.05).then_some(decisions.only_second_right > decisions.only_first_right);
    let name = if task == Task::SingleLabel { "decisions" } else { "rows that are all right" };
    let two_classes = differences.iter().any(|of| of.metric == Metric::F1);
    let telling: &[Metric] = match task {
        Task::SingleLabel if two_classes => &[Metric::F1, Metric::RocAuc],
        Task::SingleLabel => &[Metric::MacroF1, Metric::MacroRocAuc],
        Task::MultiLabel => &[Metric::MicroF1, Metric::MacroF1, Metric::MacroRocAuc],
    };
    let metrics = differences.iter().filter(|of| telling.contains(&of.metric));
    let metrics = metrics.map(|of| (of.metric.name(), of.second_is_better()));
    let tests: Vec<(&str, Option<bool>)> = std::iter::once((name, of_decisions)).chain(metrics).collect();
    let of = |side: bool| -> Vec<&str> { tests.iter().filter(|test| test.1 == Some(side)).map(|test| test.0).collect() };
    match (of(true).as_slice(), of(false).as_slice()) {
        ([], []) => String::from("no real difference: on these rows, chance explains what differs"),
        (better, []) => format!("the second is better, by {}; chance hardly explains that", better.join(", ")),
        ([], better) => format!("the first is better, by {}; chance hardly explains that", better.join(", ")),
        (second, first) => {
            format!("mixed: the second is better by {}, the first by {}", second.join(", "), first.join(", "))
        }
    }
}
