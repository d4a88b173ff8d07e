//! The micro-kernels of AVX2 and AVX-512. Every element is the same chain of fused multiply-adds in all of them.

use super::{Block, BlockFunction, LINE, MOST_ROWS, PANEL};
use std::arch::x86_64::*;

/// Panels of 17 to 32 columns.
pub(super) static AVX512: [BlockFunction; MOST_ROWS] = [
    avx512::<1, 2>,
    avx512::<2, 2>,
    avx512::<3, 2>,
    avx512::<4, 2>,
    avx512::<5, 2>,
    avx512::<6, 2>,
    avx512::<7, 2>,
    avx512::<8, 2>,
    avx512::<9, 2>,
    avx512::<10, 2>,
    avx512::<11, 2>,
    avx512::<12, 2>,
    avx512::<13, 2>,
    avx512::<14, 2>,
];
/// Panels of 9 to 16 columns.
pub(super) static AVX512_NARROW: [BlockFunction; MOST_ROWS] = [
    avx512::<1, 1>,
    avx512::<2, 1>,
    avx512::<3, 1>,
    avx512::<4, 1>,
    avx512::<5, 1>,
    avx512::<6, 1>,
    avx512::<7, 1>,
    avx512::<8, 1>,
    avx512::<9, 1>,
    avx512::<10, 1>,
    avx512::<11, 1>,
    avx512::<12, 1>,
    avx512::<13, 1>,
    avx512::<14, 1>,
];
/// Panels of 9 to 32 columns, half a panel after the other.
pub(super) static AVX2: [BlockFunction; 6] = [avx2::<1, 2>, avx2::<2, 2>, avx2::<3, 2>, avx2::<4, 2>, avx2::<5, 2>, avx2::<6, 2>];
/// Panels of up to 8 columns.
pub(super) static AVX2_NARROW: [BlockFunction; 12] = [
    avx2::<1, 1>,
    avx2::<2, 1>,
    avx2::<3, 1>,
    avx2::<4, 1>,
    avx2::<5, 1>,
    avx2::<6, 1>,
    avx2::<7, 1>,
    avx2::<8, 1>,
    avx2::<9, 1>,
    avx2::<10, 1>,
    avx2::<11, 1>,
    avx2::<12, 1>,
];

/// Inner steps between two fetches ahead.
const STRETCH: usize = 16;

/// Fetches what comes next into the second cache, a few lines at a time: weights are used once a layer, so that each panel would
/// otherwise be waited for.
struct Ahead {
    next: *const f32,
    end: *const f32,
    lines: usize,
}

impl Ahead {
    /// Part `part` of `parts` of the block's share.
    #[inline(always)]
    fn new(block: &Block, part: usize, parts: usize) -> Self {
        let share = block.ahead.len().div_ceil(parts).next_multiple_of(LINE);
        let from = (part * share).min(block.ahead.len());
        let values = &block.ahead[from..(from + share).min(block.ahead.len())];
        let range = values.as_ptr_range();
        Self {
            next: range.start,
            end: range.end,
            lines: values.len().div_ceil(LINE * (block.segments[0].inner / STRETCH).max(1)),
        }
    }

    #[inline(always)]
    fn fetch(&mut self) {
        for _ in 0..self.lines {
            if self.next < self.end {
                // SAFETY: a prefetch reads nothing that a program could see, whatever the address.
                unsafe { _mm_prefetch::<_MM_HINT_T1>(self.next.cast()) };
                self.next = self.next.wrapping_add(LINE);
            }
        }
    }
}

