//! Writes rows as JSON Lines, CSV, TSV or Parquet, to standard output or to a file that appears only when it is whole. A file whose name ends
//! in `.gz` is compressed with gzip.
//!
//! ```
//! use lincah::data::records::{Value, ValueKind};
//! use lincah::data::writer::{Destination, OutputColumn, OutputFormat, RecordWriter};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("scores.jsonl");
//! let columns = vec![
//!     OutputColumn::new("label", ValueKind::Text),
//!     OutputColumn::in_group("scores", "civil", ValueKind::Number),
//!     OutputColumn::in_group("scores", "uncivil", ValueKind::Number),
//! ];
//! let mut writer = RecordWriter::create(Destination::File(path.clone()), OutputFormat::JsonLines, columns)?;
//! writer.write(vec![Value::Text("civil".into()), Value::Number(0.75), Value::Number(0.25)])?;
//! writer.finish()?;
//! assert_eq!(std::fs::read_to_string(&path)?, "{\"label\":\"civil\",\"scores\":{\"civil\":0.75,\"uncivil\":0.25}}\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod parquet;

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;
use lincah_model::new_file::NewFile;
use serde_json::{Map, Value as Json};

use super::error::DataError;
use super::place::{excerpt, shown};
use super::records::{LIST_SEPARATOR, Value, ValueKind};
use parquet::ParquetOutput;

/// A column of the output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputColumn {
    /// In JSON the object that the column is a key of; in the other formats it goes before the name: `scores_civil`.
    pub group: Option<String>,
    /// The name.
    pub name: String,
    /// The type; any value may be missing. Parquet holds to the type (any value can become text, a whole number can become a number);
    /// JSON and CSV write values as they are, CSV a list with [`LIST_SEPARATOR`] between its texts.
    pub kind: ValueKind,
    /// Left out of JSON where a row has no value.
    pub optional: bool,
    /// Whether its text is JSON, which JSON takes as it is.
    pub is_json: bool,
}

impl OutputColumn {
    /// A column of its own.
    pub fn new(name: &str, kind: ValueKind) -> Self {
        Self { group: None, name: name.to_owned(), kind, optional: false, is_json: false }
    }

    /// A column of a group.
    pub fn in_group(group: &str, name: &str, kind: ValueKind) -> Self {
        Self { group: Some(group.to_owned()), ..Self::new(name, kind) }
    }

    fn flat_name(&self) -> String {
        self.group.as_ref().map_or(self.name.clone(), |group| format!("{group}_{}", self.name))
    }
}

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// An object per line. A number that is not finite, and a missing value, are `null`.
    JsonLines,
    /// Comma-separated, with a header. A missing value and an empty list are empty cells.
    Csv,
    /// The same with tabs.
    Tsv,
    /// Apache Parquet, compressed with Snappy. Needs a file.
    Parquet,
}

impl OutputFormat {
    /// The format that a file's name asks for: `.jsonl`, `.ndjson` or `.json`, `.csv`, `.tsv`, also with `.gz` behind it, and `.parquet`.
    /// Nothing where it ends otherwise.
    pub fn of_path(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let plain = name.strip_suffix(".gz");
        match plain.unwrap_or(&name).rsplit_once('.')?.1 {
            "jsonl" | "ndjson" | "json" => Some(Self::JsonLines),
            "csv" => Some(Self::Csv),
            "tsv" => Some(Self::Tsv),
            "parquet" if plain.is_none() => Some(Self::Parquet),
            _ => None,
        }
    }

    /// Refuses labels that could not be told apart in this format's lists.
    ///
    /// # Errors
    /// [`DataError::SeparatorInList`] for one with [`LIST_SEPARATOR`] in it where lists are cells.
    pub fn check_list(self, labels: &[String]) -> Result<(), DataError> {
        match labels.iter().find(|label| label.contains(LIST_SEPARATOR)) {
            Some(label) if matches!(self, Self::Csv | Self::Tsv) => Err(DataError::SeparatorInList { label: excerpt(label) }),
            _ => Ok(()),
        }
    }
}

/// Where the output goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Standard output, row by row.
    Stdout,
    /// A file, which replaces one of that name when [`RecordWriter::finish`] is called. A path that is there and no regular file,
    /// such as a named pipe, is written to row by row.
    File(PathBuf),
}

