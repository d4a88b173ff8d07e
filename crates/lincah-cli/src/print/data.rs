//! What should be known about rows before believing a metric.

use super::note;
use lincah::data::check::{self, ALL_FEATURES, Direction, Shortcut, Sides};
use lincah::data::report::{DataReport, SplitOverlap};
use lincah::prompt::WhiteSpace;
use lincah::{Dataset, Task};

/// How many rows were left out, and why.
pub(crate) fn skipped(data: &Dataset) {
    if let Some(summary) = data.skipped_summary() {
        note!("note: {summary}; --strict refuses such data");
    }
}

/// Which label the alphabet made the positive class, if it reads as the absence of the other.
pub(crate) fn negation(data: &Dataset) {
    if let Some(negated) = data.labels.looks_negated() {
        let (negation, stem) = (negated.negation, negated.stem);
        note!("note: {negation} looks like the absence of {stem}; --positive {stem} makes that the positive class");
    }
}

/// The rows' labels, duplicates and contradictions, and what the holdout shares with them.
pub(crate) fn data_report(train: &Dataset, holdout: Option<&Dataset>, white_space: WhiteSpace) {
    let report = DataReport::of(train);
    let counts: Vec<String> = report.classes.iter().map(|class| format!("{} {}", class.rows, class.label)).collect();
    let counts = counts.join(", ");
    let positive = train.labels.positive();
    match (train.task, train.labels.len(), train.threshold) {
        (Task::SingleLabel, 2, threshold) => {
            note!("{} training rows ({counts}); positive class: {positive}", report.rows);
            if let Some(threshold) = threshold {
                note!("rows at or above {threshold} are {positive}");
            }
        }
        (Task::SingleLabel, ..) => note!("{} training rows ({counts})", report.rows),
        (Task::MultiLabel, _, threshold) => {
            let without = train.truth.iter().filter(|row| !row.contains(&true)).count();
            note!("{} training rows ({counts}; {without} without any label)", report.rows);
            if let Some(threshold) = threshold {
                note!("labels at or above {threshold} hold");
            }
        }
    }
    for labels in &report.similar_labels {
        note!("warning: the labels {} differ in case or spaces only", labels.join(", "));
    }
    if report.normalized_duplicates.extra_rows > 0 {
        note!("note: {} training rows repeat another's text", report.normalized_duplicates.extra_rows);
    }
    if let Some(group) = report.conflicting_labels.first() {
        note!(
            "warning: {} texts are labelled in more than one way, the first in rows {group:?}",
            report.conflicting_labels.len()
        );
    }
    // What the model will not see is no shortcut.
    if let Some(shortcut) =
        check::shortcuts(&train.with_white_space(white_space)).iter().find(|shortcut| shortcut.is_surely_large())
    {
        note!("warning: {}; is this what should be learned? `lincah check` tells more", shortcut_text(shortcut));
    }
    let Some(holdout) = holdout else { return };
    let overlap = SplitOverlap::between(train, holdout);
    if let Some((train_row, row)) = overlap.pairs.first() {
        note!("warning: {} held-out texts are in the training too, the first in row {row} (as row {train_row})", overlap.rows);
    }
    let near = Sides { train, holdout }.near_duplicates_across();
    if let Some(group) = near.first() {
        note!(
            "warning: {} held-out texts are nearly those of training rows, the first among rows {}; `lincah check` tells more",
            near.len(),
            row_list(&group.rows)
        );
    }
}

/// What a shortcut tells of which label.
pub(super) fn shortcut_text(shortcut: &Shortcut) -> String {
    let label = &shortcut.label;
    let area = format!("ROC-AUC {:.2} {}", shortcut.roc_auc, short_interval(shortcut.interval));
    match (shortcut.feature, shortcut.direction) {
        (ALL_FEATURES, _) => format!("{label} can be told from the look of the texts alone ({})", area.trim_end()),
        (feature, Direction::More) => format!("texts that are {label} have more {} ({})", spoken(feature), area.trim_end()),
        (feature, Direction::Less) => format!("texts that are {label} have less {} ({})", spoken(feature), area.trim_end()),
    }
}

fn short_interval(interval: Option<[f64; 2]>) -> String {
    interval.map_or(String::new(), |[low, high]| format!("[{low:.2}, {high:.2}]"))
}

/// The feature's name in words.
fn spoken(feature: &str) -> String {
    match feature.strip_prefix("ends_with") {
        Some(rest) => format!("ends with{}", rest.replace('_', " ")),
        None => feature.replace('_', " "),
    }
}

/// The first rows by their numbers.
pub(super) fn row_list(rows: &[u64]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<String> = rows.iter().take(SHOWN).map(u64::to_string).collect();
    let more = rows.len().saturating_sub(SHOWN);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}
