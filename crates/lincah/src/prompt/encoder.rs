use rayon::prelude::*;

use super::{LabelTokens, Prompt, PromptError, Truncation, WhiteSpace};
use crate::task::Task;
use crate::tokenizer::Tokenizer;

/// Characters per token that the search for a cut starts from; only the time depends on it.
const CHARACTERS_PER_TOKEN: usize = 4;
/// Written behind the label in the codelab's training texts, as plain characters.
const WRITTEN_END: &str = "<eos>";
/// Most windows of one text.
const MOST_WINDOWS: usize = 256;

/// The token ids of the prompts around one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedText {
    /// Ids of each question's whole prompt, begin of text included.
    pub prompts: Vec<Vec<u32>>,
    /// Characters left out at the end of the text to stay within the limit.
    pub truncated_characters: usize,
}

/// Ids of one prompt, and what was left out of the text.
struct Encoded {
    tokens: Vec<u32>,
    truncated_characters: usize,
}

/// Encodes texts inside one prompt of at most so many tokens, truncated as [`Truncation`] says.
#[derive(Debug)]
pub struct PromptEncoder<'t> {
    tokenizer: &'t Tokenizer,
    head: String,
    /// One per question.
    tails: Vec<String>,
    /// The question that leaves least room for the text.
    longest: usize,
    begin_of_text: Option<u32>,
    /// Behind everything, where texts are read without a prompt by a model that has it so.
    end: Option<u32>,
    truncation: Truncation,
    white_space: WhiteSpace,
    max_tokens: usize,
}

impl Prompt {
    /// Whether a model with this tokenizer can be asked in so many tokens.
    ///
    /// # Errors
    /// What is in the way: [`PromptError::NoRoom`], [`PromptError::TooManyLabels`], labels that the tokenizer cannot tell apart.
    pub fn fits(&self, tokenizer: &Tokenizer, max_tokens: usize) -> Result<(), PromptError> {
        let (prompt, _) = LabelTokens::resolve(self.clone(), tokenizer)?;
        PromptEncoder::new(tokenizer, &prompt, max_tokens).map(drop)
    }
}

impl<'t> PromptEncoder<'t> {
    /// An encoder of prompts of at most `max_tokens` tokens, begin of text included.
    ///
    /// # Errors
    /// [`PromptError::NoBeginOfText`], and [`PromptError::NoRoom`] if not even an empty text fits.
    pub fn new(tokenizer: &'t Tokenizer, prompt: &Prompt, max_tokens: usize) -> Result<Self, PromptError> {
        let begin_of_text = match prompt.begin_of_text() {
            true => Some(tokenizer.begin_of_text().ok_or(PromptError::NoBeginOfText)?),
            false => None,
        };
        let tails = (0..prompt.questions()).map(|question| prompt.tail(question)).collect();
        let (head, truncation, white_space) = (prompt.head(), prompt.truncation(), prompt.white_space());
        Self { tokenizer, head, tails, longest: 0, begin_of_text, end: None, truncation, white_space, max_tokens }.checked()
    }

    /// One prompt around each text whatever the number of questions: of independent labels it ends where the first label would be named.
    ///
    /// # Errors
    /// As [`PromptEncoder::new`].
    pub(crate) fn around_text(tokenizer: &'t Tokenizer, prompt: &Prompt, max_tokens: usize) -> Result<Self, PromptError> {
        let begin_of_text = prompt.begin_of_text().then(|| tokenizer.begin_of_text()).flatten();
        let tail = match prompt.task() {
            Task::SingleLabel => prompt.tail(0),
            Task::MultiLabel => prompt.separator().to_owned(),
        };
        let (tokens, white_space) = ((begin_of_text, None), prompt.white_space());
        Self::around(tokenizer, (prompt.head(), tail), tokens, white_space, max_tokens)
    }

    /// Each text alone, within the pieces that the model's makers put around it.
    ///
    /// # Errors
    /// As [`PromptEncoder::new`].
    pub(crate) fn text_alone(tokenizer: &'t Tokenizer, white_space: WhiteSpace, max_tokens: usize) -> Result<Self, PromptError> {
        let tokens = match tokenizer.frame() {
            Some([begin, end]) => (Some(begin), Some(end)),
            None => (tokenizer.begin_of_text(), None),
        };
        Self::around(tokenizer, (String::new(), String::new()), tokens, white_space, max_tokens)
    }

