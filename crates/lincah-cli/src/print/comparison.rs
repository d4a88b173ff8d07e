//! Two classifiers on the same rows.

use super::{bracketed, number, result_line};
use lincah::Dataset;
use lincah::comparison::{Comparison, DecisionChanges};
use lincah::data::texts::Texts;
use lincah::metrics::Metric;
use lincah::statistics::Difference;

fn difference_text(difference: &Difference) -> String {
    let [low, high] = difference.interval;
    format!("second - first {:+.3} [{low:+.3}, {high:+.3}]", difference.value)
}

fn p_value_text(p_value: f64) -> String {
    if p_value < 0.001 { String::from("p < 0.001") } else { format!("p = {p_value:.3}") }
}

/// Both classifiers' metrics, the test of the decisions, and each label's answers below; of the rows that are decided differently the texts
/// only if asked.
pub(crate) fn print_comparison(comparison: &Comparison, data: &Dataset, show_texts: bool) {
    let (first, second) = (&comparison.first, &comparison.second);
    let width = first.scores.iter().map(|score| score.metric.name().len()).max().unwrap_or(0).max(10);
    for score in &first.scores {
        let difference = comparison.difference(score.metric).map_or(String::new(), difference_text);
        let [a, b] = [first, second].map(|of| number(of.value(score.metric)));
        result_line!("{}", format!("  {:<width$} {a:<9} {b:<9}   {difference}", score.metric.name()).trim_end());
    }
    result_line!("  in brackets 95 % paired bootstrap intervals over these rows");
    let test = &comparison.mcnemar;
    result_line!(
        "  only the first right: {} rows, only the second: {}; McNemar's exact test {}",
        test.only_first_right,
        test.only_second_right,
        p_value_text(test.p_value)
    );
    print_labels(comparison);
    result_line!();
    result_line!("{} rows get another decision{}", comparison.flips.len(), if comparison.flips.is_empty() { "" } else { ":" });
    let set = |labels: &[String]| if labels.is_empty() { String::from("none") } else { labels.join(";") };
    for flip in &comparison.flips {
        let text = match data.rows.iter().position(|&row| row == flip.row) {
            Some(index) if show_texts => format!("  {}", data.texts[index].replace(['\n', '\r'], " ")),
            _ => String::new(),
        };
        result_line!("  row {:<6} {} -> {} (true: {}){text}", flip.row, set(&flip.first), set(&flip.second), set(&flip.truth));
    }
    result_line!();
    result_line!("Verdict: {}", comparison.verdict);
}

fn print_labels(comparison: &Comparison) {
    if comparison.per_label.is_empty() {
        return;
    }
    let width = comparison.per_label.iter().map(|of| of.label.chars().count()).max().unwrap_or(0).max(5);
    result_line!();
    result_line!(
        "  {:<width$}  first F1  second F1  {:<25}  right with the first only, the second only; McNemar's p (Holm, for all labels together)",
        "label",
        "second - first"
    );
    let f1 = |of: &lincah::Evaluation, index: usize| {
        number(of.per_label[index].scores.iter().find(|score| score.metric == Metric::F1).and_then(|score| score.value))
    };
    for (index, of) in comparison.per_label.iter().enumerate() {
        let difference = of
            .difference(Metric::F1)
            .map_or(String::new(), |difference| format!("{:+.3} {}", difference.value, bracketed(Some(difference.interval))));
        result_line!(
            "  {:<width$}  {:<8}  {:<9}  {difference:<25}  {}, {}; {}",
            of.label,
            f1(&comparison.first, index),
            f1(&comparison.second, index),
            of.mcnemar.only_first_right,
            of.mcnemar.only_second_right,
            p_value_text(of.adjusted_p_value),
        );
    }
}

/// The decisions that change, by kind and then by row; of these the texts only if asked.
pub(crate) fn print_changes(found: &DecisionChanges, data: &Texts, show_texts: bool) {
    result_line!(
        "  decided otherwise: {} texts, {} {}, in brackets the exact 95 % interval",
        found.changed,
        number(found.share),
        bracketed(Some(found.interval))
    );
    for kind in &found.kinds {
        result_line!("  {:<6} {} -> {}", kind.texts, kind.first, kind.second);
    }
    if !found.changes.is_empty() {
        result_line!();
    }
    for change in &found.changes {
        let text = match data.rows.iter().position(|&row| row == change.row) {
            Some(index) if show_texts => format!("  {}", data.texts[index].replace(['\n', '\r'], " ")),
            _ => String::new(),
        };
        result_line!("  row {:<6} {} -> {}{text}", change.row, change.first, change.second);
    }
}
