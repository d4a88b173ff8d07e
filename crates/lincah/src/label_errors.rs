//! Rows whose label may be wrong, found by confident learning: scores of classifiers that have not seen a row, against the row's label.
//!
//! With p̂(k | xᵢ) the out-of-fold probability of class k and ỹᵢ the label given:
//! - *threshold* of class k: tₖ, the mean of p̂(k | xᵢ) over the rows with ỹᵢ = k;
//! - *confident joint*: C[i, j] counts the rows with label i whose most probable class among those with p̂ ≥ t is j; it is then scaled so that
//!   its rows sum to the labels' counts;
//! - *suspects*: either the rows counted off the diagonal of C, or for each pair i ≠ j the C[i, j] rows of label i with the largest
//!   p̂(j) - p̂(i). A row whose given label is the most probable one is never one.
//!
//! Independent labels are looked at one by one, each as having it or not.
//!
//! Source: Northcutt, Jiang and Chuang 2021, *Confident Learning: Estimating Uncertainty in Dataset Labels*, JAIR 70,
//! doi 10.1613/jair.1.12125, with the constants and the order of steps of `find_label_issues` in cleanlab 2.9.

use crate::evaluation::Truth;
use crate::metrics::{MetricError, check_lengths, check_probability};
use crate::prediction::{Prediction, most_probable};
use crate::results::RowLabels;
use crate::task::Task;
use serde::Serialize;

/// What differs by less counts as equal.
const TOLERANCE: f64 = 1e-6;
/// At least so many rows of each label are taken to be right.
const RIGHT_ROWS: f64 = 1.0;

/// Which rows are suspects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Filter {
    /// As many as the confident joint estimates for each pair of labels, those with the largest margin.
    #[default]
    PruneByNoiseRate,
    /// Those counted off the diagonal of the confident joint.
    ConfidentLearning,
}

/// A row whose label may be wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelError {
    /// The row's index, from 0.
    pub index: usize,
    /// Whether it should have each label.
    pub suggested: Vec<bool>,
    /// The normalized margin (p̂ of the label given - the highest other p̂ + 1) / 2, from 0 to 1: the lower, the surer the error. Of
    /// independent labels the lowest of the suspected answers', for which it is the probability of the answer given.
    pub score: f64,
}

/// A suspected row of a file, by its number and the labels' names.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SuspectedRow {
    /// The row in the file, from 1.
    pub row: u64,
    /// Its label or labels as given.
    #[serde(flatten)]
    pub labels: RowLabels,
    /// The label or labels that the scores suggest.
    pub suggested: Suggested,
    /// As [`LabelError::score`].
    pub score: f64,
}

/// What a row should perhaps be labelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Suggested {
    /// Of exclusive labels.
    One(String),
    /// Of independent labels.
    Any(Vec<String>),
}

impl SuspectedRow {
    /// The suspects among rows with these numbers and out-of-fold predictions, see [`label_errors`].
    ///
    /// # Errors
    /// As [`label_errors`].
    pub fn find(of: Truth, rows: &[u64], predictions: &[Prediction], filter: Filter) -> Result<Vec<Self>, MetricError> {
        let probabilities: Vec<Vec<f64>> = predictions.iter().map(|prediction| prediction.probabilities.clone()).collect();
        let named = |error: LabelError| Self {
            row: rows[error.index],
            labels: RowLabels::named(of.task, of.labels, &of.truth[error.index]),
            suggested: match RowLabels::named(of.task, of.labels, &error.suggested) {
                RowLabels::One { label } => Suggested::One(label),
                RowLabels::Any { labels } => Suggested::Any(labels),
            },
            score: error.score,
        };
        Ok(label_errors(of.task, of.truth, &probabilities, filter)?.into_iter().map(named).collect())
    }
}

