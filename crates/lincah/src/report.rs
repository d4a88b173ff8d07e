//! One HTML file about a classifier, a cross-validation or a sweep, and its plots; it needs no network and no script.
//!
//! A report is made of evaluations and scored rows, never of a model. Texts and labels come from the data and are hostile until escaped:
//! every piece of the page goes through [`maud`], and the page forbids scripts and requests to itself besides.

mod audit;
mod chart;
mod codelab;
mod confusion;
mod curves;
mod decisions;
mod label_column;
mod labels;
mod learning;
mod page;
mod rows;
mod scored;
mod style;
mod summary;
mod sweep;
mod thresholds;

pub use codelab::{CODELAB, PublishedPoint};
pub use learning::Run;
pub use scored::{Baseline, ScoredReport, scored_notices};
pub use summary::EvaluationPair;
pub use sweep::SweepReport;

/// A finished report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The whole page.
    pub html: String,
    /// Its plots as files of their own, in light colours.
    pub plots: Vec<PlotFile>,
}

/// A plot as an SVG file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlotFile {
    /// A file name without its ending.
    pub name: String,
    /// The SVG.
    pub svg: String,
}

/// Where a report comes from, for its last section.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// What the report is about: the folder's name.
    pub subject: String,
    /// The day it was made.
    pub date: String,
    /// The command that made it.
    pub command: String,
    /// The machine that scored the rows, where that was this one.
    pub machine: Option<String>,
}

/// A name and what it is, for the tables of two columns.
type Fact = (String, String);

fn fact(name: &str, value: impl ToString) -> Fact {
    (name.to_string(), value.to_string())
}

/// A text as it may be shown: no control characters but the line break and the tab, which XML and screens don't take.
fn visible(text: &str) -> String {
    let shown = |character: char| if character.is_control() && !"\n\t".contains(character) { '\u{fffd}' } else { character };
    text.chars().map(shown).collect()
}

/// The first `length` characters of a name, with a sign that there were more.
fn short(name: &str, length: usize) -> String {
    let shown = visible(name).replace(['\n', '\t'], " ");
    if shown.chars().count() <= length { shown } else { shown.chars().take(length - 1).chain(['…']).collect() }
}

/// A setting's value as a person writes it.
fn setting(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => String::from("none"),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Three decimals, as in `evaluate`.
fn decimals(value: f64) -> String {
    format!("{value:.3}")
}

/// A share in whole percent.
fn percent(part: usize, whole: usize) -> String {
    format!("{:.0} %", 100.0 * part as f64 / whole.max(1) as f64)
}

/// Mean and standard deviation, as `sweep` prints them.
fn mean_with_deviation(values: &[f64]) -> String {
    crate::statistics::mean_deviation(values).map_or(String::from("–"), |found| match found.deviation {
        Some(deviation) => format!("{:.3} ± {deviation:.3}", found.mean),
        None => decimals(found.mean),
    })
}
