//! A streaming reader of records: CSV, TSV and other delimited text, JSON Lines, Parquet and plain text, from a file or a stream. All but
//! Parquet may be compressed with gzip, which is recognized by its first bytes.
//!
//! Memory does not grow with the number of rows (a JSON *array* alone is read whole, 1 GiB at most). A row is at most 64 MiB.
//!
//! ```
//! use lincah::data::records::{ReadOptions, RecordReader};
//!
//! let csv: &[u8] = b"id;comment\n1;\"Thank you; that helped.\"\n";
//! let options = ReadOptions { columns: Some(vec!["comment".into()]), ..Default::default() };
//! let mut reader = RecordReader::from_reader("example", Box::new(csv), &options)?;
//! let record = reader.next().unwrap()?;
//! assert_eq!(record.text(0)?, "Thank you; that helped.");
//! # Ok::<(), lincah::data::DataError>(())
//! ```

mod delimited;
mod json;
mod parquet;
mod plain_text;

use std::fmt;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek};
use std::path::Path;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

use super::error::DataError;
use super::place::{Names, Place, excerpt, shown};
use delimited::DelimitedRows;
use json::JsonRows;
use parquet::ParquetRows;
use plain_text::PlainTextRows;

/// The longest record that is read; a longer one is taken for a quote or a line left open.
pub const MAX_RECORD_BYTES: u64 = 64 << 20;
/// As much of the input is looked at to find the format and the delimiter.
const HEAD_BYTES: usize = 64 << 10;

/// One cell.
///
/// A cell of delimited text is `Text`, or `Missing` if it is empty: it stays what it was character for character, an id such as `007` too,
/// and numbers in it are parsed by whoever needs numbers. JSON numbers with a fraction or an exponent are `Number`, the nearest double.
/// Whole numbers are exact; those beyond `i64` are refused.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// An empty cell, JSON `null`, a missing key, a Parquet null.
    Missing,
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A floating-point number.
    Number(f64),
    /// Text.
    Text(String),
    /// Texts: a JSON array of strings, a Parquet list. Shown, and in CSV written, with [`LIST_SEPARATOR`] between them.
    List(Vec<String>),
}

/// What stands between the texts of a list where there are no arrays.
pub const LIST_SEPARATOR: char = ';';

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Missing => Ok(()),
            Value::Boolean(value) => write!(formatter, "{value}"),
            Value::Integer(value) => write!(formatter, "{value}"),
            Value::Number(value) => write!(formatter, "{value}"),
            Value::Text(value) => formatter.write_str(value),
            Value::List(values) => {
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        write!(formatter, "{LIST_SEPARATOR}")?;
                    }
                    formatter.write_str(value)?;
                }
                Ok(())
            }
        }
    }
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// [`Value::Boolean`].
    Boolean,
    /// [`Value::Integer`].
    Integer,
    /// [`Value::Number`].
    Number,
    /// [`Value::Text`].
    Text,
    /// [`Value::List`].
    List,
}

/// A row: the values of the selected columns, in the order in which they were selected.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Where the row stands.
    pub place: Place,
    /// The selected columns' names.
    pub columns: Arc<[String]>,
    /// A value a column.
    pub values: Vec<Value>,
}

impl Record {
    /// The value of the column named `name`, if it was selected.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.columns.iter().position(|column| column == name).and_then(|index| self.values.get(index))
    }

    /// The text of the `index`-th selected column (panics if there are fewer, as indexing does).
    ///
    /// # Errors
    /// [`DataError::EmptyText`] if it is missing or only white space, [`DataError::TextNotString`] if it is something else than text.
    pub fn text(&self, index: usize) -> Result<&str, DataError> {
        match &self.values[index] {
            Value::Text(text) if !text.trim().is_empty() => Ok(text),
            Value::Text(_) | Value::Missing => {
                Err(DataError::EmptyText { place: self.place.clone(), column: self.columns[index].clone() })
            }
            other => Err(DataError::TextNotString {
                place: self.place.clone(),
                column: self.columns[index].clone(),
                found: other.to_string(),
            }),
        }
    }
}

