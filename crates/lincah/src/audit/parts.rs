//! Accuracy by the values of a column.

use super::outcomes;
use crate::evaluation::Truth;
use crate::prediction::Prediction;
use crate::statistics::Proportion;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The rows with one value of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The value.
    pub name: String,
    /// Rows.
    pub rows: u64,
    /// Those with every decision right.
    pub right: u64,
    /// Those that were left to a person; they are not right.
    pub reviewed: u64,
    /// right / rows.
    pub accuracy: Option<f64>,
    /// Its exact 95 % interval, by [`exact_interval`](crate::statistics::exact_interval).
    pub interval: [f64; 2],
}

impl Part {
    pub(super) fn new(name: String, rows: u64, right: u64, reviewed: u64) -> Self {
        let accuracy = Proportion::new(right, rows);
        Self { name, rows, right, reviewed, accuracy: accuracy.value(), interval: accuracy.interval() }
    }
}

/// The rows by value, the least accurate first; those without a value are left out. # Shapes: predictions and values `[rows]`.
pub fn parts(truth: Truth, predictions: &[Prediction], values: &[String]) -> Vec<Part> {
    let mut counts: BTreeMap<&String, [u64; 3]> = BTreeMap::new();
    for (value, (right, reviewed)) in values.iter().zip(outcomes(truth, predictions)).filter(|(value, _)| !value.is_empty()) {
        let counts = counts.entry(value).or_default();
        *counts = [counts[0] + 1, counts[1] + u64::from(right), counts[2] + u64::from(reviewed)];
    }
    let part = |(name, [rows, right, reviewed]): (&String, [u64; 3])| Part::new(name.clone(), rows, right, reviewed);
    let mut parts: Vec<Part> = counts.into_iter().map(part).collect();
    parts.sort_by(|a, b| a.accuracy.unwrap_or(1.0).total_cmp(&b.accuracy.unwrap_or(1.0)));
    parts
}
