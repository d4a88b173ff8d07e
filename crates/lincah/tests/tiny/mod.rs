//! Tokenizers small enough to be read: one of each kind, over a to e, digits, a few marks and all bytes.
#![allow(dead_code, reason = "every test file uses a part")]

mod byte_alphabet;

pub use byte_alphabet::byte_alphabet;
use lincah::tokenizer::{PieceType, Tokenizer, TokenizerKind, TokenizerTables};

/// Ids 0 to 2 are control, 3 is user-defined, 4 to 259 the bytes, then what the merges make.
pub fn byte_level_tables(pre: &str) -> TokenizerTables {
    let merges = ["a b", "ab c", "Ġ ab", "Ġ Ġ", "1 2", "12 3", "d e", "Ã ©", "< |", "P o", "Po s", "N o", "No t", "1 Ġ"];
    let mut pieces: Vec<String> = ["<|begin|>", "<|end|>", "abcd", "<tool>"].map(str::to_owned).to_vec();
    pieces.extend(byte_alphabet().into_iter().map(String::from));
    pieces.extend(merges.map(|merge| merge.replace(' ', "")));
    let mut types = vec![PieceType::Normal; pieces.len()];
    types[..3].fill(PieceType::Control);
    types[3] = PieceType::UserDefined;
    TokenizerTables {
        kind: TokenizerKind::ByteLevel,
        pre: pre.to_owned(),
        pieces,
        types,
        scores: Vec::new(),
        merges: merges.map(str::to_owned).to_vec(),
        begin_of_text: Some(0),
        end_of_text: Some(1),
        end_of_turn: None,
        unknown: None,
        adds_begin_of_text: false,
        space_prefix: false,
    }
}

/// Ids 0 to 3 are pad, eos, bos, unk; 4 to 8 user-defined; 9 to 264 the bytes; then pieces with falling scores.
pub fn sentencepiece_tables(space_prefix: bool) -> TokenizerTables {
    use PieceType::{Byte, Control, Normal, Unknown, UserDefined};
    let mut rows: Vec<(String, PieceType, f32)> = Vec::new();
    for (piece, kind) in [("<pad>", Control), ("<eos>", Control), ("<bos>", Control), ("<unk>", Unknown)] {
        rows.push((piece.to_owned(), kind, -1000.0));
    }
    for piece in ["\n", "\n\n", "  ", "   ", "<b>"] {
        rows.push((piece.to_owned(), UserDefined, -1000.0));
    }
    rows.extend((0..=255).map(|byte| (format!("<0x{byte:02X}>"), Byte, 0.0)));
    let made = ["▁a", "ab", "▁ab", "bc", "abc", "▁abc", "de", "eos", "<eos", "os", "Po", "Pos", "No", "Not"];
    let single = ["▁", "a", "b", "c", "d", "e", "o", "s", "t", "<", ">", "P", "N", "A", "B", "C", ":", "é"];
    for (index, piece) in made.iter().chain(&single).enumerate() {
        rows.push(((*piece).to_owned(), Normal, -(index as f32)));
    }
    TokenizerTables {
        kind: TokenizerKind::SentencePiece,
        pre: String::new(),
        pieces: rows.iter().map(|row| row.0.clone()).collect(),
        types: rows.iter().map(|row| row.1).collect(),
        scores: rows.iter().map(|row| row.2).collect(),
        merges: Vec::new(),
        begin_of_text: Some(2),
        end_of_text: Some(1),
        end_of_turn: None,
        unknown: Some(3),
        adds_begin_of_text: true,
        space_prefix,
    }
}

/// The pieces of a text as the vocabulary spells them.
pub fn spelled(tokenizer: &Tokenizer, text: &str) -> Vec<String> {
    tokenizer.encode(text).unwrap().into_iter().map(|id| tokenizer.token(id).unwrap().to_owned()).collect()
}

/// The tokenizer of a real model in lincah's own cache.
pub fn real(name: &str, file: &str) -> Tokenizer {
    let cache = || std::path::PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache/lincah");
    let home = std::env::var_os("LINCAH_HOME").map_or_else(cache, std::path::PathBuf::from);
    let file = lincah_model::gguf::GgufFile::open(&home.join("models").join(name).join(file)).unwrap();
    Tokenizer::from_gguf(&file).unwrap()
}

/// SmolLM2-135M-Instruct.
pub fn smollm2() -> Tokenizer {
    real("smollm2-135m", "SmolLM2-135M-Instruct.Q4_1.gguf")
}

/// Gemma 3 270M.
pub fn gemma() -> Tokenizer {
    real("gemma-3-270m", "gemma-3-270m-q4_k_m.gguf")
}
