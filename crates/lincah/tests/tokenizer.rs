//! Texts to ids and back: tiny vocabularies of each kind, the real ones against golden ids.

mod tiny;

use std::path::Path;

use lincah::tokenizer::{Tokenizer, TokenizerError, TokenizerKind, TokenizerTables};
use lincah_model::gguf::GgufFile;
use proptest::prelude::*;
use tiny::{byte_level_tables, sentencepiece_tables, spelled};

fn byte_level() -> Tokenizer {
    byte_level_tables("smollm").build().unwrap()
}

fn sentencepiece() -> Tokenizer {
    sentencepiece_tables(false).build().unwrap()
}

#[test]
fn byte_level_merges_within_words() {
    let tokenizer = byte_level();
    assert_eq!(spelled(&tokenizer, ""), [""; 0]);
    // ` ab` merges to one piece, but in ` abc` the merge of `ab` and `c` is earlier.
    assert_eq!(spelled(&tokenizer, "abc abcde ab"), ["abc", "Ġ", "abc", "de", "Ġab"]);
    assert_eq!(spelled(&tokenizer, "é\n"), ["Ã©", "Ċ"]);
    // Digits stand apart although there are merges for them.
    assert_eq!(spelled(&tokenizer, "123 1"), ["1", "2", "3", "Ġ", "1"]);
    assert_eq!(spelled(&byte_level_tables("gpt-2").build().unwrap(), "123 1"), ["123", "Ġ", "1"]);
}

#[test]
fn each_pre_tokenizer_cuts_its_own_way() {
    let cut = |pre: &str, text: &str| spelled(&byte_level_tables(pre).build().unwrap(), text);
    assert_eq!(cut("qwen2", "123"), ["1", "2", "3"]);
    assert_eq!(cut("llama-bpe", "123123"), ["123", "123"]);
    // Composed first, as the model's own tokenizer does; the others leave the combining mark.
    assert_eq!(cut("qwen2", "e\u{301}"), ["Ã©"]);
    assert_eq!(cut("llama-bpe", "e\u{301}"), ["e", "Ì", "ģ"]);
    let error = byte_level_tables("martian").build().unwrap_err();
    assert!(
        error.to_string().starts_with("pre-tokenizer `martian` (tokenizer.ggml.pre) is not supported; these are: gpt-2"),
        "{error}"
    );
}

#[test]
fn sentencepiece_merges_by_score_and_falls_back_to_bytes() {
    let tokenizer = sentencepiece();
    assert_eq!(spelled(&tokenizer, "abc abc"), ["abc", "▁abc"]);
    assert_eq!(spelled(&tokenizer, "éx"), ["é", "<0x78>"]);
    assert_eq!(spelled(&tokenizer, "中"), ["<0xE4>", "<0xB8>", "<0xAD>"]);
    // Runs of spaces come before all other merges; line breaks and mark-up are taken out whole, the longest first.
    assert_eq!(spelled(&tokenizer, "a   ab  a"), ["a", "▁▁▁", "ab", "▁▁", "a"]);
    assert_eq!(spelled(&tokenizer, "a\n\n\n<b>b"), ["a", "\n\n", "\n", "<b>", "b"]);
}

#[test]
fn the_space_prefix_is_a_setting() {
    let with = sentencepiece_tables(true).build().unwrap();
    assert_eq!(spelled(&with, "abc a"), ["▁abc", "▁a"]);
    assert_eq!(spelled(&with, " a"), ["▁▁", "a"]);
    assert_eq!(spelled(&with, ""), [""; 0]);
    assert_eq!(with.decode(&with.encode("abc a").unwrap()).unwrap(), "abc a");
    assert_ne!(with.fingerprint(), sentencepiece().fingerprint());
}

