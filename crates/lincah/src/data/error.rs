//! Everything that can be wrong with data, each with where it is and what to do.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Where a record stands in its input; shown as `data.csv, row 3 (line 5)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file's path, or `standard input`.
    pub input: Arc<str>,
    /// The record's number, from 1; a header is not counted.
    pub row: u64,
    /// The line on which the record starts, from 1, where the format has lines.
    pub line: Option<u64>,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}, row {}", self.input, self.row)?;
        self.line.map_or(Ok(()), |line| write!(formatter, " (line {line})"))
    }
}

/// A list of names for a message: each in backticks, at most twenty of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

impl fmt::Display for Names {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        for (index, name) in self.0.iter().take(SHOWN).enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(formatter, "{separator}`{}`", excerpt(name))?;
        }
        let left_out = self.0.len().saturating_sub(SHOWN);
        if left_out > 0 { write!(formatter, " and {left_out} more") } else { Ok(()) }
    }
}

/// At most 60 characters of `text` on one line, for a message.
pub(crate) fn excerpt(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// An error of [`crate::data`]. The cause, where there is one, is in [`std::error::Error::source`] and not in the message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The input file does not exist.
    #[error("there is no file {input}: check the path")]
    MissingFile {
        /// The path as it was given.
        input: String,
    },
    /// The operating system could not read the input.
    #[error("cannot read {input}")]
    Read {
        /// The input.
        input: String,
        /// The system's error.
        source: io::Error,
    },
    /// The input holds nothing.
    #[error("{input} is empty: give a file with a header and at least one row")]
    Empty {
        /// The input.
        input: String,
    },
    /// The input has columns and no rows.
    #[error("{input} has columns ({columns}) but no rows: give a file with at least one row")]
    NoRows {
        /// The input.
        input: String,
        /// Its columns.
        columns: Names,
    },
    /// The input is no text that can be read as records.
    #[error("{input} is {found}: give UTF-8 text (CSV, TSV, JSON Lines) or Parquet")]
    NotText {
        /// The input.
        input: String,
        /// What its first bytes say it is.
        found: &'static str,
    },
    /// A delimiter that a delimited file cannot have.
    #[error("the delimiter cannot be {delimiter:?}: give one ASCII character that is no quote and no end of line")]
    Delimiter {
        /// The delimiter that was given.
        delimiter: char,
    },
    /// A column that was asked for is not there.
    #[error("{input} has no column `{column}`; its columns are {columns}{}", did_you_mean(.delimiter))]
    MissingColumn {
        /// The input.
        input: String,
        /// The column asked for.
        column: String,
        /// The columns that there are.
        columns: Names,
        /// A delimiter that would split the header, where the whole header was read as one column.
        delimiter: Option<char>,
    },
    /// No column was named where labels are needed.
    #[error("the column with the labels was not named: give --label COLUMN")]
    NoLabelColumn,
    /// Two columns have one name.
    #[error("{input} has two columns named `{column}`: rename one of them")]
    DuplicateColumn {
        /// The input.
        input: String,
        /// The name.
        column: String,
    },
    /// A row has more or fewer fields than the header.
    #[error(
        "{place} has {found} fields where the header has {expected}: quote fields that contain the delimiter {delimiter:?}, or choose another with --delimiter"
    )]
    Ragged {
        /// The row.
        place: Place,
        /// Fields in the header.
        expected: usize,
        /// Fields in the row.
        found: usize,
        /// The delimiter in use.
        delimiter: char,
    },
    /// A quoted field never ends.
    #[error("{place}: the quote opened on line {opened} is never closed: close it, or double each quote inside a quoted field")]
    OpenQuote {
        /// The row.
        place: Place,
        /// The line with the opening quote.
        opened: u64,
    },
    /// A record is too long to be one.
    #[error("{place} is longer than {limit} bytes: is a quote or a line left open?")]
    TooLong {
        /// The row.
        place: Place,
        /// The longest record that is read.
        limit: u64,
    },
    /// Bytes that are not UTF-8.
    #[error("{place}: {part} is not UTF-8: save the file as UTF-8")]
    InvalidUtf8 {
        /// The row; row 0 is the header.
        place: Place,
        /// Which part of the row.
        part: String,
    },
    /// A line that is not JSON.
    #[error("{input}, line {line} is not valid JSON")]
    Json {
        /// The input.
        input: String,
        /// The line, from 1.
        line: u64,
        /// What the parser says.
        source: serde_json::Error,
    },
    /// JSON that is no object.
    #[error("{place} is not a JSON object: each must be like {{\"text\": \"…\", \"label\": \"…\"}}")]
    NotAnObject {
        /// The row.
        place: Place,
    },
    /// A key that the first object does not have, when every column was asked for.
    #[error("{place} has the key `{column}`, which the first row does not have: name the columns to read")]
    UnexpectedColumn {
        /// The row.
        place: Place,
        /// The key.
        column: String,
    },
    /// A value or column of a type that is no text, number or boolean.
    #[error("{input}, column `{column}` holds {found}: text, numbers and booleans can be read")]
    UnsupportedType {
        /// The input, or the row in it.
        input: String,
        /// The column.
        column: String,
        /// Its type.
        found: String,
    },
    /// A Parquet file that cannot be read.
    #[error("cannot read {input} as Parquet: is the file whole?")]
    Parquet {
        /// The input.
        input: String,
        /// What the reader says.
        source: parquet::errors::ParquetError,
    },
    /// A text is missing or blank.
    #[error("{place}, column `{column}`: the text is empty: fill it in or remove the row")]
    EmptyText {
        /// The row.
        place: Place,
        /// The text column.
        column: String,
    },
    /// The text column holds something else.
    #[error("{place}, column `{column}`: {found} is not text: name the column that holds the texts")]
    TextNotString {
        /// The row.
        place: Place,
        /// The text column.
        column: String,
        /// What it holds.
        found: String,
    },
    /// A label is missing.
    #[error("{place}, column `{column}`: the label is missing: fill it in or remove the row")]
    MissingLabel {
        /// The row.
        place: Place,
        /// The label column.
        column: String,
    },
    /// A label is not in the set.
    #[error("{place}, column `{column}`: `{found}` is not one of the labels {labels}")]
    UnknownLabel {
        /// The row.
        place: Place,
        /// The label column.
        column: String,
        /// The value found.
        found: String,
        /// The labels.
        labels: Names,
    },
    /// A label in a column of numbers is no finite number.
    #[error("{place}, column `{column}`: `{found}` is not a finite number, as the labels in this column must be")]
    LabelNotNumber {
        /// The row.
        place: Place,
        /// The label column.
        column: String,
        /// The value found.
        found: String,
    },
    /// A column of numbers that are no class indices needs a cut.
    #[error(
        "{place}, column `{column}`: the number {found} is not one of 0 to {highest}: say from which value on a row is `{positive}` with --positive-at (a number, or median)"
    )]
    NeedsPositiveAt {
        /// The first such row.
        place: Place,
        /// The label column.
        column: String,
        /// The value found.
        found: String,
        /// The highest class index.
        highest: usize,
        /// The last label.
        positive: String,
    },
    /// Numbers or booleans without names for their classes.
    #[error(
        "{input}, column `{column}` holds numbers or booleans: name their classes in order with --labels, for example --labels civil,uncivil"
    )]
    NeedsLabels {
        /// The input.
        input: String,
        /// The label column.
        column: String,
    },
    /// A set of labels that no classifier can have.
    #[error("the labels {labels} do not make a set: give two or more, all different and none empty")]
    LabelSet {
        /// The labels.
        labels: Names,
    },
    /// A cut needs exactly two labels.
    #[error("a cut (--positive-at) makes two classes, and the labels are {labels}: give two")]
    CutNeedsTwoLabels {
        /// The labels.
        labels: Names,
    },
    /// A cut that is no finite number.
    #[error("`{found}` is no cut: give --positive-at a finite number, or median")]
    Cut {
        /// The cut that was given.
        found: String,
    },
    /// Soft labels of a column without numbers.
    #[error(
        "soft labels are fractions, and the label column was not cut: give --positive-at a number, or leave --soft-labels out"
    )]
    NoFractions,
    /// A soft label that is no fraction.
    #[error("row {row}: the label {fraction} is not a fraction from 0 to 1, as soft labels must be; leave --soft-labels out")]
    FractionOutside {
        /// The row in the file, from 1.
        row: u64,
        /// The number found.
        fraction: f64,
    },
    /// A label column of a multi-label data set holds something else than fractions.
    #[error("{place}, column `{column}`: `{found}` is not 0, 1, a boolean or a fraction between; is it a label's column?")]
    NotAFraction {
        /// The row.
        place: Place,
        /// The label's column.
        column: String,
        /// The value found.
        found: String,
    },
    /// A cut of fractions that is none.
    #[error("the cut is {cut}: fractions of annotators are cut at a number from 0 to 1")]
    FractionCut {
        /// The cut that was given.
        cut: f64,
    },
    /// A label that no row has, or every row.
    #[error("{} of the {rows} rows has the label `{label}`, so that there is nothing to learn about it: leave it out", if *.all { "every one" } else { "none" })]
    OneAnswer {
        /// The label.
        label: String,
        /// The number of rows.
        rows: usize,
        /// Whether every row has it.
        all: bool,
    },
    /// Too many distinct labels to be classes.
    #[error(
        "{input}, column `{column}` has more than {limit} distinct values: is it the label column? name the labels with --labels"
    )]
    TooManyLabels {
        /// The input.
        input: String,
        /// The label column.
        column: String,
        /// How many are taken for classes.
        limit: usize,
    },
    /// Every row has one label.
    #[error("{input}: all {rows} rows are `{label}`: two classes are needed")]
    OneClass {
        /// The input.
        input: String,
        /// The number of rows.
        rows: usize,
        /// Their label.
        label: String,
    },
    /// A holdout that leaves nothing on one side.
    #[error("cannot hold out {holdout} of {rows} rows: both parts need at least one row")]
    Holdout {
        /// The rows that there are.
        rows: usize,
        /// The rows to hold out.
        holdout: usize,
    },
    /// More training rows asked for than there are.
    #[error("cannot take {train_size} training rows: {available} are there")]
    TrainSize {
        /// The rows asked for.
        train_size: usize,
        /// The rows that there are.
        available: usize,
    },
    /// A number of folds that the classes do not allow.
    #[error("{folds} folds: give at least 2, and no more than the {smallest} rows of the smallest class")]
    Folds {
        /// The folds asked for.
        folds: usize,
        /// Rows of the smallest class.
        smallest: usize,
    },
    /// A number of folds that the rows do not allow.
    #[error("{folds} folds: give at least 2, and no more than the {rows} rows")]
    MultiLabelFolds {
        /// The folds asked for.
        folds: usize,
        /// The rows that there are.
        rows: usize,
    },
    /// A validation fraction outside (0, 1).
    #[error("the validation fraction is {fraction}: give a number above 0 and below 1")]
    ValidationFraction {
        /// The fraction that was given.
        fraction: f64,
    },
    /// A class too small to be on both sides of a validation split.
    #[error(
        "class {label} has {rows} training row(s), and a validation split needs two of each class: add rows, or train without --validation"
    )]
    ValidationClass {
        /// The class's index.
        label: usize,
        /// Its rows.
        rows: usize,
    },
    /// The reader of the output went away.
    #[error("the reader of {output} closed it")]
    BrokenPipe {
        /// The output.
        output: String,
    },
    /// The disk is full.
    #[error("the disk is full: cannot write {output}; free some space or write elsewhere")]
    DiskFull {
        /// The output.
        output: String,
    },
    /// The operating system could not write the output.
    #[error("cannot write {output}")]
    Write {
        /// The output.
        output: String,
        /// The system's error.
        source: io::Error,
    },
    /// The Parquet writer refused.
    #[error("cannot write {output} as Parquet")]
    WriteParquet {
        /// The output.
        output: String,
        /// What the writer says.
        source: parquet::errors::ParquetError,
    },
    /// Parquet needs a file.
    #[error("Parquet cannot be written to standard output: name a file with --out")]
    ParquetToStdout,
    /// A row to write does not fit the output's columns.
    #[error("cannot write row {row} of {output}: {found} does not fit the {expected} column `{column}`")]
    ColumnMismatch {
        /// The output.
        output: String,
        /// The row, from 1.
        row: u64,
        /// The column.
        column: String,
        /// The column's type.
        expected: &'static str,
        /// The value.
        found: String,
    },
}

fn did_you_mean(delimiter: &Option<char>) -> String {
    delimiter.map_or(String::new(), |delimiter| format!(": did you mean --delimiter {delimiter:?}?"))
}

impl DataError {
    pub(crate) fn reading(input: &str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => DataError::MissingFile { input: input.to_owned() },
            _ => DataError::Read { input: input.to_owned(), source },
        }
    }

    pub(crate) fn writing(output: &str, source: io::Error) -> Self {
        let output = output.to_owned();
        match source.kind() {
            io::ErrorKind::BrokenPipe => DataError::BrokenPipe { output },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DataError::DiskFull { output },
            _ => DataError::Write { output, source },
        }
    }

    /// Whether the reader of our output went away, which ends a pipeline such as `… | head` and is no failure.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, DataError::BrokenPipe { .. })
    }
}

/// A path as a message shows it.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}
