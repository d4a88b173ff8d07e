//! The shapes of requests and answers, a file each: texts for a classifier on one side, its predictions in somebody's form on the other.

pub(crate) mod label_studio;
pub(crate) mod moderations;
pub(crate) mod own;
pub(crate) mod perspective;
pub(crate) mod pipeline;
pub(crate) mod text_embeddings_inference;
pub(crate) mod vllm;

use crate::classifiers::Served;
use crate::error::Refusal;
use lincah::Prediction;
use lincah::data::DataError;
use lincah::data::journal::{Journal, JournalEntry};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::Path;

/// One text or several.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub(crate) fn into_texts(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        }
    }
}

/// A request out of its body.
pub(crate) fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::Bad(format!("the request is not what is asked for here: {error}")))
}

/// Appends what people say to the journal.
pub(super) fn append(journal: &Path, entries: &[JournalEntry]) -> Result<(), Refusal> {
    Journal::append(journal, entries).map_err(|error| match error {
        DataError::Read { .. } | DataError::Write { .. } | DataError::JournalNotAFile { .. } => {
            Refusal::Failed(error.to_string())
        }
        error => Refusal::Bad(error.to_string()),
    })
}

/// Labels with their probabilities, the most probable first; ties stay in the labels' order.
pub(crate) fn ranked(served: &Served, prediction: &Prediction) -> Vec<(String, f64)> {
    let names = served.classifier.labels().names().iter().cloned();
    let mut ranked: Vec<(String, f64)> = names.zip(prediction.probabilities.iter().copied()).collect();
    ranked.sort_by(|left, right| right.1.total_cmp(&left.1));
    ranked
}

/// Seconds since 1970.
pub(crate) fn unix_seconds() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// An id that no other answer of this process has.
pub(crate) fn new_id(prefix: &str) -> String {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    format!("{prefix}{:08x}{:08x}{number:08x}", unix_seconds() as u32, std::process::id())
}
