//! Metrics of predicted classes.

use super::{MetricError, check_lengths};

/// How often each true class was predicted as each class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfusionMatrix {
    counts: Vec<Vec<u64>>,
}

/// Precision, recall and F1 averaged over classes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Averaged {
    /// The average of the classes' precisions.
    pub precision: f64,
    /// The average of the classes' recalls.
    pub recall: f64,
    /// The average of the classes' F1 scores (not the F1 of the averages).
    pub f1: f64,
}

/// Counts C with C\[i\]\[j\] the rows of true class i predicted as class j; i and j are below `classes`.
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Lengths`], [`MetricError::Class`].
pub fn confusion_matrix(truth: &[usize], predicted: &[usize], classes: usize) -> Result<ConfusionMatrix, MetricError> {
    check_lengths(truth.len(), predicted.len())?;
    let mut counts = vec![vec![0; classes]; classes];
    for (row, (&true_class, &predicted_class)) in truth.iter().zip(predicted).enumerate() {
        let class = true_class.max(predicted_class);
        if class >= classes {
            return Err(MetricError::Class { row, class, classes });
        }
        counts[true_class][predicted_class] += 1;
    }
    Ok(ConfusionMatrix { counts })
}

/// a / b, and 0 where b is 0.
pub(super) fn ratio(numerator: f64, denominator: f64) -> f64 {
    if denominator == 0.0 { 0.0 } else { numerator / denominator }
}

impl ConfusionMatrix {
    /// The matrix with these counts, as many columns as rows.
    pub(crate) fn from_counts(counts: Vec<Vec<u64>>) -> Self {
        Self { counts }
    }

    /// The counts, rows of true classes by columns of predicted classes.
    pub fn counts(&self) -> &[Vec<u64>] {
        &self.counts
    }

    /// The matrix of the same rows if `class` had been predicted for every one: a baseline.
    pub fn always(&self, class: usize) -> Self {
        let mut counts = vec![vec![0; self.counts.len()]; self.counts.len()];
        for (true_class, row) in counts.iter_mut().enumerate() {
            row[class] = self.support(true_class);
        }
        Self { counts }
    }

    /// The rows whose true class is `class`: Σⱼ C\[class\]\[j\].
    pub fn support(&self, class: usize) -> u64 {
        self.counts[class].iter().sum()
    }

    /// The rows: Σᵢⱼ C\[i\]\[j\].
    pub fn total(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// Whether any row is of `class` or predicted as it.
    pub(crate) fn occurs(&self, class: usize) -> bool {
        self.support(class) + self.predicted(class) > 0
    }

    fn predicted(&self, class: usize) -> u64 {
        self.counts.iter().map(|row| row[class]).sum()
    }

    fn correct(&self, class: usize) -> u64 {
        self.counts[class][class]
    }

    /// The share of rows predicted right: Σᵢ C\[i\]\[i\] / Σᵢⱼ C\[i\]\[j\].
    pub fn accuracy(&self) -> f64 {
        let correct: u64 = (0..self.counts.len()).map(|class| self.correct(class)).sum();
        ratio(correct as f64, self.total() as f64)
    }

    /// Of the rows predicted as `class` the share that are: tp / (tp + fp), 0 if there is none.
    pub fn precision(&self, class: usize) -> f64 {
        ratio(self.correct(class) as f64, self.predicted(class) as f64)
    }

    /// Of the rows of `class` the share predicted as it: tp / (tp + fn), 0 if there is none.
    pub fn recall(&self, class: usize) -> f64 {
        ratio(self.correct(class) as f64, self.support(class) as f64)
    }

    /// The harmonic mean of precision and recall: 2 tp / (2 tp + fp + fn), 0 if there is neither.
    pub fn f1(&self, class: usize) -> f64 {
        ratio(2.0 * self.correct(class) as f64, (self.predicted(class) + self.support(class)) as f64)
    }

    /// The plain mean over all classes.
    pub fn macro_average(&self) -> Averaged {
        self.average(|_| 1.0)
    }

    /// The mean over all classes, each weighted by its support.
    pub fn weighted_average(&self) -> Averaged {
        self.average(|class| self.support(class) as f64)
    }

    /// Precision, recall and F1 of the counts summed over all classes; as every row has one class and one prediction,
    /// each of them is the accuracy.
    pub fn micro_average(&self) -> Averaged {
        let accuracy = self.accuracy();
        Averaged { precision: accuracy, recall: accuracy, f1: accuracy }
    }

    fn average(&self, weight: impl Fn(usize) -> f64) -> Averaged {
        let classes = 0..self.counts.len();
        let weights: f64 = classes.clone().map(&weight).sum();
        let mean =
            |metric: &dyn Fn(usize) -> f64| ratio(classes.clone().map(|class| weight(class) * metric(class)).sum(), weights);
        Averaged {
            precision: mean(&|class| self.precision(class)),
            recall: mean(&|class| self.recall(class)),
            f1: mean(&|class| self.f1(class)),
        }
    }
}
