//! Labelled texts of either task, read from records. How columns become labels is told in [`label_columns`](super::label_columns).

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

use super::error::DataError;
use super::groups::{group_holdout, group_numbers, stratified_groups};
use super::label_columns::{Assigned, LabelCells, LabelRule};
use super::label_map::LabelMap;
use super::moment::Moment;
use super::place::{Names, excerpt};
use super::records::{ReadOptions, RecordReader};
use super::skipped::{self, SkippedRow};
use super::split::{Sides, Split, numpy_permutation, sides, stratified_folds, validation_split};
use super::split_error::SplitError;
use super::stratification::{multi_label_folds, multi_label_validation_split};
use super::text_columns::TextColumns;
use crate::label::LabelSet;
use crate::task::Task;

pub use super::label_columns::{LabelColumns, MAX_INFERRED_LABELS, PositiveAt};

/// Which columns hold texts and labels, and how labels become those of the data set.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetOptions {
    /// The column or columns that make a text.
    pub text_columns: TextColumns,
    /// The column or columns with the labels.
    pub labels: LabelColumns,
    /// From which number on a row has the last of two exclusive labels, or an independent label.
    pub positive_at: Option<PositiveAt>,
    /// Where `positive_at` is none: the threshold of a classifier that was trained on numbers, for data that are numbers too.
    pub known_threshold: Option<f64>,
    /// Which of two exclusive labels is the positive class: it is put last. Where numbers or booleans are the classes, their order says
    /// which it is, and another one here is refused.
    pub positive: Option<String>,
    /// Other names for the labels in the data.
    pub label_map: LabelMap,
    /// Refuses rows without text or label, which are otherwise left out and listed in [`Dataset::skipped`].
    pub strict: bool,
    /// Further columns to keep beside the rows, such as authors, dates or groups: [`Dataset::columns`].
    pub keep_columns: Vec<String>,
    /// The column of what belongs together, such as an author or a thread: no split and no fold divides its rows.
    pub group: Option<String>,
}

impl DatasetOptions {
    /// Texts in one column, and labels; all else as it is by default.
    pub fn new(text_column: impl Into<String>, labels: LabelColumns) -> Self {
        let text_columns = TextColumns::new([text_column.into()]);
        let label_map = LabelMap::default();
        Self {
            text_columns,
            labels,
            positive_at: None,
            known_threshold: None,
            positive: None,
            label_map,
            strict: false,
            keep_columns: Vec::new(),
            group: None,
        }
    }

    fn rule(&self) -> LabelRule<'_> {
        LabelRule { positive_at: self.positive_at, known_threshold: self.known_threshold, map: &self.label_map }
    }

    fn check(&self) -> Result<(), DataError> {
        self.labels.check(&self.rule())?;
        let columns = self.labels.columns();
        match (self.text_columns.columns.as_slice(), &self.positive) {
            ([], _) => Err(DataError::NoTextColumn),
            (_, Some(positive)) if self.labels.task() == Task::MultiLabel => {
                Err(DataError::Positive { positive: positive.clone(), labels: Names(columns) })
            }
            (texts, _) => match texts.iter().find(|column| columns.contains(column)) {
                Some(column) => Err(DataError::SameColumn { column: column.clone() }),
                None => Ok(()),
            },
        }
    }

    /// The columns beside texts and labels, that of the groups among them.
    fn kept(&self) -> Vec<String> {
        let group = self.group.iter().filter(|group| !self.keep_columns.contains(group));
        self.keep_columns.iter().chain(group).cloned().collect()
    }

    /// The text columns, then those of the labels, then those to keep.
    fn columns(&self, read: &ReadOptions) -> ReadOptions {
        let columns = [self.text_columns.columns.clone(), self.labels.columns(), self.kept()].concat();
        ReadOptions { columns: Some(columns), and_all: false, ..read.clone() }
    }
}

/// Rows that are kept from all trainings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeldOut {
    /// So many, drawn by a seed.
    Rows(usize),
    /// Those later than a moment.
    After {
        /// The moment.
        moment: Moment,
        /// The kept column of the rows' moments.
        column: String,
    },
}

