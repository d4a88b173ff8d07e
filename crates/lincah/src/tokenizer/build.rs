//! From tables to a tokenizer.

use super::tables::{PieceType, TokenizerKind, TokenizerTables};
use super::{Tokenizer, TokenizerError, byte_level, sentencepiece};

impl TokenizerTables {
    /// The tokenizer of these tables.
    ///
    /// # Errors
    /// Tables of unequal length, ids outside the vocabulary, an unknown pre-tokenizer, merges of pieces that are not there.
    pub fn build(mut self) -> Result<Tokenizer, TokenizerError> {
        let inner = self.rules()?;
        let fingerprint = self.fingerprint();
        let hidden = |kind: &PieceType| matches!(kind, PieceType::Control | PieceType::Unused);
        let control = (0u32..).zip(&self.types).filter(|(_, kind)| hidden(kind)).map(|(id, _)| id).collect();
        Ok(Tokenizer {
            inner,
            longest_piece: self.pieces.iter().map(|piece| piece.chars().count()).max().unwrap_or(1),
            control,
            begin_of_text: self.begin_of_text,
            end_of_text: self.end_of_text,
            ends: self.end_of_text.into_iter().chain(self.end_of_turn).collect(),
            adds_begin_of_text: self.adds_begin_of_text,
            frame: None,
            space_prefix: self.space_prefix && self.kind == TokenizerKind::SentencePiece,
            pieces: self.pieces.into_iter().map(Some).collect(),
            fingerprint,
        })
    }

    /// The rules by which text becomes pieces, after a look at the tables.
    fn rules(&mut self) -> Result<tokenizers::Tokenizer, TokenizerError> {
        self.check()?;
        if self.kind == TokenizerKind::SentencePiece {
            sentencepiece::mark_spaces(&mut self.pieces, &self.types);
        }
        match self.kind {
            TokenizerKind::ByteLevel => byte_level::build(self),
            TokenizerKind::SentencePiece => sentencepiece::build(self),
        }
    }

    /// The same with every piece in the vocabulary, so that it can be written down: control pieces are taken whole, which text that spells
    /// them becomes elsewhere, and unused ones are never made.
    pub(super) fn written_rules(mut self) -> Result<tokenizers::Tokenizer, TokenizerError> {
        for kind in &mut self.types {
            *kind = match *kind {
                PieceType::Control => PieceType::UserDefined,
                PieceType::Unused => PieceType::Byte,
                kind => kind,
            };
        }
        self.rules()
    }
}