    fn around(
        tokenizer: &'t Tokenizer,
        (head, tail): (String, String),
        (begin_of_text, end): (Option<u32>, Option<u32>),
        white_space: WhiteSpace,
        max_tokens: usize,
    ) -> Result<Self, PromptError> {
        let truncation = Truncation::Text;
        Self { tokenizer, head, tails: vec![tail], longest: 0, begin_of_text, end, truncation, white_space, max_tokens }.checked()
    }

    /// How many tokens come before the first of the text's, one that may be both's not counted; an empty prompt's are before nothing.
    ///
    /// # Errors
    /// [`PromptError::Tokenizer`].
    pub(crate) fn tokens_before_text(&self) -> Result<usize, PromptError> {
        let head = self.tokenizer.encode(&self.head)?.len();
        Ok(usize::from(self.begin_of_text.is_some()) + head.saturating_sub(1))
    }

    /// Finds the longest question, and whether an empty text fits.
    fn checked(self) -> Result<Self, PromptError> {
        let max_tokens = self.max_tokens;
        let mut encoder = self;
        let lengths = (0..encoder.tails.len()).map(|question| Ok(encoder.whole(question, "", "")?.len()));
        let lengths = lengths.collect::<Result<Vec<usize>, PromptError>>()?;
        encoder.longest = (0..lengths.len()).max_by_key(|&question| lengths[question]).unwrap_or(0);
        let needed = lengths[encoder.longest];
        if needed > max_tokens { Err(PromptError::NoRoom { needed, max_tokens }) } else { Ok(encoder) }
    }

    /// Most tokens a prompt may have.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// The ids of the prompts around `text`, its white space as the prompt has it. What the longest question has no room for is left out for
    /// all of them.
    ///
    /// The whole string is encoded, as pieces can merge across the seams between prompt and text. Time is linear in what is kept
    /// ([`Truncation::Text`]).
    ///
    /// # Errors
    /// [`PromptError::Tokenizer`].
    pub fn encode(&self, text: &str) -> Result<EncodedText, PromptError> {
        self.encode_as_it_is(&self.white_space.applied(text))
    }

    fn encode_as_it_is(&self, text: &str) -> Result<EncodedText, PromptError> {
        let longest = self.encode_question(self.longest, text)?;
        let truncated_characters = longest.truncated_characters;
        if self.tails.len() == 1 {
            return Ok(EncodedText { prompts: vec![longest.tokens], truncated_characters });
        }
        let kept = without_end(text, truncated_characters);
        let question = |question: usize| Ok(self.encode_question(question, kept)?.tokens);
        let prompts = (0..self.tails.len()).map(question).collect::<Result<_, PromptError>>()?;
        Ok(EncodedText { prompts, truncated_characters })
    }

    /// [`PromptEncoder::encode`] of the parts of a text that fit one after the other, to its end, each but the first from where the one
    /// before was cut.
    ///
    /// # Errors
    /// [`PromptError::Tokenizer`].
    pub fn encode_windows(&self, text: &str) -> Result<Vec<EncodedText>, PromptError> {
        let text = self.white_space.applied(text);
        let (mut windows, mut rest) = (Vec::new(), &*text);
        loop {
            let window = self.encode_as_it_is(rest)?;
            let left = window.truncated_characters;
            let read = without_end(rest, left).len();
            windows.push(window);
            if left == 0 || read == 0 || windows.len() == MOST_WINDOWS {
                return Ok(windows);
            }
            rest = &rest[read..];
        }
    }

    /// [`PromptEncoder::encode`] of many texts on all threads, in the order of the texts.
    ///
    /// # Errors
    /// The first error in the order of the texts.
    pub fn encode_batch<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Vec<EncodedText>, PromptError> {
        texts.par_iter().map(|text| self.encode(text.as_ref())).collect()
    }

