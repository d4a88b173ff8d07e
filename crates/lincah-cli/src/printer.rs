//! What a person sees: results on standard output, everything else on standard error.

use anyhow::Error;
use indicatif::{ProgressBar, ProgressStyle};
use lincah::data::dataset::LabelledDataset;
use lincah::data::report::{DataReport, SplitOverlap};
use lincah::hub::PullEvent;
use lincah::statistics::{Difference, McNemar};
use lincah::{BaseModel, Compute, Device, Evaluation, LabelScores, Prediction, Recipe, TrainEvent};
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Prints an error in one line, with the causes that its message leaves out.
pub(crate) fn report(error: &Error) -> ExitCode {
    let mut message = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !message.contains(&cause) {
            message = format!("{message}: {cause}");
        }
    }
    eprintln!("error: {}", message.replace('\n', " "));
    ExitCode::from(1)
}

/// Says where a model computes, if that was left to lincah and there was a choice.
pub(crate) fn print_device(asked: Compute, base: &BaseModel) {
    if asked.device != Device::Auto || !Device::CUDA_IS_BUILT {
        return;
    }
    match base.model().device() {
        Device::Cpu => eprintln!("computing on the processor, as no GPU can be used (--device cuda says why)"),
        device => eprintln!("computing on {device}"),
    }
}

/// Prints what rounded weights cost, beside the same texts scored exactly.
pub(crate) fn print_rounding(
    (rounded, evaluation): (&[Prediction], &Evaluation),
    (exact, exact_evaluation): (&[Prediction], &Evaluation),
) {
    let pairs = || rounded.iter().zip(exact);
    let change = |(a, b): (&Prediction, &Prediction)| {
        a.probabilities.iter().zip(&b.probabilities).fold(0.0f64, |most, (a, b)| most.max((a - b).abs()))
    };
    let most = pairs().map(change).fold(0.0, f64::max);
    let other = pairs().filter(|(a, b)| a.most_probable() != b.most_probable()).count();
    let roc_auc = |evaluation: &Evaluation| evaluation.roc_auc.map_or(String::from("none"), |value| format!("{value:.4}"));
    println!(
        "\nint8 beside f32: F1 {:.4} ({:.4}), ROC-AUC {} ({}); {other} of {} labels differ, a probability by at most {most:.4}",
        evaluation.f1,
        exact_evaluation.f1,
        roc_auc(evaluation),
        roc_auc(exact_evaluation),
        exact.len(),
    );
}

/// Prints what the operations of a training took, the longest first.
pub(crate) fn print_operation_times(base: &BaseModel, whole: Duration) {
    let mut times: Vec<_> = base.model().take_times().into_iter().collect();
    if times.is_empty() {
        return eprintln!("note: --profile measures the processor's operations only");
    }
    times.sort_by_key(|(_, operation)| std::cmp::Reverse(operation.time));
    let share = |time: Duration| 100.0 * time.as_secs_f64() / whole.as_secs_f64();
    eprintln!("{:<28} {:>8} {:>9} {:>6} {:>8}", "operation", "calls", "seconds", "%", "GFLOP/s");
    for (name, operation) in &times {
        let seconds = operation.time.as_secs_f64();
        let rate = if operation.flops > 0.0 { format!("{:.0}", operation.flops / seconds / 1e9) } else { String::new() };
        eprintln!("{name:<28} {:>8} {seconds:>9.3} {:>6.1} {rate:>8}", operation.calls, share(operation.time));
    }
    let measured: Duration = times.iter().map(|(_, operation)| operation.time).sum();
    let flops: f64 = times.iter().map(|(_, operation)| operation.flops).sum();
    let rest = whole.saturating_sub(measured);
    eprintln!("{:<28} {:>8} {:>9.3} {:>6.1}", "everything else", "", rest.as_secs_f64(), share(rest));
    eprintln!(
        "{:<28} {:>8} {:>9.3} {:>6} {:>8.0}",
        "whole training",
        "",
        whole.as_secs_f64(),
        100,
        flops / whole.as_secs_f64() / 1e9
    );
}

fn bar(template: &str) -> ProgressBar {
    ProgressBar::no_length()
        .with_style(ProgressStyle::with_template(template).expect("the template is valid").progress_chars("=> "))
}

/// Draws what happens in a training: a bar on a terminal, a line every ten seconds elsewhere.
pub(crate) struct TrainingProgress {
    bar: Option<ProgressBar>,
    /// Exponential mean of the loss.
    loss: Option<f64>,
    last_line: Instant,
    steps: usize,
}

