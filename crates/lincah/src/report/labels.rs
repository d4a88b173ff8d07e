//! The probabilities of each label: of two exclusive ones the last's, else every one's against the rest.

use super::chart::Drawing;
use super::curves::BINS;
use super::label_column::Column;
use super::page::{figure, with_interval};
use super::{decimals, short, thresholds};
use crate::error::Error;
use crate::evaluation::{Evaluation, Score};
use crate::metrics::{Metric, brier, calibration_bins, expected_calibration_error};
use crate::prediction::DEFAULT_THRESHOLD;
use maud::{Markup, html};

/// Labels up to which each has plots; more are a table.
const PLOTTED: usize = 12;

/// The sections of the labels' probabilities and their plots.
pub(super) struct LabelPlots {
    pub(super) section: Markup,
    pub(super) drawings: Vec<Drawing>,
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
