//! The report of scored rows: a classifier's on given rows, or a cross-validation's on rows out of fold.

use super::chart::Drawing;
use super::decisions::Decisions;
use super::label_column::{self, Column};
use super::page::{facts, figure, notices, page, provenance};
use super::rows::Rows;
use super::summary::{EvaluationPair, Summary};
use super::{Fact, Origin, Report, audit, confusion, decimals, fact, labels, percent, setting, short};
use crate::audit::Audit;
use crate::classifier::{BaseModelRecord, DataRecord, DecisionRecord};
use crate::data::report::DataReport;
use crate::decisions::{OperatingPoints, Prevalences};
use crate::error::Error;
use crate::evaluation::{Evaluation, Truth};
use crate::explanation::Reason;
use crate::metrics::brier_multi_class;
use crate::prediction::Prediction;
use crate::statistics::paired_differences;
use crate::task::Task;
use maud::{Markup, html};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What TF-IDF with logistic regression, trained on the same rows, makes of the scored rows.
#[derive(Debug, Clone, Copy)]
pub struct Baseline<'a> {
    /// For each row.
    pub predictions: &'a [Prediction],
    /// Their metrics.
    pub evaluation: &'a Evaluation,
}

/// What a reader must know of scored rows, in sentences.
pub fn scored_notices(data: &DataReport, evaluation: &Evaluation) -> Vec<String> {
    let conflicting = data.conflicting_labels.first().map(|group| {
        format!(
            "{} texts are labelled in more than one way, the first in rows {group:?}; no classifier can answer them all.",
            data.conflicting_labels.len()
        )
    });
    let truncated = (evaluation.truncated_texts > 0)
        .then(|| format!("{} texts were truncated to fit the prompt; their ends were not seen.", evaluation.truncated_texts));
    conflicting.into_iter().chain(truncated).collect()
}

/// Scored rows and what is known about them.
#[derive(Debug, Clone)]
pub struct ScoredReport<'a> {
    /// What was scored, such as "Classifier" or "Cross-validation".
    pub kind: &'a str,
    /// For each row.
    pub predictions: &'a [Prediction],
    /// The rows' true labels, `[rows][labels]`.
    pub truth: &'a [Vec<bool>],
    /// The rows' numbers in the data file, from 1.
    pub rows: &'a [u64],
    /// The metrics of these predictions.
    pub evaluation: &'a Evaluation,
    /// The rows' texts, if they are to be in the report.
    pub texts: Option<&'a [String]>,
    /// A look through the scored rows, where their texts are at hand.
    pub data: Option<DataReport>,
    /// What must be beaten.
    pub baseline: Option<Baseline<'a>>,
    /// The folds, if these are out-of-fold scores.
    pub folds: &'a [EvaluationPair<'a>],
    /// The base model.
    pub base_model: Option<&'a BaseModelRecord>,
    /// What a classifier was trained with.
    pub training: Option<&'a DataRecord>,
    /// How it was trained: settings by name; none where that is not known.
    pub settings: Map<String, Value>,
    /// How a classifier's decisions were chosen, if they were.
    pub decisions: Option<&'a DecisionRecord>,
    /// How frequent labels are in the traffic.
    pub prevalences: Prevalences,
    /// What an audit of the classifier found.
    pub audit: Option<&'a Audit>,
    /// Why rows were answered as they were, by their place: of [`ScoredReport::rows_shown`] where it was looked at.
    pub reasons: BTreeMap<usize, Vec<Reason>>,
    /// What a reader must know before the numbers.
    pub notices: Vec<String>,
}

