//! What an audit found, worst first.

use super::page::with_interval;
use super::{decimals, short};
use crate::audit::{Audit, Flips, IdentityAreas, Part, Robustness, SlicePart};
use maud::{Markup, html};

/// Rows of a table.
const SHOWN: usize = 10;

/// The section.
pub(super) fn section(audit: &Audit) -> Markup {
    html! {
        h2 { "Audit" }
        p {
            "Of the " (audit.n) " rows of the audit " (audit.overall.right) " are answered right in every decision: "
            (accuracy(&audit.overall)) ". In small print exact 95 % intervals."
        }
        (parts("functionality", "What each row tests, the worst first.", &audit.functionalities))
        (parts("group", "Whom each row is about, the worst first.", &audit.groups))
        @for areas in &audit.identity { (identity(areas)) }
        (slices(&audit.slices))
        @if let Some(found) = &audit.robustness { (robustness(found)) }
    }
}

fn accuracy(part: &Part) -> Markup {
    with_interval(part.accuracy, part.accuracy.map(|_| part.interval))
}

fn number(value: Option<f64>) -> String {
    value.map_or(String::from("–"), decimals)
}

/// A table with numbers in all columns but the first.
fn table(caption: &str, columns: &[&str], rows: Vec<(String, Vec<Markup>)>) -> Markup {
    let left_out = rows.len().saturating_sub(SHOWN);
    html! {
        @if !rows.is_empty() {
            div class="scroll" tabindex="0" {
                table {
                    caption { (caption) @if left_out > 0 { " " (left_out) " more are not shown." } }
                    thead { tr {
                        @for (index, name) in columns.iter().enumerate() { th scope="col" class=[(index > 0).then_some("n")] { (name) } }
                    } }
                    tbody {
                        @for (name, cells) in rows.iter().take(SHOWN) {
                            tr { th scope="row" { (short(name, 40)) } @for cell in cells { td class="n" { (cell) } } }
                        }
                    }
                }
            }
        }
    }
}

fn parts(name: &str, caption: &str, parts: &[Part]) -> Markup {
    let row = |part: &Part| (part.name.clone(), vec![html! { (part.rows) }, accuracy(part), html! { (part.reviewed) }]);
    table(caption, &[name, "rows", "accuracy", "reviewed"], parts.iter().map(row).collect())
}

fn identity(areas: &IdentityAreas) -> Markup {
    let cells = |values: [Option<f64>; 3]| values.map(|value| html! { (number(value)) }).to_vec();
    let mut rows = vec![(String::from("all groups, power mean"), [vec![html! { "–" }], cells(areas.means())].concat())];
    rows.extend(areas.groups.iter().map(|group| {
        let found = [group.subgroup, group.background_positive_subgroup_negative, group.background_negative_subgroup_positive];
        (group.group.clone(), [vec![html! { (group.positives) " / " (group.negatives) }], cells(found)].concat())
    }));
    let caption = format!(
        "How well texts about a group are told apart, by the area under the ROC curve of {}: of the group alone, of its other texts beside \
         all that have the label (BPSN: low where a group is flagged for nothing), and the other way round (BNSP: low where texts about it \
         are missed).",
        short(&areas.label, 40)
    );
    table(&caption, &["group", "with / without", "subgroup", "BPSN", "BNSP"], rows)
}

fn slices(slices: &[SlicePart]) -> Markup {
    let row = |slice: &SlicePart| {
        let cells = vec![
            html! { (slice.part.rows) },
            accuracy(&slice.part),
            html! { (number(slice.rest)) },
            html! { (decimals(slice.p_value)) },
        ];
        (format!("{} {}", slice.column, slice.part.name), cells)
    };
    let caption =
        "Rows by other columns; the probability is of a difference from the rest so large by chance (Fisher, adjusted by Holm).";
    table(caption, &["slice", "rows", "accuracy", "the rest", "p"], slices.iter().map(row).collect())
}

fn robustness(found: &Robustness) -> Markup {
    let row = |flips: &Flips| {
        let cells = vec![
            html! { (flips.changed) },
            with_interval(flips.share, flips.share.map(|_| flips.interval)),
            html! { (flips.lost) },
            html! { (decimals(flips.mean_change)) },
        ];
        (flips.kind.clone(), cells)
    };
    let caption = format!(
        "What becomes of {} texts when they are written otherwise: decisions that flip, labels that are lost.",
        found.rows
    );
    table(&caption, &["written with", "changed", "flips", "lost", "mean change"], found.kinds.iter().map(row).collect())
}
