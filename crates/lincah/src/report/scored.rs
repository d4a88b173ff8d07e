//! The report of scored rows: a classifier's on given rows, or a cross-validation's on rows out of fold.

use super::chart::Drawing;
use super::curves::{self, BINS, Binary};
use super::page::{facts, figure, notices, page, provenance};
use super::rows::Rows;
use super::{Fact, Origin, Report, confusion, decimals, fact, percent, setting, short, summary};
use crate::classifier::{BaseModelRecord, DataRecord};
use crate::cross_validation::FoldResult;
use crate::data::report::DataReport;
use crate::error::Error;
use crate::evaluate::Evaluation;
use crate::metrics::{CalibrationBin, at_threshold, brier, brier_multi_class, calibration_bins, expected_calibration_error};
use crate::prediction::Prediction;
use crate::prompt::Prompt;
use crate::recipe::Recipe;
use crate::sweep::recipe_settings;
use maud::{Markup, html};

/// What TF-IDF with logistic regression, trained on the same rows, makes of the scored rows.
#[derive(Debug, Clone, Copy)]
pub struct Baseline<'a> {
    /// For each row.
    pub predictions: &'a [Prediction],
    /// Their metrics.
    pub evaluation: &'a Evaluation,
}

/// Scored rows and what is known about them.
#[derive(Debug, Clone)]
pub struct ScoredReport<'a> {
    /// What was scored, such as "Classifier" or "Cross-validation".
    pub kind: &'a str,
    /// For each row.
    pub predictions: &'a [Prediction],
    /// The rows' true labels, indices into the evaluation's.
    pub truth: &'a [usize],
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
    pub folds: &'a [FoldResult],
    /// The base model.
    pub base_model: Option<&'a BaseModelRecord>,
    /// What a classifier was trained with.
    pub training: Option<&'a DataRecord>,
    /// How it was trained.
    pub recipe: Option<(&'a Prompt, &'a Recipe)>,
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
        let plots = self.binary_plots()?;
        let sections = html! {
            (notices(&self.notices))
            (summary::section(self)?)
            h2 { "Data" }
            (facts(&self.data_card()))
            h2 { "Answers" }
            (self.answers(confusion.as_ref()))
            @match &plots {
                Some(plots) => (plots.section),
                None => p class="muted" { (self.why_not_binary()) " " (self.probabilities_of_many()?) },
            }
            (self.rows_to_look_at().section())
            (provenance(&self.provenance(), origin))
        };
        let subtitle =
            format!("{} rows scored with {} labels: {}.", self.evaluation.n, labels.len(), short(&labels.join(", "), 200));
        let drawings: Vec<&Drawing> = confusion.iter().chain(plots.iter().flat_map(|plots| &plots.drawings)).collect();
        Ok(page((self.kind, &subtitle), origin, sections, &drawings))
    }

    fn data_card(&self) -> Vec<Fact> {
        let n = self.truth.len();
        let mut card = vec![fact("rows scored", n)];
        for (class, label) in self.evaluation.labels.iter().enumerate() {
            let rows = self.truth.iter().filter(|&&truth| truth == class).count();
            card.push(fact(&format!("labelled {}", short(label, 40)), format!("{rows} ({})", percent(rows, n))));
        }
        if let Some(data) = &self.data {
            let lengths = &data.characters;
            card.push(fact(
                "characters a text",
                format!(
                    "median {}, middle half {} to {}, 95 % up to {}, longest {}",
                    lengths.median, lengths.quarter, lengths.three_quarters, lengths.percentile_95, lengths.maximum
                ),
            ));
            card.push(fact("rows that repeat another's text", data.normalized_duplicates.extra_rows));
            card.push(fact("texts with several labels", data.conflicting_labels.len()));
        }
        card.push(fact("texts cut to fit the prompt", self.evaluation.cut_texts));
        if let Some(training) = self.training {
            let counts = self.evaluation.labels.iter().zip(&training.class_rows);
            let counts: Vec<String> = counts.map(|(label, rows)| format!("{rows} {}", short(label, 40))).collect();
            card.push(fact("rows trained on", format!("{} ({})", training.rows, counts.join(", "))));
            if training.validation_rows > 0 {
                card.push(fact("rows to validate the training on", training.validation_rows));
            }
            card.push(fact("training rows that repeat another's text", training.duplicate_rows));
            card.push(fact("training texts cut to fit the prompt", training.cut_texts));
            if let Some(cut) = training.cut {
                card.push(fact("numbers from here on are the last label", cut));
            }
        }
        card
    }

    fn answers(&self, confusion: Option<&Drawing>) -> Markup {
        html! {
            @match confusion {
                Some(drawing) => div class="figures" {
                    (figure(drawing, html! { "Rows by true label and answer; the percentages are of the true label's rows." }))
                    (confusion::per_label(self.evaluation))
                },
                None => {
                    (confusion::table(self.evaluation))
                    (confusion::per_label(self.evaluation))
                }
            }
        }
    }

    fn why_not_binary(&self) -> &'static str {
        if self.evaluation.labels.len() > 2 {
            "ROC and precision-recall curves, scores, calibration and thresholds are of two labels; with more they are left out."
        } else {
            "Every row has the same true label: curves, calibration and thresholds need both, and are left out."
        }
    }

    fn probabilities_of_many(&self) -> Result<Markup, Error> {
        let probabilities: Vec<&[f64]> = self.predictions.iter().map(|prediction| prediction.probabilities.as_slice()).collect();
        let score = brier_multi_class(self.truth, &probabilities)?;
        Ok(html! { "The probabilities' Brier score, summed over the labels, is " (decimals(score)) " (0 best, 2 worst)." })
    }

    fn rows_to_look_at(&self) -> Rows<'_> {
        let (predictions, truth, numbers) = (self.predictions, self.truth, self.rows);
        Rows { predictions, truth, numbers, texts: self.texts, labels: &self.evaluation.labels }
    }

    fn provenance(&self) -> Vec<(&'static str, Vec<Fact>)> {
        let base = self.base_model.map_or(Vec::new(), |base| {
            vec![
                fact("name", &base.name),
                fact("SHA-256 of the weights", &base.weights_sha256),
                fact("SHA-256 of the tokenizer", &base.tokenizer_sha256),
            ]
        });
        let settings = self.recipe.map(|(prompt, recipe)| recipe_settings(prompt, recipe)).unwrap_or_default();
        let recipe = settings.iter().map(|(name, value)| fact(name, setting(value))).collect();
        let training = self.training.map_or(Vec::new(), |data| vec![fact("SHA-256 of texts and labels", &data.fingerprint)]);
        vec![("Base model", base), ("Recipe", recipe), ("Training rows", training)]
    }

    /// Sections and plots of two labels; none with more labels or rows of one class only.
    fn binary_plots(&self) -> Result<Option<BinaryPlots>, Error> {
        if self.evaluation.roc_auc.is_none() {
            return Ok(None);
        }
        let truth: Vec<bool> = self.truth.iter().map(|&label| label == 1).collect();
        let positive = |predictions: &[Prediction]| -> Vec<f64> {
            predictions.iter().map(|prediction| prediction.probabilities[1]).collect()
        };
        let (scores, baseline) = (positive(self.predictions), self.baseline.map(|baseline| positive(baseline.predictions)));
        let names = (self.evaluation.labels[0].as_str(), self.evaluation.labels[1].as_str());
        let rows = Binary { truth: &truth, scores: &scores, baseline: baseline.as_deref(), names };
        let bins = calibration_bins(rows.truth, rows.scores, BINS)?;
        let drawings =
            vec![curves::roc(rows)?, curves::precision_recall(rows)?, curves::histogram(rows)?, curves::calibration(rows, &bins)];
        let section = html! {
            h2 { "Ranking" }
            p { "How well the probability puts the rows in order, whatever the threshold." }
            div class="figures" {
                (figure(&drawings[0], html! { "Nearer the upper left is better. A step is few rows: read it with the interval." }))
                (figure(&drawings[1], html! { "Nearer the upper right is better. What precision can be had at which recall." }))
            }
            h2 { "Probabilities" }
            div class="figures" {
                (figure(&drawings[2], html! { "Rows of each true label by the probability they got. The dotted line is the threshold 0.5." }))
                (figure(&drawings[3], calibration_caption(rows, &bins)?))
            }
            (thresholds(rows)?)
        };
        Ok(Some(BinaryPlots { section, drawings }))
    }
}

