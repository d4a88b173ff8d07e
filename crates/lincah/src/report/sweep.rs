//! The report of a sweep: learning curves and the table of means.

use super::chart::Drawing;
use super::codelab::PublishedPoint;
use super::learning::{Group, Run, baseline_cell, cell, curves, groups, panels, varied};
use super::page::{facts, figure, notices, page, provenance};
use super::{Fact, Origin, Report, decimals, fact, percent, setting, short};
use crate::metrics::Metric;
use maud::{Markup, html};
use serde_json::Value;

/// A sweep's runs.
#[derive(Debug, Clone)]
pub struct SweepReport<'a> {
    /// One or more runs, all of the same task and labels.
    pub results: &'a [Run<'a>],
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
        let (columns, metrics) = (varied(groups), curves(groups));
        let codelab: Vec<Metric> =
            metrics.iter().copied().filter(|metric| [Metric::F1, Metric::RocAuc].contains(metric)).collect();
        let beside = groups.iter().any(|group| group.published(self.published).is_some());
        html! {
            div class="scroll" tabindex="0" {
                table class="wide" {
                    caption { "Mean ± standard deviation over the runs of each setting; TF-IDF with logistic regression on the same training rows." }
                    thead { tr {
                        @for name in &columns { th scope="col" { (name) } }
                        th scope="col" class="n" { "runs" }
                        @for metric in &metrics { th scope="col" class="n" { (metric) } }
                        @if beside { @for metric in &codelab { th scope="col" class="n" { "codelab " (metric) } } }
                        @for metric in &metrics { th scope="col" class="n" { "TF-IDF " (metric) } }
                        @for metric in metrics.iter().take(1) { th scope="col" class="n" { "always the same answer, " (metric) } }
                    } }
                    tbody {
                        @for group in groups {
                            tr {
                                @for name in &columns { td { (short(&setting(group.settings.get(name).unwrap_or(&Value::Null)), 60)) } }
                                td class="n" { (group.runs.len()) }
                                @for metric in &metrics { td class="n" { (cell(group, *metric)) } }
                                @if beside {
                                    @let point = group.published(self.published);
                                    @for metric in &codelab {
                                        @let of = |point: PublishedPoint| format!("{:.2}", if *metric == Metric::F1 { point.f1 } else { point.roc_auc });
                                        td class="n" { (point.map_or(String::from("–"), of)) }
                                    }
                                }
                                @for metric in &metrics { td class="n" { (baseline_cell(group, |all| all.value(*metric))) } }
                                @for metric in metrics.iter().take(1) {
                                    td class="n" { (baseline_cell(group, |all| all.score(*metric)?.constant_answer)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn data_card(&self) -> Vec<Fact> {
        let mut card = Vec::new();
        if let Some(evaluation) = self.results.first().map(|run| run.tfidf) {
            card.push(fact("rows scored (in the first run)", evaluation.n));
            for (label, rows) in evaluation.labels.names().iter().zip(evaluation.label_rows()) {
                let share = percent(rows as usize, evaluation.n);
                card.push(fact(&format!("labelled {}", short(label, 40)), format!("{rows} ({share})")));
            }
        }
        let minutes = self.results.iter().map(|run| run.seconds).fold(0.0, f64::max) / 60.0;
        card.push(fact("longest training", format!("{minutes:.1} min")));
        card
    }

    fn provenance(&self, groups: &[Group]) -> Vec<(&'static str, Vec<Fact>)> {
        let mut base = Vec::new();
        for run in self.results {
            for model in &run.base_models {
                let model = fact(&model.name, format!("weights {}", model.weights_sha256));
                if !base.contains(&model) {
                    base.push(model);
                }
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
        for (name, key) in [("seeds", "seed"), ("split seeds", "split_seed")] {
            recipe.push(fact(name, listed(self.results.iter().filter_map(|run| run.settings.get(key)?.as_u64()))));
        }
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
