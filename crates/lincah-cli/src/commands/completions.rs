//! `lincah completions`.

use crate::args::{Arguments, Completions};
use crate::print::to_stdout;
use clap::CommandFactory;

pub(crate) fn run(arguments: &Completions) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "lincah", &mut script);
    to_stdout(format_args!("{}", String::from_utf8(script)?));
    Ok(())
}