/// The part of the report that two labels have.
struct BinaryPlots {
    section: Markup,
    drawings: Vec<Drawing>,
}

fn calibration_caption(rows: Binary, bins: &[CalibrationBin]) -> Result<Markup, Error> {
    let (error, score) = (expected_calibration_error(bins), brier(rows.truth, rows.scores)?);
    Ok(html! {
        "On the dotted line a probability comes true as often as it says; numbers are rows, and bins of few move by chance. "
        "Expected calibration error " strong { (decimals(error)) } ", Brier score " strong { (decimals(score)) } " (0 best)."
        @if let Some(baseline) = rows.baseline {
            @let bins = calibration_bins(rows.truth, baseline, BINS)?;
            " TF-IDF: " (decimals(expected_calibration_error(&bins))) " and " (decimals(brier(rows.truth, baseline)?)) "."
        }
    })
}

/// Rounded up, a threshold that is a row's score would lose that row.
fn rounded_down(threshold: f64) -> String {
    format!("{:.6}", (threshold * 1e6).floor() / 1e6)
}

fn thresholds(rows: Binary) -> Result<Markup, Error> {
    let positive = short(rows.names.1, 40);
    Ok(html! {
        h2 { "Thresholds" }
        div class="scroll" tabindex="0" {
            table {
                caption { "What flagging every row with a probability of " strong { (positive) } " at or above the threshold gives." }
                thead { tr {
                    th scope="col" { "threshold" }
                    @for name in ["precision", "recall", "F1", "flagged"] { th scope="col" class="n" { (name) } }
                } }
                tbody {
                    @for (name, threshold) in curves::thresholds(rows)? {
                        tr {
                            @match threshold {
                                Some(threshold) => {
                                    @let found = at_threshold(rows.truth, rows.scores, threshold)?;
                                    th scope="row" {
                                        @if name.is_empty() { (format!("{threshold:.1}")) } @else { (rounded_down(threshold)) span class="interval" { "lowest with " (name) } }
                                    }
                                    td class="n" { @match found.precision { Some(value) => (decimals(value)), None => "–" } }
                                    td class="n" { (decimals(found.recall)) }
                                    td class="n" { (decimals(found.f1)) }
                                    td class="n" { (format!("{:.1} %", 100.0 * found.flagged)) }
                                },
                                None => {
                                    th scope="row" { (name) }
                                    td colspan="4" { "not reached on these rows" }
                                }
                            }
                        }
                    }
                }
            }
        }
        p class="muted" {
            "A threshold chosen here owes part of its precision to these rows; check it on others before it decides anything."
        }
    })
}