impl ScoredReport<'_> {
    /// Writes the report.
    ///
    /// # Errors
    /// Predictions that are not of these rows, or no probabilities.
    pub fn render(&self, origin: &Origin) -> Result<Report, Error> {
        let labels = &self.evaluation.labels;
        let confusion = confusion::drawing(self.evaluation);
        let baseline = self.baseline.as_ref().map(|baseline| baseline.predictions);
        let columns = label_column::columns(self.evaluation, self.truth(), self.predictions, baseline);
        let plots = labels::plots(&columns)?;
        let points = OperatingPoints::of(self.truth(), self.predictions, &self.evaluation.rule)?;
        let decisions = Decisions { points: &points, chosen: self.decisions, prevalences: &self.prevalences };
        let sections = html! {
            (notices(&self.notices))
            (decisions.sentence())
            (self.summary()?.section())
            (decisions.section())
            h2 { "Data" }
            (facts(&self.data_card()))
            h2 { "Answers" }
            (self.answers(confusion.as_ref(), &columns)?)
            @match &plots {
                Some(plots) => (plots.section),
                None => p class="muted" { "No label has rows with it and rows without: curves and thresholds need both, and are left out." },
            }
            @if let Some(found) = self.audit { (audit::section(found)) }
            (self.rows_to_look_at().section()?)
            (provenance(&self.provenance(), origin))
        };
        let subtitle = format!(
            "{} rows scored with {} {} labels: {}.",
            self.evaluation.n,
            labels.len(),
            if self.evaluation.task == Task::SingleLabel { "exclusive" } else { "independent" },
            short(&labels.names().join(", "), 200)
        );
        let drawings: Vec<&Drawing> = confusion.iter().chain(plots.iter().flat_map(|plots| &plots.drawings)).collect();
        Ok(page((self.kind, &subtitle), origin, sections, &drawings))
    }

    /// The rows that the report shows one by one.
    ///
    /// # Errors
    /// Predictions that are no probabilities.
    pub fn rows_shown(&self) -> Result<Vec<usize>, Error> {
        Ok(self.rows_to_look_at().shown()?)
    }

    fn data_card(&self) -> Vec<Fact> {
        let n = self.truth.len();
        let mut card = vec![fact("rows scored", n)];
        for (label, name) in self.evaluation.labels.names().iter().enumerate() {
            let rows = self.truth.iter().filter(|truth| truth[label]).count();
            card.push(fact(&format!("labelled {}", short(name, 40)), format!("{rows} ({})", percent(rows, n))));
        }
        if self.evaluation.task == Task::MultiLabel {
            let without = self.truth.iter().filter(|truth| !truth.contains(&true)).count();
            card.push(fact("without any label", format!("{without} ({})", percent(without, n))));
        }
        if self.evaluation.abstained > 0 {
            let abstained = self.evaluation.abstained;
            card.push(fact("rows on which nothing was decided", format!("{abstained} ({})", percent(abstained, n))));
        }
        if let Some(data) = &self.data {
            let lengths = &data.characters;
            card.push(fact(
                "characters per text",
                format!(
                    "median {}, middle half {} to {}, 95 % up to {}, longest {}",
                    lengths.median, lengths.quarter, lengths.three_quarters, lengths.percentile_95, lengths.maximum
                ),
            ));
            card.push(fact("rows that repeat another's text", data.normalized_duplicates.extra_rows));
            card.push(fact("texts with several labels", data.conflicting_labels.len()));
        }
        card.push(fact("texts cut to fit the prompt", self.evaluation.truncated_texts));
        if let Some(training) = self.training {
            let counts = self.evaluation.labels.names().iter().zip(&training.label_rows);
            let counts: Vec<String> = counts.map(|(label, rows)| format!("{rows} {}", short(label, 40))).collect();
            card.push(fact("rows trained on", format!("{} ({})", training.rows, counts.join(", "))));
            if training.validation_rows > 0 {
                card.push(fact("rows to validate the training on", training.validation_rows));
            }
            card.push(fact("training rows that repeat another's text", training.duplicate_rows));
            card.push(fact("training texts cut to fit the prompt", training.truncated_texts));
            if let Some(threshold) = training.threshold {
                card.push(fact("numbers from here on are the last label", threshold));
            }
        }
        card
    }

    fn answers(&self, confusion: Option<&Drawing>, columns: &[Column]) -> Result<Markup, Error> {
        let evaluation = self.evaluation;
        let per_label = match evaluation.has_positive_class() {
            true => confusion::per_class(evaluation),
            false => labels::table(evaluation, columns)?,
        };
        Ok(html! {
            @match confusion {
                Some(drawing) if evaluation.has_positive_class() => div class="figures" {
                    (figure(drawing, html! { "Rows by true label and answer; the percentages are of the true label's rows." }))
                    (per_label)
                },
                Some(drawing) => {
                    div class="figures" {
                        (figure(drawing, html! { "Rows by true label and answer; the percentages are of the true label's decided rows." }))
                    }
                    (per_label)
                },
                None => {
                    @if evaluation.task == Task::SingleLabel { (confusion::table(evaluation)) }
                    (per_label)
                }
            }
            @if !evaluation.has_positive_class() { (self.brier()?) }
        })
    }

    fn truth(&self) -> Truth<'_> {
        Truth { task: self.evaluation.task, labels: &self.evaluation.labels, truth: self.truth }
    }

    fn summary(&self) -> Result<Summary<'_>, Error> {
        let rows = |predictions: &[Prediction]| self.truth().scored_rows(predictions);
        let differences = match &self.baseline {
            Some(baseline) => paired_differences(&rows(baseline.predictions)?, &rows(self.predictions)?)?.metrics,
            None => Vec::new(),
        };
        let baseline = self.baseline.as_ref().map(|baseline| baseline.evaluation);
        Ok(Summary { evaluation: self.evaluation, baseline, differences, folds: self.folds })
    }

    /// What the probabilities of several labels are worth together.
    fn brier(&self) -> Result<Markup, Error> {
        let probabilities: Vec<&[f64]> = self.predictions.iter().map(|prediction| prediction.probabilities.as_slice()).collect();
        let score = match self.evaluation.task {
            Task::SingleLabel => brier_multi_class(&self.truth().classes()?, &probabilities)?,
            Task::MultiLabel => return Ok(html! {}),
        };
        Ok(html! {
            p class="muted" { "The probabilities' Brier score, summed over the labels, is " (decimals(score)) " (0 best, 2 worst)." }
        })
    }

    fn rows_to_look_at(&self) -> Rows<'_> {
        let (predictions, truth, numbers) = (self.predictions, self.truth, self.rows);
        let (texts, reasons) = (self.texts, &self.reasons);
        Rows { evaluation: self.evaluation, predictions, truth, numbers, texts, reasons, out_of_fold: !self.folds.is_empty() }
    }

    fn provenance(&self) -> Vec<(&'static str, Vec<Fact>)> {
        let base = self.base_model.map_or(Vec::new(), |base| {
            vec![
                fact("name", &base.name),
                fact("SHA-256 of the weights", &base.weights_sha256),
                fact("SHA-256 of the tokenizer", &base.tokenizer_sha256),
            ]
        });
        let recipe = self.settings.iter().map(|(name, value)| fact(name, setting(value))).collect();
        let training = self.training.map_or(Vec::new(), |data| vec![fact("SHA-256 of texts and labels", &data.fingerprint)]);
        vec![("Base model", base), ("Recipe", recipe), ("Training rows", training)]
    }
}
