//! Figures that others published.

/// A mean that was published for a training size and a number of epochs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PublishedPoint {
    /// Training rows.
    pub train_size: usize,
    /// Passes over them.
    pub epochs: usize,
    /// F1 of the positive class.
    pub f1: f64,
    /// Area under the ROC curve.
    pub roc_auc: f64,
}

/// What the codelab "Agile classifiers" reports for Gemma 2B (the first Gemma) on its 198 test rows of ETHOS, one training each.
pub const CODELAB: [PublishedPoint; 12] = [
    point(800, 4, 0.84, 0.88),
    point(800, 6, 0.83, 0.86),
    point(800, 8, 0.83, 0.84),
    point(800, 10, 0.84, 0.87),
    point(400, 4, 0.77, 0.83),
    point(400, 6, 0.80, 0.82),
    point(400, 8, 0.80, 0.82),
    point(400, 10, 0.81, 0.85),
    point(200, 4, 0.78, 0.79),
    point(200, 6, 0.80, 0.78),
    point(200, 8, 0.78, 0.80),
    point(200, 10, 0.79, 0.81),
];

const fn point(train_size: usize, epochs: usize, f1: f64, roc_auc: f64) -> PublishedPoint {
    PublishedPoint { train_size, epochs, f1, roc_auc }
}