#[test]
fn control_pieces_in_a_text_are_plain_text() {
    let tokenizer = byte_level();
    assert_eq!(tokenizer.encode("<tool>").unwrap(), [3]);
    assert_eq!(spelled(&tokenizer, "<|end|>"), ["<|", "e", "n", "d", "|", ">"]);
    // `abcd` is control here: not even a vocabulary that keeps whole words may give it.
    let whole_words = byte_level_tables("llama-bpe").build().unwrap();
    assert_eq!(spelled(&whole_words, "abcd"), ["abc", "d"]);
    assert_eq!((whole_words.id("abcd"), whole_words.token(2), whole_words.is_control(2)), (Some(2), Some("abcd"), true));

    // Merges lead from `<eos` to `<eos>`, which is control, and no further than `<eos`.
    let tokenizer = sentencepiece();
    assert_eq!(spelled(&tokenizer, "<eos>"), ["<eos", ">"]);
    assert_eq!(spelled(&tokenizer, "<0x41>")[0], "<");
    assert_eq!((tokenizer.id("<eos>"), tokenizer.end_of_text(), tokenizer.begin_of_text()), (Some(1), Some(1), Some(2)));
}

#[test]
fn ids_decode_to_what_they_spell() {
    let tokenizer = sentencepiece();
    assert_eq!(tokenizer.decode(&[2, tokenizer.id("▁ab").unwrap(), 1]).unwrap(), "<bos> ab<eos>");
    let error = tokenizer.decode(&[9999]).unwrap_err();
    assert_eq!(error.to_string(), format!("token id 9999 is not in the vocabulary of {}", tokenizer.vocabulary_size()));
    assert_eq!(byte_level().decode(&[0, 1]).unwrap(), "<|begin|><|end|>");
}

#[test]
fn the_fingerprint_is_that_of_the_tables() {
    let change = |change: fn(&mut TokenizerTables)| {
        let mut tables = byte_level_tables("smollm");
        change(&mut tables);
        tables.build().unwrap().fingerprint().to_owned()
    };
    let same = change(|_| ());
    assert_eq!((same.len(), &same), (64, &change(|_| ())));
    assert_eq!(same, byte_level().fingerprint());
    let others = [
        change(|tables| tables.merges.swap(0, 6)),
        change(|tables| tables.pieces.swap(300 - 290, 11)),
        change(|tables| tables.pre = "gpt-2".to_owned()),
        change(|tables| tables.end_of_text = Some(2)),
        change(|tables| tables.types[3] = lincah::tokenizer::PieceType::Normal),
    ];
    for (index, other) in others.iter().enumerate() {
        assert_ne!(*other, same, "change {index}");
    }
}

#[test]
fn damaged_tables_are_refused() {
    let refuse = |mut tables: TokenizerTables, change: fn(&mut TokenizerTables)| {
        change(&mut tables);
        tables.build().unwrap_err()
    };
    let bytes = || byte_level_tables("smollm");
    let error = refuse(bytes(), |tables| tables.types.truncate(5));
    assert_eq!(error.to_string(), "`tokenizer.ggml.token_type` has 5 entries for 274 pieces; the file is damaged");
    let error = refuse(sentencepiece_tables(false), |tables| tables.scores.truncate(7));
    assert!(matches!(error, TokenizerError::TableLength { key: "tokenizer.ggml.scores", found: 7, .. }), "{error}");
    let error = refuse(bytes(), |tables| tables.merges[1] = "abc".to_owned());
    assert_eq!(error.to_string(), "merge 1 is `abc`, expected two pieces with one space between them");
    let error = refuse(bytes(), |tables| tables.merges.push("a z".to_owned()));
    assert!(matches!(error, TokenizerError::Build { .. }), "{error}");
    let error = refuse(bytes(), |tables| tables.end_of_text = Some(4000));
    assert!(matches!(error, TokenizerError::RoleOutOfRange { role: "tokenizer.ggml.eos_token_id", id: 4000, .. }), "{error}");
    let error = refuse(bytes(), |tables| {
        tables.pieces.clear();
        tables.types.clear();
    });
    assert!(matches!(error, TokenizerError::EmptyVocabulary), "{error}");
}

