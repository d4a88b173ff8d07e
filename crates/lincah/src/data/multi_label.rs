//! Texts of which each may have any number of labels, read from records.
//!
//! # How columns become labels
//! - *A column a label*: its cells are 0 and 1, booleans (`true`, `false`), or fractions from 0 to 1 such as the share of annotators who said
//!   yes. At or above the cut a row has the label.
//! - *A column of lists*: each cell names the labels of its row, a separator between them (`rude;off-topic`); an empty cell names none. Without
//!   a list of labels they are the distinct names, sorted, at most [`MAX_INFERRED_LABELS`].

use std::collections::BTreeSet;
use std::path::Path;

use super::dataset::{MAX_INFERRED_LABELS, number};
use super::error::{DataError, Names, Place, excerpt};
use super::records::{ReadOptions, Record, RecordReader, Value};

/// Where the labels are.
#[derive(Debug, Clone, PartialEq)]
pub enum LabelColumns {
    /// A column a label, named as the label.
    Each(Vec<String>),
    /// One column of lists.
    List {
        /// The column.
        column: String,
        /// What stands between two labels.
        separator: char,
        /// The labels in order; if empty, the distinct names.
        labels: Vec<String>,
    },
}

/// Which columns hold texts and labels (see the [module](self)).
#[derive(Debug, Clone, PartialEq)]
pub struct MultiLabelOptions {
    /// The column with the texts.
    pub text_column: String,
    /// The column or columns with the labels.
    pub labels: LabelColumns,
    /// From which fraction on a row has a label.
    pub cut: f64,
}

/// Texts with the labels of each. All vectors but `label_names` have one entry a row.
#[derive(Debug, Clone, PartialEq)]
pub struct MultiLabelDataset {
    /// The texts.
    pub texts: Vec<String>,
    /// The labels' names, in order.
    pub label_names: Vec<String>,
    /// The fraction of each label, in the labels' order.
    pub fractions: Vec<Vec<f64>>,
    /// Whether the row has each label: whether its fraction is at or above the cut.
    pub labels: Vec<Vec<bool>>,
    /// The row in the file that each text comes from, from 1.
    pub rows: Vec<u64>,
    /// The cut.
    pub cut: f64,
}

impl MultiLabelDataset {
    /// Reads a file, whose format and delimiter are found unless `read` gives them (its columns are ignored).
    ///
    /// # Errors
    /// Those of [`RecordReader`]; an empty text; a fraction that is missing or outside 0 to 1, a name outside the labels, with its row;
    /// fewer than two labels.
    pub fn read(path: &Path, read: &ReadOptions, options: &MultiLabelOptions) -> Result<Self, DataError> {
        options.check()?;
        Self::from_records(RecordReader::open(path, &options.columns(read))?, options)
    }

    /// Reads standard input; otherwise as [`MultiLabelDataset::read`].
    ///
    /// # Errors
    /// As [`MultiLabelDataset::read`].
    pub fn read_stdin(read: &ReadOptions, options: &MultiLabelOptions) -> Result<Self, DataError> {
        options.check()?;
        Self::from_records(RecordReader::stdin(&options.columns(read))?, options)
    }

    fn from_records(reader: RecordReader, options: &MultiLabelOptions) -> Result<Self, DataError> {
        let input = reader.input().to_owned();
        let (mut texts, mut rows, mut cells) = (Vec::new(), Vec::new(), Vec::new());
        for record in reader {
            let record: Record = record?;
            texts.push(record.text(0)?.to_owned());
            rows.push(record.place.row);
            cells.push((record.place, record.values));
        }
        let (label_names, fractions) = match &options.labels {
            LabelColumns::Each(columns) => {
                let fractions = |(place, values): &(Place, Vec<Value>)| -> Result<Vec<f64>, DataError> {
                    values[1..].iter().zip(columns).map(|(value, column)| fraction(place, column, value)).collect()
                };
                (columns.clone(), cells.iter().map(fractions).collect::<Result<Vec<_>, _>>()?)
            }
            LabelColumns::List { column, separator, labels } => lists(&input, &cells, column, (*separator, labels))?,
        };
        let label = |fractions: &Vec<f64>| fractions.iter().map(|&fraction| fraction >= options.cut).collect();
        let labels = fractions.iter().map(label).collect();
        Ok(Self { texts, label_names, fractions, labels, rows, cut: options.cut })
    }

