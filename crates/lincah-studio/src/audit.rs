//! What a classifier is worth, by texts that were drawn by lot.

use crate::error::StudioError;
use crate::labels::Answer;
use crate::project::Project;
use lincah::evaluation::Truth;
use lincah::{AgileClassifier, Dataset, DecisionRule, Error, Evaluation, Prediction};
use std::collections::HashSet;
use std::time::Instant;

const FOLDS: usize = 5;
/// Texts of the sample below which nothing is said.
const LEAST_TEXTS: usize = 10;

/// Figures of the labelled texts of the sample, each scored by a classifier that was trained on all other labelled texts but those of its fold.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The texts' numbers.
    pub texts: Vec<usize>,
    /// The probability of each label. # Shapes: `[texts, labels]`.
    pub probabilities: Vec<Vec<f64>>,
    /// Whether each label holds. # Shapes: `[texts, labels]`.
    pub truth: Vec<Vec<bool>>,
    /// Metrics with their intervals.
    pub evaluation: Evaluation,
}

impl Judged {
    /// The figures of a sample, `train` making a classifier of rows; none where a fold's training rows are of one label.
    ///
    /// # Errors
    /// Those of the trainings and scores.
    pub(crate) fn of(
        sample: Sample,
        train: &dyn Fn(&Dataset) -> Result<AgileClassifier, Error>,
    ) -> Result<Option<Self>, StudioError> {
        let Sample { texts, rows, trainings } = sample;
        let begun = Instant::now();
        let mut predictions: Vec<Option<Prediction>> = vec![None; texts.len()];
        for (fold, training) in trainings.iter().enumerate() {
            if training.check_trainable().is_err() {
                return Ok(None);
            }
            let places: Vec<usize> = (fold..texts.len()).step_by(FOLDS).collect();
            let of_fold: Vec<&String> = places.iter().map(|place| &rows.texts[*place]).collect();
            let found = train(training)?.predict(&of_fold)?;
            places.into_iter().zip(found).for_each(|(place, prediction)| predictions[place] = Some(prediction));
        }
        let predictions: Vec<Prediction> = predictions.into_iter().flatten().collect();
        let truth = Truth { task: rows.task, labels: &rows.labels, truth: &rows.truth };
        let evaluation = Evaluation::of(&predictions, truth, &DecisionRule::default(), begun.elapsed().as_secs_f64())?;
        let probabilities = predictions.into_iter().map(|prediction| prediction.probabilities).collect();
        Ok(Some(Self { texts, probabilities, truth: rows.truth, evaluation }))
    }
}

/// The labelled texts of the sample, and what each fold's classifier is trained on.
pub(crate) struct Sample {
    texts: Vec<usize>,
    rows: Dataset,
    trainings: Vec<Dataset>,
}

impl Sample {
    /// That of a project; none where too few of its texts are labelled.
    pub(crate) fn of(project: &Project) -> Result<Option<Self>, StudioError> {
        let is_labelled = |text: &usize| matches!(project.labels().answer(*text), Some(Answer::Labels(_)));
        let texts: Vec<usize> = project.audit().iter().copied().filter(is_labelled).collect();
        if texts.len() < LEAST_TEXTS {
            return Ok(None);
        }
        let training = |fold: usize| {
            let of_fold: HashSet<usize> = texts.iter().skip(fold).step_by(FOLDS).copied().collect();
            project.dataset(project.labels().texts().into_iter().filter(|text| !of_fold.contains(text)))
        };
        let trainings = (0..FOLDS).map(training).collect::<Result<_, _>>()?;
        let rows = project.dataset(texts.iter().copied())?;
        Ok(Some(Self { texts, rows, trainings }))
    }
}
