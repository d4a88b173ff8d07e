//! The rows that a trained classifier is scored on, and whether it was trained on them.

use super::folder::ClassifierRecord;
use super::remembered::UnseenRows;
use crate::data::DataError;
use crate::data::dataset::{Dataset, DatasetOptions};
use crate::data::records::ReadOptions;
use crate::error::Error;
use std::path::Path;

/// What is known of a classifier's training rows, given rows to score and the others of the same file.
#[derive(Debug, Clone, PartialEq)]
pub enum TrainingRows {
    /// The rows to score are the very rows that it was trained on.
    Scored,
    /// They are among the others: these.
    Others(Box<Dataset>),
    /// The others are not those that it was trained on, so some of the rows to score may be.
    NotAmongOthers,
    /// There are no others to look at.
    Unknown,
}

impl ClassifierRecord {
    /// Looks for the rows that the classifier was trained on. `train --train-size` takes the first of them.
    pub fn find_training_rows(&self, scored: &Dataset, others: Option<&Dataset>) -> TrainingRows {
        if self.was_trained_on(scored) {
            return TrainingRows::Scored;
        }
        let Some(others) = others else { return TrainingRows::Unknown };
        let trained_on = self.data.rows + self.data.validation_rows;
        let train = others.subset(&(0..trained_on.min(others.len())).collect::<Vec<_>>());
        if self.was_trained_on(&train) { TrainingRows::Others(Box::new(train)) } else { TrainingRows::NotAmongOthers }
    }

    /// The rows of `data` that the classifier was not trained on; all rows, counted, where those are to be `included` too.
    ///
    /// # Errors
    /// [`Error::OnlyTrainingRows`] where none is left.
    pub fn unseen(&self, data: Dataset, included: bool) -> Result<UnseenRows, Error> {
        UnseenRows::of(self.training_rows.as_ref(), data, included)
    }

    /// Reads labelled rows for the classifier: its labels in its order, and numbers made labels of as in training unless `options` say
    /// otherwise. Where `options` name no columns of independent labels, they are named as the labels; other columns are taken in the labels'
    /// order. `-` is standard input.
    ///
    /// # Errors
    /// As [`Dataset::read`]; another number of columns than labels.
    pub fn read_rows(&self, path: &Path, read: &ReadOptions, options: &DatasetOptions) -> Result<Dataset, DataError> {
        let labels = self.prompt.labels();
        let columns = options.labels.for_labels(labels)?;
        let data = Dataset::read(
            path,
            read,
            &DatasetOptions { labels: columns, known_threshold: self.data.threshold, ..options.clone() },
        )?;
        Ok(Dataset { labels: labels.clone(), ..data })
    }
}
