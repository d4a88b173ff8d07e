use lincah_model::sha256;
use sha2::{Digest, Sha256};
use tokenizers::AddedToken;

use super::TokenizerError;

/// Bytes of an added piece, and of all of them: the time that the library takes to prepare for them grows faster than their length.
const LONGEST_ADDED: usize = 1 << 10;
const LONGEST_ADDED_TOGETHER: usize = 1 << 20;

/// How text is cut into the pieces of a vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenizerKind {
    /// Byte-pair merges over bytes, after a pre-tokenizer (GGUF's `gpt2`).
    ByteLevel,
    /// SentencePiece BPE: scores decide the merges, bytes stand in for unknown characters (GGUF's `llama`).
    SentencePiece,
}

/// What a piece stands for; the numbers are those of SentencePiece and GGUF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum PieceType {
    /// Made by merges.
    Normal = 1,
    /// Stands for what no piece covers.
    Unknown = 2,
    /// Never made from text.
    Control = 3,
    /// Taken whole out of the text before anything else.
    UserDefined = 4,
    /// Never made from text.
    Unused = 5,
    /// One byte.
    Byte = 6,
}

/// The tables that a GGUF file carries about its tokenizer.
#[derive(Debug, Clone)]
pub struct TokenizerTables {
    /// How text is cut.
    pub kind: TokenizerKind,
    /// Name of the pre-tokenizer (`tokenizer.ggml.pre`); used by [`TokenizerKind::ByteLevel`] only.
    pub pre: String,
    /// Spelling of every id.
    pub pieces: Vec<String>,
    /// One a piece.
    pub types: Vec<PieceType>,
    /// One a piece, higher is merged earlier; used by [`TokenizerKind::SentencePiece`] only.
    pub scores: Vec<f32>,
    /// `left right`, earlier is merged earlier; used by [`TokenizerKind::ByteLevel`] only.
    pub merges: Vec<String>,
    /// Id at the front of a text.
    pub begin_of_text: Option<u32>,
    /// Id at the end of a text.
    pub end_of_text: Option<u32>,
    /// Id at the end of a turn of a chat, where that is another one.
    pub end_of_turn: Option<u32>,
    /// Id of what no piece covers.
    pub unknown: Option<u32>,
    /// Whether the model's makers put `begin_of_text` before every text.
    pub adds_begin_of_text: bool,
    /// Whether every text is encoded with a space before it; used by [`TokenizerKind::SentencePiece`] only.
    pub space_prefix: bool,
}

impl TokenizerTables {
    pub(super) fn check(&self) -> Result<(), TokenizerError> {
        let expected = self.pieces.len();
        if expected == 0 {
            return Err(TokenizerError::EmptyVocabulary);
        }
        let scores = if self.kind == TokenizerKind::SentencePiece { self.scores.len() } else { expected };
        for (key, found) in [("tokenizer.ggml.token_type", self.types.len()), ("tokenizer.ggml.scores", scores)] {
            if found != expected {
                return Err(TokenizerError::TableLength { key, found, expected });
            }
        }
        let user_defined = self.pieces.iter().zip(&self.types).filter(|(_, kind)| **kind == PieceType::UserDefined);
        check_added(user_defined.map(|(piece, _)| piece.as_str()))?;
        let roles = [
            ("tokenizer.ggml.bos_token_id", self.begin_of_text),
            ("tokenizer.ggml.eos_token_id", self.end_of_text),
            ("tokenizer.ggml.eot_token_id", self.end_of_turn),
            ("tokenizer.ggml.unknown_token_id", self.unknown),
        ];
        for (role, id) in roles {
            if let Some(id) = id.filter(|&id| id as usize >= expected) {
                return Err(TokenizerError::RoleOutOfRange { role, id, vocabulary_size: expected });
            }
        }
        Ok(())
    }

    /// Pieces that text can become, with their ids; leaving the others out is what keeps control ids out of every encoding.
    pub(super) fn vocabulary(&self) -> impl Iterator<Item = (u32, &str, PieceType)> {
        let unknown = if self.kind == TokenizerKind::SentencePiece { self.unknown } else { None };
        (0u32..)
            .zip(&self.pieces)
            .zip(&self.types)
            .map(|((id, piece), &kind)| (id, piece.as_str(), kind))
            .filter(move |(id, _, kind)| !matches!(kind, PieceType::Control | PieceType::Unused) || unknown == Some(*id))
    }

    pub(super) fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        let mut text = |value: &str| {
            hash.update((value.len() as u64).to_le_bytes());
            hash.update(value.as_bytes());
        };
        text(match self.kind {
            TokenizerKind::ByteLevel => "byte-level",
            TokenizerKind::SentencePiece => "sentencepiece",
        });
        text(&self.pre);
        text(&format!("{:?} {:?} {:?} {}", self.begin_of_text, self.end_of_text, self.unknown, self.space_prefix));
        self.pieces.iter().for_each(|piece| text(piece));
        self.merges.iter().for_each(|merge| text(merge));
        hash.update(self.types.iter().map(|&kind| kind as u8).collect::<Vec<_>>());
        hash.update(self.scores.iter().flat_map(|score| score.to_le_bytes()).collect::<Vec<_>>());
        sha256::hexadecimal(hash.finalize())
    }
}

/// Whether the pieces that are taken whole out of a text are as short as those of real tokenizers.
pub(super) fn check_added<'a>(pieces: impl Iterator<Item = &'a str>) -> Result<(), TokenizerError> {
    let mut together = 0;
    for piece in pieces {
        if piece.len() > LONGEST_ADDED {
            return Err(TokenizerError::AddedPieceTooLong { length: piece.len(), limit: LONGEST_ADDED });
        }
        together += piece.len();
    }
    if together > LONGEST_ADDED_TOGETHER {
        return Err(TokenizerError::AddedPiecesTooLong { length: together, limit: LONGEST_ADDED_TOGETHER });
    }
    Ok(())
}

/// A piece that is taken whole out of the raw text.
pub(super) fn whole(piece: &str) -> AddedToken {
    AddedToken::from(piece, false).normalized(false)
}
