use std::path::{Path, PathBuf};

use lincah_model::{regular_file, sha256};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::guarded::guarded;
use super::{Tokenizer, TokenizerError, outline};

/// Larger than any published vocabulary; guards against allocating for a damaged file.
const LARGEST_ID: u32 = 1 << 24;
/// Bytes of a `tokenizer.json`; the largest that are published have some 35 million.
pub(super) const LARGEST_FILE: u64 = 1 << 28;
/// Letters of several scripts, numbers, marks, white space, and what looks like a control piece.
const PROBE: &str = "An example: 12 words, é 漢字 \u{1f600}\n\t <eos>  ▁";

impl Tokenizer {
    /// The tokenizer of a Hugging Face folder: `tokenizer.json`, with begin and end of text from `tokenizer_config.json`,
    /// `generation_config.json` or `config.json`, the first that names them.
    ///
    /// # Errors
    /// Files that can't be read or are no JSON, a `tokenizer.json` that can't be used, pieces named that are not there.
    pub fn from_folder(folder: &Path) -> Result<Self, TokenizerError> {
        let path = folder.join("tokenizer.json");
        let bytes =
            regular_file::read(&path, LARGEST_FILE).map_err(|source| TokenizerError::Read { path: path.clone(), source })?;
        Self::of_file(&path, &bytes, &Settings::read(folder)?)
    }

    /// The tokenizer in the text of a `tokenizer.json` alone, which names neither begin nor end of text; `path` names it in messages.
    ///
    /// # Errors
    /// A text that is no JSON or no tokenizer that can be used.
    pub fn from_json(path: &Path, json: &[u8]) -> Result<Self, TokenizerError> {
        Self::of_file(path, json, &Settings { path: path.to_owned(), ..Settings::default() })
    }

    fn of_file(path: &Path, bytes: &[u8], settings: &Settings) -> Result<Self, TokenizerError> {
        let unusable = |source| TokenizerError::TokenizerFile { path: path.to_owned(), source };
        outline::check(bytes).map_err(|refusal| unusable(Box::new(refusal)))?;
        let mut inner = guarded(|| tokenizers::Tokenizer::from_bytes(bytes)).map_err(unusable)?;
        let begin_of_text = settings.role(&inner, "bos_token", "bos_token_id")?;
        let end_of_text = settings.role(&inner, "eos_token", "eos_token_id")?;
        let mut ends: Vec<u32> = end_of_text.into_iter().chain(settings.ends()).collect();
        ends.sort_unstable();
        ends.dedup();
        // A prompt is cut, padded and framed by its own rules, not by what the file was last saved with.
        inner.with_truncation(None).map_err(unusable)?;
        inner.with_padding(None);
        let framed = guarded(|| inner.encode_fast("", true)).map_err(unusable)?;
        let adds_begin_of_text = match settings.tokenizer.add_bos_token {
            Some(adds) => adds,
            None => begin_of_text.is_some() && framed.get_ids().first().copied() == begin_of_text,
        };
        inner.set_encode_special_tokens(true);
        let (pieces, control) = vocabulary(&inner, path)?;
        for (role, id) in [("bos_token_id", begin_of_text), ("eos_token_id", end_of_text)] {
            if let Some(id) = id.filter(|&id| id as usize >= pieces.len()) {
                return Err(TokenizerError::RoleOutOfRange { role, id, vocabulary_size: pieces.len() });
            }
        }
        let mut hash = Sha256::new();
        hash.update(format!("tokenizer.json {begin_of_text:?} {end_of_text:?}\n"));
        hash.update(bytes);
        let tokenizer = Self {
            inner,
            longest_piece: pieces.iter().flatten().map(|piece| piece.chars().count()).max().unwrap_or(1),
            pieces,
            control,
            begin_of_text,
            end_of_text,
            ends,
            adds_begin_of_text,
            frame: framed.get_ids().try_into().ok(),
            space_prefix: false,
            fingerprint: sha256::hexadecimal(hash.finalize()),
        };
        // Rules that fail on every text are found out now.
        let probed = tokenizer.encode(PROBE).and_then(|ids| tokenizer.decode(&ids));
        probed.map_err(|refusal| unusable(Box::new(refusal)))?;
        Ok(tokenizer)
    }
}

