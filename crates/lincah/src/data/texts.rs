//! Texts without labels, read whole.

use std::path::Path;

use super::error::DataError;
use super::records::{ReadOptions, RecordReader};
use super::text_columns::TextColumns;

/// Texts and where they come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    /// The texts.
    pub texts: Vec<String>,
    /// The row in the file that each comes from, from 1.
    pub rows: Vec<u64>,
}

/// The texts of a file, in order; rows without one are left out. `-` is standard input.
///
/// # Errors
/// Those of [`RecordReader`]; [`DataError::NoUsableRows`] where no row has a text.
pub fn read_texts(path: &Path, read: &ReadOptions, columns: &TextColumns) -> Result<Texts, DataError> {
    let options = ReadOptions { columns: Some(columns.columns.clone()), and_all: false, ..read.clone() };
    let reader = RecordReader::open(path, &options)?;
    let input = reader.input().to_owned();
    let (mut texts, mut rows) = (Vec::new(), Vec::new());
    for record in reader {
        let record = record?;
        match columns.of(&record) {
            Ok(text) => {
                texts.push(text);
                rows.push(record.place.row);
            }
            Err(error) if error.skip_reason().is_some() => {}
            Err(error) => return Err(error),
        }
    }
    let reasons = String::from("every text is empty");
    if texts.is_empty() { Err(DataError::NoUsableRows { input, reasons }) } else { Ok(Texts { texts, rows }) }
}
