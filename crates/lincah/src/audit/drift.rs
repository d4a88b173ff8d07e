//! Whether what a classifier sees has changed, without any labels.

use crate::label::LabelSet;
use crate::metrics::{MetricError, check_lengths};
use crate::prediction::Prediction;
use crate::statistics::{percentile_interval, resampled_rows};
use crate::task::Task;
use serde::Serialize;

const BINS: usize = 10;
const MOST_ITERATIONS: usize = 1000;
const CONVERGED: f64 = 1e-9;
/// Terms of the Kolmogorov distribution's series.
const TERMS: i32 = 100;

/// A label in two sets of texts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelDrift {
    /// The label.
    pub label: String,
    /// Mean probability before and after.
    pub mean_score: [f64; 2],
    /// Share of the texts that are given the label, before and after.
    pub given: [f64; 2],
    /// The largest difference between the two distribution functions of its probability, see [`kolmogorov_smirnov`].
    pub statistic: f64,
    /// The probability of so large a difference, or a larger one, if nothing has changed.
    pub p_value: f64,
    /// See [`population_stability_index`]; by custom, above 0.1 is worth a look, above 0.25 is a change.
    pub population_stability_index: f64,
    /// Share of the training rows with the label.
    pub trained: f64,
    /// Estimated share of the texts after, see [`estimated_prevalences`].
    pub prevalence: f64,
    /// Its 95 % bootstrap interval over the texts.
    pub prevalence_interval: [f64; 2],
}

/// What changed between two sets of texts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drift {
    /// Texts before and after.
    pub texts: [usize; 2],
    /// Each label.
    pub labels: Vec<LabelDrift>,
}

impl Drift {
    /// Compares a classifier's predictions of two sets of texts. `trained` is the share of the training rows with each label. `[labels]`
    ///
    /// # Errors
    /// [`MetricError::Empty`], [`MetricError::Lengths`].
    pub fn of(
        (task, labels): (Task, &LabelSet),
        trained: &[f64],
        before: &[Prediction],
        after: &[Prediction],
    ) -> Result<Self, MetricError> {
        for predictions in [before, after] {
            check_lengths(predictions.len().max(1), predictions.len())?;
            predictions.iter().try_for_each(|prediction| check_lengths(labels.len(), prediction.probabilities.len()))?;
        }
        check_lengths(labels.len(), trained.len())?;
        let rows: Vec<&[f64]> = after.iter().map(|prediction| prediction.probabilities.as_slice()).collect();
        let prevalences = estimated_prevalences(task, trained, &rows);
        let resampled = resampled_rows(rows.len(), |drawn| {
            estimated_prevalences(task, trained, &drawn.iter().map(|&row| rows[row]).collect::<Vec<_>>())
        });
        let of_label = |label: usize| {
            let scores = |predictions: &[Prediction]| -> Vec<f64> {
                predictions.iter().map(|prediction| prediction.probabilities[label]).collect()
            };
            let given = |predictions: &[Prediction]| {
                predictions.iter().filter(|prediction| prediction.given()[label]).count() as f64 / predictions.len() as f64
            };
            let [first, second] = [scores(before), scores(after)];
            let mean = |scores: &[f64]| scores.iter().sum::<f64>() / scores.len() as f64;
            let (statistic, p_value) = kolmogorov_smirnov(&first, &second);
            LabelDrift {
                label: labels.names()[label].clone(),
                mean_score: [mean(&first), mean(&second)],
                given: [given(before), given(after)],
                statistic,
                p_value,
                population_stability_index: population_stability_index(&first, &second),
                trained: trained[label],
                prevalence: prevalences[label],
                prevalence_interval: percentile_interval(resampled.iter().map(|found| found[label]).collect())
                    .unwrap_or([prevalences[label]; 2]),
            }
        };
        Ok(Self { texts: [before.len(), after.len()], labels: (0..labels.len()).map(of_label).collect() })
    }
}

