//! `lincah predict`.

use crate::args::{Predict, PredictionFormat};
use crate::classifier_args::Classifier;
use crate::printer::print_device;
use anyhow::bail;
use lincah::data::DataError;
use lincah::data::records::{ReadOptions, Record, RecordReader, Value, ValueKind};
use lincah::data::writer::{Destination, OutputColumn, OutputFormat, RecordWriter};
use lincah::multi_label::MultiLabelClassifier;
use lincah::{Compute, Error, Task};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};

/// Texts that are scored at a time.
const CHUNK: usize = 512;

pub(crate) fn run(arguments: &Predict, compute: Compute) -> anyhow::Result<()> {
    let places = places(arguments)?;
    match predict(arguments, places, compute) {
        Err(Error::Data(error)) if error.is_broken_pipe() => Ok(()),
        result => Ok(result?),
    }
}

/// Classifier folder and file: what stands first is the folder, but the file where the model is asked as it is.
fn places(arguments: &Predict) -> anyhow::Result<(Option<&Path>, Option<&Path>)> {
    let (first, second) = (arguments.first.as_deref(), arguments.second.as_deref());
    let asked_without_folder = arguments.zero_shot.asked() && second.is_none() && arguments.input.is_none();
    let (folder, file) = if asked_without_folder { (None, first) } else { (first, second) };
    arguments.zero_shot.check(folder)?;
    match (folder, file, &arguments.input) {
        (_, Some(file), Some(_)) => bail!("there are two inputs, --input and {}; give one", file.display()),
        (Some(folder), None, None) => {
            bail!("nothing to classify behind the classifier folder {}; name a file, or give --input TEXT", folder.display())
        }
        (None, None, None) => bail!("there is nothing to classify; name a file, or give --input TEXT"),
        _ => Ok((folder, file)),
    }
}

/// A classifier of either kind, and what it writes.
enum Loaded {
    OneLabel(Classifier),
    MultiLabel(Box<MultiLabelClassifier>),
}

impl Loaded {
    fn load(arguments: &Predict, folder: Option<&Path>, compute: Compute) -> Result<Self, Error> {
        match folder {
            Some(folder) if Task::of(folder)? == Task::MultiLabel => {
                let classifier = MultiLabelClassifier::load(folder, arguments.zero_shot.model.as_deref(), compute)?;
                print_device(compute, classifier.base());
                Ok(Self::MultiLabel(Box::new(classifier)))
            }
            _ => Ok(Self::OneLabel(arguments.zero_shot.load(folder, compute)?)),
        }
    }

    /// The column of what is predicted, and the labels.
    fn columns(&self) -> (&'static str, &[String]) {
        match self {
            Self::OneLabel(classifier) => ("label", classifier.labels()),
            Self::MultiLabel(classifier) => ("labels", classifier.labels()),
        }
    }

    /// For each text the label, or the labels with `;` between them, and the probabilities.
    fn predict(&self, texts: &[String]) -> Result<Vec<(String, Vec<f64>)>, Error> {
        let labels = self.columns().1;
        Ok(match self {
            Self::OneLabel(classifier) => {
                let predictions = classifier.predict(texts)?.into_iter();
                predictions.map(|prediction| (labels[prediction.most_probable()].clone(), prediction.probabilities)).collect()
            }
            Self::MultiLabel(classifier) => {
                let names = |has: Vec<bool>| {
                    let named = labels.iter().zip(has).filter(|(_, has)| *has).map(|(label, _)| label.as_str());
                    named.collect::<Vec<_>>().join(";")
                };
                let predictions = classifier.predict(texts)?.into_iter();
                predictions.map(|prediction| (names(prediction.given()), prediction.probabilities)).collect()
            }
        })
    }
}

fn predict(arguments: &Predict, (folder, file): (Option<&Path>, Option<&Path>), compute: Compute) -> Result<(), Error> {
    let load = || Loaded::load(arguments, folder, compute);
    let (Some(file), Some(text)) = (file, &arguments.text) else {
        let classifier = load()?;
        let input = arguments.input.clone().unwrap_or_default();
        let mut writer = writer(arguments, &classifier, Vec::new())?;
        write(&mut writer, &classifier, vec![Vec::new()], &[input])?;
        return Ok(writer.finish()?);
    };
    let reader = open(arguments, file, text)?;
    // The text column comes first among those that are read, then those to keep.
    let kept: Vec<(String, ValueKind)> = reader.columns().iter().cloned().zip(reader.kinds().iter().copied()).skip(1).collect();
    let classifier = load()?;
    let mut writer = writer(arguments, &classifier, kept)?;
    let (send, chunks) = sync_channel(1);
    let reading = std::thread::spawn(move || read(reader, &send));
    // An error ends the command without waiting for the reader, which may be waiting for a pipe.
    for chunk in chunks {
        let (texts, kept) = chunk?;
        write(&mut writer, &classifier, kept, &texts)?;
    }
    // Rows that end in a panic are not all rows.
    if let Err(panic) = reading.join() {
        std::panic::resume_unwind(panic);
    }
    Ok(writer.finish()?)
}