impl TrainingProgress {
    pub(crate) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| bar("training [{bar:30}] {pos}/{len} steps  {msg}"));
        Self { bar, loss: None, last_line: Instant::now(), steps: 0 }
    }

    pub(crate) fn show(&mut self, event: &TrainEvent) {
        match event {
            TrainEvent::Start { step, steps, rows, validation_rows, cut_texts, .. } => {
                self.steps = *steps;
                let resumed = if *step > 0 { format!(", resumed at step {step}") } else { String::new() };
                let validation = if *validation_rows > 0 { format!(", {validation_rows} to validate on") } else { String::new() };
                let cut = if *cut_texts > 0 { format!(", {cut_texts} texts cut to fit --max-tokens") } else { String::new() };
                self.line(&format!("training on {rows} texts{validation}, {steps} steps{cut}{resumed}"));
                if let Some(bar) = &self.bar {
                    bar.set_length(*steps as u64);
                    bar.set_position(*step as u64);
                }
            }
            TrainEvent::Step { step, epoch, loss, examples_per_second, seconds_left, .. } => {
                let smoothed = self.loss.map_or(*loss, |earlier| 0.95 * earlier + 0.05 * loss);
                self.loss = Some(smoothed);
                let text = format!("loss {smoothed:.3}  {examples_per_second:.1} examples/s  {} left", duration(*seconds_left));
                match &self.bar {
                    Some(bar) => {
                        bar.set_position(*step as u64);
                        bar.set_message(text);
                    }
                    None if self.last_line.elapsed() > Duration::from_secs(10) || *step == self.steps => {
                        self.last_line = Instant::now();
                        eprintln!("step {step}/{}  epoch {epoch}  {text}", self.steps);
                    }
                    None => {}
                }
            }
            TrainEvent::Validation { epoch, loss, accuracy, f1, roc_auc, best, .. } => {
                let roc_auc = roc_auc.map_or(String::new(), |value| format!(" ROC-AUC {value:.3}"));
                let best = if *best { "  (best so far)" } else { "" };
                self.line(&format!(
                    "epoch {epoch}: validation loss {loss:.3}  accuracy {accuracy:.3}  F1 {f1:.3}{roc_auc}{best}"
                ));
            }
            TrainEvent::End { stopped_early, kept_epoch, seconds, .. } => {
                if let Some(bar) = &self.bar {
                    bar.finish_and_clear();
                }
                let early = if *stopped_early { format!(", stopped early, epoch {kept_epoch} kept") } else { String::new() };
                eprintln!("trained in {}{early}", duration(*seconds));
            }
        }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => eprintln!("{text}"),
        }
    }
}

pub(crate) fn duration(seconds: f64) -> String {
    let seconds = seconds.round().max(0.0) as u64;
    if seconds < 60 { format!("{seconds} s") } else { format!("{} min {:02} s", seconds / 60, seconds % 60) }
}

/// Draws a download.
pub(crate) struct PullProgress {
    name: String,
    bar: ProgressBar,
}

impl PullProgress {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_string(),
            bar: bar("{prefix} [{bar:30}] {bytes}/{total_bytes}  {msg}").with_prefix(name.to_string()),
        }
    }

    pub(crate) fn show(&self, event: PullEvent) {
        match event {
            PullEvent::Waiting => self.bar.set_message("waiting for another pull of it"),
            PullEvent::Started { source } => self.bar.println(format!("{}: asking {source}", self.name)),
            PullEvent::Progress { done, total } => {
                if let Some(total) = total {
                    self.bar.set_length(total);
                }
                self.bar.set_position(done);
            }
            PullEvent::Verifying { .. } => self.bar.set_message("checking its SHA-256"),
            PullEvent::SourceFailed { source, reason } => {
                self.bar.println(format!("{}: {source} did not give it ({reason})", self.name))
            }
            PullEvent::Done { path } => {
                self.bar.finish_and_clear();
                eprintln!("{}: {}", self.name, path.display());
            }
        }
    }
}

/// Says that the training is several, where it is.
pub(crate) fn print_members(recipe: &Recipe) {
    if recipe.members > 1 {
        eprintln!("{} adapters of {} epochs, one after the other; their mean is kept (--members)", recipe.members, recipe.epochs);
    }
}

/// What should be known about the rows before believing a metric.
pub(crate) fn print_data_report(train: &LabelledDataset, holdout: Option<&LabelledDataset>) {
    let report = DataReport::of(train);
    let counts: Vec<String> = report.classes.iter().map(|class| format!("{} {}", class.rows, class.label)).collect();
    eprintln!(
        "{} training rows ({}); positive class: {}",
        report.rows,
        counts.join(", "),
        train.label_names[train.label_names.len() - 1]
    );
    if let Some(cut) = train.cut {
        eprintln!("rows at or above {cut} are {}", train.label_names[train.label_names.len() - 1]);
    }
    if report.normalized_duplicates.extra_rows > 0 {
        eprintln!("note: {} training rows repeat another's text", report.normalized_duplicates.extra_rows);
    }
    if let Some(group) = report.conflicting_labels.first() {
        eprintln!("warning: {} texts have several labels, the first in rows {group:?}", report.conflicting_labels.len());
    }
    if let Some(holdout) = holdout {
        let overlap = SplitOverlap::between(train, holdout);
        if let Some((train_row, row)) = overlap.pairs.first() {
            eprintln!(
                "warning: {} held-out rows are in the training too, the first row {row} (as row {train_row})",
                overlap.rows
            );
        }
    }
}

