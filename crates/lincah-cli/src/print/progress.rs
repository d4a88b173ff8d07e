//! What happens while it takes time.

use super::{is_quiet, note};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lincah::hub::PullEvent;
use lincah::{BaseModel, ComputeOptions, Device, Method, Recipe, TrainEvent};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Says where a model computes, if that was left to lincah and there was a choice.
pub(crate) fn print_device(asked: ComputeOptions, base: &BaseModel) {
    if asked.device != Device::Auto || !Device::CUDA_IS_BUILT {
        return;
    }
    match base.device() {
        Device::Cpu => note!("computing on the processor, as no GPU can be used (--device cuda says why)"),
        device => note!("computing on {device}"),
    }
}

/// Says that a device has failed while others go on.
pub(crate) fn device_lost(error: impl std::fmt::Display) {
    note!("warning: {error}; what it was doing is done by the other devices");
}

/// Prints what the operations of a training took, the longest first.
pub(crate) fn print_operation_times(base: &BaseModel, whole: Duration) {
    let mut times: Vec<_> = base.take_operation_times().into_iter().collect();
    if times.is_empty() {
        note!("note: --profile measures the processor's operations only");
        return;
    }
    times.sort_by_key(|(_, operation)| std::cmp::Reverse(operation.time));
    let share = |time: Duration| 100.0 * time.as_secs_f64() / whole.as_secs_f64();
    note!("{:<28} {:>8} {:>9} {:>6} {:>8}", "operation", "calls", "seconds", "%", "GFLOP/s");
    for (name, operation) in &times {
        let seconds = operation.time.as_secs_f64();
        let rate = if operation.flops > 0.0 { format!("{:.0}", operation.flops / seconds / 1e9) } else { String::new() };
        note!("{name:<28} {:>8} {seconds:>9.3} {:>6.1} {rate:>8}", operation.calls, share(operation.time));
    }
    let measured: Duration = times.iter().map(|(_, operation)| operation.time).sum();
    let flops: f64 = times.iter().map(|(_, operation)| operation.flops).sum();
    let rest = whole.saturating_sub(measured);
    note!("{:<28} {:>8} {:>9.3} {:>6.1}", "everything else", "", rest.as_secs_f64(), share(rest));
    note!(
        "{:<28} {:>8} {:>9.3} {:>6} {:>8.0}",
        "whole training",
        "",
        whole.as_secs_f64(),
        100,
        flops / whole.as_secs_f64() / 1e9
    );
}

/// A bar on a terminal, which nobody sees elsewhere or where only results are wanted.
fn bar(template: &str) -> ProgressBar {
    let target = if is_quiet() { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    ProgressBar::with_draw_target(None, target)
        .with_style(ProgressStyle::with_template(template).expect("the template is valid").progress_chars("=> "))
}

/// Draws what happens in a training: a bar on a terminal, a line every ten seconds elsewhere.
pub(crate) struct TrainingProgress {
    bar: Option<ProgressBar>,
    /// Exponential mean of the loss.
    loss: Option<f64>,
    last_line: Instant,
    steps: usize,
    /// Epochs of each member, where there are several.
    member_epochs: Option<usize>,
}

impl TrainingProgress {
    pub(crate) fn new() -> Self {
        let bar = (std::io::stderr().is_terminal() && !is_quiet()).then(|| bar("training [{bar:30}] {pos}/{len} steps  {msg}"));
        Self { bar, loss: None, last_line: Instant::now(), steps: 0, member_epochs: None }
    }

    /// The same for one training, which may have several members.
    pub(crate) fn of(recipe: &Recipe) -> Self {
        Self { member_epochs: (recipe.members > 1).then_some(recipe.epochs), ..Self::new() }
    }

    /// Where in the training an epoch is, which is counted through all members.
    fn epoch(&self, epoch: usize) -> String {
        match self.member_epochs {
            Some(epochs) => format!("member {}, epoch {}", (epoch - 1) / epochs + 1, (epoch - 1) % epochs + 1),
            None => format!("epoch {epoch}"),
        }
    }

    pub(crate) fn show(&mut self, event: &TrainEvent) {
        match event {
            TrainEvent::Start { step, steps, rows, validation_rows, truncated_texts, .. } => {
                self.steps = *steps;
                let resumed = if *step > 0 { format!(", resumed at step {step}") } else { String::new() };
                let validation = if *validation_rows > 0 { format!(", {validation_rows} to validate on") } else { String::new() };
                let cut = if *truncated_texts > 0 {
                    format!(", {truncated_texts} texts truncated to --max-tokens")
                } else {
                    String::new()
                };
                self.line(&format!("training on {rows} texts{validation}, {steps} steps{cut}{resumed}"));
                if let Some(bar) = &self.bar {
                    bar.set_length(*steps as u64);
                    bar.set_position(*step as u64);
                }
            }
            TrainEvent::Member { member, members, method, models } => {
                let what = match method {
                    Method::Lora => "adapter of",
                    Method::Instant => "instant classifier on",
                };
                self.line(&format!("member {member} of {members}: {what} {}", models.join(" and ")));
            }
            TrainEvent::DeviceLost { error } => device_lost(error),
            TrainEvent::Saved { members, of } => match of - members {
                0 => self.line("all members work together now"),
                _ => self.line(&format!("a classifier of {members} of {of} members is saved and can be used already")),
            },
            TrainEvent::Reading { texts, models } => {
                self.line(&format!("{} read {texts} texts", models.join(" and ")));
            }
            TrainEvent::Read { model, seconds } => self.line(&format!("{model} has read them after {}", duration(*seconds))),
            TrainEvent::Fitted { model, states, weight, log_loss } => {
                let loss = log_loss.map_or(String::new(), |loss| format!(", log loss {loss:.3} out of fold"));
                self.line(&format!("probe on {model}, {states}: weight {weight:.2}{loss}"));
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
                        note!("step {step}/{}  {}  {text}", self.steps, self.epoch(*epoch));
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
                note!("trained in {}{early}", duration(*seconds));
            }
        }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(super::escaped(text)),
            None => note!("{text}"),
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

    fn line(&self, text: &str) {
        self.bar.suspend(|| note!("{text}"));
    }

    pub(crate) fn show(&self, event: PullEvent) {
        match event {
            PullEvent::Waiting => self.bar.set_message("waiting for another pull of it"),
            PullEvent::Started { source } => self.line(&format!("{}: asking {source}", self.name)),
            PullEvent::Progress { done, total } => {
                if let Some(total) = total {
                    self.bar.set_length(total);
                }
                self.bar.set_position(done);
            }
            PullEvent::Verifying { .. } => self.bar.set_message("checking its SHA-256"),
            PullEvent::SourceFailed { source, reason } => {
                self.line(&format!("{}: {source} did not give it ({reason})", self.name));
            }
            PullEvent::Done { path } => {
                self.bar.finish_and_clear();
                note!("{}: {}", self.name, path.display());
            }
        }
    }
}

/// Says that the training is several, where it is.
pub(crate) fn print_members(recipe: &Recipe) {
    if recipe.members > 1 {
        note!("{} adapters of {} epochs, one after the other; their mean is kept (--members)", recipe.members, recipe.epochs);
    }
}
