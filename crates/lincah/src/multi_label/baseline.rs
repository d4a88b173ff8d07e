//! TF-IDF with logistic regression, a regression a label.

use super::{MultiLabelEvaluation, MultiLabelPrediction};
use crate::baseline::TfidfBaseline;
use crate::data::multi_label::MultiLabelDataset;
use crate::error::Error;
use std::time::Instant;

/// Fits [`TfidfBaseline`] to each label of `train` by itself and compares with `test`: predictions and metrics.
///
/// # Errors
/// No test rows.
pub fn evaluate_tfidf(
    train: &MultiLabelDataset,
    test: &MultiLabelDataset,
) -> Result<(Vec<MultiLabelPrediction>, MultiLabelEvaluation), Error> {
    let label = |label: usize| train.labels.iter().map(|labels| usize::from(labels[label])).collect::<Vec<_>>();
    let labels: Vec<Vec<usize>> = (0..train.label_names.len()).map(label).collect();
    let baselines = TfidfBaseline::fit_all(&train.texts, &labels, 2);
    let begun = Instant::now();
    let mut predictions = vec![MultiLabelPrediction { probabilities: Vec::new(), cut_characters: 0 }; test.len()];
    for baseline in &baselines {
        for (prediction, answer) in predictions.iter_mut().zip(baseline.predict(&test.texts)) {
            prediction.probabilities.push(answer.probabilities[1]);
        }
    }
    let evaluation = MultiLabelEvaluation::of(&predictions, &test.labels, &test.label_names, begun.elapsed().as_secs_f64())?;
    Ok((predictions, evaluation))
}
