//! A classifier's members as they lie in its folder.

use super::base_model_record::BaseModelRecord;
use crate::instant::{Reading, States};
use crate::recipe::Method;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The folder of all members in their classifier's own.
pub(crate) const MEMBERS_FOLDER: &str = "members";

/// A member as it lies in `classifier.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum MemberRecord {
    /// The record's own base model with the folder's adapter.
    Adapter,
    /// A logistic regression on a frozen model's states, in `members/N/probe.safetensors`.
    Probe {
        /// The frozen model.
        base_model: BaseModelRecord,
        /// Which states.
        states: States,
        /// What it reads.
        reading: Reading,
        /// SHA-256 of the file.
        sha256: String,
    },
    /// A classifier of its own, in `members/N/`.
    Classifier {
        /// What of it was trained.
        method: Method,
        /// The models that it is made of.
        base_models: Vec<BaseModelRecord>,
        /// SHA-256 of its `classifier.json`; absent where it was not saved yet.
        #[serde(default)]
        sha256: Option<String>,
    },
}

impl MemberRecord {
    /// A member in words; `own` is the model of an adapter that lies beside the record.
    pub(super) fn description(&self, own: &BaseModelRecord) -> String {
        match self {
            Self::Adapter => format!("adapter of {}", own.name),
            Self::Probe { base_model, states, reading, .. } => {
                let reading = match reading {
                    Reading::Text => "the text alone",
                    Reading::Prompt => "the text in the prompt",
                };
                format!("logistic regression on {states} of {}, which reads {reading}", base_model.name)
            }
            Self::Classifier { method, base_models, .. } => {
                let names: Vec<&str> = base_models.iter().map(|model| model.name.as_str()).collect();
                match method {
                    Method::Lora => format!("adapter of {}", names.join(" and ")),
                    Method::Instant => format!("instant classifier on {}", names.join(" and ")),
                }
            }
        }
    }
}

/// The folder of a member in its classifier's own.
pub(crate) fn member_folder(folder: &Path, number: usize) -> PathBuf {
    folder.join(MEMBERS_FOLDER).join(number.to_string())
}

/// The file of a probe among the members.
pub(super) fn probe_file(folder: &Path, number: usize) -> PathBuf {
    member_folder(folder, number).join("probe.safetensors")
}
