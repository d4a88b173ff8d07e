//! Any bytes as tokenizer.json: a tokenizer whose ids are in its vocabulary, or an error, in little time.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use lincah::tokenizer::Tokenizer;

fuzz_target!(|bytes: &[u8]| {
    let Ok(tokenizer) = Tokenizer::from_json(Path::new("fuzzed.json"), bytes) else { return };
    let Ok(ids) = tokenizer.encode("A text, é <eos> 12\n") else { return };
    assert!(ids.iter().all(|&id| tokenizer.token(id).is_some()));
    let _ = tokenizer.decode(&ids);
});
