//! Parquet files whose columns are flat or lists of texts, a batch of rows at a time.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::basic::{ConvertedType, LogicalType, Type as PhysicalType};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};

use super::{DataError, NextRow, Opened, Place, ReadOptions, Rows, Value, ValueKind, distinct, select};

/// Rows decoded at a time.
const BATCH_ROWS: usize = 1024;

pub(super) struct ParquetRows {
    file: SerializedFileReader<File>,
    selected: Vec<Selected>,
    next_row_group: usize,
    /// Rows of the row group that are not decoded yet.
    rows_left: usize,
    readers: Vec<ColumnReader>,
    /// One a selected column: the batch's values, still to be handed out.
    batch: Vec<std::vec::IntoIter<Value>>,
}

/// A selected column: which leaf of the schema it is and what it holds.
#[derive(Clone, Copy)]
struct Selected {
    leaf: usize,
    kind: ValueKind,
    unsigned: bool,
    /// The highest definition level: at it there is a value.
    present: i16,
    /// Of a list: the definition level from which on it is a list at all.
    list: i16,
}

impl ParquetRows {
    pub(super) fn open(input: &str, file: File, options: &ReadOptions) -> Result<Opened, DataError> {
        let length = file.metadata().map_err(|error| DataError::reading(input, error))?.len();
        let file = guarded(|| SerializedFileReader::new(file)).map_err(|error| failed(input, error))?;
        check_extents(&file, length).map_err(|error| failed(input, error))?;
        let schema = file.metadata().file_metadata().schema_descr();
        let available: Vec<String> = schema.root_schema().get_fields().iter().map(|field| field.name().to_owned()).collect();
        distinct(input, &available)?;
        let selected = select(input, &available, options, || None)?;
        let columns: Vec<String> = selected.iter().map(|&index| available[index].clone()).collect();
        let selected = columns.iter().map(|name| leaf(input, schema, name)).collect::<Result<Vec<_>, _>>()?;
        let kinds = selected.iter().map(|column| column.kind).collect();
        let rows = Self { file, selected, next_row_group: 0, rows_left: 0, readers: Vec::new(), batch: Vec::new() };
        Ok(Opened { columns, kinds, rows: Rows::Parquet(rows) })
    }

    pub(super) fn next_row(&mut self, place: Place, columns: &[String]) -> NextRow {
        if self.selected.is_empty() {
            return Ok(None);
        }
        loop {
            let values: Option<Vec<Value>> = self.batch.iter_mut().map(Iterator::next).collect();
            if let Some(values) = values.filter(|values| !values.is_empty()) {
                return Ok(Some((place, values)));
            }
            if !self.next_batch(&place, columns)? {
                return Ok(None);
            }
        }
    }

    /// Decodes the next rows, of the next row group if this one is at its end.
    fn next_batch(&mut self, place: &Place, columns: &[String]) -> Result<bool, DataError> {
        let broken = |error| failed(&place.input, error);
        while self.rows_left == 0 {
            if self.next_row_group == self.file.num_row_groups() {
                return Ok(false);
            }
            (self.rows_left, self.readers) = guarded(|| {
                let group = self.file.get_row_group(self.next_row_group)?;
                let readers = self.selected.iter().map(|column| group.get_column_reader(column.leaf));
                Ok((usize::try_from(group.metadata().num_rows())?, readers.collect::<Result<_, ParquetError>>()?))
            })
            .map_err(broken)?;
            self.next_row_group += 1;
        }
        let rows = self.rows_left.min(BATCH_ROWS);
        self.rows_left -= rows;
        let mut batch = Vec::with_capacity(self.selected.len());
        for ((column, reader), name) in self.selected.iter().zip(&mut self.readers).zip(columns) {
            let values = guarded(|| column.read(reader, rows)).map_err(|error| match error {
                BatchError::Parquet(error) => broken(error),
                BatchError::InvalidUtf8 { index } => {
                    DataError::InvalidUtf8 { place: place.after(index), part: format!("column `{name}`") }
                }
                BatchError::TooLarge { index, value } => {
                    DataError::IntegerTooLarge { place: place.after(index), column: name.clone(), found: value.to_string() }
                }
                BatchError::MissingElement { index } => {
                    let found = "a list with a missing text".to_owned();
                    DataError::UnsupportedType { input: place.after(index).to_string(), column: name.clone(), found }
                }
            })?;
            if values.len() < rows {
                return Err(broken(ParquetError::EOF(format!("column {name} has fewer rows than its row group"))));
            }
            batch.push(values.into_iter());
        }
        self.batch = batch;
        Ok(true)
    }
}

