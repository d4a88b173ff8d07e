//! Text to token ids and back, from a Hugging Face folder or from the metadata of a GGUF file.
//!
//! Nothing is ever added to a text, and a control piece written in a text (`<eos>`, `<|im_start|>`) is plain text: what users write can't
//! end a prompt or speak for the system. Control ids are had by name only, from [`Tokenizer::begin_of_text`] and [`Tokenizer::end_of_text`].

mod build;
mod byte_level;
mod error;
mod export;
mod folder;
mod gguf;
mod guarded;
mod outline;
mod sentencepiece;
mod stream;
mod tables;

use guarded::guarded;
use rayon::prelude::*;
use tokenizers::Decoder as _;

pub use error::TokenizerError;
pub use stream::TextStream;
pub use tables::{PieceType, TokenizerKind, TokenizerTables};

/// A vocabulary with the rules that cut text into its pieces; safe to share between threads.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// Spelling of every id; `None` where the ids have a hole.
    pieces: Vec<Option<String>>,
    /// Ids that no text encodes to, sorted.
    control: Vec<u32>,
    begin_of_text: Option<u32>,
    end_of_text: Option<u32>,
    ends: Vec<u32>,
    adds_begin_of_text: bool,
    /// What its makers put around every text, where that is one piece on either side.
    frame: Option<[u32; 2]>,
    /// SentencePiece's dummy prefix: every text is encoded with a space before it.
    space_prefix: bool,
    longest_piece: usize,
    fingerprint: String,
}

impl Tokenizer {
    /// Ids of the pieces of `text`, in order; neither begin nor end of text is added, and no control piece comes out.
    ///
    /// # Errors
    /// [`TokenizerError::Encode`] if the rules of a `tokenizer.json` fail on this text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let encoding = guarded(|| match self.space_prefix {
            true => self.inner.encode_fast(format!(" {text}"), false),
            false => self.inner.encode_fast(text, false),
        });
        Ok(encoding.map_err(|source| TokenizerError::Encode { source })?.get_ids().to_vec())
    }

    /// [`Tokenizer::encode`] of many texts on all threads, in the order of the texts.
    ///
    /// # Errors
    /// The first error in the order of the texts.
    pub fn encode_batch<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Vec<Vec<u32>>, TokenizerError> {
        texts.par_iter().map(|text| self.encode(text.as_ref())).collect()
    }

    /// The text that `ids` spell, control pieces as they are written; bytes that are no UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// [`TokenizerError::UnknownId`] for an id outside the vocabulary.
    pub fn decode(&self, ids: &[u32]) -> Result<String, TokenizerError> {
        let unknown = |id| TokenizerError::UnknownId { id, vocabulary_size: self.vocabulary_size() };
        let pieces =
            ids.iter().map(|&id| self.token(id).map(str::to_owned).ok_or_else(|| unknown(id))).collect::<Result<Vec<_>, _>>()?;
        let text = match self.inner.get_decoder() {
            Some(decoder) => guarded(|| decoder.decode(pieces)).map_err(|source| TokenizerError::Decode { source })?,
            None => pieces.concat(),
        };
        Ok(match (self.space_prefix, text.strip_prefix(' ')) {
            (true, Some(rest)) => rest.to_owned(),
            _ => text,
        })
    }

    /// The piece of an id as the vocabulary spells it (a space is `▁` or `Ġ`).
    pub fn token(&self, id: u32) -> Option<&str> {
        self.pieces.get(id as usize)?.as_deref()
    }

    /// The id of a piece spelled as the vocabulary does, control pieces included.
    pub fn id(&self, piece: &str) -> Option<u32> {
        let control = || self.control.iter().copied().find(|&id| self.token(id) == Some(piece));
        self.inner.token_to_id(piece).or_else(control)
    }

    /// Whether an id is a control piece, which no text encodes to.
    pub fn is_control(&self, id: u32) -> bool {
        self.control.binary_search(&id).is_ok()
    }

    /// Id that the model expects at the front of a text (BOS), if it has one.
    pub fn begin_of_text(&self) -> Option<u32> {
        self.begin_of_text
    }

    /// Id that ends a text (EOS), if the model has one.
    pub fn end_of_text(&self) -> Option<u32> {
        self.end_of_text
    }

    /// Every id that its makers end a text or a turn with, [`Tokenizer::end_of_text`] among them: what generation stops at.
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Whether the model's makers put [`Tokenizer::begin_of_text`] before every text; [`Tokenizer::encode`] never does.
    pub fn adds_begin_of_text(&self) -> bool {
        self.adds_begin_of_text
    }

    /// The pieces that its makers put before and behind every text, as encoders have them (`[CLS]` and `[SEP]`); [`Tokenizer::encode`] never
    /// does.
    pub fn frame(&self) -> Option<[u32; 2]> {
        self.frame
    }

    /// One more than the highest id.
    pub fn vocabulary_size(&self) -> usize {
        self.pieces.len()
    }

    /// Characters of the longest piece: no text of more than this many a token fits into a number of tokens.
    pub fn longest_piece(&self) -> usize {
        self.longest_piece
    }

    /// SHA-256, in hexadecimal, over everything that decides the ids of a text: equal fingerprints give equal ids.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut output = formatter.debug_struct("Tokenizer");
        output.field("vocabulary_size", &self.vocabulary_size()).field("begin_of_text", &self.begin_of_text);
        output.field("end_of_text", &self.end_of_text).field("fingerprint", &self.fingerprint).finish()
    }
}
