//! What a frozen model makes of texts.

use crate::base_model::BaseModel;
use crate::error::Error;
use crate::prompt::{EncodedText, Prompt, PromptEncoder, PromptError};
use crate::regression::DenseRow;
use lincah_model::sha256;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Which of a frozen model's states are features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum States {
    /// An encoder's embedding.
    Embedding,
    /// A decoder's residual stream behind so many blocks, as a mean over the text's tokens.
    Layer(usize),
}

impl std::fmt::Display for States {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Self::Embedding => formatter.write_str("embeddings"),
            Self::Layer(layer) => write!(formatter, "layer {layer}"),
        }
    }
}

/// What a frozen model reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// The text alone, within what the model's makers put around every text.
    Text,
    /// The text in the prompt, so that its states are about the labels.
    Prompt,
}

/// Bytes of states that are remembered of a model.
const MOST_BYTES: usize = 512 << 20;

/// What a frozen model made of texts, by their tokens.
#[derive(Debug, Default)]
pub(crate) struct StateMemory(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    rows: HashMap<Read, Vec<f32>>,
    bytes: usize,
}

/// SHA-256 of a text's tokens and of how many of them do not count, and the states that were read.
type Read = (String, States);

impl StateMemory {
    fn key(tokens: &[u32], first: usize) -> String {
        let numbers = std::iter::once(first as u64).chain(tokens.iter().map(|&token| u64::from(token)));
        sha256::of_bytes(numbers.flat_map(u64::to_le_bytes).collect::<Vec<u8>>())
    }

    /// All of the states of each text, where all are remembered.
    fn recall(&self, keys: &[String], states: &[States]) -> Vec<Option<Vec<Vec<f32>>>> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let row = |key: &String, states: &States| remembered.rows.get(&(key.clone(), *states)).cloned();
        keys.iter().map(|key| states.iter().map(|states| row(key, states)).collect()).collect()
    }

    fn remember(&self, key: &str, states: &[States], rows: &[Vec<f32>]) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (states, row) in states.iter().zip(rows) {
            let bytes = size_of_val(row.as_slice()) + key.len();
            if remembered.bytes + bytes <= MOST_BYTES && remembered.rows.insert((key.to_owned(), *states), row.clone()).is_none()
            {
                remembered.bytes += bytes;
            }
        }
    }
}

/// Reads texts with one frozen model.
pub(crate) struct StateReader<'a> {
    base: &'a BaseModel,
    states: Vec<States>,
    /// Tokens before the first that counts.
    first: usize,
}

/// Turns texts into a frozen model's tokens: in the prompt where the model is a decoder and the prompt leaves room for texts, else alone.
pub(crate) fn text_encoder<'b>(
    base: &'b BaseModel,
    prompt: &Prompt,
    max_tokens: usize,
    reading: Reading,
) -> Result<PromptEncoder<'b>, PromptError> {
    let most = base.encoder().map_or(max_tokens, |encoder| max_tokens.min(encoder.config().max_tokens()));
    match reading {
        Reading::Prompt => PromptEncoder::around_text(base.tokenizer(), prompt, most),
        Reading::Text => PromptEncoder::text_alone(base.tokenizer(), prompt.white_space(), most),
    }
}

impl Reading {
    /// How a model is to read texts: in the prompt where it is a decoder and the prompt takes less than half of the room.
    pub(crate) fn of(base: &BaseModel, prompt: &Prompt, max_tokens: usize) -> Self {
        let fits = || PromptEncoder::around_text(base.tokenizer(), prompt, max_tokens / 2).is_ok();
        if base.encoder().is_none() && fits() { Self::Prompt } else { Self::Text }
    }
}

impl<'a> StateReader<'a> {
    pub(crate) fn new(base: &'a BaseModel, states: Vec<States>, encoder: &PromptEncoder) -> Result<Self, PromptError> {
        Ok(Self { base, states, first: encoder.tokens_before_text()? })
    }

    /// The states of each text. # Shapes: result `[texts][states][D]`.
    pub(crate) fn read(&self, texts: &[&EncodedText]) -> Result<Vec<Vec<DenseRow>>, Error> {
        let tokens: Vec<&[u32]> = texts.iter().map(|text| text.prompts[0].as_slice()).collect();
        let rows = match self.base.state_memory() {
            Some(memory) => self.recalled(memory, &tokens)?,
            None => self.computed(&tokens)?,
        };
        let wide = |row: Vec<f32>| row.into_iter().map(f64::from).collect();
        Ok(rows.into_iter().map(|states| states.into_iter().map(wide).collect()).collect())
    }

    /// What is remembered, and computed of the other texts.
    fn recalled(&self, memory: &StateMemory, tokens: &[&[u32]]) -> Result<Vec<Vec<Vec<f32>>>, Error> {
        let keys: Vec<String> = tokens.iter().map(|tokens| StateMemory::key(tokens, self.first)).collect();
        let found = memory.recall(&keys, &self.states);
        let new: Vec<usize> = (0..tokens.len()).filter(|&text| found[text].is_none()).collect();
        let computed = self.computed(&new.iter().map(|&text| tokens[text]).collect::<Vec<_>>())?;
        new.iter().zip(&computed).for_each(|(&text, rows)| memory.remember(&keys[text], &self.states, rows));
        let mut computed = computed.into_iter();
        Ok(found.into_iter().map(|rows| rows.unwrap_or_else(|| computed.next().unwrap_or_default())).collect())
    }

    fn computed(&self, tokens: &[&[u32]]) -> Result<Vec<Vec<Vec<f32>>>, Error> {
        if tokens.is_empty() {
            return Ok(Vec::new());
        }
        let layers = |states: &States| match states {
            States::Layer(layer) => *layer,
            States::Embedding => 0,
        };
        let (rows, width) = match self.base.encoder() {
            Some(encoder) => (encoder.embed(tokens)?, encoder.config().hidden_size()),
            None => {
                let layers: Vec<usize> = self.states.iter().map(layers).collect();
                let rows = self.base.language_model()?.pooled_states(tokens, self.first, &layers)?;
                (rows, self.base.sizes().hidden_size)
            }
        };
        let rows = rows.chunks_exact(self.states.len() * width);
        Ok(rows.map(|text| text.chunks_exact(width).map(<[f32]>::to_vec).collect()).collect())
    }
}
