//! The two kinds of classifiers.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a classifier says about a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// One of the labels. `classifier.json` does not name this task.
    OneLabel,
    /// Any number of the labels.
    MultiLabel,
}

impl fmt::Display for Task {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::OneLabel => "gives a text one of its labels",
            Self::MultiLabel => "gives a text any number of its labels",
        })
    }
}
