//! Two classifiers on the same rows.

use serde::{Deserialize, Serialize};

/// McNemar's exact test: of the rows that one classifier has right and the other wrong, are they one's more often than a fair coin would
/// have it?
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct McNemar {
    /// Rows that the first classifier alone has right.
    pub only_first_right: u64,
    /// Rows that the second classifier alone has right.
    pub only_second_right: u64,
    /// The probability of so unequal a division, or a more unequal one, if both were equally good (two-sided).
    pub p_value: f64,
}

/// p = min(1, 2 Σᵢ₌₀ᵐ (n over i) / 2ⁿ), n the rows that exactly one classifier has right and m the smaller part of them; 1 if n is 0.
///
/// Source: McNemar 1947, doi 10.1007/BF02295996; the exact form is the two-sided binomial test with probability 1/2.
pub fn mcnemar(first_right: &[bool], second_right: &[bool]) -> McNemar {
    let count = |first: bool| first_right.iter().zip(second_right).filter(|&(&a, &b)| a == first && b != first).count() as u64;
    let (only_first_right, only_second_right) = (count(true), count(false));
    let (discordant, smaller) = (only_first_right + only_second_right, only_first_right.min(only_second_right));
    // ln (n over i) grows by ln (n - i + 1) / i; logarithms, as 2ⁿ leaves f64 at n = 1024.
    let (mut logarithm, mut tail) = (-(discordant as f64) * std::f64::consts::LN_2, 0.0);
    for index in 0..=smaller {
        if index > 0 {
            logarithm += ((discordant - index + 1) as f64 / index as f64).ln();
        }
        tail += logarithm.exp();
    }
    McNemar { only_first_right, only_second_right, p_value: (2.0 * tail).min(1.0) }
}

/// The p-values of several tests, so that the chance of any false alarm among them stays that of one: the smallest times the number of tests,
/// the next times one less, and so on, none below the one before it, 1 at most.
///
/// Source: Holm 1979, *A simple sequentially rejective multiple test procedure*, Scandinavian Journal of Statistics 6.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&left, &right| p_values[left].total_cmp(&p_values[right]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut highest: f64 = 0.0;
    for (place, &test) in order.iter().enumerate() {
        highest = highest.max(p_values[test] * (p_values.len() - place) as f64).min(1.0);
        adjusted[test] = highest;
    }
    adjusted
}

/// The second classifier's metric minus the first's, on the same rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// On the rows as they are.
    pub value: f64,
    /// 95 % percentile bootstrap interval: each resample has the same rows for both.
    pub interval: [f64; 2],
}

impl Difference {
    /// Whether the interval leaves 0 out.
    pub fn is_clear(&self) -> bool {
        self.interval[0] > 0.0 || self.interval[1] < 0.0
    }
}
