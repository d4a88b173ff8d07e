//! The labels of a classifier: what users see, in the order that prompts, scores and metrics keep.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The most labels of a classifier.
pub const MAX_LABELS: usize = 1000;

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
    /// More than anybody tells apart.
    #[error("{found} labels were given; a classifier has at most {MAX_LABELS}")]
    TooMany {
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
    #[error("label `{}` has white space at its start or end, or a line break; take it out", label.escape_debug())]
    WhiteSpace {
        /// The label.
        label: String,
    },
    /// A label is there twice.
    #[error("label `{}` was given twice", label.escape_debug())]
    Duplicate {
        /// The label.
        label: String,
    },
}

impl LabelSet {
    /// Labels in their order.
    ///
    /// # Errors
    /// Fewer than two labels or more than [`MAX_LABELS`], an empty one, one with white space at an end or a line break inside, the same twice.
    pub fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, LabelError> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if names.len() < 2 {
            return Err(LabelError::TooFew { found: names.len() });
        }
        if names.len() > MAX_LABELS {
            return Err(LabelError::TooMany { found: names.len() });
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

    /// The names as a reader would write them: underscores and hyphens become spaces.
    pub fn readable_names(&self) -> impl Iterator<Item = String> {
        self.names.iter().map(|name| name.replace(['_', '-'], " "))
    }

    /// Probabilities by label, in the labels' order. # Shapes: probabilities `[labels]`.
    pub fn by_name(&self, probabilities: &[f64]) -> Map<String, Value> {
        self.names.iter().cloned().zip(probabilities.iter().map(|&probability| Value::from(probability))).collect()
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

    /// Whether the last of two labels, the positive class, reads as the negation of the first: `not_hate` beside `hate`, `non-toxic`, `no
    /// spam`, `unsafe` beside `safe`. Meant for labels in alphabetical order; an order that somebody chose needs no hint.
    pub fn looks_negated(&self) -> Option<Negation<'_>> {
        let [first, last] = self.names.as_slice() else { return None };
        negates(last, first).then_some(Negation { negation: last, stem: first })
    }
}

/// Labels that differ only by case or white space, in groups of two or more.
pub fn similar(labels: &[String]) -> Vec<Vec<String>> {
    let alike = |name: &str| name.to_lowercase().split_whitespace().collect::<String>();
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for name in labels {
        let key = alike(name);
        match groups.iter_mut().find(|(other, _)| *other == key) {
            Some((_, group)) => group.push(name.clone()),
            None => groups.push((key, vec![name.clone()])),
        }
    }
    groups.into_iter().map(|(_, group)| group).filter(|group| group.len() > 1).collect()
}

/// Two labels of which one reads as the negation of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Negation<'a> {
    /// The negated label.
    pub negation: &'a str,
    /// What it negates.
    pub stem: &'a str,
}

/// Whether `label` is `stem` behind `not`, `non` or `no`, or behind `un`, whatever the case and what separates the words.
fn negates(label: &str, stem: &str) -> bool {
    let words = |text: &str| text.to_lowercase().replace(|c: char| !c.is_alphanumeric(), "");
    let (label, stem) = (words(label), words(stem));
    !stem.is_empty() && ["not", "non", "no", "un"].iter().any(|prefix| label.strip_prefix(prefix) == Some(stem.as_str()))
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
    fn too_many_labels_are_refused_at_once() {
        let names = |count: usize| (0..count).map(|label| label.to_string());
        assert_eq!(LabelSet::new(names(MAX_LABELS)).unwrap().len(), MAX_LABELS);
        assert_eq!(LabelSet::new(names(2000)).unwrap_err(), LabelError::TooMany { found: 2000 });
    }

    #[test]
    fn a_message_has_no_control_characters() {
        let error = LabelSet::new(["a", "b\u{1b}[31m\nc"]).unwrap_err().to_string();
        assert!(error.starts_with(r"label `b\u{1b}[31m\nc` has white space"), "{error}");
    }

    #[test]
    fn negations_are_recognized() {
        let negated = |names: [&str; 2]| LabelSet::new(names).unwrap().looks_negated().is_some();
        let yes = [
            ["hate", "not_hate"],
            ["toxic", "non-toxic"],
            ["Spam", "no spam"],
            ["safe", "unsafe"],
            ["hate", "NotHate"],
            ["ok", "not ok"],
        ];
        yes.into_iter().for_each(|names| assert!(negated(names), "{names:?}"));
        let no = [["not_hate", "hate"], ["note", "notebook"], ["a", "b"], ["negative", "positive"], ["no", "yes"], ["-", "not"]];
        no.into_iter().for_each(|names| assert!(!negated(names), "{names:?}"));
        let three = LabelSet::new(["a", "not a", "b"]).unwrap();
        assert_eq!(three.looks_negated(), None);
        let found = LabelSet::new(["hate", "not_hate"]).unwrap();
        assert_eq!(found.looks_negated(), Some(Negation { negation: "not_hate", stem: "hate" }));
    }

    #[test]
    fn labels_that_differ_by_case_or_spaces_are_similar() {
        let labels = LabelSet::new(["Bug", "idea", "bug", "off topic", "Off  Topic", "b u g"]).unwrap();
        assert_eq!(similar(labels.names()), [vec!["Bug", "bug", "b u g"], vec!["off topic", "Off  Topic"]]);
        assert!(similar(&["a".to_owned(), "b".to_owned()]).is_empty());
    }

    #[test]
    fn a_stored_set_is_checked_when_it_is_read() {
        let labels: LabelSet = serde_json::from_str(r#"["a","b"]"#).unwrap();
        assert_eq!(serde_json::to_string(&labels).unwrap(), r#"["a","b"]"#);
        let error = serde_json::from_str::<LabelSet>(r#"["a","a"]"#).unwrap_err();
        assert_eq!(error.to_string(), "label `a` was given twice");
    }
}
