use lincah::data::records::{ReadOptions, RecordFormat, RecordReader, Value, ValueKind};
use lincah::data::writer::{Destination, OutputColumn, OutputFormat, RecordWriter};
use proptest::prelude::*;

use crate::{columns, read, text, values};

#[test]
fn the_delimiter_is_found() {
    let expected = vec![vec![text("1, 2; 3"), text("a")], vec![text("x"), text("b")]];
    for delimiter in [",", ";", "\t", "|"] {
        let file = format!("text{delimiter}label\n\"1, 2; 3\"{delimiter}a\nx{delimiter}b\n");
        assert_eq!(values(file.as_bytes(), &ReadOptions::default()), expected, "{delimiter:?}");
    }
}

#[test]
fn commas_in_unquoted_texts_do_not_hide_the_semicolon() {
    let file = b"comment, as written;isHate\nwell, well, well;0.0\nno;1.0\n\"one; two\nthree\";0.5\n";
    let expected = vec![
        vec![text("well, well, well"), text("0.0")],
        vec![text("no"), text("1.0")],
        vec![text("one; two\nthree"), text("0.5")],
    ];
    assert_eq!(values(file, &ReadOptions::default()), expected);
}

#[test]
fn one_column_is_not_split() {
    assert_eq!(values(b"text\nyes, indeed; or not\n", &ReadOptions::default()), vec![vec![text("yes, indeed; or not")]]);
}

#[test]
fn a_given_delimiter_is_taken() {
    let options = ReadOptions { delimiter: Some(':'), ..ReadOptions::default() };
    assert_eq!(values(b"a:b,c\n1:2,3\n", &options), vec![vec![text("1"), text("2,3")]]);
}

#[test]
fn byte_order_mark_quotes_and_line_ends() {
    let file = "\u{feff}text,label\r\n\"say \"\"no\"\"\",a\r\n\r\n\"two\r\nlines\",b\r\nlast,c";
    let records = read(file.as_bytes(), &ReadOptions::default()).unwrap();
    let found: Vec<_> = records.iter().map(|record| (record.place.row, record.place.line, record.values.clone())).collect();
    let expected = vec![
        (1, Some(2), vec![text("say \"no\""), text("a")]),
        (2, Some(4), vec![text("two\r\nlines"), text("b")]),
        (3, Some(6), vec![text("last"), text("c")]),
    ];
    assert_eq!(found, expected);
}

#[test]
fn columns_come_in_the_order_asked_for() {
    assert_eq!(
        values(b"a,b,c\n1,2,3\n4,,6\n", &columns(&["c", "b"])),
        vec![vec![text("3"), text("2")], vec![text("6"), Value::Missing]]
    );
    let json = b"{\"a\":1,\"b\":2}\n{\"b\":\"x\",\"new\":[]}\n";
    assert_eq!(
        values(json, &columns(&["b", "a", "b"])),
        vec![vec![Value::Integer(2), Value::Integer(1), Value::Integer(2)], vec![text("x"), Value::Missing, text("x")]]
    );
}

#[test]
fn json_lines_and_arrays() {
    let expected = vec![
        vec![text("é\n"), Value::Integer(1), Value::Boolean(true)],
        vec![Value::Missing, Value::Number(0.5), Value::Boolean(false)],
    ];
    let lines = b"\xef\xbb\xbf\n{\"t\":\"\\u00e9\\n\",\"n\":1,\"b\":true}\r\n\n{\"t\":null,\"n\":0.5,\"b\":false}";
    assert_eq!(values(lines, &ReadOptions::default()), expected);
    let array = b" [{\"t\":\"\\u00e9\\n\",\"n\":1,\"b\":true},\n{\"t\":null,\"n\":0.5,\"b\":false}]";
    assert_eq!(values(array, &ReadOptions::default()), expected);
    assert_eq!(read(lines, &ReadOptions::default()).unwrap()[1].place.line, Some(4));
}

#[test]
fn the_extension_says_the_format() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("a.csv", "t\n{x\n"),
        ("a.tsv", "t\tu\n{x\ty\n"),
        ("a.jsonl", "{\"t\":\"{x\"}"),
        ("a.NDJSON", "{\"t\":\"{x\"}"),
        ("a", "t\n{x"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let mut reader = RecordReader::open(&path, &columns(&["t"])).unwrap();
        assert_eq!(reader.next().unwrap().unwrap().values, vec![text("{x")], "{name}");
        assert!(reader.next().is_none());
    }
}

