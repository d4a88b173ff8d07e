//! Whole files of texts: read, scored and written chunk by chunk, the next one being read while one is scored.

use crate::classifier::AgileClassifier;
use crate::data::DataError;
use crate::data::records::{ReadOptions, Record, RecordReader, Value, ValueKind};
use crate::data::skipped::SkipReason;
use crate::data::text_columns::TextColumns;
use crate::data::writer::{Destination, OutputColumn, OutputFormat, RecordWriter};
use crate::error::Error;
use crate::explanation::Explanation;
use crate::prediction::{Decision, Prediction};
use crate::task::Task;
use crate::workers::with_loss;
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Texts that are scored at a time.
const CHUNK: usize = 512;

/// Columns of the input that are written before the predictions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// These.
    Columns(Vec<String>),
    /// All.
    All,
}

/// How a file of texts is read.
#[derive(Debug, Clone)]
pub struct PredictFileOptions {
    /// The column or columns that make a text.
    pub text_columns: TextColumns,
    /// What is written before the predictions; a column with a name of theirs becomes `input_…`.
    pub keep: Keep,
    /// How the file is read; its columns are ignored.
    pub read: ReadOptions,
    /// Refuses a row without text, which otherwise gets no prediction but the reason.
    pub strict: bool,
    /// Explains each prediction, see [`AgileClassifier::explain`].
    pub explain: bool,
}

/// Where predictions go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredictionOutput {
    /// The place.
    pub destination: Destination,
    /// The form.
    pub format: OutputFormat,
}

/// What was predicted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PredictedFile {
    /// Rows of the input.
    pub rows: u64,
    /// Those without a prediction.
    pub without_text: u64,
    /// Texts whose end was not read.
    pub truncated_texts: u64,
    /// Texts that the first member of a cascade has answered.
    pub by_first_member: u64,
    /// Devices that failed, whose rows the others have scored.
    pub failed_devices: u64,
}

/// A row to be scored, or why it cannot be, and the values to keep.
#[derive(Clone)]
struct Row {
    text: Result<String, SkipReason>,
    kept: Vec<Value>,
}

impl AgileClassifier {
    /// Writes the prediction of one text, with its reasons if it is to be explained.
    ///
    /// # Errors
    /// As [`AgileClassifier::predict`]; an output that cannot be written.
    pub fn predict_text(&self, text: &str, explain: bool, output: PredictionOutput) -> Result<(), Error> {
        let mut writer = PredictionWriter::new(self, output, Vec::new(), Extras { reason: false, explain })?;
        let rows = vec![Row { text: Ok(text.to_owned()), kept: Vec::new() }];
        writer.write(predicted(self, explain, &rows)?, rows)?;
        Ok(writer.writer.finish()?)
    }

    /// The columns of a file that make its texts: those that are named, else those of the training if they were stored, else that of plain
    /// text.
    pub fn text_columns(&self, named: &[String], file: &Path) -> Option<TextColumns> {
        let trained = self.record().and_then(|record| record.data.text_columns.clone());
        let name = file.to_string_lossy().to_ascii_lowercase();
        match (named, trained) {
            ([], Some(trained)) => Some(trained),
            ([], None) => (name.ends_with(".txt") || name.ends_with(".txt.gz")).then(|| TextColumns::new(["text"])),
            (columns, trained) => {
                let named = TextColumns::new(columns.iter().cloned());
                Some(trained.map_or(named.clone(), |trained| TextColumns { separator: trained.separator, ..named }))
            }
        }
    }