/// Metrics and confusion matrix on standard output.
pub(crate) fn print_evaluation(evaluation: &Evaluation) {
    let two = evaluation.labels.len() == 2;
    let intervals = evaluation.intervals.as_ref();
    let line = |name: &str, value: Option<f64>, interval: Option<[f64; 2]>, note: &str| {
        let value = value.map_or(String::from("undefined"), |value| format!("{value:.3}"));
        let interval = interval.map_or(String::new(), |[low, high]| format!("   [{low:.3}, {high:.3}]"));
        println!("  {name:<11} {value}{interval}{note}");
    };
    let baseline = format!("   (always the same answer: {:.3})", evaluation.baseline_f1);
    let title = if intervals.is_some() { ", in brackets 95 % bootstrap intervals over these rows" } else { "" };
    println!("{} rows{title}", evaluation.n);
    let f1_name = if two { "F1" } else { "macro F1" };
    line(f1_name, Some(evaluation.f1), intervals.map(|intervals| intervals.f1), &baseline);
    line("precision", Some(evaluation.precision), intervals.map(|intervals| intervals.precision), "");
    line("recall", Some(evaluation.recall), intervals.map(|intervals| intervals.recall), "");
    line("accuracy", Some(evaluation.accuracy), intervals.map(|intervals| intervals.accuracy), "");
    if two {
        line("ROC-AUC", evaluation.roc_auc, intervals.and_then(|intervals| intervals.roc_auc), "");
        line("PR-AUC", evaluation.pr_auc, intervals.and_then(|intervals| intervals.pr_auc), "");
        line("macro F1", Some(evaluation.macro_f1), intervals.map(|intervals| intervals.macro_f1), "");
    }
    for (name, value) in [("micro F1", evaluation.micro_f1), ("weighted F1", evaluation.weighted_f1)] {
        if value.is_some() {
            line(name, value, None, "");
        }
    }
    if let Some(one_class) = intervals.map(|intervals| intervals.one_class_resamples).filter(|&resamples| resamples > 0) {
        println!("  ({one_class} of the 2000 resamples had one class only: the areas' intervals are of the others)");
    }
    println!("  log loss    {:.3}", evaluation.log_loss);
    println!("  speed       {:.1} texts/s", evaluation.texts_per_second);
    let width = evaluation.labels.iter().map(|label| label.chars().count()).max().unwrap_or(0).max(9);
    if !evaluation.per_label.is_empty() {
        let area = |value: Option<f64>| value.map_or(String::from("undefined"), |value| format!("{value:.3}"));
        println!("\n  {:<width$}  {:>5}  {:<5}  precision  recall  {:<9}  PR-AUC", "label", "rows", "F1", "ROC-AUC");
        for LabelScores { label, rows, f1, precision, recall, roc_auc, pr_auc } in &evaluation.per_label {
            let (roc_auc, pr_auc) = (area(*roc_auc), area(*pr_auc));
            println!("  {label:<width$}  {rows:>5}  {f1:.3}  {precision:<9.3}  {recall:<6.3}  {roc_auc:<9}  {pr_auc}");
        }
    }
    let cells = |cells: Vec<String>| cells.iter().map(|cell| format!("{cell:>width$}")).collect::<Vec<_>>().join("  ");
    println!("\n  {:<width$}  {}", "predicted", cells(evaluation.labels.clone()));
    for (label, counts) in evaluation.labels.iter().zip(&evaluation.confusion_matrix) {
        println!("  {label:<width$}  {}", cells(counts.iter().map(ToString::to_string).collect()));
    }
}

/// What TF-IDF with logistic regression reaches on the same rows.
pub(crate) fn print_tfidf(evaluation: &Evaluation) {
    let name = if evaluation.labels.len() == 2 { "F1" } else { "macro F1" };
    let area = evaluation.roc_auc.map_or(String::new(), |area| format!(", ROC-AUC {area:.3}"));
    println!("\n  TF-IDF + logistic regression, same rows: {name} {:.3}{area}", evaluation.f1);
}

/// The second classifier's metric minus the first's.
pub(crate) fn difference_text(difference: &Difference) -> String {
    let [low, high] = difference.interval;
    format!("   second - first {:+.3} [{low:+.3}, {high:+.3}]", difference.value)
}

pub(crate) fn p_value_text(p_value: f64) -> String {
    if p_value < 0.001 { String::from("p < 0.001") } else { format!("p = {p_value:.3}") }
}

pub(crate) fn print_mcnemar(test: &McNemar) {
    let McNemar { only_first_right, only_second_right, p_value } = test;
    println!(
        "  only the first right: {only_first_right} rows, only the second: {only_second_right}; McNemar's exact test {}",
        p_value_text(*p_value)
    );
}

/// A row's text in one line, if texts are to be shown.
pub(crate) fn shown_text(show_texts: bool, row: u64, (rows, texts): (&[u64], &[String])) -> String {
    match (show_texts, rows.iter().position(|&other| other == row)) {
        (true, Some(index)) => format!("  {}", texts[index].replace(['\n', '\r'], " ")),
        _ => String::new(),
    }
}
