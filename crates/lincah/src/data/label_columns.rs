//! How the columns of a file become labels.
//!
//! # Exclusive labels: one column
//! - *Names*: each value is exactly one of `labels`. Without `labels` they are the distinct values, sorted, by the rule of
//!   [`MAX_INFERRED_LABELS`].
//! - *Booleans* (`true`, `false` in any case of letters) and *whole numbers* from 0: false or 0 is the first label, true or 1 the
//!   second, and so on.
//! - *Numbers with a threshold* (`positive_at`), such as the fraction of annotators who said yes: below it is the first of two labels,
//!   at or above it the second. [`PositiveAt::Median`] is the median over **all usable rows of the file, before any split**, so a row that
//!   is held out later has its share in it.
//!
//! Values of delimited text are names if any of them is one of `labels`; otherwise the first value says what they all are.
//!
//! # Independent labels: a column per label, or one column of lists
//! - *A column per label*: its cells are 0 and 1, booleans, or fractions from 0 to 1 such as the share of annotators who said yes. At or
//!   above the threshold (0.5 if none is given) a row has the label.
//! - *A column of lists*: each cell names the labels of its row, as an array or with a separator between them (`rude;off-topic`). An empty
//!   cell names none. Without `labels` they are the distinct names, sorted: more than [`MAX_INFERRED_LABELS`] only where each has two rows on average.

use std::collections::BTreeSet;
use std::str::FromStr;

use super::error::DataError;
use super::label_map::LabelMap;
use super::place::{Names, Place, excerpt};
use super::records::Value;
use crate::label::LabelSet;
use crate::label::{LabelError, MAX_LABELS};
use crate::prediction::DEFAULT_THRESHOLD;
use crate::task::Task;

/// The most distinct values that are taken for labels when none are given, unless each has two rows on average.
pub const MAX_INFERRED_LABELS: usize = 100;

/// From which value on a numeric label is positive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PositiveAt {
    /// At or above this value.
    Value(f64),
    /// At or above the column's median; of an even number of rows, the mean of the middle two. Of exclusive labels only.
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

/// Where the labels are (see the [module](self)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelColumns {
    /// Exclusive labels in one column.
    One {
        /// The column.
        column: String,
        /// The labels in order; if empty, the distinct values.
        labels: Vec<String>,
    },
    /// Independent labels, a column for each, named as the label.
    Each(Vec<String>),
    /// Independent labels in one column of lists.
    List {
        /// The column.
        column: String,
        /// What stands between two labels.
        separator: char,
        /// The labels in order; if empty, the distinct names.
        labels: Vec<String>,
    },
}

impl LabelColumns {
    /// Exclusive labels in one column; without `labels` they are the distinct values.
    pub fn one<L: Into<String>>(column: impl Into<String>, labels: impl IntoIterator<Item = L>) -> Self {
        Self::One { column: column.into(), labels: labels.into_iter().map(Into::into).collect() }
    }

    /// The same columns for given labels: with these names, and in their order. Columns for each of independent labels are named as the labels
    /// if none are named here; columns of other names are taken in the labels' order.
    ///
    /// # Errors
    /// [`DataError::ColumnCount`] for another number of columns than labels.
    pub fn for_labels(&self, labels: &LabelSet) -> Result<Self, DataError> {
        let names = labels.names().to_vec();
        let is_named = |columns: &[String]| names.iter().all(|name| columns.contains(name));
        Ok(match self.clone() {
            Self::One { column, .. } => Self::One { column, labels: names },
            Self::List { column, separator, .. } => Self::List { column, separator, labels: names },
            Self::Each(columns) if columns.is_empty() => Self::Each(names),
            Self::Each(columns) if columns.len() != names.len() => {
                return Err(DataError::ColumnCount { columns: Names(columns), labels: Names(names) });
            }
            Self::Each(columns) if is_named(&columns) => Self::Each(names),
            columns @ Self::Each(_) => columns,
        })
    }

    /// Whether they are exclusive or independent.
    pub fn task(&self) -> Task {
        match self {
            Self::One { .. } => Task::SingleLabel,
            Self::Each(_) | Self::List { .. } => Task::MultiLabel,
        }
    }

    /// The columns to read.
    pub fn columns(&self) -> Vec<String> {
        match self {
            Self::One { column, .. } | Self::List { column, .. } => vec![column.clone()],
            Self::Each(columns) => columns.clone(),
        }
    }

