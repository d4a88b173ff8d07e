//! What was true and what was answered.

use super::chart::Drawing;
use super::{decimals, percent, short};
use crate::evaluation::Evaluation;
use crate::metrics::ConfusionMatrix;
use crate::task::Task;
use maud::{Markup, html};

/// Labels up to which the matrix is drawn; larger ones are a table.
const DRAWN: usize = 8;

/// The matrix as a plot, if it is small enough to read.
pub(super) fn drawing(evaluation: &Evaluation) -> Option<Drawing> {
    let labels = evaluation.labels.len();
    if labels > DRAWN || evaluation.task == Task::MultiLabel {
        return None;
    }
    let cell = if labels <= 4 { (96.0, 64.0) } else { (58.0, 44.0) };
    let (left, top) = (128.0, 66.0);
    let size = (left + cell.0 * labels as f64 + 12.0, top + cell.1 * labels as f64 + 12.0);
    let name_length = if labels <= 4 { 13 } else { 8 };
    let body = html! {
        text class="name middle" x=(left + cell.0 * labels as f64 / 2.0) y="20" { "answered" }
        text class="name end" x=(left - 12.0) y=(top - 14.0) { "true" }
        @for (column, label) in evaluation.labels.names().iter().enumerate() {
            text class="middle" x=(left + cell.0 * (column as f64 + 0.5)) y=(top - 14.0) { (short(label, name_length)) }
        }
        @for (row, (label, counts)) in evaluation.labels.names().iter().zip(&evaluation.confusion_matrix).enumerate() {
            @let total = counts.iter().sum::<u64>() as usize;
            @let y = top + cell.1 * row as f64;
            text class="end" x=(left - 12.0) y=(y + cell.1 / 2.0 + 4.0) { (short(label, 15)) }
            @for (column, &count) in counts.iter().enumerate() {
                @let x = left + cell.0 * column as f64;
                @let share = count as f64 / total.max(1) as f64;
                @let class = if row == column { "cell s1" } else { "cell s2" };
                rect class=(class) x=(x) y=(y) width=(cell.0) height=(cell.1) fill-opacity=(decimals(0.04 + 0.4 * share)) {}
                text class="strong middle" x=(x + cell.0 / 2.0) y=(y + cell.1 / 2.0) { (count) }
                text class="middle" x=(x + cell.0 / 2.0) y=(y + cell.1 / 2.0 + 17.0) { (percent(count as usize, total)) }
            }
        }
    };
    Some(Drawing {
        name: String::from("confusion-matrix"),
        title: String::from("Confusion matrix"),
        description: described(evaluation),
        size,
        body,
    })
}

/// The matrix in words.
fn described(evaluation: &Evaluation) -> String {
    let labels = evaluation.labels.names();
    let row = |(truth, counts): (&String, &Vec<u64>)| {
        let cells = labels.iter().zip(counts).map(|(label, count)| format!("{count} answered {}", short(label, 40)));
        format!("truly {}: {}", short(truth, 40), cells.collect::<Vec<_>>().join(", "))
    };
    labels.iter().zip(&evaluation.confusion_matrix).map(row).collect::<Vec<_>>().join("; ")
}

/// The matrix as a table.
pub(super) fn table(evaluation: &Evaluation) -> Markup {
    html! {
        div class="scroll" tabindex="0" {
            table class="wide" {
                caption { "Rows: the true label; columns: the label answered." }
                thead { tr { th scope="col" { "true label" } @for label in evaluation.labels.names() { th scope="col" class="n" { (short(label, 24)) } } } }
                tbody {
                    @for (label, counts) in evaluation.labels.names().iter().zip(&evaluation.confusion_matrix) {
                        tr { th scope="row" { (short(label, 40)) } @for count in counts { td class="n" { (count) } } }
                    }
                }
            }
        }
    }
}

/// Precision, recall and F1 of two exclusive labels; of others [`labels::table`](super::labels::table) has more.
pub(super) fn per_class(evaluation: &Evaluation) -> Markup {
    let matrix = ConfusionMatrix::from_counts(evaluation.confusion_matrix.clone());
    html! {
        div class="scroll" tabindex="0" {
            table {
                caption { "Each label against all others." }
                thead { tr {
                    th scope="col" { "label" }
                    @for name in ["precision", "recall", "F1", "rows"] { th scope="col" class="n" { (name) } }
                } }
                tbody {
                    @for (class, label) in evaluation.labels.names().iter().enumerate() {
                        tr {
                            th scope="row" { (short(label, 60)) }
                            td class="n" { (decimals(matrix.precision(class))) }
                            td class="n" { (decimals(matrix.recall(class))) }
                            td class="n" { (decimals(matrix.f1(class))) }
                            td class="n" { (matrix.support(class)) }
                        }
                    }
                }
            }
        }
    }
}
