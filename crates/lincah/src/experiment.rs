//! A training with all that belongs to it: decisions chosen on out-of-fold scores, the holdout scored, and the baseline beside it.

use crate::baseline::TfidfBaseline;
use crate::classifier::{AgileClassifier, BaseModelRecord, DecisionRecord, RowsToDecide, ScoredDataset};
use crate::cross_validation::{CrossValidation, CrossValidationEvent, FinishedCrossValidation};
use crate::data::Names;
use crate::data::dataset::Dataset;
use crate::decisions::{DecisionRequest, DecisionSource};
use crate::error::Error;
use crate::evaluation::Truth;
use crate::label::LabelSet;
use crate::prompt::LabelTokens;
use crate::trainer::{FOLDS_FOLDER, TrainEvent, Trainer};
use lincah_model::ModelError;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

const FOLD_SEED: u32 = 1;

/// Which scores decisions are chosen by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecisionScores {
    /// Those of the training rows, each by a classifier that was trained on the other folds: as many more trainings.
    OutOfFold {
        /// Folds.
        folds: usize,
    },
    /// Those of the validation rows, by the classifier itself. The best epoch was chosen on them too, which makes them look a little better.
    Validation,
}

/// Decisions that a training is to choose for its classifier.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionPlan {
    /// What is wanted.
    pub request: DecisionRequest,
    /// By which scores.
    pub scores: DecisionScores,
}

impl DecisionPlan {
    /// The plan for what is wanted, if anything is: by the scores that were asked for, else by those of the validation rows where a share of
    /// the rows is set apart for that, else by those of so many folds.
    ///
    /// # Errors
    /// Fewer than 2 folds; validation rows that are asked for where there are none.
    pub fn of(
        request: DecisionRequest,
        asked: Option<DecisionScores>,
        folds: usize,
        validation: f64,
    ) -> Result<Option<Self>, Error> {
        if asked.is_none() && request.targets.is_empty() && request.review.is_none() {
            return Ok(None);
        }
        let scores = match asked {
            Some(DecisionScores::Validation) if validation == 0.0 => return Err(Error::NoValidationRows),
            Some(scores) => scores,
            None if validation > 0.0 => DecisionScores::Validation,
            None => DecisionScores::OutOfFold { folds },
        };
        match scores {
            DecisionScores::OutOfFold { folds } if folds < 2 => Err(Error::TooFewFolds { folds }),
            scores => Ok(Some(Self { request, scores })),
        }
    }
}

/// A training with all that belongs to it.
#[derive(Debug)]
pub struct Experiment {
    trainer: Trainer,
    decisions: Option<DecisionPlan>,
}

/// What happens in an experiment.
#[derive(Debug)]
#[non_exhaustive]
pub enum ExperimentEvent<'a> {
    /// Something in the folds by which decisions are chosen.
    Folds(&'a CrossValidationEvent<'a>),
    /// Something in the training of the classifier itself.
    Training(&'a TrainEvent),
}

/// A classifier, and what it makes of the rows kept from its training.
#[derive(Debug)]
pub struct TrainingOutcome {
    /// The classifier.
    pub classifier: AgileClassifier,
    /// What it makes of the holdout.
    pub scored: Option<ScoredDataset>,
    /// What TF-IDF with logistic regression, trained on the same rows, makes of it.
    pub tfidf: Option<ScoredDataset>,
}

type OnEvent<'a> = dyn FnMut(&ExperimentEvent) -> ControlFlow<()> + 'a;

impl Experiment {
    /// The training alone.
    pub fn new(trainer: Trainer) -> Self {
        Self { trainer, decisions: None }
    }

    /// Chooses calibration and decisions for the classifier too, if there is a plan; the folds of out-of-fold scores lie in `folds` in the
    /// classifier's folder.
    ///
    /// # Errors
    /// Targets of labels that are none; validation rows where there are none.
    pub fn decide_by(self, plan: Option<DecisionPlan>) -> Result<Self, Error> {
        if let Some(plan) = &plan {
            let prompt = self.trainer.prompt();
            plan.request.check(prompt.task(), prompt.labels().names())?;
            if plan.scores == DecisionScores::Validation && self.trainer.recipe().validation == 0.0 {
                return Err(Error::NoValidationRows);
            }
        }
        Ok(Self { decisions: plan, ..self })
    }

