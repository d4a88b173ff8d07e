//! An encoder's sizes, from config.json and the files of sentence-transformers beside it.

use std::path::Path;

use serde_json::Value;

use super::hugging_face::Fields;
use super::{ConfigError, MAX_HEADS, MAX_LAYERS, MAX_SIZE};

/// What a text's token states become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pooling {
    /// Their mean.
    Mean,
    /// The first token's.
    First,
}

/// Every size and option of a BERT encoder and of its pooling.
#[derive(Debug, Clone)]
pub struct EncoderConfig {
    pub(crate) vocabulary_size: usize,
    pub(crate) hidden_size: usize,
    pub(crate) intermediate_size: usize,
    pub(crate) layer_count: usize,
    pub(crate) head_count: usize,
    /// Rows of the table of positions.
    pub(crate) max_positions: usize,
    /// Tokens that a text is truncated to, its frame included.
    pub(crate) max_tokens: usize,
    /// Rows of the table of token types, of which a text of its own uses the first.
    pub(crate) token_types: usize,
    pub(crate) norm_epsilon: f32,
    pub(crate) pooling: Pooling,
    /// Whether embeddings have length 1.
    pub(crate) normalized: bool,
}

impl EncoderConfig {
    /// Whether config.json describes such an encoder.
    pub(crate) fn is_described_by(json: &[u8]) -> bool {
        serde_json::from_slice::<Value>(json).is_ok_and(|config| config["model_type"] == "bert")
    }

    /// Resolves a config.json, and what sentence-transformers' `modules.json`, `sentence_bert_config.json` and the pooling's `config.json` say
    /// (`beside`: the bytes of a file of the folder, or none). Without these, embeddings are means that are not normalized, as
    /// sentence-transformers has it.
    ///
    /// # Errors
    /// As [`from_hugging_face`](super::from_hugging_face).
    pub(crate) fn from_hugging_face(
        path: &Path,
        json: &[u8],
        beside: impl Fn(&str) -> Option<Vec<u8>>,
    ) -> Result<Self, ConfigError> {
        let object = object(path, json)?;
        let fields = Fields::new(path, &object);
        fields.require_absent("quantization_config", "unquantized weights (F32, F16, BF16)")?;
        for (field, supported) in [("hidden_act", "gelu"), ("position_embedding_type", "absolute")] {
            if fields.text(field)?.is_some_and(|found| found != supported) {
                return Err(fields.unsupported(field, supported));
            }
        }
        let size = |field: &str, default, largest| Ok::<_, ConfigError>(fields.size(field, largest)?.unwrap_or(default));
        let (hidden_size, head_count) = (size("hidden_size", 768, MAX_SIZE)?, size("num_attention_heads", 12, MAX_HEADS)?);
        if !hidden_size.is_multiple_of(head_count) {
            return Err(fields.inconsistent(format!("{hidden_size} numbers are not a multiple of {head_count} heads")));
        }
        let max_positions = size("max_position_embeddings", 512, MAX_SIZE)?;
        let mut config = Self {
            vocabulary_size: size("vocab_size", 30522, MAX_SIZE)?,
            hidden_size,
            intermediate_size: size("intermediate_size", 3072, MAX_SIZE)?,
            layer_count: size("num_hidden_layers", 12, MAX_LAYERS)?,
            head_count,
            max_positions,
            max_tokens: max_positions,
            token_types: size("type_vocab_size", 2, MAX_SIZE)?,
            norm_epsilon: fields.positive("layer_norm_eps")?.unwrap_or(1e-12) as f32,
            pooling: Pooling::Mean,
            normalized: false,
        };
        config.read_modules(path, beside)?;
        Ok(config)
    }

    fn read_modules(&mut self, path: &Path, beside: impl Fn(&str) -> Option<Vec<u8>>) -> Result<(), ConfigError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        if let Some(bytes) = beside("sentence_bert_config.json") {
            let path = folder.join("sentence_bert_config.json");
            let object = object(&path, &bytes)?;
            let most = Fields::new(&path, &object).size("max_seq_length", MAX_SIZE)?;
            self.max_tokens = most.map_or(self.max_tokens, |most| most.min(self.max_positions));
        }
        let Some(bytes) = beside("modules.json") else { return Ok(()) };
        let path = folder.join("modules.json");
        let modules: Vec<serde_json::Map<String, Value>> =
            serde_json::from_slice(&bytes).map_err(|source| ConfigError::Json { path: path.clone(), source })?;
        for module in &modules {
            let fields = Fields::new(&path, module);
            let kind = fields.text("type")?.ok_or_else(|| fields.missing("type"))?;
            match kind.rsplit('.').next() {
                Some("Transformer") => {}
                Some("Normalize") => self.normalized = true,
                Some("Pooling") => {
                    let name = format!("{}/config.json", fields.text("path")?.unwrap_or("1_Pooling"));
                    self.read_pooling(&folder.join(&name), &beside(&name).ok_or_else(|| fields.missing("path"))?)?;
                }
                _ => return Err(fields.unsupported("type", "Transformer, Pooling and Normalize")),
            }
        }
        Ok(())
    }

    fn read_pooling(&mut self, path: &Path, json: &[u8]) -> Result<(), ConfigError> {
        let object = object(path, json)?;
        let fields = Fields::new(path, &object);
        for field in object.keys().filter(|field| field.starts_with("pooling_mode_")) {
            let is_on = fields.boolean(field)? == Some(true);
            match field.as_str() {
                "pooling_mode_cls_token" if is_on => self.pooling = Pooling::First,
                "pooling_mode_cls_token" | "pooling_mode_mean_tokens" => {}
                _ if is_on => return Err(fields.unsupported(field, "false: the mean of the tokens, or the first")),
                _ => {}
            }
        }
        Ok(())
    }

    /// D: numbers of an embedding.
    pub fn hidden_size(&self) -> usize {
        self.hidden_size
    }

    /// Layers.
    pub fn layer_count(&self) -> usize {
        self.layer_count
    }

    /// Tokens that a text is truncated to, its frame included.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// Every tensor by its name in a BERT checkpoint, and its shape.
    pub(crate) fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let (hidden, inner) = (self.hidden_size, self.intermediate_size);
        let mut tensors = vec![
            (String::from("embeddings.word_embeddings.weight"), vec![self.vocabulary_size, hidden]),
            (String::from("embeddings.position_embeddings.weight"), vec![self.max_positions, hidden]),
            (String::from("embeddings.token_type_embeddings.weight"), vec![self.token_types, hidden]),
        ];
        let mut linear = |module: String, shape: Vec<usize>| {
            tensors.push((format!("{module}.bias"), vec![shape[0]]));
            tensors.push((format!("{module}.weight"), shape));
        };
        linear(String::from("embeddings.LayerNorm"), vec![hidden]);
        for layer in 0..self.layer_count {
            let mut module = |name: &str, shape| linear(format!("encoder.layer.{layer}.{name}"), shape);
            ["query", "key", "value"].iter().for_each(|name| module(&format!("attention.self.{name}"), vec![hidden; 2]));
            module("attention.output.dense", vec![hidden; 2]);
            module("attention.output.LayerNorm", vec![hidden]);
            module("intermediate.dense", vec![inner, hidden]);
            module("output.dense", vec![hidden, inner]);
            module("output.LayerNorm", vec![hidden]);
        }
        tensors
    }
}

fn object(path: &Path, json: &[u8]) -> Result<serde_json::Map<String, Value>, ConfigError> {
    serde_json::from_slice(json).map_err(|source| ConfigError::Json { path: path.to_owned(), source })
}
