//! Delimited text with a header: CSV, TSV and the like, quoted as RFC 4180 says.

use std::collections::VecDeque;
use std::io::{self, Cursor, Read};

use csv::ByteRecord;

use super::{DataError, MAX_RECORD_BYTES, NextRow, Opened, Place, ReadOptions, Rows, Value, ValueKind, distinct, select};

const CANDIDATES: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Rows compared to find the delimiter.
const SNIFFED_ROWS: usize = 200;
/// For text of a single column: a byte that no text has, so that nothing is split.
const NO_DELIMITER: u8 = 0x1f;

type Stream = QuoteTracker<io::Chain<Cursor<Vec<u8>>, Box<dyn Read + Send>>>;

pub(super) struct DelimitedRows {
    reader: csv::Reader<Stream>,
    record: ByteRecord,
    delimiter: u8,
    width: usize,
    selected: Vec<usize>,
}

impl DelimitedRows {
    pub(super) fn open(
        input: &str,
        head: Vec<u8>,
        rest: Box<dyn Read + Send>,
        options: &ReadOptions,
    ) -> Result<Opened, DataError> {
        let delimiter = match options.delimiter {
            Some(given) if given.is_ascii() && !['"', '\n', '\r'].contains(&given) => given as u8,
            Some(delimiter) => return Err(DataError::Delimiter { delimiter }),
            None => find_delimiter(&head),
        };
        let stream = QuoteTracker::new(Cursor::new(head).chain(rest), delimiter);
        let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(stream);
        let mut header = ByteRecord::new();
        let mut place = Place { input: input.into(), row: 0, line: None };
        if !read(&mut reader, &mut header, &mut place)? {
            return Err(DataError::Empty { input: input.to_owned() });
        }
        let columns = (header.iter().enumerate())
            .map(|(index, name)| {
                std::str::from_utf8(name).map(str::to_owned).map_err(|_| DataError::InvalidUtf8 {
                    place: place.clone(),
                    part: format!("the name of column {}", index + 1),
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        distinct(input, &columns)?;
        let hint = || (columns.len() == 1).then(|| delimiter_in(&columns[0])).flatten();
        let selected = select(input, &columns, options, hint)?;
        let rows = Self { reader, record: ByteRecord::new(), delimiter, width: columns.len(), selected };
        let columns: Vec<String> = rows.selected.iter().map(|&index| columns[index].clone()).collect();
        Ok(Opened { kinds: vec![ValueKind::Text; columns.len()], columns, rows: Rows::Delimited(rows) })
    }

    pub(super) fn next_row(&mut self, mut place: Place, columns: &[String]) -> NextRow {
        if !read(&mut self.reader, &mut self.record, &mut place)? {
            return Ok(None);
        }
        if self.record.len() != self.width {
            return Err(DataError::Ragged {
                place,
                expected: self.width,
                found: self.record.len(),
                delimiter: char::from(self.delimiter),
            });
        }
        let mut values = Vec::with_capacity(self.selected.len());
        for (&index, column) in self.selected.iter().zip(columns) {
            values.push(match std::str::from_utf8(&self.record[index]) {
                Ok("") => Value::Missing,
                Ok(text) => Value::Text(text.to_owned()),
                Err(_) => return Err(DataError::InvalidUtf8 { place, part: format!("column `{column}`") }),
            });
        }
        Ok(Some((place, values)))
    }
}

/// Reads a record and says in `place` on which line it starts.
fn read(reader: &mut csv::Reader<Stream>, record: &mut ByteRecord, place: &mut Place) -> Result<bool, DataError> {
    let outcome = reader.read_byte_record(record);
    let tracker = reader.get_mut();
    place.line = tracker.record_lines.pop_front();
    if tracker.too_long {
        return Err(DataError::TooLong { place: place.clone(), limit: MAX_RECORD_BYTES });
    }
    match outcome {
        Ok(true) if tracker.ended_in_quote => Err(DataError::OpenQuote { place: place.clone(), opened: tracker.quote_opened }),
        Ok(more) => Ok(more),
        Err(error) => match error.into_kind() {
            csv::ErrorKind::Io(error) => Err(DataError::reading(&place.input, error)),
            // The reader is flexible and reads bytes, so the system's errors are the only ones it has.
            kind => Err(DataError::reading(&place.input, io::Error::other(format!("{kind:?}")))),
        },
    }
}

/// The delimiter under which the first rows have most often as many fields as the header; of equals the one with more columns.
fn find_delimiter(head: &[u8]) -> u8 {
    let mut best = (0.0, 1, NO_DELIMITER);
    for delimiter in CANDIDATES {
        let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(head);
        let mut widths: Vec<usize> =
            reader.byte_records().map_while(Result::ok).take(SNIFFED_ROWS).map(|record| record.len()).collect();
        let cut_off = head.len() >= super::HEAD_BYTES && widths.len() < SNIFFED_ROWS;
        if cut_off && widths.len() > 1 {
            widths.pop();
        }
        let Some((&columns, rows)) = widths.split_first() else { continue };
        let alike = rows.iter().filter(|&&width| width == columns).count();
        let score = (alike + 1) as f64 / (rows.len() + 1) as f64;
        if columns > 1 && (score, columns) > (best.0, best.1) {
            best = (score, columns, delimiter);
        }
    }
    best.2
}

/// A character in a header of one column that may be what separates its columns.
fn delimiter_in(header: &str) -> Option<char> {
    [';', ',', '\t', '|', ':', '^', '~'].into_iter().find(|&delimiter| header.contains(delimiter))
}

/// Passes bytes on and notes what the `csv` crate does not tell: the line that a record starts on (its own count is behind after
/// a blank line and in files from Windows), a quote still open at the end, and records without end.
struct QuoteTracker<R> {
    inner: R,
    delimiter: u8,
    state: State,
    line: u64,
    record_bytes: u64,
    /// The lines of the records passed on and not yet asked for, a buffer's worth.
    record_lines: VecDeque<u64>,
    quote_opened: u64,
    ended_in_quote: bool,
    too_long: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    FieldStart,
    Bare,
    Quoted,
    QuoteInQuoted,
}

impl<R> QuoteTracker<R> {
    fn new(inner: R, delimiter: u8) -> Self {
        Self {
            inner,
            delimiter,
            state: State::FieldStart,
            line: 1,
            record_bytes: 0,
            record_lines: VecDeque::new(),
            quote_opened: 0,
            ended_in_quote: false,
            too_long: false,
        }
    }

    fn step(&mut self, byte: u8) {
        let line_end = byte == b'\n' || byte == b'\r';
        if self.record_bytes == 0 && !line_end {
            self.record_lines.push_back(self.line);
        }
        self.state = match (self.state, byte) {
            (State::FieldStart, b'"') => {
                self.quote_opened = self.line;
                State::Quoted
            }
            (State::Quoted, b'"') => State::QuoteInQuoted,
            (State::Quoted, _) | (State::QuoteInQuoted, b'"') => State::Quoted,
            _ if line_end || byte == self.delimiter => State::FieldStart,
            _ => State::Bare,
        };
        self.line += u64::from(byte == b'\n');
        let record_ended = line_end && self.state == State::FieldStart;
        self.record_bytes = if record_ended { 0 } else { self.record_bytes + 1 };
        self.too_long |= self.record_bytes > MAX_RECORD_BYTES;
    }
}

impl<R: Read> Read for QuoteTracker<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.ended_in_quote = count == 0 && !buffer.is_empty() && self.state == State::Quoted;
        buffer[..count].iter().for_each(|&byte| self.step(byte));
        if self.too_long { Err(io::Error::other("record too long")) } else { Ok(count) }
    }
}
