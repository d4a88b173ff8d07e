use std::io::{self, Write};
use std::path::PathBuf;

use lincah::data::DataError;
use lincah::data::records::{ReadOptions, RecordReader, Value, ValueKind};
use lincah::data::writer::{Destination, OutputColumn, OutputFormat, RecordWriter};

use crate::{message, text};

fn columns() -> Vec<OutputColumn> {
    vec![
        OutputColumn::new("text", ValueKind::Text),
        OutputColumn::new("label", ValueKind::Text),
        OutputColumn::in_group("scores", "no", ValueKind::Number),
        OutputColumn::in_group("scores", "yes", ValueKind::Number),
        OutputColumn::new("cut", ValueKind::Boolean),
    ]
}

fn row(words: &str) -> Vec<Value> {
    vec![text(words), Value::Missing, Value::Number(0.25), Value::Number(f64::NAN), Value::Boolean(true)]
}

fn written(format: OutputFormat) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    std::fs::write(&path, "what was there before").unwrap();
    let mut writer = RecordWriter::create(Destination::File(path.clone()), format, columns()).unwrap();
    writer.write(row("a, \"b\"\nc")).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "what was there before");
    writer.finish().unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    std::fs::read_to_string(&path).unwrap()
}

#[test]
fn json_lines_nest_groups() {
    let expected = "{\"text\":\"a, \\\"b\\\"\\nc\",\"label\":null,\"scores\":{\"no\":0.25,\"yes\":null},\"cut\":true}\n";
    assert_eq!(written(OutputFormat::JsonLines), expected);
}

#[test]
fn csv_is_quoted_where_needed() {
    assert_eq!(written(OutputFormat::Csv), "text,label,scores_no,scores_yes,cut\n\"a, \"\"b\"\"\nc\",,0.25,NaN,true\n");
}

/// The columns of predictions of independent labels.
fn prediction_columns() -> Vec<OutputColumn> {
    vec![
        OutputColumn::new("labels", ValueKind::List),
        OutputColumn::in_group("scores", "rude", ValueKind::Number),
        OutputColumn::in_group("scores", "a;b", ValueKind::Number),
        OutputColumn::new("decision", ValueKind::List),
        OutputColumn::new("review", ValueKind::Boolean),
        OutputColumn::new("truncated_characters", ValueKind::Integer),
        OutputColumn::new("reason", ValueKind::Text),
    ]
}

fn prediction_rows() -> Vec<Vec<Value>> {
    let list = |labels: &[&str]| Value::List(labels.iter().map(ToString::to_string).collect());
    let row = |labels, rude, other, decision, review| {
        vec![
            labels,
            Value::Number(rude),
            Value::Number(other),
            decision,
            Value::Boolean(review),
            Value::Integer(0),
            Value::Missing,
        ]
    };
    let mut unusable = vec![Value::Missing; 6];
    unusable.push(text("the text is empty"));
    vec![
        row(list(&["rude", "off-topic"]), 0.75, 0.5, list(&["rude"]), false),
        row(list(&[]), 0.25, 0.125, Value::Missing, true),
        unusable,
    ]
}

fn write_predictions(path: &std::path::Path) {
    let format = OutputFormat::of_path(path).unwrap();
    let mut writer = RecordWriter::create(Destination::File(path.to_owned()), format, prediction_columns()).unwrap();
    prediction_rows().into_iter().for_each(|row| writer.write(row).unwrap());
    writer.finish().unwrap();
}

