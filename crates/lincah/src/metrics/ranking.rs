//! Metrics of the order in which scores put the rows.

use super::{MetricError, check_lengths};

/// The points of a ROC curve, from (0, 0) to (1, 1).
#[derive(Debug, Clone, PartialEq)]
pub struct RocCurve {
    /// fp / negatives at each threshold.
    pub false_positive_rate: Vec<f64>,
    /// tp / positives at each threshold.
    pub true_positive_rate: Vec<f64>,
    /// A row counts as positive at or above it; descending from infinity.
    pub thresholds: Vec<f64>,
}

/// The points of a precision-recall curve, by ascending threshold, ended by precision 1 and recall 0.
#[derive(Debug, Clone, PartialEq)]
pub struct PrecisionRecallCurve {
    /// tp / (tp + fp) at each threshold, and 1.
    pub precision: Vec<f64>,
    /// tp / positives at each threshold, and 0.
    pub recall: Vec<f64>,
    /// A row counts as positive at or above it; one fewer than the points.
    pub thresholds: Vec<f64>,
}

/// Counts of the rows at or above each distinct score, from the highest score down.
struct Cumulative {
    thresholds: Vec<f64>,
    true_positives: Vec<f64>,
    false_positives: Vec<f64>,
}

impl Cumulative {
    fn of(truth: &[bool], scores: &[f64]) -> Result<Self, MetricError> {
        check_lengths(truth.len(), scores.len())?;
        if let Some((row, &score)) = scores.iter().enumerate().find(|(_, score)| !score.is_finite()) {
            return Err(MetricError::Score { row, score });
        }
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&left, &right| scores[right].total_cmp(&scores[left]));
        let mut counts = Self { thresholds: Vec::new(), true_positives: Vec::new(), false_positives: Vec::new() };
        let (mut true_positives, mut false_positives) = (0.0, 0.0);
        // `==` and not the order's `total_cmp`, under which 0 and -0 differ.
        for tied in order.chunk_by(|&left, &right| scores[left] == scores[right]) {
            let positives = tied.iter().filter(|&&row| truth[row]).count();
            true_positives += positives as f64;
            false_positives += (tied.len() - positives) as f64;
            counts.thresholds.push(scores[tied[0]]);
            counts.true_positives.push(true_positives);
            counts.false_positives.push(false_positives);
        }
        Ok(counts)
    }

    fn positives(&self) -> f64 {
        self.true_positives.last().copied().unwrap_or(0.0)
    }

    fn negatives(&self) -> f64 {
        self.false_positives.last().copied().unwrap_or(0.0)
    }
}

/// The ROC curve: a point for every distinct score, none dropped (scikit-learn's `drop_intermediate=False`), after (0, 0).
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Lengths`], [`MetricError::Score`]; [`MetricError::OneClass`] without positives or negatives.
pub fn roc_curve(truth: &[bool], scores: &[f64]) -> Result<RocCurve, MetricError> {
    let counts = Cumulative::of(truth, scores)?;
    let (positives, negatives) = (counts.positives(), counts.negatives());
    if positives == 0.0 || negatives == 0.0 {
        return Err(MetricError::OneClass);
    }
    let from_zero = |counts: &[f64], total: f64| std::iter::once(0.0).chain(counts.iter().map(|count| count / total)).collect();
    Ok(RocCurve {
        false_positive_rate: from_zero(&counts.false_positives, negatives),
        true_positive_rate: from_zero(&counts.true_positives, positives),
        thresholds: std::iter::once(f64::INFINITY).chain(counts.thresholds.iter().copied()).collect(),
    })
}

/// The area under the ROC curve by the trapezoidal rule, Σₖ (fprₖ - fprₖ₋₁)(tprₖ + tprₖ₋₁)/2: the probability that a positive row
/// scores above a negative one, a tie counting half.
///
/// Source: Hanley and McNeil 1982, doi 10.1148/radiology.143.1.7063747.
///
/// # Errors
/// As [`roc_curve`].
pub fn roc_auc(truth: &[bool], scores: &[f64]) -> Result<f64, MetricError> {
    let counts = Cumulative::of(truth, scores)?;
    let pairs = counts.positives() * counts.negatives();
    if pairs == 0.0 {
        return Err(MetricError::OneClass);
    }
    let (mut doubled_area, mut last) = (0.0, (0.0, 0.0));
    for (&true_positives, &false_positives) in counts.true_positives.iter().zip(&counts.false_positives) {
        doubled_area += (false_positives - last.1) * (true_positives + last.0);
        last = (true_positives, false_positives);
    }
    Ok(doubled_area / (2.0 * pairs))
}

/// The precision-recall curve: a point for every distinct score, none dropped, then precision 1 and recall 0.
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Lengths`], [`MetricError::Score`]; [`MetricError::NoPositive`] without positives.
pub fn precision_recall_curve(truth: &[bool], scores: &[f64]) -> Result<PrecisionRecallCurve, MetricError> {
    let counts = Cumulative::of(truth, scores)?;
    let positives = counts.positives();
    if positives == 0.0 {
        return Err(MetricError::NoPositive);
    }
    let precision = counts.true_positives.iter().zip(&counts.false_positives).map(|(tp, fp)| tp / (tp + fp)).rev();
    let recall = counts.true_positives.iter().map(|tp| tp / positives).rev();
    Ok(PrecisionRecallCurve {
        precision: precision.chain([1.0]).collect(),
        recall: recall.chain([0.0]).collect(),
        thresholds: counts.thresholds.iter().rev().copied().collect(),
    })
}

/// The average precision, Σₖ (recallₖ - recallₖ₋₁) · precisionₖ over descending thresholds: the area under the precision-recall
/// curve taken as steps, without interpolation.
///
/// # Errors
/// As [`precision_recall_curve`].
pub fn average_precision(truth: &[bool], scores: &[f64]) -> Result<f64, MetricError> {
    let curve = precision_recall_curve(truth, scores)?;
    let steps = curve.recall.windows(2).zip(&curve.precision);
    Ok(steps.map(|(recall, precision)| (recall[0] - recall[1]) * precision).sum())
}
