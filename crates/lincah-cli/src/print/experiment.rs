//! What a person sees of a training with all that belongs to it.

use super::{FoldProgress, TrainingProgress, note};
use lincah::{DecisionPlan, DecisionScores, ExperimentEvent, Recipe};
use std::path::Path;

/// Draws the folds by which decisions are chosen, and the training of the classifier.
pub(crate) struct ExperimentProgress<'a> {
    folds: Option<FoldProgress<'a>>,
    training: TrainingProgress,
}

impl<'a> ExperimentProgress<'a> {
    /// Of a training that chooses decisions, if there is a plan.
    pub(crate) fn of(recipe: &Recipe, plan: Option<&DecisionPlan>, out: &'a Path) -> Self {
        let folds = match plan.map(|plan| plan.scores) {
            Some(DecisionScores::OutOfFold { folds }) => {
                note!(
                    "{folds} trainings on parts of the rows come first, to choose decisions by texts that were not trained on (--calibrate)"
                );
                Some(FoldProgress::new(folds, out))
            }
            _ => None,
        };
        Self { folds, training: TrainingProgress::of(recipe) }
    }

    pub(crate) fn show(&mut self, event: &ExperimentEvent) {
        match (event, &mut self.folds) {
            (ExperimentEvent::Folds(event), Some(folds)) => folds.show(event),
            (ExperimentEvent::Training(event), folds) => {
                if folds.take().is_some() {
                    note!("the classifier itself");
                }
                self.training.show(event);
            }
            _ => {}
        }
    }
}