/// Texts, and the values to keep beside each.
type Chunk = (Vec<String>, Vec<Vec<Value>>);

/// Sends the rows in chunks, the next one being read while one is scored, until they end, fail, or nobody wants more.
fn read(mut reader: RecordReader, send: &SyncSender<Result<Chunk, DataError>>) {
    let mut chunk = || -> Result<Chunk, DataError> {
        let (mut texts, mut kept) = (Vec::new(), Vec::new());
        for record in reader.by_ref().take(CHUNK) {
            let mut record: Record = record?;
            texts.push(record.text(0)?.to_string());
            kept.push(record.values.split_off(1));
        }
        Ok((texts, kept))
    };
    loop {
        let chunk = chunk();
        let last = chunk.as_ref().map_or(true, |(texts, _)| texts.len() < CHUNK);
        if send.send(chunk).is_err() || last {
            return;
        }
    }
}

fn open(arguments: &Predict, file: &Path, text: &str) -> Result<RecordReader, DataError> {
    let open = |columns: Option<Vec<String>>| {
        let options = ReadOptions { delimiter: arguments.delimiter, columns, ..ReadOptions::default() };
        if file == Path::new("-") { RecordReader::stdin(&options) } else { RecordReader::open(file, &options) }
    };
    let text = text.to_string();
    if arguments.keep == ["all"] && file != Path::new("-") {
        let all = open(None)?.columns().to_vec();
        return open(Some([text].into_iter().chain(all).collect()));
    }
    open(Some([text].into_iter().chain(arguments.keep.iter().cloned()).collect()))
}

fn writer(arguments: &Predict, classifier: &Loaded, kept: Vec<(String, ValueKind)>) -> Result<RecordWriter, DataError> {
    let format = match arguments.format {
        PredictionFormat::Jsonl => OutputFormat::JsonLines,
        PredictionFormat::Csv => OutputFormat::Csv,
        PredictionFormat::Parquet => OutputFormat::Parquet,
    };
    let destination = arguments.out.clone().map_or(Destination::Stdout, |path: PathBuf| Destination::File(path));
    let (predicted, labels) = classifier.columns();
    let mut columns = vec![OutputColumn::new(predicted, ValueKind::Text)];
    columns.extend(labels.iter().map(|label| OutputColumn::in_group("scores", label, ValueKind::Number)));
    let taken = |name: &str| name == predicted || name == "scores" || name.starts_with("scores_");
    let kept = kept.into_iter().map(|(name, kind)| {
        let name = if taken(&name) { format!("input_{name}") } else { name };
        OutputColumn::new(&name, kind)
    });
    let columns = kept.chain(columns).collect();
    RecordWriter::create(destination, format, columns)
}

fn write(writer: &mut RecordWriter, classifier: &Loaded, kept: Vec<Vec<Value>>, texts: &[String]) -> Result<(), Error> {
    for (mut values, (label, probabilities)) in kept.into_iter().zip(classifier.predict(texts)?) {
        values.push(Value::Text(label));
        values.extend(probabilities.into_iter().map(Value::Number));
        writer.write(values)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of each chunk of a CSV, or `None` for an error.
    fn chunks(csv: String) -> Vec<Option<usize>> {
        let options = ReadOptions { columns: Some(vec!["text".into(), "id".into()]), ..ReadOptions::default() };
        let reader = RecordReader::from_reader("rows.csv", Box::new(std::io::Cursor::new(csv)), &options).unwrap();
        let (send, chunks) = sync_channel(1);
        let reading = std::thread::spawn(move || read(reader, &send));
        let mut next = 0;
        let count = |chunk: Result<Chunk, DataError>| {
            let (texts, kept) = chunk.ok()?;
            assert_eq!(texts.len(), kept.len());
            for (text, kept) in texts.iter().zip(&kept) {
                assert_eq!((text, kept.len()), (&format!("text {next}"), 1));
                next += 1;
            }
            Some(texts.len())
        };
        let counted = chunks.into_iter().map(count).collect();
        reading.join().unwrap();
        counted
    }

    fn rows(count: usize) -> String {
        let rows: String = (0..count).map(|row| format!("{row},text {row}\n")).collect();
        format!("id,text\n{rows}")
    }

    #[test]
    fn every_row_is_read_once_and_in_order() {
        assert_eq!(chunks(rows(3)), [Some(3)]);
        assert_eq!(chunks(rows(CHUNK)), [Some(CHUNK), Some(0)]);
        assert_eq!(chunks(rows(2 * CHUNK + 1)), [Some(CHUNK), Some(CHUNK), Some(1)]);
    }

    #[test]
    fn a_row_that_cannot_be_read_comes_after_the_chunks_before_it_and_ends_them() {
        assert_eq!(chunks(rows(CHUNK + 7) + "one,two,three,four\n" + &"9,more\n".repeat(CHUNK)), [Some(CHUNK), None]);
    }
}