    /// Writes the prediction of every row of a file, in order; `-` is standard input.
    ///
    /// Memory does not grow with the rows. A file at the destination is replaced when all are written. `on_chunk` hears what was written so
    /// far; where it breaks, the destination stays as it was. Copies of this classifier, each on a device of its own, take the rows in turn with
    /// it; if a device fails, the others score its rows.
    ///
    /// # Errors
    /// As [`AgileClassifier::predict`]; a file that cannot be read, with its row, or written.
    pub fn predict_file(
        &self,
        copies: &[Self],
        input: &Path,
        options: &PredictFileOptions,
        output: PredictionOutput,
        on_chunk: &mut dyn FnMut(PredictedFile) -> ControlFlow<()>,
    ) -> Result<PredictedFile, Error> {
        let columns = match &options.keep {
            Keep::All => options.text_columns.columns.clone(),
            Keep::Columns(kept) => [options.text_columns.columns.as_slice(), kept].concat(),
        };
        let read = ReadOptions { columns: Some(columns), and_all: options.keep == Keep::All, ..options.read.clone() };
        let reader = RecordReader::open(input, &read)?;
        let texts = options.text_columns.columns.len();
        let kept = reader.columns().iter().cloned().zip(reader.kinds().iter().copied()).skip(texts).collect();
        let extras = Extras { reason: !options.strict, explain: options.explain };
        let mut writer = PredictionWriter::new(self, output, kept, extras)?;
        let (send, chunks) = sync_channel(1);
        let (text_columns, strict) = (options.text_columns.clone(), options.strict);
        let reading = std::thread::spawn(move || read_chunks(reader, &text_columns, strict, &send));
        // An error ends this without waiting for the reader, which may be waiting for a pipe.
        let mut write = |predicted: Vec<Predicted>, rows: Vec<Row>| {
            writer.write(predicted, rows)?;
            Ok(on_chunk(writer.written))
        };
        let mut failed_devices = 0;
        let copies: Vec<&Self> = std::iter::once(self).chain(copies).collect();
        let ended = match copies.as_slice() {
            [only] => predict_alone(only, options.explain, chunks.into_iter(), &mut write)?,
            several => predict_beside(several, options.explain, chunks.into_iter(), &mut write, &mut failed_devices)?,
        };
        writer.written.failed_devices = failed_devices;
        if ended.is_break() {
            return Ok(writer.written);
        }
        // Rows that end in a panic are not all rows.
        if let Err(panic) = reading.join() {
            std::panic::resume_unwind(panic);
        }
        writer.writer.finish()?;
        Ok(writer.written)
    }
}

/// Sends the rows in chunks until they end, fail, or nobody wants more.
fn read_chunks(mut reader: RecordReader, columns: &TextColumns, strict: bool, send: &SyncSender<Result<Vec<Row>, DataError>>) {
    let row = |record: Result<Record, DataError>| -> Result<Row, DataError> {
        let mut record = record?;
        let text = match columns.of(&record) {
            Ok(text) => Ok(text),
            Err(error) => Err(error.skip_reason().filter(|_| !strict).ok_or(error)?),
        };
        Ok(Row { text, kept: record.values.split_off(columns.columns.len()) })
    };
    loop {
        let chunk: Result<Vec<Row>, DataError> = reader.by_ref().take(CHUNK).map(row).collect();
        let last = chunk.as_ref().map_or(true, |rows| rows.len() < CHUNK);
        if send.send(chunk).is_err() || last {
            return;
        }
    }
}

/// A text's prediction and, where they are wanted, its reasons as JSON.
type Predicted = (Prediction, Option<Value>);

/// The prediction of each row that has a text.
fn predicted(classifier: &AgileClassifier, explain: bool, rows: &[Row]) -> Result<Vec<Predicted>, Error> {
    let texts: Vec<&String> = rows.iter().filter_map(|row| row.text.as_ref().ok()).collect();
    if !explain {
        return Ok(classifier.predict(&texts)?.into_iter().map(|prediction| (prediction, None)).collect());
    }
    let explained = |explanation: Explanation| {
        let reasons = serde_json::to_string(&explanation.reasons).expect("reasons serialize");
        (explanation.prediction, Some(Value::Text(reasons)))
    };
    Ok(classifier.explain(&texts)?.into_iter().map(explained).collect())
}

/// A copy of a classifier at work in a thread.
struct Lane {
    chunks: SyncSender<Arc<Vec<Row>>>,
    predicted: Receiver<Result<Vec<Predicted>, Error>>,
}

