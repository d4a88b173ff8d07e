//! Calibration and decisions of a trained classifier: chosen on scored rows, stored with it.

use super::AgileClassifier;
use super::folder::{ClassifierRecord, DecisionRecord};
use crate::cascade::CascadeRows;
use crate::data::dataset::Dataset;
use crate::data::split::dealt_folds;
use crate::data::stratification::multi_label_folds;
use crate::decisions::{Decided, DecisionRequest, DecisionSource, decide};
use crate::error::Error;
use crate::evaluation::Truth;
use crate::task::Task;
use lincah_model::ModelError;
use std::path::Path;

/// Folds of rows that choose decisions, where they have none of their own.
const FOLDS: usize = 5;
const FOLD_SEED: u32 = 1;

impl AgileClassifier {
    /// Chooses calibration and decisions on rows that the classifier was not trained on, and keeps them in place of those it has.
    ///
    /// # Errors
    /// As [`decide`] and [`AgileClassifier::predict`]; an untrained classifier; data with other labels.
    pub fn calibrate(&mut self, data: &Dataset, request: &DecisionRequest) -> Result<&DecisionRecord, Error> {
        self.calibrate_with(data, request, DecisionSource::Rows)
    }

    pub(crate) fn calibrate_with(
        &mut self,
        data: &Dataset,
        request: &DecisionRequest,
        source: DecisionSource,
    ) -> Result<&DecisionRecord, Error> {
        self.check_labels(data)?;
        let (probabilities, members): (Vec<Vec<f64>>, Vec<Vec<Vec<f64>>>) =
            self.score(&data.texts)?.into_iter().map(|text| (text.probabilities, text.members)).unzip();
        let fold_of = folds_to_decide(data)?;
        let rows = RowsToDecide { truth: data.truth(), probabilities: &probabilities, members: &members, fold_of: &fold_of };
        let record = self.record.as_mut().ok_or(ModelError::NothingToTrain)?;
        if let Some(remembered) = &mut record.training_rows {
            remembered.set_chose(&data.texts);
        }
        self.decide_on(rows, request, source)
    }

    /// Chooses calibration, decisions and, of several members, the cascade on scored rows.
    pub(crate) fn decide_on(
        &mut self,
        rows: RowsToDecide,
        request: &DecisionRequest,
        source: DecisionSource,
    ) -> Result<&DecisionRecord, Error> {
        let RowsToDecide { truth, probabilities, members, fold_of } = rows;
        let to_come = self.record.as_ref().map_or(0, |record| record.members_to_come);
        if to_come > 0 {
            return Err(Error::UnfinishedCommittee { to_come });
        }
        let decided = decide(truth, probabilities, fold_of, request)?;
        let count = self.members.all.len();
        let is_of_all = count > 1 && members.iter().all(|of_members| of_members.len() == count);
        let first: Option<Vec<Vec<f64>>> = is_of_all.then(|| members.iter().map(|of_members| of_members[0].clone()).collect());
        let cascade = match first {
            None => None,
            Some(first) => {
                let all: Vec<Vec<f64>> = probabilities.iter().map(|row| decided.calibration.apply(truth.task, row)).collect();
                let (rule, choice) = (&decided.rule, request.calibration);
                Some(CascadeRows { truth, first: &first, all: &all, fold_of, rule, choice }.measured(source)?)
            }
        };
        let record = self.record.as_mut().ok_or(ModelError::NothingToTrain)?;
        let Decided { calibration, rule, points, before, after, out_of_reach } = decided;
        record.calibration = (!calibration.is_none()).then(|| calibration.clone());
        record.decision_rule = rule.clone();
        // What was measured with other decisions is not true of these.
        record.metrics = None;
        record.cascade = cascade;
        (self.calibration, self.rule, self.cascade) = (calibration, rule, None);
        let rows = truth.truth.len();
        Ok(record.decisions.insert(DecisionRecord { source, rows, points, before, after, out_of_reach }))
    }

    /// Writes what is stored about the classifier into its folder anew, after [`AgileClassifier::calibrate`]; the adapter stays as it is.
    ///
    /// # Errors
    /// A folder that cannot be written, a classifier that was not trained.
    pub fn save_record(&self, folder: &Path) -> Result<(), Error> {
        let record: &ClassifierRecord = self.record.as_ref().ok_or(ModelError::NothingToTrain)?;
        super::folder::write_record(folder, record, super::card::card(record))
    }
}

/// Scored rows that decisions are chosen on.
pub(crate) struct RowsToDecide<'a> {
    pub(crate) truth: Truth<'a>,
    /// # Shapes: `[rows][labels]`.
    pub(crate) probabilities: &'a [Vec<f64>],
    /// Those of each of several members. # Shapes: `[rows][members][labels]`.
    pub(crate) members: &'a [Vec<Vec<f64>>],
    /// The fold of each row, from 0.
    pub(crate) fold_of: &'a [usize],
}

/// The fold of each row where rows are to choose decisions and to count them.
fn folds_to_decide(data: &Dataset) -> Result<Vec<usize>, Error> {
    Ok(match data.task {
        Task::SingleLabel => dealt_folds(&data.classes(), FOLDS, FOLD_SEED),
        Task::MultiLabel => multi_label_folds(&data.truth, FOLDS.min(data.len()), FOLD_SEED)
            .map_err(|_| Error::TooFewRowsToDecide { rows: data.len() })?,
    })
}