/// Turns a panic of the `parquet` crate, which damaged files can cause, into an error.
fn guarded<T, E: From<ParquetError>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let reason =
            panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string()));
        Err(ParquetError::General(reason.unwrap_or_else(|| "the file is damaged".to_owned())).into())
    })
}

/// Refuses column chunks outside the file, at which the `parquet` crate panics.
fn check_extents(file: &SerializedFileReader<File>, length: u64) -> Result<(), ParquetError> {
    for chunk in file.metadata().row_groups().iter().flat_map(|group| group.columns()) {
        let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
        let end = start.checked_add(chunk.compressed_size()).and_then(|end| u64::try_from(end).ok());
        if start < 0 || chunk.compressed_size() < 0 || end.is_none_or(|end| end > length) {
            return Err(ParquetError::General(format!("column {} is said to lie outside the file", chunk.column_path())));
        }
    }
    Ok(())
}

fn failed(input: &str, source: ParquetError) -> DataError {
    DataError::Parquet { input: input.to_owned(), source }
}

/// The leaf of a top-level column, if it is one whose values can be read.
fn leaf(input: &str, schema: &SchemaDescriptor, name: &str) -> Result<Selected, DataError> {
    let unsupported = |found: String| DataError::UnsupportedType { input: input.to_owned(), column: name.to_owned(), found };
    let nested = || unsupported("nested or repeated values".to_owned());
    let of_column = |(_, column): &(usize, &std::sync::Arc<ColumnDescriptor>)| column.path().parts()[0] == name;
    let mut leaves = schema.columns().iter().enumerate().filter(of_column);
    let (Some((leaf, column)), None) = (leaves.next(), leaves.next()) else { return Err(nested()) };
    if !is_flat(column) && !is_list(column) {
        return Err(nested());
    }
    let logical = column.logical_type_ref();
    let kind = match (column.physical_type(), logical, column.converted_type()) {
        (PhysicalType::BOOLEAN, ..) => ValueKind::Boolean,
        (PhysicalType::INT32 | PhysicalType::INT64, None, ConvertedType::NONE)
        | (PhysicalType::INT32 | PhysicalType::INT64, Some(LogicalType::Integer(_)), _) => ValueKind::Integer,
        (PhysicalType::INT32 | PhysicalType::INT64, None, converted) if is_integer(converted) => ValueKind::Integer,
        (PhysicalType::FLOAT | PhysicalType::DOUBLE, ..) => ValueKind::Number,
        (PhysicalType::BYTE_ARRAY, Some(LogicalType::String | LogicalType::Enum | LogicalType::Json), _)
        | (PhysicalType::BYTE_ARRAY, None, ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON) => ValueKind::Text,
        (physical, Some(logical), _) => return Err(unsupported(format!("{physical} values of type {logical:?}"))),
        (physical, None, ConvertedType::NONE) => return Err(unsupported(format!("{physical} values"))),
        (physical, None, converted) => return Err(unsupported(format!("{physical} values of type {converted}"))),
    };
    let unsigned = matches!(logical, Some(LogicalType::Integer(integer)) if !integer.is_signed)
        || matches!(
            column.converted_type(),
            ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64
        );
    let kind = match kind {
        ValueKind::Text if is_list(column) => ValueKind::List,
        _ if is_list(column) => return Err(nested()),
        kind => kind,
    };
    let is_optional = schema.root_schema().get_fields().iter().any(|field| field.name() == name && field.is_optional());
    Ok(Selected { leaf, kind, unsigned, present: column.max_def_level(), list: i16::from(is_optional) })
}

fn is_flat(column: &ColumnDescriptor) -> bool {
    column.path().parts().len() == 1 && column.max_rep_level() == 0
}

/// A list in the three levels of the Parquet format: the column, its repeated group, an element that is no group.
fn is_list(column: &ColumnDescriptor) -> bool {
    column.path().parts().len() == 3 && column.max_rep_level() == 1
}