/// What takes predictions with their rows, and says whether to go on.
type Write<'a> = dyn FnMut(Vec<Predicted>, Vec<Row>) -> Result<ControlFlow<()>, Error> + 'a;

fn predict_alone(
    classifier: &AgileClassifier,
    explain: bool,
    chunks: impl Iterator<Item = Result<Vec<Row>, DataError>>,
    write: &mut Write,
) -> Result<ControlFlow<()>, Error> {
    for chunk in chunks {
        let rows = chunk?;
        if write(predicted(classifier, explain, &rows)?, rows)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Gives the chunks to whichever copy has the least to do, two at most each, and passes on what comes of them, in order. A copy whose device
/// fails gets no more, and another one does what it had.
fn predict_beside(
    copies: &[&AgileClassifier],
    explain: bool,
    chunks: impl Iterator<Item = Result<Vec<Row>, DataError>>,
    write: &mut Write,
    failed: &mut u64,
) -> Result<ControlFlow<()>, Error> {
    const WAITING: usize = 2;
    let predict = |copy: usize, rows: &[Row]| with_loss(|| predicted(copies[copy], explain, rows), || ());
    std::thread::scope(|scope| {
        let lane = |copy: usize| {
            let (chunks, received) = sync_channel::<Arc<Vec<Row>>>(WAITING);
            let (send, predicted) = sync_channel(WAITING);
            let predict = &predict;
            scope.spawn(move || received.into_iter().all(|rows| send.send(predict(copy, &rows)).is_ok()));
            Lane { chunks, predicted }
        };
        let lanes: Vec<Lane> = (0..copies.len()).map(lane).collect();
        let mut working: Vec<usize> = (0..copies.len()).collect();
        let mut under_way: VecDeque<(usize, Arc<Vec<Row>>)> = VecDeque::new();
        let mut chunks = chunks.fuse();
        loop {
            let chunk = chunks.next().transpose()?;
            let most = if chunk.is_some() { WAITING * working.len() - 1 } else { 0 };
            *failed = (copies.len() - working.len()) as u64;
            while under_way.len() > most {
                let Some((lane, rows)) = under_way.pop_front() else { break };
                // A thread that is gone has panicked, which the scope passes on.
                let Ok(mut predicted) = lanes[lane].predicted.recv() else { return Ok(ControlFlow::Break(())) };
                while let Err(error) = &predicted
                    && error.is_of_device()
                {
                    working.retain(|other| *other != lane);
                    let Some(&other) = working.first() else { break };
                    predicted = predict(other, &rows);
                    if predicted.is_err() {
                        working.retain(|left| *left != other);
                    }
                }
                if write(predicted?, Arc::unwrap_or_clone(rows))?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            let Some(chunk) = chunk else { return Ok(ControlFlow::Continue(())) };
            let waiting = |lane: &&usize| under_way.iter().filter(|(other, _)| other == *lane).count();
            let Some(&lane) = working.iter().min_by_key(waiting) else { return Ok(ControlFlow::Break(())) };
            let rows = Arc::new(chunk);
            under_way.push_back((lane, rows.clone()));
            let _ = lanes[lane].chunks.send(rows);
        }
    })
}

/// Columns that are not always there.
#[derive(Clone, Copy)]
struct Extras {
    /// Why a row has no prediction.
    reason: bool,
    /// The words that did it.
    explain: bool,
}

struct PredictionWriter<'a> {
    classifier: &'a AgileClassifier,
    writer: RecordWriter,
    extras: Extras,
    written: PredictedFile,
}

impl<'a> PredictionWriter<'a> {
    fn new(
        classifier: &'a AgileClassifier,
        output: PredictionOutput,
        kept: Vec<(String, ValueKind)>,
        extras: Extras,
    ) -> Result<Self, DataError> {
        let labels = classifier.labels().names();
        let (named, of_sets) = match classifier.task() {
            Task::SingleLabel => ("label", ValueKind::Text),
            Task::MultiLabel => {
                output.format.check_list(labels)?;
                ("labels", ValueKind::List)
            }
        };
        let mut columns = vec![OutputColumn::new(named, of_sets)];
        columns.extend(labels.iter().map(|label| OutputColumn::in_group("scores", label, ValueKind::Number)));
        columns.push(OutputColumn::new("decision", of_sets));
        columns.push(OutputColumn::new("review", ValueKind::Boolean));
        columns.push(OutputColumn::new("truncated_characters", ValueKind::Integer));
        if extras.explain {
            columns.push(OutputColumn { is_json: true, ..OutputColumn::new("reasons", ValueKind::Text) });
        }
        if extras.reason {
            columns.push(OutputColumn { optional: true, ..OutputColumn::new("reason", ValueKind::Text) });
        }
        let own: Vec<String> = columns.iter().filter(|column| column.group.is_none()).map(|column| column.name.clone()).collect();
        let taken = |name: &String| own.contains(name) || name == "scores" || name.starts_with("scores_");
        let kept = kept.into_iter().map(|(name, kind)| match taken(&name) {
            true => OutputColumn::new(&format!("input_{name}"), kind),
            false => OutputColumn::new(&name, kind),
        });
        let columns = kept.chain(columns).collect();
        let writer = RecordWriter::create(output.destination, output.format, columns)?;
        Ok(Self { classifier, writer, extras, written: PredictedFile::default() })
    }

    /// Writes the rows in order, with the predictions of those that have a text.
    fn write(&mut self, predicted: Vec<Predicted>, rows: Vec<Row>) -> Result<(), Error> {
        let mut predictions = predicted.into_iter();
        let labels = self.classifier.labels().names();
        for Row { text, kept: mut values } in rows {
            self.written.rows += 1;
            let reason = match text {
                Ok(_) => {
                    let (prediction, reasons) = predictions.next().expect("every text has a prediction");
                    self.written.truncated_texts += u64::from(prediction.truncated_characters > 0);
                    self.written.by_first_member += u64::from(prediction.is_by_first_member());
                    values.extend(cells(&prediction, self.classifier.task(), labels));
                    values.extend(reasons);
                    Value::Missing
                }
                Err(reason) => {
                    self.written.without_text += 1;
                    let missing = labels.len() + 4 + usize::from(self.extras.explain);
                    values.extend(std::iter::repeat_n(Value::Missing, missing));
                    Value::Text(reason.to_string())
                }
            };
            if self.extras.reason {
                values.push(reason);
            }
            self.writer.write(values)?;
        }
        Ok(())
    }
}

/// The most probable label or those that are likelier than not, the probabilities, and the decision.
fn cells(prediction: &Prediction, task: Task, labels: &[String]) -> Vec<Value> {
    let named = |decision: &Decision| match decision {
        Decision::Label(label) => Value::Text(labels[*label].clone()),
        Decision::Labels(_) => Value::List(decision.names(labels)),
        Decision::Abstain => Value::Missing,
    };
    let mut cells = vec![named(&prediction.likely(task))];
    cells.extend(prediction.probabilities.iter().map(|&probability| Value::Number(probability)));
    cells.push(named(&prediction.decision));
    cells.push(Value::Boolean(prediction.decision == Decision::Abstain));
    cells.push(Value::Integer(prediction.truncated_characters as i64));
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of each chunk of a CSV, or `None` for an error.
    fn chunks(csv: String) -> Vec<Option<usize>> {
        let options = ReadOptions { columns: Some(vec!["text".into(), "id".into()]), ..ReadOptions::default() };
        let reader = RecordReader::from_reader("rows.csv", Box::new(std::io::Cursor::new(csv)), &options).unwrap();
        let (send, chunks) = sync_channel(1);
        let reading = std::thread::spawn(move || read_chunks(reader, &TextColumns::new(["text"]), false, &send));
        let mut next = 0;
        let count = |chunk: Result<Vec<Row>, DataError>| {
            let rows = chunk.ok()?;
            for row in &rows {
                assert_eq!((row.text.as_deref(), row.kept.len()), (Ok(format!("text {next}").as_str()), 1));
                next += 1;
            }
            Some(rows.len())
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
