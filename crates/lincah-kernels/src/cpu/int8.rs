//! Products with weights of 8 bits, for scoring: `y[n, o] = s[n] t[o] Σ_i a[n, i] w[o, i]` with whole numbers a and w, whose sum is exact,
//! so that its order does not matter.
//!
//! A row of W is divided by its largest number and rounded to -127..127. A row of x is rounded as finely as the sum of its products allows
//! in 32 bits, to 11 bits at least: AVX2 multiplies 16-bit pairs as fast as 8-bit ones (they would be added with saturation).

use super::matmul::{Product, SharedPointer, Tail, for_each_panel};
use crate::kernels::int8_rows;
use rayon::prelude::*;
use std::ops::Range;

/// Columns of a panel: those of the `f32` panels, so that a [`Tail`] goes on in the same place.
const PANEL: usize = super::matmul::PANEL;
/// Columns of a micro-kernel.
const HALF: usize = 16;
/// Rows of a micro-kernel.
const ROWS: usize = 6;

/// W `[columns, inner]` in panels of [`HALF`] columns, `[inner / 2, HALF, 2]` each, padded with zeros.
#[derive(Debug)]
pub(super) struct Int8Panels {
    values: Vec<i8>,
    /// What a row of W is multiplied by.
    scales: Vec<f32>,
    columns: usize,
    inner: usize,
}

/// What a micro-kernel gives.
type Sums = [[i32; HALF]; ROWS];
#[cfg(target_arch = "x86_64")]
type MicroKernel = unsafe fn(&[i16], &[i8]) -> Sums;

/// Rows of x in whole numbers.
struct Int16Rows {
    /// `[rows, pairs, 2]`.
    values: Vec<i16>,
    scales: Vec<f32>,
    pairs: usize,
}

impl Int8Panels {
    /// Rounds row-major `[columns, inner]` and packs it.
    pub(super) fn new(values: &[f32], columns: usize, inner: usize) -> Self {
        let (rounded, scales) = int8_rows(values, columns, inner);
        let strip = inner.div_ceil(2) * 2 * HALF;
        let mut panels = vec![0; columns.next_multiple_of(PANEL) / HALF * strip];
        panels.par_chunks_mut(strip).enumerate().for_each(|(p, panel)| {
            let rows = rounded.chunks_exact(inner).skip(p * HALF).take(HALF);
            for (column, row) in rows.enumerate() {
                row.iter().enumerate().for_each(|(i, &value)| panel[(i / 2 * HALF + column) * 2 + i % 2] = value);
            }
        });
        Self { values: panels, scales, columns, inner }
    }

    /// Bits of x that leave room for the sum, as the largest whole number.
    fn largest_input(&self) -> f32 {
        (i32::MAX as usize / (127 * self.inner.next_multiple_of(2))).min(i16::MAX as usize) as f32
    }

    fn round(&self, x: &[f32], rows: usize) -> Int16Rows {
        let (pairs, largest) = (self.inner.div_ceil(2), self.largest_input());
        let (mut values, mut scales) = (vec![0i16; rows * pairs * 2], vec![0.0; rows]);
        let row = |((values, scale), x): ((&mut [i16], &mut f32), &[f32])| {
            *scale = round_row(x, largest, values);
        };
        values
            .par_chunks_mut(pairs * 2)
            .zip(&mut scales)
            .zip(x[..rows * self.inner].par_chunks(self.inner))
            .with_min_len(8)
            .for_each(row);
        Int16Rows { values, scales, pairs }
    }

    /// `y = x Wᵀ`, and the tail's product added. # Shapes: x `[rows, inner]`, y `[rows, columns]`.
    pub(super) fn product(&self, x: &[f32], rows: usize, tail: Option<Tail>, y: &mut [f32]) {
        assert!(y.len() >= rows * self.columns);
        if rows == 0 {
            return;
        }
        let tail = tail.map(|tail| Product::tail_alone(tail, self.columns));
        if let Some(tail) = &tail {
            assert_eq!(tail.left.rows, rows);
            tail.check();
        }
        let x = self.round(x, rows);
        let target = SharedPointer(y.as_mut_ptr());
        for_each_panel(rows, self.inner, self.columns, |panel, group| {
            // SAFETY: y holds `columns` numbers for each row, and no other task writes these.
            unsafe { self.panel(&x, panel, group.clone(), target.get()) };
            if let Some(tail) = &tail {
                // SAFETY: as above; the tail's factors were checked.
                unsafe { tail.panel(panel, group, target.get(), self.columns) };
            }
        });
    }

    /// # Safety
    /// From `y` on, the columns of this panel are writable in these rows, with nothing else using them.
    unsafe fn panel(&self, x: &Int16Rows, panel: usize, rows: Range<usize>, y: *mut f32) {
        let strip = x.pairs * 2 * HALF;
        let first = panel * PANEL;
        for start in (first..self.columns.min(first + PANEL)).step_by(HALF) {
            let weights = &self.values[start / HALF * strip..][..strip];
            let scales = &self.scales[start..self.columns.min(start + HALF)];
            let mut row = rows.start;
            while row < rows.end {
                let rest = rows.end - row;
                let count = rest.div_ceil(rest.div_ceil(ROWS));
                let sums = sums(&x.values[row * x.pairs * 2..][..count * x.pairs * 2], count, weights);
                for (sums, row) in sums[..count].iter().zip(row..) {
                    // SAFETY: these columns of the row are writable and this call's own, by the caller's promise.
                    let y = unsafe { std::slice::from_raw_parts_mut(y.add(row * self.columns + start), scales.len()) };
                    scale_sums(sums, x.scales[row], scales, y);
                }
                row += count;
            }
        }
    }
}