#[test]
fn predictions_and_rows_without_one_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("p.jsonl");
    write_predictions(&json);
    let expected = "{\"labels\":[\"rude\",\"off-topic\"],\"scores\":{\"rude\":0.75,\"a;b\":0.5},\"decision\":[\"rude\"],\"review\":false,\"truncated_characters\":0,\"reason\":null}\n\
        {\"labels\":[],\"scores\":{\"rude\":0.25,\"a;b\":0.125},\"decision\":null,\"review\":true,\"truncated_characters\":0,\"reason\":null}\n\
        {\"labels\":null,\"scores\":{\"rude\":null,\"a;b\":null},\"decision\":null,\"review\":null,\"truncated_characters\":null,\"reason\":\"the text is empty\"}\n";
    assert_eq!(std::fs::read_to_string(json).unwrap(), expected);
    let csv = folder.path().join("p.csv");
    write_predictions(&csv);
    let expected = "labels,scores_rude,scores_a;b,decision,review,truncated_characters,reason\n\
        rude;off-topic,0.75,0.5,rude,false,0,\n,0.25,0.125,,true,0,\n,,,,,,the text is empty\n";
    assert_eq!(std::fs::read_to_string(csv).unwrap(), expected);
    let parquet = folder.path().join("p.parquet");
    write_predictions(&parquet);
    let reader = RecordReader::open(&parquet, &ReadOptions::default()).unwrap();
    assert_eq!(reader.kinds()[..2], [ValueKind::List, ValueKind::Number]);
    assert_eq!(reader.map(|record| record.unwrap().values).collect::<Vec<_>>(), prediction_rows());
}

#[test]
fn a_separator_in_a_label_is_refused_where_lists_are_cells() {
    let expected = "the label `a;b` contains `;`, which stands between labels in CSV: write JSON Lines or Parquet, or rename it";
    for format in [OutputFormat::Csv, OutputFormat::Tsv, OutputFormat::JsonLines] {
        let columns = vec![OutputColumn::new("labels", ValueKind::List)];
        let mut writer = RecordWriter::to_stream("out", Box::new(io::sink()), format, columns).unwrap();
        let written = writer.write(vec![Value::List(vec!["c".to_owned(), "a;b".to_owned()])]);
        let checked = format.check_list(&["c".to_owned(), "a;b".to_owned()]);
        if format == OutputFormat::JsonLines {
            assert!(written.is_ok() && checked.is_ok());
        } else {
            assert_eq!((message(written), message(checked)), (expected.to_owned(), expected.to_owned()));
        }
    }
}

#[test]
fn the_name_says_format_and_compression() {
    let of = |name: &str| OutputFormat::of_path(name.as_ref());
    for name in ["a.jsonl", "a.ndjson", "a.JSON", "x/a.jsonl.gz"] {
        assert_eq!(of(name), Some(OutputFormat::JsonLines), "{name}");
    }
    assert_eq!(
        (of("a.csv"), of("a.csv.GZ"), of("a.tsv")),
        (Some(OutputFormat::Csv), Some(OutputFormat::Csv), Some(OutputFormat::Tsv))
    );
    assert_eq!((of("a.b.parquet"), of("a.parquet.gz"), of("a.txt"), of("csv")), (Some(OutputFormat::Parquet), None, None, None));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.jsonl.gz");
    write_predictions(&path);
    assert_eq!(std::fs::read(&path).unwrap()[..2], [0x1f, 0x8b]);
    let labels: Vec<Value> = RecordReader::open(&path, &crate::columns(&["labels"]))
        .unwrap()
        .map(|record| record.unwrap().values[0].clone())
        .collect();
    assert_eq!(labels, prediction_rows().into_iter().map(|row| row[0].clone()).collect::<Vec<_>>());
    let refused = message(RecordWriter::create(Destination::File("a.gz".into()), OutputFormat::Parquet, columns()));
    assert_eq!(refused, "a.gz cannot be Parquet inside gzip: leave .gz out of its name");
}

