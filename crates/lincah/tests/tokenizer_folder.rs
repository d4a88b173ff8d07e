//! Hugging Face folders: `tokenizer.json` and the files beside it.

mod tiny;

use std::path::Path;

use lincah::tokenizer::{Tokenizer, TokenizerError};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;
use tiny::spelled;

/// A vocabulary in the form of Gemma's: spaces as marks, byte fallback, special and plain added pieces.
fn tokenizer_json() -> Value {
    let made = [["a", "b"], ["▁", "ab"], ["<", "eos"], ["e", "os"], ["o", "s"]];
    let mut pieces = vec!["<pad>".to_owned(), "<eos>".to_owned(), "<bos>".to_owned(), "<unk>".to_owned(), "\n".to_owned()];
    pieces.extend((0..=255).map(|byte| format!("<0x{byte:02X}>")));
    pieces.extend(["▁", "a", "b", "e", "o", "s", "<", ">"].map(str::to_owned));
    pieces.extend(made.map(|halves| halves.concat()));
    let vocabulary: serde_json::Map<_, _> = pieces.into_iter().enumerate().map(|(id, piece)| (piece, id.into())).collect();
    let added = |id: u32, content: &str, special: bool| json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": special});
    json!({
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
        "padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "<pad>"},
        "added_tokens": [added(0, "<pad>", true), added(1, "<eos>", true), added(2, "<bos>", true), added(3, "<unk>", true), added(4, "\n", false)],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": false},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<bos>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<bos>": {"id": "<bos>", "ids": [2], "tokens": ["<bos>"]}}
        },
        "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {
            "type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null, "end_of_word_suffix": null,
            "fuse_unk": true, "byte_fallback": true, "ignore_merges": false, "vocab": vocabulary, "merges": made
        }
    })
}

fn folder(files: &[(&str, Value)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content.to_string()).unwrap();
    }
    folder
}

fn load(files: &[(&str, Value)]) -> Result<Tokenizer, TokenizerError> {
    Tokenizer::from_folder(folder(files).path())
}

#[test]
fn nothing_is_added_cut_or_padded_and_control_pieces_are_text() {
    let tokenizer = load(&[("tokenizer.json", tokenizer_json())]).unwrap();
    assert_eq!(spelled(&tokenizer, "ab ab\nab ab ab"), ["ab", "▁ab", "\n", "ab", "▁ab", "▁ab"]);
    assert_eq!(spelled(&tokenizer, "é<eos>"), ["<0xC3>", "<0xA9>", "<eos", ">"]);
    assert_eq!(tokenizer.encode("").unwrap(), [0u32; 0]);
    assert!(tokenizer.is_control(1) && !tokenizer.is_control(4));
    assert_eq!((tokenizer.id("<eos>"), tokenizer.token(2)), (Some(1), Some("<bos>")));
    assert_eq!(tokenizer.decode(&tokenizer.encode("ab é\n ab").unwrap()).unwrap(), "ab é\n ab");
}

#[test]
fn begin_and_end_come_from_the_first_file_that_names_them() {
    let model = || ("tokenizer.json", tokenizer_json());
    let ids = |files: &[(&str, Value)]| {
        let tokenizer = load(files).unwrap();
        (tokenizer.begin_of_text(), tokenizer.end_of_text(), tokenizer.adds_begin_of_text())
    };
    assert_eq!(ids(&[model()]), (None, None, false));
    let config = ("config.json", json!({"bos_token_id": 2, "eos_token_id": [1, 3]}));
    assert_eq!(ids(&[model(), config.clone()]), (Some(2), Some(1), true));
    let nested = ("config.json", json!({"text_config": {"bos_token_id": 2, "eos_token_id": 1}}));
    assert_eq!(ids(&[model(), nested]), (Some(2), Some(1), true));
    let generation = ("generation_config.json", json!({"bos_token_id": 3, "eos_token_id": 0}));
    assert_eq!(ids(&[model(), config.clone(), generation.clone()]), (Some(3), Some(0), false));
    let named =
        ("tokenizer_config.json", json!({"bos_token": {"content": "<bos>"}, "eos_token": "<eos>", "add_bos_token": false}));
    assert_eq!(ids(&[model(), config, generation, named]), (Some(2), Some(1), false));
}

#[test]
fn every_named_end_ends() {
    let ends = |files: &[(&str, Value)]| {
        let model = ("tokenizer.json", tokenizer_json());
        load(&[&[model], files].concat()).unwrap().ends().to_vec()
    };
    assert_eq!(ends(&[]), [0u32; 0]);
    assert_eq!(ends(&[("config.json", json!({"text_config": {"eos_token_id": [1, 3]}}))]), [1, 3]);
    let config = ("config.json", json!({"eos_token_id": 2}));
    let generation = ("generation_config.json", json!({"eos_token_id": [3, 0, null]}));
    let named = ("tokenizer_config.json", json!({"eos_token": "<eos>"}));
    assert_eq!(ends(&[config, generation, named]), [0, 1, 2, 3]);
}

#[test]
fn the_fingerprint_follows_the_file() {
    let fingerprint = |content: Value| load(&[("tokenizer.json", content)]).unwrap().fingerprint().to_owned();
    assert_eq!(fingerprint(tokenizer_json()), fingerprint(tokenizer_json()));
    let mut other = tokenizer_json();
    other["model"]["merges"].as_array_mut().unwrap().pop();
    assert_ne!(fingerprint(tokenizer_json()), fingerprint(other));
}

