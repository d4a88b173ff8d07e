//! Logistic regression on sparse rows.

use super::features::SparseRow;
use crate::softmax::softmax;

/// The minimum to six digits: gradients are followed until their largest entry is below this.
pub(super) const EXACT: f64 = 1e-6;
/// Near enough to it for the order of the scores.
pub(super) const NEAR: f64 = 1e-3;
const MAX_STEPS: usize = 1000;
/// Earlier steps that shape the next one.
const MEMORY: usize = 10;

/// Weights and intercept of each class; of two classes, of the second only, the first having zeros.
///
/// They minimize Σᵢ -ln p(yᵢ | xᵢ) + ½ Σ w², with p the softmax over the classes of w·x + b; the intercepts b are free. That is scikit-learn's
/// `LogisticRegression(C=1)`.
#[derive(Debug, Clone)]
pub(super) struct LogisticRegression {
    /// For each class its weights, then its intercept.
    parameters: Vec<f64>,
    features: usize,
    classes: usize,
}

impl LogisticRegression {
    /// Finds the minimum by L-BFGS (Nocedal and Wright 2006, *Numerical Optimization*, algorithm 7.4) with backtracking,
    /// until no entry of the gradient is above `tolerance`.
    pub(super) fn fit(rows: &[SparseRow], labels: &[usize], (features, classes): (usize, usize), tolerance: f64) -> Self {
        let vectors = if classes == 2 { 1 } else { classes };
        let mut found = Self { parameters: vec![0.0; vectors * (features + 1)], features, classes };
        let (mut loss, mut gradient) = found.loss_and_gradient(rows, labels);
        let mut history: Vec<Step> = Vec::new();
        for _ in 0..MAX_STEPS {
            if gradient.iter().all(|entry| entry.abs() < tolerance) {
                break;
            }
            let direction = direction(&gradient, &history);
            let slope = dot(&direction, &gradient);
            let mut length = if history.is_empty() { 1.0 / dot(&gradient, &gradient).sqrt() } else { 1.0 };
            let start = found.parameters.clone();
            let (new_loss, new_gradient) = loop {
                found.parameters = start.iter().zip(&direction).map(|(start, direction)| start + length * direction).collect();
                let (new_loss, new_gradient) = found.loss_and_gradient(rows, labels);
                if new_loss <= loss + 1e-4 * length * slope || length < 1e-10 {
                    break (new_loss, new_gradient);
                }
                length *= 0.5;
            };
            if length < 1e-10 {
                break; // Rounding leaves nothing to gain.
            }
            let moved: Vec<f64> = direction.iter().map(|entry| length * entry).collect();
            let turned: Vec<f64> = new_gradient.iter().zip(&gradient).map(|(new, old)| new - old).collect();
            if dot(&moved, &turned) > 0.0 {
                history.push(Step { curvature: dot(&moved, &turned), moved, turned });
                history.drain(..history.len().saturating_sub(MEMORY));
            }
            (loss, gradient) = (new_loss, new_gradient);
        }
        found
    }

    /// The softmax over the classes of w·x + b.
    pub(super) fn probabilities(&self, row: &SparseRow) -> Vec<f64> {
        let logits: Vec<f64> =
            (0..self.classes).map(|class| self.vector(class).map_or(0.0, |first| self.logit(first, row))).collect();
        softmax(&logits)
    }

    /// Where a class's weights begin; the first of two classes has none.
    fn vector(&self, class: usize) -> Option<usize> {
        let vector = if self.classes == 2 { class.checked_sub(1)? } else { class };
        Some(vector * (self.features + 1))
    }

    fn logit(&self, first: usize, row: &SparseRow) -> f64 {
        let weighted: f64 = row.iter().map(|&(index, value)| self.parameters[first + index] * value).sum();
        weighted + self.parameters[first + self.features]
    }

    fn loss_and_gradient(&self, rows: &[SparseRow], labels: &[usize]) -> (f64, Vec<f64>) {
        let is_intercept = |index: usize| index % (self.features + 1) == self.features;
        let weights = self.parameters.iter().enumerate();
        let mut gradient: Vec<f64> = weights.map(|(index, &weight)| if is_intercept(index) { 0.0 } else { weight }).collect();
        let mut loss = 0.5 * dot(&gradient, &gradient);
        for (row, &label) in rows.iter().zip(labels) {
            let probabilities = self.probabilities(row);
            loss -= probabilities[label].max(f64::MIN_POSITIVE).ln();
            for (class, probability) in probabilities.into_iter().enumerate() {
                let Some(first) = self.vector(class) else { continue };
                let residual = probability - f64::from(u8::from(class == label));
                row.iter().for_each(|&(index, value)| gradient[first + index] += residual * value);
                gradient[first + self.features] += residual;
            }
        }
        (loss, gradient)
    }
}

/// A step of the past: how far it went, how the gradient changed, and the product of the two.
struct Step {
    moved: Vec<f64>,
    turned: Vec<f64>,
    curvature: f64,
}

/// Minus the inverse Hessian, as the last steps let it be guessed, times the gradient.
fn direction(gradient: &[f64], history: &[Step]) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|entry| -entry).collect();
    let add =
        |to: &mut [f64], factor: f64, values: &[f64]| to.iter_mut().zip(values).for_each(|(to, value)| *to += factor * value);
    let mut factors = Vec::with_capacity(history.len());
    for step in history.iter().rev() {
        let factor = dot(&step.moved, &direction) / step.curvature;
        add(&mut direction, -factor, &step.turned);
        factors.push(factor);
    }
    if let Some(last) = history.last() {
        let scale = last.curvature / dot(&last.turned, &last.turned);
        direction.iter_mut().for_each(|entry| *entry *= scale);
    }
    for (step, factor) in history.iter().zip(factors.into_iter().rev()) {
        let correction = dot(&step.turned, &direction) / step.curvature;
        add(&mut direction, factor - correction, &step.moved);
    }
    direction
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}
