//! Maps fitted to rows.

use super::isotonic::fit_isotonic;
use super::map::{CalibrationMap, sigmoid, tempered};

/// Temperatures are looked for between e⁻⁵ and e⁵.
const HIGHEST_LOG_TEMPERATURE: f64 = 5.0;
const BISECTIONS: usize = 100;
const MOST_NEWTON_STEPS: usize = 100;

/// Rows of one label against the rest.
pub(super) struct BinaryRows {
    /// Whether each row has the label.
    pub(super) truth: Vec<bool>,
    /// Its probability.
    pub(super) probabilities: Vec<f64>,
    /// The natural logarithm of its odds.
    pub(super) log_odds: Vec<f64>,
}

impl BinaryRows {
    pub(super) fn subset(&self, rows: &[usize]) -> Self {
        Self {
            truth: rows.iter().map(|&row| self.truth[row]).collect(),
            probabilities: rows.iter().map(|&row| self.probabilities[row]).collect(),
            log_odds: rows.iter().map(|&row| self.log_odds[row]).collect(),
        }
    }

    /// σ(z / T) with the least log loss: d/dβ Σ loss(σ(βz)) = Σ (σ(βz) - y) z rises with β = 1 / T, so its zero is found by halving.
    pub(super) fn temperature(&self) -> CalibrationMap {
        let slope = |inverse: f64| {
            let terms = self.log_odds.iter().zip(&self.truth);
            terms.map(|(&odds, &truth)| (sigmoid(inverse * odds) - f64::from(u8::from(truth))) * odds).sum::<f64>()
        };
        CalibrationMap::Temperature { temperature: 1.0 / rising_zero(slope) }
    }

    /// Platt's σ(az + b) by Newton's method, with his targets (n₊ + 1) / (n₊ + 2) and 1 / (n₋ + 2) in place of 1 and 0. No map where the
    /// slope would not be above 0.
    ///
    /// Source: Lin, Lin and Weng 2007, doi 10.1007/s10994-007-5018-6.
    pub(super) fn platt(&self) -> CalibrationMap {
        let positives = self.truth.iter().filter(|&&truth| truth).count() as f64;
        let negatives = self.truth.len() as f64 - positives;
        let (high, low) = ((positives + 1.0) / (positives + 2.0), 1.0 / (negatives + 2.0));
        let targets: Vec<f64> = self.truth.iter().map(|&truth| if truth { high } else { low }).collect();
        let loss = |slope: f64, intercept: f64| {
            let terms = self.log_odds.iter().zip(&targets);
            terms.map(|(&odds, &target)| softplus(slope * odds + intercept) - target * (slope * odds + intercept)).sum::<f64>()
        };
        let (mut slope, mut intercept) = (1.0, 0.0);
        let mut now = loss(slope, intercept);
        for _ in 0..MOST_NEWTON_STEPS {
            let (mut gradient, mut hessian) = ([0.0; 2], [1e-12, 0.0, 1e-12]);
            for (&odds, &target) in self.log_odds.iter().zip(&targets) {
                let probability = sigmoid(slope * odds + intercept);
                let (error, weight) = (probability - target, probability * (1.0 - probability));
                gradient = [gradient[0] + error * odds, gradient[1] + error];
                hessian = [hessian[0] + weight * odds * odds, hessian[1] + weight * odds, hessian[2] + weight];
            }
            let determinant = hessian[0] * hessian[2] - hessian[1] * hessian[1];
            let step = [
                -(hessian[2] * gradient[0] - hessian[1] * gradient[1]) / determinant,
                -(hessian[0] * gradient[1] - hessian[1] * gradient[0]) / determinant,
            ];
            let mut share = 1.0;
            let mut next = loss(slope + step[0], intercept + step[1]);
            while next > now && share > 1e-10 {
                share /= 2.0;
                next = loss(slope + share * step[0], intercept + share * step[1]);
            }
            if !next.is_finite() || next >= now {
                break;
            }
            (slope, intercept, now) = (slope + share * step[0], intercept + share * step[1], next);
        }
        if slope > 0.0 { CalibrationMap::Platt { slope, intercept } } else { CalibrationMap::None }
    }

    pub(super) fn isotonic(&self) -> CalibrationMap {
        let targets: Vec<f64> = self.truth.iter().map(|&truth| f64::from(u8::from(truth))).collect();
        let (from, to) = fit_isotonic(&self.probabilities, &targets);
        CalibrationMap::Isotonic { from, to }
    }
}

/// softmax(ln p / T) with the least log loss over the rows of several exclusive labels, found as [`BinaryRows::temperature`] is:
/// d/dβ Σ loss = Σ (Σₖ qₖ zₖ - z_y), with z = ln p and q = softmax(βz).
pub(super) fn joint_temperature(classes: &[usize], probabilities: &[&[f64]]) -> CalibrationMap {
    let slope = |inverse: f64| {
        let terms = classes.iter().zip(probabilities).map(|(&class, row)| {
            let logits: Vec<f64> = row.iter().map(|p| p.max(f64::MIN_POSITIVE).ln()).collect();
            let expected: f64 = tempered(row, 1.0 / inverse).iter().zip(&logits).map(|(share, logit)| share * logit).sum();
            expected - logits[class]
        });
        terms.sum::<f64>()
    };
    CalibrationMap::Temperature { temperature: 1.0 / rising_zero(slope) }
}

/// Where a function that rises with β is 0, between the lowest and the highest inverse temperature; an end where it is 0 nowhere.
fn rising_zero(slope: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (-HIGHEST_LOG_TEMPERATURE, HIGHEST_LOG_TEMPERATURE);
    for _ in 0..BISECTIONS {
        let middle = (low + high) / 2.0;
        if slope(middle.exp()) > 0.0 { high = middle } else { low = middle }
    }
    ((low + high) / 2.0).exp()
}

/// ln(1 + eˣ) without overflow.
fn softplus(value: f64) -> f64 {
    value.max(0.0) + (-value.abs()).exp().ln_1p()
}
