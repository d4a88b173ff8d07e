//! `lincah predict`.

use crate::args::{Compute, Predict, PredictionFormat};
use crate::outputs;
use crate::print::note;
use anyhow::{Context, bail};
use lincah::data::records::ReadOptions;
use lincah::data::writer::{Destination, OutputFormat};
use lincah::{AgileClassifier, Error, Keep, PredictFileOptions, PredictionOutput};
use std::ops::ControlFlow;
use std::path::Path;

pub(crate) fn run(arguments: &Predict, compute: &Compute) -> anyhow::Result<()> {
    let places = places(arguments)?;
    if let Some(out) = &arguments.out {
        outputs::check(out, &places.file.into_iter().collect::<Vec<_>>())?;
    }
    match predict(arguments, &places, compute) {
        // Whoever read standard output has enough.
        Err(error) if is_broken_pipe(&error) => Ok(()),
        result => result,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<Error>(), Some(Error::Data(error)) if error.is_broken_pipe())
}

/// Classifier folder and file.
struct Places<'a> {
    folder: Option<&'a Path>,
    file: Option<&'a Path>,
}

/// What stands first is the folder, but the file where the model is asked as it is.
fn places(arguments: &Predict) -> anyhow::Result<Places<'_>> {
    let (first, second) = (arguments.first.as_deref(), arguments.second.as_deref());
    let asked_without_folder = arguments.who.asked() && second.is_none() && arguments.input.is_none();
    let (folder, file) = if asked_without_folder { (None, first) } else { (first, second) };
    arguments.who.check(folder)?;
    match (folder, file, &arguments.input) {
        (_, Some(file), Some(_)) => bail!("there are two inputs, --input and {}; give one", file.display()),
        (Some(folder), None, None) => {
            bail!("nothing to classify behind the classifier folder {}; name a file, or give --input TEXT", folder.display())
        }
        (None, None, None) => bail!("there is nothing to classify; name a file, or give --input TEXT"),
        (_, Some(file), None) if !file.exists() && file != Path::new("-") => {
            bail!("there is no file {}; to classify it as a text, give --input {:?}", file.display(), file.display().to_string())
        }
        (_, None, Some(input)) if input.trim().is_empty() => bail!("the text of --input is empty"),
        _ => Ok(Places { folder, file }),
    }
}

fn predict(arguments: &Predict, places: &Places, compute: &Compute) -> anyhow::Result<()> {
    let output = output(arguments)?;
    let (Some(file), None) = (places.file, &arguments.input) else {
        let text = arguments.input.as_deref().unwrap_or_default();
        let classifier = arguments.who.load(places.folder, compute.first)?;
        return Ok(classifier.predict_text(text, arguments.explain, output)?);
    };
    let keep = match arguments.keep.as_slice() {
        [all] if all == "all" => Keep::All,
        columns => Keep::Columns(columns.to_vec()),
    };
    let classifier = arguments.who.load(places.folder, compute.first)?;
    let elsewhere = compute.others.iter().map(|&compute| arguments.who.load(places.folder, compute));
    let copies = elsewhere.collect::<Result<Vec<AgileClassifier>, Error>>()?;
    let options = PredictFileOptions {
        text_columns: classifier.text_columns(&arguments.text, file).context("give --text COLUMN: the column with the texts")?,
        keep,
        read: ReadOptions { delimiter: arguments.delimiter, ..ReadOptions::default() },
        strict: arguments.strict,
        explain: arguments.explain,
    };
    let written = classifier.predict_file(&copies, file, &options, output, &mut |_| ControlFlow::Continue(()))?;
    if written.failed_devices > 0 {
        note!("warning: {} of the devices failed; the others scored their rows", written.failed_devices);
    }
    if written.without_text > 0 {
        note!(
            "note: {} of {} rows have no text and got no prediction; --strict refuses such data",
            written.without_text,
            written.rows
        );
    }
    if written.truncated_texts > 0 {
        note!("note: {} texts were truncated to {} tokens", written.truncated_texts, classifier.max_tokens());
    }
    arguments.who.tell_cascade(written.by_first_member, written.rows - written.without_text);
    if let Some(out) = &arguments.out {
        note!("{} predictions written to {}", written.rows - written.without_text, out.display());
    }
    Ok(())
}

fn output(arguments: &Predict) -> anyhow::Result<PredictionOutput> {
    let by_name = arguments.out.as_deref().and_then(OutputFormat::of_path);
    let format = match arguments.format {
        Some(PredictionFormat::Jsonl) => OutputFormat::JsonLines,
        Some(PredictionFormat::Csv) => OutputFormat::Csv,
        Some(PredictionFormat::Tsv) => OutputFormat::Tsv,
        Some(PredictionFormat::Parquet) => OutputFormat::Parquet,
        None => by_name.unwrap_or(OutputFormat::JsonLines),
    };
    if let (Some(out), Some(by_name)) = (&arguments.out, by_name)
        && by_name != format
    {
        bail!("{} ends otherwise than --format says; leave one of them out", out.display());
    }
    let destination = arguments.out.clone().map_or(Destination::Stdout, Destination::File);
    Ok(PredictionOutput { destination, format })
}
