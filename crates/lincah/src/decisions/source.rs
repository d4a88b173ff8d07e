//! Where scores come from that decisions are chosen by.

use serde::{Deserialize, Serialize};

/// What decisions were chosen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionSource {
    /// Scores of the training rows, each by a classifier that was trained on the other folds.
    OutOfFold,
    /// The rows that the training was validated on.
    Validation,
    /// Rows of their own.
    Rows,
}