/// # Safety
/// As [`super::portable`], on a processor with AVX-512F, and the block's width is at most 16 times `REGISTERS`.
#[target_feature(enable = "avx512f")]
unsafe fn avx512<const ROWS: usize, const REGISTERS: usize>(block: &Block) {
    let columns = ((1u64 << block.width) - 1) as u32;
    let masks: [u16; REGISTERS] = std::array::from_fn(|i| (columns >> (16 * i)) as u16);
    let mut sums = [[_mm512_setzero_ps(); REGISTERS]; ROWS];
    // SAFETY: the caller's promise; masked lanes are not touched.
    unsafe {
        if block.accumulate {
            for (r, sums) in sums.iter_mut().enumerate() {
                let result = block.result.add(r * block.result_stride);
                for (i, sum) in sums.iter_mut().enumerate() {
                    *sum = _mm512_maskz_loadu_ps(masks[i], result.wrapping_add(16 * i));
                }
            }
        }
        let mut ahead = Ahead::new(block, 0, 1);
        for segment in &block.segments {
            let (mut left, mut right) = (segment.left, segment.right);
            if block.padded {
                let mut rest = segment.inner;
                while rest > 0 {
                    ahead.fetch();
                    let steps = rest.min(STRETCH);
                    rest -= steps;
                    for _ in 0..steps {
                        let strips: [_; REGISTERS] = std::array::from_fn(|i| _mm512_loadu_ps(right.add(16 * i)));
                        multiply_add_512(left, segment.row_stride, &strips, &mut sums);
                        right = right.wrapping_add(PANEL);
                        left = left.wrapping_add(segment.inner_stride);
                    }
                }
            } else {
                for _ in 0..segment.inner {
                    let strips: [_; REGISTERS] =
                        std::array::from_fn(|i| _mm512_maskz_loadu_ps(masks[i], right.wrapping_add(16 * i)));
                    multiply_add_512(left, segment.row_stride, &strips, &mut sums);
                    right = right.wrapping_add(segment.right_stride);
                    left = left.wrapping_add(segment.inner_stride);
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            let result = block.result.add(r * block.result_stride);
            for (i, sum) in sums.iter().enumerate() {
                _mm512_mask_storeu_ps(result.wrapping_add(16 * i), masks[i], *sum);
            }
        }
    }
}

/// # Safety
/// `left` holds an element for each row.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn multiply_add_512<const ROWS: usize, const REGISTERS: usize>(
    left: *const f32,
    row_stride: usize,
    strips: &[__m512; REGISTERS],
    sums: &mut [[__m512; REGISTERS]; ROWS],
) {
    for (r, sums) in sums.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        let factor = _mm512_set1_ps(unsafe { *left.add(r * row_stride) });
        for (sum, strip) in sums.iter_mut().zip(strips) {
            *sum = _mm512_fmadd_ps(factor, *strip, *sum);
        }
    }
}

/// # Safety
/// As [`super::portable`], on a processor with AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<const ROWS: usize, const REGISTERS: usize>(block: &Block) {
    let step = 8 * REGISTERS;
    for start in (0..block.width).step_by(step) {
        let width = (block.width - start).min(step);
        // SAFETY: the caller's promise; strips of a padded panel hold all lanes.
        unsafe {
            match (width == step, block.padded) {
                (true, _) => avx2_strip::<ROWS, REGISTERS, true, true>(block, start, width),
                (false, true) => avx2_strip::<ROWS, REGISTERS, true, false>(block, start, width),
                (false, false) => avx2_strip::<ROWS, REGISTERS, false, false>(block, start, width),
            }
        }
    }
}

