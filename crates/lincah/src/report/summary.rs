//! The headline: metrics with their intervals beside the baselines.

use super::page::with_interval;
use super::scored::ScoredReport;
use super::{decimals, short};
use crate::cross_validation::FoldResult;
use crate::error::Error;
use crate::evaluate::Evaluation;
use crate::metrics::ConfusionMatrix;
use crate::statistics::{Difference, Intervals, SingleLabelRows, paired_single_label_differences};
use maud::{Markup, html};

/// A metric of an evaluation and its interval.
type Metric = (&'static str, fn(&Evaluation) -> Option<f64>, fn(&Intervals) -> Option<[f64; 2]>);

/// The metrics of the table; the areas are of two labels only, and with more the averages are macro averages.
fn metrics(evaluation: &Evaluation) -> Vec<Metric> {
    let two = evaluation.labels.len() == 2;
    let mut metrics: Vec<Metric> = vec![
        (if two { "F1" } else { "macro F1" }, |all| Some(all.f1), |intervals| Some(intervals.f1)),
        ("precision", |all| Some(all.precision), |intervals| Some(intervals.precision)),
        ("recall", |all| Some(all.recall), |intervals| Some(intervals.recall)),
        ("accuracy", |all| Some(all.accuracy), |intervals| Some(intervals.accuracy)),
    ];
    if two {
        metrics.push(("macro F1", |all| Some(all.macro_f1), |intervals| Some(intervals.macro_f1)));
        metrics.insert(1, ("ROC-AUC", |all| all.roc_auc, |intervals| intervals.roc_auc));
        metrics.insert(2, ("PR-AUC", |all| all.pr_auc, |intervals| intervals.pr_auc));
    }
    metrics
}

/// What the same answer for every row reaches at best: each metric by the label that is best for it.
fn constant(evaluation: &Evaluation, name: &str) -> Option<f64> {
    let matrix = ConfusionMatrix::from_counts(evaluation.confusion_matrix.clone());
    let (labels, positive) = (evaluation.labels.len(), evaluation.labels.len() - 1);
    let best = |metric: &dyn Fn(&ConfusionMatrix) -> f64| {
        (0..labels).map(|label| metric(&matrix.always(label))).fold(f64::NEG_INFINITY, f64::max)
    };
    let share = matrix.support(positive) as f64 / matrix.total().max(1) as f64;
    match (name, labels) {
        ("F1", _) => Some(evaluation.baseline_f1),
        ("macro F1", _) => Some(best(&|matrix| matrix.macro_average().f1)),
        ("accuracy", _) => Some(best(&ConfusionMatrix::accuracy)),
        ("precision", 2) => Some(share),
        ("recall", 2) => Some(1.0),
        ("ROC-AUC", _) => evaluation.roc_auc.map(|_| 0.5),
        ("PR-AUC", _) => evaluation.pr_auc.map(|_| share),
        _ => None,
    }
}

/// Two large figures, the table of all metrics, and what the difference to the baseline is worth.
///
/// # Errors
/// Predictions that are not of these rows.
pub(super) fn section(report: &ScoredReport) -> Result<Markup, Error> {
    let evaluation = report.evaluation;
    let metrics = metrics(evaluation);
    let headline = [metrics[0].0, if evaluation.labels.len() == 2 { "ROC-AUC" } else { "accuracy" }];
    Ok(html! {
        h2 { "Summary" }
        div class="tiles" {
            @for metric in metrics.iter().filter(|metric| headline.contains(&metric.0)) { (tile(report, metric)) }
        }
        (table(report, &metrics))
        (against_baseline(report)?)
        (folds(report.folds, &metrics))
    })
}

fn tile(report: &ScoredReport, (name, value, interval): &Metric) -> Markup {
    let evaluation = report.evaluation;
    let baseline = report.baseline.as_ref().and_then(|baseline| value(baseline.evaluation));
    html! {
        div class="tile" {
            p { (name) }
            p class="figure" { @match value(evaluation) { Some(value) => (decimals(value)), None => "undefined" } }
            @if let Some([low, high]) = evaluation.intervals.as_ref().and_then(interval) {
                p { "95 % interval " (decimals(low)) " to " (decimals(high)) }
            }
            p {
                @if let Some(value) = baseline { "TF-IDF " (decimals(value)) ", " }
                @if let Some(value) = constant(evaluation, name) { "always the same answer " (decimals(value)) }
            }
        }
    }
}

fn table(report: &ScoredReport, metrics: &[Metric]) -> Markup {
    let evaluation = report.evaluation;
    let positive = short(&evaluation.labels[evaluation.labels.len() - 1], 40);
    html! {
        div class="scroll" tabindex="0" {
            table {
                caption {
                    (evaluation.n) " rows, in small print 95 % intervals over them. "
                    @if evaluation.labels.len() == 2 {
                        "F1, precision, recall and the areas are those of " strong { (positive) } ", the positive class, at threshold 0.5. "
                    } @else {
                        "Macro F1, precision and recall are plain means over the labels. "
                    }
                    "The same answer for every row is that of the label which is best for the metric."
                }
                thead { tr {
                    th scope="col" { "metric" }
                    th scope="col" class="n" { "classifier" }
                    @if report.baseline.is_some() { th scope="col" class="n" { "TF-IDF + logistic regression" } }
                    th scope="col" class="n" { "always the same answer" }
                } }
                tbody {
                    @for (name, value, interval) in metrics {
                        @let of = |all: &Evaluation| with_interval(value(all), all.intervals.as_ref().and_then(interval));
                        tr {
                            th scope="row" { (name) }
                            td class="n" { (of(evaluation)) }
                            @if let Some(baseline) = &report.baseline { td class="n" { (of(baseline.evaluation)) } }
                            td class="n" { (with_interval(constant(evaluation, name), None)) }
                        }
                    }
                    tr {
                        th scope="row" { "log loss" }
                        td class="n" { (decimals(evaluation.log_loss)) }
                        @if let Some(baseline) = &report.baseline { td class="n" { (decimals(baseline.evaluation.log_loss)) } }
                        td class="n" { "–" }
                    }
                }
            }
        }
    }
}

/// The paired difference to the baseline on the same rows.
fn against_baseline(report: &ScoredReport) -> Result<Markup, Error> {
    let Some(baseline) = &report.baseline else { return Ok(html! {}) };
    let labels = report.evaluation.labels.len();
    let rows = |predictions: &[crate::prediction::Prediction]| {
        let predicted: Vec<usize> = predictions.iter().map(|prediction| prediction.most_probable()).collect();
        let scores: Vec<f64> = predictions.iter().map(|prediction| prediction.probabilities[labels - 1]).collect();
        SingleLabelRows::new(report.truth, &predicted, &scores, labels)
    };
    let (f1, area) = paired_single_label_differences(&rows(baseline.predictions)?, &rows(report.predictions)?);
    let said = |name: &str, difference: &Difference| {
        let [low, high] = difference.interval;
        let worth = if difference.is_clear() { "more than chance explains" } else { "which chance can explain" };
        format!("{name} {:+.3} ({low:+.3} to {high:+.3}), {worth}", difference.value)
    };
    let name = if labels == 2 { "F1" } else { "macro F1" };
    Ok(html! {
        p {
            "Classifier less TF-IDF, on the same rows: " (said(name, &f1))
            @if let Some(area) = area { "; " (said("ROC-AUC", &area)) } "."
        }
    })
}

/// Means and spreads over the folds of a cross-validation.
fn folds(folds: &[FoldResult], metrics: &[Metric]) -> Markup {
    let spread = |value: fn(&Evaluation) -> Option<f64>, of: fn(&FoldResult) -> &Evaluation| {
        super::spread(&folds.iter().filter_map(|fold| value(of(fold))).collect::<Vec<f64>>())
    };
    html! {
        @if !folds.is_empty() {
            div class="scroll" tabindex="0" {
                table {
                    caption {
                        "Mean ± standard deviation over " (folds.len()) " folds, each scored by a classifier trained on the others. The figures above "
                        "are of all folds' rows together; for the areas, scores of different classifiers are put in one order there."
                    }
                    thead { tr {
                        th scope="col" { "metric" }
                        th scope="col" class="n" { "classifier" }
                        th scope="col" class="n" { "TF-IDF + logistic regression" }
                    } }
                    tbody {
                        @for (name, value, _) in metrics {
                            tr {
                                th scope="row" { (name) }
                                td class="n" { (spread(*value, |fold| &fold.evaluation)) }
                                td class="n" { (spread(*value, |fold| &fold.tfidf)) }
                            }
                        }
                    }
                }
            }
        }
    }
}
