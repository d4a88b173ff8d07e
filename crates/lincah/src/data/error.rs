//! Everything that can be wrong with data, each with where it is and what to do.

use std::io;

use super::in_memory::RowsError;
use super::place::{Names, Place};
use super::split_error::SplitError;
use crate::label::LabelError;

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
    /// Another number of label columns than a classifier has labels.
    #[error("{} label columns ({columns}) for {} labels ({labels}): name one per label, in the labels' order", columns.0.len(), labels.0.len())]
    ColumnCount {
        /// The columns.
        columns: Names,
        /// The labels.
        labels: Names,
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
        /// The row, or the header.
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
    /// A JSON array too long to be read whole.
    #[error("{input} is a JSON array of more than {limit} bytes: write it as JSON Lines, an object per line")]
    ArrayTooLong {
        /// The input.
        input: String,
        /// The longest array that is read.
        limit: u64,
    },
    /// A whole number that cannot be kept exactly.
    #[error(
        "{place}, column `{column}`: the whole number {found} is beyond 64 bits and would lose digits: write it as text, in quotes"
    )]
    IntegerTooLarge {
        /// The row.
        place: Place,
        /// The column.
        column: String,
        /// The number, its last digits perhaps lost.
        found: String,
    },
    /// A value or column of a type that cannot be read.
    #[error("{input}, column `{column}` holds {found}: text, numbers, booleans and lists of texts can be read")]
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
    /// A line of a journal that is no entry.
    #[error("{journal}, line {line} is no entry of a journal: {reason}")]
    JournalLine {
        /// The journal.
        journal: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// Something else than a file where a journal should be.
    #[error("{journal} is no regular file, as a journal must be")]
    JournalNotAFile {
        /// The journal.
        journal: String,
    },
    /// A time that is none.
    #[error("`{found}` is no time: give it as RFC 3339 has it, such as 2026-01-31T12:00:00Z")]
    Time {
        /// What was given.
        found: String,
    },
    /// A journal without labelled rows.
    #[error("{journal} has no labelled text")]
    NothingLabelled {
        /// The journal.
        journal: String,
    },
    /// No column of texts.
    #[error("no column of texts is named: name one or more")]
    NoTextColumn,
    /// Texts and labels in the same column.
    #[error("the column `{column}` is named for texts and for labels: name two columns")]
    SameColumn {
        /// The column.
        column: String,
    },
    /// Every row was left out.
    #[error("{input} has no row that can be used: {reasons}")]
    NoUsableRows {
        /// The input.
        input: String,
        /// Why the rows were left out.
        reasons: String,
    },
    /// Rows from memory that do not fit together.
    #[error(transparent)]
    Rows(#[from] RowsError),
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
    /// Labels that a prompt cannot have.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// A positive class where there is none to choose.
    #[error(
        "`{positive}` cannot be made the positive class: that takes two exclusive labels, it being one of them, and here are {labels}"
    )]
    Positive {
        /// The label that was asked for.
        positive: String,
        /// The labels, or the columns of independent ones.
        labels: Names,
    },
    /// Another positive class than the numbers say.
    #[error(
        "the label column holds numbers or booleans, so the last label `{last}` is positive: to make it `{positive}`, change the labels' order"
    )]
    PositiveOfNumbers {
        /// The label that was asked for.
        positive: String,
        /// The last label.
        last: String,
    },
    /// A text that is no label map.
    #[error("`{found}` is no part of a label map: give OLD=NEW, several with commas between them, each OLD once")]
    LabelMap {
        /// What was given.
        found: String,
    },
    /// A new name that is no label.
    #[error("the label map makes `{label}` of a label, which is not one of the labels {labels}")]
    LabelMapTarget {
        /// The new name.
        label: String,
        /// The labels.
        labels: Names,
    },
    /// A label to rename that the data do not have.
    #[error("the label map renames `{label}`, which is not among the labels of {input}: {found}")]
    LabelMapSource {
        /// The input.
        input: String,
        /// The label to rename.
        label: String,
        /// The labels that are there.
        found: Names,
    },
    /// Renamed labels where a threshold makes them of numbers.
    #[error("a label map renames labels, and --positive-at makes them of numbers: give one of the two")]
    LabelMapOfNumbers,
    /// A median where there are several columns.
    #[error("independent labels are given at or above one number: give --positive-at a number, not median")]
    MedianOfIndependentLabels,
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
        "soft labels are fractions, and the data have none: give --positive-at a number where they do, or leave --soft-labels out"
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
    #[error("{} of the {rows} rows has the label `{label}`, so there is nothing to learn about it: leave it out", if *.all { "every one" } else { "none" })]
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
    /// Nothing to train on.
    #[error("there are no rows to train on")]
    NoTrainingRows,
    /// Training rows of one class.
    #[error("all {rows} training rows are `{label}`: training needs rows of every label")]
    OneClassToTrain {
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
    /// A split that cannot be made.
    #[error(transparent)]
    Split(#[from] SplitError),
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
    /// A label with too few rows to be on both sides of a validation split.
    #[error(
        "the label `{label}` has one training row, and a validation split needs two: add rows, or train without --validation"
    )]
    ValidationLabel {
        /// The label.
        label: String,
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
    /// Parquet has a compression of its own.
    #[error("{output} cannot be Parquet inside gzip: leave .gz out of its name")]
    ParquetInGzip {
        /// The output.
        output: String,
    },
    /// A label of a list that could not be told from two.
    #[error("the label `{label}` contains `;`, which stands between labels in CSV: write JSON Lines or Parquet, or rename it")]
    SeparatorInList {
        /// The label.
        label: String,
    },
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