super::simd::vectorized! {
    /// Rounds a row to whole numbers of at most `largest`; returns what one of them stands for.
    fn round_row(x: &[f32], largest: f32, values: &mut [i16]) -> f32 {
        let mut lanes = [0.0f32; 16];
        let (blocks, rest) = x.as_chunks::<16>();
        for block in blocks {
            for lane in 0..16 {
                lanes[lane] = if block[lane].abs() > lanes[lane] { block[lane].abs() } else { lanes[lane] };
            }
        }
        let highest = rest.iter().map(|value| value.abs()).chain(lanes).fold(0.0, f32::max);
        if highest == 0.0 {
            values.fill(0);
            return 0.0;
        }
        // Adding 1.5 · 2^23 rounds to whole numbers, and leaves them in the lowest bits.
        const ROUND: f32 = 12_582_912.0;
        let factor = largest / highest;
        for (value, &x) in values.iter_mut().zip(x) {
            *value = (x * factor + ROUND).to_bits() as i16;
        }
        highest / largest
    }
}

super::simd::vectorized! {
    /// What a row's sums stand for.
    fn scale_sums(sums: &[i32; HALF], row_scale: f32, scales: &[f32], y: &mut [f32]) {
        for ((y, &sum), &scale) in y.iter_mut().zip(sums).zip(scales) {
            *y = sum as f32 * (row_scale * scale);
        }
    }
}

/// Sums of `count` rows of x with one strip of weights.
fn sums(x: &[i16], count: usize, weights: &[i8]) -> Sums {
    assert!(count <= ROWS && x.len() == count * weights.len() / HALF && weights.len().is_multiple_of(2 * HALF));
    #[cfg(target_arch = "x86_64")]
    if super::simd::instruction_set() != super::simd::InstructionSet::Portable {
        const FUNCTIONS: [MicroKernel; ROWS] = [avx2::<1>, avx2::<2>, avx2::<3>, avx2::<4>, avx2::<5>, avx2::<6>];
        // SAFETY: the lengths were checked and the instruction set was detected.
        return unsafe { FUNCTIONS[count - 1](x, weights) };
    }
    let mut sums = [[0; HALF]; ROWS];
    for (sums, x) in sums.iter_mut().zip(x.chunks_exact(weights.len() / HALF)) {
        for (pair, weights) in x.as_chunks::<2>().0.iter().zip(weights.chunks_exact(2 * HALF)) {
            for (sum, weight) in sums.iter_mut().zip(weights.as_chunks::<2>().0) {
                *sum += i32::from(pair[0]) * i32::from(weight[0]) + i32::from(pair[1]) * i32::from(weight[1]);
            }
        }
    }
    sums
}

/// # Safety
/// `x` holds `COUNT` rows of as many pairs as `weights` has strips of [`HALF`] pairs, on a processor with AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn avx2<const COUNT: usize>(x: &[i16], weights: &[i8]) -> Sums {
    use std::arch::x86_64::*;
    let pairs = weights.len() / (2 * HALF);
    let mut sums = [[_mm256_setzero_si256(); 2]; COUNT];
    let (mut weight, mut factor) = (weights.as_ptr(), x.as_ptr());
    for _ in 0..pairs {
        // SAFETY: the caller's promise.
        unsafe {
            let strips = [
                _mm256_cvtepi8_epi16(_mm_loadu_si128(weight.cast())),
                _mm256_cvtepi8_epi16(_mm_loadu_si128(weight.add(16).cast())),
            ];
            for (row, sums) in sums.iter_mut().enumerate() {
                let pair = _mm256_set1_epi32(factor.add(row * pairs * 2).cast::<i32>().read_unaligned());
                for (sum, strip) in sums.iter_mut().zip(strips) {
                    *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pair, strip));
                }
            }
        }
        weight = weight.wrapping_add(2 * HALF);
        factor = factor.wrapping_add(2);
    }
    let mut all = [[0; HALF]; ROWS];
    for (all, sums) in all.iter_mut().zip(sums) {
        for (all, sum) in all.chunks_exact_mut(8).zip(sums) {
            // SAFETY: eight numbers are there.
            unsafe { _mm256_storeu_si256(all.as_mut_ptr().cast(), sum) };
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::matmul::tests::noise;

    #[test]
    fn the_instruction_sets_give_the_same_sums() {
        for (count, pairs) in [(1, 1), (3, 7), (6, 288), (5, 100)] {
            let x: Vec<i16> = noise(count * pairs * 2, 1).iter().map(|value| (value * 32767.0) as i16).collect();
            let weights: Vec<i8> = noise(pairs * 2 * HALF, 2).iter().map(|value| (value * 127.0) as i8).collect();
            let found = sums(&x, count, &weights);
            for n in 0..count {
                for o in 0..HALF {
                    let exact: i64 = (0..pairs * 2)
                        .map(|i| i64::from(x[n * pairs * 2 + i]) * i64::from(weights[(i / 2 * HALF + o) * 2 + i % 2]))
                        .sum();
                    assert_eq!(i64::from(found[n][o]), exact);
                }
            }
        }
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        for inner in [2, 33, 1536, 16_384] {
            let panels = Int8Panels::new(&vec![-3.0; inner * 2], 2, inner);
            let mut y = vec![0.0; 2];
            panels.product(&vec![-7.0; inner], 1, None, &mut y);
            let exact = 21.0 * inner as f32;
            assert!(y.iter().all(|y| (y / exact - 1.0).abs() < 1e-3), "{inner}: {y:?} for {exact}");
        }
    }
}
