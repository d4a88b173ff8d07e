//! Labelled texts, read from records.
//!
//! # How a label column becomes classes
//! The last of `labels` is the positive class of the metrics.
//! - *Names*: each value is exactly one of `labels`. Without `labels` they are the distinct values, sorted, at most 100.
//! - *Booleans* (`true`, `false` in any case of letters) and *whole numbers* from 0: false or 0 is the first label, true or 1 the
//!   second, and so on.
//! - *Numbers with a cut* (`positive_at`), such as the fraction of annotators who said yes: below the cut is the first label,
//!   at or above it the second. The cut [`PositiveAt::Median`] is the median over **all rows of the file, before any split**,
//!   so a row that is held out later has its share in it.
//!
//! Values of delimited text are names if any of them is one of `labels`; otherwise the first value says what they all are.

use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr;

use super::error::{DataError, Names, Place, excerpt};
use super::records::{ReadOptions, Record, RecordReader, Value};

/// The most distinct values that are taken for labels when none are given.
pub const MAX_INFERRED_LABELS: usize = 100;

/// From which value on a row of a numeric label column is positive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PositiveAt {
    /// At or above this value.
    Value(f64),
    /// At or above the column's median; of an even number of rows, the mean of the middle two.
    Median,
}

impl FromStr for PositiveAt {
    type Err = DataError;

    /// `median`, or a finite number.
    fn from_str(text: &str) -> Result<Self, DataError> {
        match text.trim().parse::<f64>() {
            _ if text.trim().eq_ignore_ascii_case("median") => Ok(PositiveAt::Median),
            Ok(value) if value.is_finite() => Ok(PositiveAt::Value(value)),
            _ => Err(DataError::Cut { found: excerpt(text) }),
        }
    }
}

/// Which columns hold texts and labels, and how labels become classes (see the [module](self)).
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledDatasetOptions {
    /// The column with the texts.
    pub text_column: String,
    /// The column with the labels.
    pub label_column: String,
    /// The labels in order; if empty, the distinct values of a text column.
    pub labels: Vec<String>,
    /// The cut of a numeric label column.
    pub positive_at: Option<PositiveAt>,
}

/// Texts with the class of each. All vectors but `label_names` have one entry a row.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledDataset {
    /// The texts.
    pub texts: Vec<String>,
    /// The class of each text, an index into `label_names`.
    pub labels: Vec<usize>,
    /// The labels' names; the last is the positive class.
    pub label_names: Vec<String>,
    /// The label column's numbers, where a cut made the classes.
    pub fractions: Option<Vec<f64>>,
    /// The row in the file that each text comes from, from 1.
    pub rows: Vec<u64>,
    /// The cut that made the classes, the median's value if that was asked for.
    pub cut: Option<f64>,
}

impl LabelledDataset {
    /// Reads a file, whose format and delimiter are found unless `read` gives them (its columns are ignored).
    ///
    /// # Errors
    /// Those of [`RecordReader`]; an empty or missing text or label, with its row; a label outside the set; a number without a
    /// cut or a cut without numbers; fewer than two classes among the rows.
    pub fn read(path: &Path, read: &ReadOptions, options: &LabelledDatasetOptions) -> Result<Self, DataError> {
        Self::check_labels(options)?;
        Self::from_records(RecordReader::open(path, &Self::columns(read, options))?, options)
    }

    /// Reads standard input; otherwise as [`LabelledDataset::read`].
    ///
    /// # Errors
    /// As [`LabelledDataset::read`].
    pub fn read_stdin(read: &ReadOptions, options: &LabelledDatasetOptions) -> Result<Self, DataError> {
        Self::check_labels(options)?;
        Self::from_records(RecordReader::stdin(&Self::columns(read, options))?, options)
    }

    fn columns(read: &ReadOptions, options: &LabelledDatasetOptions) -> ReadOptions {
        let columns = vec![options.text_column.clone(), options.label_column.clone()];
        ReadOptions { columns: Some(columns), ..read.clone() }
    }

    fn check_labels(options: &LabelledDatasetOptions) -> Result<(), DataError> {
        let labels = &options.labels;
        let names = || Names(labels.clone());
        let distinct: BTreeSet<&String> = labels.iter().collect();
        let empty = labels.iter().any(|label| label.trim().is_empty());
        if labels.len() == 1 || distinct.len() < labels.len() || empty {
            return Err(DataError::LabelSet { labels: names() });
        }
        match options.positive_at {
            Some(_) if labels.len() != 2 => Err(DataError::CutNeedsTwoLabels { labels: names() }),
            Some(PositiveAt::Value(value)) if !value.is_finite() => Err(DataError::Cut { found: value.to_string() }),
            _ => Ok(()),
        }
    }

    fn from_records(reader: RecordReader, options: &LabelledDatasetOptions) -> Result<Self, DataError> {
        let input = reader.input().to_owned();
        let (mut texts, mut column) = (Vec::new(), LabelColumn { input, name: options.label_column.clone(), cells: Vec::new() });
        for record in reader {
            let Record { place, columns, mut values } = record?;
            let label = values.swap_remove(1);
            let is_missing = matches!(&label, Value::Missing) || matches!(&label, Value::Text(text) if text.trim().is_empty());
            let record = Record { place, columns, values };
            texts.push(record.text(0)?.to_owned());
            if is_missing {
                return Err(DataError::MissingLabel { place: record.place, column: column.name });
            }
            column.cells.push((record.place, label));
        }
        let classes = column.classes(options)?;
        let first = classes.labels[0];
        if classes.labels.iter().all(|&label| label == first) {
            let label = classes.names[first].clone();
            return Err(DataError::OneClass { input: column.input, rows: texts.len(), label });
        }
        let rows = column.cells.iter().map(|(place, _)| place.row).collect();
        let Classes { names, labels, fractions, cut } = classes;
        Ok(Self { texts, labels, label_names: names, fractions, rows, cut })
    }