/// `width` columns from `start` on. Plain loads and stores wherever all lanes exist: masked ones take several times as long on AMD's Zen 3.
///
/// # Safety
/// As [`avx2`]; `WHOLE_RIGHT` and `WHOLE_RESULT` only where all lanes of the right factor, or of the result, exist.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2_strip<const ROWS: usize, const REGISTERS: usize, const WHOLE_RIGHT: bool, const WHOLE_RESULT: bool>(
    block: &Block,
    start: usize,
    width: usize,
) {
    let step = 8 * REGISTERS;
    let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    let masks: [_; REGISTERS] =
        std::array::from_fn(|i| _mm256_cmpgt_epi32(_mm256_set1_epi32(width as i32 - 8 * i as i32), lanes));
    let mut sums = [[_mm256_setzero_ps(); REGISTERS]; ROWS];
    // SAFETY: the caller's promise; masked lanes are not touched.
    unsafe {
        let result = block.result.add(start);
        if block.accumulate {
            for (r, sums) in sums.iter_mut().enumerate() {
                let result = result.add(r * block.result_stride);
                *sums = load_256::<REGISTERS, WHOLE_RESULT>(result, &masks);
            }
        }
        let mut ahead = Ahead::new(block, start / step, block.width.div_ceil(step));
        for segment in &block.segments {
            let (mut left, mut right) = (segment.left, segment.right.wrapping_add(start));
            let mut rest = segment.inner;
            while rest > 0 {
                ahead.fetch();
                let steps = rest.min(STRETCH);
                rest -= steps;
                for _ in 0..steps {
                    let strips = load_256::<REGISTERS, WHOLE_RIGHT>(right, &masks);
                    for (r, sums) in sums.iter_mut().enumerate() {
                        let factor = _mm256_set1_ps(*left.add(r * segment.row_stride));
                        for (sum, strip) in sums.iter_mut().zip(strips) {
                            *sum = _mm256_fmadd_ps(factor, strip, *sum);
                        }
                    }
                    right = right.wrapping_add(segment.right_stride);
                    left = left.wrapping_add(segment.inner_stride);
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            let result = result.add(r * block.result_stride);
            for (i, sum) in sums.iter().enumerate() {
                if WHOLE_RESULT {
                    _mm256_storeu_ps(result.add(8 * i), *sum);
                } else {
                    _mm256_maskstore_ps(result.wrapping_add(8 * i), masks[i], *sum);
                }
            }
        }
    }
}

/// # Safety
/// From `source` on, the lanes of the masks can be read, or all of them where `WHOLE`.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn load_256<const REGISTERS: usize, const WHOLE: bool>(
    source: *const f32,
    masks: &[__m256i; REGISTERS],
) -> [__m256; REGISTERS] {
    std::array::from_fn(|i| {
        // SAFETY: the caller's promise; masked lanes are not touched.
        unsafe {
            if WHOLE { _mm256_loadu_ps(source.add(8 * i)) } else { _mm256_maskload_ps(source.wrapping_add(8 * i), masks[i]) }
        }
    })
}

/// `target[o, c] = source[c, o]` for whole blocks of a panel's width, by squares of eight.
///
/// # Safety
/// `source` holds `PANEL` rows of `PANEL` numbers at this distance, `target` `PANEL * PANEL` numbers, on a processor with AVX2.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn transpose_block(source: *const f32, row_stride: usize, target: *mut f32) {
    for row in (0..PANEL).step_by(8) {
        for column in (0..PANEL).step_by(8) {
            // SAFETY: the square lies inside both blocks.
            unsafe {
                let rows: [__m256; 8] = std::array::from_fn(|i| _mm256_loadu_ps(source.add((row + i) * row_stride + column)));
                for (i, turned) in transpose_square(rows).into_iter().enumerate() {
                    _mm256_storeu_ps(target.add((column + i) * PANEL + row), turned);
                }
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn transpose_square(rows: [__m256; 8]) -> [__m256; 8] {
    let pairs: [__m256; 8] = std::array::from_fn(|i| match i % 2 {
        0 => _mm256_unpacklo_ps(rows[i], rows[i + 1]),
        _ => _mm256_unpackhi_ps(rows[i - 1], rows[i]),
    });
    let fours: [__m256; 8] = std::array::from_fn(|i| {
        let (first, second) = (pairs[i / 4 * 4 + i % 4 / 2], pairs[i / 4 * 4 + i % 4 / 2 + 2]);
        match i % 2 {
            0 => _mm256_shuffle_ps::<0x44>(first, second),
            _ => _mm256_shuffle_ps::<0xEE>(first, second),
        }
    });
    std::array::from_fn(|i| match i / 4 {
        0 => _mm256_permute2f128_ps::<0x20>(fours[i], fours[i + 4]),
        _ => _mm256_permute2f128_ps::<0x31>(fours[i - 4], fours[i]),
    })
}
