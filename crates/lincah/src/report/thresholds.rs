//! What other thresholds would do.

use super::curves::Binary;
use super::label_column::Column;
use super::{decimals, short};
use crate::error::Error;
use crate::metrics::{ThresholdMetrics, at_threshold, threshold_for_precision};
use maud::{Markup, html};

/// The precisions that thresholds are looked for.
const PRECISIONS: [f64; 3] = [0.8, 0.9, 0.95];

/// The thresholds that the table names: steps of a tenth, then those that reach a precision, each with what it is there for.
///
/// # Errors
/// No positive row.
fn named(rows: Binary) -> Result<Vec<(String, Option<f64>)>, Error> {
    let mut found: Vec<(String, Option<f64>)> = (1..10).map(|tenth| (String::new(), Some(f64::from(tenth) / 10.0))).collect();
    for precision in PRECISIONS {
        let threshold = threshold_for_precision(rows.truth, rows.scores, precision)?;
        found.push((format!("precision ≥ {precision:.2}"), threshold));
    }
    Ok(found)
}

/// Rounded up, a threshold that is a row's score would lose that row.
fn rounded_down(threshold: f64) -> String {
    format!("{:.6}", (threshold * 1e6).floor() / 1e6)
}

fn caution() -> Markup {
    html! {
        p class="muted" {
            "A threshold chosen here owes part of its precision to these rows; check it on others before it decides anything."
        }
    }
}

/// Of one label, step by step.
///
/// # Errors
/// No row that has it.
pub(super) fn of_one(rows: Binary) -> Result<Markup, Error> {
    let positive = short(rows.names.1, 40);
    Ok(html! {
        div class="scroll" tabindex="0" {
            table {
                caption { "What flagging every row with a probability of " strong { (positive) } " at or above the threshold gives." }
                thead { tr {
                    th scope="col" { "threshold" }
                    @for name in ["precision", "recall", "F1", "flagged"] { th scope="col" class="n" { (name) } }
                } }
                tbody {
                    @for (name, threshold) in named(rows)? {
                        tr {
                            @match threshold {
                                Some(threshold) => {
                                    th scope="row" {
                                        @if name.is_empty() { (format!("{threshold:.1}")) } @else { (rounded_down(threshold)) span class="interval" { "lowest with " (name) } }
                                    }
                                    (cells(at_threshold(rows.truth, rows.scores, threshold)?))
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
        (caution())
    })
}

fn cells(found: ThresholdMetrics) -> Markup {
    html! {
        td class="n" { @match found.precision { Some(value) => (decimals(value)), None => "–" } }
        td class="n" { (decimals(found.recall)) }
        td class="n" { (decimals(found.f1)) }
        td class="n" { (format!("{:.1} %", 100.0 * found.flagged)) }
    }
}

/// Of several labels, each the lowest that reaches a precision.
///
/// # Errors
/// A label that no row has.
pub(super) fn of_many(columns: &[&Column]) -> Result<Markup, Error> {
    let found = |column: &Column, precision: f64| -> Result<String, Error> {
        let rows = column.binary();
        let Some(threshold) = threshold_for_precision(rows.truth, rows.scores, precision)? else {
            return Ok(String::from("–"));
        };
        let recall = at_threshold(rows.truth, rows.scores, threshold)?.recall;
        Ok(format!("{} (recall {})", rounded_down(threshold), decimals(recall)))
    };
    Ok(html! {
        div class="scroll" tabindex="0" {
            table class="wide" {
                caption {
                    "The lowest probability of each label from which on flagging a row has the precision, and the recall that is left; a dash where no "
                    "threshold reaches it on these rows."
                }
                thead { tr {
                    th scope="col" { "label" }
                    @for precision in PRECISIONS { th scope="col" class="n" { (format!("precision ≥ {precision:.2}")) } }
                } }
                tbody {
                    @for column in columns {
                        tr {
                            th scope="row" { (short(column.name, 60)) }
                            @for precision in PRECISIONS { td class="n" { (found(column, precision)?) } }
                        }
                    }
                }
            }
        }
        (caution())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: Binary = Binary {
        truth: &[false, false, true, true],
        given: &[false, false, false, true],
        scores: &[0.1, 0.4, 0.35, 0.8],
        threshold: Some(0.5),
        baseline: None,
        names: ("no", "yes"),
        place: None,
    };

    #[test]
    fn thresholds_reach_the_precision_that_they_name() {
        let found = named(ROWS).unwrap();
        assert_eq!(found.len(), 12);
        assert_eq!(found[9], (String::from("precision ≥ 0.80"), Some(0.8)));
        let never = Binary { scores: &[0.9, 0.9, 0.1, 0.9], ..ROWS };
        assert_eq!(named(never).unwrap()[11].1, None);
    }
}
