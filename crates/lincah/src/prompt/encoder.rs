use rayon::prelude::*;
use std::borrow::Borrow;

use super::{Cut, Prompt, PromptError};
use crate::tokenizer::Tokenizer;

/// Characters a token that the search for a cut starts from; only the time depends on it.
const CHARACTERS_PER_TOKEN: usize = 4;

/// The token ids of a prompt around one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedPrompt {
    /// Ids of the whole prompt, begin of text included.
    pub tokens: Vec<u32>,
    /// Characters cut from the end of the text to stay within the limit.
    pub cut_characters: usize,
}

/// Written behind the label in the codelab's training texts, as plain characters.
const WRITTEN_END: &str = "<eos>";

/// Encodes texts inside one prompt of at most so many tokens, cut as [`Cut`] says.
#[derive(Debug)]
pub struct PromptEncoder<'t> {
    tokenizer: &'t Tokenizer,
    head: String,
    tail: String,
    begin_of_text: Option<u32>,
    cut: Cut,
    max_tokens: usize,
}

impl<'t> PromptEncoder<'t> {
    /// An encoder of prompts of at most `max_tokens` tokens, begin of text included.
    ///
    /// # Errors
    /// [`PromptError::NoBeginOfText`], and [`PromptError::NoRoom`] if not even an empty text fits.
    pub fn new(tokenizer: &'t Tokenizer, prompt: &Prompt, max_tokens: usize) -> Result<Self, PromptError> {
        Self::with_tail(tokenizer, prompt, prompt.tail(), max_tokens)
    }

    /// The same with another tail than the prompt's.
    pub(super) fn with_tail(
        tokenizer: &'t Tokenizer,
        prompt: &Prompt,
        tail: String,
        max_tokens: usize,
    ) -> Result<Self, PromptError> {
        let begin_of_text = match prompt.begin_of_text() {
            true => Some(tokenizer.begin_of_text().ok_or(PromptError::NoBeginOfText)?),
            false => None,
        };
        let (head, cut) = (prompt.head(), prompt.cut());
        let encoder = Self { tokenizer, head, tail, begin_of_text, cut, max_tokens };
        let needed = encoder.whole("", "")?.len();
        if needed > max_tokens {
            return Err(PromptError::NoRoom { needed, max_tokens });
        }
        Ok(encoder)
    }

    /// Most tokens a prompt may have.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// The ids of the prompt around `text`, the end of which (or of the prompt) is cut if the whole is too long.
    ///
    /// The whole string is encoded, as pieces can merge across the seams between prompt and text. Time is linear in what is kept ([`Cut::Text`]).
    ///
    /// # Errors
    /// [`PromptError::Tokenizer`].
    pub fn encode(&self, text: &str) -> Result<EncodedPrompt, PromptError> {
        if self.cut == Cut::Prompt {
            return self.cut_at_the_end(text, self.whole(text, "")?);
        }
        // Looking one character beyond what could ever fit is enough to know that it does not.
        let could_fit = self.max_tokens.saturating_mul(self.tokenizer.longest_piece());
        if text.chars().nth(could_fit).is_none() {
            let tokens = self.whole(text, "")?;
            if tokens.len() <= self.max_tokens {
                return Ok(EncodedPrompt { tokens, cut_characters: 0 });
            }
        }
        self.encode_cut(text)
    }

    /// [`PromptEncoder::encode`] of many texts on all threads, in the order of the texts.
    ///
    /// # Errors
    /// The first error in the order of the texts.
    pub fn encode_batch<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Vec<EncodedPrompt>, PromptError> {
        texts.par_iter().map(|text| self.encode(text.as_ref())).collect()
    }

    /// A training sequence of the codelab: begin of text, the pieces of prompt, answer and the characters `<eos>`, cut at their end to
    /// what `max_tokens` leaves beside begin of text, and end of text. The last id is a target only.
    ///
    /// # Errors
    /// [`PromptError::NoEndOfText`], [`PromptError::Tokenizer`].
    pub fn encode_training(&self, text: &str, answer: &str) -> Result<EncodedPrompt, PromptError> {
        let end_of_text = self.tokenizer.end_of_text().ok_or(PromptError::NoEndOfText)?;
        let mut encoded = self.cut_at_the_end(text, self.whole(text, &[answer, WRITTEN_END].concat())?)?;
        encoded.tokens.push(end_of_text);
        Ok(encoded)
    }

    /// Keeps the first `max_tokens` ids; how many characters of the text went with the others is known from what the kept ones spell.
    fn cut_at_the_end(&self, text: &str, mut tokens: Vec<u32>) -> Result<EncodedPrompt, PromptError> {
        if tokens.len() <= self.max_tokens {
            return Ok(EncodedPrompt { tokens, cut_characters: 0 });
        }
        tokens.truncate(self.max_tokens);
        let pieces = &tokens[usize::from(self.begin_of_text.is_some())..];
        let kept = self.tokenizer.decode(pieces)?.chars().count();
        let whole = self.head.chars().count() + text.chars().count() + self.tail.chars().count();
        Ok(EncodedPrompt { tokens, cut_characters: whole.saturating_sub(kept).clamp(1, text.chars().count().max(1)) })
    }

    /// The ids of a prompt of which a part of the text must go: doubles the kept part until it is too long, then halves the difference.
    fn encode_cut(&self, text: &str) -> Result<EncodedPrompt, PromptError> {
        let total = text.chars().count();
        let mut boundaries = text.char_indices().map(|(at, _)| at);
        let mut known: Vec<usize> = Vec::new();
        let (mut fits, mut tokens) = (0, self.whole("", "")?);
        let mut exceeds = total;
        let mut next = self.max_tokens.saturating_mul(CHARACTERS_PER_TOKEN).min(total / 2).max(1);
        while exceeds - fits > 1 {
            if known.len() <= next {
                known.extend(boundaries.by_ref().take(next + 1 - known.len()));
            }
            let attempt = self.whole(&text[..known[next]], "")?;
            if attempt.len() <= self.max_tokens {
                (fits, tokens) = (next, attempt);
            } else {
                exceeds = next;
            }
            let doubled = if fits == 0 { exceeds } else { fits.saturating_mul(2) };
            next = (fits + (exceeds - fits) / 2).min(doubled);
        }
        Ok(EncodedPrompt { tokens, cut_characters: total - fits })
    }

    /// Begin of text and the pieces of the prompt around `text`, `after` following it.
    fn whole(&self, text: &str, after: &str) -> Result<Vec<u32>, PromptError> {
        let ids = self.tokenizer.encode(&[self.head.as_str(), text, self.tail.as_str(), after].concat())?;
        Ok(self.begin_of_text.into_iter().chain(ids).collect())
    }
}

/// How many ids all prompts have in common at their front, taken from the ids themselves.
///
/// At most all but the last of the shortest prompt, so that every prompt keeps a token of its own to be scored at; 0 for no prompts.
pub fn shared_prefix_length<P: Borrow<EncodedPrompt>>(prompts: &[P]) -> usize {
    let prompts: Vec<&EncodedPrompt> = prompts.iter().map(Borrow::borrow).collect();
    let Some((first, others)) = prompts.split_first() else { return 0 };
    let limit = prompts.iter().map(|prompt| prompt.tokens.len().saturating_sub(1)).min().unwrap_or(0);
    let common = |prompt: &EncodedPrompt| first.tokens.iter().zip(&prompt.tokens).take_while(|(a, b)| a == b).count();
    others.iter().copied().map(common).fold(limit, usize::min)
}
