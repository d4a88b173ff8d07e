//! TF-IDF with logistic regression, a regression a label.

use super::MultiLabelEvaluation;
use crate::baseline::TfidfBaseline;
use crate::data::multi_label::MultiLabelDataset;
use crate::error::Error;
use crate::prediction::Prediction;
use crate::task::Task;
use std::time::Instant;

/// Fits [`TfidfBaseline`] to each label of `train` by itself and compares with `test`: predictions and metrics.
///
/// # Errors
/// No test rows.
pub fn evaluate_tfidf(
    train: &MultiLabelDataset,
    test: &MultiLabelDataset,
) -> Result<(Vec<Prediction>, MultiLabelEvaluation), Error> {
    let label = |label: usize| train.labels.iter().map(|labels| usize::from(labels[label])).collect::<Vec<_>>();
    let labels: Vec<Vec<usize>> = (0..train.label_names.len()).map(label).collect();
    let baselines = TfidfBaseline::fit_all(&train.texts, &labels, 2);
    let begun = Instant::now();
    let mut probabilities = vec![Vec::new(); test.len()];
    for baseline in &baselines {
        for (probabilities, answer) in probabilities.iter_mut().zip(baseline.predict(&test.texts)) {
            probabilities.push(answer.probabilities[1]);
        }
    }
    let predictions: Vec<Prediction> =
        probabilities.into_iter().map(|probabilities| Prediction::new(Task::MultiLabel, probabilities, 0)).collect();
    let evaluation = MultiLabelEvaluation::of(&predictions, &test.labels, &test.label_names, begun.elapsed().as_secs_f64())?;
    Ok((predictions, evaluation))
}
