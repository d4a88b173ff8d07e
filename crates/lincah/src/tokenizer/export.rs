//! A tokenizer in Hugging Face's files, such that transformers makes the same ids of a prompt.

use super::{Tokenizer, TokenizerError, TokenizerTables};
use lincah_model::gguf::GgufFile;
use lincah_model::regular_file;
use lincah_model::weights::TokenizerSource;
use serde_json::{Map, Value, json};

/// Pieces that fill batches, by the names that vocabularies have for them.
const PADDINGS: [&str; 4] = ["<pad>", "[PAD]", "<|finetune_right_pad_id|>", "<|pad|>"];

impl Tokenizer {
    /// The id that fills batches: the vocabulary's own, or else the end of text.
    pub(crate) fn padding(&self) -> Option<u32> {
        PADDINGS.iter().find_map(|piece| self.id(piece)).or(self.end_of_text)
    }

    /// The texts of `tokenizer.json` and `tokenizer_config.json`. Begin of text is put in front of every text if `adds_begin_of_text` says so;
    /// `source` is what this was read from.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) fn files(&self, source: &TokenizerSource, adds_begin_of_text: bool) -> Result<[String; 2], TokenizerError> {
        let mut json = match source {
            TokenizerSource::File(path) => {
                let read = regular_file::read(path, super::folder::LARGEST_FILE);
                let bytes = read.map_err(|source| TokenizerError::Read { path: path.to_owned(), source })?;
                serde_json::from_slice(&bytes).map_err(|source| TokenizerError::Json { path: path.to_owned(), source })?
            }
            TokenizerSource::Gguf(file) => self.written(file)?,
        };
        let begin = self.begin_of_text.filter(|_| adds_begin_of_text).and_then(|id| Some((id, self.token(id)?)));
        json["post_processor"] = begin.map_or(Value::Null, |(id, piece)| {
            let special = json!({"SpecialToken": {"id": piece, "type_id": 0}});
            let text = |name: &str| json!({"Sequence": {"id": name, "type_id": 0}});
            json!({
                "type": "TemplateProcessing", "single": [special, text("A")], "pair": [special, text("A"), text("B")],
                "special_tokens": {piece: {"id": piece, "ids": [id], "tokens": [piece]}},
            })
        });
        json["truncation"] = Value::Null;
        json["padding"] = Value::Null;
        let named = |id: Option<u32>| id.and_then(|id| self.token(id));
        let config = json!({
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": named(self.begin_of_text),
            "eos_token": named(self.end_of_text),
            "pad_token": named(self.padding()),
            "clean_up_tokenization_spaces": false,
        });
        let pretty = serde_json::to_string_pretty(&config).expect("a JSON value serializes") + "\n";
        Ok([json.to_string(), pretty])
    }

    /// The tokenizer of a GGUF file, with its control pieces as special ones.
    fn written(&self, file: &GgufFile) -> Result<Value, TokenizerError> {
        let rules = TokenizerTables::from_gguf(file)?.written_rules()?;
        let text = rules.to_string(false).map_err(|source| TokenizerError::Build { source })?;
        let mut json: Value = serde_json::from_str(&text).expect("the library writes JSON");
        for token in json["added_tokens"].as_array_mut().into_iter().flatten() {
            let id = token["id"].as_u64().and_then(|id| u32::try_from(id).ok());
            token["special"] = id.is_some_and(|id| self.is_control(id)).into();
        }
        if self.space_prefix {
            let before = json["normalizer"].take();
            let prefix = json!({"type": "Prepend", "prepend": " "});
            let all: Vec<Value> =
                std::iter::once(prefix).chain(Some(before).filter(|normalizer| !normalizer.is_null())).collect();
            json["normalizer"] = Value::Object(Map::from_iter([
                (String::from("type"), Value::from("Sequence")),
                (String::from("normalizers"), Value::Array(all)),
            ]));
        }
        Ok(json)
    }
}
