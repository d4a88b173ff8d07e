use tokenizers::tokenizer::DecodeStream;
use tokenizers::{DecoderWrapper, ModelWrapper, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper};

use super::guarded::guarded;
use super::{Tokenizer, TokenizerError};

type Inner<'t> = DecodeStream<'t, ModelWrapper, NormalizerWrapper, PreTokenizerWrapper, PostProcessorWrapper, DecoderWrapper>;

/// Text out of ids that come one by one: a character whose bytes lie in several ids is held back until it is whole.
pub struct TextStream<'t> {
    tokenizer: &'t Tokenizer,
    inner: Inner<'t>,
}

impl Tokenizer {
    /// A stream at the beginning of a text.
    pub fn text_stream(&self) -> TextStream<'_> {
        TextStream { tokenizer: self, inner: self.inner.decode_stream(true) }
    }
}

impl TextStream<'_> {
    /// The text that `id` completes, often none yet; control pieces give none.
    ///
    /// # Errors
    /// [`TokenizerError::Decode`] if the rules of a `tokenizer.json` fail on this id.
    pub fn push(&mut self, id: u32) -> Result<String, TokenizerError> {
        if self.tokenizer.is_control(id) {
            return Ok(String::new());
        }
        let text = guarded(|| self.inner.step(id)).or_else(|_| {
            // Bytes that are no UTF-8 can change how those before them are read; the text goes on behind them.
            self.inner = self.tokenizer.inner.decode_stream(true);
            guarded(|| self.inner.step(id))
        });
        Ok(text.map_err(|source| TokenizerError::Decode { source })?.unwrap_or_default())
    }
}

impl std::fmt::Debug for TextStream<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TextStream").field("tokenizer", self.tokenizer).finish_non_exhaustive()
    }
}
