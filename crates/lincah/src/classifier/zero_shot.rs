//! A model that is asked without having been trained.

use super::{Prediction, predict};
use crate::base_model::BaseModel;
use crate::error::Error;
use crate::prompt::{LabelTokens, Prompt, PromptEncoder};

/// A text classifier without any training: the same question and the same score as an [`AgileClassifier`](super::AgileClassifier)'s.
#[derive(Debug)]
pub struct ZeroShotClassifier {
    base: BaseModel,
    prompt: Prompt,
    label_tokens: LabelTokens,
    max_tokens: usize,
}

impl ZeroShotClassifier {
    /// Asks `prompt` of `base` in at most `max_tokens` tokens; labels whose tokens collide are asked for by letters
    /// (see [`LabelTokens::resolve`]).
    ///
    /// # Errors
    /// Labels that the tokenizer cannot tell apart, a prompt that does not fit.
    pub fn new(base: BaseModel, prompt: Prompt, max_tokens: usize) -> Result<Self, Error> {
        let (prompt, label_tokens) = LabelTokens::resolve(prompt, base.tokenizer())?;
        PromptEncoder::new(base.tokenizer(), &prompt, max_tokens)?;
        Ok(Self { base, prompt, label_tokens, max_tokens })
    }

    /// Labels, in the order of the probabilities; the last is the positive class.
    pub fn labels(&self) -> &[String] {
        self.prompt.labels().names()
    }

    /// Longest prompt, in tokens; longer texts are cut.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// The base model.
    pub fn base(&self) -> &BaseModel {
        &self.base
    }

    /// Label and probabilities of each text, in order.
    ///
    /// # Errors
    /// Weights that cannot be read.
    pub fn predict<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Vec<Prediction>, Error> {
        predict(&self.base, (&self.prompt, &self.label_tokens), self.max_tokens, texts)
    }
}
