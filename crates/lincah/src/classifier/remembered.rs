//! The rows that a classifier has seen, without their texts.

use crate::data::dataset::Dataset;
use crate::data::report::normalize;
use crate::error::Error;
use lincah_model::sha256;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Hexadecimal digits of a hash that are kept: 64 bits, with which a text in a million rows is taken for another once in 18 billion.
const KEPT_DIGITS: usize = 16;

/// Hashes of the texts that a classifier was trained on, and of those that chose its decisions.
///
/// A hash is SHA-256 over the key and the text without case and with single white space. The key is another one for each training set, so
/// that two classifiers' hashes tell nothing of common texts. It lies beside the hashes: who has the folder and guesses a whole text can
/// find out whether it was among the rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RememberedRows {
    key: String,
    /// In their own order, which tells nothing of the rows'.
    trained: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    chose: BTreeSet<String>,
    /// Those of the classifiers that the training started from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    before: Vec<RememberedRows>,
}

impl RememberedRows {
    /// Remembers texts that were trained or validated on; `fingerprint` is that of the training data.
    pub(crate) fn new<'a>(fingerprint: &str, trained: impl IntoIterator<Item = &'a String>) -> Self {
        let key = sha256::of_bytes(format!("rows remembered by lincah {fingerprint}"));
        let trained = trained.into_iter().map(|text| hashed(&key, text)).collect();
        Self { key, trained, chose: BTreeSet::new(), before: Vec::new() }
    }

    /// Remembers what the adapters were trained on that the training started from, too.
    pub(crate) fn after<'a>(self, earlier: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut before = Vec::new();
        for rows in earlier {
            if !before.contains(rows) {
                before.push(rows.clone());
            }
        }
        Self { before, ..self }
    }

    /// Remembers the texts that chose the decisions, in place of those that did before.
    pub(crate) fn set_chose<'a>(&mut self, texts: impl IntoIterator<Item = &'a String>) {
        self.chose = texts.into_iter().map(|text| hashed(&self.key, text)).collect();
    }

    /// Whether the classifier was trained, or its training validated, on a text like this.
    pub fn trained_on(&self, text: &str) -> bool {
        self.trained.contains(&hashed(&self.key, text)) || self.before.iter().any(|rows| rows.trained_on(text))
    }

    /// Whether its calibration or decisions were chosen with a text like this.
    pub fn chosen_with(&self, text: &str) -> bool {
        !self.chose.is_empty() && self.chose.contains(&hashed(&self.key, text))
    }
}

fn hashed(key: &str, text: &str) -> String {
    let mut hash = sha256::of_bytes(format!("{key}\0{}", normalize(text)));
    hash.truncate(KEPT_DIGITS);
    hash
}

/// Rows that a classifier may be judged by.
#[derive(Debug, Clone, PartialEq)]
pub struct UnseenRows {
    /// The rows without those that it was trained on; all, where those were asked for.
    pub data: Dataset,
    /// How many of all rows it was trained on; none where it does not remember.
    pub trained_on: Option<usize>,
    /// How many of the rows in `data` chose its calibration or decisions.
    pub chosen_with: usize,
}

impl UnseenRows {
    /// Takes out of `data` the rows that `remembered` was trained on, unless they are to be `included`.
    ///
    /// # Errors
    /// [`Error::OnlyTrainingRows`] where none is left.
    pub(crate) fn of(remembered: Option<&RememberedRows>, data: Dataset, included: bool) -> Result<Self, Error> {
        let Some(remembered) = remembered else { return Ok(Self { data, trained_on: None, chosen_with: 0 }) };
        let unseen: Vec<usize> = (0..data.len()).filter(|&row| !remembered.trained_on(&data.texts[row])).collect();
        let trained_on = data.len() - unseen.len();
        if unseen.is_empty() && !included {
            return Err(Error::OnlyTrainingRows { rows: data.len() });
        }
        let data = if included || trained_on == 0 { data } else { data.subset(&unseen) };
        let chosen_with = data.texts.iter().filter(|text| remembered.chosen_with(text)).count();
        Ok(Self { data, trained_on: Some(trained_on), chosen_with })
    }
}

impl UnseenRows {
    /// What a reader must know of the rows, of `rows` in all: how many were trained on, and how many chose the decisions.
    pub fn notice(&self, rows: usize, included: bool) -> Option<String> {
        let trained = match self.trained_on {
            Some(trained_on) if trained_on > 0 && included => {
                format!(
                    "{trained_on} of {rows} rows were trained on and are included: the figures are better than they should be."
                )
            }
            Some(trained_on) if trained_on > 0 => {
                format!("{trained_on} of {rows} rows were trained on; the figures are of the {} others.", self.data.len())
            }
            _ => String::new(),
        };
        let chose = match self.chosen_with {
            0 => String::new(),
            rows => format!("{rows} of the rows chose the decisions, which makes them look better."),
        };
        let notice = [trained, chose].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        (!notice.is_empty()).then_some(notice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_known_again_but_for_case_and_white_space() {
        let texts = [String::from("Thank you, that helped."), String::from("No.")];
        let mut rows = RememberedRows::new("one training set", &texts);
        assert!(rows.trained_on("  thank you,  That helped.") && !rows.trained_on("Thank you."));
        assert!(!rows.chosen_with("No."));
        rows.set_chose(&texts[1..]);
        assert!(rows.chosen_with("no.") && !rows.chosen_with("Thank you, that helped."));
        let stored = serde_json::to_string(&rows).unwrap();
        assert!(!stored.to_lowercase().contains("thank"), "no text is stored");
        assert_eq!(serde_json::from_str::<RememberedRows>(&stored).unwrap(), rows);
        let other = RememberedRows::new("another training set", &texts);
        assert!(rows.trained.is_disjoint(&other.trained), "hashes of two classifiers have nothing in common");
    }
}
