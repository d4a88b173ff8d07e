//! Labelled texts that a program has in memory.

use super::dataset::{Dataset, KeptColumn};
use super::error::DataError;
use super::skipped::{self, SkipReason, SkippedRow};
use crate::label::LabelSet;
use crate::task::Task;

/// What messages call rows that come from no file.
const INPUT: &str = "the data";

/// Texts with what belongs to each, row by row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    /// The texts.
    pub texts: Vec<String>,
    /// Whether each row has each label; exactly one of exclusive labels. `[rows][labels]`
    pub truth: Vec<Vec<bool>>,
    /// How much each row counts in a training; all alike if there are none.
    pub weights: Option<Vec<f64>>,
    /// Further columns.
    pub columns: Vec<KeptColumn>,
}

/// Rows that do not fit together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RowsError {
    /// Parts of rows that are not as many as the texts.
    #[error("there are {found} {part} for {texts} texts")]
    RowsDiffer {
        /// What there is another number of.
        part: String,
        /// How many.
        found: usize,
        /// How many texts.
        texts: usize,
    },
    /// A row whose labels are not those that the task allows.
    #[error("row {row} must have {} of the {labels} labels", if *task == Task::SingleLabel { "exactly one" } else { "any number" })]
    RowLabels {
        /// The row, from 1.
        row: u64,
        /// The task.
        task: Task,
        /// The labels.
        labels: usize,
    },
    /// A weight that is none.
    #[error("the weight of row {row} is no finite number from 0 up")]
    RowWeight {
        /// The row, from 1.
        row: u64,
    },
}

impl Dataset {
    /// The rows as a data set. Rows with a blank text are left out, as those of a file are; so are those that count nothing.
    ///
    /// # Errors
    /// [`RowsError::RowsDiffer`] for parts of different lengths, [`RowsError::RowLabels`] for a row that does not fit the labels,
    /// [`RowsError::RowWeight`] for a weight that is no finite number from 0, [`DataError::NoUsableRows`].
    pub fn from_rows(task: Task, labels: LabelSet, rows: Rows) -> Result<Self, DataError> {
        let Rows { texts, truth, weights, columns } = rows;
        let counts = [("labels", truth.len()), ("weights", weights.as_ref().map_or(texts.len(), Vec::len))];
        let of_columns = columns.iter().map(|column| (column.name.as_str(), column.values.len()));
        if let Some((part, found)) = counts.into_iter().chain(of_columns).find(|&(_, count)| count != texts.len()) {
            return Err(RowsError::RowsDiffer { part: part.to_owned(), found, texts: texts.len() }.into());
        }
        let fits = |row: &Vec<bool>| {
            row.len() == labels.len() && (task == Task::MultiLabel || row.iter().filter(|&&has| has).count() == 1)
        };
        if let Some(row) = truth.iter().position(|row| !fits(row)) {
            return Err(RowsError::RowLabels { row: row as u64 + 1, task, labels: labels.len() }.into());
        }
        let is_weight = |weight: &f64| (0.0..f64::INFINITY).contains(weight);
        if let Some(row) = weights.iter().flatten().position(|weight| !is_weight(weight)) {
            return Err(RowsError::RowWeight { row: row as u64 + 1 }.into());
        }
        let is_blank = |row: &usize| texts[*row].trim().is_empty();
        let counts = |row: &usize| weights.as_ref().is_none_or(|weights| weights[*row] > 0.0);
        let skipped: Vec<SkippedRow> = (0..texts.len())
            .filter(is_blank)
            .map(|row| SkippedRow { row: row as u64 + 1, reason: SkipReason::EmptyText })
            .collect();
        let usable: Vec<usize> = (0..texts.len()).filter(|row| !is_blank(row) && counts(row)).collect();
        if usable.is_empty() {
            let reasons = skipped::summary(&skipped, texts.len()).unwrap_or_default();
            return Err(DataError::NoUsableRows { input: INPUT.to_owned(), reasons });
        }
        let all = Self {
            rows: (1..=texts.len() as u64).collect(),
            texts,
            labels,
            task,
            truth,
            fractions: None,
            threshold: (task == Task::MultiLabel).then_some(crate::prediction::DEFAULT_THRESHOLD),
            skipped: Vec::new(),
            columns,
            weights,
        };
        let all = if usable.len() == all.len() { all } else { all.subset(&usable) };
        Ok(Self { skipped, ..all })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(texts: &[&str], truth: &[[bool; 2]]) -> Rows {
        let truth = truth.iter().map(|row| row.to_vec()).collect();
        Rows { texts: texts.iter().map(ToString::to_string).collect(), truth, ..Rows::default() }
    }

    fn labels() -> LabelSet {
        LabelSet::new(["no", "yes"]).unwrap()
    }

    #[test]
    fn blank_rows_and_those_that_count_nothing_are_left_out_with_all_that_is_theirs() {
        let column = KeptColumn { name: "who".into(), values: ["a", "b", "c", "d"].map(String::from).into(), is_group: false };
        let given = rows(&["x", " ", "y", "z"], &[[true, false], [true, false], [false, true], [false, true]]);
        let given = Rows { weights: Some(vec![1.0, 2.0, 0.0, 3.0]), columns: vec![column], ..given };
        let data = Dataset::from_rows(Task::SingleLabel, labels(), given).unwrap();
        assert_eq!((data.texts.as_slice(), data.rows.as_slice()), (&["x".to_owned(), "z".to_owned()][..], &[1, 4][..]));
        assert_eq!((data.weights, data.truth), (Some(vec![1.0, 3.0]), vec![vec![true, false], vec![false, true]]));
        assert_eq!(data.columns[0].values, ["a", "d"]);
        assert_eq!(data.skipped, [SkippedRow { row: 2, reason: SkipReason::EmptyText }]);
    }

    #[test]
    fn rows_that_do_not_fit_together_are_refused() {
        let refused = |task, rows| Dataset::from_rows(task, labels(), rows).unwrap_err().to_string();
        let both = rows(&["x"], &[[true, true]]);
        assert!(refused(Task::SingleLabel, both.clone()).starts_with("row 1 must have exactly one of the 2 labels"));
        assert!(Dataset::from_rows(Task::MultiLabel, labels(), both).is_ok());
        assert!(refused(Task::SingleLabel, rows(&["x", "y"], &[[true, false]])).contains("1 labels for 2 texts"));
        let weighted = Rows { weights: Some(vec![f64::NAN]), ..rows(&["x"], &[[true, false]]) };
        assert!(refused(Task::SingleLabel, weighted).starts_with("the weight of row 1 is no"));
        assert!(refused(Task::SingleLabel, rows(&[" "], &[[true, false]])).contains("the text is empty"));
    }
}