    /// The probabilities of each row's labels as soft targets, [1 - f, f] for the fraction f that the cut was made in.
    ///
    /// # Errors
    /// [`DataError::NoFractions`] where no cut was made, [`DataError::FractionOutside`].
    pub fn soft_targets(&self) -> Result<Vec<[f64; 2]>, DataError> {
        let fractions = self.fractions.as_ref().ok_or(DataError::NoFractions)?;
        let target = |(&fraction, &row): (&f64, &u64)| match fraction {
            0.0..=1.0 => Ok([1.0 - fraction, fraction]),
            _ => Err(DataError::FractionOutside { row, fraction }),
        };
        fractions.iter().zip(&self.rows).map(target).collect()
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
            labels: indices.iter().map(|&index| self.labels[index]).collect(),
            label_names: self.label_names.clone(),
            fractions: self.fractions.as_ref().map(|all| indices.iter().map(|&index| all[index]).collect()),
            rows: indices.iter().map(|&index| self.rows[index]).collect(),
            cut: self.cut,
        }
    }
}

/// The label column as it was read.
struct LabelColumn {
    input: String,
    name: String,
    cells: Vec<(Place, Value)>,
}

struct Classes {
    names: Vec<String>,
    labels: Vec<usize>,
    fractions: Option<Vec<f64>>,
    cut: Option<f64>,
}

impl LabelColumn {
    fn classes(&self, options: &LabelledDatasetOptions) -> Result<Classes, DataError> {
        if let Some(positive_at) = options.positive_at {
            return self.cut(positive_at, &options.labels);
        }
        let is_name = |value: &Value| matches!(value, Value::Text(text) if options.labels.contains(text));
        let first_is_ordinal = self.cells.first().is_some_and(|(_, value)| number(value).is_some());
        if first_is_ordinal && !self.cells.iter().any(|(_, value)| is_name(value)) {
            return self.ordinal(&options.labels);
        }
        let names = if options.labels.is_empty() { self.distinct_names()? } else { options.labels.clone() };
        let labels = (self.cells.iter())
            .map(|(place, value)| {
                let position = names.iter().position(|name| matches!(value, Value::Text(text) if text == name));
                position.ok_or_else(|| DataError::UnknownLabel {
                    place: place.clone(),
                    column: self.name.clone(),
                    found: excerpt(&value.to_string()),
                    labels: Names(names.clone()),
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Classes { names, labels, fractions: None, cut: None })
    }

    fn distinct_names(&self) -> Result<Vec<String>, DataError> {
        let mut names = BTreeSet::new();
        for (_, value) in &self.cells {
            if let Value::Text(text) = value {
                names.insert(text.clone());
            }
            if names.len() > MAX_INFERRED_LABELS {
                let (input, column) = (self.input.clone(), self.name.clone());
                return Err(DataError::TooManyLabels { input, column, limit: MAX_INFERRED_LABELS });
            }
        }
        Ok(names.into_iter().collect())
    }

    /// Booleans and whole numbers: the class's index.
    fn ordinal(&self, names: &[String]) -> Result<Classes, DataError> {
        let Some(positive) = names.last() else {
            return Err(DataError::NeedsLabels { input: self.input.clone(), column: self.name.clone() });
        };
        let mut labels = Vec::with_capacity(self.cells.len());
        for (place, value) in &self.cells {
            let number = self.finite_number(place, value)?;
            match (0..names.len()).find(|&index| index as f64 == number) {
                Some(index) => labels.push(index),
                None => {
                    return Err(DataError::NeedsPositiveAt {
                        place: place.clone(),
                        column: self.name.clone(),
                        found: excerpt(&value.to_string()),
                        highest: names.len() - 1,
                        positive: positive.clone(),
                    });
                }
            }
        }
        Ok(Classes { names: names.to_vec(), labels, fractions: None, cut: None })
    }

    fn cut(&self, positive_at: PositiveAt, names: &[String]) -> Result<Classes, DataError> {
        let fractions =
            self.cells.iter().map(|(place, value)| self.finite_number(place, value)).collect::<Result<Vec<_>, _>>()?;
        let cut = match positive_at {
            PositiveAt::Value(value) => value,
            PositiveAt::Median => median(&fractions),
        };
        let labels = fractions.iter().map(|&fraction| usize::from(fraction >= cut)).collect();
        Ok(Classes { names: names.to_vec(), labels, fractions: Some(fractions), cut: Some(cut) })
    }

    fn finite_number(&self, place: &Place, value: &Value) -> Result<f64, DataError> {
        number(value).filter(|number| number.is_finite()).ok_or_else(|| DataError::LabelNotNumber {
            place: place.clone(),
            column: self.name.clone(),
            found: excerpt(&value.to_string()),
        })
    }
}

/// The number that a value is or spells; false is 0 and true is 1.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Missing => None,
        Value::Boolean(value) => Some(f64::from(u8::from(*value))),
        Value::Integer(value) => Some(*value as f64),
        Value::Number(value) => Some(*value),
        Value::Text(text) => match text.trim() {
            text if text.eq_ignore_ascii_case("true") => Some(1.0),
            text if text.eq_ignore_ascii_case("false") => Some(0.0),
            text => text.parse().ok(),
        },
    }
}

/// The middle of the sorted values; of an even number, the mean of the middle two, as NumPy and pandas have it.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}