    /// Refuses labels and settings that no data could have.
    pub(super) fn check(&self, rule: &LabelRule) -> Result<(), DataError> {
        let names = match self {
            Self::Each(columns) => {
                rule.map.check_sources("the label columns", &columns.iter().map(String::as_str).collect())?;
                columns.iter().map(|column| rule.map.renamed(column).to_owned()).collect()
            }
            Self::One { labels, .. } | Self::List { labels, .. } => {
                rule.map.check_targets(labels)?;
                labels.clone()
            }
        };
        if !names.is_empty() || matches!(self, Self::Each(_)) {
            check_names(&names)?;
        }
        match (self.task(), rule.positive_at) {
            (Task::SingleLabel, Some(_)) if names.len() != 2 => Err(DataError::CutNeedsTwoLabels { labels: Names(names) }),
            (Task::SingleLabel, Some(_)) if !rule.map.is_empty() => Err(DataError::LabelMapOfNumbers),
            (Task::SingleLabel, Some(PositiveAt::Value(value))) if !value.is_finite() => {
                Err(DataError::Cut { found: value.to_string() })
            }
            (Task::MultiLabel, Some(PositiveAt::Median)) => Err(DataError::MedianOfIndependentLabels),
            (Task::MultiLabel, Some(PositiveAt::Value(cut))) if !(0.0..=1.0).contains(&cut) => {
                Err(DataError::FractionCut { cut })
            }
            _ => Ok(()),
        }
    }

    /// Refuses a row whose label is missing; a list may be empty. `values` are those of [`LabelColumns::columns`].
    pub(super) fn check_present(&self, place: &Place, values: &[Value]) -> Result<(), DataError> {
        let is_missing = |value: &Value| match value {
            Value::Missing => true,
            Value::Text(text) => text.trim().is_empty(),
            _ => false,
        };
        let columns = match self {
            Self::List { .. } => return Ok(()),
            Self::One { column, .. } => std::slice::from_ref(column),
            Self::Each(columns) => columns,
        };
        match columns.iter().zip(values).find(|(_, value)| is_missing(value)) {
            Some((column, _)) => Err(DataError::MissingLabel { place: place.clone(), column: column.clone() }),
            None => Ok(()),
        }
    }

    /// The labels of rows, none of which has a label missing.
    pub(super) fn assign(&self, input: &str, cells: &[LabelCells], rule: &LabelRule) -> Result<Assigned, DataError> {
        match self {
            Self::One { column, labels } => OneColumn { input, column, cells: renamed(input, cells, rule)? }.assign(labels, rule),
            Self::Each(columns) => each(columns, cells, rule),
            Self::List { column, separator, labels } => {
                lists(&ListColumn { input, column, separator: *separator }, cells, (labels, rule))
            }
        }
    }
}

/// How values become labels.
#[derive(Debug, Clone, Copy)]
pub(super) struct LabelRule<'a> {
    pub(super) positive_at: Option<PositiveAt>,
    pub(super) known_threshold: Option<f64>,
    pub(super) map: &'a LabelMap,
}

/// The label cells of a row.
pub(super) struct LabelCells {
    pub(super) place: Place,
    pub(super) values: Vec<Value>,
}

/// Labels of all rows. # Shapes: truth and fractions `[rows][labels]`.
pub(super) struct Assigned {
    pub(super) names: Vec<String>,
    pub(super) truth: Vec<Vec<bool>>,
    pub(super) fractions: Option<Vec<Vec<f64>>>,
    pub(super) threshold: Option<f64>,
    /// Whether the values were names, so that the labels' order means nothing for them.
    pub(super) by_name: bool,
}

impl Assigned {
    fn of_classes(names: Vec<String>, classes: Vec<usize>, by_name: bool) -> Self {
        let row = |class: usize| (0..names.len()).map(|label| label == class).collect();
        let truth = classes.into_iter().map(row).collect();
        Self { names, truth, fractions: None, threshold: None, by_name }
    }
}

/// Refuses fewer than two labels, more than a classifier can have, equal ones and empty ones.
fn check_names(names: &[String]) -> Result<(), DataError> {
    if names.len() > MAX_LABELS {
        return Err(LabelError::TooMany { found: names.len() }.into());
    }
    let distinct: BTreeSet<&String> = names.iter().collect();
    let empty = names.iter().any(|name| name.trim().is_empty());
    if names.len() < 2 || distinct.len() < names.len() || empty {
        return Err(DataError::LabelSet { labels: Names(names.to_vec()) });
    }
    Ok(())
}

