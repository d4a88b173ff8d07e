//! Rows that a person should look at.

use super::{decimals, visible};
use crate::evaluation::Evaluation;
use crate::explanation::Reason;
use crate::label_errors::{Filter, LabelError, label_errors};
use crate::metrics::MetricError;
use crate::prediction::{DEFAULT_THRESHOLD, Decision, Prediction};
use crate::task::Task;
use maud::{Markup, html};
use std::collections::BTreeMap;

/// Rows in each list.
const SHOWN: usize = 10;
/// Characters of a text that are shown.
const LONGEST: usize = 4000;

/// Scored rows with what is known about them; all slices have an entry a row.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) evaluation: &'a Evaluation,
    pub(super) predictions: &'a [Prediction],
    pub(super) truth: &'a [Vec<bool>],
    pub(super) numbers: &'a [u64],
    pub(super) texts: Option<&'a [String]>,
    /// Of rows that were looked at closely, by their place.
    pub(super) reasons: &'a BTreeMap<usize, Vec<Reason>>,
    /// Whether each row was scored by a classifier that has not seen it, so that scores speak about labels.
    pub(super) out_of_fold: bool,
}

/// A row, and the label for which it is in a list.
#[derive(Clone, Copy)]
struct Found {
    row: usize,
    label: usize,
    /// By what the list is sorted.
    key: f64,
}

