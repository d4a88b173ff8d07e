//! Any bytes, read as records in each format: they end in rows or in an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lincah::data::records::{ReadOptions, RecordFormat, RecordReader};

fuzz_target!(|input: &[u8]| {
    let Some((&choice, bytes)) = input.split_first() else { return };
    let format = match choice % 5 {
        0 => Some(RecordFormat::Delimited),
        1 => Some(RecordFormat::Json),
        2 => Some(RecordFormat::Parquet),
        3 => Some(RecordFormat::PlainText),
        _ => None,
    };
    let options = ReadOptions { format, ..ReadOptions::default() };
    let Ok(reader) = RecordReader::from_reader("input", Box::new(std::io::Cursor::new(bytes.to_vec())), &options) else { return };
    for record in reader {
        let Ok(record) = record else { return };
        assert_eq!(record.values.len(), record.columns.len());
    }
});
