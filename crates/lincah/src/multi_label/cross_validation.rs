//! Cross-validation of multi-label classifiers, on folds that have their share of every label.

use super::{MultiLabelEvaluation, MultiLabelTrainer, evaluate_tfidf};
use crate::base_model::BaseModel;
use crate::cross_validation::{
    CrossValidation, CrossValidationEvent, FoldResult, Folds, ScoredFold, by_name, in_order, other_labels, run_folds,
};
use crate::data::fingerprint::multi_label_fingerprint;
use crate::data::multi_label::MultiLabelDataset;
use crate::data::stratification::multi_label_folds;
use crate::error::Error;
use crate::prediction::Prediction;
use crate::prompt::MultiLabelPrompt;
use crate::task::Task;
use crate::trainer::TrainEvent;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::Path;
use std::time::Instant;

/// A row's out-of-fold probabilities; a line of `predictions.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MultiLabelOutOfFold {
    /// The row in the file, from 1.
    pub row: u64,
    /// The fold that it was tested in, from 0.
    pub fold: usize,
    /// Its true labels.
    pub labels: Vec<String>,
    /// The probability of each label by name.
    pub scores: Map<String, Value>,
    /// The same of TF-IDF with a logistic regression a label.
    pub tfidf_scores: Map<String, Value>,
}

type MultiLabelFoldResult = FoldResult<MultiLabelEvaluation>;

impl CrossValidation<MultiLabelPrompt> {
    /// Trains and scores every fold that is not done; returns the folds in order, then all rows together.
    ///
    /// # Errors
    /// A folder of something else, or of a cross-validation with other settings; those of the training.
    pub fn run(
        &self,
        base: BaseModel,
        data: &MultiLabelDataset,
        on_event: &mut dyn FnMut(&CrossValidationEvent<MultiLabelEvaluation>),
    ) -> Result<Vec<FoldResult<MultiLabelEvaluation>>, Error> {
        self.recipe.check()?;
        let fold_of = multi_label_folds(&data.labels, self.folds, self.fold_seed)?;
        let run = self.fingerprint(&base, (multi_label_fingerprint(data, self.recipe.soft_labels), &data.rows));
        run_folds(&MultiLabelFolds { settings: self, data, fold_of, run }, base, on_event)
    }
}

/// [`Folds`] of multi-label classifiers.
struct MultiLabelFolds<'a> {
    settings: &'a CrossValidation<MultiLabelPrompt>,
    data: &'a MultiLabelDataset,
    fold_of: Vec<usize>,
    run: String,
}

impl Folds for MultiLabelFolds<'_> {
    type Evaluation = MultiLabelEvaluation;
    type Row = MultiLabelOutOfFold;

    fn settings(&self) -> (usize, &Path, &str) {
        (self.settings.folds, &self.settings.folder, &self.run)
    }

    fn fold_of(row: &MultiLabelOutOfFold) -> usize {
        row.fold
    }

    fn fold(
        &self,
        base: BaseModel,
        fold: usize,
        on_event: &mut dyn FnMut(&TrainEvent),
    ) -> Result<ScoredFold<MultiLabelEvaluation, MultiLabelOutOfFold>, Error> {
        let (test, train): (Vec<usize>, Vec<usize>) = (0..self.data.len()).partition(|&row| self.fold_of[row] == fold);
        let (train, test) = (self.data.subset(&train), self.data.subset(&test));
        let CrossValidation { prompt, recipe, stop, .. } = self.settings;
        let begun = Instant::now();
        let trainer = MultiLabelTrainer::new(base, prompt.clone(), recipe.clone())?.stopping_at(stop.clone());
        let classifier = trainer.fit(&train, on_event)?;
        let (seconds, begun) = (begun.elapsed().as_secs_f64(), Instant::now());
        let predictions = classifier.predict(&test.texts)?;
        let (names, spent) = (&test.label_names, begun.elapsed().as_secs_f64());
        let evaluation = MultiLabelEvaluation::of(&predictions, &test.labels, names, spent)?;
        let (tfidf_predictions, tfidf) = evaluate_tfidf(&train, &test)?;
        let scored = predictions.iter().zip(&tfidf_predictions).enumerate().map(|(index, (prediction, tfidf))| {
            let labels = names.iter().zip(&test.labels[index]).filter(|(_, has)| **has);
            MultiLabelOutOfFold {
                row: test.rows[index],
                fold,
                labels: labels.map(|(name, _)| name.clone()).collect(),
                scores: by_name(names, &prediction.probabilities),
                tfidf_scores: by_name(names, &tfidf.probabilities),
            }
        });
        let result = FoldResult { fold: Some(fold), run: String::new(), evaluation, tfidf, seconds, training: None };
        Ok((classifier.into_base(), result, scored.collect()))
    }

    fn pooled(&self, folds: &[MultiLabelFoldResult], rows: &[MultiLabelOutOfFold]) -> Result<MultiLabelFoldResult, Error> {
        let names = &self.data.label_names;
        let has = |row: &MultiLabelOutOfFold| names.iter().map(|name| row.labels.contains(name)).collect();
        let truth: Vec<Vec<bool>> = rows.iter().map(has).collect();
        let of = |scores: fn(&MultiLabelOutOfFold) -> &Map<String, Value>, speed: fn(&MultiLabelFoldResult) -> f64| {
            let prediction = |row: &MultiLabelOutOfFold| {
                let probabilities = in_order(names, scores(row)).ok_or_else(|| other_labels(&self.settings.folder, row.row))?;
                Ok(Prediction::new(Task::MultiLabel, probabilities, 0))
            };
            let predictions = rows.iter().map(prediction).collect::<Result<Vec<_>, Error>>()?;
            MultiLabelEvaluation::of(&predictions, &truth, names, folds.iter().map(speed).sum())
        };
        let cut_texts = folds.iter().map(|fold| fold.evaluation.cut_texts).sum();
        let evaluation = of(|row| &row.scores, |fold| fold.evaluation.n as f64 / fold.evaluation.texts_per_second)?;
        Ok(FoldResult {
            fold: None,
            run: String::new(),
            evaluation: MultiLabelEvaluation { cut_texts, ..evaluation },
            tfidf: of(|row| &row.tfidf_scores, |fold| fold.tfidf.n as f64 / fold.tfidf.texts_per_second)?,
            seconds: folds.iter().map(|fold| fold.seconds).sum(),
            training: None,
        })
    }
}