#[test]
fn a_batch_is_encoded_in_order() {
    let tokenizer = sentencepiece();
    let texts: Vec<String> = (0..200).map(|index| "abc ".repeat(index % 7) + &"d".repeat(index)).collect();
    let one_by_one: Vec<_> = texts.iter().map(|text| tokenizer.encode(text).unwrap()).collect();
    assert_eq!(tokenizer.encode_batch(&texts).unwrap(), one_by_one);
}

proptest! {
    #[test]
    fn any_text_comes_back_and_no_control_id_comes_out(text in r"[a-e<>|eos 0-9\n\r\t\PC]{0,60}") {
        let spaced = sentencepiece_tables(true).build().unwrap();
        for tokenizer in [byte_level(), sentencepiece(), spaced] {
            let ids = tokenizer.encode(&text).unwrap();
            prop_assert!(ids.iter().all(|&id| !tokenizer.is_control(id)));
            // A mark typed by hand can't be told from a space afterwards.
            if !text.contains('▁') {
                prop_assert_eq!(tokenizer.decode(&ids).unwrap(), text.clone());
            }
        }
    }
}

/// A GGUF file without tensors, of the metadata that `entries` lists.
fn gguf(entries: &[(&str, Value<'_>)]) -> Vec<u8> {
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(3u32.to_le_bytes());
    bytes.extend(0u64.to_le_bytes());
    bytes.extend((entries.len() as u64).to_le_bytes());
    for (key, value) in entries {
        text(&mut bytes, key);
        match value {
            Value::Text(value) => {
                bytes.extend(8u32.to_le_bytes());
                text(&mut bytes, value);
            }
            Value::Bool(value) => {
                bytes.extend(7u32.to_le_bytes());
                bytes.push(u8::from(*value));
            }
            Value::U32(value) => bytes.extend([4u32.to_le_bytes(), value.to_le_bytes()].concat()),
            Value::Texts(values) => {
                array(&mut bytes, 8, values.len());
                values.iter().for_each(|value| text(&mut bytes, value));
            }
            Value::I32s(values) => {
                array(&mut bytes, 5, values.len());
                bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            }
            Value::F32s(values) => {
                array(&mut bytes, 6, values.len());
                bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            }
        }
    }
    bytes
}

enum Value<'a> {
    Text(&'a str),
    Bool(bool),
    U32(u32),
    Texts(&'a [String]),
    I32s(Vec<i32>),
    F32s(&'a [f32]),
}

fn text(bytes: &mut Vec<u8>, value: &str) {
    bytes.extend((value.len() as u64).to_le_bytes());
    bytes.extend(value.as_bytes());
}

fn array(bytes: &mut Vec<u8>, element: u32, count: usize) {
    bytes.extend([9u32.to_le_bytes(), element.to_le_bytes()].concat());
    bytes.extend((count as u64).to_le_bytes());
}

/// The metadata entries of tables, as converters write them.
fn entries(tables: &TokenizerTables) -> Vec<(&'static str, Value<'_>)> {
    let model = if tables.kind == TokenizerKind::ByteLevel { "gpt2" } else { "llama" };
    let mut entries = vec![
        ("tokenizer.ggml.model", Value::Text(model)),
        ("tokenizer.ggml.tokens", Value::Texts(&tables.pieces)),
        ("tokenizer.ggml.token_type", Value::I32s(tables.types.iter().map(|&kind| kind as i32).collect())),
        ("tokenizer.ggml.bos_token_id", Value::U32(tables.begin_of_text.unwrap())),
        ("tokenizer.ggml.eos_token_id", Value::U32(tables.end_of_text.unwrap())),
        ("tokenizer.ggml.add_bos_token", Value::Bool(tables.adds_begin_of_text)),
        ("tokenizer.ggml.add_space_prefix", Value::Bool(tables.space_prefix)),
    ];
    if let Some(unknown) = tables.unknown {
        entries.push(("tokenizer.ggml.unknown_token_id", Value::U32(unknown)));
    }
    match tables.kind {
        TokenizerKind::ByteLevel => entries
            .extend([("tokenizer.ggml.pre", Value::Text(&tables.pre)), ("tokenizer.ggml.merges", Value::Texts(&tables.merges))]),
        TokenizerKind::SentencePiece => entries.push(("tokenizer.ggml.scores", Value::F32s(&tables.scores))),
    }
    entries
}

fn from_gguf(entries: &[(&str, Value<'_>)]) -> Result<Tokenizer, TokenizerError> {
    Tokenizer::from_gguf(&GgufFile::from_bytes(Path::new("tiny.gguf"), gguf(entries)).unwrap())
}

#[test]
fn a_gguf_file_gives_the_tokenizer_of_its_tables() {
    for tables in [byte_level_tables("smollm"), sentencepiece_tables(false), sentencepiece_tables(true)] {
        let tokenizer = from_gguf(&entries(&tables)).unwrap();
        let begins = (tables.adds_begin_of_text, tables.begin_of_text, tables.end_of_text);
        assert_eq!((tokenizer.adds_begin_of_text(), tokenizer.begin_of_text(), tokenizer.end_of_text()), begins);
        assert_eq!(tokenizer.fingerprint(), tables.build().unwrap().fingerprint());
    }
}

#[test]
fn an_end_of_turn_ends_too_and_leaves_the_fingerprint_alone() {
    let tables = byte_level_tables("smollm");
    let (before, mut entries) = (from_gguf(&entries(&tables)).unwrap(), entries(&tables));
    entries.push(("tokenizer.ggml.eot_token_id", Value::U32(2)));
    let tokenizer = from_gguf(&entries).unwrap();
    assert_eq!((before.ends(), tokenizer.ends()), (&[1][..], &[1, 2][..]));
    assert_eq!(before.fingerprint(), tokenizer.fingerprint());
    entries.last_mut().unwrap().1 = Value::U32(5000);
    assert!(from_gguf(&entries).is_err());
}

/// What a stream gives for each id.
fn streamed(tokenizer: &Tokenizer, ids: &[u32]) -> Vec<String> {
    let mut stream = tokenizer.text_stream();
    ids.iter().map(|&id| stream.push(id).unwrap()).collect()
}

#[test]
fn a_stream_holds_a_character_back_until_it_is_whole() {
    for tokenizer in [byte_level(), sentencepiece()] {
        let ids = tokenizer.encode("a 中🙂 ab").unwrap();
        let texts = streamed(&tokenizer, &ids);
        assert_eq!(texts.concat(), "a 中🙂 ab");
        assert!(texts.iter().filter(|text| text.is_empty()).count() >= 2 + 3, "{texts:?}");
        // Control pieces are not shown, and a character that never becomes whole is not either.
        let control = tokenizer.end_of_text().unwrap();
        assert_eq!(streamed(&tokenizer, &[&[control], &ids[..1], &[control], &ids[2..4]].concat()).concat(), "a");
    }
}

#[test]
fn a_stream_goes_on_behind_bytes_that_are_no_text() {
    let tokenizer = sentencepiece();
    let bytes = |bytes: &[u8]| bytes.iter().map(|byte| tokenizer.id(&format!("<0x{byte:02X}>")).unwrap()).collect::<Vec<_>>();
    let smile = bytes("🙂".as_bytes());
    let rest = [bytes(&[0xFF]), tokenizer.encode("ab").unwrap()].concat();
    let text = streamed(&tokenizer, &[smile, rest].concat()).concat();
    assert!(text.starts_with('🙂') && text.ends_with("ab"), "{text}");
}

proptest! {
    #[test]
    fn a_stream_gives_every_text_back(text in "[a-e é中🙂<>1\n]{0,30}") {
        for tokenizer in [byte_level(), sentencepiece()] {
            prop_assert_eq!(streamed(&tokenizer, &tokenizer.encode(&text).unwrap()).concat(), &text[..]);
        }
    }

    #[test]
    fn a_stream_takes_any_ids(ids in prop::collection::vec(0u32..400, 0..40)) {
        for tokenizer in [byte_level(), sentencepiece()] {
            streamed(&tokenizer, &ids);
        }
    }
}

#[test]
fn absent_settings_are_those_of_the_kind() {
    let tables = sentencepiece_tables(true);
    let mut entries = entries(&tables);
    entries.retain(|(key, _)| !key.contains(".add_") && !key.ends_with("eos_token_id"));
    let tokenizer = from_gguf(&entries).unwrap();
    assert!(tokenizer.adds_begin_of_text());
    assert_eq!((tokenizer.end_of_text(), spelled(&tokenizer, "a")), (None, vec!["▁a".to_owned()]));
}

#[test]
fn a_gguf_file_without_what_is_needed_is_refused() {
    let tables = byte_level_tables("smollm");
    for key in ["model", "pre", "tokens", "token_type", "merges"] {
        let mut entries = entries(&tables);
        entries.retain(|(name, _)| *name != format!("tokenizer.ggml.{key}"));
        let error = from_gguf(&entries).unwrap_err().to_string();
        assert!(error.contains(&format!("tokenizer.ggml.{key}")) && error.contains("tiny.gguf"), "{error}");
    }
    let mut other = entries(&tables);
    other[0].1 = Value::Text("t5");
    let error = from_gguf(&other).unwrap_err().to_string();
    assert!(error.starts_with("tokenizer kind `t5` is not supported"), "{error}");
    let mut other = entries(&tables);
    other[2].1 = Value::I32s(vec![7; tables.pieces.len()]);
    let error = from_gguf(&other).unwrap_err().to_string();
    assert_eq!(error, "piece 0 has type 7, expected 1 to 6; the file is damaged");
    let broken = TokenizerTables { pre: "martian".to_owned(), ..byte_level_tables("smollm") };
    let error = from_gguf(&entries(&broken)).unwrap_err();
    assert_eq!(error.to_string(), "the tokenizer of tiny.gguf can't be used");
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("`martian`"));
}

fn golden<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tokenizers").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn matches_golden(tokenizer: &Tokenizer, name: &str) {
    let texts: Vec<String> = golden("texts.json");
    let expected: Vec<Vec<u32>> = golden(name);
    assert!(texts.len() >= 200 && texts.len() == expected.len());
    let spell = |ids: &[u32]| ids.iter().map(|&id| tokenizer.token(id).unwrap_or("?").to_owned()).collect::<Vec<_>>();
    for ((text, expected), ids) in texts.iter().zip(&expected).zip(tokenizer.encode_batch(&texts).unwrap()) {
        assert_eq!(&ids, expected, "{text:?}: {:?}, expected {:?}", spell(&ids), spell(expected));
        assert!(ids.iter().all(|&id| !tokenizer.is_control(id)), "{text:?}");
    }
}

#[test]
#[ignore = "needs SmolLM2-135M in the model cache"]
fn smollm2_gives_the_golden_ids() {
    let tokenizer = tiny::smollm2();
    assert_eq!((tokenizer.vocabulary_size(), tokenizer.begin_of_text(), tokenizer.end_of_text()), (49152, Some(1), Some(2)));
    assert!(!tokenizer.adds_begin_of_text());
    assert_eq!(tokenizer.id("<|im_end|>"), Some(2));
    matches_golden(&tokenizer, "smollm2-135m.json");
}

#[test]
#[ignore = "needs Gemma 3 270M in the model cache"]
fn gemma_gives_the_golden_ids() {
    let tokenizer = tiny::gemma();
    assert_eq!((tokenizer.vocabulary_size(), tokenizer.begin_of_text(), tokenizer.end_of_text()), (262144, Some(2), Some(1)));
    assert!(tokenizer.adds_begin_of_text());
    assert_eq!((tokenizer.id("<start_of_turn>"), tokenizer.token(138)), (Some(105), Some("▁▁")));
    matches_golden(&tokenizer, "gemma-3-270m.json");
}
