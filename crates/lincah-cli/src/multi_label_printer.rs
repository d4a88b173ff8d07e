//! What a person sees of multi-label data and metrics.

use crate::printer::{difference_text, p_value_text, print_mcnemar, shown_text};
use lincah::data::multi_label::MultiLabelDataset;
use lincah::data::report::{Duplicates, SplitOverlap};
use lincah::metrics::MultiLabelScores;
use lincah::multi_label::{MultiLabelComparison, MultiLabelEvaluation};
use lincah::statistics::Difference;

/// What should be known about the rows before believing a metric.
pub(crate) fn print_multi_label_report(train: &MultiLabelDataset, holdout: Option<&MultiLabelDataset>) {
    let labels = train.label_names.iter().enumerate();
    let counts: Vec<String> = labels.map(|(index, label)| format!("{} {label}", train.positives(index))).collect();
    let without = train.labels.iter().filter(|labels| !labels.contains(&true)).count();
    eprintln!("{} training rows ({}; {without} without any label)", train.len(), counts.join(", "));
    eprintln!("labels at or above {} hold", train.cut);
    let duplicates = Duplicates::normalized(&train.texts, &train.rows);
    if duplicates.extra_rows > 0 {
        eprintln!("note: {} training rows repeat another's text", duplicates.extra_rows);
    }
    if let Some(holdout) = holdout {
        let overlap = SplitOverlap::of((&train.texts, &train.rows), (&holdout.texts, &holdout.rows));
        if let Some((train_row, row)) = overlap.pairs.first() {
            eprintln!(
                "warning: {} held-out rows are in the training too, the first row {row} (as row {train_row})",
                overlap.rows
            );
        }
    }
}

/// A score, its interval, and the same of always giving the more frequent answer.
type Line<'a> = (&'a str, Option<f64>, Option<[f64; 2]>, Option<f64>);

/// Metrics on standard output, each label's below.
pub(crate) fn print_multi_label_evaluation(evaluation: &MultiLabelEvaluation) {
    println!("{} rows, in brackets 95 % bootstrap intervals over these rows", evaluation.n);
    let line = |name, of: Score| (name, Some(of.0(&evaluation.scores)), Some(of.1(&evaluation.intervals)), None);
    let beside = |name, of: Score| Line::from((name, line(name, of).1, line(name, of).2, Some(of.0(&evaluation.majority))));
    let lines: [Line; 13] = [
        beside("micro F1", (|all| all.micro_f1, |all| all.micro_f1)),
        line("micro precision", (|all| all.micro_precision, |all| all.micro_precision)),
        line("micro recall", (|all| all.micro_recall, |all| all.micro_recall)),
        beside("macro F1", (|all| all.macro_f1, |all| all.macro_f1)),
        line("macro precision", (|all| all.macro_precision, |all| all.macro_precision)),
        line("macro recall", (|all| all.macro_recall, |all| all.macro_recall)),
        beside("example F1", (|all| all.example_f1, |all| all.example_f1)),
        line("example precision", (|all| all.example_precision, |all| all.example_precision)),
        line("example recall", (|all| all.example_recall, |all| all.example_recall)),
        beside("subset accuracy", (|all| all.subset_accuracy, |all| all.subset_accuracy)),
        beside("Hamming loss", (|all| all.hamming_loss, |all| all.hamming_loss)),
        ("macro ROC-AUC", evaluation.macro_roc_auc, evaluation.macro_roc_auc_interval, None),
        ("macro PR-AUC", evaluation.macro_pr_auc, evaluation.macro_pr_auc_interval, None),
    ];
    for (name, value, interval, majority) in lines {
        let interval = interval.map_or(String::new(), |[low, high]| format!("   [{low:.3}, {high:.3}]"));
        let majority = majority.map_or(String::new(), |value| format!("   (each label's more frequent answer: {value:.3})"));
        println!("  {name:<17} {}{interval}{majority}", number(value));
    }
    println!("  {:<17} {:.3}", "log loss", evaluation.log_loss);
    println!("  {:<17} {:.1} texts/s", "speed", evaluation.texts_per_second);
    print_labels(evaluation);
}

type Score = (fn(&MultiLabelScores) -> f64, fn(&MultiLabelScores<[f64; 2]>) -> [f64; 2]);

fn number(value: Option<f64>) -> String {
    value.map_or(String::from("undefined"), |value| format!("{value:.3}"))
}

