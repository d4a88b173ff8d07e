//! Which instructions this processor has, and a macro that compiles a plain loop once for each.

use std::sync::OnceLock;

/// Instruction sets that the CPU code is compiled for, the plainest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum InstructionSet {
    /// What the target always has.
    Portable,
    /// AVX2 with FMA.
    Avx2,
    /// AVX-512 (F, VL, DQ, BW).
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code))]
    Avx512,
}

/// The instruction set in use: the processor's best, or a plainer one that the environment asks for.
pub(crate) fn instruction_set() -> InstructionSet {
    static CHOSEN: OnceLock<InstructionSet> = OnceLock::new();
    *CHOSEN.get_or_init(|| match std::env::var("LINCAH_INSTRUCTIONS").as_deref() {
        Ok("portable") => InstructionSet::Portable,
        Ok("avx2") => detected().min(InstructionSet::Avx2),
        _ => detected(),
    })
}

/// The best instruction set of this processor.
fn detected() -> InstructionSet {
    #[cfg(target_arch = "x86_64")]
    {
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512bw");
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        if avx512 && avx2 {
            return InstructionSet::Avx512;
        }
        if avx2 {
            return InstructionSet::Avx2;
        }
    }
    InstructionSet::Portable
}

/// Defines a function whose loops the compiler vectorizes for each instruction set; the best one is chosen when it is called.
macro_rules! vectorized {
    ($(#[$attribute:meta])* $visibility:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$attribute])*
        $visibility fn $name($($argument: $type),*) $(-> $result)? {
            #[inline(always)]
            fn body($($argument: $type),*) $(-> $result)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
                fn avx512($($argument: $type),*) $(-> $result)? {
                    body($($argument),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($argument: $type),*) $(-> $result)? {
                    body($($argument),*)
                }
                match $crate::cpu::simd::instruction_set() {
                    // SAFETY: the instruction set was detected.
                    $crate::cpu::simd::InstructionSet::Avx512 => return unsafe { avx512($($argument),*) },
                    // SAFETY: the instruction set was detected.
                    $crate::cpu::simd::InstructionSet::Avx2 => return unsafe { avx2($($argument),*) },
                    $crate::cpu::simd::InstructionSet::Portable => {}
                }
            }
            body($($argument),*)
        }
    };
}
pub(crate) use vectorized;

/// Sum of sixteen numbers, in the same order on every instruction set.
#[inline(always)]
fn sum_of_lanes(mut sums: [f32; 16]) -> f32 {
    for width in [8, 4, 2, 1] {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
    }
    sums[0]
}

/// Sum, in sixteen interleaved sums added at the end.
#[inline(always)]
pub(crate) fn sum(a: &[f32]) -> f32 {
    let (blocks, rest) = a.as_chunks::<16>();
    let mut sums = [0.0f32; 16];
    for block in blocks {
        for lane in 0..16 {
            sums[lane] += block[lane];
        }
    }
    sum_of_lanes(sums) + rest.iter().sum::<f32>()
}

/// Sum of products, in sixteen interleaved sums added at the end: the same bits whatever the instruction set's width.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 16];
    let ((a_blocks, a_rest), (b_blocks, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..16 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sum_of_lanes(sums) + rest
}

/// Sum of products of three, likewise.
#[inline(always)]
pub(crate) fn dot3(a: &[f32], b: &[f32], c: &[f32]) -> f32 {
    let mut sums = [0.0f32; 16];
    let ((a_blocks, a_rest), (b_blocks, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    let (c_blocks, c_rest) = c.as_chunks::<16>();
    let rest: f32 = a_rest.iter().zip(b_rest).zip(c_rest).map(|((a, b), c)| a * b * c).sum();
    for ((a, b), c) in a_blocks.iter().zip(b_blocks).zip(c_blocks) {
        for lane in 0..16 {
            sums[lane] += a[lane] * b[lane] * c[lane];
        }
    }
    sum_of_lanes(sums) + rest
}

/// Turns numbers into `e^(x - highest)` in place; returns the highest and the sum.
#[inline(always)]
pub(crate) fn exponentials_of_differences(x: &mut [f32]) -> (f32, f32) {
    let (blocks, rest) = x.as_chunks_mut::<16>();
    let mut lanes = [f32::NEG_INFINITY; 16];
    for block in blocks.iter() {
        for lane in 0..16 {
            lanes[lane] = if block[lane] > lanes[lane] { block[lane] } else { lanes[lane] };
        }
    }
    let highest = lanes.iter().chain(rest.iter()).copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sums = [0.0f32; 16];
    for block in blocks {
        for lane in 0..16 {
            block[lane] = exp(block[lane] - highest);
            sums[lane] += block[lane];
        }
    }
    let mut last = 0.0;
    for x in rest {
        *x = exp(*x - highest);
        last += *x;
    }
    (highest, sum_of_lanes(sums) + last)
}

/// `(e^r - 1, 2^n)` with `x = n ln 2 + r` (Cody & Waite 1980), by the Taylor polynomial of degree 7 on |r| ≤ ln 2 / 2.
#[inline(always)]
fn reduced_exp(x: f32) -> (f32, f32) {
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let p = 1.0 / 5040.0;
    let p = p * r + 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let p = p * r + 1.0;
    (p * r, f32::from_bits(shifted.to_bits().wrapping_add(127).wrapping_shl(23)))
}

/// `e^x` to about 1e-7 relative, in operations that vectorize.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let (p, power) = reduced_exp(x);
    (p + 1.0) * power
}

/// `tanh x` to about 3e-7 relative: `-m / (m + 2)` with `m = e^(-2|x|) - 1`, which does not cancel near 0.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let (p, power) = reduced_exp(-2.0 * x.abs());
    let m = p * power + (power - 1.0);
    (-m / (m + 2.0)).copysign(x)
}

#[cfg(test)]
mod tests {
    #[test]
    fn exp_is_close_to_the_exact_one_over_its_whole_range() {
        for i in -8_700..=8_800 {
            let x = i as f32 / 100.0;
            let exact = f64::from(x).exp();
            assert!((f64::from(super::exp(x)) / exact - 1.0).abs() < 4e-7, "{x}: {} {exact}", super::exp(x));
        }
        assert!(super::exp(-1e9) < 2e-38 && super::exp(0.0) == 1.0);
    }

    #[test]
    fn tanh_is_close_to_the_exact_one_and_odd() {
        for i in 1..=200_000 {
            let x = i as f32 / 10_000.0;
            let exact = f64::from(x).tanh();
            assert!((f64::from(super::tanh(x)) / exact - 1.0).abs() < 5e-7, "{x}: {} {exact}", super::tanh(x));
            assert_eq!(super::tanh(-x), -super::tanh(x));
        }
        assert!(
            super::tanh(0.0) == 0.0 && super::tanh(1e9) == 1.0 && super::tanh(1e-30) == 1e-30 && super::tanh(f32::NAN).is_nan()
        );
    }
}
