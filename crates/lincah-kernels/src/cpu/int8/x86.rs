//! The micro-kernels of AVX2 and of both kinds of VNNI, whose sums are the same whole numbers.

use super::{MicroKernel, PANEL, STRIP};
use std::arch::x86_64::*;

/// Defines micro-kernels of 256 bits, a strip after the other, for an instruction that multiplies pairs and adds them to sums.
macro_rules! kernels_of_256_bits {
    ($table:ident, $function:ident, $features:literal, |$sum:ident, $pair:ident, $strip:ident| $sum_of_products:expr) => {
        pub(super) static $table: [MicroKernel; 6] =
            [$function::<1>, $function::<2>, $function::<3>, $function::<4>, $function::<5>, $function::<6>];

        /// # Safety
        /// As [`MicroKernel`], with `ROWS` rows.
        #[target_feature(enable = $features)]
        unsafe fn $function<const ROWS: usize>(x: &[i16], panel: &[i8], result: &mut [[i32; PANEL]]) {
            let row_length = panel.len() / PANEL;
            for half in 0..2 {
                let mut sums = [[_mm256_setzero_si256(); 2]; ROWS];
                let (mut weight, mut factor) = (panel.as_ptr().wrapping_add(half * row_length * STRIP), x.as_ptr());
                for _ in 0..row_length / 2 {
                    // SAFETY: the caller's promise.
                    unsafe {
                        let strips = [
                            _mm256_cvtepi8_epi16(_mm_loadu_si128(weight.cast())),
                            _mm256_cvtepi8_epi16(_mm_loadu_si128(weight.add(16).cast())),
                        ];
                        for (row, sums) in sums.iter_mut().enumerate() {
                            let $pair = _mm256_set1_epi32(factor.add(row * row_length).cast::<i32>().read_unaligned());
                            for (sum, $strip) in sums.iter_mut().zip(strips) {
                                let $sum = *sum;
                                *sum = $sum_of_products;
                            }
                        }
                    }
                    weight = weight.wrapping_add(2 * STRIP);
                    factor = factor.wrapping_add(2);
                }
                for (result, sums) in result.iter_mut().zip(sums) {
                    for (result, sum) in result[half * STRIP..].chunks_exact_mut(8).zip(sums) {
                        // SAFETY: eight numbers are there.
                        unsafe { _mm256_storeu_si256(result.as_mut_ptr().cast(), sum) };
                    }
                }
            }
        }
    };
}

kernels_of_256_bits!(AVX2, avx2, "avx2", |sum, pair, strip| _mm256_add_epi32(sum, _mm256_madd_epi16(pair, strip)));
kernels_of_256_bits!(AVX_VNNI, avx_vnni, "avx2,avxvnni", |sum, pair, strip| _mm256_dpwssd_avx_epi32(sum, pair, strip));

pub(super) static AVX512_VNNI: [MicroKernel; super::MOST_ROWS] = [
    avx512_vnni::<1>,
    avx512_vnni::<2>,
    avx512_vnni::<3>,
    avx512_vnni::<4>,
    avx512_vnni::<5>,
    avx512_vnni::<6>,
    avx512_vnni::<7>,
    avx512_vnni::<8>,
    avx512_vnni::<9>,
    avx512_vnni::<10>,
    avx512_vnni::<11>,
    avx512_vnni::<12>,
];

/// Both strips at once.
///
/// # Safety
/// As [`MicroKernel`], with `ROWS` rows.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn avx512_vnni<const ROWS: usize>(x: &[i16], panel: &[i8], result: &mut [[i32; PANEL]]) {
    let row_length = panel.len() / PANEL;
    let mut sums = [[_mm512_setzero_si512(); 2]; ROWS];
    let (mut weight, mut factor) = (panel.as_ptr(), x.as_ptr());
    for _ in 0..row_length / 2 {
        // SAFETY: the caller's promise.
        unsafe {
            let strips = [
                _mm512_cvtepi8_epi16(_mm256_loadu_si256(weight.cast())),
                _mm512_cvtepi8_epi16(_mm256_loadu_si256(weight.wrapping_add(row_length * STRIP).cast())),
            ];
            for (row, sums) in sums.iter_mut().enumerate() {
                let pair = _mm512_set1_epi32(factor.add(row * row_length).cast::<i32>().read_unaligned());
                for (sum, strip) in sums.iter_mut().zip(strips) {
                    *sum = _mm512_dpwssd_epi32(*sum, pair, strip);
                }
            }
        }
        weight = weight.wrapping_add(2 * STRIP);
        factor = factor.wrapping_add(2);
    }
    for (result, sums) in result.iter_mut().zip(sums) {
        for (result, sum) in result.chunks_exact_mut(16).zip(sums) {
            // SAFETY: sixteen numbers are there.
            unsafe { _mm512_storeu_si512(result.as_mut_ptr().cast(), sum) };
        }
    }
}
