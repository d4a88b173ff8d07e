//! The command `lincah`.
#![forbid(unsafe_code)]

mod args;
mod classifier_args;
mod commands;
mod data_args;
mod experiment_args;
mod fold_printer;
mod interrupt;
mod machine;
mod multi_label_args;
mod multi_label_printer;
mod png;
mod printer;
mod prompt_args;
mod recipe_args;
mod recipe_lists;
mod report_args;
mod training_args;
mod training_run;

use args::{Arguments, Command};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    if let Some(threads) = arguments.threads
        && let Err(error) = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()
    {
        return printer::report(&anyhow::Error::new(error));
    }
    let compute = arguments.compute();
    let result = match arguments.command {
        Command::Quickstart(arguments) => commands::quickstart::run(&arguments, compute),
        Command::Pull(arguments) => commands::pull::run(&arguments),
        Command::Models(arguments) => commands::models::run(&arguments),
        Command::Train(arguments) => commands::train::run(&arguments, compute),
        Command::Evaluate(arguments) => commands::evaluate::run(&arguments, compute),
        Command::Predict(arguments) => commands::predict::run(&arguments, compute),
        Command::Generate(arguments) => commands::generate::run(&arguments, compute),
        Command::CrossValidate(arguments) => commands::cross_validate::run(&arguments, compute),
        Command::Sweep(arguments) => commands::sweep::run(&arguments, compute),
        Command::Compare(arguments) => commands::compare::run(&arguments, compute),
        Command::Report(arguments) => commands::report::run(&arguments, compute),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => printer::report(&error),
    }
}