    /// Refuses data with a label that no row has, or every row: nothing about it could be learned.
    ///
    /// # Errors
    /// [`DataError::OneAnswer`].
    pub fn check_answers(&self) -> Result<(), DataError> {
        for (index, label) in self.label_names.iter().enumerate() {
            let count = self.positives(index);
            if count == 0 || count == self.len() {
                return Err(DataError::OneAnswer { label: label.clone(), rows: self.len(), all: count > 0 });
            }
        }
        Ok(())
    }

    /// How many rows have a label.
    pub fn positives(&self, label: usize) -> usize {
        self.labels.iter().filter(|labels| labels[label]).count()
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there are no rows, as in a subset of none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The rows at `indices`, in that order (panics if there is no such row, as indexing does).
    pub fn subset(&self, indices: &[usize]) -> Self {
        Self {
            texts: indices.iter().map(|&index| self.texts[index].clone()).collect(),
            label_names: self.label_names.clone(),
            fractions: indices.iter().map(|&index| self.fractions[index].clone()).collect(),
            labels: indices.iter().map(|&index| self.labels[index].clone()).collect(),
            rows: indices.iter().map(|&index| self.rows[index]).collect(),
            cut: self.cut,
        }
    }
}

impl MultiLabelOptions {
    fn check(&self) -> Result<(), DataError> {
        if !(0.0..=1.0).contains(&self.cut) {
            return Err(DataError::FractionCut { cut: self.cut });
        }
        let names = match &self.labels {
            LabelColumns::List { labels, .. } if labels.is_empty() => return Ok(()),
            LabelColumns::Each(names) | LabelColumns::List { labels: names, .. } => names,
        };
        check_names(names)
    }

    fn columns(&self, read: &ReadOptions) -> ReadOptions {
        let labels = match &self.labels {
            LabelColumns::Each(columns) => columns.clone(),
            LabelColumns::List { column, .. } => vec![column.clone()],
        };
        let columns = [self.text_column.clone()].into_iter().chain(labels).collect();
        ReadOptions { columns: Some(columns), ..read.clone() }
    }
}

fn check_names(names: &[String]) -> Result<(), DataError> {
    let distinct: BTreeSet<&String> = names.iter().collect();
    let empty = names.iter().any(|name| name.trim().is_empty());
    if names.len() < 2 || distinct.len() < names.len() || empty {
        return Err(DataError::LabelSet { labels: Names(names.to_vec()) });
    }
    Ok(())
}

fn fraction(place: &Place, column: &str, value: &Value) -> Result<f64, DataError> {
    let (place, column) = (|| place.clone(), column.to_owned());
    if matches!(value, Value::Missing) || matches!(value, Value::Text(text) if text.trim().is_empty()) {
        return Err(DataError::MissingLabel { place: place(), column });
    }
    let found = number(value).filter(|number| (0.0..=1.0).contains(number));
    found.ok_or_else(|| DataError::NotAFraction { place: place(), column, found: excerpt(&value.to_string()) })
}

type NamesAndFractions = (Vec<String>, Vec<Vec<f64>>);

/// Labels and the rows' fractions, 0 or 1, of a column of lists.
fn lists(
    input: &str,
    cells: &[(Place, Vec<Value>)],
    column: &str,
    (separator, labels): (char, &[String]),
) -> Result<NamesAndFractions, DataError> {
    let named = |values: &[Value]| -> Vec<String> {
        let cell = values[1].to_string();
        cell.split(separator).map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
    };
    let labels = match labels {
        [] => {
            let found: BTreeSet<String> = cells.iter().flat_map(|(_, values)| named(values)).collect();
            if found.len() > MAX_INFERRED_LABELS {
                let (input, column) = (input.to_owned(), column.to_owned());
                return Err(DataError::TooManyLabels { input, column, limit: MAX_INFERRED_LABELS });
            }
            found.into_iter().collect()
        }
        labels => labels.to_vec(),
    };
    check_names(&labels)?;
    let row = |(place, values): &(Place, Vec<Value>)| {
        let mut fractions = vec![0.0; labels.len()];
        for name in named(values) {
            let position = labels.iter().position(|label| *label == name).ok_or_else(|| DataError::UnknownLabel {
                place: place.clone(),
                column: column.to_owned(),
                found: excerpt(&name),
                labels: Names(labels.clone()),
            })?;
            fractions[position] = 1.0;
        }
        Ok(fractions)
    };
    let fractions = cells.iter().map(row).collect::<Result<_, _>>()?;
    Ok((labels, fractions))
}