impl Rows<'_> {
    fn exclusive(&self) -> bool {
        self.evaluation.task == Task::SingleLabel
    }

    /// From which probability on a label is given.
    fn threshold(&self, label: usize) -> f64 {
        self.evaluation.rule.thresholds.get(label).copied().unwrap_or(DEFAULT_THRESHOLD)
    }

    /// Wrong rows, the surest of them first: by the probability of the label given or, of independent ones, of the surest wrong answer.
    fn confident_errors(&self) -> Vec<Found> {
        let error = |row: usize| {
            let (given, truth, probabilities) =
                (self.predictions[row].given(), &self.truth[row], &self.predictions[row].probabilities);
            // Of exclusive labels the one given in error; that the true one is not follows from it.
            let wrong = (0..truth.len())
                .filter(|&label| if self.exclusive() { given[label] && !truth[label] } else { given[label] != truth[label] });
            let sure = |label: usize| Found {
                row,
                label,
                key: if given[label] { probabilities[label] } else { 1.0 - probabilities[label] },
            };
            wrong.map(sure).reduce(|best, other| if other.key > best.key { other } else { best })
        };
        let mut errors: Vec<Found> = (0..self.truth.len()).filter_map(error).collect();
        errors.sort_by(|left, right| right.key.total_cmp(&left.key));
        errors.truncate(SHOWN);
        errors
    }

    /// Rows that came closest to another answer.
    fn closest_calls(&self) -> Vec<Found> {
        let mut calls: Vec<Found> = (0..self.truth.len()).map(|row| self.call(row)).collect();
        calls.sort_by(|left, right| left.key.total_cmp(&right.key));
        calls.truncate(SHOWN);
        calls
    }

    /// How close a row came: to the threshold or, of exclusive labels without one, of the most probable label to the next.
    fn call(&self, row: usize) -> Found {
        let probabilities = &self.predictions[row].probabilities;
        let to_threshold = |label: usize| Found { row, label, key: (probabilities[label] - self.threshold(label)).abs() };
        if self.exclusive() && (probabilities.len() > 2 || self.evaluation.rule.thresholds.is_empty()) {
            let label = self.predictions[row].most_probable();
            let others = (0..probabilities.len()).filter(|&other| other != label);
            let next = others.map(|other| probabilities[other]).fold(0.0, f64::max);
            return Found { row, label, key: probabilities[label] - next };
        }
        let labels = if self.exclusive() { 1..2 } else { 0..probabilities.len() };
        let closest = labels.map(to_threshold).reduce(|best, other| if other.key < best.key { other } else { best });
        closest.unwrap_or(to_threshold(0))
    }

    /// Rows whose label may be wrong, the surest first, each for a label that it should perhaps have or not have; and how many there are.
    fn suspected_labels(&self) -> Result<(Vec<Found>, usize), MetricError> {
        let probabilities: Vec<Vec<f64>> = self.predictions.iter().map(|prediction| prediction.probabilities.clone()).collect();
        let suspects = label_errors(self.evaluation.task, self.truth, &probabilities, Filter::default())?;
        let found = |error: &LabelError| {
            let truth = &self.truth[error.index];
            // Of exclusive labels the one suggested rather than the one given.
            let differs =
                |&label: &usize| error.suggested[label] != truth[label] && (error.suggested[label] || !self.exclusive());
            Found { row: error.index, label: (0..truth.len()).find(differs).unwrap_or(0), key: error.score }
        };
        Ok((suspects.iter().take(SHOWN).map(found).collect(), suspects.len()))
    }

    /// The rows of all lists, each once.
    ///
    /// # Errors
    /// Predictions that are no probabilities.
    pub(super) fn shown(&self) -> Result<Vec<usize>, MetricError> {
        let suspected = if self.out_of_fold { self.suspected_labels()?.0 } else { Vec::new() };
        let mut rows: Vec<usize> =
            [self.confident_errors(), self.closest_calls(), suspected].iter().flatten().map(|found| found.row).collect();
        rows.sort_unstable();
        rows.dedup();
        Ok(rows)
    }

    /// The section: the lists, texts behind a click.
    ///
    /// # Errors
    /// Predictions that are no probabilities.
    pub(super) fn section(&self) -> Result<Markup, MetricError> {
        let suspected = if self.out_of_fold { Some(self.suspected_labels()?) } else { None };
        let (errors, calls) = (self.confident_errors(), self.closest_calls());
        Ok(html! {
            h2 { "Rows to look at" }
            @if self.texts.is_some() {
                p class="notice" {
                    strong { "Texts ahead. " }
                    "They stand as they are in the data and may be offensive or hurtful. Each opens with a click; none is printed unless it is open."
                }
            }
            p { "A number is the row in the data file, from 1. A wrong label is worth as much as a wrong answer: look at both." }
            h3 { "The most confident errors" }
            @if errors.is_empty() { p { "There are none: every row is answered as it is labelled, or not at all." } }
            (self.list(&errors))
            h3 { "The closest calls" }
            (self.list(&calls))
            @if let Some((suspected, all)) = &suspected {
                h3 { "Rows whose label may be wrong" }
                @if suspected.is_empty() {
                    p { "There are none: no out-of-fold score speaks clearly against a label." }
                } @else {
                    p {
                        "By confident learning (Northcutt, Jiang and Chuang 2021) on these out-of-fold scores, the surest first: "
                        (suspected.len()) " of " (all) ". " code { "lincah check --from" } " writes all of them."
                    }
                    (self.list(suspected))
                }
            }
        })
    }

    fn list(&self, rows: &[Found]) -> Markup {
        html! { ul class="rows" { @for found in rows { li { (self.row(found)) } } } }
    }

    /// Names of labels; a dash for none.
    fn names(&self, labels: &[bool]) -> String {
        let names = self.evaluation.labels.names().iter().zip(labels).filter(|(_, has)| **has);
        let names: Vec<String> = names.map(|(name, _)| visible(name)).collect();
        if names.is_empty() { String::from("–") } else { names.join(", ") }
    }

    /// What leaving out each span changes.
    fn reasons(&self, reasons: &[Reason]) -> Markup {
        html! {
            @if reasons.is_empty() {
                p class="muted" { "No words, left out, change the probability by 0.01." }
            } @else {
                ul class="muted" {
                    @for reason in reasons {
                        li {
                            bdi { "“" (cut(&reason.text)) "”" }
                            @if reason.change > 0.0 { " speaks for " } @else { " speaks against " }
                            strong { (visible(&reason.label)) } ": " (format!("{:+.3}", reason.change))
                        }
                    }
                }
            }
        }
    }

    fn row(&self, found: &Found) -> Markup {
        let (row, prediction) = (found.row, &self.predictions[found.row]);
        let name = |label: usize| visible(&self.evaluation.labels.names()[label]);
        let line = html! {
            "Row " (self.numbers[row]) ": labelled " strong { (self.names(&self.truth[row])) } ", "
            @match &prediction.decision {
                Decision::Label(label) => { "answered " strong { (name(*label)) } " with " (decimals(prediction.probabilities[*label])) }
                Decision::Labels(given) => {
                    "answered " strong { (self.names(given)) } "; " (name(found.label)) " has " (decimals(prediction.probabilities[found.label]))
                }
                Decision::Abstain => { "not decided; " (name(found.label)) " has " (decimals(prediction.probabilities[found.label])) }
            }
        };
        match self.texts {
            None => line,
            Some(texts) => html! {
                details {
                    summary { (line) }
                    p class="text" dir="auto" { (cut(&texts[row])) }
                    @if let Some(reasons) = self.reasons.get(&row) { (self.reasons(reasons)) }
                    @if prediction.truncated_characters > 0 {
                        p class="muted" { "The last " (prediction.truncated_characters) " characters did not fit into the prompt and were not seen." }
                    }
                }
            },
        }
    }
}

/// A text as it may be shown, its end left out where it is very long.
fn cut(text: &str) -> String {
    let left = text.chars().count().saturating_sub(LONGEST);
    let shown: String = text.chars().take(LONGEST).collect();
    visible(&shown) + &(if left > 0 { format!(" … ({left} more characters)") } else { String::new() })
}
