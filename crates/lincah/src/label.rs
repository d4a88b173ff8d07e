//! The labels of a classifier: what users see, in the order that prompts, scores and metrics keep.

use serde::{Deserialize, Serialize};

/// Two or more different labels in a fixed order; the last is the positive class of two-class metrics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct LabelSet {
    names: Vec<String>,
}

/// Why labels can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// There is nothing to choose between.
    #[error("{found} labels were given, a classifier needs at least 2")]
    TooFew {
        /// Labels given.
        found: usize,
    },
    /// A label is empty.
    #[error("label {position} is empty")]
    Empty {
        /// Its place, from 1.
        position: usize,
    },
    /// A label has white space at an end or a line break inside, which a prompt would not keep apart.
    #[error("label `{label}` has white space at its start or end, or a line break; take it out")]
    WhiteSpace {
        /// The label.
        label: String,
    },
    /// A label is there twice.
    #[error("label `{label}` was given twice")]
    Duplicate {
        /// The label.
        label: String,
    },
}

impl LabelSet {
    /// Labels in their order.
    ///
    /// # Errors
    /// Fewer than two labels, an empty one, one with white space at an end or a line break inside, the same twice.
    pub fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, LabelError> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if names.len() < 2 {
            return Err(LabelError::TooFew { found: names.len() });
        }
        let mut seen = std::collections::HashSet::with_capacity(names.len());
        for (index, label) in names.iter().enumerate() {
            if label.is_empty() {
                return Err(LabelError::Empty { position: index + 1 });
            }
            if label.trim() != label || label.contains(['\n', '\r']) {
                return Err(LabelError::WhiteSpace { label: label.clone() });
            }
            if !seen.insert(label) {
                return Err(LabelError::Duplicate { label: label.clone() });
            }
        }
        Ok(Self { names })
    }

    /// The labels in their order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How many labels there are, two at least.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Place of a label, from 0.
    pub fn position(&self, label: &str) -> Option<usize> {
        self.names.iter().position(|name| name == label)
    }

    /// The positive class of two-class metrics: the last label.
    pub fn positive(&self) -> &str {
        &self.names[self.names.len() - 1]
    }
}

impl TryFrom<Vec<String>> for LabelSet {
    type Error = LabelError;

    fn try_from(names: Vec<String>) -> Result<Self, LabelError> {
        Self::new(names)
    }
}

impl From<LabelSet> for Vec<String> {
    fn from(labels: LabelSet) -> Self {
        labels.names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_places_are_kept() {
        let labels = LabelSet::new(["Positive", "Negative"]).unwrap();
        assert_eq!(labels.names(), ["Positive", "Negative"]);
        assert_eq!((labels.len(), labels.positive()), (2, "Negative"));
        assert_eq!((labels.position("Negative"), labels.position("negative")), (Some(1), None));
    }

    #[test]
    fn labels_that_cannot_work_are_refused() {
        let refused = |names: &[&str]| LabelSet::new(names.iter().copied()).unwrap_err();
        let label = || "a".to_owned();
        assert_eq!(refused(&[]), LabelError::TooFew { found: 0 });
        assert_eq!(refused(&["a"]), LabelError::TooFew { found: 1 });
        assert_eq!(refused(&["a", ""]), LabelError::Empty { position: 2 });
        assert_eq!(refused(&["a", "b", "a"]), LabelError::Duplicate { label: label() });
        for padded in [" a", "a ", "\ta", "a\nb", "a\rb", "  "] {
            assert_eq!(refused(&["x", padded]), LabelError::WhiteSpace { label: padded.to_owned() });
        }
    }

    #[test]
    fn a_stored_set_is_checked_when_it_is_read() {
        let labels: LabelSet = serde_json::from_str(r#"["a","b"]"#).unwrap();
        assert_eq!(serde_json::to_string(&labels).unwrap(), r#"["a","b"]"#);
        let error = serde_json::from_str::<LabelSet>(r#"["a","a"]"#).unwrap_err();
        assert_eq!(error.to_string(), "label `a` was given twice");
    }
}