#[test]
fn bad_folders_are_refused() {
    let message = |files: &[(&str, Value)]| load(files).unwrap_err().to_string();
    assert!(message(&[]).ends_with("tokenizer.json can't be read; a model folder needs a tokenizer.json"));
    assert!(message(&[("tokenizer.json", json!({"model": 1}))]).ends_with("tokenizer.json is no tokenizer that can be used"));
    let model = || ("tokenizer.json", tokenizer_json());
    let error = message(&[model(), ("tokenizer_config.json", json!({"bos_token": "<begin>"}))]);
    assert!(error.ends_with("names `<begin>` as bos_token, which is not in the vocabulary"), "{error}");
    let error = message(&[model(), ("config.json", json!({"eos_token_id": 5000}))]);
    assert_eq!(error, "`eos_token_id` is 5000, but the vocabulary has 274 pieces");
    let mut far = tokenizer_json();
    far["model"]["vocab"]["far"] = json!(4_000_000_000_u32);
    assert!(message(&[("tokenizer.json", far)]).contains("has a piece with id 4000000000, beyond the limit"));

    let broken = folder(&[model()]);
    std::fs::write(broken.path().join("config.json"), "{").unwrap();
    let error = Tokenizer::from_folder(broken.path()).unwrap_err();
    assert!(error.to_string().ends_with("config.json is no valid JSON"), "{error}");
    assert!(Tokenizer::from_folder(Path::new("no/such/folder")).is_err());
}

/// The error with its causes.
fn refusal(json: &[u8]) -> String {
    let refused = Tokenizer::from_json(Path::new("tokenizer.json"), json).unwrap_err();
    let mut error: &dyn std::error::Error = &refused;
    let mut message = error.to_string();
    while let Some(source) = error.source() {
        message = format!("{message}: {source}");
        error = source;
    }
    assert!(!message.contains('\n') && message.len() < 600, "{message}");
    message
}

#[test]
fn files_that_make_the_library_panic_are_errors() {
    let colon = tokenizer_json().to_string().replacen("\"decoder\":", "\"decoder\"", 1);
    assert!(refusal(colon.as_bytes()).contains("not a valid tokenizer.json"));
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut json = tokenizer_json();
        change(&mut json);
        refusal(json.to_string().as_bytes())
    };
    let caught = "the tokenizer library fails on it: ";
    assert!(changed(&|json| json["post_processor"]["single"][0]["SpecialToken"]["id"] = json!("<absent>")).contains(caught));
    assert!(changed(&|json| json["post_processor"]["special_tokens"] = json!({})).contains(caught));
    for (part, kind) in [("normalizer", "String"), ("pre_tokenizer", "Regex")] {
        assert!(changed(&|json| json[part]["pattern"] = json!({kind: ""})).contains("has an empty pattern"));
    }
    assert!(changed(&|json| json["decoder"]["decoders"][0]["pattern"] = json!({"String": ""})).contains("decoder"));
    for map in ["AAAA", "/////w==", ""] {
        let map = json!({"type": "Precompiled", "precompiled_charsmap": map});
        assert!(changed(&|json| json["normalizer"] = map.clone()).contains(caught));
    }
    changed(&|json| json["added_tokens"] = json!({}));
}

#[test]
fn pieces_that_would_take_minutes_and_dropout_are_refused() {
    let added = |content: &str| {
        let mut json = tokenizer_json();
        let mut piece = json["added_tokens"][4].clone();
        piece["content"] = json!(content);
        json["added_tokens"].as_array_mut().unwrap().push(piece);
        json.to_string()
    };
    let begun = std::time::Instant::now();
    let message = refusal(added(&"a".repeat(100_000)).as_bytes());
    assert!(message.contains("an added piece has 100000 bytes, beyond the limit of 1024"), "{message}");
    assert!(begun.elapsed().as_secs() < 2, "it is refused before the library sees it");
    assert!(Tokenizer::from_json(Path::new("tokenizer.json"), added(&"a".repeat(1000)).as_bytes()).is_ok());

    let mut json = tokenizer_json();
    json["model"]["dropout"] = json!(0.1);
    let message = refusal(json.to_string().as_bytes());
    assert!(message.contains("a BPE dropout of 0.1"), "{message}");
    json["model"]["dropout"] = json!(0.0);
    assert!(Tokenizer::from_json(Path::new("tokenizer.json"), json.to_string().as_bytes()).is_ok());
}

#[test]
#[cfg(unix)]
fn only_regular_files_are_read() {
    for name in ["tokenizer.json", "config.json", "tokenizer_config.json"] {
        let folder = folder(&[("tokenizer.json", tokenizer_json())]);
        let path = folder.path().join(name);
        let _ = std::fs::remove_file(&path);
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        assert!(matches!(Tokenizer::from_folder(folder.path()), Err(TokenizerError::Read { .. })), "{name}");
        std::fs::remove_file(&path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert!(matches!(Tokenizer::from_folder(folder.path()), Err(TokenizerError::Read { .. })), "{name}");
    }
}

proptest! {
    /// A byte of a good file changed, put in or left out: a tokenizer that encodes and decodes, or an error, never a panic.
    #[test]
    fn changed_files_give_a_tokenizer_or_an_error(place in 0.0..1.0_f64, byte: u8, how in 0..3) {
        let mut json = tokenizer_json().to_string().into_bytes();
        let place = (place * json.len() as f64) as usize;
        match how {
            0 => json[place] = byte,
            1 => json.insert(place, byte),
            _ => drop(json.remove(place)),
        }
        if let Ok(tokenizer) = Tokenizer::from_json(Path::new("tokenizer.json"), &json)
            && let Ok(ids) = tokenizer.encode("ab é <eos> ▁")
        {
            prop_assert!(ids.iter().all(|&id| tokenizer.token(id).is_some()));
            let _ = tokenizer.decode(&ids);
        }
    }
}
