//! Independent labels as they were read before [`Dataset`] had both tasks.

use std::path::Path;

use super::dataset::{Dataset, DatasetOptions};
use super::error::DataError;
use super::records::ReadOptions;

pub use super::label_columns::{LabelColumns, PositiveAt};

/// Which columns hold texts and labels.
#[derive(Debug, Clone, PartialEq)]
pub struct MultiLabelOptions {
    /// The column with the texts.
    pub text_column: String,
    /// The column or columns with the labels.
    pub labels: LabelColumns,
    /// From which fraction on a row has a label.
    pub cut: f64,
}

/// Texts with the labels of each. All vectors but `label_names` have one entry per row.
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
    /// Reads a file, as [`Dataset::read`] does when it is strict.
    ///
    /// # Errors
    /// As [`Dataset::read`].
    pub fn read(path: &Path, read: &ReadOptions, options: &MultiLabelOptions) -> Result<Self, DataError> {
        Dataset::read(path, read, &options.dataset()).map(Self::from)
    }

    /// Reads standard input; otherwise as [`MultiLabelDataset::read`].
    ///
    /// # Errors
    /// As [`MultiLabelDataset::read`].
    pub fn read_stdin(read: &ReadOptions, options: &MultiLabelOptions) -> Result<Self, DataError> {
        Dataset::read_stdin(read, &options.dataset()).map(Self::from)
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

impl From<Dataset> for MultiLabelDataset {
    fn from(dataset: Dataset) -> Self {
        let of_truth = |row: &Vec<bool>| row.iter().map(|&has| f64::from(u8::from(has))).collect();
        Self {
            texts: dataset.texts,
            label_names: dataset.labels.into(),
            fractions: dataset.fractions.unwrap_or_else(|| dataset.truth.iter().map(of_truth).collect()),
            labels: dataset.truth,
            rows: dataset.rows,
            cut: dataset.threshold.unwrap_or(crate::prediction::DEFAULT_THRESHOLD),
        }
    }
}

impl MultiLabelOptions {
    fn dataset(&self) -> DatasetOptions {
        let positive_at = Some(PositiveAt::Value(self.cut));
        DatasetOptions { positive_at, strict: true, ..DatasetOptions::new(&self.text_column, self.labels.clone()) }
    }
}
