//! Metrics on standard output.

use super::decisions::{print_at_prevalence, print_points};
use super::{bracketed, number, result_line};
use lincah::evaluation::{Evaluation, FullEvaluation, LabelEvaluation, Score};
use lincah::metrics::Metric;
use lincah::{DecisionRule, Prediction, Task};

/// A sentence for everybody, metrics, what was decided, and the same at the traffic's prevalences.
pub(crate) fn print_full_evaluation(full: &FullEvaluation) {
    result_line!("{}", full.summary);
    result_line!();
    print_evaluation(&full.evaluation);
    if full.decision_rule != DecisionRule::default() || !full.at_prevalence.is_empty() {
        print_points(&full.operating_points);
    }
    print_at_prevalence(&full.at_prevalence, &full.summary);
    print_member_figures(full);
}

/// What each of several members reaches by itself.
fn print_member_figures(full: &FullEvaluation) {
    if full.members.is_empty() {
        return;
    }
    result_line!();
    result_line!("  each member by itself");
    for member in &full.members {
        let scores = full
            .evaluation
            .headline()
            .map(|metric| format!("{} {}", metric.name(), number(member.scores.get(metric.key()).copied().flatten())));
        result_line!("  {}  {}", scores.join("  "), member.member);
    }
}

/// Metrics, each label's below, and the confusion matrix.
pub(crate) fn print_evaluation(evaluation: &Evaluation) {
    result_line!("{} rows, in brackets 95 % bootstrap intervals over these rows", evaluation.n);
    let width = evaluation.scores.iter().map(|score| score.metric.name().len()).max().unwrap_or(0).max(10);
    for score in &evaluation.scores {
        result_line!("{}", line(evaluation, score, width));
    }
    if evaluation.abstained > 0 {
        result_line!("  {:<width$} {} rows", "undecided", evaluation.abstained);
    }
    if evaluation.resamples_without_areas > 0 {
        let (all, without) = (lincah::statistics::RESAMPLES, evaluation.resamples_without_areas);
        result_line!("  ({without} of the {all} resamples had one class only: the areas' intervals are of the others)");
    }
    result_line!("  {:<width$} {:.3}", "log loss", evaluation.log_loss);
    result_line!("  {:<width$} {:.1} texts/s", "speed", evaluation.texts_per_second);
    print_labels(evaluation);
    print_confusion_matrix(evaluation);
}

fn line(evaluation: &Evaluation, score: &Score, width: usize) -> String {
    let interval = match evaluation.exact_interval(score.metric) {
        // Every resample is the same, which is no certainty.
        Some(exact) => format!("   {} exact", bracketed(Some(exact))),
        None if score.interval.is_some() => format!("   {}", bracketed(score.interval)),
        None => String::new(),
    };
    let is_headline = evaluation.headline().contains(&score.metric);
    let constant = score.constant_answer.filter(|_| is_headline || evaluation.task == Task::MultiLabel);
    let answer = if evaluation.task == Task::MultiLabel { "each label's more frequent answer" } else { "always the same answer" };
    let constant = constant.map_or(String::new(), |value| format!("   ({answer}: {value:.3})"));
    format!("  {:<width$} {}{interval}{constant}", score.metric.name(), number(score.value))
}

fn print_labels(evaluation: &Evaluation) {
    const COLUMNS: [&str; 8] = ["label", "rows", "F1", "precision", "recall", "ROC-AUC", "PR-AUC", "F1 of always"];
    if evaluation.per_label.is_empty() {
        return;
    }
    let row = |of: &LabelEvaluation| {
        let score = |metric: Metric| of.scores.iter().find(|score| score.metric == metric);
        let value = |metric: Metric| number(score(metric).and_then(|score| score.value));
        let with_interval = |metric: Metric| {
            score(metric).map_or(String::new(), |score| format!("{} {}", number(score.value), bracketed(score.interval)))
        };
        let always = number(score(Metric::F1).and_then(|score| score.constant_answer));
        let [precision, recall, pr_auc] = [Metric::Precision, Metric::Recall, Metric::PrAuc].map(value);
        let [f1, roc_auc] = [Metric::F1, Metric::RocAuc].map(with_interval);
        [of.label.clone(), of.rows.to_string(), f1, precision, recall, roc_auc, pr_auc, always]
    };
    let rows: Vec<[String; 8]> = std::iter::once(COLUMNS.map(String::from)).chain(evaluation.per_label.iter().map(row)).collect();
    let widths: [usize; 8] = std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    result_line!();
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        result_line!("{}", format!("  {}", cells.collect::<Vec<_>>().join("  ")).trim_end());
    }
}

fn print_confusion_matrix(evaluation: &Evaluation) {
    if evaluation.confusion_matrix.is_empty() {
        return;
    }
    let labels = evaluation.labels.names();
    let width = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0).max(9);
    let cells = |cells: Vec<String>| cells.iter().map(|cell| format!("{cell:>width$}")).collect::<Vec<_>>().join("  ");
    result_line!();
    result_line!("  {:<width$}  {}", "predicted", cells(labels.to_vec()));
    for (label, counts) in labels.iter().zip(&evaluation.confusion_matrix) {
        result_line!("  {label:<width$}  {}", cells(counts.iter().map(ToString::to_string).collect()));
    }
}

/// The two metrics that stand for all others, in words.
pub(super) fn headline(evaluation: &Evaluation) -> String {
    let named = |metric: Metric| format!("{} {}", metric.name(), number(evaluation.value(metric)));
    evaluation.headline().map(named).join(", ")
}

/// What TF-IDF with logistic regression reaches on the same rows.
pub(crate) fn print_tfidf(evaluation: &Evaluation) {
    result_line!();
    result_line!("  TF-IDF + logistic regression, same rows: {}", headline(evaluation));
}

/// What rounded weights cost, beside the same texts scored exactly.
pub(crate) fn print_rounding(rounded: (&[Prediction], &Evaluation), exact: (&[Prediction], &Evaluation)) {
    let pairs = || rounded.0.iter().zip(exact.0);
    let change = |(a, b): (&Prediction, &Prediction)| {
        a.probabilities.iter().zip(&b.probabilities).fold(0.0f64, |most, (a, b)| most.max((a - b).abs()))
    };
    let most = pairs().map(change).fold(0.0, f64::max);
    let other = pairs().filter(|(a, b)| a.decision != b.decision).count();
    let of = |metric: Metric| {
        let four = |value: Option<f64>| value.map_or(String::from("none"), |value| format!("{value:.4}"));
        format!("{} {} ({})", metric.name(), four(rounded.1.value(metric)), four(exact.1.value(metric)))
    };
    let metrics = rounded.1.headline().map(of).join(", ");
    result_line!();
    result_line!("int8 beside f32: {metrics}; {other} of {} decisions differ, a probability by at most {most:.4}", exact.0.len());
}
