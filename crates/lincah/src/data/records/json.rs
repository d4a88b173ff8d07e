//! JSON Lines, or one JSON array of objects.

use std::io::{Cursor, Read};

use serde_json::{Map, Number, Value as Json};

use super::plain_text::Lines;
use super::{DataError, NextRow, Opened, Place, ReadOptions, Rows, Value, ValueKind, excerpt, select};

type Object = Map<String, Json>;

/// The longest JSON array, which is read whole.
const MAX_ARRAY_BYTES: u64 = 1 << 30;
/// 2⁶³: a JSON number from here on may be a whole number that lost digits.
const BEYOND_INTEGERS: f64 = 9_223_372_036_854_775_808.0;

pub(super) struct JsonRows {
    source: Objects,
    /// The first object, read to know the columns.
    first: Option<(Place, Object)>,
    /// Every key is wanted, so a key that the first object lacks must not be lost.
    all_columns: bool,
}

struct Objects {
    form: Form,
    /// Whether what was parsed last, the line or the whole array, has a whole number of more digits than an integer can hold.
    long_integers: bool,
}

enum Form {
    Lines(Lines),
    Array(std::vec::IntoIter<Json>),
}

impl JsonRows {
    pub(super) fn open(
        input: &str,
        head: Vec<u8>,
        rest: Box<dyn Read + Send>,
        options: &ReadOptions,
    ) -> Result<Opened, DataError> {
        let is_array = head.trim_ascii_start().first() == Some(&b'[');
        let mut source = if is_array { Objects::array(input, head, rest)? } else { Objects::lines(head, rest) };
        let place = Place { input: input.into(), row: 1, line: None };
        let Some((place, object)) = source.next_object(place)? else {
            return Err(DataError::Empty { input: input.to_owned() });
        };
        let available: Vec<String> = object.keys().cloned().collect();
        let selected = select(input, &available, options, || None)?;
        let columns: Vec<String> = selected.iter().map(|&index| available[index].clone()).collect();
        let kinds = columns.iter().map(|column| kind_of(&object[column])).collect();
        let rows = Self { source, first: Some((place, object)), all_columns: options.columns.is_none() || options.and_all };
        Ok(Opened { columns, kinds, rows: Rows::Json(rows) })
    }

    pub(super) fn next_row(&mut self, place: Place, columns: &[String]) -> NextRow {
        let (place, mut object) = match self.first.take() {
            Some(first) => first,
            None => match self.source.next_object(place)? {
                Some(next) => next,
                None => return Ok(None),
            },
        };
        if self.all_columns
            && let Some(new) = object.keys().find(|key| !columns.contains(key))
        {
            return Err(DataError::UnexpectedColumn { place, column: excerpt(new) });
        }
        let mut values = Vec::with_capacity(columns.len());
        for (index, column) in columns.iter().enumerate() {
            let wanted_again = columns[index + 1..].contains(column);
            let value = if wanted_again { object.get(column).cloned() } else { object.remove(column) };
            values.push(value_of(value.unwrap_or(Json::Null), &place, column, self.source.long_integers)?);
        }
        Ok(Some((place, values)))
    }
}

fn value_of(value: Json, place: &Place, column: &str, long_integers: bool) -> Result<Value, DataError> {
    let texts = |values: Vec<Json>| -> Option<Vec<String>> {
        values.into_iter().map(|value| if let Json::String(text) = value { Some(text) } else { None }).collect()
    };
    Ok(match value {
        Json::Null => Value::Missing,
        Json::Bool(value) => Value::Boolean(value),
        Json::Number(number) => match number.as_i64() {
            Some(value) => Value::Integer(value),
            None if is_too_large(&number, long_integers) => {
                let (place, column) = (place.clone(), column.to_owned());
                return Err(DataError::IntegerTooLarge { place, column, found: number.to_string() });
            }
            None => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::Text(text),
        Json::Array(values) => {
            Value::List(texts(values).ok_or_else(|| unsupported(place, column, "an array of something else than texts"))?)
        }
        Json::Object(_) => return Err(unsupported(place, column, "an object")),
    })
}

/// Whether a number is, or may have been read from, a whole number beyond `i64`.
fn is_too_large(number: &Number, long_integers: bool) -> bool {
    number.is_u64() || (long_integers && number.as_f64().is_some_and(|value| value.abs() >= BEYOND_INTEGERS))
}

/// Whether JSON has, outside its strings, a number of 19 digits or more without a fraction or an exponent.
fn has_long_integer(json: &[u8]) -> bool {
    let (mut in_string, mut escaped, mut digits, mut whole) = (false, false, 0, true);
    for &byte in json.iter().chain(b" ") {
        match byte {
            _ if in_string => {
                in_string = byte != b'"' || escaped;
                escaped = byte == b'\\' && !escaped;
            }
            b'0'..=b'9' => digits += 1,
            b'.' | b'e' | b'E' | b'+' | b'-' if digits > 0 => whole = false,
            _ => {
                if whole && digits >= 19 {
                    return true;
                }
                (digits, whole, in_string) = (0, true, byte == b'"');
            }
        }
    }
    false
}

fn unsupported(place: &Place, column: &str, found: &str) -> DataError {
    DataError::UnsupportedType { input: place.to_string(), column: column.to_owned(), found: found.to_owned() }
}

fn kind_of(value: &Json) -> ValueKind {
    match value {
        Json::Bool(_) => ValueKind::Boolean,
        Json::Number(number) if number.is_i64() => ValueKind::Integer,
        Json::Number(_) => ValueKind::Number,
        Json::Array(_) => ValueKind::List,
        _ => ValueKind::Text,
    }
}

impl Objects {
    fn lines(head: Vec<u8>, rest: Box<dyn Read + Send>) -> Self {
        Self { form: Form::Lines(Lines::new(head, rest)), long_integers: false }
    }

    fn array(input: &str, head: Vec<u8>, rest: Box<dyn Read + Send>) -> Result<Self, DataError> {
        let mut json = Vec::new();
        let mut limited = Cursor::new(head).chain(rest).take(MAX_ARRAY_BYTES + 1);
        limited.read_to_end(&mut json).map_err(|error| DataError::reading(input, error))?;
        if json.len() as u64 > MAX_ARRAY_BYTES {
            return Err(DataError::ArrayTooLong { input: input.to_owned(), limit: MAX_ARRAY_BYTES });
        }
        let damaged = |source: serde_json::Error| DataError::Json { input: input.to_owned(), line: source.line() as u64, source };
        let values: Vec<Json> = serde_json::from_slice(&json).map_err(damaged)?;
        Ok(Self { form: Form::Array(values.into_iter()), long_integers: has_long_integer(&json) })
    }

    fn next_object(&mut self, place: Place) -> Result<Option<(Place, Object)>, DataError> {
        let (place, value) = match &mut self.form {
            Form::Array(values) => match values.next() {
                Some(value) => (place, value),
                None => return Ok(None),
            },
            Form::Lines(lines) => loop {
                let Some((place, text)) = lines.next(place.clone())? else { return Ok(None) };
                if !text.as_bytes().trim_ascii().is_empty() {
                    self.long_integers = has_long_integer(text.as_bytes());
                    let (input, line) = (place.input.to_string(), place.line.unwrap_or(0));
                    let value = serde_json::from_str(text).map_err(|source| DataError::Json { input, line, source })?;
                    break (place, value);
                }
            },
        };
        match value {
            Json::Object(object) => Ok(Some((place, object))),
            _ => Err(DataError::NotAnObject { place }),
        }
    }
}