#[test]
fn parquet_round_trip_over_several_row_groups_from_file_and_stream() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    let columns = vec![
        OutputColumn::new("text", ValueKind::Text),
        OutputColumn::new("count", ValueKind::Integer),
        OutputColumn::in_group("scores", "yes", ValueKind::Number),
        OutputColumn::new("flag", ValueKind::Boolean),
    ];
    let row = |index: i64| match index % 5 {
        3 => vec![Value::Missing, Value::Missing, Value::Missing, Value::Missing],
        _ => vec![
            text(&format!("row {index} ü")),
            Value::Integer(-index),
            Value::Number(index as f64 / 7.0),
            Value::Boolean(index % 2 == 0),
        ],
    };
    let expected: Vec<_> = (0..20_000).map(row).collect();
    let mut writer = RecordWriter::create(Destination::File(path.clone()), OutputFormat::Parquet, columns).unwrap();
    expected.iter().for_each(|row| writer.write(row.clone()).unwrap());
    writer.finish().unwrap();

    let reader = RecordReader::open(&path, &ReadOptions::default()).unwrap();
    assert_eq!(reader.columns(), ["text", "count", "scores_yes", "flag"]);
    assert_eq!(reader.kinds(), [ValueKind::Text, ValueKind::Integer, ValueKind::Number, ValueKind::Boolean]);
    let records: Vec<_> = reader.map(Result::unwrap).collect();
    assert!(records.iter().map(|record| &record.values).eq(&expected));
    assert_eq!(records[19_999].place.row, 20_000);
    let bytes = std::fs::read(&path).unwrap();
    let flags: Vec<_> = values(&bytes, &crate::columns(&["flag"]));
    assert!(flags.iter().map(|row| &row[0]).eq(expected.iter().map(|row| &row[3])));
}

#[test]
fn a_megabyte_of_text_in_one_row() {
    let long = "word, \"\" and\n".repeat(90_000);
    let unquoted = long.replace("\"\"", "\"");
    let csv = format!("text,label\n\"{long}\",a\nshort,b\n");
    assert_eq!(
        values(csv.as_bytes(), &ReadOptions::default()),
        vec![vec![text(&unquoted), text("a")], vec![text("short"), text("b")]]
    );
    let json = serde_json::json!({ "text": long }).to_string();
    assert_eq!(values(json.as_bytes(), &ReadOptions::default()), vec![vec![text(&long)]]);
}

#[test]
fn ten_thousand_columns() {
    let names: Vec<String> = (0..10_000).map(|index| format!("column number {index}")).collect();
    let cells: Vec<String> = (0..10_000).map(|index| index.to_string()).collect();
    let csv = format!("{}\n{}\n", names.join(";"), cells.join(";"));
    let wanted = columns(&["column number 9999", "column number 7"]);
    assert_eq!(values(csv.as_bytes(), &wanted), vec![vec![text("9999"), text("7")]]);
    assert_eq!(values(csv.as_bytes(), &ReadOptions::default())[0].len(), 10_000);
}

/// Gives rows for ever; a reader that kept them would not come back from it.
struct Endless {
    row: &'static [u8],
    given: usize,
    header_done: bool,
}

impl std::io::Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let source: &[u8] = if self.header_done { self.row } else { b"{\"t\": 1}\n" };
        let count = buffer.len().min(source.len() - self.given);
        buffer[..count].copy_from_slice(&source[self.given..self.given + count]);
        self.given += count;
        if self.given == source.len() {
            (self.given, self.header_done) = (0, true);
        }
        Ok(count)
    }
}

#[test]
fn an_endless_stream_is_read_row_by_row() {
    for format in [RecordFormat::Json, RecordFormat::Delimited] {
        let endless = Endless { row: b"{\"t\": 1}\n", given: 0, header_done: false };
        let options = ReadOptions { format: Some(format), ..ReadOptions::default() };
        let reader = RecordReader::from_reader("data", Box::new(endless), &options).unwrap();
        assert_eq!(reader.take(100_000).filter(Result::is_ok).count(), 100_000);
    }
}

#[test]
fn a_json_row_is_given_before_the_next_one_is_there() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    std::io::Write::write_all(&mut writer, b"{\"t\": \"first\"}\n").unwrap();
    let mut records = RecordReader::from_reader("data", Box::new(reader), &ReadOptions::default()).unwrap();
    assert_eq!(records.next().unwrap().unwrap().values, vec![text("first")]);
    drop(writer);
    assert!(records.next().is_none());
}

proptest! {
    #[test]
    fn what_the_csv_and_json_writers_write_is_read_back(rows in prop::collection::vec(("[ -~\n\réß;,\"|\t]{1,30}", any::<i64>(), any::<bool>()), 1..20)) {
        let folder = tempfile::tempdir().unwrap();
        for format in [OutputFormat::JsonLines, OutputFormat::Csv] {
            let path = folder.path().join(if format == OutputFormat::Csv { "rows.csv" } else { "rows.jsonl" });
            let columns = vec![
                OutputColumn::new("text", ValueKind::Text),
                OutputColumn::new("number", ValueKind::Integer),
                OutputColumn::new("flag", ValueKind::Boolean),
            ];
            let mut writer = RecordWriter::create(Destination::File(path.clone()), format, columns).unwrap();
            for (words, number, flag) in &rows {
                writer.write(vec![text(words), Value::Integer(*number), Value::Boolean(*flag)]).unwrap();
            }
            writer.finish().unwrap();
            let found: Vec<Vec<String>> = RecordReader::open(&path, &ReadOptions::default())
                .unwrap()
                .map(|record| record.unwrap().values.iter().map(Value::to_string).collect())
                .collect();
            let expected: Vec<Vec<String>> =
                rows.iter().map(|(words, number, flag)| vec![words.clone(), number.to_string(), flag.to_string()]).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