/// A further column of a data set, its values as they are shown; an empty one where a row has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptColumn {
    /// The column's name.
    pub name: String,
    /// A value per row.
    pub values: Vec<String>,
    /// Whether rows with one value belong together.
    pub is_group: bool,
}

impl KeptColumn {
    fn subset(&self, indices: &[usize]) -> Self {
        let values = indices.iter().map(|&index| self.values[index].clone()).collect();
        Self { name: self.name.clone(), values, is_group: self.is_group }
    }
}

/// Texts with the labels of each. All vectors but `skipped` and `columns` have an entry per row.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// The texts.
    pub texts: Vec<String>,
    /// The row in the file that each text comes from, from 1.
    pub rows: Vec<u64>,
    /// The labels in order; the last of two exclusive ones is the positive class.
    pub labels: LabelSet,
    /// Whether the labels are exclusive or independent.
    pub task: Task,
    /// Whether each row has each label; exactly one of exclusive labels. `[rows][labels]`
    pub truth: Vec<Vec<bool>>,
    /// The data's numbers, where they are numbers: [1 - f, f] for the number f of exclusive labels, else a fraction per label.
    /// `[rows][labels]`
    pub fractions: Option<Vec<Vec<f64>>>,
    /// What made labels of numbers, the median's value if that was asked for. Independent labels always have one, though with lists it
    /// decides nothing.
    pub threshold: Option<f64>,
    /// Rows of the file that were left out. A subset has none.
    pub skipped: Vec<SkippedRow>,
    /// The columns of [`DatasetOptions::keep_columns`].
    pub columns: Vec<KeptColumn>,
    /// How much each row counts in a training, above 0; all alike if there are none.
    pub weights: Option<Vec<f64>>,
}

impl Dataset {
    /// Reads a file, or standard input for the path `-`. Format and delimiter are found unless `read` gives them (its columns are ignored).
    ///
    /// # Errors
    /// Those of [`RecordReader`]; columns, labels or a threshold that do not fit together; a value that is no label, with its row; fewer
    /// than two classes of exclusive labels among the rows; no usable row; with [`DatasetOptions::strict`], a row without text or label.
    pub fn read(path: &Path, read: &ReadOptions, options: &DatasetOptions) -> Result<Self, DataError> {
        options.check()?;
        Self::from_records(RecordReader::open(path, &options.columns(read))?, options)
    }

    /// Reads a stream that messages call `name`; otherwise as [`Dataset::read`].
    ///
    /// # Errors
    /// As [`Dataset::read`].
    pub fn from_reader(
        name: &str,
        reader: Box<dyn Read + Send>,
        read: &ReadOptions,
        options: &DatasetOptions,
    ) -> Result<Self, DataError> {
        options.check()?;
        Self::from_records(RecordReader::from_reader(name, reader, &options.columns(read))?, options)
    }

