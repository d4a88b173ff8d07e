//! Metrics of predicted probabilities.

use super::{MetricError, check_lengths};

/// The probability, or an error if it is none.
pub(crate) fn check(row: usize, probability: f64) -> Result<f64, MetricError> {
    if (0.0..=1.0).contains(&probability) { Ok(probability) } else { Err(MetricError::Probability { row, probability }) }
}

/// The mean negative log-likelihood of the true classes: -1/n Σᵢ ln pᵢ\[yᵢ\], natural logarithm.
///
/// `probabilities[i]` has one entry a class. As in scikit-learn, a probability is first clipped to [ε, 1 - ε] with ε = 2⁻⁵², so that
/// a wrong certainty costs about 36 and not infinity.
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Lengths`], [`MetricError::Class`], [`MetricError::Probability`].
pub fn log_loss<P: AsRef<[f64]>>(truth: &[usize], probabilities: &[P]) -> Result<f64, MetricError> {
    check_lengths(truth.len(), probabilities.len())?;
    let mut sum = 0.0;
    for (row, (&class, probabilities)) in truth.iter().zip(probabilities).enumerate() {
        let classes = probabilities.as_ref().len();
        let probability = *probabilities.as_ref().get(class).ok_or(MetricError::Class { row, class, classes })?;
        sum -= check(row, probability)?.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln();
    }
    Ok(sum / truth.len() as f64)
}

/// The Brier score of two classes: 1/n Σᵢ (pᵢ - yᵢ)², with p the probability of the positive class and y 1 where it is true.
///
/// Source: Brier 1950, *Verification of forecasts expressed in terms of probability*; halved, as is usual for two classes.
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Lengths`], [`MetricError::Probability`].
pub fn brier(truth: &[bool], probabilities: &[f64]) -> Result<f64, MetricError> {
    check_lengths(truth.len(), probabilities.len())?;
    let mut sum = 0.0;
    for (row, (&positive, &probability)) in truth.iter().zip(probabilities).enumerate() {
        sum += (check(row, probability)? - f64::from(u8::from(positive))).powi(2);
    }
    Ok(sum / truth.len() as f64)
}

/// The Brier score of any number of classes: 1/n Σᵢ Σₖ (pᵢₖ - \[yᵢ = k\])², from 0 to 2; with two classes twice [`brier`].
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Lengths`], [`MetricError::Class`], [`MetricError::Probability`].
pub fn brier_multi_class<P: AsRef<[f64]>>(truth: &[usize], probabilities: &[P]) -> Result<f64, MetricError> {
    check_lengths(truth.len(), probabilities.len())?;
    let mut sum = 0.0;
    for (row, (&class, probabilities)) in truth.iter().zip(probabilities).enumerate() {
        let classes = probabilities.as_ref().len();
        if class >= classes {
            return Err(MetricError::Class { row, class, classes });
        }
        for (index, &probability) in probabilities.as_ref().iter().enumerate() {
            sum += (check(row, probability)? - f64::from(u8::from(index == class))).powi(2);
        }
    }
    Ok(sum / truth.len() as f64)
}
