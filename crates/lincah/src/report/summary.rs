//! The headline: metrics with their intervals beside the baselines.

use super::page::with_interval;
use super::{decimals, mean_with_deviation, short};
use crate::evaluation::{Evaluation, Score};
use crate::metrics::Metric;
use crate::statistics::Difference;
use crate::task::Task;
use maud::{Markup, html};

/// The metrics of a classifier and of TF-IDF with logistic regression on the same rows, such as those of a fold.
#[derive(Debug, Clone, Copy)]
pub struct EvaluationPair<'a> {
    /// The classifier's.
    pub classifier: &'a Evaluation,
    /// The baseline's, trained on the same rows.
    pub tfidf: &'a Evaluation,
}

/// What the summary is made of.
pub(super) struct Summary<'a> {
    pub(super) evaluation: &'a Evaluation,
    pub(super) baseline: Option<&'a Evaluation>,
    /// The classifier's metrics less the baseline's, in the order of the evaluation's.
    pub(super) differences: Vec<Option<Difference>>,
    /// The folds, if these are out-of-fold scores.
    pub(super) folds: &'a [EvaluationPair<'a>],
}

impl Summary<'_> {
    /// Two large figures, the table of all metrics, and what the difference to the baseline is worth.
    pub(super) fn section(&self) -> Markup {
        let evaluation = self.evaluation;
        html! {
            h2 { "Summary" }
            div class="tiles" { @for metric in evaluation.headline() { (self.tile(metric)) } }
            (self.table())
            @if let Some(note) = unanimity(evaluation) { p class="muted" { (note) } }
            (self.against_baseline())
            (self.folds())
        }
    }

    fn tile(&self, metric: Metric) -> Markup {
        let score = self.evaluation.score(metric);
        let baseline = self.baseline.and_then(|baseline| baseline.value(metric));
        html! {
            div class="tile" {
                p { (metric) }
                p class="figure" { @match score.and_then(|score| score.value) { Some(value) => (decimals(value)), None => "undefined" } }
                @if let Some([low, high]) = score.and_then(|score| score.interval) {
                    p { "95 % interval " (decimals(low)) " to " (decimals(high)) }
                }
                p {
                    @if let Some(value) = baseline { "TF-IDF " (decimals(value)) ", " }
                    @if let Some(value) = score.and_then(|score| score.constant_answer) { "always the same answer " (decimals(value)) }
                }
            }
        }
    }

    fn table(&self) -> Markup {
        let cell =
            |score: Option<&Score>| with_interval(score.and_then(|score| score.value), score.and_then(|score| score.interval));
        html! {
            div class="scroll" tabindex="0" {
                table {
                    caption { (self.caption()) }
                    thead { tr {
                        th scope="col" { "metric" }
                        th scope="col" class="n" { "classifier" }
                        @if self.baseline.is_some() { th scope="col" class="n" { "TF-IDF + logistic regression" } }
                        th scope="col" class="n" { "always the same answer" }
                    } }
                    tbody {
                        @for score in &self.evaluation.scores {
                            tr {
                                th scope="row" { (score.metric) @if !score.metric.higher_is_better() { " (lower is better)" } }
                                td class="n" { (cell(Some(score))) }
                                @if let Some(baseline) = self.baseline { td class="n" { (cell(baseline.score(score.metric))) } }
                                td class="n" { (with_interval(score.constant_answer, None)) }
                            }
                        }
                        tr {
                            th scope="row" { "log loss" }
                            td class="n" { (decimals(self.evaluation.log_loss)) }
                            @if let Some(baseline) = self.baseline { td class="n" { (decimals(baseline.log_loss)) } }
                            td class="n" { "–" }
                        }
                    }
                }
            }
        }
    }

    fn caption(&self) -> Markup {
        let evaluation = self.evaluation;
        let default = evaluation.rule.thresholds.is_empty();
        html! {
            (evaluation.n) " rows, in small print 95 % intervals over them. "
            @if evaluation.has_positive_class() {
                @let threshold = evaluation.rule.thresholds.last().copied().unwrap_or(crate::prediction::DEFAULT_THRESHOLD);
                "F1, precision, recall and the areas are those of " strong { (short(evaluation.labels.positive(), 40)) }
                ", the positive class, at threshold " (threshold) ". "
            } @else {
                "Macro averages are plain means over the labels, areas are of each label against the rest. "
                @if !default { "Labels are given by thresholds of their own. " }
            }
            @match evaluation.task {
                Task::SingleLabel => "The same answer for every row is that of the label which is best for the metric.",
                Task::MultiLabel => "The same answer for every row gives each label its more frequent answer.",
            }
        }
    }

    /// The paired differences to the baseline on the same rows.
    fn against_baseline(&self) -> Markup {
        let said = |(score, difference): (&Score, &Option<Difference>)| {
            let (value, [low, high]) = (difference.as_ref()?.value, difference.as_ref()?.interval);
            let clear = difference.as_ref().is_some_and(Difference::is_clear);
            let worth = if clear { "more than chance explains" } else { "which chance can explain" };
            Some(format!("{} {value:+.3} ({low:+.3} to {high:+.3}), {worth}", score.metric))
        };
        let headline = self.evaluation.headline();
        let scores = self.evaluation.scores.iter().zip(&self.differences);
        let said: Vec<String> = scores.filter(|(score, _)| headline.contains(&score.metric)).filter_map(said).collect();
        html! {
            @if !said.is_empty() { p { "Classifier less TF-IDF, on the same rows: " (said.join("; ")) "." } }
        }
    }

    /// Mean and standard deviation over the folds of a cross-validation.
    fn folds(&self) -> Markup {
        let classifier =
            |metric: Metric| -> Vec<f64> { self.folds.iter().filter_map(|fold| fold.classifier.value(metric)).collect() };
        let tfidf = |metric: Metric| -> Vec<f64> { self.folds.iter().filter_map(|fold| fold.tfidf.value(metric)).collect() };
        html! {
            @if !self.folds.is_empty() {
                div class="scroll" tabindex="0" {
                    table {
                        caption {
                            "Mean ± standard deviation over " (self.folds.len()) " folds, each scored by a classifier trained on the others. The "
                            "figures above are of all folds' rows together; for the areas, scores of different classifiers are put in one order there."
                        }
                        thead { tr {
                            th scope="col" { "metric" }
                            th scope="col" class="n" { "classifier" }
                            th scope="col" class="n" { "TF-IDF + logistic regression" }
                        } }
                        tbody {
                            @for Score { metric, .. } in &self.evaluation.scores {
                                tr {
                                    th scope="row" { (metric) }
                                    td class="n" { (mean_with_deviation(&classifier(*metric))) }
                                    td class="n" { (mean_with_deviation(&tfidf(*metric))) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What stands for an interval without width.
fn unanimity(evaluation: &Evaluation) -> Option<String> {
    let metric = if evaluation.task == Task::SingleLabel { Metric::Accuracy } else { Metric::SubsetAccuracy };
    let [low, high] = evaluation.exact_interval(metric)?;
    Some(format!(
        "An interval without width is no certainty: all {} rows came out alike, with which {metric} may lie anywhere from {} to {} (Clopper and \
         Pearson's exact 95 % interval).",
        evaluation.n,
        decimals(low),
        decimals(high)
    ))
}
