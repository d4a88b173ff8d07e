//! Exact intervals of shares.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Beta, ContinuousCDF};

/// The exact two-sided interval of a share, `successes` of `rows`, at this confidence (0.95 for 95 %): from the lower α/2 quantile of
/// Beta(k, n - k + 1) to the upper one of Beta(k + 1, n - k), with 0 below no and 1 above only successes. It covers the true share at least
/// as often as it says. `[0, 1]` of no rows.
///
/// Source: Clopper and Pearson 1934, doi 10.1093/biomet/26.4.404.
pub fn exact_interval(successes: u64, rows: u64, confidence: f64) -> [f64; 2] {
    let tail = (1.0 - confidence) / 2.0;
    let quantile = |successes: u64, failures: u64, share: f64| {
        Beta::new(successes as f64, failures as f64).map_or(share, |beta| beta.inverse_cdf(share))
    };
    let low = if successes == 0 { 0.0 } else { quantile(successes, rows + 1 - successes, tail) };
    let high = if successes >= rows { 1.0 } else { quantile(successes + 1, rows - successes, 1.0 - tail) };
    [low, high]
}

/// The lowest rate that `rows` rows without a single error can show: the one-sided upper bound 1 - (1 - confidence)^(1 / n) of a rate that
/// was 0 on all of them; 1 of no rows.
pub fn lowest_shown_rate(rows: u64, confidence: f64) -> f64 {
    if rows == 0 { 1.0 } else { 1.0 - (1.0 - confidence).powf(1.0 / rows as f64) }
}

/// The rows without a single error that are needed to show a rate of at most `rate`: the smallest n with (1 - rate)^n ≤ 1 - confidence.
pub fn rows_to_show_rate(rate: f64, confidence: f64) -> u64 {
    ((1.0 - confidence).ln() / (1.0 - rate).ln()).ceil() as u64
}

/// A share of rows that were counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proportion {
    /// Rows that count.
    pub successes: u64,
    /// Rows in all.
    pub rows: u64,
}

impl Proportion {
    /// So many of so many.
    pub fn new(successes: u64, rows: u64) -> Self {
        Self { successes, rows }
    }

    /// successes / rows, none of no rows.
    pub fn value(self) -> Option<f64> {
        (self.rows > 0).then(|| self.successes as f64 / self.rows as f64)
    }

    /// [`exact_interval`] at 95 %.
    pub fn interval(self) -> [f64; 2] {
        exact_interval(self.successes, self.rows, 0.95)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_scipys() {
        // statsmodels.stats.proportion.proportion_confint(k, n, alpha, method="beta"), see tools/golden/decisions.py.
        for ((successes, rows, confidence), expected) in [
            ((0, 85, 0.95), [0.0, 0.042_470_339_911_249_17]),
            ((3, 10, 0.95), [0.066_739_511_177_734_47, 0.652_452_850_059_997_3]),
            ((80, 100, 0.95), [0.708_157_310_911_371_9, 0.873_344_447_898_044_1]),
            ((412, 515, 0.975), [0.757_402_838_880_387_4, 0.838_181_622_442_316_4]),
            ((10, 10, 0.95), [0.691_502_892_181_239_1, 1.0]),
        ] {
            let found = exact_interval(successes, rows, confidence);
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-9, "{successes}/{rows}: {found:?} and not {expected:?}");
            }
        }
        assert_eq!(exact_interval(0, 0, 0.95), [0.0, 1.0]);
    }

    #[test]
    fn rows_without_an_error_show_no_rate_below_their_bound() {
        assert!((lowest_shown_rate(85, 0.95) - 0.0346).abs() < 1e-4);
        assert_eq!(rows_to_show_rate(0.01, 0.95), 299);
        assert!(lowest_shown_rate(299, 0.95) <= 0.01 && lowest_shown_rate(298, 0.95) > 0.01);
    }
}
