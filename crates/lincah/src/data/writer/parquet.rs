//! Rows into a Parquet file, a row group at a time.

use std::io;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as PhysicalType};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use super::{DataError, OutputColumn, Target, Value, ValueKind};
use crate::data::place::excerpt;

/// Rows, and bytes of text, that a row group holds at most: what is kept in memory.
const GROUP_ROWS: usize = 8192;
const GROUP_TEXT_BYTES: usize = 32 << 20;

pub(super) struct ParquetOutput {
    writer: SerializedFileWriter<Target>,
    /// One a column: the values of the row group to come.
    group: Vec<Vec<Value>>,
    text_bytes: usize,
}

impl ParquetOutput {
    pub(super) fn start(output: &str, target: Target, columns: &[OutputColumn]) -> Result<Self, DataError> {
        let failed = |error| write_error(output, error);
        let fields = columns.iter().map(field).collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let schema = Type::group_type_builder("rows").with_fields(fields).build().map_err(failed)?;
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer = SerializedFileWriter::new(target, Arc::new(schema), Arc::new(properties)).map_err(failed)?;
        Ok(Self { writer, group: vec![Vec::new(); columns.len()], text_bytes: 0 })
    }

    pub(super) fn write(
        &mut self,
        output: &str,
        row: u64,
        columns: &[OutputColumn],
        values: Vec<Value>,
    ) -> Result<(), DataError> {
        let fitted: Vec<Value> = (columns.iter().zip(values))
            .map(|(column, value)| {
                fit(value, column.kind).map_err(|value| DataError::ColumnMismatch {
                    output: output.to_owned(),
                    row,
                    column: column.flat_name(),
                    expected: kind_name(column.kind),
                    found: excerpt(&value.to_string()),
                })
            })
            .collect::<Result<_, _>>()?;
        for (column, value) in self.group.iter_mut().zip(fitted) {
            self.text_bytes += match &value {
                Value::Text(text) => text.len(),
                Value::List(texts) => texts.iter().map(String::len).sum(),
                _ => 0,
            };
            column.push(value);
        }
        let rows = self.group.first().map_or(0, Vec::len);
        if rows >= GROUP_ROWS || self.text_bytes >= GROUP_TEXT_BYTES { self.write_group(output, columns) } else { Ok(()) }
    }

    pub(super) fn finish(mut self, output: &str, columns: &[OutputColumn]) -> Result<Target, DataError> {
        if self.group.first().is_some_and(|column| !column.is_empty()) {
            self.write_group(output, columns)?;
        }
        self.writer.into_inner().map_err(|error| write_error(output, error))
    }

    fn write_group(&mut self, output: &str, columns: &[OutputColumn]) -> Result<(), DataError> {
        let failed = |error| write_error(output, error);
        let mut group = self.writer.next_row_group().map_err(failed)?;
        for (values, column) in self.group.iter_mut().zip(columns) {
            let Some(mut writer) = group.next_column().map_err(failed)? else {
                return Err(failed(ParquetError::General(format!("no place for column {}", column.name))));
            };
            let values = std::mem::take(values);
            match column.kind {
                ValueKind::List => write_lists(writer.untyped(), values).map_err(failed)?,
                _ => write_column(writer.untyped(), values).map_err(failed)?,
            }
            writer.close().map_err(failed)?;
        }
        self.text_bytes = 0;
        group.close().map(|_| ()).map_err(failed)
    }
}

fn field(column: &OutputColumn) -> Result<Arc<Type>, ParquetError> {
    let name = column.flat_name();
    let (physical, logical) = match column.kind {
        ValueKind::List => return list_field(&name),
        ValueKind::Boolean => (PhysicalType::BOOLEAN, None),
        ValueKind::Integer => (PhysicalType::INT64, None),
        ValueKind::Number => (PhysicalType::DOUBLE, None),
        ValueKind::Text => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)),
    };
    primitive(&name, (physical, logical), Repetition::OPTIONAL)
}

fn primitive(
    name: &str,
    (physical, logical): (PhysicalType, Option<LogicalType>),
    repetition: Repetition,
) -> Result<Arc<Type>, ParquetError> {
    let builder = Type::primitive_type_builder(name, physical).with_logical_type(logical).with_repetition(repetition);
    Ok(Arc::new(builder.build()?))
}

