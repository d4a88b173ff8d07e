//! Other names for the labels of data.

use std::collections::BTreeSet;
use std::str::FromStr;

use super::error::DataError;
use super::place::{Names, excerpt};

/// A label of the data and what it is to be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelRename {
    /// The label in the data.
    pub from: String,
    /// Its name among the labels.
    pub to: String,
}

/// Renames labels while data are read: `hateful=Negative,non-hateful=Positive`. Several labels may get one name. Names that it does not
/// know stay as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelMap {
    renames: Vec<LabelRename>,
}

impl LabelMap {
    /// A map of these renames.
    ///
    /// # Errors
    /// [`DataError::LabelMap`] for a label that is renamed twice, or an empty name.
    pub fn new(renames: Vec<LabelRename>) -> Result<Self, DataError> {
        let mut seen = BTreeSet::new();
        match renames.iter().find(|rename| !seen.insert(&rename.from) || rename.from.is_empty() || rename.to.is_empty()) {
            Some(LabelRename { from, to }) => Err(DataError::LabelMap { found: excerpt(&format!("{from}={to}")) }),
            None => Ok(Self { renames }),
        }
    }

    /// Whether it renames nothing.
    pub fn is_empty(&self) -> bool {
        self.renames.is_empty()
    }

    /// What a label of the data is called: its new name, or the one it has.
    pub fn renamed<'a>(&'a self, label: &'a str) -> &'a str {
        self.renames.iter().find(|rename| rename.from == label).map_or(label, |rename| &rename.to)
    }

    /// What the data call these labels: for each the first that is renamed to it, or itself.
    pub fn sources(&self, labels: &[String]) -> Vec<String> {
        let rename = |label: &String| self.renames.iter().find(|rename| rename.to == *label);
        labels.iter().map(|label| rename(label).map_or(label, |rename| &rename.from).clone()).collect()
    }

    /// Refuses new names outside `labels`, unless there are none of these.
    pub(super) fn check_targets(&self, labels: &[String]) -> Result<(), DataError> {
        match self.renames.iter().find(|rename| !labels.contains(&rename.to)) {
            Some(rename) if !labels.is_empty() => {
                Err(DataError::LabelMapTarget { label: excerpt(&rename.to), labels: Names(labels.to_vec()) })
            }
            _ => Ok(()),
        }
    }

    /// Refuses labels to rename that are not among those of the data.
    pub(super) fn check_sources(&self, input: &str, found: &BTreeSet<&str>) -> Result<(), DataError> {
        match self.renames.iter().find(|rename| !found.contains(rename.from.as_str())) {
            Some(rename) => Err(DataError::LabelMapSource {
                input: input.to_owned(),
                label: excerpt(&rename.from),
                found: Names(found.iter().map(ToString::to_string).collect()),
            }),
            None => Ok(()),
        }
    }
}

impl FromStr for LabelMap {
    type Err = DataError;

    /// `FROM=TO`, several with commas between them.
    fn from_str(text: &str) -> Result<Self, DataError> {
        let rename = |part: &str| {
            let (from, to) = part.split_once('=').ok_or_else(|| DataError::LabelMap { found: excerpt(part) })?;
            Ok(LabelRename { from: from.trim().to_owned(), to: to.trim().to_owned() })
        };
        Self::new(text.split(',').map(rename).collect::<Result<_, DataError>>()?)
    }
}
