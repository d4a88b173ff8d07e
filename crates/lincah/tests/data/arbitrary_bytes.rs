//! Whatever the bytes, a reader ends in records or an error, never in a panic.

use lincah::data::records::{ReadOptions, RecordFormat, Value, ValueKind};
use lincah::data::writer::{Destination, OutputColumn, OutputFormat, RecordWriter};
use proptest::prelude::*;

use crate::{read, text};

/// Reads to the end or to the first error; the rows read are consistent.
fn read_through(bytes: &[u8], format: Option<RecordFormat>) {
    let options = ReadOptions { format, ..ReadOptions::default() };
    match read(bytes, &options) {
        Ok(records) => {
            assert!(!records.is_empty());
            for (index, record) in records.iter().enumerate() {
                assert_eq!(record.place.row, index as u64 + 1);
                assert_eq!(record.values.len(), record.columns.len());
            }
        }
        Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
    }
}

/// A Parquet file of a few columns and rows.
fn parquet_file() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows");
    let columns = vec![
        OutputColumn::new("text", ValueKind::Text),
        OutputColumn::new("count", ValueKind::Integer),
        OutputColumn::new("score", ValueKind::Number),
        OutputColumn::new("flag", ValueKind::Boolean),
        OutputColumn::new("tags", ValueKind::List),
    ];
    let mut writer = RecordWriter::create(Destination::File(path.clone()), OutputFormat::Parquet, columns).unwrap();
    let tags = |count: i64| Value::List((0..count).map(|tag| format!("tag {tag}")).collect());
    for index in 0..50 {
        let words = if index % 7 == 0 { Value::Missing } else { text(&format!("row {}", index % 9)) };
        writer
            .write(vec![words, Value::Integer(index), Value::Number(0.5), Value::Boolean(index % 2 == 0), tags(index % 4)])
            .unwrap();
    }
    writer.finish().unwrap();
    std::fs::read(path).unwrap()
}

proptest! {
    #[test]
    fn bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let formats = [RecordFormat::Delimited, RecordFormat::Json, RecordFormat::Parquet, RecordFormat::PlainText];
        for format in [None].into_iter().chain(formats.map(Some)) {
            read_through(&bytes, format);
        }
    }

    #[test]
    fn nearly_delimited(content in "([a-c \",;|\t\r\n]|\u{feff}){0,120}") {
        read_through(content.as_bytes(), Some(RecordFormat::Delimited));
    }

    #[test]
    fn nearly_json(content in "([{}\\[\\]\":,a0-9.eE\\\\ \n-]|\"a\"|null|true|\\{\"a\":){0,60}") {
        read_through(content.as_bytes(), Some(RecordFormat::Json));
    }

    #[test]
    fn damaged_parquet(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in prop::option::of(any::<prop::sample::Index>())) {
        let mut bytes = parquet_file();
        for (index, value) in changes {
            let length = bytes.len();
            bytes[index.index(length)] = value;
        }
        if let Some(cut) = cut {
            // The footer is at the end, so cut in the middle.
            let at = cut.index(bytes.len());
            bytes.drain(at..(at + 16).min(bytes.len()));
        }
        read_through(&bytes, Some(RecordFormat::Parquet));
    }
}