/// The two-sample Kolmogorov–Smirnov statistic D = max |F₁ - F₂| and its p-value 2 Σₖ (-1)ᵏ⁻¹ exp(-2 k² λ²), λ = D √(n₁ n₂ / (n₁ + n₂)), that of
/// many texts.
///
/// Source: Smirnov 1948, doi 10.1214/aoms/1177730256.
pub fn kolmogorov_smirnov(first: &[f64], second: &[f64]) -> (f64, f64) {
    let sorted = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        values
    };
    let (first, second) = (sorted(first), sorted(second));
    let share = |values: &[f64], up_to: f64| values.partition_point(|value| *value <= up_to) as f64 / values.len() as f64;
    let statistic = first.iter().chain(&second).map(|&at| (share(&first, at) - share(&second, at)).abs()).fold(0.0, f64::max);
    let (n, m) = (first.len() as f64, second.len() as f64);
    let squared = statistic * statistic * n * m / (n + m);
    let term = |k: i32| if k % 2 == 1 { 1.0 } else { -1.0 } * (-2.0 * f64::from(k * k) * squared).exp();
    // The series does not converge near 0, where the p-value is 1.
    let p_value = if squared < 0.04 { 1.0 } else { (2.0 * (1..=TERMS).map(term).sum::<f64>()).clamp(0.0, 1.0) };
    (statistic, p_value)
}

/// Σ over the tenths of the scores before of (share after - share before) · ln(share after / share before); a share of 0 counts as a half row.
///
/// Source: Siddiqi 2006, *Credit Risk Scorecards*, Wiley.
pub fn population_stability_index(before: &[f64], after: &[f64]) -> f64 {
    let mut sorted = before.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut edges: Vec<f64> = (1..BINS).map(|bin| sorted[(sorted.len() * bin / BINS).min(sorted.len() - 1)]).collect();
    edges.dedup();
    let shares = |values: &[f64]| -> Vec<f64> {
        let mut counts = vec![0.0; edges.len() + 1];
        values.iter().for_each(|value| counts[edges.partition_point(|edge| edge <= value)] += 1.0);
        counts.into_iter().map(|count: f64| count.max(0.5) / values.len() as f64).collect()
    };
    shares(before).iter().zip(shares(after)).map(|(before, after)| (after - before) * (after / before).ln()).sum()
}

/// The share of texts with each label, where a classifier's probabilities are right for the shares `trained` on: by expectation
/// maximization, each probability is multiplied by the new share over the old one and normalized, and the mean of these is the next share.
/// Independent labels each by itself, against not having it.
///
/// It holds where only the shares have changed, not what texts with a label look like, and for calibrated probabilities.
///
/// # Shapes
/// trained and result `[labels]`, rows `[texts][labels]`.
///
/// Source: Saerens, Latinne and Decaestecker 2002, doi 10.1162/089976602753284446.
pub fn estimated_prevalences(task: Task, trained: &[f64], rows: &[&[f64]]) -> Vec<f64> {
    match task {
        Task::SingleLabel => maximized(trained, |row, label| rows[row][label], rows.len()),
        Task::MultiLabel => {
            let of_label = |label: usize| {
                let shares = [1.0 - trained[label], trained[label]];
                let probability = |row: usize, has: usize| if has == 1 { rows[row][label] } else { 1.0 - rows[row][label] };
                maximized(&shares, probability, rows.len())[1]
            };
            (0..trained.len()).map(of_label).collect()
        }
    }
}

fn maximized(trained: &[f64], probability: impl Fn(usize, usize) -> f64, rows: usize) -> Vec<f64> {
    let trained: Vec<f64> = trained.iter().map(|share| share.clamp(1e-6, 1.0)).collect();
    let mut shares = trained.clone();
    for _ in 0..MOST_ITERATIONS {
        let mut next = vec![0.0; shares.len()];
        for row in 0..rows {
            let weighted: Vec<f64> =
                (0..shares.len()).map(|label| probability(row, label) * shares[label] / trained[label]).collect();
            let sum: f64 = weighted.iter().sum();
            next.iter_mut().zip(weighted).for_each(|(next, weighted)| *next += weighted / sum / rows as f64);
        }
        let change = next.iter().zip(&shares).map(|(next, now)| (next - now).abs()).fold(0.0, f64::max);
        shares = next;
        if change < CONVERGED {
            break;
        }
    }
    shares
}
