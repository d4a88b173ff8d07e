//! What was decided, in a sentence and in a table, here and in the traffic.

use super::page::with_interval;
use super::{decimals, short};
use crate::calibration::CalibrationFigure;
use crate::classifier::DecisionRecord;
use crate::decisions::{AtPrevalence, DecisionSource, OperatingPoint, OperatingPoints, Prevalences};
use crate::statistics::Proportion;
use maud::{Markup, html};

/// What the section is made of.
pub(super) struct Decisions<'a> {
    /// On the report's rows.
    pub(super) points: &'a OperatingPoints,
    /// How they were chosen, if they were.
    pub(super) chosen: Option<&'a DecisionRecord>,
    pub(super) prevalences: &'a Prevalences,
}

fn rate(rate: Proportion) -> Markup {
    with_interval(rate.value(), rate.value().map(|_| rate.interval()))
}

fn share(rate: Proportion) -> String {
    rate.value().map_or(String::from("–"), |share| format!("{:.1} %", 100.0 * share))
}

fn threshold(point: &OperatingPoint) -> String {
    point.threshold.map_or(String::from("most probable"), |threshold| format!("{threshold:.4}"))
}

fn band(point: &OperatingPoint) -> String {
    point.review.map_or(String::from("–"), |[low, high]| format!("{low:.4} to {high:.4}"))
}

impl Decisions<'_> {
    /// What a manager reads.
    pub(super) fn sentence(&self) -> Markup {
        html! {
            p { strong { (self.points.sentence()) } }
            @for found in AtPrevalence::of(self.points, self.prevalences) { p { strong { (found.sentence) } } }
        }
    }

    /// Of more than two labels that nothing was chosen for, the answers' table says as much.
    pub(super) fn section(&self) -> Markup {
        let is_chosen = self.points.labels.iter().any(|point| point.target.is_some() || point.review.is_some());
        if !is_chosen && self.chosen.is_none() && self.points.labels.len() > 1 {
            return self.traffic();
        }
        html! {
            h2 { "Decisions" }
            (table(self.points, "What the decisions come to on these rows; in small print exact 95 % intervals."))
            (self.traffic())
            @if let Some(chosen) = self.chosen { (how_chosen(chosen)) }
        }
    }

    fn traffic(&self) -> Markup {
        let found = AtPrevalence::of(self.points, self.prevalences);
        html! {
            @if !found.is_empty() {
                div class="scroll" tabindex="0" {
                    table {
                        caption { "The same where the labels are as frequent as in the traffic, per thousand texts; precision with an interval of at least 95 %." }
                        thead { tr {
                            th scope="col" { "label" }
                            @for name in ["prevalence", "precision", "flags", "wrong flags", "misses", "reviews"] { th scope="col" class="n" { (name) } }
                        } }
                        tbody {
                            @for at in &found {
                                tr {
                                    th scope="row" { (short(&at.label, 40)) }
                                    td class="n" { (format!("{} %", (at.prevalence * 1e6).round() / 1e4)) }
                                    td class="n" { (with_interval(at.precision.value, Some(at.precision.interval))) }
                                    @let of = &at.per_thousand;
                                    @for texts in [of.flags, of.false_flags, of.misses, of.reviews] { td class="n" { (format!("{texts:.1}")) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn table(points: &OperatingPoints, caption: &str) -> Markup {
    let columns = ["threshold", "review band", "precision", "recall", "false-positive rate", "flagged", "reviewed"];
    html! {
        div class="scroll" tabindex="0" {
            table class="wide" {
                caption { (caption) }
                thead { tr {
                    th scope="col" { "label" }
                    @for name in columns { th scope="col" class="n" { (name) } }
                } }
                tbody {
                    @for point in &points.labels {
                        tr {
                            th scope="row" {
                                (short(&point.label, 40))
                                @if let Some(target) = &point.target { span class="interval" { (target) } }
                            }
                            td class="n" { (threshold(point)) }
                            td class="n" { (band(point)) }
                            td class="n" { (rate(point.precision())) }
                            td class="n" { (rate(point.recall())) }
                            td class="n" { (rate(point.false_positive_rate())) }
                            td class="n" { (share(point.flagged())) }
                            td class="n" { (share(point.reviewed())) }
                        }
                    }
                }
            }
        }
    }
}

/// What calibration and thresholds reached where they were chosen.
fn how_chosen(chosen: &DecisionRecord) -> Markup {
    let rows = match chosen.source {
        DecisionSource::OutOfFold => "out-of-fold scores of the training rows",
        DecisionSource::Validation => "the validation rows of the training",
        DecisionSource::Rows => "rows of their own",
    };
    let figure = |figure: &CalibrationFigure| html! { (decimals(figure.value)) span class="interval" { (decimals(figure.interval[0])) " to " (decimals(figure.interval[1])) } };
    let (before, after) = (&chosen.before, &chosen.after);
    let figures = [
        ("expected calibration error", before.expected_calibration_error, after.expected_calibration_error),
        ("the same over bins of equal rows", before.adaptive_calibration_error, after.adaptive_calibration_error),
        ("Brier score", before.brier, after.brier),
        ("log loss", before.log_loss, after.log_loss),
    ];
    html! {
        p {
            "They were chosen on " (rows) " (" (chosen.rows) "). What follows was counted there on rows that did not choose: those of each fold "
            "are decided by what was chosen on the other folds."
        }
        (table(&chosen.points, "What the decisions were to reach, where they were chosen."))
        @for line in chosen.points.labels.iter().filter_map(OperatingPoint::too_few_rows) { p class="muted" { (line) "." } }
        div class="scroll" tabindex="0" {
            table {
                caption { "How far the probabilities are from what is true, before and after calibration; the lower the better." }
                thead { tr {
                    th scope="col" { "figure" }
                    th scope="col" class="n" { "before" }
                    th scope="col" class="n" { "after" }
                } }
                tbody {
                    @for (name, before, after) in &figures {
                        tr {
                            th scope="row" { (name) }
                            td class="n" { (figure(before)) }
                            td class="n" { (figure(after)) }
                        }
                    }
                }
            }
        }
    }
}