/// Writes rows. Dropped without [`RecordWriter::finish`] it leaves no file.
pub struct RecordWriter {
    output: String,
    columns: Vec<OutputColumn>,
    rows: u64,
    form: Form,
}

enum Form {
    JsonLines(Sink),
    Csv(Box<csv::Writer<Sink>>, OutputFormat),
    Parquet(Box<ParquetOutput>),
}

impl RecordWriter {
    /// Opens the output.
    ///
    /// # Errors
    /// [`DataError::DuplicateColumn`], [`DataError::ParquetToStdout`], [`DataError::ParquetInGzip`], a folder that is missing or cannot be written.
    pub fn create(destination: Destination, format: OutputFormat, columns: Vec<OutputColumn>) -> Result<Self, DataError> {
        let output = match &destination {
            Destination::Stdout => "standard output".to_owned(),
            Destination::File(path) => shown(path),
        };
        if format == OutputFormat::Parquet && destination == Destination::Stdout {
            return Err(DataError::ParquetToStdout);
        }
        let gzip =
            matches!(&destination, Destination::File(path) if path.extension().is_some_and(|end| end.eq_ignore_ascii_case("gz")));
        if gzip && format == OutputFormat::Parquet {
            return Err(DataError::ParquetInGzip { output });
        }
        let target = Target::open(destination).map_err(|error| DataError::writing(&output, error))?;
        Self::start(output, (target, gzip), format, columns)
    }

    /// Writes to a stream that messages call `output`, row by row.
    ///
    /// # Errors
    /// [`DataError::DuplicateColumn`] or the stream's own.
    pub fn to_stream(
        output: &str,
        stream: Box<dyn Write + Send>,
        format: OutputFormat,
        columns: Vec<OutputColumn>,
    ) -> Result<Self, DataError> {
        Self::start(output.to_owned(), (Target::Stream(BufWriter::new(stream)), false), format, columns)
    }

    fn start(
        output: String,
        (target, gzip): (Target, bool),
        format: OutputFormat,
        columns: Vec<OutputColumn>,
    ) -> Result<Self, DataError> {
        let groups: HashSet<&String> = columns.iter().filter_map(|column| column.group.as_ref()).collect();
        let mut seen = HashSet::new();
        for column in &columns {
            let is_group = column.group.is_none() && groups.contains(&column.name);
            if is_group || !seen.insert(column.flat_name()) {
                return Err(DataError::DuplicateColumn { input: output, column: excerpt(&column.name) });
            }
        }
        let form = match format {
            OutputFormat::JsonLines => Form::JsonLines(Sink::new(target, gzip)),
            OutputFormat::Csv | OutputFormat::Tsv => {
                let delimiter = if format == OutputFormat::Csv { b',' } else { b'\t' };
                let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Sink::new(target, gzip));
                let written = writer.write_record(columns.iter().map(OutputColumn::flat_name));
                written.map_err(|error| DataError::writing(&output, csv_io_error(error)))?;
                Form::Csv(Box::new(writer), format)
            }
            OutputFormat::Parquet => Form::Parquet(Box::new(ParquetOutput::start(&output, target, &columns)?)),
        };
        Ok(Self { output, columns, rows: 0, form })
    }

    /// Writes a row: a value per column, in the columns' order (panics if there are more or fewer).
    ///
    /// # Errors
    /// [`DataError::BrokenPipe`], [`DataError::DiskFull`], [`DataError::Write`]; in Parquet [`DataError::ColumnMismatch`]; in CSV
    /// [`DataError::SeparatorInList`].
    pub fn write(&mut self, values: Vec<Value>) -> Result<(), DataError> {
        assert_eq!(values.len(), self.columns.len(), "a row has a value for each column");
        self.rows += 1;
        let written = match &mut self.form {
            Form::JsonLines(target) => write_line(target, &self.columns, values),
            Form::Csv(writer, format) => {
                for value in &values {
                    if let Value::List(texts) = value {
                        format.check_list(texts)?;
                    }
                }
                (writer.write_record(values.iter().map(Value::to_string)).map_err(csv_io_error))
                    .and_then(|()| if writer.get_ref().is_stream() { writer.flush() } else { Ok(()) })
            }
            Form::Parquet(parquet) => return parquet.write(&self.output, self.rows, &self.columns, values),
        };
        written.map_err(|error| DataError::writing(&self.output, error))
    }

    /// Writes what is left and, for a file, gives it its name.
    ///
    /// # Errors
    /// As [`RecordWriter::write`]; a file that was there before is then untouched.
    pub fn finish(self) -> Result<(), DataError> {
        let failed = |error| DataError::writing(&self.output, error);
        let target = match self.form {
            Form::JsonLines(sink) => sink.finish().map_err(failed)?,
            Form::Csv(writer, _) => {
                let sink = writer.into_inner().map_err(|error| failed(error.into_error()))?;
                sink.finish().map_err(failed)?
            }
            Form::Parquet(parquet) => parquet.finish(&self.output, &self.columns)?,
        };
        target.commit().map_err(failed)
    }
}

