//! What a classifier is made of: one member, or several whose probabilities are mixed.

use super::base_model_record::BaseModelRecord;
use crate::base_model::BaseModel;
use crate::error::Error;
use crate::instant::{Probe, Reading, StateReader, States, text_encoder};
use crate::mixture::Mixture;
use crate::scoring::{ScoredText, Scoring, scored};
use lincah_model::{Adapter, Scorer};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

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
}

/// A member at work.
pub(crate) enum Member {
    /// A decoder, with an adapter or without, that is asked.
    Asked { base: BaseModel, scorer: Box<dyn Scorer> },
    /// A logistic regression on a frozen model's states.
    Probe { base: BaseModel, states: States, reading: Reading, probe: Probe },
}

impl Member {
    pub(crate) fn base(&self) -> &BaseModel {
        match self {
            Self::Asked { base, .. } | Self::Probe { base, .. } => base,
        }
    }

    pub(crate) fn adapter(&self) -> Option<Adapter> {
        match self {
            Self::Asked { scorer, .. } => scorer.adapter(),
            Self::Probe { .. } => None,
        }
    }

    /// The probabilities of each text, in order.
    fn score<T: AsRef<str> + Sync>(&self, scoring: &Scoring, texts: &[T]) -> Result<Vec<ScoredText>, Error> {
        match self {
            Self::Asked { base, scorer } => scoring.score(base, scorer.as_ref(), texts),
            Self::Probe { base, states, reading, probe } => {
                let encoder = text_encoder(base, &scoring.prompt, scoring.max_tokens, *reading)?;
                let reader = StateReader::new(base, vec![*states], &encoder)?;
                scored(&scoring.prompt, &encoder, texts, |windows| {
                    Ok(reader.read(windows)?.iter().map(|states| probe.probabilities(&states[0])).collect())
                })
            }
        }
    }
}

/// A classifier's members and how they are mixed.
pub(crate) struct Members {
    pub(crate) all: Vec<Member>,
    pub(crate) mixture: Mixture,
}

impl Members {
    pub(crate) fn one(member: Member) -> Self {
        Self { all: vec![member], mixture: Mixture::equal(1) }
    }

    pub(crate) fn first(&self) -> &Member {
        &self.all[0]
    }

    /// The mixed probabilities of each text, in order.
    pub(crate) fn score<T: AsRef<str> + Sync>(&self, scoring: &Scoring, texts: &[T]) -> Result<Vec<ScoredText>, Error> {
        if let [only] = self.all.as_slice() {
            return only.score(scoring, texts);
        }
        let scored = self.all.iter().map(|member| member.score(scoring, texts)).collect::<Result<Vec<_>, Error>>()?;
        let text = |text: usize| {
            let of: Vec<&[f64]> = scored.iter().map(|member| member[text].probabilities.as_slice()).collect();
            ScoredText {
                probabilities: self.mixture.mix(scoring.prompt.task(), &of),
                truncated_characters: scored.iter().map(|member| member[text].truncated_characters).max().unwrap_or(0),
            }
        };
        Ok((0..texts.len()).map(text).collect())
    }

    /// Writes what the members keep beside the adapter.
    pub(super) fn write_probes(&self, folder: &Path) -> Result<(), Error> {
        for (number, member) in self.all.iter().enumerate() {
            if let Member::Probe { probe, .. } = member {
                probe.write(&probe_file(folder, number))?;
            }
        }
        Ok(())
    }
}

/// The file of a probe among the members.
pub(super) fn probe_file(folder: &Path, number: usize) -> PathBuf {
    folder.join("members").join(number.to_string()).join("probe.safetensors")
}
