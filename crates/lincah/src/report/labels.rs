//! The probabilities of each label: of two exclusive ones the last's, else every one's against the rest.

use super::chart::Drawing;
use super::curves::{self, BINS, Binary};
use super::page::{figure, with_interval};
use super::{decimals, short, thresholds};
use crate::error::Error;
use crate::evaluation::{Evaluation, Score, Truth};
use crate::metrics::{CalibrationBin, Metric, brier, calibration_bins, expected_calibration_error};
use crate::prediction::{DEFAULT_THRESHOLD, Prediction};
use crate::task::Task;
use maud::{Markup, html};

/// Labels up to which each has plots; more are a table.
const PLOTTED: usize = 12;

/// One label of all rows.
pub(super) struct Column<'a> {
    pub(super) label: usize,
    pub(super) name: &'a str,
    rest: &'a str,
    truth: Vec<bool>,
    given: Vec<bool>,
    scores: Vec<f64>,
    threshold: Option<f64>,
    baseline: Option<Vec<f64>>,
    alone: bool,
}

/// The sections of the labels' probabilities and their plots.
pub(super) struct LabelPlots {
    pub(super) section: Markup,
    pub(super) drawings: Vec<Drawing>,
}

/// The columns of the labels that have curves: the last of two exclusive ones, else all.
pub(super) fn columns<'a>(
    evaluation: &'a Evaluation,
    truth: Truth,
    predictions: &[Prediction],
    baseline: Option<&[Prediction]>,
) -> Vec<Column<'a>> {
    let names = evaluation.labels.names();
    let alone = evaluation.has_positive_class();
    let probabilities = |predictions: &[Prediction], label: usize| -> Vec<f64> {
        predictions.iter().map(|prediction| prediction.probabilities[label]).collect()
    };
    let threshold = |label: usize| {
        let own = evaluation.rule.thresholds.get(label).copied().unwrap_or(DEFAULT_THRESHOLD);
        (alone || evaluation.task == Task::MultiLabel).then_some(own)
    };
    let column = |label: usize| Column {
        label,
        name: &names[label],
        rest: if alone { &names[0] } else { "the rest" },
        truth: truth.of_label(label),
        given: predictions.iter().map(|prediction| prediction.given()[label]).collect(),
        scores: probabilities(predictions, label),
        threshold: threshold(label),
        baseline: baseline.map(|predictions| probabilities(predictions, label)),
        alone,
    };
    (usize::from(alone)..names.len()).map(column).collect()
}

impl Column<'_> {
    pub(super) fn binary(&self) -> Binary<'_> {
        Binary {
            truth: &self.truth,
            given: &self.given,
            scores: &self.scores,
            threshold: self.threshold,
            baseline: self.baseline.as_deref(),
            names: (self.rest, self.name),
            place: (!self.alone).then_some(self.label + 1),
        }
    }

    /// Whether there are rows with the label and rows without: all curves need both.
    fn has_both(&self) -> bool {
        self.truth.contains(&true) && self.truth.contains(&false)
    }

    fn drawings(&self) -> Result<[Drawing; 4], Error> {
        let rows = self.binary();
        let bins = self.bins()?;
        Ok([curves::roc(rows)?, curves::precision_recall(rows)?, curves::histogram(rows)?, curves::calibration(rows, &bins)])
    }

    fn bins(&self) -> Result<Vec<CalibrationBin>, Error> {
        Ok(calibration_bins(&self.truth, &self.scores, BINS)?)
    }

    /// Expected calibration error and Brier score.
    pub(super) fn calibration(&self) -> Result<[f64; 2], Error> {
        Ok([expected_calibration_error(&self.bins()?), brier(&self.truth, &self.scores)?])
    }
}

/// Curves, scores, calibration and thresholds; none where no label has rows with it and without.
///
/// # Errors
/// Probabilities that are none.
pub(super) fn plots(columns: &[Column]) -> Result<Option<LabelPlots>, Error> {
    let defined: Vec<&Column> = columns.iter().filter(|column| column.has_both()).collect();
    match defined.as_slice() {
        [] => Ok(None),
        [column] if column.alone => one(column).map(Some),
        _ => many(&defined).map(Some),
    }
}

