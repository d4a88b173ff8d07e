//! `lincah verify`.

use crate::args::Verify;
use crate::print::{json_line, print_verification};
use anyhow::bail;
use lincah::ComputeOptions;
use lincah::verification::Verification;

pub(crate) fn run(arguments: &Verify, compute: ComputeOptions) -> anyhow::Result<()> {
    let found = Verification::of(&arguments.folder, arguments.model.as_deref(), compute)?;
    if arguments.json {
        json_line(&found)?;
    } else {
        print_verification(&found);
    }
    match found.failed().as_slice() {
        [] => Ok(()),
        failed => bail!("{} did not pass: {}", arguments.folder.display(), failed.join(", ")),
    }
}
