//! Byte-level BPE: a pre-tokenizer cuts the text into words, merges join the bytes of a word.

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{NormalizerWrapper, SplitDelimiterBehavior};

use super::TokenizerError;
use super::tables::{PieceType, TokenizerTables, whole};

/// How a pre-tokenizer of GGUF's names cuts a text into words.
struct WordRule {
    names: &'static [&'static str],
    pattern: Pattern,
    /// A word that is a piece stays whole even where merges would not make it.
    whole_words: bool,
    /// The text is brought to Unicode NFC first.
    compose: bool,
}

enum Pattern {
    /// GPT-2's own.
    Gpt2,
    /// Every numeric character apart, then GPT-2's.
    DigitsThenGpt2,
    /// A regular expression whose matches are the words.
    Regex(&'static str),
}

/// Contractions in either case, letters, numbers of up to three digits, punctuation, line breaks, other white space.
const THREE_DIGITS: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// The same with every digit apart.
const ONE_DIGIT: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The names are values of `tokenizer.ggml.pre`, the rules those of the `tokenizer.json` that each was converted from.
const RULES: [WordRule; 4] = [
    WordRule { names: &["gpt-2", "default"], pattern: Pattern::Gpt2, whole_words: false, compose: false },
    WordRule { names: &["smollm", "starcoder"], pattern: Pattern::DigitsThenGpt2, whole_words: false, compose: false },
    WordRule {
        names: &["llama-bpe", "llama3", "llama-v3"],
        pattern: Pattern::Regex(THREE_DIGITS),
        whole_words: true,
        compose: false,
    },
    WordRule { names: &["qwen2"], pattern: Pattern::Regex(ONE_DIGIT), whole_words: false, compose: true },
];

pub(super) fn build(tables: &TokenizerTables) -> Result<tokenizers::Tokenizer, TokenizerError> {
    let pre = &tables.pre;
    let rule =
        RULES.iter().find(|rule| rule.names.contains(&pre.as_str())).ok_or_else(|| TokenizerError::UnknownPreTokenizer {
            pre: pre.clone(),
            known: RULES.iter().flat_map(|rule| rule.names).copied().collect::<Vec<_>>().join(", "),
        })?;
    let failed = |source| TokenizerError::Build { source };
    let vocabulary: Vocab = tables.vocabulary().map(|(id, piece, _)| (piece.to_owned(), id)).collect();
    let merges = tables.merges.iter().enumerate().map(|(index, merge)| split_merge(index, merge)).collect::<Result<_, _>>()?;
    let model = BPE::builder().vocab_and_merges(vocabulary, merges).ignore_merges(rule.whole_words).build().map_err(failed)?;

    let mut tokenizer = tokenizers::Tokenizer::new(model);
    tokenizer.with_pre_tokenizer(Some(pre_tokenizer(&rule.pattern).map_err(failed)?));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    if rule.compose {
        tokenizer.with_normalizer(Some(NormalizerWrapper::from(NFC)));
    }
    let user_defined = tables.vocabulary().filter(|(_, _, kind)| *kind == PieceType::UserDefined);
    tokenizer.add_tokens(&user_defined.map(|(_, piece, _)| whole(piece)).collect::<Vec<_>>());
    Ok(tokenizer)
}

fn pre_tokenizer(pattern: &Pattern) -> Result<PreTokenizerWrapper, tokenizers::Error> {
    let bytes = |gpt2_pattern| PreTokenizerWrapper::from(ByteLevel::new(false, true, gpt2_pattern));
    Ok(match pattern {
        Pattern::Gpt2 => bytes(true),
        Pattern::DigitsThenGpt2 => Sequence::new(vec![Digits::new(true).into(), bytes(true)]).into(),
        Pattern::Regex(regex) => {
            let split = Split::new(SplitPattern::Regex((*regex).to_owned()), SplitDelimiterBehavior::Isolated, false)?;
            Sequence::new(vec![split.into(), bytes(false)]).into()
        }
    })
}

fn split_merge(index: usize, merge: &str) -> Result<(String, String), TokenizerError> {
    match merge.split_once(' ') {
        Some((left, right)) if !left.is_empty() && !right.is_empty() && !right.contains(' ') => {
            Ok((left.to_owned(), right.to_owned()))
        }
        _ => Err(TokenizerError::MalformedMerge { index, merge: merge.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

    use super::*;

    fn golden<T: serde::de::DeserializeOwned>(name: &str) -> T {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tokenizers").join(name);
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn words_are_those_of_transformers() {
        let texts: Vec<String> = golden("texts.json");
        let expected: Vec<Vec<Vec<usize>>> = golden("words.json");
        for (name, expected) in ["gpt-2", "llama-bpe", "qwen2"].into_iter().zip(&expected) {
            let rule = RULES.iter().find(|rule| rule.names.contains(&name)).unwrap();
            let cutter = pre_tokenizer(&rule.pattern).unwrap();
            assert_eq!(texts.len(), expected.len());
            for (text, expected) in texts.iter().zip(expected) {
                let mut words = PreTokenizedString::from(text.as_str());
                cutter.pre_tokenize(&mut words).unwrap();
                let splits = words.get_splits(OffsetReferential::Original, OffsetType::Byte);
                let lengths: Vec<usize> = splits.iter().map(|(word, ..)| word.chars().count()).collect();
                assert_eq!(&lengths, expected, "{name} on {text:?}");
            }
        }
    }
}
