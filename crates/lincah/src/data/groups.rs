//! Splits that keep what belongs together on one side: the texts of one author, the messages of one thread.

use std::collections::HashMap;

use super::error::DataError;
use super::split::{Split, numpy_permutation};

/// The number of each row's group, from 0 in the order in which they first occur. A row without a value is a group of its own.
pub fn group_numbers(values: &[String]) -> Vec<usize> {
    let (mut numbers, mut next) = (HashMap::new(), 0);
    let number = |value: &String| {
        let found = if value.is_empty() { None } else { numbers.get(value).copied() };
        found.unwrap_or_else(|| {
            next += 1;
            if !value.is_empty() {
                numbers.insert(value.clone(), next - 1);
            }
            next - 1
        })
    };
    values.iter().map(number).collect()
}

/// Holds out whole groups: the last ones of [`numpy_permutation`], as many as it takes for at least `holdout` rows. Both sides are in the
/// order of the rows' own permutation, as [`holdout`](super::split::holdout)'s are.
///
/// # Errors
/// [`DataError::Holdout`] if a side is empty.
pub fn group_holdout(groups: &[usize], holdout: usize, seed: u32) -> Result<Split, DataError> {
    let n = groups.len();
    let sizes = sizes(groups);
    let mut is_held_out = vec![false; sizes.len()];
    let mut held_out = 0;
    for group in numpy_permutation(seed, sizes.len()).into_iter().rev() {
        if held_out >= holdout {
            break;
        }
        is_held_out[group] = true;
        held_out += sizes[group];
    }
    let (test, train): (Vec<usize>, Vec<usize>) =
        numpy_permutation(seed, n).into_iter().partition(|&row| is_held_out[groups[row]]);
    if test.is_empty() || train.is_empty() { Err(DataError::Holdout { rows: n, holdout }) } else { Ok(Split { train, test }) }
}

/// The part, from 0, of each row, whole groups staying together: each part is to have its share of the rows with each label.
///
/// The groups, shuffled by [`numpy_permutation`], are taken in the order in which their rows' labels are spread most unevenly (the standard
/// deviation of their counts per label); each goes to the part with which the mean over the labels of the standard deviation over the
/// parts of `rows with the label / (share · all of them)` becomes least; of equals to the part with fewest rows.
///
/// # Shapes
/// groups `[rows]`, truth `[rows][labels]`.
///
/// Source: `StratifiedGroupKFold` of scikit-learn 1.9, whose folds of equal shares it gives for groups that are numbered in their shuffled
/// order.
pub fn stratified_groups(groups: &[usize], truth: &[Vec<bool>], shares: &[f64], seed: u32) -> Vec<usize> {
    let labels = truth.first().map_or(0, Vec::len);
    let sizes = sizes(groups);
    let mut counts = vec![vec![0.0; labels]; sizes.len()];
    for (&group, row) in groups.iter().zip(truth) {
        counts[group].iter_mut().zip(row).for_each(|(count, &has)| *count += f64::from(u8::from(has)));
    }
    let totals: Vec<f64> = (0..labels).map(|label| counts.iter().map(|counts| counts[label]).sum::<f64>().max(1.0)).collect();
    let mut order = numpy_permutation(seed, sizes.len());
    order.sort_by(|&left, &right| deviation(&counts[right]).total_cmp(&deviation(&counts[left])));
    let mut filled = vec![vec![0.0; labels]; shares.len()];
    let mut rows = vec![0.0; shares.len()];
    let mut part_of = vec![0; sizes.len()];
    for group in order {
        let unevenness = |part: usize| {
            let of_label = |label: usize| {
                let with = |other: usize| filled[other][label] + if other == part { counts[group][label] } else { 0.0 };
                let filling: Vec<f64> = (0..shares.len()).map(|other| with(other) / (totals[label] * shares[other])).collect();
                deviation(&filling)
            };
            (0..labels).map(of_label).sum::<f64>() / labels as f64
        };
        let mut best = (0, f64::INFINITY, f64::INFINITY);
        for part in 0..shares.len() {
            let (value, filling) = (unevenness(part), rows[part] / shares[part]);
            let equal = (value - best.1).abs() <= 1e-8 + 1e-5 * best.1.abs();
            if value < best.1 && !equal || equal && filling < best.2 || best.1.is_infinite() {
                best = (part, value, filling);
            }
        }
        part_of[group] = best.0;
        filled[best.0].iter_mut().zip(&counts[group]).for_each(|(filled, count)| *filled += count);
        rows[best.0] += sizes[group] as f64;
    }
    groups.iter().map(|&group| part_of[group]).collect()
}

fn sizes(groups: &[usize]) -> Vec<usize> {
    let mut sizes = vec![0; groups.iter().max().map_or(0, |most| most + 1)];
    groups.iter().for_each(|&group| sizes[group] += 1);
    sizes
}

/// The population standard deviation.
fn deviation(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rows_without_a_value_are_alone() {
        let values = ["a", "", "b", "a", ""].map(String::from);
        assert_eq!(group_numbers(&values), [0, 1, 2, 0, 3]);
    }

    proptest! {
        #[test]
        fn no_group_is_on_two_sides(groups in prop::collection::vec(0_usize..12, 2..80), seed in any::<u32>(), held in 1_usize..20) {
            let groups = group_numbers(&groups.iter().map(usize::to_string).collect::<Vec<_>>());
            let apart = |side: &dyn Fn(usize) -> usize| {
                (0..groups.len()).all(|a| (0..groups.len()).all(|b| groups[a] != groups[b] || side(a) == side(b)))
            };
            if let Ok(Split { train, test }) = group_holdout(&groups, held, seed) {
                prop_assert!(test.len() >= held.min(groups.len() - train.len()));
                prop_assert_eq!(train.len() + test.len(), groups.len());
                prop_assert!(apart(&|row| usize::from(test.contains(&row))));
            }
            let truth: Vec<Vec<bool>> = (0..groups.len()).map(|row| vec![row % 3 == 0, row % 3 != 0]).collect();
            let parts = stratified_groups(&groups, &truth, &[0.5, 0.25, 0.25], seed);
            prop_assert!(apart(&|row| parts[row]));
        }
    }
}