/// The suspects, the surest first. # Shapes: truth and probabilities `[rows][labels]`.
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Lengths`], [`MetricError::Probability`]; [`MetricError::TrueLabels`] for a row without exactly one of
/// exclusive labels.
pub fn label_errors(
    task: Task,
    truth: &[Vec<bool>],
    probabilities: &[Vec<f64>],
    filter: Filter,
) -> Result<Vec<LabelError>, MetricError> {
    check_lengths(truth.len(), probabilities.len())?;
    for (row, of) in probabilities.iter().enumerate() {
        check_lengths(truth[row].len(), of.len())?;
        of.iter().try_for_each(|&probability| check_probability(row, probability).map(drop))?;
    }
    let mut found = match task {
        Task::SingleLabel => exclusive(truth, probabilities, filter)?,
        Task::MultiLabel => independent(truth, probabilities, filter),
    };
    found.sort_by(|left, right| left.score.total_cmp(&right.score).then(left.index.cmp(&right.index)));
    Ok(found)
}

fn exclusive(truth: &[Vec<bool>], probabilities: &[Vec<f64>], filter: Filter) -> Result<Vec<LabelError>, MetricError> {
    let given = |(row, truth): (usize, &Vec<bool>)| match truth.iter().filter(|&&has| has).count() {
        1 => Ok(truth.iter().position(|&has| has).unwrap_or(0)),
        found => Err(MetricError::TrueLabels { row, found }),
    };
    let labels = truth.iter().enumerate().map(given).collect::<Result<Vec<usize>, _>>()?;
    let suspected = |index: usize| {
        let best = most_probable(&probabilities[index]);
        let suggested = (0..probabilities[index].len()).map(|label| label == best).collect();
        LabelError { index, suggested, score: normalized_margin(&probabilities[index], labels[index]) }
    };
    Ok(suspects(&labels, probabilities, filter).into_iter().map(suspected).collect())
}

fn independent(truth: &[Vec<bool>], probabilities: &[Vec<f64>], filter: Filter) -> Vec<LabelError> {
    let mut found: Vec<Option<LabelError>> = vec![None; truth.len()];
    for label in 0..truth[0].len() {
        let answers: Vec<usize> = truth.iter().map(|row| usize::from(row[label])).collect();
        let of_answers: Vec<Vec<f64>> = probabilities.iter().map(|row| vec![1.0 - row[label], row[label]]).collect();
        for index in suspects(&answers, &of_answers, filter) {
            let error =
                found[index].get_or_insert_with(|| LabelError { index, suggested: truth[index].clone(), score: f64::INFINITY });
            error.suggested[label] = !truth[index][label];
            error.score = error.score.min(of_answers[index][answers[index]]);
        }
    }
    found.into_iter().flatten().collect()
}

fn normalized_margin(probabilities: &[f64], given: usize) -> f64 {
    let others = probabilities.iter().enumerate().filter(|&(label, _)| label != given).map(|(_, &probability)| probability);
    (probabilities[given] - others.fold(0.0, f64::max) + 1.0) / 2.0
}

/// The suspected rows in order.
fn suspects(labels: &[usize], probabilities: &[Vec<f64>], filter: Filter) -> Vec<usize> {
    let classes = probabilities[0].len();
    let mut counts = vec![0.0; classes];
    labels.iter().for_each(|&label| counts[label] += 1.0);
    let guesses = confident_guesses(labels, probabilities, &counts);
    let mut suspected: Vec<bool> = match filter {
        Filter::ConfidentLearning => {
            guesses.iter().zip(labels).map(|(guess, label)| guess.is_some_and(|guess| guess != *label)).collect()
        }
        Filter::PruneByNoiseRate => prune(labels, probabilities, &rows_to_prune(labels, &guesses, &counts)),
    };
    for (index, (row, &label)) in probabilities.iter().zip(labels).enumerate() {
        let mut favoured = row.clone();
        favoured[label] += TOLERANCE;
        suspected[index] &= most_probable(&favoured) != label;
    }
    (0..labels.len()).filter(|&index| suspected[index]).collect()
}

/// The class that each row is confidently of, if it reaches any class's threshold.
fn confident_guesses(labels: &[usize], probabilities: &[Vec<f64>], counts: &[f64]) -> Vec<Option<usize>> {
    let mut sums = vec![0.0; counts.len()];
    labels.iter().zip(probabilities).for_each(|(&label, row)| sums[label] += row[label]);
    // A class without rows is never reached.
    let threshold = |(sum, &count): (&f64, &f64)| if count > 0.0 { (sum / count).max(2.0 * TOLERANCE) } else { 2.0 };
    let thresholds: Vec<f64> = sums.iter().zip(counts).map(threshold).collect();
    let guess = |row: &Vec<f64>| {
        let mut reached = (0..row.len()).filter(|&class| row[class] >= thresholds[class] - TOLERANCE);
        match (reached.next(), reached.next()) {
            (Some(_), Some(_)) => Some(most_probable(row)),
            (only, _) => only,
        }
    };
    probabilities.iter().map(guess).collect()
}

/// How many rows of label i, `[j][i]`, are rather of class j: the calibrated confident joint, transposed, whose diagonal is at least
/// [`RIGHT_ROWS`].
fn rows_to_prune(labels: &[usize], guesses: &[Option<usize>], counts: &[f64]) -> Vec<Vec<f64>> {
    let classes = counts.len();
    let mut joint = vec![vec![0.0_f64; classes]; classes];
    labels.iter().zip(guesses).for_each(|(&label, guess)| {
        if let Some(guess) = *guess {
            joint[label][guess] += 1.0;
        }
    });
    for (class, row) in joint.iter_mut().enumerate() {
        row[class] = row[class].max(1.0);
        let scale = counts[class] / row.iter().sum::<f64>();
        row.iter_mut().for_each(|count| *count *= scale);
    }
    joint.iter_mut().for_each(|row| round_to_sum(row));
    let mut prune: Vec<Vec<f64>> = (0..classes).map(|to| joint.iter().map(|row| row[to]).collect()).collect();
    for label in 0..classes {
        let added = RIGHT_ROWS.max(prune[label][label]) - prune[label][label];
        let noise_rates = (prune.iter().filter(|row| row[label] != 0.0).count() as f64 - 1.0).max(1.0);
        for (class, row) in prune.iter_mut().enumerate() {
            row[label] = if class == label { row[label] + added } else { (row[label] - added / noise_rates).max(0.0) };
        }
    }
    prune.iter_mut().for_each(|row| round_to_sum(row));
    prune
}

/// Rounds numbers so that their sum is that of the unrounded ones, rounded: those furthest from their rounded value give way.
fn round_to_sum(values: &mut [f64]) {
    let exact = values.to_vec();
    values.iter_mut().for_each(|value| *value = value.round_ties_even());
    let sum = exact.iter().sum::<f64>().round_ties_even();
    loop {
        let missing = (sum - values.iter().sum::<f64>()).round_ties_even();
        if missing == 0.0 || values.is_empty() {
            return;
        }
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&left, &right| (exact[left] - values[left]).total_cmp(&(exact[right] - values[right])));
        if missing > 0.0 {
            order.reverse();
        }
        let changed = order.len().min(missing.abs() as usize);
        order[..changed].iter().for_each(|&place| values[place] += missing.signum());
    }
}

/// For each label and each other class the given number of its rows with the largest margins.
fn prune(labels: &[usize], probabilities: &[Vec<f64>], counts: &[Vec<f64>]) -> Vec<bool> {
    let mut suspected = vec![false; labels.len()];
    for label in 0..counts.len() {
        let rows: Vec<usize> = (0..labels.len()).filter(|&row| labels[row] == label).collect();
        if rows.len() as f64 <= RIGHT_ROWS {
            continue;
        }
        for (class, of_class) in counts.iter().enumerate().filter(|&(class, _)| class != label) {
            let margin = |row: usize| probabilities[row][class] - probabilities[row][label];
            let mut order = rows.clone();
            order.sort_by(|&left, &right| margin(right).total_cmp(&margin(left)));
            order[..(of_class[label] as usize).min(rows.len())].iter().for_each(|&row| suspected[row] = true);
        }
    }
    suspected
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of two classes, each scored .9 for its own but for those in `wrong`, whose label was swapped.
    fn rows(wrong: &[usize]) -> (Vec<Vec<bool>>, Vec<Vec<f64>>) {
        let one = |row: usize| {
            let class = row % 2;
            let given = if wrong.contains(&row) { 1 - class } else { class };
            let sure = 0.9 + row as f64 / 1000.0;
            (vec![given == 0, given == 1], if class == 0 { vec![sure, 1.0 - sure] } else { vec![1.0 - sure, sure] })
        };
        (0..40).map(one).unzip()
    }

    #[test]
    fn swapped_labels_are_found_the_surest_first() {
        let (truth, probabilities) = rows(&[3, 8, 21]);
        for filter in [Filter::PruneByNoiseRate, Filter::ConfidentLearning] {
            let found = label_errors(Task::SingleLabel, &truth, &probabilities, filter).unwrap();
            assert_eq!(found.iter().map(|error| error.index).collect::<Vec<_>>(), [21, 8, 3]);
            assert_eq!(found[0].suggested, [false, true]);
            assert!((found[0].score - (1.0 - 0.921)).abs() < 1e-12);
        }
        let (truth, probabilities) = rows(&[]);
        assert_eq!(label_errors(Task::SingleLabel, &truth, &probabilities, Filter::default()).unwrap(), []);
    }

    #[test]
    fn independent_labels_are_looked_at_one_by_one() {
        let (first, scores) = rows(&[36]);
        let (second, _) = rows(&[9, 36]);
        let truth: Vec<Vec<bool>> = first.iter().zip(&second).map(|(a, b)| vec![a[1], b[1]]).collect();
        let probabilities: Vec<Vec<f64>> = scores.iter().map(|row| vec![row[1], row[1]]).collect();
        let found = label_errors(Task::MultiLabel, &truth, &probabilities, Filter::default()).unwrap();
        assert_eq!(found.iter().map(|error| error.index).collect::<Vec<_>>(), [36, 9]);
        assert_eq!(found[0].suggested, [false, false]);
        assert_eq!(found[1].suggested, [true, true], "the second label alone is wrong");
    }

    #[test]
    fn scores_that_are_no_probabilities_and_rows_without_a_label_are_refused() {
        let wrong = label_errors(Task::SingleLabel, &[vec![true, false]], &[vec![f64::NAN, 0.5]], Filter::default());
        assert!(matches!(wrong, Err(MetricError::Probability { row: 0, .. })));
        let none = label_errors(Task::SingleLabel, &[vec![false, false]], &[vec![0.5, 0.5]], Filter::default());
        assert_eq!(none, Err(MetricError::TrueLabels { row: 0, found: 0 }));
        assert_eq!(label_errors(Task::MultiLabel, &[], &[], Filter::default()), Err(MetricError::Empty));
    }
}