    /// One question's ids around `text`, the end of which (or of the prompt) is left out if the whole is too long.
    fn encode_question(&self, question: usize, text: &str) -> Result<Encoded, PromptError> {
        if self.truncation == Truncation::Prompt {
            return self.cut_at_the_end(text, self.whole(question, text, "")?);
        }
        // Looking one character beyond what could ever fit is enough to know that it does not.
        let could_fit = self.max_tokens.saturating_mul(self.tokenizer.longest_piece());
        if text.chars().nth(could_fit).is_none() {
            let tokens = self.whole(question, text, "")?;
            if tokens.len() <= self.max_tokens {
                return Ok(Encoded { tokens, truncated_characters: 0 });
            }
        }
        self.encode_truncated(question, text)
    }

    /// A training sequence of the codelab: begin of text, the pieces of prompt, answer and the characters `<eos>`, cut at their end to
    /// what `max_tokens` leaves beside begin of text, and end of text. The last id is a target only.
    ///
    /// # Errors
    /// [`PromptError::NoEndOfText`], [`PromptError::Tokenizer`].
    pub fn encode_training(&self, text: &str, answer: &str) -> Result<EncodedText, PromptError> {
        let end_of_text = self.tokenizer.end_of_text().ok_or(PromptError::NoEndOfText)?;
        let text = &*self.white_space.applied(text);
        let mut encoded = self.cut_at_the_end(text, self.whole(self.longest, text, &[answer, WRITTEN_END].concat())?)?;
        encoded.tokens.push(end_of_text);
        Ok(EncodedText { prompts: vec![encoded.tokens], truncated_characters: encoded.truncated_characters })
    }

    /// Keeps the first `max_tokens` ids; how many characters of the text went with the others is known from what the kept ones spell.
    fn cut_at_the_end(&self, text: &str, mut tokens: Vec<u32>) -> Result<Encoded, PromptError> {
        if tokens.len() <= self.max_tokens {
            return Ok(Encoded { tokens, truncated_characters: 0 });
        }
        tokens.truncate(self.max_tokens);
        let pieces = &tokens[usize::from(self.begin_of_text.is_some())..];
        let kept = self.tokenizer.decode(pieces)?.chars().count();
        let whole = self.head.chars().count() + text.chars().count() + self.tails[self.longest].chars().count();
        let truncated_characters = whole.saturating_sub(kept).clamp(1, text.chars().count().max(1));
        Ok(Encoded { tokens, truncated_characters })
    }

    /// The ids of a prompt of which a part of the text must go: doubles the kept part until it is too long, then halves the difference.
    fn encode_truncated(&self, question: usize, text: &str) -> Result<Encoded, PromptError> {
        let total = text.chars().count();
        let mut boundaries = text.char_indices().map(|(at, _)| at);
        let mut known: Vec<usize> = Vec::new();
        let (mut fits, mut tokens) = (0, self.whole(question, "", "")?);
        let mut exceeds = total;
        let mut next = self.max_tokens.saturating_mul(CHARACTERS_PER_TOKEN).min(total / 2).max(1);
        while exceeds - fits > 1 {
            if known.len() <= next {
                known.extend(boundaries.by_ref().take(next + 1 - known.len()));
            }
            let attempt = self.whole(question, &text[..known[next]], "")?;
            if attempt.len() <= self.max_tokens {
                (fits, tokens) = (next, attempt);
            } else {
                exceeds = next;
            }
            let doubled = if fits == 0 { exceeds } else { fits.saturating_mul(2) };
            next = (fits + (exceeds - fits) / 2).min(doubled);
        }
        Ok(Encoded { tokens, truncated_characters: total - fits })
    }

    /// Begin of text and the pieces of a question's prompt around `text`, `after` following it.
    fn whole(&self, question: usize, text: &str, after: &str) -> Result<Vec<u32>, PromptError> {
        let ids = self.tokenizer.encode(&[self.head.as_str(), text, &self.tails[question], after].concat())?;
        Ok(self.begin_of_text.into_iter().chain(ids).chain(self.end).collect())
    }
}

/// A text without its last `characters`.
fn without_end(text: &str, characters: usize) -> &str {
    match characters {
        0 => text,
        left_out => &text[..text.char_indices().rev().nth(left_out - 1).map_or(0, |(at, _)| at)],
    }
}
