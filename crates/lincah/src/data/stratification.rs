//! Splits of a multi-label data set that give every part its share of every label.

use rand_mt::Mt;

use super::error::DataError;
use super::split::{Split, numpy_draw};

/// The fold, from 0, in which each row is tested: [`iterative_stratification`] into equal shares, which is what
/// `MultilabelStratifiedKFold(folds, random_state=seed)` of the Python package iterative-stratification does without shuffling.
/// `labels[row][label]` says whether the row has the label.
///
/// # Errors
/// [`DataError::MultiLabelFolds`] for fewer than 2 folds or more than there are rows.
pub fn multi_label_folds(labels: &[Vec<bool>], folds: usize, seed: u32) -> Result<Vec<usize>, DataError> {
    if folds < 2 || folds > labels.len() {
        return Err(DataError::MultiLabelFolds { folds, rows: labels.len() });
    }
    Ok(iterative_stratification(labels, &vec![1.0 / folds as f64; folds], seed))
}

/// Splits rows so that about `fraction` of them, and of those with each label, are on the validation side (`test`). Both sides keep the
/// order of `labels`.
///
/// # Errors
/// [`DataError::ValidationFraction`] outside (0, 1), [`DataError::Holdout`] if a side is empty.
pub fn multi_label_validation_split(labels: &[Vec<bool>], fraction: f64, seed: u32) -> Result<Split, DataError> {
    if !(fraction > 0.0 && fraction < 1.0) {
        return Err(DataError::ValidationFraction { fraction });
    }
    let part_of = iterative_stratification(labels, &[1.0 - fraction, fraction], seed);
    let (test, train): (Vec<usize>, Vec<usize>) = (0..labels.len()).partition(|&row| part_of[row] == 1);
    if test.is_empty() || train.is_empty() {
        return Err(DataError::Holdout { rows: labels.len(), holdout: test.len() });
    }
    Ok(Split { train, test })
}

/// Deals rows to parts of the given shares, the label with the fewest rows left first, each row to the part that lacks most of that label.
///
/// Part j is to have shareⱼ · n rows in all and shareⱼ · n_l of those with label l. Again and again the label with the fewest remaining
/// rows is taken, and each of its rows, in order, goes to the part that still wants most rows with this label; of equals to the one that
/// wants most rows in all; of equals to one drawn. Rows without any label come last, to the parts that want most rows. Ties are drawn by
/// NumPy's legacy `RandomState(seed)`.
///
/// Source: Sechidis, Tsoumakas and Vlahavas 2011, doi 10.1007/978-3-642-23808-6_10, with the draws of the Python package
/// iterative-stratification 0.1.9.
pub fn iterative_stratification(labels: &[Vec<bool>], shares: &[f64], seed: u32) -> Vec<usize> {
    let mut random = Mt::new(seed);
    let label_count = labels.first().map_or(0, Vec::len);
    let with = |rows: &[usize], label: usize| rows.iter().filter(|&&row| labels[row][label]).count();
    let mut left: Vec<usize> = (0..labels.len()).collect();
    let mut wanted: Vec<f64> = shares.iter().map(|share| share * labels.len() as f64).collect();
    let wanted_of_label = |label: usize| shares.iter().map(|share| share * with(&left, label) as f64).collect();
    let mut wanted_of: Vec<Vec<f64>> = (0..label_count).map(wanted_of_label).collect();
    let mut part_of = vec![0; labels.len()];
    while !left.is_empty() {
        let counts: Vec<usize> = (0..label_count).map(|label| with(&left, label)).collect();
        let fewest = counts.iter().copied().filter(|&count| count > 0).min();
        let label = fewest.map(|fewest| {
            let rarest: Vec<usize> = (0..label_count).filter(|&label| counts[label] == fewest).collect();
            one_of(&rarest, &mut random)
        });
        let (now, later): (Vec<usize>, Vec<usize>) =
            left.into_iter().partition(|&row| label.is_none_or(|label| labels[row][label]));
        for row in now {
            let parts: Vec<usize> = (0..shares.len()).collect();
            let parts = label.map_or(parts.clone(), |label| largest(&parts, &wanted_of[label]));
            let part = one_of(&largest(&parts, &wanted), &mut random);
            part_of[row] = part;
            wanted[part] -= 1.0;
            (0..label_count).filter(|&label| labels[row][label]).for_each(|label| wanted_of[label][part] -= 1.0);
        }
        left = later;
    }
    part_of
}

/// Those of `parts` with the largest value.
fn largest(parts: &[usize], values: &[f64]) -> Vec<usize> {
    let most = parts.iter().map(|&part| values[part]).fold(f64::NEG_INFINITY, f64::max);
    parts.iter().copied().filter(|&part| values[part] == most).collect()
}

/// The only one, or one drawn.
fn one_of(candidates: &[usize], random: &mut Mt) -> usize {
    if candidates.len() == 1 { candidates[0] } else { candidates[numpy_draw(random, candidates.len() - 1)] }
}
