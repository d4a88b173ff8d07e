//! `lincah models`.

use crate::args::Models;
use crate::print::{note, result_line};
use lincah::hub::{CatalogueEntry, cached_model, catalogue};
use serde_json::json;

pub(crate) fn run(arguments: &Models) -> anyhow::Result<()> {
    if arguments.json {
        let entries: Vec<_> = catalogue().iter().map(entry_json).collect();
        result_line!("{}", serde_json::to_string_pretty(&entries)?);
        return Ok(());
    }
    result_line!("{:<24} {:>10} {:>9}  {:<11}  {:<28} cached", "name", "parameters", "size", "format", "licence");
    for entry in catalogue() {
        let licence = if entry.gated { format!("{} (to be accepted)", entry.licence) } else { entry.licence.to_string() };
        let cached = cached_model(entry.name).map_or(String::from("no"), |model| model.origin);
        result_line!(
            "{:<24} {:>8} M {:>6} MB  {:<11}  {licence:<28} {cached}",
            entry.name,
            entry.parameters / 1_000_000,
            entry.bytes / 1_000_000,
            entry.format()
        );
    }
    note!("\nFetch one with `lincah pull NAME`; the defaults are {}.", lincah::hub::DEFAULT_MODELS.join(" and "));
    Ok(())
}

fn entry_json(entry: &CatalogueEntry) -> serde_json::Value {
    let cached = cached_model(entry.name);
    json!({
        "name": entry.name, "title": entry.title, "parameters": entry.parameters, "bytes": entry.bytes, "format": entry.format(),
        "licence": entry.licence, "licence_url": entry.licence_url, "gated": entry.gated,
        "cached": cached.as_ref().map(|model| json!({"path": model.path, "origin": model.origin, "revision": model.revision})),
    })
}
