//! The block formats of GGUF, decoded to `f32`.
//!
//! A block holds its scales, then its numbers bit-packed. The K formats are blocks of 256 numbers whose groups have small integer scales,
//! which one or two f16 scales multiply.
//!
//! Source: `dequantize_row_*` in llama.cpp's ggml-quants.c; the golden numbers are those of the `gguf` package.

use half::f16;

use super::TensorType;

/// How many numbers a block of the K formats holds.
const LONG: usize = 256;

impl TensorType {
    /// How many numbers a block holds; a row is a whole number of blocks.
    pub(super) fn block_length(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::BF16 => 1,
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 => 32,
            Self::Q2_K | Self::Q3_K | Self::Q4_K | Self::Q5_K | Self::Q6_K => LONG,
        }
    }

    /// How many bytes a block takes.
    pub(super) fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q8_0 => 34,
            Self::Q2_K => 84,
            Self::Q3_K => 110,
            Self::Q4_K => 144,
            Self::Q5_K => 176,
            Self::Q6_K => 210,
        }
    }
}

/// Decodes one block of 32 or 256 numbers, each format as its bytes lie in the file.
pub(super) fn decode_block(tensor_type: TensorType, block: &[u8], numbers: &mut [f32]) {
    match tensor_type {
        TensorType::F32 | TensorType::F16 | TensorType::BF16 => unreachable!("these have no blocks"),
        TensorType::Q4_0 => halves(&block[2..], numbers, |_, quant| scale(block, 0) * (f32::from(quant) - 8.0)),
        TensorType::Q4_1 => halves(&block[4..], numbers, |_, quant| scale(block, 0) * f32::from(quant) + scale(block, 2)),
        TensorType::Q5_0 => {
            halves(&block[6..], numbers, |at, quant| scale(block, 0) * (f32::from(quant | fifth_bit(&block[2..6], at)) - 16.0));
        }
        TensorType::Q5_1 => halves(&block[8..], numbers, |at, quant| {
            scale(block, 0) * f32::from(quant | fifth_bit(&block[4..8], at)) + scale(block, 2)
        }),
        TensorType::Q8_0 => {
            let scale = scale(block, 0);
            numbers.iter_mut().zip(&block[2..]).for_each(|(number, &quant)| *number = scale * f32::from(quant as i8));
        }
        TensorType::Q2_K => decode_q2_k(block, numbers),
        TensorType::Q3_K => decode_q3_k(block, numbers),
        TensorType::Q4_K => decode_q4_k_or_q5_k(block, None, &block[16..], numbers),
        TensorType::Q5_K => decode_q4_k_or_q5_k(block, Some(&block[16..48]), &block[48..], numbers),
        TensorType::Q6_K => decode_q6_k(block, numbers),
    }
}

