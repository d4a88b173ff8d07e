//! What a label means, in the project's own words, and how that changed.

use crate::error::StudioError;
use lincah::data::journal::Timestamp;
use lincah::{regular_file, write_atomically};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A version of the guideline; the first is 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuidelineVersion {
    /// When it was written.
    pub time: Timestamp,
    /// By whom.
    pub who: String,
    /// The guideline itself.
    pub text: String,
    /// The labels whose meaning changed, by their places: texts that got them by an earlier version are to be looked at again.
    pub touches: Vec<usize>,
}

/// All versions of the guideline, the newest last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Guideline {
    versions: Vec<GuidelineVersion>,
}

impl Guideline {
    pub(crate) fn read(path: &Path) -> Result<Self, StudioError> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let json = regular_file::read(path, regular_file::SMALL).map_err(StudioError::file("read", path))?;
        let damaged = |error: serde_json::Error| StudioError::Damaged { path: path.to_path_buf(), reason: error.to_string() };
        serde_json::from_slice(&json).map_err(damaged)
    }

    /// With one more version, on disk.
    pub(crate) fn with(&self, version: GuidelineVersion, path: &Path) -> Result<Self, StudioError> {
        let mut next = self.clone();
        next.versions.push(version);
        let json = serde_json::to_vec_pretty(&next).expect("a guideline serializes");
        // What is longer could not be read again.
        if json.len() as u64 > regular_file::SMALL {
            return Err(StudioError::LongGuideline { bytes: json.len(), most: regular_file::SMALL });
        }
        write_atomically(path, &json).map_err(StudioError::file("write", path))?;
        Ok(next)
    }

    /// Its newest version's number; 0 as long as there is none.
    pub fn version(&self) -> usize {
        self.versions.len()
    }

    /// Its newest version.
    pub fn newest(&self) -> Option<&GuidelineVersion> {
        self.versions.last()
    }

    /// Whether labels that were given by a version mean something else by now.
    pub fn has_changed_since(&self, version: usize, labels: &[usize]) -> bool {
        let later = self.versions.get(version..).unwrap_or_default();
        later.iter().any(|later| later.touches.iter().any(|label| labels.contains(label)))
    }
}
