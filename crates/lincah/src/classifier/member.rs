//! What a classifier is made of: one member, or several whose probabilities are mixed.

use super::folder::ClassifierRecord;
use crate::base_model::BaseModel;
use crate::calibration::Calibration;
use crate::error::Error;
use crate::instant::{Probe, Reading, StateReader, States, text_encoder};
use crate::mixture::Mixture;
use crate::prediction::DecisionRule;
use crate::prompt::{EncodedText, Prompt, PromptError};
use crate::regression::DenseRow;
use crate::scoring::{ScoredText, Scoring, scored};
use crate::task::Task;
use lincah_model::Scorer;

/// A member at work.
pub(crate) enum Member {
    /// A decoder, with an adapter or without, that is asked.
    Asked { base: BaseModel, scorer: Box<dyn Scorer> },
    /// A logistic regression on a frozen model's states.
    Probe { base: BaseModel, states: States, reading: Reading, probe: Probe },
    /// A classifier of its own, whose calibration and decisions don't count.
    Classifier(Box<MemberClassifier>),
}

/// What counts of a classifier that is a member.
pub(crate) struct MemberClassifier {
    pub(crate) members: Members,
    pub(crate) scoring: Scoring,
    pub(crate) record: ClassifierRecord,
}

impl Member {
    pub(crate) fn base(&self) -> &BaseModel {
        match self {
            Self::Asked { base, .. } | Self::Probe { base, .. } => base,
            Self::Classifier(classifier) => classifier.members.first().base(),
        }
    }

    /// An encoder that compares texts with the names of exclusive labels, their underscores read as spaces.
    pub(super) fn of_similarity(base: &BaseModel, prompt: &Prompt, max_tokens: usize) -> Result<Self, Error> {
        if prompt.task() != Task::SingleLabel {
            return Err(Error::SimilarityOfIndependent { name: base.name().to_owned() });
        }
        let encoder = text_encoder(base, prompt, max_tokens, Reading::Text)?;
        let names: Vec<EncodedText> =
            prompt.labels().readable_names().map(|name| encoder.encode(&name)).collect::<Result<_, _>>()?;
        let reader = StateReader::new(base, vec![States::Embedding], &encoder)?;
        let rows = reader.read(&names.iter().collect::<Vec<_>>())?;
        let unit = |row: &DenseRow| {
            let length = row.iter().map(|value| value * value).sum::<f64>().sqrt();
            row.iter().map(|value| value / length.max(f64::MIN_POSITIVE)).collect()
        };
        let names: Vec<DenseRow> = rows.iter().map(|states| unit(&states[0])).collect();
        let probe = Probe::of_similarity(&names).ok_or(PromptError::LabelTokenCount { tokens: 0, labels: names.len() })?;
        Ok(Self::Probe { base: base.clone(), states: States::Embedding, reading: Reading::Text, probe })
    }

    /// The probabilities of each text, in order.
    pub(super) fn score<T: AsRef<str> + Sync>(&self, scoring: &Scoring, texts: &[T]) -> Result<Vec<ScoredText>, Error> {
        match self {
            Self::Asked { base, scorer } => scoring.score(base, scorer.as_ref(), texts),
            Self::Classifier(classifier) => classifier.members.score(&classifier.scoring, texts),
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

/// A decoder with its adapter, and how it is asked.
pub(crate) struct AdaptedDecoder<'a> {
    pub(crate) scoring: &'a Scoring,
    pub(crate) base: &'a BaseModel,
    pub(crate) scorer: &'a dyn Scorer,
    /// What is done to its probabilities, where they are shown by themselves.
    pub(crate) calibration: Calibration,
    /// What makes decisions of them.
    pub(crate) rule: DecisionRule,
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

    /// Every decoder that is asked, with its place among the members.
    pub(super) fn adapted_decoders<'a>(
        &'a self,
        scoring: &'a Scoring,
        (calibration, rule): (&Calibration, &DecisionRule),
    ) -> Vec<(usize, AdaptedDecoder<'a>)> {
        let decoders = self.all.iter().enumerate().flat_map(|(place, member)| match member {
            Member::Asked { base, scorer } => {
                vec![(
                    place,
                    AdaptedDecoder {
                        scoring,
                        base,
                        scorer: scorer.as_ref(),
                        calibration: calibration.clone(),
                        rule: rule.clone(),
                    },
                )]
            }
            Member::Probe { .. } => Vec::new(),
            Member::Classifier(classifier) => {
                let own = classifier.record.calibration.clone().unwrap_or_default();
                let decoders = classifier.members.adapted_decoders(&classifier.scoring, (&own, &classifier.record.decision_rule));
                decoders.into_iter().map(|(_, decoder)| (place, decoder)).collect()
            }
        });
        decoders.collect()
    }

    /// The first decoder that is asked.
    pub(super) fn into_asked(self) -> Option<(BaseModel, Box<dyn Scorer>)> {
        self.all.into_iter().find_map(|member| match member {
            Member::Asked { base, scorer } => Some((base, scorer)),
            Member::Probe { .. } => None,
            Member::Classifier(classifier) => classifier.members.into_asked(),
        })
    }
}
