//! `lincah export`.

use crate::args::{Export, load};
use crate::outputs;
use crate::print::{next_steps, note};
use lincah::{ComputeOptions, ExportOptions};

pub(crate) fn run(arguments: &Export, compute: ComputeOptions) -> anyhow::Result<()> {
    let Export { folder, form, out, number_type, base_model, model } = arguments;
    outputs::check(out, &[])?;
    let classifier = load(folder, model.as_deref(), compute)?;
    let options = ExportOptions { form: *form, number_type: *number_type, base_model: base_model.clone() };
    let exported = classifier.export(out, &options)?;
    for written in &exported.folders {
        note!("written to {}", written.display());
    }
    for told in &exported.notes {
        note!("note: {told}");
    }
    next_steps(&[format!("python {}/score.py \"any text\"", exported.folders[0].display())]);
    Ok(())
}
