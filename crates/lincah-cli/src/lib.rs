//! The command `lincah` as a library, so that whatever carries it, a program or a Python package, calls one function.
#![forbid(unsafe_code)]

mod args;
mod commands;
mod interrupt;
mod machine;
mod outputs;
mod png;
mod print;

use args::{Arguments, Command};
use clap::Parser;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the command with these arguments, the first of which is its own name.
///
/// The exit code is 0 where all went well, and 1 otherwise, after one line that says what the user can mend.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    ExitCode::from(exit_code(arguments))
}

/// [`run`] for whoever ends the process in another way.
pub fn exit_code(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let parsed = match Arguments::try_parse_from(&arguments) {
        Ok(parsed) => parsed,
        Err(error) => {
            // Help and version go to standard output, which may be closed or full.
            let lost = error.print().is_err_and(|lost| lost.kind() != std::io::ErrorKind::BrokenPipe);
            return u8::from(error.use_stderr() || lost);
        }
    };
    print::configure(parsed.print_options());
    machine::remember_command(&arguments);
    let result = start_threads(parsed.threads).and_then(|()| dispatch(parsed));
    print::finish(result)
}

fn start_threads(threads: Option<usize>) -> anyhow::Result<()> {
    // The pool of a process that runs several commands is there already.
    if let Some(threads) = threads {
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    }
    interrupt::remove_temporary_files_when_stopped()
}

fn dispatch(arguments: Arguments) -> anyhow::Result<()> {
    let compute = arguments.compute();
    match arguments.command {
        Command::Quickstart(arguments) => commands::quickstart::run(&arguments, compute.only()?),
        Command::Pull(arguments) => commands::pull::run(&arguments),
        Command::Models(arguments) => commands::models::run(&arguments),
        Command::Prompt(arguments) => commands::prompt::run(&arguments),
        Command::Check(arguments) => commands::check::run(&arguments),
        Command::Train(arguments) => commands::train::run(&arguments, &compute),
        Command::Evaluate(arguments) => commands::evaluate::run(&arguments, compute.only()?),
        Command::Calibrate(arguments) => commands::calibrate::run(&arguments, compute.only()?),
        Command::Audit(arguments) => commands::audit::run(&arguments, compute.only()?),
        Command::Verify(arguments) => commands::verify::run(&arguments, compute.only()?),
        Command::Predict(arguments) => commands::predict::run(&arguments, &compute),
        Command::Generate(arguments) => commands::generate::run(&arguments, compute.only()?),
        Command::CrossValidate(arguments) => commands::cross_validate::run(&arguments, &compute),
        Command::Sweep(arguments) => commands::sweep::run(&arguments, &compute),
        Command::Compare(arguments) => commands::compare::run(&arguments, compute.only()?),
        Command::Report(arguments) => commands::report::run(&arguments, compute.only()?),
        Command::Export(arguments) => commands::export::run(&arguments, compute.only()?),
        Command::Import(arguments) => commands::import::run(&arguments, compute.only()?),
        Command::Serve(arguments) => commands::serve::run(&arguments, compute.only()?),
        Command::Studio(arguments) => commands::studio::run(&arguments, compute.only()?),
        Command::Completions(arguments) => commands::completions::run(&arguments),
        Command::Man(arguments) => commands::man::run(&arguments),
    }
}
