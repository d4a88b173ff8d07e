//! The two kinds of classification.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How many of its labels a text has: the `problem_type` of transformers, in two words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Exactly one: the labels are exclusive.
    #[default]
    SingleLabel,
    /// Any number: the labels are independent.
    MultiLabel,
}

impl Task {
    pub(crate) fn is_single_label(&self) -> bool {
        *self == Self::SingleLabel
    }
}

impl fmt::Display for Task {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::SingleLabel => "gives each text one of its labels",
            Self::MultiLabel => "gives each text any number of its labels",
        })
    }
}
