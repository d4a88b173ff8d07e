//! `lincah man`.

use crate::args::{Arguments, Man};
use crate::print::note;
use anyhow::Context;
use clap::CommandFactory;

pub(crate) fn run(arguments: &Man) -> anyhow::Result<()> {
    let folder = &arguments.folder;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    clap_mangen::generate_to(Arguments::command(), folder).with_context(|| format!("cannot write to {}", folder.display()))?;
    note!(
        "written: lincah.1 and a page per verb in {}; read one with `man {}/lincah-train.1`",
        folder.display(),
        folder.display()
    );
    Ok(())
}