fn print_labels(evaluation: &MultiLabelEvaluation) {
    let width = evaluation.labels.iter().map(|label| label.chars().count()).max().unwrap_or(0).max(5);
    println!(
        "\n  {:<width$}  {:>5}  {:<22}  {:<9}  {:<9}  {:<22}  {:<9}  F1 of always yes",
        "label", "rows", "F1", "precision", "recall", "ROC-AUC", "PR-AUC"
    );
    for (label, scores) in evaluation.labels.iter().zip(&evaluation.per_label) {
        let with = |value: Option<f64>, interval: Option<[f64; 2]>| {
            number(value) + &interval.map_or(String::new(), |[low, high]| format!("  [{low:.3}, {high:.3}]"))
        };
        let intervals = scores.intervals.as_ref();
        println!(
            "  {label:<width$}  {:>5}  {:<22}  {:<9.3}  {:<9.3}  {:<22}  {:<9}  {:.3}",
            scores.confusion_matrix[1].iter().sum::<u64>(),
            with(Some(scores.f1), intervals.map(|intervals| intervals.f1)),
            scores.precision,
            scores.recall,
            with(scores.roc_auc, intervals.and_then(|intervals| intervals.roc_auc)),
            number(scores.pr_auc),
            scores.baseline_f1,
        );
    }
}

/// What TF-IDF with a logistic regression a label reaches on the same rows.
pub(crate) fn print_multi_label_tfidf(evaluation: &MultiLabelEvaluation) {
    let scores = &evaluation.scores;
    let area = evaluation.macro_roc_auc.map_or(String::new(), |area| format!(", macro ROC-AUC {area:.3}"));
    println!(
        "\n  TF-IDF + logistic regression a label, same rows: micro F1 {:.3}, macro F1 {:.3}, Hamming loss {:.3}{area}",
        scores.micro_f1, scores.macro_f1, scores.hamming_loss
    );
}

/// Two classifiers on the same rows, each label's answers below; of the rows whose labels differ the texts only if asked.
pub(crate) fn print_multi_label_comparison(comparison: &MultiLabelComparison, data: &MultiLabelDataset, show_texts: bool) {
    let line = |name: &str, values: [Option<f64>; 2], difference: Option<&Difference>| {
        let [first, second] = values.map(number);
        println!("  {name:<17} {first:<9} {second:<9}{}", difference.map_or(String::new(), difference_text));
    };
    let (first, second, differences) = (&comparison.first, &comparison.second, &comparison.differences);
    let scores: [(&str, ComparedScore); 5] = [
        ("micro F1", (|all| all.micro_f1, |all| &all.micro_f1)),
        ("macro F1", (|all| all.macro_f1, |all| &all.macro_f1)),
        ("example F1", (|all| all.example_f1, |all| &all.example_f1)),
        ("subset accuracy", (|all| all.subset_accuracy, |all| &all.subset_accuracy)),
        ("Hamming loss", (|all| all.hamming_loss, |all| &all.hamming_loss)),
    ];
    for (name, (value, difference)) in scores {
        line(name, [first, second].map(|of| Some(value(&of.scores))), Some(difference(differences)));
    }
    line("macro ROC-AUC", [first, second].map(|of| of.macro_roc_auc), comparison.macro_roc_auc_difference.as_ref());
    println!("  in brackets 95 % paired bootstrap intervals over these rows; a row is right where all its labels are");
    print_mcnemar(&comparison.mcnemar);
    let width = comparison.per_label.iter().map(|of| of.label.chars().count()).max().unwrap_or(0).max(5);
    println!(
        "\n  {:<width$}  first F1  second F1  {:<25}  right with the first only, the second only; McNemar's p (Holm, for all labels together)",
        "label", "second - first"
    );
    for (index, of) in comparison.per_label.iter().enumerate() {
        let (Difference { value, interval: [low, high] }, test) = (of.f1_difference, &of.mcnemar);
        println!(
            "  {:<width$}  {:<8.3}  {:<9.3}  {value:+.3} [{low:+.3}, {high:+.3}]    {}, {}; {}",
            of.label,
            first.per_label[index].f1,
            second.per_label[index].f1,
            test.only_first_right,
            test.only_second_right,
            p_value_text(of.adjusted_p_value),
        );
    }
    println!("\n{} rows get other labels{}", comparison.flips.len(), if comparison.flips.is_empty() { "" } else { ":" });
    let set = |labels: &[String]| if labels.is_empty() { String::from("none") } else { labels.join(";") };
    for flip in &comparison.flips {
        let text = shown_text(show_texts, flip.row, (&data.rows, &data.texts));
        println!("  row {:<6} {} -> {} (true: {}){text}", flip.row, set(&flip.first), set(&flip.second), set(&flip.truth));
    }
    println!("\nVerdict: {}", comparison.verdict);
}

type ComparedScore = (fn(&MultiLabelScores) -> f64, fn(&MultiLabelScores<Difference>) -> &Difference);
