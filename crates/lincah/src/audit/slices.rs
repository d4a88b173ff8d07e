//! Accuracy by any column, and whether a slice is worse than the rest.

use super::outcomes;
use super::parts::{Part, parts};
use crate::evaluation::Truth;
use crate::prediction::Prediction;
use crate::statistics::holm;
use serde::{Deserialize, Serialize};
use statrs::function::factorial::ln_binomial;
use std::collections::BTreeMap;

/// Numbers of more values than this are cut into quarters.
const MOST_VALUES: usize = 10;
/// Values of fewer rows are joined.
const FEWEST_ROWS: usize = 10;
const RARE: &str = "(rare)";

/// The rows with one value of a column beside all others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SlicePart {
    /// The column.
    pub column: String,
    /// The rows with the value.
    #[serde(flatten)]
    pub part: Part,
    /// The accuracy of all other rows.
    pub rest: Option<f64>,
    /// The probability of so uneven a division of what is right, by [`fisher_exact`], adjusted by Holm for all slices looked at.
    pub p_value: f64,
}

/// Fisher's exact test, two-sided: the probability of a table with the same margins that is no more probable than `[[a, b], [c, d]]`.
///
/// Source: Fisher 1935, *The Logic of Inductive Inference*; two-sided as SciPy's `fisher_exact`.
pub fn fisher_exact([[a, b], [c, d]]: [[u64; 2]; 2]) -> f64 {
    let (first, second, successes) = (a + b, c + d, a + c);
    let logarithm = |a: u64| ln_binomial(first, a) + ln_binomial(second, successes - a) - ln_binomial(first + second, successes);
    let found = logarithm(a);
    let (least, most) = (successes.saturating_sub(second), successes.min(first));
    // As SciPy, tables that are as probable but for rounding count.
    let probable = (least..=most).map(logarithm).filter(|logarithm| *logarithm <= found + 1e-7);
    probable.map(f64::exp).sum::<f64>().min(1.0)
}

/// The slices of all columns, the least accurate first.
pub(super) fn of(truth: Truth, predictions: &[Prediction], columns: &[(String, &[String])]) -> Vec<SlicePart> {
    let all = outcomes(truth, predictions);
    let (rows, right) = (all.len() as u64, all.iter().filter(|(right, _)| *right).count() as u64);
    let mut slices = Vec::new();
    for (column, values) in columns {
        for part in parts(truth, predictions, &cut(values)) {
            let (other_rows, other_right) = (rows - part.rows, right - part.right);
            let table = [[part.right, part.rows - part.right], [other_right, other_rows - other_right]];
            let rest = (other_rows > 0).then(|| other_right as f64 / other_rows as f64);
            slices.push(SlicePart { column: column.clone(), rest, p_value: fisher_exact(table), part });
        }
    }
    let adjusted = holm(&slices.iter().map(|slice| slice.p_value).collect::<Vec<_>>());
    slices.iter_mut().zip(adjusted).for_each(|(slice, p_value)| slice.p_value = p_value);
    slices.sort_by(|a, b| a.part.accuracy.unwrap_or(1.0).total_cmp(&b.part.accuracy.unwrap_or(1.0)));
    slices
}

/// Numbers of many values in quarters, other rare values as one.
fn cut(values: &[String]) -> Vec<String> {
    let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
    values.iter().for_each(|value| *counts.entry(value).or_default() += 1);
    let numbers: Option<Vec<f64>> =
        values.iter().map(|value| value.trim().parse().ok().filter(|number: &f64| number.is_finite())).collect();
    if let Some(numbers) = numbers.filter(|_| counts.len() > MOST_VALUES) {
        return quarters(&numbers);
    }
    let named = |value: &String| match counts[value] {
        _ if value.is_empty() => String::new(),
        count if count < FEWEST_ROWS => String::from(RARE),
        _ => value.clone(),
    };
    values.iter().map(named).collect()
}

fn quarters(numbers: &[f64]) -> Vec<String> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |share: usize| sorted[(sorted.len() - 1) * share / 4];
    let mut edges: Vec<f64> = (1..4).map(at).collect();
    edges.dedup();
    let named = |number: &f64| match edges.partition_point(|edge| edge < number) {
        0 => format!("up to {}", edges[0]),
        place if place == edges.len() => format!("above {}", edges[place - 1]),
        place => format!("above {} up to {}", edges[place - 1], edges[place]),
    };
    numbers.iter().map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_cut_into_quarters_and_rare_values_joined() {
        let numbers: Vec<String> = (0..40).map(|number| number.to_string()).collect();
        let mut names = cut(&numbers);
        names.dedup();
        assert_eq!(names, ["up to 9", "above 9 up to 19", "above 19 up to 29", "above 29"]);
        let words: Vec<String> = (0..40).map(|row| if row < 30 { "often".into() } else { format!("word {row}") }).collect();
        let mut names = cut(&words);
        names.dedup();
        assert_eq!(names, ["often", RARE]);
    }
}