/// The cells of one column under their new names.
fn renamed(input: &str, cells: &[LabelCells], rule: &LabelRule) -> Result<Vec<(Place, Value)>, DataError> {
    let as_text: Vec<String> = cells.iter().filter(|_| !rule.map.is_empty()).map(|cell| cell.values[0].to_string()).collect();
    rule.map.check_sources(input, &as_text.iter().map(String::as_str).collect())?;
    let value = |(index, cell): (usize, &LabelCells)| {
        let renamed = as_text.get(index).map(|text| (text, rule.map.renamed(text))).filter(|(text, renamed)| text != renamed);
        (cell.place.clone(), renamed.map_or_else(|| cell.values[0].clone(), |(_, name)| Value::Text(name.to_owned())))
    };
    Ok(cells.iter().enumerate().map(value).collect())
}

/// A column of exclusive labels as it was read.
struct OneColumn<'a> {
    input: &'a str,
    column: &'a str,
    cells: Vec<(Place, Value)>,
}

impl OneColumn<'_> {
    fn assign(&self, labels: &[String], rule: &LabelRule) -> Result<Assigned, DataError> {
        if let Some(positive_at) = rule.positive_at {
            return self.above(positive_at, labels);
        }
        let is_name = |value: &Value| matches!(value, Value::Text(text) if labels.contains(text));
        let first_is_ordinal = self.cells.first().is_some_and(|(_, value)| number(value).is_some());
        if first_is_ordinal && !self.cells.iter().any(|(_, value)| is_name(value)) {
            return self.ordinal(labels, rule.known_threshold);
        }
        let names = if labels.is_empty() { self.distinct_names()? } else { labels.to_vec() };
        let class = |(place, value): &(Place, Value)| {
            let position = names.iter().position(|name| matches!(value, Value::Text(text) if text == name));
            position.ok_or_else(|| unknown_label(place, self.column, (&value.to_string(), &names)))
        };
        let classes = self.cells.iter().map(class).collect::<Result<_, _>>()?;
        Ok(Assigned::of_classes(names, classes, true))
    }

    fn distinct_names(&self) -> Result<Vec<String>, DataError> {
        let names =
            self.cells.iter().filter_map(|(_, value)| if let Value::Text(text) = value { Some(text.as_str()) } else { None });
        distinct_names(names, (self.input, self.column))
    }

    /// Booleans and whole numbers: the class's index.
    fn ordinal(&self, names: &[String], known_threshold: Option<f64>) -> Result<Assigned, DataError> {
        let Some(positive) = names.last() else {
            return Err(DataError::NeedsLabels { input: self.input.to_owned(), column: self.column.to_owned() });
        };
        let mut classes = Vec::with_capacity(self.cells.len());
        for (place, value) in &self.cells {
            let number = self.finite_number(place, value)?;
            match (0..names.len()).find(|&index| index as f64 == number) {
                Some(index) => classes.push(index),
                None => {
                    if let Some(threshold) = known_threshold {
                        return self.above(PositiveAt::Value(threshold), names);
                    }
                    return Err(DataError::NeedsPositiveAt {
                        place: place.clone(),
                        column: self.column.to_owned(),
                        found: excerpt(&value.to_string()),
                        highest: names.len() - 1,
                        positive: positive.clone(),
                    });
                }
            }
        }
        Ok(Assigned::of_classes(names.to_vec(), classes, false))
    }

    /// Numbers at or above a threshold are the last of two labels.
    fn above(&self, positive_at: PositiveAt, names: &[String]) -> Result<Assigned, DataError> {
        let numbers = self.cells.iter().map(|(place, value)| self.finite_number(place, value)).collect::<Result<Vec<_>, _>>()?;
        let threshold = match positive_at {
            PositiveAt::Value(value) => value,
            PositiveAt::Median => median(&numbers),
        };
        let classes = numbers.iter().map(|&number| usize::from(number >= threshold)).collect();
        let fractions = numbers.iter().map(|&number| vec![1.0 - number, number]).collect();
        let assigned = Assigned::of_classes(names.to_vec(), classes, false);
        Ok(Assigned { fractions: Some(fractions), threshold: Some(threshold), ..assigned })
    }

    fn finite_number(&self, place: &Place, value: &Value) -> Result<f64, DataError> {
        number(value).filter(|number| number.is_finite()).ok_or_else(|| DataError::LabelNotNumber {
            place: place.clone(),
            column: self.column.to_owned(),
            found: excerpt(&value.to_string()),
        })
    }
}

