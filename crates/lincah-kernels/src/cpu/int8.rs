//! Products with weights of 8 bits, for scoring: `y[n, o] = s[n] t[o] Σ_i a[n, i] w[o, i]` with whole numbers a and w, whose sum is exact,
//! so that its order does not matter.
//!
//! A row of W is divided by its largest number and rounded to -127..127. A row of x is rounded as finely as the sum of its products allows
//! in 32 bits, to 11 bits at least: AVX2 multiplies 16-bit pairs as fast as 8-bit ones (they would be added with saturation), and VNNI
//! multiplies and adds them at twice the rate of f32.

use super::large_pages::LargePages;
use super::matmul::{Product, SharedPointer, Tail, for_each_panel};
use crate::kernels::int8_rows;
use rayon::prelude::*;
use std::ops::Range;

/// Columns of a panel: those of the `f32` panels, so that a [`Tail`] goes on in the same place.
const PANEL: usize = super::matmul::PANEL;
/// Columns of a strip: half a panel.
const STRIP: usize = PANEL / 2;
/// Rows of the largest micro-kernel.
const MOST_ROWS: usize = 12;

/// W `[columns, inner]` in panels of [`PANEL`] columns, padded with zeros: two strips of [`STRIP`] columns, `[inner / 2, STRIP, 2]` each.
#[derive(Debug)]
pub(super) struct Int8Panels {
    values: LargePages<i8>,
    /// What a row of W is multiplied by.
    scales: Vec<f32>,
    columns: usize,
    inner: usize,
}

/// Sets `sums [rows, PANEL]` to the products of `x [rows, pairs, 2]` with a panel.
///
/// # Safety
/// The lengths are these, the rows as many as the place in [`micro_kernels`] says, and the processor has the instructions.
type MicroKernel = unsafe fn(x: &[i16], panel: &[i8], sums: &mut [[i32; PANEL]]);

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
        let mut strips = LargePages::zeros(columns.next_multiple_of(PANEL) * inner.next_multiple_of(2));
        strips.par_chunks_mut(inner.next_multiple_of(2) * STRIP).enumerate().for_each(|(s, strip)| {
            let rows = rounded.chunks_exact(inner).skip(s * STRIP).take(STRIP);
            for (column, row) in rows.enumerate() {
                row.iter().enumerate().for_each(|(i, &value)| strip[(i / 2 * STRIP + column) * 2 + i % 2] = value);
            }
        });
        Self { values: strips, scales, columns, inner }
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
        let (row_length, first) = (x.pairs * 2, panel * PANEL);
        let (values, next) = self.values[first * row_length..].split_at(PANEL * row_length);
        let scales = &self.scales[first..self.columns.min(first + PANEL)];
        let kernels = micro_kernels();
        let blocks = rows.len().div_ceil(kernels.len()).max(1);
        let mut next = next[..next.len().min(values.len())].chunks(values.len().div_ceil(blocks));
        let mut all = [[0; PANEL]; MOST_ROWS];
        let mut row = rows.start;
        while row < rows.end {
            next.next().into_iter().for_each(fetch_ahead);
            let rest = rows.end - row;
            let count = rest.div_ceil(rest.div_ceil(kernels.len()));
            let (x_rows, sums) = (&x.values[row * row_length..][..count * row_length], &mut all[..count]);
            // SAFETY: the lengths are these, and the instruction set was detected.
            unsafe { kernels[count - 1](x_rows, values, sums) };
            for (sums, row) in sums.iter().zip(row..) {
                // SAFETY: these columns of the row are writable and this call's own, by the caller's promise.
                let y = unsafe { std::slice::from_raw_parts_mut(y.add(row * self.columns + first), scales.len()) };
                scale_sums(sums, x.scales[row], scales, y);
            }
            row += count;
        }
    }
}

/// Starts to fetch what is used soon into the second cache, where the processor has an instruction for it.
fn fetch_ahead(values: &[i8]) {
    #[cfg(target_arch = "x86_64")]
    for line in values.chunks(64) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a prefetch reads nothing that a program could see.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
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
    fn scale_sums(sums: &[i32; PANEL], row_scale: f32, scales: &[f32], y: &mut [f32]) {
        for ((y, &sum), &scale) in y.iter_mut().zip(sums).zip(scales) {
            *y = sum as f32 * (row_scale * scale);
        }
    }
}

/// The micro-kernels for 1, 2, … rows.
fn micro_kernels() -> &'static [MicroKernel] {
    #[cfg(target_arch = "x86_64")]
    {
        use super::simd::{InstructionSet, instruction_set};
        match instruction_set() {
            InstructionSet::Portable => {}
            InstructionSet::Avx512 if is_x86_feature_detected!("avx512vnni") => return &x86::AVX512_VNNI,
            _ if is_x86_feature_detected!("avxvnni") => return &x86::AVX_VNNI,
            _ => return &x86::AVX2,
        }
    }
    &PORTABLE
}

static PORTABLE: [MicroKernel; 4] = [portable; 4];

/// The micro-kernel in plain Rust.
///
/// # Safety
/// Any number of rows will do; the other lengths are checked.
unsafe fn portable(x: &[i16], panel: &[i8], sums: &mut [[i32; PANEL]]) {
    let strip = panel.len() / 2;
    for (sums, x) in sums.iter_mut().zip(x.chunks_exact(panel.len() / PANEL)) {
        for (sums, strip) in sums.chunks_exact_mut(STRIP).zip(panel.chunks_exact(strip)) {
            sums.fill(0);
            for (pair, weights) in x.as_chunks::<2>().0.iter().zip(strip.chunks_exact(2 * STRIP)) {
                for (sum, weight) in sums.iter_mut().zip(weights.as_chunks::<2>().0) {
                    *sum += i32::from(pair[0]) * i32::from(weight[0]) + i32::from(pair[1]) * i32::from(weight[1]);
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::matmul::tests::noise;

    #[test]
    fn every_micro_kernel_gives_the_exact_sums() {
        let mut sets: Vec<&[MicroKernel]> = vec![&PORTABLE];
        #[cfg(target_arch = "x86_64")]
        {
            sets.extend(is_x86_feature_detected!("avx2").then_some(&x86::AVX2 as &[_]));
            sets.extend(is_x86_feature_detected!("avxvnni").then_some(&x86::AVX_VNNI as &[_]));
            let avx512 = is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vnni");
            sets.extend(avx512.then_some(&x86::AVX512_VNNI as &[_]));
        }
        for (kernels, pairs) in sets.into_iter().flat_map(|kernels| [1, 7, 288].map(|pairs| (kernels, pairs))) {
            for (kernel, count) in kernels.iter().zip(1..) {
                let x: Vec<i16> = noise(count * pairs * 2, 1).iter().map(|value| (value * 32767.0) as i16).collect();
                let panel: Vec<i8> = noise(pairs * 2 * PANEL, 2).iter().map(|value| (value * 127.0) as i8).collect();
                let mut sums = vec![[-1; PANEL]; count];
                // SAFETY: the lengths are these, and the instructions were detected.
                unsafe { kernel(&x, &panel, &mut sums) };
                for (n, o) in (0..count).flat_map(|n| (0..PANEL).map(move |o| (n, o))) {
                    let weight = |i: usize| panel[(o / STRIP * pairs * STRIP + i / 2 * STRIP + o % STRIP) * 2 + i % 2];
                    let exact: i64 = (0..pairs * 2).map(|i| i64::from(x[n * pairs * 2 + i]) * i64::from(weight(i))).sum();
                    assert_eq!(i64::from(sums[n][o]), exact, "{count} rows, {pairs} pairs");
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
