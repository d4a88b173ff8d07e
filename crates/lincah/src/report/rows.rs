//! Rows that a person should look at.

use super::{decimals, visible};
use crate::prediction::Prediction;
use maud::{Markup, html};

/// Rows in each list.
const SHOWN: usize = 10;
/// Characters of a text that are shown.
const LONGEST: usize = 4000;

/// Scored rows with what is known about them; all slices but `labels` have an entry a row.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) predictions: &'a [Prediction],
    pub(super) truth: &'a [usize],
    pub(super) numbers: &'a [u64],
    pub(super) texts: Option<&'a [String]>,
    pub(super) labels: &'a [String],
}

impl Rows<'_> {
    /// Wrong rows, the surest of them first.
    fn confident_errors(&self) -> Vec<usize> {
        let sureness = |&row: &usize| self.predictions[row].probabilities[self.predictions[row].most_probable()];
        let wrong = (0..self.truth.len()).filter(|&row| self.predictions[row].most_probable() != self.truth[row]);
        let mut wrong: Vec<usize> = wrong.collect();
        wrong.sort_by(|left, right| sureness(right).total_cmp(&sureness(left)));
        wrong.truncate(SHOWN);
        wrong
    }

    /// Rows whose two most probable labels are closest.
    fn closest_calls(&self) -> Vec<usize> {
        let gap = |&row: &usize| {
            let mut probabilities = self.predictions[row].probabilities.clone();
            probabilities.sort_by(|left, right| right.total_cmp(left));
            probabilities[0] - probabilities[1]
        };
        let mut rows: Vec<usize> = (0..self.truth.len()).collect();
        rows.sort_by(|left, right| gap(left).total_cmp(&gap(right)));
        rows.truncate(SHOWN);
        rows
    }

    /// The section: both lists, texts behind a click.
    pub(super) fn section(&self) -> Markup {
        let (errors, calls) = (self.confident_errors(), self.closest_calls());
        html! {
            h2 { "Rows to look at" }
            @if self.texts.is_some() {
                p class="notice" {
                    strong { "Texts ahead. " }
                    "They stand as they are in the data and may be offensive or hurtful. Each opens with a click; none is printed unless it is open."
                }
            }
            p { "A number is the row in the data file, from 1. A wrong label is worth as much as a wrong answer: look at both." }
            h3 { "The most confident errors" }
            @if errors.is_empty() { p { "There are none: every row is answered as it is labelled." } }
            (self.list(&errors))
            h3 { "The closest calls" }
            (self.list(&calls))
        }
    }

    fn list(&self, rows: &[usize]) -> Markup {
        html! { ul class="rows" { @for &row in rows { li { (self.row(row)) } } } }
    }

    fn row(&self, row: usize) -> Markup {
        let prediction = &self.predictions[row];
        let name = |label: usize| visible(&self.labels[label]);
        let line = html! {
            "Row " (self.numbers[row]) ": labelled " strong { (name(self.truth[row])) } ", answered " strong { (name(prediction.most_probable())) }
            " with " (decimals(prediction.probabilities[prediction.most_probable()]))
        };
        match self.texts {
            None => line,
            Some(texts) => html! {
                details {
                    summary { (line) }
                    p class="text" dir="auto" { (cut(&texts[row])) }
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