/// Sorted distinct names. More than [`MAX_INFERRED_LABELS`] are taken for labels only where each has two rows on average: texts are mostly
/// distinct.
pub(super) fn distinct_names<'a>(
    names: impl Iterator<Item = &'a str>,
    (input, column): (&str, &str),
) -> Result<Vec<String>, DataError> {
    let (mut distinct, mut rows) = (BTreeSet::new(), 0);
    for name in names {
        distinct.insert(name);
        rows += 1;
    }
    if distinct.len() > MAX_LABELS || distinct.len() > MAX_INFERRED_LABELS.max(rows / 2) {
        let limit = if distinct.len() > MAX_LABELS { MAX_LABELS } else { MAX_INFERRED_LABELS };
        return Err(DataError::TooManyLabels { input: input.to_owned(), column: column.to_owned(), limit });
    }
    Ok(distinct.into_iter().map(str::to_owned).collect())
}

fn unknown_label(place: &Place, column: &str, (found, labels): (&str, &[String])) -> DataError {
    let (found, labels) = (excerpt(found), Names(labels.to_vec()));
    DataError::UnknownLabel { place: place.clone(), column: column.to_owned(), found, labels }
}

/// A threshold for independent labels, and which of the fractions are at or above it.
fn at_or_above(fractions: &[Vec<f64>], rule: &LabelRule) -> (f64, Vec<Vec<bool>>) {
    let threshold = match rule.positive_at {
        Some(PositiveAt::Value(value)) => value,
        _ => rule.known_threshold.unwrap_or(DEFAULT_THRESHOLD),
    };
    let row = |row: &Vec<f64>| row.iter().map(|&fraction| fraction >= threshold).collect();
    (threshold, fractions.iter().map(row).collect())
}

fn each(columns: &[String], cells: &[LabelCells], rule: &LabelRule) -> Result<Assigned, DataError> {
    let row = |cells: &LabelCells| {
        let of_column = |(value, column): (&Value, &String)| {
            number(value).filter(|number| (0.0..=1.0).contains(number)).ok_or_else(|| DataError::NotAFraction {
                place: cells.place.clone(),
                column: column.clone(),
                found: excerpt(&value.to_string()),
            })
        };
        cells.values.iter().zip(columns).map(of_column).collect()
    };
    let fractions: Vec<Vec<f64>> = cells.iter().map(row).collect::<Result<_, _>>()?;
    let (threshold, truth) = at_or_above(&fractions, rule);
    let names = columns.iter().map(|column| rule.map.renamed(column).to_owned()).collect();
    Ok(Assigned { names, truth, fractions: Some(fractions), threshold: Some(threshold), by_name: false })
}

/// A column of lists.
struct ListColumn<'a> {
    input: &'a str,
    column: &'a str,
    separator: char,
}

impl ListColumn<'_> {
    /// The names in a cell.
    fn names(&self, value: &Value) -> Vec<String> {
        let listed = |names: &mut dyn Iterator<Item = &str>| {
            names.map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
        };
        match value {
            Value::List(names) => listed(&mut names.iter().map(String::as_str)),
            value => listed(&mut value.to_string().split(self.separator)),
        }
    }
}

fn lists(list: &ListColumn, cells: &[LabelCells], (labels, rule): (&[String], &LabelRule)) -> Result<Assigned, DataError> {
    let rows: Vec<Vec<String>> = cells.iter().map(|cells| list.names(&cells.values[0])).collect();
    if !rule.map.is_empty() {
        rule.map.check_sources(list.input, &rows.iter().flatten().map(String::as_str).collect())?;
    }
    let labels = match labels {
        [] => distinct_names(rows.iter().flatten().map(|name| rule.map.renamed(name)), (list.input, list.column))?,
        labels => labels.to_vec(),
    };
    check_names(&labels)?;
    let row = |(names, cells): (&Vec<String>, &LabelCells)| {
        let mut has = vec![false; labels.len()];
        for name in names {
            let position = labels.iter().position(|label| label == rule.map.renamed(name));
            has[position.ok_or_else(|| unknown_label(&cells.place, list.column, (name, &labels)))?] = true;
        }
        Ok(has)
    };
    let truth = rows.iter().zip(cells).map(row).collect::<Result<_, DataError>>()?;
    let (threshold, _) = at_or_above(&[], rule);
    Ok(Assigned { names: labels, truth, fractions: None, threshold: Some(threshold), by_name: true })
}

/// The number that a value is or spells; false is 0 and true is 1.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Missing | Value::List(_) => None,
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
