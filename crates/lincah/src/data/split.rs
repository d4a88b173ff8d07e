//! Splits of a data set: the codelab's shuffle and holdout, and a stratified validation split.

use rand_mt::Mt;

use super::error::DataError;

/// The order in which NumPy's legacy `numpy.random.RandomState(seed).permutation(n)` puts 0 to n - 1,
/// which is also the order of rows that pandas' `sample(frac=1, random_state=seed)` gives.
///
/// Fisher-Yates from the top: for i = n - 1 down to 1, swap i with j drawn uniformly from 0 to i. The draw masks a 32-bit word of the
/// Mersenne Twister (MT19937, seeded by `init_genrand`) to the bits that i has and draws again while it is above i.
///
/// `n` is at most 2³², as NumPy draws 64-bit words above.
///
/// Source: `random_interval` and `_shuffle_raw` of numpy/random/mtrand;
/// Matsumoto and Nishimura 1998, doi 10.1145/272991.272995.
pub fn numpy_permutation(seed: u32, n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    numpy_shuffle(&mut Mt::new(seed), &mut order);
    order
}

/// NumPy's `RandomState.shuffle` of a flat array, as [`numpy_permutation`] describes it.
fn numpy_shuffle(random: &mut Mt, values: &mut [usize]) {
    for last in (1..values.len()).rev() {
        values.swap(last, numpy_draw(random, last));
    }
}

/// NumPy's draw from 0 to `last`: a 32-bit word masked to the bits that `last` has, again while it is above.
pub(super) fn numpy_draw(random: &mut Mt, last: usize) -> usize {
    let mask = u32::MAX >> (last as u32).leading_zeros();
    loop {
        let value = (random.next_u32() & mask) as usize;
        if value <= last {
            return value;
        }
    }
}

/// Row indices on either side of a split, each in the order in which to use them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Rows to train on.
    pub train: Vec<usize>,
    /// Rows to test or validate on.
    pub test: Vec<usize>,
}

/// Shuffles n rows by [`numpy_permutation`]: the last `holdout` are for the test, the first n - `holdout` for training, and of
/// those only the first `train_size` if it is given.
///
/// # Errors
/// [`DataError::Holdout`] if a side is empty, [`DataError::TrainSize`] if `train_size` is 0 or more than there are.
pub fn holdout(n: usize, holdout: usize, seed: u32, train_size: Option<usize>) -> Result<Split, DataError> {
    if holdout == 0 || holdout >= n {
        return Err(DataError::Holdout { rows: n, holdout });
    }
    let mut train = numpy_permutation(seed, n);
    let test = train.split_off(n - holdout);
    match train_size {
        Some(train_size) if train_size == 0 || train_size > train.len() => {
            Err(DataError::TrainSize { train_size, available: train.len() })
        }
        _ => {
            train.truncate(train_size.unwrap_or(train.len()));
            Ok(Split { train, test })
        }
    }
}

/// Rows to train on and, if some are held out, those to test on, as indices in the order in which to use them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sides {
    /// Rows to train on.
    pub train: Vec<usize>,
    /// Rows that are held out.
    pub test: Option<Vec<usize>>,
}

/// The sides of `n` rows: [`holdout`] if some are held out, else the rows in their order, of which only the first `train_size` are trained
/// on if it is given.
///
/// # Errors
/// [`DataError::Holdout`] if a side is empty, [`DataError::TrainSize`] if `train_size` is 0 or more than there are.
pub fn sides(n: usize, held_out: Option<usize>, seed: u32, train_size: Option<usize>) -> Result<Sides, DataError> {
    if let Some(held_out) = held_out {
        let Split { train, test } = holdout(n, held_out, seed, train_size)?;
        return Ok(Sides { train, test: Some(test) });
    }
    match train_size {
        Some(train_size) if train_size == 0 || train_size > n => Err(DataError::TrainSize { train_size, available: n }),
        _ => Ok(Sides { train: (0..train_size.unwrap_or(n)).collect(), test: None }),
    }
}

