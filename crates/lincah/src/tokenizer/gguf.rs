use lincah_model::gguf::GgufFile;

use super::{PieceType, Tokenizer, TokenizerError, TokenizerKind, TokenizerTables};

impl Tokenizer {
    /// The tokenizer that the metadata of a GGUF file describe: `tokenizer.ggml.model` `gpt2` or `llama`.
    ///
    /// # Errors
    /// Missing or damaged metadata, a kind or pre-tokenizer that is not supported.
    pub fn from_gguf(file: &GgufFile) -> Result<Self, TokenizerError> {
        let in_file = |source| TokenizerError::File { path: file.path().to_owned(), source: Box::new(source) };
        TokenizerTables::from_gguf(file)?.build().map_err(in_file)
    }
}

impl TokenizerTables {
    /// The tables in the metadata of a GGUF file, llama.cpp's defaults where a key is absent.
    ///
    /// # Errors
    /// Missing or damaged metadata, a kind that is not supported.
    pub fn from_gguf(file: &GgufFile) -> Result<Self, TokenizerError> {
        let model = file.text("tokenizer.ggml.model")?.ok_or_else(|| file.missing("tokenizer.ggml.model"))?;
        let kind = match model {
            "gpt2" => TokenizerKind::ByteLevel,
            "llama" => TokenizerKind::SentencePiece,
            _ => return Err(TokenizerError::UnknownKind { kind: model.to_owned() }),
        };
        let texts = |key| Ok::<_, TokenizerError>(file.text_array(key)?.ok_or_else(|| file.missing(key))?);
        let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let sentencepiece = kind == TokenizerKind::SentencePiece;
        let scores = match sentencepiece {
            true => file.float_array("tokenizer.ggml.scores")?.ok_or_else(|| file.missing("tokenizer.ggml.scores"))?,
            false => Vec::new(),
        };
        let (pre, merges) = match sentencepiece {
            true => (String::new(), Vec::new()),
            false => {
                let pre = file.text("tokenizer.ggml.pre")?.ok_or_else(|| file.missing("tokenizer.ggml.pre"))?;
                (pre.to_owned(), owned(texts("tokenizer.ggml.merges")?))
            }
        };
        let types = file.integer_array("tokenizer.ggml.token_type")?.ok_or_else(|| file.missing("tokenizer.ggml.token_type"))?;
        Ok(Self {
            kind,
            pre,
            pieces: owned(texts("tokenizer.ggml.tokens")?),
            types: types.into_iter().enumerate().map(|(id, value)| piece_type(id, value)).collect::<Result<_, _>>()?,
            scores,
            merges,
            begin_of_text: id(file, "tokenizer.ggml.bos_token_id")?,
            end_of_text: id(file, "tokenizer.ggml.eos_token_id")?,
            end_of_turn: id(file, "tokenizer.ggml.eot_token_id")?,
            unknown: id(file, "tokenizer.ggml.unknown_token_id")?,
            adds_begin_of_text: file.boolean("tokenizer.ggml.add_bos_token")?.unwrap_or(sentencepiece),
            space_prefix: file.boolean("tokenizer.ggml.add_space_prefix")?.unwrap_or(sentencepiece),
        })
    }
}

/// A token id; what does not fit 32 bits is out of every vocabulary, which [`TokenizerTables::build`] reports.
fn id(file: &GgufFile, key: &str) -> Result<Option<u32>, TokenizerError> {
    Ok(file.unsigned(key)?.map(|id| u32::try_from(id).unwrap_or(u32::MAX)))
}

fn piece_type(id: usize, value: i64) -> Result<PieceType, TokenizerError> {
    use PieceType::{Byte, Control, Normal, Unknown, Unused, UserDefined};
    let known = [Normal, Unknown, Control, UserDefined, Unused, Byte];
    known.into_iter().find(|kind| *kind as i64 == value).ok_or(TokenizerError::UnknownPieceType { id, value })
}
