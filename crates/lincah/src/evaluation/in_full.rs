//! An evaluation with what its decisions mean.

use super::{Evaluation, Truth};
use crate::decisions::{AtPrevalence, OperatingPoints, Prevalences};
use crate::error::Error;
use crate::gate::GatedFigure;
use crate::metrics::Metric;
use crate::prediction::{DecisionRule, Prediction};
use serde::Serialize;
use std::collections::BTreeMap;

/// What `evaluate` says: the metrics, the decisions, and both in a sentence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FullEvaluation {
    /// The metrics.
    #[serde(flatten)]
    pub evaluation: Evaluation,
    /// One sentence that anybody can read.
    pub summary: String,
    /// How many of the rows given were trained on; none where the classifier does not remember, or was not trained.
    pub trained_on_rows: Option<usize>,
    /// Whether those are among the rows of the metrics.
    pub training_rows_included: bool,
    /// How many of the rows of the metrics chose the decisions, and so make them look better.
    pub rows_that_chose: usize,
    /// What decided.
    pub decision_rule: DecisionRule,
    /// What the decisions come to on the rows.
    pub operating_points: OperatingPoints,
    /// And at the prevalences of the traffic; empty where none are given.
    pub at_prevalence: Vec<AtPrevalence>,
    /// What each of several members reaches by itself, uncalibrated and decided by the default rule.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<MemberFigures>,
}

/// What a member reaches by itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MemberFigures {
    /// In words.
    pub member: String,
    /// The task's two headline metrics, by key.
    pub scores: BTreeMap<&'static str, Option<f64>>,
}

impl MemberFigures {
    /// Of each member that `names` has, if the predictions have them.
    fn of(predictions: &[Prediction], truth: Truth, names: &[String]) -> Result<Vec<Self>, Error> {
        let has_members = |prediction: &Prediction| prediction.members.len() == names.len();
        if !predictions.iter().all(has_members) {
            return Ok(Vec::new());
        }
        let member = |(place, name): (usize, &String)| {
            let of_member = |prediction: &Prediction| {
                Prediction::new(truth.task, prediction.members[place].clone(), prediction.truncated_characters)
            };
            let predictions: Vec<Prediction> = predictions.iter().map(of_member).collect();
            let values = truth.scored_rows(&predictions)?.values(&vec![1; predictions.len()]);
            let labels = truth.labels.len();
            let headline = Metric::headline(truth.task, labels);
            let scores =
                Metric::of(truth.task, labels).into_iter().zip(values.metrics).filter(|(metric, _)| headline.contains(metric));
            Ok(Self { member: name.clone(), scores: scores.map(|(metric, value)| (metric.key(), value)).collect() })
        };
        names.iter().enumerate().map(member).collect()
    }
}

/// What is known of the rows that an evaluation is of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EvaluatedRows {
    /// See [`FullEvaluation::trained_on_rows`].
    pub trained_on: Option<usize>,
    /// See [`FullEvaluation::training_rows_included`].
    pub training_rows_included: bool,
    /// See [`FullEvaluation::rows_that_chose`].
    pub chosen_with: usize,
    /// How frequent labels are in the traffic.
    pub prevalences: Prevalences,
    /// The classifier's members in words, where it has several.
    pub members: Vec<String>,
}

impl FullEvaluation {
    /// Of rows that were predicted and evaluated.
    ///
    /// # Errors
    /// [`Error::PrevalenceLabel`]; predictions that are not of these rows.
    pub fn of(evaluation: Evaluation, predictions: &[Prediction], truth: Truth, rows: &EvaluatedRows) -> Result<Self, Error> {
        let operating_points = OperatingPoints::of(truth, predictions, &evaluation.rule)?;
        let names: Vec<String> = operating_points.labels.iter().map(|point| point.label.clone()).collect();
        if let Some(label) = rows.prevalences.unknown(&names) {
            return Err(Error::PrevalenceLabel { label: label.to_owned(), labels: crate::data::Names(names) });
        }
        let members = MemberFigures::of(predictions, truth, &rows.members)?;
        let at_prevalence = AtPrevalence::of(&operating_points, &rows.prevalences);
        Ok(Self {
            summary: at_prevalence.first().map_or_else(|| operating_points.sentence(), |first| first.sentence.clone()),
            trained_on_rows: rows.trained_on,
            training_rows_included: rows.training_rows_included,
            rows_that_chose: rows.chosen_with,
            decision_rule: evaluation.rule.clone(),
            operating_points,
            at_prevalence,
            members,
            evaluation,
        })
    }

    /// The figures that a gate may look at: the metrics by their keys, the log loss, and the share of rows that are decided.
    pub fn figures(&self) -> Vec<GatedFigure> {
        let metrics = self.evaluation.scores.iter().map(|score| GatedFigure {
            name: score.metric.key().to_owned(),
            value: score.value,
            higher_is_better: score.metric.higher_is_better(),
        });
        let share = |count: u64| Some(count as f64 / self.operating_points.rows.max(1) as f64);
        let reviewed = share(self.operating_points.reviewed);
        let log_loss = Some(self.evaluation.log_loss);
        metrics
            .chain([
                GatedFigure { name: String::from("log_loss"), value: log_loss, higher_is_better: false },
                GatedFigure { name: String::from("reviewed"), value: reviewed, higher_is_better: false },
            ])
            .collect()
    }
}