/// A list of texts, or null, in the three levels that the Parquet format has for lists.
fn list_field(name: &str) -> Result<Arc<Type>, ParquetError> {
    let element = primitive("element", (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)), Repetition::REQUIRED)?;
    let repeated = Type::group_type_builder("list").with_repetition(Repetition::REPEATED).with_fields(vec![element]).build()?;
    let list = Type::group_type_builder(name)
        .with_logical_type(Some(LogicalType::List))
        .with_repetition(Repetition::OPTIONAL)
        .with_fields(vec![Arc::new(repeated)])
        .build()?;
    Ok(Arc::new(list))
}

/// The value as the column's type, or the value back if it has none.
fn fit(value: Value, kind: ValueKind) -> Result<Value, Value> {
    match (value, kind) {
        (Value::Missing, _) => Ok(Value::Missing),
        (value @ Value::Boolean(_), ValueKind::Boolean) => Ok(value),
        (value @ Value::Integer(_), ValueKind::Integer) => Ok(value),
        (value @ Value::Number(_), ValueKind::Number) => Ok(value),
        (Value::Integer(value), ValueKind::Number) => Ok(Value::Number(value as f64)),
        (Value::Text(value), ValueKind::Text) => Ok(Value::Text(value)),
        (value @ Value::List(_), ValueKind::List) => Ok(value),
        (value, ValueKind::Text) => Ok(Value::Text(value.to_string())),
        (value, _) => Err(value),
    }
}

fn kind_name(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Boolean => "boolean",
        ValueKind::Integer => "integer",
        ValueKind::Number => "number",
        ValueKind::Text => "text",
        ValueKind::List => "list",
    }
}

fn write_column(writer: &mut ColumnWriter<'_>, values: Vec<Value>) -> Result<(), ParquetError> {
    let levels: Vec<i16> = values.iter().map(|value| i16::from(*value != Value::Missing)).collect();
    match writer {
        ColumnWriter::BoolColumnWriter(writer) => {
            let stored = stored::<parquet::data_type::BoolType>(values, |value| match value {
                Value::Boolean(value) => Some(value),
                _ => None,
            });
            writer.write_batch(&stored, Some(&levels), None)?;
        }
        ColumnWriter::Int64ColumnWriter(writer) => {
            let stored = stored::<parquet::data_type::Int64Type>(values, |value| match value {
                Value::Integer(value) => Some(value),
                _ => None,
            });
            writer.write_batch(&stored, Some(&levels), None)?;
        }
        ColumnWriter::DoubleColumnWriter(writer) => {
            let stored = stored::<parquet::data_type::DoubleType>(values, |value| match value {
                Value::Number(value) => Some(value),
                _ => None,
            });
            writer.write_batch(&stored, Some(&levels), None)?;
        }
        ColumnWriter::ByteArrayColumnWriter(writer) => {
            let stored = stored::<parquet::data_type::ByteArrayType>(values, |value| match value {
                Value::Text(value) => Some(ByteArray::from(value.into_bytes())),
                _ => None,
            });
            writer.write_batch(&stored, Some(&levels), None)?;
        }
        _ => return Err(ParquetError::NYI("a column of this type".to_owned())),
    }
    Ok(())
}

/// Writes a column of lists: definition level 0 is null, 1 an empty list, 2 a text; repetition level 1 goes on with a list.
fn write_lists(writer: &mut ColumnWriter<'_>, values: Vec<Value>) -> Result<(), ParquetError> {
    let ColumnWriter::ByteArrayColumnWriter(writer) = writer else {
        return Err(ParquetError::NYI("a list of this type".to_owned()));
    };
    let (mut stored, mut defined, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
    for value in values {
        let Value::List(texts) = value else {
            defined.push(0);
            repeated.push(0);
            continue;
        };
        if texts.is_empty() {
            defined.push(1);
            repeated.push(0);
        }
        for (index, text) in texts.into_iter().enumerate() {
            defined.push(2);
            repeated.push(i16::from(index > 0));
            stored.push(ByteArray::from(text.into_bytes()));
        }
    }
    writer.write_batch(&stored, Some(&defined), Some(&repeated)).map(|_| ())
}

/// The values that are there, as Parquet stores them.
fn stored<T: DataType>(values: Vec<Value>, convert: impl Fn(Value) -> Option<T::T>) -> Vec<T::T> {
    values.into_iter().filter_map(convert).collect()
}

/// A full disk or a broken pipe is said as such, also where the Parquet writer has wrapped it.
fn write_error(output: &str, error: ParquetError) -> DataError {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(error) => DataError::writing(output, *error),
            Err(source) => DataError::WriteParquet { output: output.to_owned(), source: ParquetError::External(source) },
        },
        source => DataError::WriteParquet { output: output.to_owned(), source },
    }
}