/// The f16 at a byte of a block.
fn scale(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// 32 numbers of 4 bits: the lower halves of 16 bytes, then the upper ones.
fn halves(quants: &[u8], numbers: &mut [f32], value: impl Fn(usize, u8) -> f32) {
    for at in 0..16 {
        numbers[at] = value(at, quants[at] & 0xf);
        numbers[at + 16] = value(at + 16, quants[at] >> 4);
    }
}

/// The highest of five bits, which 32 numbers have in four bytes of their own.
fn fifth_bit(bits: &[u8], at: usize) -> u8 {
    (bits[at / 8] >> (at % 8) & 1) << 4
}

/// Two bits per number: in each half of the block, four groups of 32 share 32 bytes, from the lowest bits up. Every 16 numbers have a scale
/// and a minimum of 4 bits.
fn decode_q2_k(block: &[u8], numbers: &mut [f32]) {
    let (scales, quants) = block.split_at(16);
    let (of_scales, of_minima) = (scale(block, 80), scale(block, 82));
    for (at, number) in numbers.iter_mut().enumerate() {
        let (half, group, place) = (at / 128, at / 32 % 4, at % 32);
        let quant = quants[32 * half + place] >> (2 * group) & 3;
        let packed = scales[at / 16];
        *number = of_scales * f32::from(packed & 0xf) * f32::from(quant) - of_minima * f32::from(packed >> 4);
    }
}

/// Two bits per number as in Q2_K and a third in a mask, which takes 4 away where it is clear. Every 16 numbers have a scale of 6 bits less
/// 32, the lower four of them in 8 bytes, the upper two in 4.
fn decode_q3_k(block: &[u8], numbers: &mut [f32]) {
    let (mask, quants, scales) = (&block[..32], &block[32..96], &block[96..108]);
    let of_scales = scale(block, 108);
    let group_scale = |group: usize| {
        let low = scales[group % 8] >> (4 * (group / 8)) & 0xf;
        let high = scales[8 + group % 4] >> (2 * (group / 4)) & 3;
        of_scales * (f32::from(low | high << 4) - 32.0)
    };
    for (group, numbers) in numbers.chunks_exact_mut(16).enumerate() {
        let group_scale = group_scale(group);
        for (within, number) in numbers.iter_mut().enumerate() {
            let at = 16 * group + within;
            let (half, shift, place) = (at / 128, at / 32 % 4, at % 32);
            let quant = quants[32 * half + place] >> (2 * shift) & 3;
            let is_set = mask[place] >> (4 * half + shift) & 1 == 1;
            *number = group_scale * (f32::from(quant) - if is_set { 0.0 } else { 4.0 });
        }
    }
}

/// Four bits per number, in Q5_K a fifth in bytes of their own. Groups of 32 have a scale and a minimum of 6 bits; two groups share 32 bytes.
fn decode_q4_k_or_q5_k(block: &[u8], fifth_bits: Option<&[u8]>, quants: &[u8], numbers: &mut [f32]) {
    let (of_scales, of_minima, packed) = (scale(block, 0), scale(block, 2), &block[4..16]);
    for (group, numbers) in numbers.chunks_exact_mut(32).enumerate() {
        let (group_scale, minimum) = scale_and_minimum(packed, group);
        let (group_scale, minimum) = (of_scales * f32::from(group_scale), of_minima * f32::from(minimum));
        for (place, number) in numbers.iter_mut().enumerate() {
            let quant = quants[32 * (group / 2) + place] >> (4 * (group % 2)) & 0xf;
            let fifth = fifth_bits.map_or(0, |bits| (bits[place] >> group & 1) << 4);
            *number = group_scale * f32::from(quant | fifth) - minimum;
        }
    }
}

/// Scale and minimum of one of eight groups, 6 bits each in 12 bytes: those of the first four lie whole in 8 bytes, whose upper two bits
/// belong to the last four.
fn scale_and_minimum(packed: &[u8], group: usize) -> (u8, u8) {
    match group {
        0..4 => (packed[group] & 63, packed[group + 4] & 63),
        _ => {
            let low = packed[group + 4];
            (low & 0xf | packed[group - 4] >> 6 << 4, low >> 4 | packed[group] >> 6 << 4)
        }
    }
}

/// Six bits per number less 32: in each half of the block 64 bytes hold the lower four, and 32 bytes the upper two. Every 16 numbers have a
/// signed scale of 8 bits.
fn decode_q6_k(block: &[u8], numbers: &mut [f32]) {
    let (low, high, scales) = (&block[..128], &block[128..192], &block[192..208]);
    let of_scales = scale(block, 208);
    for (at, number) in numbers.iter_mut().enumerate() {
        let (half, group, place) = (at / 128, at / 32 % 4, at % 32);
        let four = low[64 * half + 32 * (group % 2) + place] >> (4 * (group / 2)) & 0xf;
        let two = high[32 * half + place] >> (2 * group) & 3;
        let group_scale = of_scales * f32::from(scales[at / 16] as i8);
        *number = group_scale * (f32::from(four | two << 4) - 32.0);
    }
}
