//! Rows as Python hands them over.

use crate::error::raised;
use lincah::data::dataset::KeptColumn;
use lincah::data::in_memory::Rows;
use lincah::{Dataset, LabelSet, Task};
use pyo3::prelude::*;

/// The class of each row of exclusive labels, or whether each row has each of independent ones.
#[derive(FromPyObject)]
pub(crate) enum Truth {
    Classes(Vec<usize>),
    Matrix(Vec<Vec<bool>>),
}

/// Texts, labels and what belongs to each row; attributes of `lincah._data.Rows`.
#[derive(FromPyObject)]
pub(crate) struct GivenRows {
    texts: Vec<String>,
    labels: Vec<String>,
    truth: Truth,
    weights: Option<Vec<f64>>,
    columns: Vec<(String, Vec<String>)>,
}

impl GivenRows {
    pub(crate) fn dataset(self) -> PyResult<Dataset> {
        let Self { texts, labels, truth, weights, columns } = self;
        let labels = LabelSet::new(labels).map_err(raised)?;
        let (task, truth) = match truth {
            Truth::Matrix(truth) => (Task::MultiLabel, truth),
            Truth::Classes(classes) => {
                let row = |class: usize| (0..labels.len()).map(|label| label == class).collect();
                (Task::SingleLabel, classes.into_iter().map(row).collect())
            }
        };
        let column = |(name, values)| KeptColumn { name, values, is_group: false };
        let columns = columns.into_iter().map(column).collect();
        Dataset::from_rows(task, labels, Rows { texts, truth, weights, columns }).map_err(raised)
    }
}
