//! What a frozen model makes of texts.

use crate::base_model::BaseModel;
use crate::error::Error;
use crate::prompt::{EncodedText, Prompt, PromptEncoder, PromptError};
use crate::regression::DenseRow;
use crate::state_memory::{StateMemory, States};
use serde::{Deserialize, Serialize};

/// What a frozen model reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// The text alone, within what the model's makers put around every text.
    Text,
    /// The text in the prompt, so that its states are about the labels.
    Prompt,
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