fn is_integer(converted: ConvertedType) -> bool {
    use ConvertedType as C;
    matches!(converted, C::INT_8 | C::INT_16 | C::INT_32 | C::INT_64 | C::UINT_8 | C::UINT_16 | C::UINT_32 | C::UINT_64)
}

impl From<ParquetError> for BatchError {
    fn from(error: ParquetError) -> Self {
        BatchError::Parquet(error)
    }
}

enum BatchError {
    Parquet(ParquetError),
    InvalidUtf8 { index: u64 },
    TooLarge { index: u64, value: u64 },
    MissingElement { index: u64 },
}

/// Why a stored value is none.
enum Unreadable {
    InvalidUtf8,
    TooLarge(u64),
}

impl Unreadable {
    fn at(self, row: usize) -> BatchError {
        let index = row as u64;
        match self {
            Unreadable::InvalidUtf8 => BatchError::InvalidUtf8 { index },
            Unreadable::TooLarge(value) => BatchError::TooLarge { index, value },
        }
    }
}

impl Selected {
    fn read(self, reader: &mut ColumnReader, rows: usize) -> Result<Vec<Value>, BatchError> {
        let integer32 =
            |value: i32| if self.unsigned { Value::Integer(i64::from(value as u32)) } else { Value::Integer(value.into()) };
        let integer64 = |value: i64| match value {
            ..0 if self.unsigned => Err(Unreadable::TooLarge(value as u64)),
            value => Ok(Value::Integer(value)),
        };
        let text = |value: parquet::data_type::ByteArray| {
            value.as_utf8().map(|text| Value::Text(text.to_owned())).map_err(|_| Unreadable::InvalidUtf8)
        };
        match reader {
            ColumnReader::BoolColumnReader(reader) => self.values(reader, rows, |value| Ok(Value::Boolean(value))),
            ColumnReader::Int32ColumnReader(reader) => self.values(reader, rows, |value| Ok(integer32(value))),
            ColumnReader::Int64ColumnReader(reader) => self.values(reader, rows, integer64),
            ColumnReader::FloatColumnReader(reader) => self.values(reader, rows, |value| Ok(Value::Number(value.into()))),
            ColumnReader::DoubleColumnReader(reader) => self.values(reader, rows, |value| Ok(Value::Number(value))),
            ColumnReader::ByteArrayColumnReader(reader) => self.values(reader, rows, text),
            ColumnReader::Int96ColumnReader(_) | ColumnReader::FixedLenByteArrayColumnReader(_) => {
                Err(BatchError::Parquet(ParquetError::NYI("values of this type".to_owned())))
            }
        }
    }

    /// At most `rows` values.
    fn values<T: DataType>(
        self,
        reader: &mut ColumnReaderImpl<T>,
        rows: usize,
        convert: impl Fn(T::T) -> Result<Value, Unreadable>,
    ) -> Result<Vec<Value>, BatchError> {
        let is_list = self.kind == ValueKind::List;
        let (mut defined, mut repeated, mut stored) = (Vec::new(), Vec::new(), Vec::new());
        let (defined_levels, repeated_levels) = ((self.present > 0).then_some(&mut defined), is_list.then_some(&mut repeated));
        let (rows, ..) = reader.read_records(rows, defined_levels, repeated_levels, &mut stored).map_err(BatchError::Parquet)?;
        let mut stored = stored.into_iter();
        let mut next =
            |row: usize| stored.next().map_or(Ok(Value::Missing), |value| convert(value).map_err(|error| error.at(row)));
        let mut values: Vec<Value> = Vec::with_capacity(rows);
        if !is_list {
            for row in 0..rows {
                let present = self.present == 0 || defined.get(row) == Some(&self.present);
                values.push(if present { next(row)? } else { Value::Missing });
            }
            return Ok(values);
        }
        for (&level, &again) in defined.iter().zip(&repeated) {
            if again == 0 {
                values.push(if level < self.list { Value::Missing } else { Value::List(Vec::new()) });
            }
            let row = values.len().saturating_sub(1);
            // The repeated group adds one level, the element another if it may be missing.
            let has_element = level > self.list;
            match (values.last_mut(), level == self.present) {
                (Some(Value::List(texts)), true) => texts.push(next(row)?.to_string()),
                _ if has_element => return Err(BatchError::MissingElement { index: row as u64 }),
                _ => {}
            }
        }
        Ok(values)
    }
}
