//! Every bad file with the exact message it ends in.

use std::path::Path;
use std::sync::Arc;

use lincah::data::records::{MAX_RECORD_BYTES, ReadOptions, RecordFormat, RecordReader};
use parquet::data_type::{ByteArray, ByteArrayType, Int32Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use crate::{columns, message, read};

fn failure(bytes: &[u8], options: &ReadOptions) -> String {
    message(read(bytes, options))
}

#[test]
fn missing_file() {
    let opened = RecordReader::open(Path::new("no/such/file.csv"), &ReadOptions::default());
    assert_eq!(message(opened), "there is no file no/such/file.csv: check the path");
}

#[test]
fn a_folder_is_no_file() {
    let found = message(RecordReader::open(Path::new("src"), &ReadOptions::default()));
    assert!(found.starts_with("cannot read src: "), "{found}");
}

#[test]
fn empty_files() {
    let expected = "data is empty: give a file with a header and at least one row";
    for bytes in [&b""[..], b"\n\r\n", b"\xef\xbb\xbf"] {
        for format in [None, Some(RecordFormat::Delimited), Some(RecordFormat::Json)] {
            let options = ReadOptions { format, ..ReadOptions::default() };
            assert_eq!(failure(bytes, &options), expected, "{bytes:?} as {format:?}");
        }
    }
    assert_eq!(failure(b"[]", &ReadOptions::default()), expected);
}

#[test]
fn header_only() {
    let expected = "data has columns (`text`, `label`) but no rows: give a file with at least one row";
    assert_eq!(failure(b"text,label\n", &ReadOptions::default()), expected);
}

#[test]
fn missing_column() {
    assert_eq!(failure(b"id;comment\n1;x\n", &columns(&["text"])), "data has no column `text`; its columns are `id`, `comment`");
    assert_eq!(
        failure(b"{\"id\": 1, \"comment\": \"x\"}\n", &columns(&["text"])),
        "data has no column `text`; its columns are `id`, `comment`"
    );
}

#[test]
fn missing_column_because_of_the_delimiter() {
    let options = ReadOptions { delimiter: Some(','), ..columns(&["comment"]) };
    assert_eq!(
        failure(b"comment;isHate\nx;1\n", &options),
        "data has no column `comment`; its columns are `comment;isHate`: did you mean --delimiter ';'?"
    );
    assert_eq!(
        failure(b"comment^isHate\nx^1\n", &columns(&["comment"])),
        "data has no column `comment`; its columns are `comment^isHate`: did you mean --delimiter '^'?"
    );
}

#[test]
fn many_columns_are_not_all_listed() {
    let names: Vec<String> = (0..10_000).map(|index| format!("c{index}")).collect();
    let found = failure(format!("{}\n", names.join(",")).as_bytes(), &columns(&["text"]));
    assert!(found.ends_with("`c18`, `c19` and 9980 more"), "{found}");
}

#[test]
fn bad_delimiter() {
    let options = ReadOptions { delimiter: Some('"'), ..ReadOptions::default() };
    assert_eq!(
        failure(b"a,b\n1,2\n", &options),
        "the delimiter cannot be '\"': give one ASCII character that is no quote and no end of line"
    );
}

#[test]
fn duplicate_columns() {
    assert_eq!(failure(b"a,b,a\n1,2,3\n", &ReadOptions::default()), "data has two columns named `a`: rename one of them");
}

#[test]
fn ragged_rows() {
    assert_eq!(
        failure(b"text,label\none,a\ntwo,three,b\nfour,a\nfive,a\n", &ReadOptions::default()),
        "data, row 2 (line 3) has 3 fields where the header has 2: quote fields that contain the delimiter ',', \
         or choose another with --delimiter"
    );
    assert!(failure(b"text,label\none,a\n\ntwo\n", &ReadOptions::default()).starts_with("data, row 2 (line 4) has 1 fields"));
}

#[test]
fn open_quote() {
    let expected =
        "data, row 2 (line 3): the quote opened on line 3 is never closed: close it, or double each quote inside a quoted field";
    assert_eq!(failure(b"text,label\none,a\n\"two,b\nthree,c\n", &ReadOptions::default()), expected);
    let expected =
        "data, row 1 (line 2): the quote opened on line 3 is never closed: close it, or double each quote inside a quoted field";
    assert_eq!(failure(b"text,label\n\"one\nmore\",\"a", &ReadOptions::default()), expected);
}

#[test]
fn a_record_without_end() {
    let mut bytes = b"text,label\none,a\n\"".to_vec();
    bytes.resize(bytes.len() + MAX_RECORD_BYTES as usize + 1, b'x');
    let expected = "data, row 2 (line 3) is longer than 67108864 bytes: is a quote or a line left open?";
    assert_eq!(failure(&bytes, &ReadOptions::default()), expected);
    let mut bytes = b"{\"a\": 1}\n{\"a\": \"".to_vec();
    bytes.resize(bytes.len() + MAX_RECORD_BYTES as usize + 1, b'x');
    let expected = "data, row 2 (line 2) is longer than 67108864 bytes: is a quote or a line left open?";
    assert_eq!(failure(&bytes, &ReadOptions::default()), expected);
}

#[test]
fn invalid_utf8() {
    assert_eq!(
        failure(b"text,label\none,a\ncaf\xe9,b\n", &ReadOptions::default()),
        "data, row 2 (line 3): column `text` is not UTF-8: save the file as UTF-8"
    );
    assert_eq!(
        failure(b"text,caf\xe9\none,a\n", &ReadOptions::default()),
        "data, header (line 1): the name of column 2 is not UTF-8: save the file as UTF-8"
    );
    assert_eq!(
        failure(b"{\"a\": 1}\n{\"a\": \"\xff\"}\n", &ReadOptions::default()),
        "data, row 2 (line 2): byte 8 of the line is not UTF-8: save the file as UTF-8"
    );
}

#[test]
fn not_text_at_all() {
    let csv = ReadOptions { format: Some(RecordFormat::Delimited), ..ReadOptions::default() };
    let expected = |found| format!("data is {found}: give UTF-8 text (CSV, TSV, JSON Lines) or Parquet");
    assert_eq!(failure(b"\xff\xfea\0,\0b\0\n\0", &ReadOptions::default()), expected("text in UTF-16"));
    assert_eq!(failure(&b"text\none\ntwo\n".map(|byte| [byte, 0]).concat(), &csv), expected("text in UTF-16"));
    assert_eq!(failure(&b"text\none\ntwo\n".map(|byte| [0, byte]).concat(), &csv), expected("text in UTF-16"));
    assert_eq!(failure(b"\x28\xb5\x2f\xfd\x04\x00", &csv), expected("compressed with Zstandard"));
    assert_eq!(failure(b"PK\x03\x04\x14\x00", &csv), expected("a zip archive or an Excel workbook"));
    assert_eq!(failure(b"PAR1\x15\x04", &csv), expected("a Parquet file under another name"));
}

#[test]
fn bad_json() {
    assert_eq!(
        failure(b"{\"a\": 1}\n{\"a\": nope}\n", &ReadOptions::default()),
        "data, line 2 is not valid JSON: expected ident at line 1 column 8"
    );
    assert_eq!(
        failure(b"[{\"a\": 1},\n{\"a\": }]", &ReadOptions::default()),
        "data, line 2 is not valid JSON: expected value at line 2 column 7"
    );
    assert_eq!(
        failure(b"{\"a\": 1}\n[1]\n", &ReadOptions::default()),
        "data, row 2 (line 2) is not a JSON object: each must be like {\"text\": \"…\", \"label\": \"…\"}"
    );
    assert_eq!(
        failure(b"{\"a\": 1}\n{\"a\": [1]}\n", &ReadOptions::default()),
        "data, row 2 (line 2), column `a` holds an array of something else than texts: \
         text, numbers, booleans and lists of texts can be read"
    );
    assert_eq!(
        failure(b"{\"a\": 1}\n{\"a\": 1, \"b\": 2}\n", &ReadOptions::default()),
        "data, row 2 (line 2) has the key `b`, which the first row does not have: name the columns to read"
    );
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(
        failure(nested.as_bytes(), &ReadOptions::default()),
        "data, line 1 is not valid JSON: recursion limit exceeded at line 1 column 128"
    );
}

#[test]
fn whole_numbers_that_would_lose_digits() {
    let expected = |place: &str, found: &str| {
        format!(
            "data, {place}, column `id`: the whole number {found} is beyond 64 bits and would lose digits: write it as text, in quotes"
        )
    };
    let fails = |json: &str| failure(format!("{{\"id\": 1}}\n{json}\n").as_bytes(), &columns(&["id"]));
    assert_eq!(fails("{\"id\": 12345678901234567890}"), expected("row 2 (line 2)", "12345678901234567890"));
    assert_eq!(fails("{\"id\": -12345678901234567890}"), expected("row 2 (line 2)", "-1.2345678901234567e+19"));
    assert_eq!(fails("{\"id\": 123456789012345678901234567890}"), expected("row 2 (line 2)", "1.2345678901234568e+29"));
    let array = failure(b"[{\"id\": 12345678901234567890}]", &columns(&["id"]));
    assert_eq!(array, expected("row 1", "12345678901234567890"));
    // Those that are not read, that stand in text, or that are no whole numbers, are no matter.
    for fine in [
        "{\"id\": 1, \"n\": 12345678901234567890}",
        "{\"id\": 1e300, \"t\": \"12345678901234567890 \\\" 12345678901234567890\"}",
        "{\"id\": 9223372036854775807}",
        "{\"id\": -9223372036854775808}",
        "{\"id\": 12345678901234567890.5}",
    ] {
        assert_eq!(read(format!("{fine}\n").as_bytes(), &columns(&["id"])).unwrap().len(), 1, "{fine}");
    }
}

#[test]
fn damaged_gzip() {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writeln!(encoder, "a,b").unwrap();
    (0..9000).for_each(|row| writeln!(encoder, "{row},{}", row * row % 977).unwrap());
    let whole = encoder.finish().unwrap();
    for damaged in [&whole[..whole.len() / 2], &whole[..whole.len() - 3], &whole[..5]] {
        let found = failure(damaged, &ReadOptions::default());
        assert!(found.starts_with("cannot read data: its gzip compression is damaged or cut short ("), "{found}");
    }
    let mut twice = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    twice.write_all(&whole).unwrap();
    let twice = failure(&twice.finish().unwrap(), &ReadOptions::default());
    assert_eq!(twice, "data is compressed with gzip twice: give UTF-8 text (CSV, TSV, JSON Lines) or Parquet");
}

#[test]
fn not_parquet() {
    let options = ReadOptions { format: Some(RecordFormat::Parquet), ..ReadOptions::default() };
    let expected = "cannot read data as Parquet: is the file whole?: Parquet error: Invalid Parquet file. Corrupt footer";
    assert_eq!(failure(b"text,label\none,a\n", &options), expected);
}

#[test]
fn a_parquet_file_cut_short() {
    let file = awkward_parquet();
    let found = failure(&file[..file.len() - 20], &columns(&["text"]));
    assert_eq!(found, "cannot read data as Parquet: is the file whole?: Parquet error: Invalid Parquet file. Corrupt footer");
    let without_start = [b"PAR1", &file[24..]].concat();
    let found = failure(&without_start, &columns(&["text"]));
    assert!(found.starts_with("cannot read data as Parquet: is the file whole?: "), "{found}");
}

/// A Parquet file of one row with a decimal, a binary and a list column.
fn awkward_parquet() -> Vec<u8> {
    let schema = "message rows { required int32 price (decimal(9, 2)); required binary raw; required binary text (utf8); repeated int32 many; }";
    let mut bytes = Vec::new();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut file = SerializedFileWriter::new(&mut bytes, schema, Arc::default()).unwrap();
    let mut group = file.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int32Type>().write_batch(&[1], None, None).unwrap();
    column.close().unwrap();
    for _ in 0..2 {
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&[ByteArray::from(vec![0xff])], None, None).unwrap();
        column.close().unwrap();
    }
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int32Type>().write_batch(&[1], Some(&[1]), Some(&[0])).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    file.close().unwrap();
    bytes
}

#[test]
fn parquet_columns_that_cannot_be_read() {
    let file = awkward_parquet();
    let unsupported = |column: &str, found| {
        format!("data, column `{column}` holds {found}: text, numbers, booleans and lists of texts can be read")
    };
    let price = failure(&file, &columns(&["price"]));
    assert!(price.starts_with("data, column `price` holds INT32 values of type Decimal"), "{price}");
    assert_eq!(failure(&file, &columns(&["raw"])), unsupported("raw", "BYTE_ARRAY values"));
    assert_eq!(failure(&file, &columns(&["many"])), unsupported("many", "nested or repeated values"));
    assert_eq!(failure(&file, &columns(&["text"])), "data, row 1: column `text` is not UTF-8: save the file as UTF-8");
    assert_eq!(
        failure(&file, &columns(&["label"])),
        "data has no column `label`; its columns are `price`, `raw`, `text`, `many`"
    );
}

#[test]
fn after_an_error_the_reader_ends() {
    let bytes: &[u8] = b"text,label\none\ntwo,b\n";
    let mut reader = RecordReader::from_reader("data", Box::new(bytes), &ReadOptions::default()).unwrap();
    assert!(reader.next().unwrap().is_err());
    assert!(reader.next().is_none());
}
