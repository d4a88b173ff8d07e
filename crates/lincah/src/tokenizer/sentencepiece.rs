//! SentencePiece BPE: spaces become `▁`, merges follow the scores, bytes stand in for characters without a piece.

use std::cmp::Reverse;

use rayon::prelude::*;
use tokenizers::DecoderWrapper;
use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::sequence::Sequence;
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::normalizers::replace::Replace;

use super::TokenizerError;
use super::tables::{PieceType, TokenizerTables, whole};

/// What SentencePiece writes for a space.
const SPACE_MARK: &str = "▁";

pub(super) fn build(tables: &TokenizerTables) -> Result<tokenizers::Tokenizer, TokenizerError> {
    let failed = |source| TokenizerError::Build { source };
    let vocabulary: Vocab = tables.vocabulary().map(|(id, piece, _)| (piece.to_owned(), id)).collect();
    let unknown = tables.unknown.map(|id| tables.pieces[id as usize].clone());
    let merges = merges(tables, &vocabulary);
    let mut builder = BPE::builder().vocab_and_merges(vocabulary, merges).byte_fallback(true).fuse_unk(true);
    if let Some(unknown) = unknown {
        builder = builder.unk_token(unknown);
    }

    let mut tokenizer = tokenizers::Tokenizer::new(builder.build().map_err(failed)?);
    tokenizer.with_normalizer(Some(Replace::new(" ", SPACE_MARK).map_err(failed)?));
    let spaces = DecoderWrapper::from(Replace::new(SPACE_MARK, " ").map_err(failed)?);
    tokenizer.with_decoder(Some(Sequence::new(vec![spaces, ByteFallback::default().into(), Fuse::default().into()])));
    let user_defined = tables.vocabulary().filter(|(_, piece, kind)| *kind == PieceType::UserDefined && !is_spaces(piece));
    // Pieces with marks inside are looked for in the text whose spaces are marks.
    let whole = |piece: &str| whole(piece).normalized(piece.contains(SPACE_MARK));
    tokenizer.add_tokens(&user_defined.map(|(_, piece, _)| whole(piece)).collect::<Vec<_>>());
    Ok(tokenizer)
}

/// GGUF files spell the spaces of user-defined pieces as spaces; the text reaches the merges with marks.
pub(super) fn mark_spaces(pieces: &mut [String], types: &[PieceType]) {
    for (piece, _) in pieces.iter_mut().zip(types).filter(|(_, kind)| **kind == PieceType::UserDefined) {
        *piece = piece.replace(' ', SPACE_MARK);
    }
}

fn is_spaces(piece: &str) -> bool {
    piece.chars().all(|character| character == '▁')
}

/// One way to make a piece of two others.
struct Candidate<'a> {
    left: &'a str,
    right: &'a str,
    /// Characters and id of each half: what decides between pieces of equal score.
    order: (Reverse<usize>, Reverse<usize>, u32, u32, u32),
}

/// Every way to make a piece of two others, best first: a vocabulary with scores lists no merges, they follow from it.
///
/// Runs of spaces are user-defined and have no meaningful score. They come before all else, in the order of their ids, as in the
/// `tokenizer.json` of models that have them. Between equal scores the longer left half is first.
fn merges(tables: &TokenizerTables, vocabulary: &Vocab) -> Merges {
    let mergeable = |kind, piece: &str| kind == PieceType::Normal || (kind == PieceType::UserDefined && is_spaces(piece));
    let part = |piece: &str| vocabulary.get(piece).copied().filter(|&id| mergeable(tables.types[id as usize], piece));
    let rank = |&(id, _, kind): &(u32, &str, PieceType)| match kind {
        PieceType::Normal => (false, tables.scores[id as usize]),
        _ => (true, -(id as f32)),
    };
    let by_rank = |a: &_, b: &_| rank(b).0.cmp(&rank(a).0).then_with(|| rank(b).1.total_cmp(&rank(a).1));
    let mut pieces: Vec<_> = tables.vocabulary().filter(|(_, piece, kind)| mergeable(*kind, piece)).collect();
    pieces.sort_by(by_rank);

    let of_equals = |equals: &[(u32, &str, PieceType)]| {
        let mut candidates: Vec<Candidate<'_>> = Vec::new();
        for &(id, piece, _) in equals {
            let length = piece.chars().count();
            for (left_length, (cut, _)) in piece.char_indices().enumerate().skip(1) {
                let (left, right) = piece.split_at(cut);
                if let (Some(left_id), Some(right_id)) = (part(left), part(right)) {
                    let order = (Reverse(left_length), Reverse(length - left_length), id, left_id, right_id);
                    candidates.push(Candidate { left, right, order });
                }
            }
        }
        candidates.sort_by_key(|candidate| candidate.order);
        candidates.into_iter().map(|candidate| (candidate.left.to_owned(), candidate.right.to_owned())).collect::<Merges>()
    };
    pieces.par_chunk_by(|a, b| by_rank(a, b).is_eq()).flat_map_iter(of_equals).collect()
}
