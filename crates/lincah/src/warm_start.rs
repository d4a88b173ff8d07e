//! Another classifier's adapter, from which a training goes on.

use crate::base_model::BaseModel;
use crate::classifier::{BaseModelRecord, ClassifierRecord, RememberedRows, member_folder};
use crate::data::dataset::Dataset;
use crate::error::Error;
use crate::prompt::Prompt;
use lincah_model::{Adapter, LoraConfig};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::path::Path;
use std::sync::Arc;

/// The adapter that a training starts from. In files it is its hash, by which a resumed training knows it again.
#[derive(Debug, Clone)]
pub struct WarmStart {
    sha256: String,
    held: Option<Arc<Held>>,
}

/// What is at hand of a start that was not read from a record.
#[derive(Debug)]
struct Held {
    adapter: Adapter,
    base_model: BaseModelRecord,
    prompt: Prompt,
    /// What the adapter was trained on, and what that one had started from.
    rows: Option<RememberedRows>,
}

impl WarmStart {
    /// The adapter of a classifier, or of one of its members, that was trained on `model`; `None` where there is none.
    ///
    /// # Errors
    /// A folder that is no classifier, or is damaged.
    pub fn read(folder: &Path, model: &str) -> Result<Option<Self>, Error> {
        let record = ClassifierRecord::read(folder)?;
        if record.has_adapter() && record.base_model.name == model {
            let adapter = Adapter::read(folder)?;
            let sha256 = adapter.sha256();
            if record.adapter_sha256.as_ref().is_some_and(|expected| *expected != sha256) {
                let reason = String::from("the adapter is not the one that the classifier was saved with");
                return Err(Error::Damaged { path: folder.to_path_buf(), reason });
            }
            let (base_model, prompt, rows) = (record.base_model, record.prompt, record.training_rows);
            return Ok(Some(Self { sha256, held: Some(Arc::new(Held { adapter, base_model, prompt, rows })) }));
        }
        for number in 0..record.members.len() {
            let member = member_folder(folder, number);
            if member.join("adapter_config.json").exists()
                && let Some(found) = Self::read(&member, model)?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn held(&self) -> Result<&Held, Error> {
        self.held.as_deref().ok_or_else(|| Error::Recipe {
            field: "start",
            value: self.sha256.clone(),
            expected: "an adapter at hand: name the classifier to start from again",
        })
    }

    /// SHA-256 of the adapter.
    pub(crate) fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Shape and reach of the adapter.
    pub(crate) fn config(&self) -> Option<&LoraConfig> {
        self.held.as_ref().map(|held| &held.adapter.config)
    }

    /// The adapter, for a training on `base` about `prompt`; with label rows where these are of the same labels.
    pub(crate) fn adapter(&self, base: &BaseModel, prompt: &Prompt) -> Result<Adapter, Error> {
        let held = self.held()?;
        held.base_model.verify(base)?;
        let same = |prompt: &Prompt| (prompt.has_label_rows(), prompt.task(), prompt.labels().clone());
        let keeps_rows = prompt.has_label_rows() && same(prompt) == same(&held.prompt);
        Ok(if keeps_rows { held.adapter.clone() } else { held.adapter.clone().without_label_rows() })
    }

    /// The rows that the adapter was trained on.
    pub(crate) fn rows(&self) -> Option<&RememberedRows> {
        self.held.as_ref()?.rows.as_ref()
    }

    /// Refuses to judge a training by rows that it starts from.
    pub(crate) fn check_unseen(&self, data: &Dataset) -> Result<(), Error> {
        let Some(remembered) = self.rows() else { return Ok(()) };
        match data.texts.iter().filter(|text| remembered.trained_on(text)).count() {
            0 => Ok(()),
            rows => Err(Error::StartedFromRows { rows, of: data.len() }),
        }
    }
}

impl PartialEq for WarmStart {
    fn eq(&self, other: &Self) -> bool {
        self.sha256 == other.sha256
    }
}

impl Serialize for WarmStart {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.sha256.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for WarmStart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { sha256: String::deserialize(deserializer)?, held: None })
    }
}