/// Splits rows so that each class has about `fraction` of its rows on the validation side (`test`).
///
/// A class with m rows gives round(m · `fraction`), at least 1 and at most m - 1; which ones is drawn by [`numpy_permutation`].
/// Both sides keep the order of `labels`. Classes without any row are left out.
///
/// # Errors
/// [`DataError::ValidationFraction`] outside (0, 1), [`DataError::ValidationClass`] for a class of one row.
pub fn validation_split(labels: &[usize], fraction: f64, seed: u32) -> Result<Split, DataError> {
    if !(fraction > 0.0 && fraction < 1.0) {
        return Err(DataError::ValidationFraction { fraction });
    }
    let classes = labels.iter().max().map_or(0, |highest| highest + 1);
    let mut rows_of = vec![Vec::new(); classes];
    for row in numpy_permutation(seed, labels.len()) {
        rows_of[labels[row]].push(row);
    }
    let mut validates = vec![false; labels.len()];
    for (label, rows) in rows_of.iter().enumerate().filter(|(_, rows)| !rows.is_empty()) {
        if rows.len() == 1 {
            return Err(DataError::ValidationClass { label, rows: 1 });
        }
        let count = (rows.len() as f64 * fraction).round() as usize;
        for &row in &rows[..count.clamp(1, rows.len() - 1)] {
            validates[row] = true;
        }
    }
    let (test, train) = (0..labels.len()).partition(|&row| validates[row]);
    Ok(Split { train, test })
}

/// The fold, from 0, in which each row is tested: scikit-learn's `StratifiedKFold(folds, shuffle=True, random_state=seed)`.
///
/// The rows sorted by class (classes in the order in which they first occur) are dealt out to the folds in turn, which decides how many of
/// each class a fold gets; which rows these are is shuffled for each class by one `RandomState(seed)`.
///
/// Source: `StratifiedKFold._make_test_folds` in scikit-learn 1.9.
///
/// # Errors
/// [`DataError::Folds`] for fewer than 2 folds, or more than the smallest class has rows.
pub fn stratified_folds(labels: &[usize], folds: usize, seed: u32) -> Result<Vec<usize>, DataError> {
    let mut classes: Vec<usize> = Vec::new();
    labels.iter().for_each(|label| {
        if !classes.contains(label) {
            classes.push(*label);
        }
    });
    let rows_of = |class: usize| labels.iter().filter(|&&label| label == class).count();
    let smallest = classes.iter().map(|&class| rows_of(class)).min().unwrap_or(0);
    if folds < 2 || folds > smallest {
        return Err(DataError::Folds { folds, smallest });
    }
    let (mut random, mut fold_of, mut dealt) = (Mt::new(seed), vec![0; labels.len()], 0);
    for class in classes {
        let mut shares = vec![0; folds];
        let rows = rows_of(class);
        (dealt..dealt + rows).for_each(|place| shares[place % folds] += 1);
        dealt += rows;
        let mut drawn: Vec<usize> = (0..folds).flat_map(|fold| std::iter::repeat_n(fold, shares[fold])).collect();
        numpy_shuffle(&mut random, &mut drawn);
        let of_class = labels.iter().enumerate().filter(|&(_, &label)| label == class);
        of_class.zip(drawn).for_each(|((row, _), fold)| fold_of[row] = fold);
    }
    Ok(fold_of)
}

/// The fold, from 0, of each row where every class is to be spread over the folds as evenly as can be, however few rows it has: the rows,
/// sorted by class and within it by [`numpy_permutation`], are dealt out in turn. At most a fold per row.
pub(crate) fn dealt_folds(classes: &[usize], folds: usize, seed: u32) -> Vec<usize> {
    let mut order = numpy_permutation(seed, classes.len());
    order.sort_by_key(|&row| classes[row]);
    let mut fold_of = vec![0; classes.len()];
    order.iter().enumerate().for_each(|(place, &row)| fold_of[row] = place % folds.min(classes.len()).max(1));
    fold_of
}
