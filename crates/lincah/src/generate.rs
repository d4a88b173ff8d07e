//! How a model goes on from a prompt.

use crate::base_model::BaseModel;
use crate::error::Error;
use crate::prompt::turn_ends;
use crate::tokenizer::TextStream;
use lincah_model::{Decoding, ModelError, Scorer};

/// One generated token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedToken {
    /// Its id.
    pub id: u32,
    /// The text that it completes; none while a character's bytes are not all there.
    pub text: String,
}

/// A model that goes on from texts, with an adapter or without.
pub struct Generator {
    pub(crate) base: BaseModel,
    pub(crate) scorer: Box<dyn Scorer>,
}

impl std::fmt::Debug for Generator {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Generator").field("base", &self.base).finish_non_exhaustive()
    }
}

/// A greedy continuation, token by token: always the most probable one; ties go to the lowest id.
///
/// It is over at a token that ends a text or a turn, which is not given out, at the asked number of tokens, and where the model has no
/// more positions. Each step computes the row of one token.
pub struct Generation<'a> {
    decoding: Box<dyn Decoding + 'a>,
    text: TextStream<'a>,
    ends: Vec<u32>,
    /// Chosen or given, and not yet read by the model.
    unread: Vec<u32>,
    left: usize,
    ended: bool,
}

impl Generator {
    /// A base model as it is.
    ///
    /// # Errors
    /// A device without memory for it.
    pub fn new(base: &BaseModel) -> Result<Self, Error> {
        Ok(Self { base: base.clone(), scorer: base.language_model()?.scorer(None)? })
    }

    /// The base model.
    pub fn base(&self) -> &BaseModel {
        &self.base
    }

    /// Goes on from `prompt` by at most `most_tokens` tokens.
    ///
    /// # Errors
    /// A prompt that is empty or longer than the model's positions.
    pub fn generate(&self, prompt: &[u32], most_tokens: usize) -> Result<Generation<'_>, Error> {
        if prompt.is_empty() {
            return Err(Error::EmptyPrompt);
        }
        let (length, most) = (prompt.len(), self.base.language_model()?.config().max_positions());
        if length > most {
            return Err(ModelError::TextTooLong { length, most }.into());
        }
        let tokenizer = self.base.tokenizer();
        // The last token is not read any more.
        let left = most_tokens.min(most + 1 - length);
        Ok(Generation {
            decoding: self.scorer.decoding(length + left),
            text: tokenizer.text_stream(),
            ends: tokenizer.ends().iter().copied().chain(turn_ends(tokenizer)).collect(),
            unread: prompt.to_vec(),
            left,
            ended: false,
        })
    }
}

impl Generation<'_> {
    /// Whether the model itself ended the text.
    pub fn ended(&self) -> bool {
        self.ended
    }

    fn step(&mut self) -> Result<Option<GeneratedToken>, Error> {
        let logits = self.decoding.read(&self.unread)?;
        let id = (1..logits.len()).fold(0, |best, id| if logits[id] > logits[best] { id } else { best }) as u32;
        if self.ends.contains(&id) {
            self.ended = true;
            return Ok(None);
        }
        self.left -= 1;
        self.unread = vec![id];
        Ok(Some(GeneratedToken { id, text: self.text.push(id)? }))
    }
}

impl Iterator for Generation<'_> {
    type Item = Result<GeneratedToken, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended || self.left == 0 {
            return None;
        }
        let step = self.step();
        if step.is_err() {
            self.left = 0;
        }
        step.transpose()
    }
}

impl std::fmt::Debug for Generation<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut output = formatter.debug_struct("Generation");
        output.field("unread", &self.unread).field("left", &self.left).field("ended", &self.ended).finish_non_exhaustive()
    }
}
