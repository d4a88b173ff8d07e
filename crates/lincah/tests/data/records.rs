use lincah::data::records::{ReadOptions, RecordFormat, RecordReader, Value, ValueKind};
use lincah::data::writer::{Destination, OutputColumn, OutputFormat, RecordWriter};
use proptest::prelude::*;
use std::io::Write;

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

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn plain_text_is_a_row_per_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    std::fs::write(&path, "\u{feff}one, \"two\"\r\n\n {\"three\": 3}\nfour").unwrap();
    let reader = RecordReader::open(&path, &columns(&["text"])).unwrap();
    assert_eq!(reader.columns(), ["text"]);
    let records: Vec<_> = reader.map(Result::unwrap).collect();
    let found: Vec<_> = records.iter().map(|record| (record.place.row, record.place.line, record.values[0].clone())).collect();
    let expected = [text("one, \"two\""), Value::Missing, text(" {\"three\": 3}"), text("four")]
        .into_iter()
        .zip(1..)
        .map(|(value, row)| (row, Some(row), value));
    assert_eq!(found, expected.collect::<Vec<_>>());
    let missing = crate::message(RecordReader::open(&path, &columns(&["comment"]))).replace(path.to_str().unwrap(), "a.txt");
    assert_eq!(missing, "a.txt has no column `comment`; its columns are `text`");
    std::fs::write(&path, "text:label\none:a\n").unwrap();
    let with_delimiter = ReadOptions { delimiter: Some(':'), ..columns(&["label"]) };
    assert_eq!(RecordReader::open(&path, &with_delimiter).unwrap().next().unwrap().unwrap().values, [text("a")]);
}

#[test]
fn every_text_format_is_read_from_gzip() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("a.csv.gz", "t,u\n{x,y\n"),
        ("a.tsv.gz", "t\tu\n{x\ty\n"),
        ("a.jsonl.gz", "{\"t\":\"{x\"}"),
        ("A.CSV.GZ", "t,u\n{x,y\n"),
        ("a", "t\n{x"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, gzip(content.as_bytes())).unwrap();
        let found: Vec<_> = RecordReader::open(&path, &columns(&["t"])).unwrap().map(|record| record.unwrap().values).collect();
        assert_eq!(found, [[text("{x")]], "{name}");
        assert_eq!(values(&gzip(content.as_bytes()), &columns(&["t"])), [[text("{x")]], "{name} as a stream");
    }
    let path = folder.path().join("a.txt.gz");
    // Two members one after the other, as `cat` makes them.
    std::fs::write(&path, [gzip(b"one\n"), gzip(b"two\n")].concat()).unwrap();
    let found: Vec<_> = RecordReader::open(&path, &columns(&["text"])).unwrap().map(|record| record.unwrap().values).collect();
    assert_eq!(found, [[text("one")], [text("two")]]);
}

#[test]
fn a_gzip_bomb_is_read_row_by_row() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"t\n").unwrap();
    let rows = b"a\n".repeat(1 << 20);
    (0..32).for_each(|_| encoder.write_all(&rows).unwrap());
    let reader = RecordReader::from_reader("data", Box::new(std::io::Cursor::new(encoder.finish().unwrap())), &columns(&["t"]));
    assert_eq!(reader.unwrap().take(100_000).filter(Result::is_ok).count(), 100_000);
    let line = [b"t\n".as_slice(), &vec![b'a'; (64 << 20) + 2]].concat();
    let found = crate::message(read(&gzip(&line), &columns(&["t"])));
    assert_eq!(found, "data, row 1 (line 2) is longer than 67108864 bytes: is a quote or a line left open?");
}

#[test]
fn lists_of_texts_are_read() {
    let json = b"{\"t\":[\"a\",\"b;c\"]}\n{\"t\":[]}\n{\"t\":null}\n";
    let list = |texts: &[&str]| Value::List(texts.iter().map(ToString::to_string).collect());
    assert_eq!(values(json, &ReadOptions::default()), [[list(&["a", "b;c"])], [list(&[])], [Value::Missing]]);
    let reader = RecordReader::from_reader("data", Box::new(&json[..]), &ReadOptions::default()).unwrap();
    assert_eq!(reader.kinds(), [ValueKind::List]);
}