#[test]
fn dropped_unfinished_it_leaves_nothing() {
    for format in [OutputFormat::JsonLines, OutputFormat::Csv, OutputFormat::Parquet] {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = RecordWriter::create(Destination::File(folder.path().join("out")), format, columns()).unwrap();
        writer.write(row("x")).unwrap();
        drop(writer);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
#[cfg(unix)]
fn the_file_has_the_usual_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (ours, usual) = (folder.path().join("ours"), folder.path().join("usual"));
    RecordWriter::create(Destination::File(ours.clone()), OutputFormat::Csv, columns()).unwrap().finish().unwrap();
    std::fs::write(&usual, "").unwrap();
    let mode = |path: PathBuf| path.metadata().unwrap().permissions().mode();
    assert_eq!(mode(ours), mode(usual));
}

#[test]
fn parquet_needs_a_file() {
    assert_eq!(
        message(RecordWriter::create(Destination::Stdout, OutputFormat::Parquet, columns())),
        "Parquet cannot be written to standard output: name a file with --out"
    );
}

#[test]
fn column_names_must_differ() {
    for clash in [OutputColumn::new("label", ValueKind::Text), OutputColumn::new("scores", ValueKind::Text)] {
        let name = clash.name.clone();
        let all = [columns(), vec![clash]].concat();
        let created = RecordWriter::to_stream("out", Box::new(io::sink()), OutputFormat::Csv, all);
        assert_eq!(message(created), format!("out has two columns named `{name}`: rename one of them"));
    }
}

#[test]
fn parquet_values_must_fit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let columns = vec![OutputColumn::new("id", ValueKind::Integer), OutputColumn::new("note", ValueKind::Text)];
    let mut writer = RecordWriter::create(Destination::File(path.clone()), OutputFormat::Parquet, columns).unwrap();
    writer.write(vec![Value::Integer(1), Value::Number(0.5)]).unwrap();
    assert_eq!(
        message(writer.write(vec![Value::Number(1.5), Value::Missing])),
        format!("cannot write row 2 of {}: 1.5 does not fit the integer column `id`", path.display())
    );
}

#[test]
fn a_missing_folder() {
    let found = message(RecordWriter::create(Destination::File("no/such/out.csv".into()), OutputFormat::Csv, columns()));
    assert!(found.starts_with("cannot write no/such/out.csv: "), "{found}");
}

/// A stream that takes `left` bytes and then fails.
struct Failing {
    left: usize,
    kind: io::ErrorKind,
}

impl Write for Failing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.left);
        self.left -= count;
        if count == 0 { Err(self.kind.into()) } else { Ok(count) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn failure(format: OutputFormat, kind: io::ErrorKind) -> DataError {
    let stream = Failing { left: 100, kind };
    let mut writer = RecordWriter::to_stream("out", Box::new(stream), format, columns()).unwrap();
    let outcome = (0..20_000).try_for_each(|_| writer.write(row("some words")));
    outcome.and_then(|()| writer.finish()).expect_err("100 bytes are too few")
}

#[test]
fn a_reader_that_went_away_is_told_apart() {
    for format in [OutputFormat::JsonLines, OutputFormat::Csv, OutputFormat::Parquet] {
        let error = failure(format, io::ErrorKind::BrokenPipe);
        assert!(error.is_broken_pipe());
        assert_eq!(error.to_string(), "the reader of out closed it");
    }
}

#[test]
fn a_full_disk() {
    for format in [OutputFormat::JsonLines, OutputFormat::Csv, OutputFormat::Parquet] {
        let error = failure(format, io::ErrorKind::StorageFull);
        assert!(!error.is_broken_pipe());
        assert_eq!(error.to_string(), "the disk is full: cannot write out; free some space or write elsewhere");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_device_is_written_to_and_not_replaced() {
    let mut writer = RecordWriter::create(Destination::File("/dev/full".into()), OutputFormat::JsonLines, columns()).unwrap();
    assert_eq!(message(writer.write(row("x"))), "the disk is full: cannot write /dev/full; free some space or write elsewhere");
}

/// Hands every byte to the test at once.
struct Shared(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stream_gets_each_row_at_once() {
    for format in [OutputFormat::JsonLines, OutputFormat::Csv] {
        let bytes = std::sync::Arc::default();
        let mut writer =
            RecordWriter::to_stream("out", Box::new(Shared(std::sync::Arc::clone(&bytes))), format, columns()).unwrap();
        for rows in 1..4 {
            writer.write(row("x")).unwrap();
            let lines = bytes.lock().unwrap().iter().filter(|&&byte| byte == b'\n').count();
            assert_eq!(lines, rows + usize::from(format == OutputFormat::Csv));
        }
    }
}