    /// Trains on `train`, scores `holdout` if there is one, and sets TF-IDF with logistic regression on the same rows beside it. The folder's
    /// classifier has the metrics.
    ///
    /// # Errors
    /// As [`Trainer::fit`] and [`CrossValidation::run`].
    pub fn run(&self, train: &Dataset, holdout: Option<&Dataset>, on_event: &mut OnEvent) -> Result<TrainingOutcome, Error> {
        self.trainer.check_own_folder()?;
        if let Some(holdout) = holdout {
            self.trainer.starts().try_for_each(|start| start.check_unseen(holdout))?;
        }
        let out_of_fold = self.score_out_of_fold(train, on_event)?;
        let mut classifier = self.trainer.fit(train, &mut |event| on_event(&ExperimentEvent::Training(event)))?;
        self.choose_decisions(&mut classifier, train, out_of_fold.as_ref())?;
        if let (Some(folder), true) = (self.trainer.folder(), self.decisions.is_some()) {
            classifier.save_record(folder)?;
        }
        let scored = holdout.map(|holdout| classifier.evaluate(holdout)).transpose()?;
        if let Some(scored) = &scored {
            classifier.set_metrics(scored.evaluation.clone());
        }
        if let (Some(folder), true) = (self.trainer.folder(), scored.is_some()) {
            classifier.save_record(folder)?;
        }
        let tfidf = holdout.map(|holdout| TfidfBaseline::evaluate(train, holdout)).transpose()?;
        Ok(TrainingOutcome { classifier, scored, tfidf })
    }

    /// Scores the training rows out of fold, where decisions need that.
    fn score_out_of_fold(&self, train: &Dataset, on_event: &mut OnEvent) -> Result<Option<FinishedCrossValidation>, Error> {
        let Some(DecisionPlan { scores: DecisionScores::OutOfFold { folds }, .. }) = self.decisions else { return Ok(None) };
        let temporary = tempfile::tempdir().map_err(Error::file("create", std::env::temp_dir()))?;
        let own = self.trainer.folder();
        let folder = own.unwrap_or(temporary.path()).join(FOLDS_FOLDER);
        let (prompt, recipe) = (self.trainer.prompt().clone(), self.trainer.recipe().clone());
        let validation = CrossValidation {
            prompt,
            recipe,
            companions: self.trainer.companions().to_vec(),
            folds,
            fold_seed: FOLD_SEED,
            folder: folder.clone(),
            elsewhere: self.trainer.elsewhere().to_vec(),
        };
        let run = validation.run(self.trainer.base(), train, &mut |event| on_event(&ExperimentEvent::Folds(event)));
        run.map_err(|error| match error {
            Error::Interrupted { step, steps, .. } => Error::Interrupted { step, steps, folder: own.map(Into::into) },
            error => error,
        })?;
        FinishedCrossValidation::read(&folder).map(Some)
    }

    /// Chooses the classifier's decisions, if the training is to.
    fn choose_decisions(
        &self,
        classifier: &mut AgileClassifier,
        train: &Dataset,
        out_of_fold: Option<&FinishedCrossValidation>,
    ) -> Result<(), Error> {
        let Some(plan) = &self.decisions else { return Ok(()) };
        if let Some(found) = out_of_fold {
            return classifier.calibrate_from(found, &plan.request).map(drop);
        }
        match self.trainer.recipe().split(train)?.validation {
            Some(rows) => classifier.calibrate_with(&rows, &plan.request, DecisionSource::Validation).map(drop),
            None => Ok(()),
        }
    }
}

impl AgileClassifier {
    /// Chooses calibration and decisions on a cross-validation's out-of-fold scores, of the same prompt on the same base model.
    ///
    /// # Errors
    /// As [`decide`]; an untrained classifier; a cross-validation of something else.
    pub fn calibrate_from(
        &mut self,
        found: &FinishedCrossValidation,
        request: &DecisionRequest,
    ) -> Result<&DecisionRecord, Error> {
        let evaluation = &found.scored.evaluation;
        if (self.task(), self.labels()) != (evaluation.task, &evaluation.labels) {
            let names = |labels: &LabelSet| Names(labels.names().to_vec());
            return Err(Error::OtherLabels { first: names(self.labels()), second: names(&evaluation.labels) });
        }
        let record = self.record().ok_or(ModelError::NothingToTrain)?;
        if let Some(training) = &found.pooled.training {
            let prompt = match record.has_adapter() {
                true => LabelTokens::resolve(training.prompt.clone(), self.base().tokenizer())?.0,
                false => training.prompt.clone(),
            };
            let weights =
                |models: &[BaseModelRecord]| models.iter().map(|model| model.weights_sha256.clone()).collect::<BTreeSet<_>>();
            // Before several models could work together there was one.
            let models = match training.base_models.as_slice() {
                [] => std::slice::from_ref(&training.base_model),
                models => models,
            };
            let same = (&prompt, training.recipe.method, weights(models))
                == (&record.prompt, record.recipe.method, weights(&record.base_models()));
            if !same {
                return Err(Error::OtherCrossValidation);
            }
        }
        let truth = Truth { task: evaluation.task, labels: &evaluation.labels, truth: &found.truth };
        let probabilities: Vec<Vec<f64>> =
            found.scored.predictions.iter().map(|prediction| prediction.probabilities.clone()).collect();
        let members: Vec<Vec<Vec<f64>>> = found.scored.predictions.iter().map(|prediction| prediction.members.clone()).collect();
        let rows = RowsToDecide { truth, probabilities: &probabilities, members: &members, fold_of: &found.fold_of };
        self.decide_on(rows, request, DecisionSource::OutOfFold)
    }
}
