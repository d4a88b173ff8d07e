//! Parquet files with flat columns, a batch of rows at a time.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::basic::{ConvertedType, LogicalType, Type as PhysicalType};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};

use super::{DataError, NextRow, Opened, Place, Rows, Value, ValueKind, distinct, select};

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
    nullable: bool,
}

impl ParquetRows {
    pub(super) fn open(input: &str, file: File, wanted: Option<&[String]>) -> Result<Opened, DataError> {
        let length = file.metadata().map_err(|error| DataError::reading(input, error))?.len();
        let file = guarded(|| SerializedFileReader::new(file)).map_err(|error| failed(input, error))?;
        check_extents(&file, length).map_err(|error| failed(input, error))?;
        let schema = file.metadata().file_metadata().schema_descr();
        let available: Vec<String> = schema.root_schema().get_fields().iter().map(|field| field.name().to_owned()).collect();
        distinct(input, &available)?;
        let selected = select(input, &available, wanted, || None)?;
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
                BatchError::InvalidUtf8 { index } => DataError::InvalidUtf8 {
                    place: Place { row: place.row + index, ..place.clone() },
                    part: format!("column `{name}`"),
                },
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
    let is_flat = |column: &ColumnDescriptor| column.path().parts().len() == 1 && column.max_rep_level() == 0;
    let (leaf, column) = (schema.columns().iter().enumerate())
        .find(|(_, column)| is_flat(column) && column.name() == name)
        .ok_or_else(|| unsupported("nested or repeated values".to_owned()))?;
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
    Ok(Selected { leaf, kind, unsigned, nullable: column.max_def_level() > 0 })
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
}

impl Selected {
    fn read(self, reader: &mut ColumnReader, rows: usize) -> Result<Vec<Value>, BatchError> {
        let integer32 =
            |value: i32| if self.unsigned { Value::Integer(i64::from(value as u32)) } else { Value::Integer(value.into()) };
        let integer64 =
            |value: i64| if self.unsigned && value < 0 { Value::Number(value as u64 as f64) } else { Value::Integer(value) };
        match reader {
            ColumnReader::BoolColumnReader(reader) => self.values(reader, rows, |value| Some(Value::Boolean(value))),
            ColumnReader::Int32ColumnReader(reader) => self.values(reader, rows, |value| Some(integer32(value))),
            ColumnReader::Int64ColumnReader(reader) => self.values(reader, rows, |value| Some(integer64(value))),
            ColumnReader::FloatColumnReader(reader) => self.values(reader, rows, |value| Some(Value::Number(value.into()))),
            ColumnReader::DoubleColumnReader(reader) => self.values(reader, rows, |value| Some(Value::Number(value))),
            ColumnReader::ByteArrayColumnReader(reader) => {
                self.values(reader, rows, |value| value.as_utf8().ok().map(|text| Value::Text(text.to_owned())))
            }
            ColumnReader::Int96ColumnReader(_) | ColumnReader::FixedLenByteArrayColumnReader(_) => {
                Err(BatchError::Parquet(ParquetError::NYI("values of this type".to_owned())))
            }
        }
    }

    /// At most `rows` values; `convert` gives `None` for text that is not UTF-8.
    fn values<T: DataType>(
        self,
        reader: &mut ColumnReaderImpl<T>,
        rows: usize,
        convert: impl Fn(T::T) -> Option<Value>,
    ) -> Result<Vec<Value>, BatchError> {
        let (mut levels, mut stored) = (Vec::new(), Vec::new());
        let definition_levels = self.nullable.then_some(&mut levels);
        let (rows, ..) = reader.read_records(rows, definition_levels, None, &mut stored).map_err(BatchError::Parquet)?;
        let mut stored = stored.into_iter();
        let mut values = Vec::with_capacity(rows);
        for row in 0..rows {
            let present = !self.nullable || levels.get(row) == Some(&1);
            let value = if present { stored.next().map_or(Some(Value::Missing), &convert) } else { Some(Value::Missing) };
            values.push(value.ok_or(BatchError::InvalidUtf8 { index: row as u64 })?);
        }
        Ok(values)
    }
}
