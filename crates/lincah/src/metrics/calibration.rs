//! Whether a probability of 0.8 is right eight times out of ten.

use super::probability::check;
use super::{MetricError, check_lengths};

/// The rows whose probability of the positive class lies in (low, high]; the first bin has 0 too.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CalibrationBin {
    /// Lower edge.
    pub low: f64,
    /// Upper edge.
    pub high: f64,
    /// Rows.
    pub rows: usize,
    /// Those of the positive class.
    pub positives: usize,
    /// Σ pᵢ / rows, 0 without rows.
    pub mean_probability: f64,
}

impl CalibrationBin {
    /// positives / rows, none without rows.
    pub fn positive_share(&self) -> Option<f64> {
        (self.rows > 0).then(|| self.positives as f64 / self.rows as f64)
    }

    /// Rows of the negative class.
    pub fn negatives(&self) -> usize {
        self.rows - self.positives
    }
}

/// The rows in `bins` bins of equal width over [0, 1], the empty ones too: scikit-learn's `calibration_curve(strategy="uniform")`, which
/// leaves those out. The counts of each bin are a histogram of the probabilities by class.
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Lengths`], [`MetricError::Probability`].
pub fn calibration_bins(truth: &[bool], probabilities: &[f64], bins: usize) -> Result<Vec<CalibrationBin>, MetricError> {
    check_lengths(truth.len(), probabilities.len())?;
    let bins = bins.max(1);
    let edge = |index: usize| index as f64 / bins as f64;
    let empty = |index| CalibrationBin { low: edge(index), high: edge(index + 1), rows: 0, positives: 0, mean_probability: 0.0 };
    let mut found: Vec<CalibrationBin> = (0..bins).map(empty).collect();
    for (row, (&positive, &probability)) in truth.iter().zip(probabilities).enumerate() {
        let probability = check(row, probability)?;
        let place = found.partition_point(|bin| bin.high < probability).min(bins - 1);
        let bin = &mut found[place];
        bin.rows += 1;
        bin.positives += usize::from(positive);
        bin.mean_probability += probability;
    }
    found.iter_mut().filter(|bin| bin.rows > 0).for_each(|bin| bin.mean_probability /= bin.rows as f64);
    Ok(found)
}

/// The expected calibration error of the positive class's probability: Σ over bins of (rows / n) · |mean probability - positive share|.
///
/// It depends on the bins, and with few rows a perfectly calibrated classifier does not reach 0.
///
/// Source: Naeini, Cooper and Hauskrecht 2015, *Obtaining Well Calibrated Probabilities Using Bayesian Binning*, AAAI.
pub fn expected_calibration_error(bins: &[CalibrationBin]) -> f64 {
    let n: usize = bins.iter().map(|bin| bin.rows).sum();
    let gap = |bin: &CalibrationBin| (bin.mean_probability * bin.rows as f64 - bin.positives as f64).abs();
    bins.iter().map(gap).sum::<f64>() / n.max(1) as f64
}