/// Of two exclusive labels.
fn one(column: &Column) -> Result<LabelPlots, Error> {
    let drawings = column.drawings()?;
    let threshold = column.threshold.unwrap_or(DEFAULT_THRESHOLD);
    let section = html! {
        h2 { "Ranking" }
        p { "How well the probability puts the rows in order, whatever the threshold." }
        div class="figures" {
            (figure(&drawings[0], html! { "Nearer the upper left is better. A step is few rows: read it with the interval." }))
            (figure(&drawings[1], html! { "Nearer the upper right is better. What precision can be had at which recall." }))
        }
        h2 { "Probabilities" }
        div class="figures" {
            (figure(&drawings[2], html! {
                "Rows of each true label by the probability they got. The dotted line is the threshold " (threshold) "."
            }))
            (figure(&drawings[3], calibration_caption(column)?))
        }
        h2 { "Thresholds" }
        (thresholds::of_one(column.binary())?)
    };
    Ok(LabelPlots { section, drawings: drawings.into() })
}

fn calibration_caption(column: &Column) -> Result<Markup, Error> {
    let [error, score] = column.calibration()?;
    Ok(html! {
        "On the dotted line a probability comes true as often as it says; numbers are rows, and bins of few move by chance. "
        "Expected calibration error " strong { (decimals(error)) } ", Brier score " strong { (decimals(score)) } " (0 best)."
        @if let Some(baseline) = &column.baseline {
            @let bins = calibration_bins(&column.truth, baseline, BINS)?;
            " TF-IDF: " (decimals(expected_calibration_error(&bins))) " and " (decimals(brier(&column.truth, baseline)?)) "."
        }
    })
}

/// Of several labels: small plots of each, if they are not too many.
fn many(columns: &[&Column]) -> Result<LabelPlots, Error> {
    let mut drawings = Vec::new();
    let mut sections = Vec::new();
    for column in columns.iter().filter(|_| columns.len() <= PLOTTED) {
        let plots = column.drawings()?;
        let captions = ["ROC curve", "precision and recall", "scores: with the label above, the rest below", "calibration"];
        sections.push(html! {
            h3 { (short(column.name, 60)) }
            div class="figures small" {
                @for (drawing, caption) in plots.iter().zip(captions) { (figure(drawing, html! { (caption) })) }
            }
        });
        drawings.extend(plots);
    }
    let section = html! {
        @if !sections.is_empty() {
            h2 { "Labels one by one" }
            p {
                "Each label against the rest. Full lines are the classifier's, dashed ones those of TF-IDF with logistic regression, dotted ones "
                "chance, the threshold or, for calibration, a probability that comes true as often as it says; the dot is what was decided."
            }
            @for section in &sections { (section) }
        }
        h2 { "Thresholds" }
        (thresholds::of_many(columns)?)
    };
    Ok(LabelPlots { section, drawings })
}

/// Every label's metrics, for the labels of `columns`.
///
/// # Errors
/// Probabilities that are none.
pub(super) fn table(evaluation: &Evaluation, columns: &[Column]) -> Result<Markup, Error> {
    let cell = |score: Option<&Score>| {
        let score = score.copied();
        with_interval(score.and_then(|score| score.value), score.and_then(|score| score.interval))
    };
    let metrics = [Metric::F1, Metric::Precision, Metric::Recall, Metric::RocAuc, Metric::PrAuc];
    let calibration = columns.iter().map(Column::calibration).collect::<Result<Vec<_>, Error>>()?;
    Ok(html! {
        div class="scroll" tabindex="0" {
            table class="wide" {
                caption { "Each label against all others." }
                thead { tr {
                    th scope="col" { "label" }
                    th scope="col" class="n" { "rows" }
                    @for metric in metrics { th scope="col" class="n" { (metric) } }
                    @for name in ["calibration error", "Brier score"] { th scope="col" class="n" { (name) } }
                } }
                tbody {
                    @for (label, calibration) in evaluation.per_label.iter().zip(&calibration) {
                        tr {
                            th scope="row" { (short(&label.label, 60)) }
                            td class="n" { (label.rows) }
                            @for metric in metrics { td class="n" { (cell(label.score(metric))) } }
                            @for value in calibration { td class="n" { (decimals(*value)) } }
                        }
                    }
                }
            }
        }
    })
}
