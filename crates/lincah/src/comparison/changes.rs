//! Which decisions change from one classifier to another, without any labels.

use crate::label::LabelSet;
use crate::metrics::{MetricError, check_lengths};
use crate::prediction::{Decision, Prediction};
use crate::statistics::Proportion;
use serde::Serialize;
use std::collections::BTreeMap;

/// What is called where nothing was decided.
const REVIEW: &str = "(review)";
/// What is called where none of independent labels is given.
const NONE: &str = "(none)";

/// A text that is decided otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Its row in the file, from 1.
    pub row: u64,
    /// What the first classifier decides: labels with a comma between them, or that a person should look.
    pub first: String,
    /// What the second one decides.
    pub second: String,
}

/// How many texts are decided otherwise, from what to what.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DecisionChanges {
    /// Texts.
    pub n: usize,
    /// Those that are decided otherwise.
    pub changed: u64,
    /// changed / n.
    pub share: Option<f64>,
    /// Its exact 95 % interval.
    pub interval: [f64; 2],
    /// From what to what, the most frequent first.
    pub kinds: Vec<ChangeKind>,
    /// Each.
    pub changes: Vec<Change>,
}

/// A kind of change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangeKind {
    /// Decided by the first.
    pub first: String,
    /// By the second.
    pub second: String,
    /// How often.
    pub texts: u64,
}

impl DecisionChanges {
    /// Compares two classifiers' predictions of the same texts, whose numbers in the file are `rows`.
    ///
    /// # Errors
    /// [`MetricError::Empty`], [`MetricError::Lengths`].
    pub fn of(labels: &LabelSet, first: &[Prediction], second: &[Prediction], rows: &[u64]) -> Result<Self, MetricError> {
        check_lengths(first.len(), second.len())?;
        check_lengths(first.len(), rows.len())?;
        let decided = |prediction: &Prediction| match (&prediction.decision, prediction.given()) {
            (Decision::Abstain, _) => String::from(REVIEW),
            (_, given) if !given.contains(&true) => String::from(NONE),
            (_, given) => {
                let names = labels.names().iter().zip(given).filter(|(_, given)| *given);
                names.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
            }
        };
        let pairs = first.iter().zip(second).zip(rows).filter(|((first, second), _)| first.decision != second.decision);
        let change = |((first, second), &row): ((&Prediction, &Prediction), &u64)| Change {
            row,
            first: decided(first),
            second: decided(second),
        };
        let changes: Vec<Change> = pairs.map(change).collect();
        let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        changes.iter().for_each(|change| *counts.entry((&change.first, &change.second)).or_default() += 1);
        let kind =
            |((first, second), texts): ((&str, &str), u64)| ChangeKind { first: first.into(), second: second.into(), texts };
        let mut kinds: Vec<ChangeKind> = counts.into_iter().map(kind).collect();
        kinds.sort_by_key(|kind| std::cmp::Reverse(kind.texts));
        let share = Proportion::new(changes.len() as u64, first.len() as u64);
        Ok(Self { n: first.len(), changed: share.successes, share: share.value(), interval: share.interval(), kinds, changes })
    }
}
