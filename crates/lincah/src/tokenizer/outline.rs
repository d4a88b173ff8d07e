//! What is looked at in a `tokenizer.json` before the tokenizer library sees it.

use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;

use super::TokenizerError;
use super::tables::check_added;

#[derive(Deserialize)]
struct Outline<'a> {
    #[serde(borrow, default)]
    added_tokens: Option<Vec<AddedPiece<'a>>>,
    #[serde(default)]
    model: Option<Model>,
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    decoder: Value,
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

/// Whether the text is JSON throughout, has no added piece that would take the library minutes and no pattern that fits everywhere, and always
/// gives the same ids.
///
/// # Errors
/// [`TokenizerError::Outline`], [`TokenizerError::AddedPieceTooLong`], [`TokenizerError::AddedPiecesTooLong`],
/// [`TokenizerError::EmptyPattern`], [`TokenizerError::Dropout`].
pub(super) fn check(json: &[u8]) -> Result<(), TokenizerError> {
    let outline: Outline<'_> = serde_json::from_slice(json).map_err(|source| TokenizerError::Outline { source })?;
    check_added(outline.added_tokens.iter().flatten().map(|piece| piece.content.as_ref()))?;
    for (part, value) in
        [("normalizer", &outline.normalizer), ("pre_tokenizer", &outline.pre_tokenizer), ("decoder", &outline.decoder)]
    {
        if has_empty_pattern(value) {
            return Err(TokenizerError::EmptyPattern { part });
        }
    }
    match outline.model.and_then(|model| model.dropout) {
        Some(dropout) if dropout != 0.0 => Err(TokenizerError::Dropout { dropout }),
        _ => Ok(()),
    }
}

/// Whether something in `value` replaces or splits at an empty pattern.
fn has_empty_pattern(value: &Value) -> bool {
    let is_empty = |pattern: &Value| ["String", "Regex"].iter().any(|kind| pattern[kind].as_str() == Some(""));
    match value {
        Value::Object(fields) => fields.get("pattern").is_some_and(is_empty) || fields.values().any(has_empty_pattern),
        Value::Array(values) => values.iter().any(has_empty_pattern),
        _ => false,
    }
}
