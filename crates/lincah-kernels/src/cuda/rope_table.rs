//! Cosines and sines of the rotary embedding, which the layers of a model share.

use super::buffer::Buffer;
use std::sync::{Arc, Mutex, PoisonError};

/// Cosines and sines, `[positions, C / 2]` each.
pub(super) struct RopeTable {
    pub(super) inverse_frequencies: Vec<f32>,
    pub(super) positions: usize,
    pub(super) cosines: Buffer,
    pub(super) sines: Buffer,
}

/// A handle's tables, the longest of each list of frequencies.
#[derive(Default)]
pub(super) struct RopeTables(Mutex<Vec<Arc<RopeTable>>>);

impl RopeTables {
    /// A table of at least so many positions, uploaded if there is none.
    pub(super) fn get(&self, inverse_frequencies: &[f32], positions: usize, upload: impl Fn(&[f32]) -> Buffer) -> Arc<RopeTable> {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = tables.iter().position(|table| table.inverse_frequencies == inverse_frequencies);
        if let Some(known) = known {
            if tables[known].positions >= positions {
                return tables[known].clone();
            }
            tables.swap_remove(known);
        }
        // Somewhat longer, so that few batches need a new one.
        let positions = positions.next_multiple_of(256);
        let angles: Vec<f32> = (0..positions).flat_map(|p| inverse_frequencies.iter().map(move |f| p as f32 * f)).collect();
        let table = Arc::new(RopeTable {
            inverse_frequencies: inverse_frequencies.to_vec(),
            positions,
            cosines: upload(&angles.iter().map(|a| a.cos()).collect::<Vec<_>>()),
            sines: upload(&angles.iter().map(|a| a.sin()).collect::<Vec<_>>()),
        });
        tables.push(table.clone());
        table
    }
}