/// The form that records come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordFormat {
    /// Delimited text with a header, quoted as RFC 4180 says.
    Delimited,
    /// An object a line (JSON Lines), or one array of objects.
    Json,
    /// Apache Parquet; its columns are flat or lists of texts.
    Parquet,
    /// A text per line in the column [`PLAIN_TEXT_COLUMN`]; a blank line is a row without text.
    PlainText,
}

/// The name of plain text's only column.
pub const PLAIN_TEXT_COLUMN: &str = "text";

/// What to read, and how where the input does not tell.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// The format; if `None`, from the file's extension, else from the content.
    pub format: Option<RecordFormat>,
    /// The delimiter of delimited text; if `None`, found among `,` `;` tab and `|`.
    pub delimiter: Option<char>,
    /// The columns to read, in this order; if `None`, all. JSON's columns are the keys of the first object.
    pub columns: Option<Vec<String>>,
    /// Behind `columns`, every column of the input once more, in the input's order.
    pub and_all: bool,
}

/// The rows of an input, one after the other. After an error it ends.
pub struct RecordReader {
    input: Arc<str>,
    columns: Arc<[String]>,
    kinds: Vec<ValueKind>,
    rows: Rows,
    rows_read: u64,
    ended: bool,
}

enum Rows {
    Delimited(DelimitedRows),
    Json(JsonRows),
    Parquet(ParquetRows),
    PlainText(PlainTextRows),
}

/// What opening a format gives: the selected columns with their kinds, and the rows.
struct Opened {
    columns: Vec<String>,
    kinds: Vec<ValueKind>,
    rows: Rows,
}

impl RecordReader {
    /// Opens a file, which may be a named pipe: it is opened once and read once. The path `-` is standard input; Parquet from there is
    /// copied to an anonymous temporary file first, because it is read from its end.
    ///
    /// # Errors
    /// A missing, empty or unreadable file, a missing or duplicate column, a format that cannot be read.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self, DataError> {
        if path == Path::new("-") {
            return Self::from_reader("standard input", Box::new(io::stdin()), options);
        }
        let input = shown(path);
        let format = options.format.or_else(|| format_of_name(path, options.delimiter));
        let failed = |error| DataError::reading(&input, error);
        let file = File::open(path).map_err(failed)?;
        let is_file = file.metadata().map_err(failed)?.is_file();
        let origin = if is_file { Origin::File(file) } else { Origin::Stream(Box::new(file)) };
        Self::start(&input, origin, &ReadOptions { format, ..options.clone() })
    }

    /// Reads a stream that messages call `name`.
    ///
    /// # Errors
    /// As [`RecordReader::open`].
    pub fn from_reader(name: &str, reader: Box<dyn Read + Send>, options: &ReadOptions) -> Result<Self, DataError> {
        Self::start(name, Origin::Stream(reader), options)
    }

    fn start(input: &str, mut origin: Origin, options: &ReadOptions) -> Result<Self, DataError> {
        let failed = |error| DataError::reading(input, error);
        let mut head = read_head(origin.reader(), options).map_err(failed)?;
        let compressed = head.starts_with(GZIP);
        if compressed {
            let mut gunzip: Box<dyn Read + Send> =
                Box::new(Gunzip(MultiGzDecoder::new(Cursor::new(head).chain(origin.into_reader()))));
            head = read_head(&mut gunzip, options).map_err(failed)?;
            origin = Origin::Stream(gunzip);
        }
        if head.is_empty() {
            return Err(DataError::Empty { input: input.to_owned() });
        }
        let format = options.format.unwrap_or_else(|| format_of(&head));
        let found = match format {
            RecordFormat::Parquet => compressed.then_some("Parquet inside gzip"),
            _ => not_text(&head),
        };
        if let Some(found) = found {
            return Err(DataError::NotText { input: input.to_owned(), found });
        }
        let input: Arc<str> = input.into();
        let head = head.strip_prefix(BYTE_ORDER_MARK).map_or(head.clone(), <[u8]>::to_vec);
        let Opened { columns, kinds, rows } = match format {
            RecordFormat::Parquet => {
                let file = origin.into_file(head).map_err(|error| DataError::reading(&input, error))?;
                ParquetRows::open(&input, file, options)?
            }
            RecordFormat::Json => JsonRows::open(&input, head, origin.into_reader(), options)?,
            RecordFormat::Delimited => DelimitedRows::open(&input, head, origin.into_reader(), options)?,
            RecordFormat::PlainText => PlainTextRows::open(&input, head, origin.into_reader(), options)?,
        };
        Ok(Self { input, columns: columns.into(), kinds, rows, rows_read: 0, ended: false })
    }

    /// The selected columns' names.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The selected columns' types: Parquet's own, those of the first object in JSON (`Text` for null), `Text` in delimited text.
    pub fn kinds(&self) -> &[ValueKind] {
        &self.kinds
    }

    /// The input's name, as messages show it.
    pub fn input(&self) -> &str {
        &self.input
    }
}

