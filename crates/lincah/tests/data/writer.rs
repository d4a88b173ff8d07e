use std::io::{self, Write};
use std::path::PathBuf;

use lincah::data::DataError;
use lincah::data::records::{Value, ValueKind};
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
