//! Several values of one metric, such as those of folds or seeds.

use serde::{Deserialize, Serialize};

/// The mean of some values and how far they spread around it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MeanDeviation {
    /// Values.
    pub n: usize,
    /// Σ xᵢ / n.
    pub mean: f64,
    /// The sample standard deviation √(Σ (xᵢ - mean)² / (n - 1)); absent of one value.
    pub deviation: Option<f64>,
}

/// Mean and sample standard deviation; none of no values.
pub fn mean_deviation(values: &[f64]) -> Option<MeanDeviation> {
    let n = values.len();
    let mean = values.iter().sum::<f64>() / n as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let deviation = (n > 1).then(|| (squares / (n as f64 - 1.0)).sqrt());
    (n > 0).then_some(MeanDeviation { n, mean, deviation })
}
