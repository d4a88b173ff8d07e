//! Plain text, a row per line, and lines as JSON Lines has them too.

use std::io::{BufRead, BufReader, Cursor, Read};

use super::{
    DataError, MAX_RECORD_BYTES, NextRow, Opened, PLAIN_TEXT_COLUMN, Place, ReadOptions, Rows, Value, ValueKind, select,
};

pub(super) struct PlainTextRows {
    lines: Lines,
    width: usize,
}

impl PlainTextRows {
    pub(super) fn open(
        input: &str,
        head: Vec<u8>,
        rest: Box<dyn Read + Send>,
        options: &ReadOptions,
    ) -> Result<Opened, DataError> {
        let available = [PLAIN_TEXT_COLUMN.to_owned()];
        let width = select(input, &available, options, || None)?.len();
        let rows = Self { lines: Lines::new(head, rest), width };
        Ok(Opened {
            columns: vec![PLAIN_TEXT_COLUMN.to_owned(); width],
            kinds: vec![ValueKind::Text; width],
            rows: Rows::PlainText(rows),
        })
    }

    pub(super) fn next_row(&mut self, place: Place, _: &[String]) -> NextRow {
        let Some((place, line)) = self.lines.next(place)? else { return Ok(None) };
        let line = line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line));
        let value = if line.is_empty() { Value::Missing } else { Value::Text(line.to_owned()) };
        Ok(Some((place, vec![value; self.width])))
    }
}

/// The lines of UTF-8 text, their ends included.
pub(super) struct Lines {
    reader: BufReader<Box<dyn Read + Send>>,
    line: u64,
    bytes: Vec<u8>,
}

impl Lines {
    /// `rest` is what follows `head`.
    pub(super) fn new(head: Vec<u8>, rest: Box<dyn Read + Send>) -> Self {
        Self { reader: BufReader::new(Box::new(Cursor::new(head).chain(rest))), line: 0, bytes: Vec::new() }
    }

    /// The next line, its number in its place.
    pub(super) fn next(&mut self, mut place: Place) -> Result<Option<(Place, &str)>, DataError> {
        self.bytes.clear();
        let limited = &mut self.reader.by_ref().take(MAX_RECORD_BYTES + 1);
        let count = limited.read_until(b'\n', &mut self.bytes).map_err(|error| DataError::reading(&place.input, error))?;
        if count == 0 {
            return Ok(None);
        }
        self.line += 1;
        place.line = Some(self.line);
        if count as u64 > MAX_RECORD_BYTES {
            return Err(DataError::TooLong { place, limit: MAX_RECORD_BYTES });
        }
        match std::str::from_utf8(&self.bytes) {
            Ok(text) => Ok(Some((place, text))),
            Err(error) => {
                let part = format!("byte {} of the line", error.valid_up_to() + 1);
                Err(DataError::InvalidUtf8 { place, part })
            }
        }
    }
}
