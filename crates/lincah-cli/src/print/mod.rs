//! What a person sees: results on standard output, everything else on standard error.
//!
//! Nothing here panics: a lost standard error is ignored, a closed standard output ends the output quietly, and one that cannot be written
//! is reported at the end. Control characters from data, labels and paths are shown, not sent.

mod audit;
mod check;
mod comparison;
mod data;
mod decisions;
mod evaluation;
mod experiment;
mod folds;
mod progress;
mod sweep;
mod verification;

use clap::ValueEnum;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, OnceLock, PoisonError};

pub(crate) use audit::{print_audit, print_drift};
pub(crate) use check::print_check;
pub(crate) use comparison::{print_changes, print_comparison};
pub(crate) use data::{data_report, negation, skipped};
pub(crate) use decisions::print_decisions;
pub(crate) use evaluation::{print_evaluation, print_full_evaluation, print_rounding, print_tfidf};
pub(crate) use experiment::ExperimentProgress;
pub(crate) use folds::{FoldProgress, print_folds};
pub(crate) use progress::{
    PullProgress, TrainingProgress, device_lost, duration, print_device, print_members, print_operation_times,
};
pub(crate) use sweep::{print_sweep, run_line};
pub(crate) use verification::print_verification;

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How to print.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PrintOptions {
    /// Results and errors only.
    pub(crate) quiet: bool,
    pub(crate) color: Color,
}

static OPTIONS: OnceLock<PrintOptions> = OnceLock::new();
/// Why standard output cannot be written any more.
static STDOUT_FAILED: Mutex<Option<io::Error>> = Mutex::new(None);

/// Decides how everything is printed from now on; the first call counts.
pub(crate) fn configure(options: PrintOptions) {
    let _ = OPTIONS.set(options);
}

pub(crate) fn is_quiet() -> bool {
    OPTIONS.get().is_some_and(|options| options.quiet)
}

fn is_colored() -> bool {
    match OPTIONS.get().map_or(Color::Never, |options| options.color) {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    }
}

/// A line of a result, to standard output.
macro_rules! result_line {
    () => { $crate::print::to_stdout(format_args!("\n")) };
    ($($argument:tt)*) => { $crate::print::to_stdout(format_args!("{}\n", format_args!($($argument)*))) };
}
pub(crate) use result_line;

/// A line about what happens, to standard error, unless only results are wanted.
macro_rules! note {
    ($($argument:tt)*) => { $crate::print::to_stderr(format_args!($($argument)*)) };
}
pub(crate) use note;

/// Shows control characters, all but line breaks and tabs, as what they are.
pub(crate) fn escaped(text: &str) -> String {
    let is_hidden = |character: char| character.is_control() && !matches!(character, '\n' | '\t');
    if !text.contains(is_hidden) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) { shown.extend(character.escape_unicode()) } else { shown.push(character) }
    }
    shown
}

/// Writes to standard output, and remembers if that fails.
pub(crate) fn to_stdout(text: fmt::Arguments) {
    let mut failed = STDOUT_FAILED.lock().unwrap_or_else(PoisonError::into_inner);
    if failed.is_some() {
        return;
    }
    let mut stdout = io::stdout().lock();
    if let Err(error) = stdout.write_all(escaped(&text.to_string()).as_bytes()).and_then(|()| stdout.flush()) {
        *failed = Some(error);
    }
}

/// Writes a JSON line to standard output; JSON escapes control characters itself.
pub(crate) fn json_line(value: &impl serde::Serialize) -> anyhow::Result<()> {
    to_stdout(format_args!("{}\n", serde_json::to_string(value)?));
    Ok(())
}

/// Writes a line to standard error, if somebody wants it; nobody may read it.
pub(crate) fn to_stderr(text: fmt::Arguments) {
    if !is_quiet() {
        let _ = writeln!(io::stderr(), "{}", painted(&escaped(&text.to_string())));
    }
}

/// Colours the word that says how serious a line is.
fn painted(line: &str) -> String {
    let colors = [("error:", 31), ("warning:", 33), ("note:", 36), ("Next:", 32)];
    match colors.iter().find(|(word, _)| line.starts_with(word)) {
        Some((word, color)) if is_colored() => format!("\u{1b}[1;{color}m{word}\u{1b}[0m{}", &line[word.len()..]),
        _ => line.to_owned(),
    }
}

/// Says what can be done next, one command per line.
pub(crate) fn next_steps(commands: &[String]) {
    note!("Next:");
    for command in commands {
        note!("  {command}");
    }
}

/// Reports how the command ended, and gives its exit code.
pub(crate) fn finish(result: anyhow::Result<()>) -> u8 {
    let lost = STDOUT_FAILED.lock().unwrap_or_else(PoisonError::into_inner).take();
    let message = match (result, lost) {
        (Err(error), _) => described(&error),
        (Ok(()), Some(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
            format!("standard output cannot be written: {error}")
        }
        (Ok(()), _) => return 0,
    };
    let _ = writeln!(io::stderr(), "{}", painted(&format!("error: {}", escaped(&message.replace('\n', " ")))));
    1
}

/// An error in one line, with the causes that its message leaves out, and the options by their names.
fn described(error: &anyhow::Error) -> String {
    let mut message = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !message.contains(&cause) {
            message = format!("{message}: {cause}");
        }
    }
    match error.downcast_ref::<lincah::Error>() {
        Some(lincah::Error::Recipe { field, .. }) => message.replacen(field, &format!("--{}", field.replace('_', "-")), 1),
        Some(error) => match hint(error) {
            Some(hint) => format!("{message} ({hint})"),
            None => message,
        },
        None => message,
    }
}

/// The option that mends an error.
fn hint(error: &lincah::Error) -> Option<&'static str> {
    use lincah::Error;
    Some(match error {
        Error::FolderNotEmpty { .. } => "--out, --resume",
        Error::NoResultsFolder { .. } | Error::FolderInUse { .. } => "--out",
        Error::NothingToResume { .. } => "leave --resume out",
        Error::AlreadyFinished { .. } => "evaluate it, or train anew with another --out",
        Error::Interrupted { folder: Some(_), .. } => "the same command with --resume",
        Error::Diverged { .. } => "--learning-rate",
        Error::WrongBaseModel { .. } => "--model",
        Error::NothingToScore => "--holdout N or --validation F",
        _ => return None,
    })
}

/// A value with three decimals, or that it is undefined.
fn number(value: Option<f64>) -> String {
    value.map_or(String::from("undefined"), |value| format!("{value:.3}"))
}

/// An interval in brackets.
fn bracketed(interval: Option<[f64; 2]>) -> String {
    interval.map_or(String::new(), |[low, high]| format!("[{low:.3}, {high:.3}]"))
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(escaped("plain\ttext\n"), "plain\ttext\n");
        assert_eq!(escaped("a\u{1b}[2Jb\u{7f}"), "a\\u{1b}[2Jb\\u{7f}");
    }
}
