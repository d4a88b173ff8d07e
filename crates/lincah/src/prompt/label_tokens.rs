use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::{Prompt, PromptError};
use crate::tokenizer::Tokenizer;

/// Stands for any text when continuations are looked up: what follows the tail does not depend on what precedes it.
const PROBE: &str = "An example.";

/// What the model is scored on; see `docs/decisions/0003-labels-of-several-pieces.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelScheme {
    /// Every label is one piece.
    WholeLabel,
    /// Labels have several pieces, and the first ones differ.
    FirstPiece,
    /// The prompt lists every label behind a letter, and the letter is the answer.
    Letter,
    /// No token: the adapter has a row per label.
    LabelRows,
}

/// The token of each answer (a label, or no and yes): the probability of an answer is the softmax, over these ids alone, of the logits at
/// the prompt's last token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelTokens {
    scheme: LabelScheme,
    ids: Vec<u32>,
}

impl LabelTokens {
    /// Those of a classifier that asks nobody.
    pub(crate) fn none() -> Self {
        Self { scheme: LabelScheme::WholeLabel, ids: Vec::new() }
    }

    pub(crate) fn is_none(&self) -> bool {
        self.ids.is_empty() && self.scheme != LabelScheme::LabelRows
    }

    /// Decides how the labels of `prompt` are scored with this tokenizer, and gives the prompt to use: the same, or with letters.
    ///
    /// Depends on nothing but the prompt and the tokenizer.
    ///
    /// # Errors
    /// [`PromptError::TooManyLabels`], [`PromptError::Tokenizer`].
    pub fn resolve(prompt: Prompt, tokenizer: &Tokenizer) -> Result<(Prompt, Self), PromptError> {
        if prompt.has_label_rows() {
            return Ok((prompt, Self { scheme: LabelScheme::LabelRows, ids: Vec::new() }));
        }
        let prompt = Prompt { letters: None, ..prompt };
        let found = continuations(&prompt, tokenizer, &prompt.answers())?;
        if let Some(pieces) = found.into_iter().collect::<Option<Vec<_>>>() {
            let ids: Vec<u32> = pieces.iter().map(|pieces| pieces[0]).collect();
            let single = pieces.iter().all(|pieces| pieces.len() == 1);
            if repeated(&ids).is_none() {
                let scheme = if single { LabelScheme::WholeLabel } else { LabelScheme::FirstPiece };
                return Ok((prompt, Self { scheme, ids }));
            }
        }
        let (letters, ids) = letters(&prompt, tokenizer)?;
        Ok((prompt.with_letters(letters), Self { scheme: LabelScheme::Letter, ids }))
    }

    /// Checks ids that were stored with a classifier against the tokenizer at hand: `encode(prompt + answer)` must be `encode(prompt)`
    /// followed by the answer's pieces, the first of them the stored id.
    ///
    /// # Errors
    /// [`PromptError::LabelTokenCount`], [`PromptError::LabelTokenTwice`], [`PromptError::LabelTokenChanged`], [`PromptError::Tokenizer`].
    pub fn verify(&self, prompt: &Prompt, tokenizer: &Tokenizer) -> Result<(), PromptError> {
        if self.scheme == LabelScheme::LabelRows || prompt.has_label_rows() {
            return match prompt.has_label_rows() && self.scheme == LabelScheme::LabelRows && self.ids.is_empty() {
                true => Ok(()),
                false => Err(PromptError::LabelTokenCount { tokens: self.ids.len(), labels: 0 }),
            };
        }
        let answers = prompt.answers();
        if self.ids.len() != answers.len() {
            return Err(PromptError::LabelTokenCount { tokens: self.ids.len(), labels: answers.len() });
        }
        if let Some(token) = repeated(&self.ids) {
            return Err(PromptError::LabelTokenTwice { token });
        }
        let found = continuations(prompt, tokenizer, &answers)?;
        for ((label, &stored), found) in prompt.answer_names().into_iter().zip(&self.ids).zip(found) {
            let single_expected = self.scheme != LabelScheme::FirstPiece;
            let same = found.as_ref().is_some_and(|pieces| pieces[0] == stored && (pieces.len() == 1 || !single_expected));
            if !same {
                return Err(PromptError::LabelTokenChanged { label: label.to_owned(), stored, found });
            }
        }
        Ok(())
    }

    /// One id per answer, in the answers' order, all different; none where labels are rows.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// What the model is scored on.
    pub fn scheme(&self) -> LabelScheme {
        self.scheme
    }
}

/// The pieces of each answer behind the prompt; `None` where they would merge with the prompt's end.
fn continuations<A: AsRef<str>>(
    prompt: &Prompt,
    tokenizer: &Tokenizer,
    answers: &[A],
) -> Result<Vec<Option<Vec<u32>>>, PromptError> {
    let probe = [&prompt.head(), PROBE, &prompt.answer_tail()].concat();
    let before = tokenizer.encode(&probe)?;
    let after = |answer: &A| {
        let ids = tokenizer.encode(&[probe.as_str(), answer.as_ref()].concat())?;
        Ok(ids.strip_prefix(before.as_slice()).filter(|pieces| !pieces.is_empty()).map(<[u32]>::to_vec))
    };
    answers.iter().map(after).collect()
}

/// The first of A to Z, then AA to ZZ, that are a piece of their own behind the prompt, one per answer.
fn letters(prompt: &Prompt, tokenizer: &Tokenizer) -> Result<(Vec<String>, Vec<u32>), PromptError> {
    let labels = prompt.answer_names().len();
    let alphabet = || ('A'..='Z').map(String::from);
    let candidates: Vec<String> =
        alphabet().chain(alphabet().flat_map(|first| alphabet().map(move |second| first.clone() + &second))).collect();
    let (mut letters, mut ids) = (Vec::new(), Vec::new());
    for (letter, pieces) in candidates.iter().zip(continuations(prompt, tokenizer, &candidates)?) {
        if let Some([id]) = pieces.as_deref()
            && letters.len() < labels
            && !ids.contains(id)
        {
            letters.push(letter.clone());
            ids.push(*id);
        }
    }
    if letters.len() < labels {
        return Err(PromptError::TooManyLabels { labels, letters: letters.len() });
    }
    Ok((letters, ids))
}

fn repeated(ids: &[u32]) -> Option<u32> {
    let mut seen = HashSet::new();
    ids.iter().copied().find(|id| !seen.insert(*id))
}