/// The spelling of every id, and the ids of special pieces.
fn vocabulary(inner: &tokenizers::Tokenizer, path: &Path) -> Result<(Vec<Option<String>>, Vec<u32>), TokenizerError> {
    let vocabulary = inner.get_vocab(true);
    let last = vocabulary.values().copied().max().ok_or(TokenizerError::EmptyVocabulary)?;
    if last > LARGEST_ID {
        return Err(TokenizerError::IdTooLarge { path: path.to_owned(), id: last, limit: LARGEST_ID });
    }
    let mut pieces = vec![None; last as usize + 1];
    for (piece, id) in vocabulary {
        pieces[id as usize] = Some(piece);
    }
    let added = inner.get_added_vocabulary().get_added_tokens_decoder();
    let mut control: Vec<u32> = added.iter().filter(|(_, token)| token.special).map(|(id, _)| *id).collect();
    control.sort_unstable();
    Ok((pieces, control))
}

/// The files beside `tokenizer.json`, each of which may be absent.
#[derive(Default)]
struct Settings {
    path: PathBuf,
    tokenizer: TokenizerConfig,
    generation: Value,
    model: Value,
}

#[derive(Default, Deserialize)]
struct TokenizerConfig {
    bos_token: Option<Named>,
    eos_token: Option<Named>,
    add_bos_token: Option<bool>,
}

/// A piece, spelled out or as an object with its spelling.
#[derive(Deserialize)]
#[serde(untagged)]
enum Named {
    Piece(String),
    Token { content: String },
}

impl Settings {
    fn read(folder: &Path) -> Result<Self, TokenizerError> {
        let path = folder.join("tokenizer_config.json");
        Ok(Self {
            tokenizer: read_json(&path)?.unwrap_or_default(),
            path,
            generation: read_json(&folder.join("generation_config.json"))?.unwrap_or_default(),
            model: read_json(&folder.join("config.json"))?.unwrap_or_default(),
        })
    }

    fn role(&self, inner: &tokenizers::Tokenizer, name: &'static str, key: &str) -> Result<Option<u32>, TokenizerError> {
        let named = if name == "bos_token" { &self.tokenizer.bos_token } else { &self.tokenizer.eos_token };
        if let Some(Named::Piece(piece) | Named::Token { content: piece }) = named {
            let absent = || TokenizerError::RoleNotInVocabulary { path: self.path.clone(), role: name, piece: piece.clone() };
            return inner.token_to_id(piece).ok_or_else(absent).map(Some);
        }
        // Where there are several ends of text, the first is the one that training data end with.
        let id = self.places(key).into_iter().find_map(|value| value.as_u64().or_else(|| value[0].as_u64()));
        Ok(id.map(|id| u32::try_from(id).unwrap_or(u32::MAX)))
    }

    fn places(&self, key: &str) -> [&Value; 3] {
        [&self.generation[key], &self.model[key], &self.model["text_config"][key]]
    }

    /// Every id that is named as an end of text anywhere, alone or in a list.
    fn ends(&self) -> impl Iterator<Item = u32> {
        let values = self.places("eos_token_id").into_iter().flat_map(|value| match value {
            Value::Array(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        });
        values.filter_map(|value| u32::try_from(value.as_u64()?).ok())
    }
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, TokenizerError> {
    match regular_file::read(path, regular_file::SMALL) {
        Ok(bytes) => {
            serde_json::from_slice(&bytes).map(Some).map_err(|source| TokenizerError::Json { path: path.to_owned(), source })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(TokenizerError::Read { path: path.to_owned(), source }),
    }
}