    fn from_records(reader: RecordReader, options: &DatasetOptions) -> Result<Self, DataError> {
        let input = reader.input().to_owned();
        let (mut texts, mut cells, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
        let named = |name: String| KeptColumn { is_group: options.group.as_ref() == Some(&name), name, values: Vec::new() };
        let mut columns: Vec<KeptColumn> = options.kept().into_iter().map(named).collect();
        for record in reader {
            let mut record = record?;
            let text = options.text_columns.of(&record);
            let mut values = record.values.split_off(options.text_columns.columns.len());
            let kept = values.split_off(values.len() - columns.len());
            match text.and_then(|text| options.labels.check_present(&record.place, &values).map(|()| text)) {
                Ok(text) => {
                    texts.push(text);
                    columns.iter_mut().zip(kept).for_each(|(column, value)| column.values.push(value.to_string()));
                    cells.push(LabelCells { place: record.place, values });
                }
                Err(error) => match error.skip_reason().filter(|_| !options.strict) {
                    Some(reason) => skipped.push(SkippedRow { row: record.place.row, reason }),
                    None => return Err(error),
                },
            }
        }
        if texts.is_empty() {
            let reasons = skipped::summary(&skipped, skipped.len()).unwrap_or_default();
            return Err(DataError::NoUsableRows { input, reasons });
        }
        let assigned = options.labels.assign(&input, &cells, &options.rule())?;
        let task = options.labels.task();
        if let (Task::SingleLabel, Some(class)) = (task, only_class(&assigned.truth)) {
            return Err(DataError::OneClass { input, rows: texts.len(), label: excerpt(&assigned.names[class]) });
        }
        let Assigned { names, truth, fractions, threshold, by_name } = assigned;
        let labels = LabelSet::new(names)?;
        let rows = cells.iter().map(|cells| cells.place.row).collect();
        let dataset = Self { texts, rows, labels, task, truth, fractions, threshold, skipped, columns, weights: None };
        match &options.positive {
            Some(positive) => dataset.positive_last(positive, by_name),
            None => Ok(dataset),
        }
    }

    /// The same with `positive` as the last of two labels.
    ///
    /// # Errors
    /// Another number of labels, or none of that name.
    pub fn with_positive(self, positive: &str) -> Result<Self, DataError> {
        self.positive_last(positive, true)
    }

    fn positive_last(mut self, positive: &str, by_name: bool) -> Result<Self, DataError> {
        let names = self.labels.names();
        let refused = || DataError::Positive { positive: positive.to_owned(), labels: Names(names.to_vec()) };
        match self.labels.position(positive) {
            Some(_) if names.len() != 2 => return Err(refused()),
            None => return Err(refused()),
            Some(1) => return Ok(self),
            Some(_) if !by_name => {
                return Err(DataError::PositiveOfNumbers {
                    positive: positive.to_owned(),
                    last: self.labels.positive().to_owned(),
                });
            }
            Some(_) => {}
        }
        self.labels = LabelSet::new(names.iter().rev().cloned())?;
        self.truth.iter_mut().for_each(|row| row.reverse());
        Ok(self)
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Questions that a model is asked about each row: one, or one for each independent label.
    pub fn questions_per_row(&self) -> usize {
        match self.task {
            Task::SingleLabel => 1,
            Task::MultiLabel => self.labels.len(),
        }
    }

    /// Questions about all rows.
    pub fn questions(&self) -> usize {
        self.len() * self.questions_per_row()
    }

    /// Whether there are no rows, as in a subset of none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The rows at `indices`, in that order (panics if there is no such row, as indexing does).
    pub fn subset(&self, indices: &[usize]) -> Self {
        Self {
            texts: indices.iter().map(|&index| self.texts[index].clone()).collect(),
            rows: indices.iter().map(|&index| self.rows[index]).collect(),
            labels: self.labels.clone(),
            task: self.task,
            truth: indices.iter().map(|&index| self.truth[index].clone()).collect(),
            fractions: self.fractions.as_ref().map(|all| indices.iter().map(|&index| all[index].clone()).collect()),
            threshold: self.threshold,
            skipped: Vec::new(),
            columns: self.columns.iter().map(|column| column.subset(indices)).collect(),
            weights: self.weights.as_ref().map(|all| indices.iter().map(|&index| all[index]).collect()),
        }
    }

    /// The values of a kept column, if it was kept.
    pub fn column(&self, name: &str) -> Option<&[String]> {
        self.columns.iter().find(|column| column.name == name).map(|column| column.values.as_slice())
    }

    /// How much a row counts in a training.
    pub fn weight(&self, row: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |weights| weights[row])
    }

    /// The class of a row: the first label that it has, which is the only one if labels are exclusive. A row without any is of the first
    /// class, so ask for exclusive labels only.
    pub fn class_of(&self, row: usize) -> usize {
        self.truth[row].iter().position(|&has| has).unwrap_or(0)
    }

    /// The class of each row, see [`Dataset::class_of`].
    pub fn classes(&self) -> Vec<usize> {
        (0..self.len()).map(|row| self.class_of(row)).collect()
    }

    /// How many rows have a label.
    pub fn positives(&self, label: usize) -> usize {
        self.truth.iter().filter(|row| row[label]).count()
    }

    /// How many rows have each label.
    pub fn label_rows(&self) -> Vec<usize> {
        (0..self.labels.len()).map(|label| self.positives(label)).collect()
    }

    /// The fractions as soft targets: probabilities of each row's labels. `[rows][labels]`
    ///
    /// # Errors
    /// [`DataError::NoFractions`] where the data are no numbers, [`DataError::FractionOutside`].
    pub fn soft_targets(&self) -> Result<&[Vec<f64>], DataError> {
        let fractions = self.fractions.as_ref().ok_or(DataError::NoFractions)?;
        let outside = |row: &Vec<f64>| row.iter().rev().copied().find(|fraction| !(0.0..=1.0).contains(fraction));
        match fractions.iter().zip(&self.rows).find_map(|(row, &number)| Some((number, outside(row)?))) {
            Some((row, fraction)) => Err(DataError::FractionOutside { row, fraction }),
            None => Ok(fractions),
        }
    }

    /// Refuses rows from which nothing could be learned: none at all, all of one class, or none or all with one of the labels.
    ///
    /// # Errors
    /// [`DataError::NoTrainingRows`], [`DataError::OneClassToTrain`], [`DataError::OneAnswer`].
    pub fn check_trainable(&self) -> Result<(), DataError> {
        let rows = self.len();
        if rows == 0 {
            return Err(DataError::NoTrainingRows);
        }
        if let (Task::SingleLabel, Some(class)) = (self.task, only_class(&self.truth)) {
            return Err(DataError::OneClassToTrain { rows, label: self.labels.names()[class].clone() });
        }
        for (label, positives) in self.labels.names().iter().zip(self.label_rows()) {
            if positives == 0 || positives == rows {
                return Err(DataError::OneAnswer { label: label.clone(), rows, all: positives > 0 });
            }
        }
        Ok(())
    }

    /// One line about the rows that were left out while reading, if there are any.
    pub fn skipped_summary(&self) -> Option<String> {
        skipped::summary(&self.skipped, self.len() + self.skipped.len())
    }

    /// The number of each row's group, where rows belong together.
    pub fn groups(&self) -> Option<Vec<usize>> {
        self.columns.iter().find(|column| column.is_group).map(|column| group_numbers(&column.values))
    }

    /// Rows to train on and rows to test on: those that are held out by number, in whole groups where rows belong together, or by time; of
    /// the others only the first `train_size` if it is given. Without a holdout they are in their order.
    ///
    /// # Errors
    /// [`DataError::Holdout`] if a side is empty, [`DataError::TrainSize`] if `train_size` is 0 or more than there are;
    /// [`SplitError::MomentOfRow`], [`DataError::HoldoutAfter`], [`DataError::NoSplitColumn`].
    pub fn sides(&self, held_out: Option<&HeldOut>, seed: u32, train_size: Option<usize>) -> Result<Sides, DataError> {
        let (mut train, test) = match (held_out, self.groups()) {
            (None, _) => return sides(self.len(), None, seed, train_size),
            (Some(HeldOut::Rows(rows)), None) => return sides(self.len(), Some(*rows), seed, train_size),
            (Some(HeldOut::Rows(rows)), Some(groups)) => {
                let Split { train, test } = group_holdout(&groups, *rows, seed)?;
                (train, test)
            }
            (Some(HeldOut::After { moment, column }), groups) => self.later(*moment, column, groups, seed)?,
        };
        if train_size.is_some_and(|size| size == 0 || size > train.len()) {
            return Err(DataError::TrainSize { train_size: train_size.unwrap_or(0), available: train.len() });
        }
        train.truncate(train_size.unwrap_or(train.len()));
        Ok(Sides { train, test: Some(test) })
    }

    /// The rows up to a moment in a drawn order, and those after it in theirs. Groups with rows on both sides lose the earlier ones.
    fn later(
        &self,
        moment: Moment,
        column: &str,
        groups: Option<Vec<usize>>,
        seed: u32,
    ) -> Result<(Vec<usize>, Vec<usize>), DataError> {
        let values = self.column(column).ok_or_else(|| SplitError::NoSplitColumn { column: column.to_owned() })?;
        let is_later = |(value, &row): (&String, &u64)| {
            let of_row = |_| SplitError::MomentOfRow { row, column: column.to_owned(), found: excerpt(value) };
            Ok(value.parse::<Moment>().map_err(of_row)? > moment)
        };
        let is_later: Vec<bool> = values.iter().zip(&self.rows).map(is_later).collect::<Result<_, SplitError>>()?;
        let test: Vec<usize> = (0..self.len()).filter(|&row| is_later[row]).collect();
        let held: Option<HashSet<usize>> = groups.as_ref().map(|groups| test.iter().map(|&row| groups[row]).collect());
        let is_held = |row: usize| groups.as_ref().zip(held.as_ref()).is_some_and(|(groups, held)| held.contains(&groups[row]));
        let train: Vec<usize> =
            numpy_permutation(seed, self.len()).into_iter().filter(|&row| !is_later[row] && !is_held(row)).collect();
        if test.is_empty() || train.is_empty() {
            return Err(DataError::Holdout { rows: self.len(), holdout: test.len() });
        }
        Ok((train, test))
    }

    /// Splits the rows so that about `fraction` of them, and of those with each label, are on the validation side (`test`): by
    /// [`stratified_groups`] if rows belong together, by [`validation_split`] if labels are exclusive, else by
    /// [`multi_label_validation_split`].
    ///
    /// # Errors
    /// [`DataError::ValidationFraction`]; [`DataError::ValidationLabel`] for an exclusive label of one row; [`DataError::Holdout`] if a
    /// side is empty.
    pub fn validation_split(&self, fraction: f64, seed: u32) -> Result<Split, DataError> {
        if let Some(groups) = self.groups() {
            if !(fraction > 0.0 && fraction < 1.0) {
                return Err(DataError::ValidationFraction { fraction });
            }
            let part_of = stratified_groups(&groups, &self.truth, &[1.0 - fraction, fraction], seed);
            let (test, train): (Vec<usize>, Vec<usize>) = (0..self.len()).partition(|&row| part_of[row] == 1);
            let is_empty = test.is_empty() || train.is_empty();
            return if is_empty {
                Err(DataError::Holdout { rows: self.len(), holdout: test.len() })
            } else {
                Ok(Split { train, test })
            };
        }
        match self.task {
            Task::SingleLabel => validation_split(&self.classes(), fraction, seed).map_err(|error| match error {
                DataError::ValidationClass { label, .. } => {
                    DataError::ValidationLabel { label: self.labels.names()[label].clone() }
                }
                error => error,
            }),
            Task::MultiLabel => multi_label_validation_split(&self.truth, fraction, seed),
        }
    }

    /// The fold, from 0, in which each row is tested: by [`stratified_groups`] if rows belong together, by [`stratified_folds`] if labels are
    /// exclusive, else by [`multi_label_folds`].
    ///
    /// # Errors
    /// [`DataError::Folds`], [`DataError::MultiLabelFolds`], [`SplitError::GroupFolds`].
    pub fn folds(&self, folds: usize, seed: u32) -> Result<Vec<usize>, DataError> {
        if let Some(groups) = self.groups() {
            let found = groups.iter().max().map_or(0, |most| most + 1);
            if folds < 2 || folds > found {
                return Err(SplitError::GroupFolds { folds, groups: found }.into());
            }
            return Ok(stratified_groups(&groups, &self.truth, &vec![1.0 / folds as f64; folds], seed));
        }
        match self.task {
            Task::SingleLabel => stratified_folds(&self.classes(), folds, seed),
            Task::MultiLabel => multi_label_folds(&self.truth, folds, seed),
        }
    }
}

/// The class that all rows have, if they all have the same.
fn only_class(truth: &[Vec<bool>]) -> Option<usize> {
    let first = truth.first()?;
    truth.iter().all(|row| row == first).then(|| first.iter().position(|&has| has))?
}