impl Iterator for RecordReader {
    type Item = Result<Record, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let place = Place { input: self.input.clone(), row: self.rows_read + 1, line: None };
        let next = match &mut self.rows {
            Rows::Delimited(rows) => rows.next_row(place, &self.columns),
            Rows::Json(rows) => rows.next_row(place, &self.columns),
            Rows::Parquet(rows) => rows.next_row(place, &self.columns),
            Rows::PlainText(rows) => rows.next_row(place, &self.columns),
        };
        match next {
            Ok(Some((place, values))) => {
                self.rows_read += 1;
                Some(Ok(Record { place, columns: self.columns.clone(), values }))
            }
            Ok(None) => {
                self.ended = true;
                let none = DataError::NoRows { input: self.input.to_string(), columns: Names(self.columns.to_vec()) };
                (self.rows_read == 0).then_some(Err(none))
            }
            Err(error) => {
                self.ended = true;
                Some(Err(error))
            }
        }
    }
}

/// A row as a format gives it: where it stands and its values, or nothing at the end.
type NextRow = Result<Option<(Place, Vec<Value>)>, DataError>;

/// What stands behind the bytes already read.
enum Origin {
    File(File),
    Stream(Box<dyn Read + Send>),
}

impl Origin {
    fn reader(&mut self) -> &mut dyn Read {
        match self {
            Origin::File(file) => file,
            Origin::Stream(reader) => reader,
        }
    }

    fn into_reader(self) -> Box<dyn Read + Send> {
        match self {
            Origin::File(file) => Box::new(file),
            Origin::Stream(reader) => reader,
        }
    }

    /// A file with all bytes, at its start.
    fn into_file(self, head: Vec<u8>) -> io::Result<File> {
        let mut file = match self {
            Origin::File(file) => file,
            Origin::Stream(reader) => {
                let mut file = tempfile::tempfile()?;
                io::copy(&mut Cursor::new(head).chain(reader), &mut file)?;
                file
            }
        };
        file.rewind()?;
        Ok(file)
    }
}

/// Decompresses, and says in its errors that it is the compression which is damaged.
struct Gunzip<R>(MultiGzDecoder<R>);

impl<R: Read> Read for Gunzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        self.0.read(buffer).map_err(|error| match error.kind() {
            InvalidData | InvalidInput | UnexpectedEof => {
                io::Error::new(InvalidData, format!("its gzip compression is damaged or cut short ({error})"))
            }
            _ => error,
        })
    }
}