#[test]
fn all_columns_follow_those_that_were_named() {
    let options = ReadOptions { and_all: true, ..columns(&["b"]) };
    assert_eq!(values(b"a,b\n1,2\n", &options), [[text("2"), text("1"), text("2")]]);
    let json = b"{\"a\":1,\"b\":[\"x\"]}\n{\"b\":[\"y\"],\"a\":0.5}\n";
    let list = |name: &str| Value::List(vec![name.to_owned()]);
    let expected = [[list("x"), Value::Integer(1), list("x")], [list("y"), Value::Number(0.5), list("y")]];
    assert_eq!(values(json, &options), expected);
    let new_key = crate::message(read(b"{\"b\":1}\n{\"b\":1,\"c\":2}\n", &options));
    assert!(new_key.starts_with("data, row 2 (line 2) has the key `c`"), "{new_key}");
}

#[test]
#[cfg(unix)]
fn a_named_pipe_is_opened_once() {
    let folder = tempfile::tempdir().unwrap();
    let parquet = folder.path().join("rows.parquet");
    let column = vec![OutputColumn::new("t", ValueKind::Text)];
    let mut writer = RecordWriter::create(Destination::File(parquet.clone()), OutputFormat::Parquet, column).unwrap();
    writer.write(vec![text("x")]).unwrap();
    writer.finish().unwrap();
    for (name, content) in
        [("a", b"t,u\nx,y\n".to_vec()), ("a.csv", b"t,u\nx,y\n".to_vec()), ("b", std::fs::read(&parquet).unwrap())]
    {
        let pipe = folder.path().join(format!("pipe-{name}"));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let path = pipe.clone();
        let writing = std::thread::spawn(move || std::fs::write(path, content).unwrap());
        let options = ReadOptions { and_all: true, ..columns(&["t"]) };
        let records: Vec<_> = RecordReader::open(&pipe, &options).unwrap().map(Result::unwrap).collect();
        assert_eq!((records.len(), &records[0].values[..2]), (1, &[text("x"), text("x")][..]), "{name}");
        writing.join().unwrap();
    }
}

/// Ten thousand doubles of every size.
fn doubles() -> Vec<f64> {
    let mut bits: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut next = || {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bits
    };
    let small = [0.030_715_352_765_850_846, 0.1, 1e-320, f64::MAX, f64::MIN_POSITIVE, -0.0, 1e22, 9e15];
    let random = std::iter::repeat_with(|| f64::from_bits(next())).filter(|value| value.is_finite());
    let fractions = (1..5000).map(|index| f64::from(index) / 7919.0);
    small.into_iter().chain(fractions).chain(random).take(10_000).collect()
}

#[test]
fn ten_thousand_doubles_come_back_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    for (format, name) in
        [(OutputFormat::JsonLines, "a.jsonl"), (OutputFormat::Parquet, "a.parquet"), (OutputFormat::Csv, "a.csv")]
    {
        let path = folder.path().join(name);
        let column = vec![OutputColumn::new("n", ValueKind::Number)];
        let mut writer = RecordWriter::create(Destination::File(path.clone()), format, column).unwrap();
        doubles().into_iter().for_each(|value| writer.write(vec![Value::Number(value)]).unwrap());
        writer.finish().unwrap();
        let bits = |value: &Value| match value {
            Value::Number(value) => value.to_bits(),
            value => value.to_string().parse::<f64>().unwrap().to_bits(),
        };
        let found: Vec<u64> =
            RecordReader::open(&path, &ReadOptions::default()).unwrap().map(|record| bits(&record.unwrap().values[0])).collect();
        assert_eq!(found, doubles().iter().map(|value| value.to_bits()).collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn cells_of_csv_stay_what_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let cells = ["007", "12345678901234567890", "0.030715352765850846", "1e5", " x ", "TRUE"];
    let rows = values(format!("id,t\n{}\n", cells.map(|cell| format!("{cell},t")).join("\n")).as_bytes(), &columns(&["id"]));
    for (format, name) in [(OutputFormat::JsonLines, "a.jsonl"), (OutputFormat::Csv, "a.csv"), (OutputFormat::Tsv, "a.tsv.gz")] {
        let path = folder.path().join(name);
        let column = vec![OutputColumn::new("id", ValueKind::Text)];
        let mut writer = RecordWriter::create(Destination::File(path.clone()), format, column).unwrap();
        rows.iter().for_each(|row| writer.write(row.clone()).unwrap());
        writer.finish().unwrap();
        let found: Vec<_> =
            RecordReader::open(&path, &ReadOptions::default()).unwrap().map(|record| record.unwrap().values[0].clone()).collect();
        assert_eq!(found, cells.map(text), "{name}");
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
