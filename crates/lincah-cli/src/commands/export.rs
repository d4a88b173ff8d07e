//! `lincah export`.

use crate::args::{Export, load};
use crate::machine::quoted;
use crate::outputs;
use crate::print::{next_steps, note};
use anyhow::bail;
use lincah::{ComputeOptions, ExportForm, ExportOptions};

pub(crate) fn run(arguments: &Export, compute: ComputeOptions) -> anyhow::Result<()> {
    let Export { folder, form, out, number_type, base_model, model } = arguments;
    outputs::check_new_folder(out)?;
    let has_base = matches!(form, ExportForm::Peft | ExportForm::Mlx);
    if base_model.is_some() && !has_base {
        bail!("--base-model goes with --to peft and --to mlx, whose adapters look for one");
    }
    if number_type.is_some() && (*form == ExportForm::GgufLora || base_model.is_some()) {
        bail!("--dtype is of weights, and none are written but the adapter's: leave it out");
    }
    let classifier = load(folder, model.as_deref(), compute)?;
    let options = ExportOptions { form: *form, number_type: *number_type, base_model: base_model.clone() };
    let exported = classifier.export(out, &options)?;
    for written in &exported.folders {
        note!("written to {}", written.display());
    }
    for told in &exported.notes {
        note!("note: {told}");
    }
    let base = match form {
        ExportForm::GgufLora => format!("{} ", quoted(&classifier.base().path().display().to_string())),
        _ => String::new(),
    };
    next_steps(&[format!("python {} {base}\"any text\"", quoted(&exported.folders[0].join("score.py").display().to_string()))]);
    Ok(())
}
