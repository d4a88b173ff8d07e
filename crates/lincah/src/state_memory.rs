//! Frozen models' states of texts, kept so that a text is read once.

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
    /// Where the states of these tokens are kept, the first ones of which do not count.
    pub(crate) fn key(tokens: &[u32], first: usize) -> String {
        let numbers = std::iter::once(first as u64).chain(tokens.iter().map(|&token| u64::from(token)));
        sha256::of_bytes(numbers.flat_map(u64::to_le_bytes).collect::<Vec<u8>>())
    }

    /// All of the states of each text, where all are remembered.
    pub(crate) fn recall(&self, keys: &[String], states: &[States]) -> Vec<Option<Vec<Vec<f32>>>> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let row = |key: &String, states: &States| remembered.rows.get(&(key.clone(), *states)).cloned();
        keys.iter().map(|key| states.iter().map(|states| row(key, states)).collect()).collect()
    }

    /// Keeps the states of a text, as long as there is room.
    pub(crate) fn remember(&self, key: &str, states: &[States], rows: &[Vec<f32>]) {
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
