//! Data in and out: formats, bad input with its exact messages, splits, reports, writers.

#[path = "data/arbitrary_bytes.rs"]
mod arbitrary_bytes;
#[path = "data/bad_input.rs"]
mod bad_input;
#[path = "data/bad_labels.rs"]
mod bad_labels;
#[path = "data/both_tasks.rs"]
mod both_tasks;
#[path = "data/dataset.rs"]
mod dataset;
#[path = "data/journal.rs"]
mod journal;
#[path = "data/records.rs"]
mod records;
#[path = "data/report.rs"]
mod report;
#[path = "data/split.rs"]
mod split;
#[path = "data/writer.rs"]
mod writer;

use lincah::data::DataError;
use lincah::data::records::{ReadOptions, Record, RecordReader, Value};

/// Every record of `bytes`, named `data`.
fn read(bytes: &[u8], options: &ReadOptions) -> Result<Vec<Record>, DataError> {
    RecordReader::from_reader("data", Box::new(std::io::Cursor::new(bytes.to_vec())), options)?.collect()
}

/// The same, as values only.
fn values(bytes: &[u8], options: &ReadOptions) -> Vec<Vec<Value>> {
    read(bytes, options).unwrap().into_iter().map(|record| record.values).collect()
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn columns(names: &[&str]) -> ReadOptions {
    ReadOptions { columns: Some(names.iter().map(|name| name.to_string()).collect()), ..ReadOptions::default() }
}

/// The message with its causes, as the CLI shows it.
fn message<T>(result: Result<T, DataError>) -> String {
    let error = result.err().expect("this must fail");
    let mut shown = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        shown = format!("{shown}: {error}");
        cause = error.source();
    }
    shown
}
