//! Exclusive labels as they were read before [`Dataset`] had both tasks, and what it has in common with its predecessors.

use std::path::Path;

use super::dataset::{Dataset, DatasetOptions};
use super::error::DataError;
use super::label_columns::{LabelColumns, PositiveAt};
use super::multi_label::MultiLabelDataset;
use super::records::ReadOptions;
use crate::task::Task;

/// Labelled rows, however they are held.
pub trait LabelledRows {
    /// The texts.
    fn texts(&self) -> &[String];
    /// The row in the file that each text comes from, from 1.
    fn rows(&self) -> &[u64];
    /// The labels' names in order.
    fn names(&self) -> &[String];
    /// Whether the labels are exclusive or independent.
    fn task(&self) -> Task;
    /// Whether a row has a label.
    fn has(&self, row: usize, label: usize) -> bool;
    /// The number behind a row's label, if there is one.
    fn fraction(&self, row: usize, label: usize) -> Option<f64>;
}

impl LabelledRows for Dataset {
    fn texts(&self) -> &[String] {
        &self.texts
    }

    fn rows(&self) -> &[u64] {
        &self.rows
    }

    fn names(&self) -> &[String] {
        self.labels.names()
    }

    fn task(&self) -> Task {
        self.task
    }

    fn has(&self, row: usize, label: usize) -> bool {
        self.truth[row][label]
    }

    fn fraction(&self, row: usize, label: usize) -> Option<f64> {
        self.fractions.as_ref().map(|fractions| fractions[row][label])
    }
}

impl LabelledRows for LabelledDataset {
    fn texts(&self) -> &[String] {
        &self.texts
    }

    fn rows(&self) -> &[u64] {
        &self.rows
    }

    fn names(&self) -> &[String] {
        &self.label_names
    }

    fn task(&self) -> Task {
        Task::SingleLabel
    }

    fn has(&self, row: usize, label: usize) -> bool {
        self.labels[row] == label
    }

    fn fraction(&self, row: usize, label: usize) -> Option<f64> {
        let fraction = self.fractions.as_ref().map(|fractions| fractions[row])?;
        Some(if label == 0 { 1.0 - fraction } else { fraction })
    }
}

impl LabelledRows for MultiLabelDataset {
    fn texts(&self) -> &[String] {
        &self.texts
    }

    fn rows(&self) -> &[u64] {
        &self.rows
    }

    fn names(&self) -> &[String] {
        &self.label_names
    }

    fn task(&self) -> Task {
        Task::MultiLabel
    }

    fn has(&self, row: usize, label: usize) -> bool {
        self.labels[row][label]
    }

    fn fraction(&self, row: usize, label: usize) -> Option<f64> {
        Some(self.fractions[row][label])
    }
}

/// Which columns hold texts and labels, and how labels become classes.
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

impl LabelledDatasetOptions {
    fn dataset(&self) -> DatasetOptions {
        let labels = LabelColumns::One { column: self.label_column.clone(), labels: self.labels.clone() };
        DatasetOptions { positive_at: self.positive_at, strict: true, ..DatasetOptions::new(&self.text_column, labels) }
    }
}

/// Texts with the class of each. All vectors but `label_names` have one entry per row.
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

impl From<Dataset> for LabelledDataset {
    fn from(dataset: Dataset) -> Self {
        let last = dataset.labels.len() - 1;
        Self {
            labels: dataset.classes(),
            texts: dataset.texts,
            label_names: dataset.labels.into(),
            fractions: dataset.fractions.map(|rows| rows.into_iter().map(|row| row[last]).collect()),
            rows: dataset.rows,
            cut: dataset.threshold,
        }
    }
}

impl LabelledDataset {
    /// Reads a file, as [`Dataset::read`] does when it is strict.
    ///
    /// # Errors
    /// As [`Dataset::read`].
    pub fn read(path: &Path, read: &ReadOptions, options: &LabelledDatasetOptions) -> Result<Self, DataError> {
        Dataset::read(path, read, &options.dataset()).map(Self::from)
    }

    /// Reads standard input; otherwise as [`LabelledDataset::read`].
    ///
    /// # Errors
    /// As [`LabelledDataset::read`].
    pub fn read_stdin(read: &ReadOptions, options: &LabelledDatasetOptions) -> Result<Self, DataError> {
        Dataset::read_stdin(read, &options.dataset()).map(Self::from)
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
