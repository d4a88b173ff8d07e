//! JSON Lines, or one JSON array of objects.

use std::io::{BufRead, BufReader, Cursor, Read};

use serde_json::{Map, Value as Json};

use super::{DataError, MAX_RECORD_BYTES, NextRow, Opened, Place, Rows, Value, ValueKind, select};

type Object = Map<String, Json>;

pub(super) struct JsonRows {
    source: Objects,
    /// The first object, read to know the columns.
    first: Option<(Option<u64>, Object)>,
    /// Every key is wanted, so a key that the first object lacks must not be lost.
    all_columns: bool,
}

enum Objects {
    Lines { reader: BufReader<Box<dyn Read + Send>>, line: u64, bytes: Vec<u8> },
    Array(std::vec::IntoIter<Json>),
}

impl JsonRows {
    pub(super) fn open(
        input: &str,
        head: Vec<u8>,
        rest: Box<dyn Read + Send>,
        wanted: Option<&[String]>,
    ) -> Result<Opened, DataError> {
        let is_array = head.trim_ascii_start().first() == Some(&b'[');
        let mut reader: BufReader<Box<dyn Read + Send>> = BufReader::new(Box::new(Cursor::new(head).chain(rest)));
        let mut source = if is_array {
            Objects::Array(read_array(input, &mut reader)?.into_iter())
        } else {
            Objects::Lines { reader, line: 0, bytes: Vec::new() }
        };
        let place = Place { input: input.into(), row: 1, line: None };
        let Some((place, object)) = source.next_object(place)? else {
            return Err(DataError::Empty { input: input.to_owned() });
        };
        let available: Vec<String> = object.keys().cloned().collect();
        let selected = select(input, &available, wanted, || None)?;
        let columns: Vec<String> = selected.iter().map(|&index| available[index].clone()).collect();
        let kinds = columns.iter().map(|column| kind_of(&object[column])).collect();
        let rows = Self { source, first: Some((place.line, object)), all_columns: wanted.is_none() };
        Ok(Opened { columns, kinds, rows: Rows::Json(rows) })
    }

    pub(super) fn next_row(&mut self, place: Place, columns: &[String]) -> NextRow {
        let (place, mut object) = match self.first.take() {
            Some((line, object)) => (Place { line, ..place }, object),
            None => match self.source.next_object(place)? {
                Some(next) => next,
                None => return Ok(None),
            },
        };
        if self.all_columns
            && let Some(new) = object.keys().find(|key| !columns.contains(key))
        {
            return Err(DataError::UnexpectedColumn { place, column: super::excerpt(new) });
        }
        let mut values = Vec::with_capacity(columns.len());
        for (index, column) in columns.iter().enumerate() {
            let wanted_again = columns[index + 1..].contains(column);
            let value = if wanted_again { object.get(column).cloned() } else { object.remove(column) };
            values.push(match value {
                None | Some(Json::Null) => Value::Missing,
                Some(Json::Bool(value)) => Value::Boolean(value),
                Some(Json::Number(number)) => {
                    number.as_i64().map_or_else(|| Value::Number(number.as_f64().unwrap_or(f64::NAN)), Value::Integer)
                }
                Some(Json::String(text)) => Value::Text(text),
                Some(Json::Array(_)) => return Err(unsupported(&place, column, "an array")),
                Some(Json::Object(_)) => return Err(unsupported(&place, column, "an object")),
            });
        }
        Ok(Some((place, values)))
    }
}

fn unsupported(place: &Place, column: &str, found: &str) -> DataError {
    DataError::UnsupportedType { input: place.to_string(), column: column.to_owned(), found: found.to_owned() }
}

fn kind_of(value: &Json) -> ValueKind {
    match value {
        Json::Bool(_) => ValueKind::Boolean,
        Json::Number(number) if number.is_i64() => ValueKind::Integer,
        Json::Number(_) => ValueKind::Number,
        _ => ValueKind::Text,
    }
}

fn read_array(input: &str, reader: &mut dyn Read) -> Result<Vec<Json>, DataError> {
    serde_json::from_reader(reader).map_err(|error| match error.io_error_kind() {
        Some(_) => DataError::reading(input, error.into()),
        None => DataError::Json { input: input.to_owned(), line: error.line() as u64, source: error },
    })
}

impl Objects {
    fn next_object(&mut self, place: Place) -> Result<Option<(Place, Object)>, DataError> {
        let (place, value) = match self {
            Objects::Array(values) => match values.next() {
                Some(value) => (place, value),
                None => return Ok(None),
            },
            Objects::Lines { reader, line, bytes } => match next_line(reader, line, bytes, place)? {
                Some((place, text)) => {
                    let value = serde_json::from_str(text).map_err(|source| DataError::Json {
                        input: place.input.to_string(),
                        line: *line,
                        source,
                    })?;
                    (place, value)
                }
                None => return Ok(None),
            },
        };
        match value {
            Json::Object(object) => Ok(Some((place, object))),
            _ => Err(DataError::NotAnObject { place }),
        }
    }
}

/// The next line that is not blank.
fn next_line<'a>(
    reader: &mut BufReader<Box<dyn Read + Send>>,
    line: &mut u64,
    bytes: &'a mut Vec<u8>,
    mut place: Place,
) -> Result<Option<(Place, &'a str)>, DataError> {
    loop {
        bytes.clear();
        let limited = &mut reader.by_ref().take(MAX_RECORD_BYTES + 1);
        let count = limited.read_until(b'\n', bytes).map_err(|error| DataError::reading(&place.input, error))?;
        if count == 0 {
            return Ok(None);
        }
        *line += 1;
        place.line = Some(*line);
        if count as u64 > MAX_RECORD_BYTES {
            return Err(DataError::TooLong { place, limit: MAX_RECORD_BYTES });
        }
        if !bytes.trim_ascii().is_empty() {
            break;
        }
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Some((place, text))),
        Err(error) => {
            let part = format!("byte {} of the line", error.valid_up_to() + 1);
            Err(DataError::InvalidUtf8 { place, part })
        }
    }
}