fn write_line(sink: &mut Sink, columns: &[OutputColumn], values: Vec<Value>) -> io::Result<()> {
    let mut object = Map::new();
    for (column, value) in columns.iter().zip(values) {
        let value = match value {
            Value::Missing if column.optional => continue,
            Value::Missing => Json::Null,
            Value::Boolean(value) => value.into(),
            Value::Integer(value) => value.into(),
            Value::Number(value) => value.into(),
            Value::Text(value) if column.is_json => serde_json::from_str(&value)?,
            Value::Text(value) => value.into(),
            Value::List(values) => values.into(),
        };
        let place = match &column.group {
            None => &mut object,
            Some(group) => match object.entry(group.as_str()).or_insert_with(|| Json::Object(Map::new())) {
                Json::Object(inside) => inside,
                _ => unreachable!("no column has a group's name"),
            },
        };
        place.insert(column.name.clone(), value);
    }
    let mut line = serde_json::to_vec(&object)?;
    line.push(b'\n');
    sink.write_all(&line)?;
    if sink.is_stream() { sink.flush() } else { Ok(()) }
}

fn csv_io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        kind => io::Error::other(format!("{kind:?}")),
    }
}

/// A target, or gzip in front of it.
enum Sink {
    Plain(Target),
    Gzip(Box<GzEncoder<Target>>),
}

impl Sink {
    fn new(target: Target, gzip: bool) -> Self {
        if gzip { Self::Gzip(Box::new(GzEncoder::new(target, flate2::Compression::default()))) } else { Self::Plain(target) }
    }

    fn is_stream(&self) -> bool {
        match self {
            Self::Plain(target) => target.is_stream(),
            Self::Gzip(encoder) => encoder.get_ref().is_stream(),
        }
    }

    fn finish(self) -> io::Result<Target> {
        match self {
            Self::Plain(target) => Ok(target),
            Self::Gzip(encoder) => encoder.finish(),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(target) => target.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(target) => target.flush(),
            Self::Gzip(encoder) => encoder.flush(),
        }
    }
}

/// What is written to: a stream, or a temporary file next to the file that it will become.
enum Target {
    Stream(BufWriter<Box<dyn Write + Send>>),
    File(BufWriter<NewFile>),
}

impl Target {
    fn open(destination: Destination) -> io::Result<Self> {
        match destination {
            Destination::Stdout => Ok(Target::Stream(BufWriter::new(Box::new(io::stdout())))),
            Destination::File(path) if path.metadata().is_ok_and(|metadata| !metadata.is_file()) => {
                let special: File = OpenOptions::new().write(true).open(path)?;
                Ok(Target::Stream(BufWriter::new(Box::new(special))))
            }
            Destination::File(path) => Ok(Target::File(BufWriter::new(NewFile::create(&path)?))),
        }
    }

    fn is_stream(&self) -> bool {
        matches!(self, Target::Stream(_))
    }

    fn commit(self) -> io::Result<()> {
        match self {
            Target::Stream(mut stream) => stream.flush(),
            Target::File(writer) => writer.into_inner().map_err(io::IntoInnerError::into_error)?.commit(),
        }
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Target::Stream(stream) => stream.write(bytes),
            Target::File(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Target::Stream(stream) => stream.flush(),
            Target::File(writer) => writer.flush(),
        }
    }
}
