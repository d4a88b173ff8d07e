//! Percentile bootstrap over the test rows.

use crate::random::below;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;

/// Resamples behind every interval.
pub const RESAMPLES: usize = 2000;
/// Every interval is drawn from this seed, so the same rows have the same intervals.
const SEED: u64 = 0x626F_6F74;

/// What `of` makes of each of the [`RESAMPLES`] resamples of `rows` rows. Resample b is stream b of ChaCha8, so threads change nothing.
pub(super) fn each_resample<T: Send>(rows: usize, of: impl Fn(&[u32]) -> T + Sync) -> Vec<T> {
    let resample = |index: usize| {
        let mut random = ChaCha8Rng::seed_from_u64(SEED);
        random.set_stream(index as u64);
        let mut counts = vec![0; rows];
        (0..rows).for_each(|_| counts[below(&mut random, rows)] += 1);
        of(&counts)
    };
    (0..RESAMPLES).into_par_iter().map(resample).collect()
}

/// What `of` makes of the row numbers of each resample, one that was drawn twice being there twice.
pub(crate) fn resampled_rows<T: Send>(rows: usize, of: impl Fn(&[usize]) -> T + Sync) -> Vec<T> {
    each_resample(rows, |counts| {
        let drawn = counts.iter().enumerate().flat_map(|(row, &count)| std::iter::repeat_n(row, count as usize));
        of(&drawn.collect::<Vec<_>>())
    })
}

/// The 2.5th and the 97.5th percentile, between two values by linear interpolation (NumPy's `percentile`); none of no values.
pub fn percentile_interval(mut values: Vec<f64>) -> Option<[f64; 2]> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let percentile = |share: f64| {
        let place = share * last as f64;
        let (below, above) = (values[place.floor() as usize], values[place.ceil() as usize]);
        below + (above - below) * place.fract()
    };
    Some([percentile(0.025), percentile(0.975)])
}
