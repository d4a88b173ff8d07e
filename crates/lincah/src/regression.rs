//! Logistic regression on sparse or dense rows.

use crate::softmax::softmax;
use crate::task::Task;
use rayon::prelude::*;

/// The minimum to six digits: gradients are followed until their largest entry is below this.
pub(crate) const EXACT: f64 = 1e-6;
/// Near enough to it for the order of the scores.
pub(crate) const NEAR: f64 = 1e-3;
const MAX_STEPS: usize = 1000;
/// Earlier steps that shape the next one.
const MEMORY: usize = 10;
/// Rows whose losses and gradients are summed by one thread; the sums are added in the rows' order.
const ROWS_PER_SUM: usize = 64;

/// A row of features.
pub(crate) trait Features: Sync {
    /// Σ wᵢ xᵢ.
    fn dot(&self, weights: &[f64]) -> f64;
    /// to += factor x.
    fn add_to(&self, factor: f64, to: &mut [f64]);
}

/// Features that are not zero, by index.
pub(crate) type SparseRow = Vec<(usize, f64)>;

impl Features for SparseRow {
    fn dot(&self, weights: &[f64]) -> f64 {
        self.iter().map(|&(index, value)| weights[index] * value).sum()
    }

    fn add_to(&self, factor: f64, to: &mut [f64]) {
        self.iter().for_each(|&(index, value)| to[index] += factor * value);
    }
}

/// All features in order.
pub(crate) type DenseRow = Vec<f64>;

impl Features for DenseRow {
    fn dot(&self, weights: &[f64]) -> f64 {
        dot(self, weights)
    }

    fn add_to(&self, factor: f64, to: &mut [f64]) {
        to.iter_mut().zip(self).for_each(|(to, value)| *to += factor * value);
    }
}

/// Weights and intercept of each class; of two classes, of the second only, the first having zeros.
///
/// They minimize Σᵢ -sᵢ ln p(yᵢ | xᵢ) + ½ λ Σ w², with sᵢ how much row i counts, p the softmax over the classes of w·x + b and λ the penalty;
/// the intercepts b are free. That is scikit-learn's `LogisticRegression(C=1/λ)`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LogisticRegression {
    /// For each class its weights, then its intercept.
    parameters: Vec<f64>,
    features: usize,
    classes: usize,
}

/// Rows and their classes.
struct Labelled<'a, R> {
    rows: &'a [R],
    classes: &'a [usize],
    /// How much each row counts; all alike if there are none.
    weights: Option<&'a [f64]>,
    penalty: f64,
}

