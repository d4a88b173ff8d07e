//! The report of a sweep: learning curves and the table of means.

use super::chart::Drawing;
use super::codelab::PublishedPoint;
use super::learning::{CURVES, Group, baseline_cell, cell, groups, panels, varied};
use super::page::{facts, figure, notices, page, provenance};
use super::{Fact, Origin, Report, decimals, fact, percent, setting, short};
use crate::sweep::RunResult;
use maud::{Markup, html};

/// A sweep's runs.
#[derive(Debug, Clone)]
pub struct SweepReport<'a> {
    /// One or more runs.
    pub results: &'a [RunResult],
    /// Figures of others to set beside them, such as [`CODELAB`](super::CODELAB).
    pub published: &'a [PublishedPoint],
}

impl SweepReport<'_> {
    /// Writes the report.
    pub fn render(&self, origin: &Origin) -> Report {
        let groups = groups(self.results);
        let panels = panels(&groups, self.published);
        let sections = html! {
            (notices(&self.notices()))
            h2 { "Learning curves" }
            p {
                "Each point is the mean over the seeds and splits of its settings, the bar one standard deviation up and down (none of a single run). "
                "All plots of a metric have the same axes."
            }
            @for panel in &panels {
                @if !panel.title.is_empty() { h3 { (short(&panel.title, 300)) } }
                div class="figures" { @for (drawing, constant) in &panel.drawings { (figure(drawing, caption(drawing, *constant))) } }
            }
            (self.codelab())
            h2 { "Results" }
            (self.table(&groups))
            h2 { "Data" }
            (facts(&self.data_card()))
            (provenance(&self.provenance(&groups), origin))
        };
        let subtitle = format!("{} runs of {} settings.", self.results.len(), groups.len());
        let drawings: Vec<&Drawing> = panels.iter().flat_map(|panel| panel.drawings.iter().map(|(drawing, _)| drawing)).collect();
        page(("Sweep", &subtitle), origin, sections, &drawings)
    }

    fn notices(&self) -> Vec<String> {
        let mut notices = vec![String::from(
            "A setting picked by these scores looks better than it is, as the best of many on the same rows owes part of its lead to chance. If \
             the scored rows were the holdout, report the curve and choose by validation rows.",
        )];
        let diverged = self.results.iter().filter(|run| run.evaluation.is_none()).count();
        if diverged > 0 {
            notices.push(format!("{diverged} of the {} runs diverged and are in no mean.", self.results.len()));
        }
        notices
    }

    fn codelab(&self) -> Markup {
        html! {
            @if !self.published.is_empty() {
                p class="muted" {
                    "Dashed, with hollow markers: the figures that the codelab \u{201c}Agile classifiers\u{201d} publishes for Gemma 2B (the first Gemma) "
                    "on 198 test rows of ETHOS. They can be compared with runs on the same rows and cut only."
                }
            }
        }
    }

    /// A row for every setting, the mean over its seeds.
    fn table(&self, groups: &[Group]) -> Markup {
        let columns = varied(groups);
        let beside = groups.iter().any(|group| group.published(self.published).is_some());
        html! {
            div class="scroll" tabindex="0" {
                table class="wide" {
                    caption { "Mean ± standard deviation over the runs of each setting; TF-IDF with logistic regression on the same training rows." }
                    thead { tr {
                        @for name in &columns { th scope="col" { (name) } }
                        th scope="col" class="n" { "runs" }
                        @for curve in &CURVES { th scope="col" class="n" { (curve.name) } }
                        @if beside { th scope="col" class="n" { "codelab F1" } th scope="col" class="n" { "codelab ROC-AUC" } }
                        @for name in ["TF-IDF F1", "TF-IDF ROC-AUC", "always the same answer, F1"] { th scope="col" class="n" { (name) } }
                    } }
                    tbody {
                        @for group in groups {
                            tr {
                                @for name in &columns { td { (short(&setting(&group.settings[name]), 60)) } }
                                td class="n" { (group.runs.len()) }
                                @for curve in &CURVES { td class="n" { (cell(group, curve)) } }
                                @if beside {
                                    @let point = group.published(self.published);
                                    td class="n" { (point.map_or(String::from("–"), |point| format!("{:.2}", point.f1))) }
                                    td class="n" { (point.map_or(String::from("–"), |point| format!("{:.2}", point.roc_auc))) }
                                }
                                td class="n" { (baseline_cell(group, |all| Some(all.f1))) }
                                td class="n" { (baseline_cell(group, |all| all.roc_auc)) }
                                td class="n" { (baseline_cell(group, |all| Some(all.baseline_f1))) }
                            }
                        }
                    }
                }
            }
        }
    }

    fn data_card(&self) -> Vec<Fact> {
        let mut card = Vec::new();
        if let Some(evaluation) = self.results.first().map(|run| &run.tfidf) {
            card.push(fact("rows scored (in the first run)", evaluation.n));
            for (label, counts) in evaluation.labels.iter().zip(&evaluation.confusion_matrix) {
                let rows = counts.iter().sum::<u64>() as usize;
                card.push(fact(&format!("labelled {}", short(label, 40)), format!("{rows} ({})", percent(rows, evaluation.n))));
            }
        }
        let minutes = self.results.iter().map(|run| run.seconds).fold(0.0, f64::max) / 60.0;
        card.push(fact("longest training", format!("{minutes:.1} min")));
        card
    }

    fn provenance(&self, groups: &[Group]) -> Vec<(&'static str, Vec<Fact>)> {
        let mut base = Vec::new();
        for run in self.results {
            let model = fact(&run.base_model.name, format!("weights {}", run.base_model.weights_sha256));
            if !base.contains(&model) {
                base.push(model);
            }
        }
        let varied = varied(groups);
        let mut recipe = Vec::new();
        if let Some(first) = groups.first() {
            for (name, value) in &first.settings {
                if !varied.contains(name) {
                    recipe.push(fact(name, setting(value)));
                }
            }
        }
        recipe.push(fact("seeds", listed(self.results.iter().map(|run| run.recipe.seed))));
        recipe.push(fact("split seeds", listed(self.results.iter().map(|run| u64::from(run.split_seed)))));
        vec![("Base models", base), ("What all runs share", recipe)]
    }
}

/// Each number once, in order.
fn listed(numbers: impl Iterator<Item = u64>) -> String {
    let numbers: std::collections::BTreeSet<u64> = numbers.collect();
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn caption(drawing: &Drawing, constant: Option<f64>) -> Markup {
    html! { (drawing.title) "." @if let Some(value) = constant { " Always the same answer: " (decimals(value)) "." } }
}
