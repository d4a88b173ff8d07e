//! Rotary position embedding.

use super::simd::vectorized;
use crate::layout::RaggedLayout;
use rayon::prelude::*;

/// Cosines and sines, `[positions, C / 2]` each.
#[derive(Debug)]
pub struct RopeTable {
    cosines: Vec<f32>,
    sines: Vec<f32>,
    half: usize,
}

impl RopeTable {
    pub(super) fn new(inverse_frequencies: &[f32], positions: usize) -> Self {
        let angles: Vec<f32> = (0..positions).flat_map(|p| inverse_frequencies.iter().map(move |f| p as f32 * f)).collect();
        Self {
            cosines: angles.iter().map(|a| a.cos()).collect(),
            sines: angles.iter().map(|a| a.sin()).collect(),
            half: inverse_frequencies.len(),
        }
    }
}

vectorized! {
    fn rotate_head(cosines: &[f32], sines: &[f32], sign: f32, x: &mut [f32]) {
        let (firsts, seconds) = x.split_at_mut(cosines.len());
        for (((first, second), cosine), sine) in firsts.iter_mut().zip(seconds).zip(cosines).zip(sines) {
            let (a, b, sine) = (*first, *second, sign * sine);
            *first = a * cosine - b * sine;
            *second = b * cosine + a * sine;
        }
    }
}

pub(super) fn rotate(table: &RopeTable, layout: &RaggedLayout, heads: usize, x: &mut [f32], sign: f32) {
    let (half, positions) = (table.half, layout.positions());
    let width = heads * 2 * half;
    let rows = x[..positions.len() * width].par_chunks_mut(width).with_min_len(super::row_grain(width));
    rows.zip(positions).for_each(|(row, position)| {
        let angles = position * half..(position + 1) * half;
        for head in row.chunks_exact_mut(2 * half) {
            rotate_head(&table.cosines[angles.clone()], &table.sines[angles.clone()], sign, head);
        }
    });
}
