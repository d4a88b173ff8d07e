//! What a classifier remembers of a model that it is built on.

use crate::base_model::BaseModel;
use crate::error::Error;
use serde::{Deserialize, Serialize};

/// Which model a classifier belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseModelRecord {
    /// Catalogue name or path.
    pub name: String,
    /// SHA-256 of the weights.
    pub weights_sha256: String,
    /// Fingerprint of the tokenizer.
    pub tokenizer_sha256: String,
}

impl BaseModelRecord {
    /// The record of a model at hand.
    pub(crate) fn of(base: &BaseModel) -> Self {
        Self {
            name: base.name().to_string(),
            weights_sha256: base.weights_fingerprint().to_string(),
            tokenizer_sha256: base.tokenizer().fingerprint().to_string(),
        }
    }

    /// Refuses a model with other weights or another tokenizer.
    pub(crate) fn verify(&self, base: &BaseModel) -> Result<(), Error> {
        let found = Self::of(base);
        for (part, expected, found) in [
            ("weights", &self.weights_sha256, &found.weights_sha256),
            ("tokenizer", &self.tokenizer_sha256, &found.tokenizer_sha256),
        ] {
            if expected != found {
                let (expected, found) = (expected.clone(), found.clone());
                return Err(Error::WrongBaseModel { part, expected, found, path: base.path().to_path_buf() });
            }
        }
        Ok(())
    }
}
