//! What a classifier is made of: one member, or several whose probabilities are mixed.

use super::AgileClassifier;
use super::base_model_record::BaseModelRecord;
use super::folder::ClassifierRecord;
use crate::base_model::BaseModel;
use crate::error::Error;
use crate::instant::{Probe, Reading, StateReader, States, text_encoder};
use crate::mixture::Mixture;
use crate::recipe::Method;
use crate::scoring::{ScoredText, Scoring, scored};
use lincah_model::{Adapter, Scorer};
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

/// A member at work.
pub(crate) enum Member {
    /// A decoder, with an adapter or without, that is asked.
    Asked { base: BaseModel, scorer: Box<dyn Scorer> },
    /// A logistic regression on a frozen model's states.
    Probe { base: BaseModel, states: States, reading: Reading, probe: Probe },
    /// A classifier of its own, whose calibration and decisions don't count.
    Classifier(Box<AgileClassifier>),
}

impl Member {
    pub(crate) fn base(&self) -> &BaseModel {
        match self {
            Self::Asked { base, .. } | Self::Probe { base, .. } => base,
            Self::Classifier(classifier) => classifier.base(),
        }
    }

    /// The adapter that lies beside the record.
    pub(crate) fn adapter(&self) -> Option<Adapter> {
        match self {
            Self::Asked { scorer, .. } => scorer.adapter(),
            Self::Probe { .. } | Self::Classifier(_) => None,
        }
    }

    /// The probabilities of each text, in order.
    pub(super) fn score<T: AsRef<str> + Sync>(&self, scoring: &Scoring, texts: &[T]) -> Result<Vec<ScoredText>, Error> {
        match self {
            Self::Asked { base, scorer } => scoring.score(base, scorer.as_ref(), texts),
            Self::Classifier(classifier) => classifier.score(texts),
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
    pub(crate) fn none() -> Self {
        Self { all: Vec::new(), mixture: Mixture::equal(1) }
    }

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
        self.score_after_first(scoring, self.first().score(scoring, texts)?, texts)
    }

    /// The mixed probabilities of texts that the first member has scored.
    pub(crate) fn score_after_first<T: AsRef<str> + Sync>(
        &self,
        scoring: &Scoring,
        first: Vec<ScoredText>,
        texts: &[T],
    ) -> Result<Vec<ScoredText>, Error> {
        let others = self.all[1..].iter().map(|member| member.score(scoring, texts));
        let scored = std::iter::once(Ok(first)).chain(others).collect::<Result<Vec<_>, Error>>()?;
        let text = |text: usize| {
            let of: Vec<&[f64]> = scored.iter().map(|member| member[text].probabilities.as_slice()).collect();
            ScoredText {
                probabilities: self.mixture.mix(scoring.prompt.task(), &of),
                truncated_characters: scored.iter().map(|member| member[text].truncated_characters).max().unwrap_or(0),
                members: of.into_iter().map(<[f64]>::to_vec).collect(),
            }
        };
        Ok((0..texts.len()).map(text).collect())
    }

    /// Writes what the members keep in folders of their own.
    pub(super) fn write(&self, folder: &Path) -> Result<(), Error> {
        for (number, member) in self.all.iter().enumerate() {
            match member {
                Member::Asked { .. } => {}
                Member::Probe { probe, .. } => probe.write(&probe_file(folder, number))?,
                Member::Classifier(classifier) => {
                    let folder = member_folder(folder, number);
                    // A training has saved it already.
                    let is_there = ClassifierRecord::read(&folder)
                        .is_ok_and(|stored| classifier.record().is_some_and(|record| record.is_of_the_same_classifier(&stored)));
                    if !is_there {
                        classifier.save(&folder)?;
                    }
                }
            }
        }
        Ok(())
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
