//! Rows of a tensor as `f32`.

use std::ops::Range;

use half::{bf16, f16};
use rayon::prelude::*;

use super::blocks::decode_block;
use super::{GgufError, GgufFile, TensorInfo, TensorType};

/// About how many numbers one thread decodes at a time.
const CHUNK_LENGTH: usize = 1 << 14;

impl GgufFile {
    /// The rows `rows` of a tensor of this file as `f32`, row after row; only these are read and converted.
    ///
    /// A tensor of one dimension is one row; one of more than two has its leading dimensions flattened to rows.
    ///
    /// # Errors
    /// If the tensor has fewer rows.
    pub fn read_rows(&self, tensor: &TensorInfo, rows: Range<usize>) -> Result<Vec<f32>, GgufError> {
        if rows.start > rows.end || rows.end > tensor.rows() {
            return Err(GgufError::Rows {
                path: self.path().to_owned(),
                tensor: tensor.name.clone(),
                rows: tensor.rows(),
                start: rows.start,
                end: rows.end,
            });
        }
        let bytes = &self.file[tensor.bytes.clone()];
        Ok(decode_rows(tensor.tensor_type, bytes, tensor.width(), rows.len(), |row| rows.start + row))
    }
}

/// `count` rows of `width` numbers, the `i`-th of which is row `source(i)` of a tensor that lies in `bytes` row after row.
///
/// The caller has checked that the rows are in `bytes` and that a row is a whole number of blocks.
pub(crate) fn decode_rows(
    tensor_type: TensorType,
    bytes: &[u8],
    width: usize,
    count: usize,
    source: impl Fn(usize) -> usize + Sync,
) -> Vec<f32> {
    let row_bytes = width / tensor_type.block_length() * tensor_type.block_bytes();
    let mut numbers = vec![0.0; count * width];
    let rows = numbers.par_chunks_mut(width).enumerate().with_min_len((CHUNK_LENGTH / width).max(1));
    rows.for_each(|(row, numbers)| {
        let start = source(row) * row_bytes;
        decode(tensor_type, &bytes[start..start + row_bytes], numbers);
    });
    numbers
}

fn decode(tensor_type: TensorType, bytes: &[u8], numbers: &mut [f32]) {
    match tensor_type {
        TensorType::F32 => decode_f32(bytes, numbers),
        TensorType::F16 => decode_f16(bytes, numbers),
        TensorType::BF16 => decode_bf16(bytes, numbers),
        blocks => {
            let numbers = numbers.chunks_exact_mut(blocks.block_length());
            bytes
                .chunks_exact(blocks.block_bytes())
                .zip(numbers)
                .for_each(|(block, numbers)| decode_block(blocks, block, numbers));
        }
    }
}

fn decode_f32(bytes: &[u8], numbers: &mut [f32]) {
    for (number, bytes) in numbers.iter_mut().zip(bytes.as_chunks().0) {
        *number = f32::from_le_bytes(*bytes);
    }
}

fn decode_f16(bytes: &[u8], numbers: &mut [f32]) {
    for (number, bytes) in numbers.iter_mut().zip(bytes.as_chunks().0) {
        *number = f16::from_le_bytes(*bytes).to_f32();
    }
}

fn decode_bf16(bytes: &[u8], numbers: &mut [f32]) {
    for (number, bytes) in numbers.iter_mut().zip(bytes.as_chunks().0) {
        *number = bf16::from_le_bytes(*bytes).to_f32();
    }
}
