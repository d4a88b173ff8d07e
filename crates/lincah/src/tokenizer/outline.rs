//! What is looked at in a `tokenizer.json` before the tokenizer library sees it.

use serde::Deserialize;
use std::borrow::Cow;

use super::TokenizerError;
use super::tables::check_added;

#[derive(Deserialize)]
struct Outline<'a> {
    #[serde(borrow, default)]
    added_tokens: Option<Vec<AddedPiece<'a>>>,
    #[serde(default)]
    model: Option<Model>,
}

#[derive(Deserialize)]
struct AddedPiece<'a> {
    #[serde(borrow)]
    content: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Model {
    #[serde(default)]
    dropout: Option<f64>,
}

/// Whether the text is JSON throughout, has no added piece that would take the library minutes, and always gives the same ids.
///
/// # Errors
/// [`TokenizerError::Outline`], [`TokenizerError::AddedPieceTooLong`], [`TokenizerError::AddedPiecesTooLong`], [`TokenizerError::Dropout`].
pub(super) fn check(json: &[u8]) -> Result<(), TokenizerError> {
    let outline: Outline<'_> = serde_json::from_slice(json).map_err(|source| TokenizerError::Outline { source })?;
    check_added(outline.added_tokens.iter().flatten().map(|piece| piece.content.as_ref()))?;
    match outline.model.and_then(|model| model.dropout) {
        Some(dropout) if dropout != 0.0 => Err(TokenizerError::Dropout { dropout }),
        _ => Ok(()),
    }
}