impl LogisticRegression {
    /// Finds the minimum by L-BFGS (Nocedal and Wright 2006, *Numerical Optimization*, algorithm 7.4) with backtracking,
    /// until no entry of the gradient is above `tolerance`. It begins at `start` where there is one of as many features and classes.
    fn fit<R: Features>(of: &Labelled<R>, (features, classes): (usize, usize), tolerance: f64, start: Option<&Self>) -> Self {
        let vectors = if classes == 2 { 1 } else { classes };
        let mut found = Self { parameters: vec![0.0; vectors * (features + 1)], features, classes };
        if let Some(start) = start.filter(|start| start.parameters.len() == found.parameters.len()) {
            found.parameters.clone_from(&start.parameters);
        }
        let (mut loss, mut gradient) = found.loss_and_gradient(of);
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
                let (new_loss, new_gradient) = found.loss_and_gradient(of);
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
    fn probabilities<R: Features>(&self, row: &R) -> Vec<f64> {
        let logits: Vec<f64> =
            (0..self.classes).map(|class| self.vector(class).map_or(0.0, |first| self.logit(first, row))).collect();
        softmax(&logits)
    }

    /// Where a class's weights begin; the first of two classes has none.
    fn vector(&self, class: usize) -> Option<usize> {
        let vector = if self.classes == 2 { class.checked_sub(1)? } else { class };
        Some(vector * (self.features + 1))
    }

    fn logit<R: Features>(&self, first: usize, row: &R) -> f64 {
        row.dot(&self.parameters[first..first + self.features]) + self.parameters[first + self.features]
    }

    fn loss_and_gradient<R: Features>(&self, of: &Labelled<R>) -> (f64, Vec<f64>) {
        let is_intercept = |index: usize| index % (self.features + 1) == self.features;
        let weights = self.parameters.iter().enumerate();
        let penalized: Vec<f64> = weights.map(|(index, &weight)| if is_intercept(index) { 0.0 } else { weight }).collect();
        let mut loss = 0.5 * of.penalty * dot(&penalized, &penalized);
        let mut gradient: Vec<f64> = penalized.iter().map(|weight| of.penalty * weight).collect();
        let parts = of.rows.par_chunks(ROWS_PER_SUM).zip(of.classes.par_chunks(ROWS_PER_SUM)).enumerate();
        let sums = |(part, (rows, classes)): (usize, (&[R], &[usize]))| {
            self.sums(rows, classes, of.weights.map(|weights| &weights[part * ROWS_PER_SUM..]))
        };
        for (of_part, part) in parts.map(sums).collect::<Vec<_>>() {
            loss += of_part;
            gradient.iter_mut().zip(&part).for_each(|(entry, part)| *entry += part);
        }
        (loss, gradient)
    }

    fn sums<R: Features>(&self, rows: &[R], classes: &[usize], weights: Option<&[f64]>) -> (f64, Vec<f64>) {
        let (mut loss, mut gradient) = (0.0, vec![0.0; self.parameters.len()]);
        for (place, (row, &label)) in rows.iter().zip(classes).enumerate() {
            let weight = weights.map_or(1.0, |weights| weights[place]);
            let probabilities = self.probabilities(row);
            loss -= weight * probabilities[label].max(f64::MIN_POSITIVE).ln();
            for (class, probability) in probabilities.into_iter().enumerate() {
                let Some(first) = self.vector(class) else { continue };
                let residual = weight * (probability - f64::from(u8::from(class == label)));
                row.add_to(residual, &mut gradient[first..first + self.features]);
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

/// Sum of products, in eight interleaved sums that the compiler can keep in wide registers.
fn dot(left: &[f64], right: &[f64]) -> f64 {
    let ((left, left_rest), (right, right_rest)) = (left.as_chunks::<8>(), right.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (left, right) in left.iter().zip(right) {
        for lane in 0..8 {
            sums[lane] += left[lane] * right[lane];
        }
    }
    let rest: f64 = left_rest.iter().zip(right_rest).map(|(left, right)| left * right).sum();
    sums.iter().sum::<f64>() + rest
}

/// How regressions are fitted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FitOptions {
    /// λ.
    pub(crate) penalty: f64,
    /// The largest entry that the gradient may have at the end.
    pub(crate) tolerance: f64,
}

/// A logistic regression for all exclusive labels, or one per independent label.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LabelRegressions {
    task: Task,
    regressions: Vec<LogisticRegression>,
}

impl LabelRegressions {
    /// Fits to rows of `features` features with truth `[rows][labels]`, beginning at `start` where there is one.
    pub(crate) fn fit<R: Features>(
        (task, truth): (Task, &[Vec<bool>]),
        (rows, features): (&[R], usize),
        options: FitOptions,
        start: Option<&Self>,
    ) -> Self {
        Self::fit_weighted((task, truth), None, (rows, features), options, start)
    }

    /// The same with how much each row counts; all alike if there are no weights.
    pub(crate) fn fit_weighted<R: Features>(
        (task, truth): (Task, &[Vec<bool>]),
        weights: Option<&[f64]>,
        (rows, features): (&[R], usize),
        options: FitOptions,
        start: Option<&Self>,
    ) -> Self {
        let labels = truth.first().map_or(0, Vec::len);
        let class = |truth: &Vec<bool>| truth.iter().position(|&has| has).unwrap_or(0);
        let (labellings, classes): (Vec<Vec<usize>>, usize) = match task {
            Task::SingleLabel => (vec![truth.iter().map(class).collect()], labels),
            Task::MultiLabel => {
                let of_label = |label: usize| truth.iter().map(|truth| usize::from(truth[label])).collect();
                ((0..labels).map(of_label).collect(), 2)
            }
        };
        let fit = |(index, of): (usize, &Vec<usize>)| {
            let of = &Labelled { rows, classes: of, weights, penalty: options.penalty };
            let start = start.and_then(|start| start.regressions.get(index));
            LogisticRegression::fit(of, (features, classes), options.tolerance, start)
        };
        Self { task, regressions: labellings.par_iter().enumerate().map(fit).collect() }
    }

    /// The probability of each label.
    pub(crate) fn probabilities<R: Features>(&self, row: &R) -> Vec<f64> {
        match self.task {
            Task::SingleLabel => self.regressions[0].probabilities(row),
            Task::MultiLabel => self.regressions.iter().map(|regression| regression.probabilities(row)[1]).collect(),
        }
    }

    /// Each row's probabilities by regressions on the other folds' rows.
    pub(crate) fn out_of_fold<R: Features + Clone>(
        (task, truth): (Task, &[Vec<bool>]),
        (rows, features): (&[R], usize),
        options: FitOptions,
        fold_of: &[usize],
    ) -> Vec<Vec<f64>> {
        out_of_fold(fold_of, |train, test| {
            let (of_train, truth): (Vec<R>, Vec<Vec<bool>>) =
                train.iter().map(|&row| (rows[row].clone(), truth[row].clone())).unzip();
            let fitted = Self::fit((task, &truth), (&of_train, features), options, None);
            test.iter().map(|&row| fitted.probabilities(&rows[row])).collect()
        })
    }

    /// Weights and intercept of each regression's classes, one after the other. # Shapes: `[vectors, features + 1]`, where two exclusive labels,
    /// and each independent one, have one vector, more exclusive labels one each.
    pub(crate) fn parameters(&self) -> Vec<f64> {
        self.regressions.iter().flat_map(|regression| regression.parameters.iter().copied()).collect()
    }

    /// Of how many numbers [`Self::parameters`] are.
    pub(crate) fn parameter_count(task: Task, labels: usize, features: usize) -> usize {
        let vectors = match task {
            Task::SingleLabel if labels == 2 => 1,
            _ => labels,
        };
        vectors * (features + 1)
    }

    /// The regressions of such numbers; `None` of another number of them.
    pub(crate) fn from_parameters(task: Task, labels: usize, features: usize, parameters: &[f64]) -> Option<Self> {
        if parameters.len() != Self::parameter_count(task, labels, features) {
            return None;
        }
        let (classes, length) = match task {
            Task::SingleLabel => (labels, parameters.len()),
            Task::MultiLabel => (2, features + 1),
        };
        let regression = |parameters: &[f64]| LogisticRegression { parameters: parameters.to_vec(), features, classes };
        Some(Self { task, regressions: parameters.chunks_exact(length).map(regression).collect() })
    }
}

/// What `score` makes of each row, given the rows of the other folds and those of its own.
pub(crate) fn out_of_fold<T: Send>(fold_of: &[usize], score: impl Fn(&[usize], &[usize]) -> Vec<T> + Sync) -> Vec<T> {
    let folds = fold_of.iter().max().map_or(0, |last| last + 1);
    let of_fold = |fold: usize| {
        let (test, train): (Vec<usize>, Vec<usize>) = (0..fold_of.len()).partition(|&row| fold_of[row] == fold);
        let scores = score(&train, &test);
        test.into_iter().zip(scores).collect::<Vec<_>>()
    };
    let mut scored: Vec<(usize, T)> = (0..folds).into_par_iter().flat_map_iter(of_fold).collect();
    scored.sort_by_key(|(row, _)| *row);
    scored.into_iter().map(|(_, score)| score).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_counts_twice_is_as_two() {
        let once: Vec<DenseRow> = (0..70).map(|i| vec![(i % 7) as f64 - 3.0, (i * i % 5) as f64]).collect();
        let weights: Vec<f64> = (0..70).map(|i| f64::from(1 + u8::from(i % 3 == 0))).collect();
        let truth = |i: usize| [true, false].map(|has| i.is_multiple_of(2) == has).to_vec();
        let twice: Vec<usize> = (0..70).flat_map(|i| vec![i; weights[i] as usize]).collect();
        let options = FitOptions { penalty: 2.0, tolerance: EXACT };
        let of_once: Vec<Vec<bool>> = (0..70).map(truth).collect();
        let of_twice: Vec<Vec<bool>> = twice.iter().map(|&i| truth(i)).collect();
        let rows: Vec<DenseRow> = twice.iter().map(|&i| once[i].clone()).collect();
        let weighted = LabelRegressions::fit_weighted((Task::SingleLabel, &of_once), Some(&weights), (&once, 2), options, None);
        let repeated = LabelRegressions::fit((Task::SingleLabel, &of_twice), (&rows, 2), options, None);
        let plain = LabelRegressions::fit((Task::SingleLabel, &of_once), (&once, 2), options, None);
        let far = |other: &LabelRegressions| (weighted.probabilities(&once[3])[0] - other.probabilities(&once[3])[0]).abs();
        assert!(far(&repeated) < 1e-6 && far(&plain) > 1e-3);
    }

    #[test]
    fn dense_and_sparse_rows_give_the_same_and_parameters_come_back() {
        let dense: Vec<DenseRow> = (0..40).map(|i| vec![(i % 7) as f64 - 3.0, (i * i % 5) as f64, 0.0, (i % 3) as f64]).collect();
        let sparse: Vec<SparseRow> =
            dense.iter().map(|row| row.iter().copied().enumerate().filter(|(_, value)| *value != 0.0).collect()).collect();
        let options = FitOptions { penalty: 2.0, tolerance: EXACT };
        for (task, labels) in [(Task::SingleLabel, 2), (Task::SingleLabel, 3), (Task::MultiLabel, 3)] {
            let truth: Vec<Vec<bool>> = (0..40).map(|i| (0..labels).map(|label| i % labels == label).collect()).collect();
            let of_dense = LabelRegressions::fit((task, &truth), (&dense, 4), options, None);
            let of_sparse = LabelRegressions::fit((task, &truth), (&sparse, 4), options, None);
            for (dense, sparse) in dense.iter().zip(&sparse) {
                let pairs = of_dense.probabilities(dense).into_iter().zip(of_sparse.probabilities(sparse));
                pairs.for_each(|(a, b)| assert!((a - b).abs() < 1e-6));
            }
            let parameters = of_dense.parameters();
            assert_eq!(LabelRegressions::from_parameters(task, labels, 4, &parameters), Some(of_dense.clone()));
            assert_eq!(LabelRegressions::from_parameters(task, labels, 5, &parameters), None);
            // From the minimum there is no step to go.
            assert_eq!(LabelRegressions::fit((task, &truth), (&dense, 4), options, Some(&of_dense)), of_dense);
        }
    }
}