/// Reads as much of the start as is needed to know the format and the delimiter, so that a slow stream is answered row by row.
fn read_head(reader: &mut dyn Read, options: &ReadOptions) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut chunk = vec![0; HEAD_BYTES];
    while head.len() < HEAD_BYTES {
        let count = match reader.read(&mut chunk[..HEAD_BYTES - head.len()]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        head.extend_from_slice(&chunk[..count]);
        let format = options.format.unwrap_or_else(|| format_of(&head));
        let delimiter_needed = format == RecordFormat::Delimited && options.delimiter.is_none() && !head.starts_with(GZIP);
        if count == 0 || (head.len() >= 4 && !delimiter_needed) {
            break;
        }
    }
    Ok(head)
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const GZIP: &[u8] = &[0x1f, 0x8b];

/// The format that a file's name says it has, `.gz` behind it left out. With a delimiter, `.txt` is no plain text.
fn format_of_name(path: &Path, delimiter: Option<char>) -> Option<RecordFormat> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let (_, extension) = name.strip_suffix(".gz").unwrap_or(&name).rsplit_once('.')?;
    match extension {
        "csv" | "tsv" => Some(RecordFormat::Delimited),
        "json" | "jsonl" | "ndjson" => Some(RecordFormat::Json),
        "parquet" => Some(RecordFormat::Parquet),
        "txt" if delimiter.is_none() => Some(RecordFormat::PlainText),
        _ => None,
    }
}

fn format_of(head: &[u8]) -> RecordFormat {
    let text = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head).trim_ascii_start();
    match text.first() {
        _ if head.starts_with(b"PAR1") => RecordFormat::Parquet,
        Some(b'{' | b'[') => RecordFormat::Json,
        _ => RecordFormat::Delimited,
    }
}

/// What the first bytes say of an input that is no text in UTF-8.
fn not_text(head: &[u8]) -> Option<&'static str> {
    match head {
        [b'P', b'A', b'R', b'1', ..] => Some("a Parquet file under another name"),
        [0x1f, 0x8b, ..] => Some("compressed with gzip twice"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("compressed with Zstandard"),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => Some("compressed with xz"),
        [b'P', b'K', 3, 4, ..] => Some("a zip archive or an Excel workbook"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("text in UTF-16"),
        _ if head.get(257..262) == Some(b"ustar") => Some("a tar archive"),
        _ if is_utf16(head) => Some("text in UTF-16"),
        _ => None,
    }
}

/// Whether every other byte of the start is zero, as in UTF-16 of Latin letters without a byte order mark.
fn is_utf16(head: &[u8]) -> bool {
    let start = &head[..head.len().min(64) / 2 * 2];
    let zeros = |parity: usize| start.iter().skip(parity).step_by(2).all(|&byte| byte == 0);
    start.len() >= 8 && zeros(0) != zeros(1)
}

/// The index of each wanted column among `available`, or of all of them.
fn select(
    input: &str,
    available: &[String],
    options: &ReadOptions,
    hint: impl Fn() -> Option<char>,
) -> Result<Vec<usize>, DataError> {
    let all = 0..available.len();
    let Some(wanted) = &options.columns else { return Ok(all.collect()) };
    let index_of = |column: &String| {
        available.iter().position(|name| name == column).ok_or_else(|| DataError::MissingColumn {
            input: input.to_owned(),
            column: excerpt(column),
            columns: Names(available.to_vec()),
            delimiter: hint(),
        })
    };
    let behind = all.filter(|_| options.and_all).map(Ok);
    wanted.iter().map(index_of).chain(behind).collect()
}

/// Refuses a name that occurs twice.
fn distinct(input: &str, columns: &[String]) -> Result<(), DataError> {
    let mut seen = std::collections::HashSet::new();
    match columns.iter().find(|column| !seen.insert(column.as_str())) {
        Some(twice) => Err(DataError::DuplicateColumn { input: input.to_owned(), column: excerpt(twice) }),
        None => Ok(()),
    }
}
