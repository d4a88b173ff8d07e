//! Several members' probabilities made one.

use crate::softmax::softmax;
use crate::task::Task;

/// Probabilities are kept so far from 0 and 1 before their logarithm is taken.
const LEAST: f64 = 1e-12;
/// Weights are looked for up to here.
const MOST_WEIGHT: f64 = 5.0;
const SWEEPS: usize = 50;
const NARROWINGS: usize = 40;
const CONVERGED: f64 = 1e-4;

/// Mixes by a weighted sum of logarithms: exclusive labels by softmax(Σₖ wₖ ln pₖ), each independent label by the logistic function of
/// Σₖ wₖ logit pₖ. Of one member with weight 1 it is that member.
///
/// A weighted geometric mean, normalized: Hinton 2002, *Training Products of Experts*, doi 10.1162/089976602760128018.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mixture {
    pub(crate) weights: Vec<f64>,
}

impl Mixture {
    /// Equal weights that sum to 1.
    pub(crate) fn equal(members: usize) -> Self {
        Self { weights: vec![1.0 / members as f64; members] }
    }

    /// Weights, none below 0, for rows with truth `[rows][labels]` that the members were not trained on: equal ones of the least log loss,
    /// unless those of the least log loss of all are better by more than a standard error of the rows' differences (the rule of Breiman et al.
    /// 1984, *Classification and Regression Trees*, section 3.4.3). # Shapes: members `[members][rows][labels]`.
    pub(crate) fn fit((task, truth): (Task, &[Vec<bool>]), members: &[Vec<Vec<f64>>]) -> Self {
        if members.len() == 1 {
            return Self::equal(1);
        }
        let evidence: Vec<Vec<Vec<f64>>> =
            members.iter().map(|rows| rows.iter().map(|row| evidence(task, row)).collect()).collect();
        let losses = |weights: &[f64]| -> Vec<f64> {
            let of_row = |row: usize| evidence.iter().map(|member| member[row].as_slice()).collect::<Vec<&[f64]>>();
            (0..truth.len()).map(|row| log_loss(task, &truth[row], &mixed(task, weights, &of_row(row)))).collect()
        };
        let loss = |weights: &[f64]| losses(weights).iter().sum::<f64>();
        let each = least((0.0, MOST_WEIGHT), |weight| loss(&vec![weight; members.len()]));
        let equal = vec![each; members.len()];
        let mut own = equal.clone();
        // The loss is convex in the weights: one after the other leads to the minimum.
        for _ in 0..SWEEPS {
            let before = own.clone();
            for member in 0..members.len() {
                let along = |weight: f64| {
                    let mut weights = own.clone();
                    weights[member] = weight;
                    loss(&weights)
                };
                own[member] = least((0.0, MOST_WEIGHT), along);
            }
            if before.iter().zip(&own).all(|(before, after)| (before - after).abs() < CONVERGED) {
                break;
            }
        }
        let gains: Vec<f64> = losses(&equal).iter().zip(losses(&own)).map(|(equal, own)| equal - own).collect();
        Self { weights: if is_surely_positive(&gains) { own } else { equal } }
    }

    /// One row's probabilities. # Shapes: members `[members][labels]`.
    pub(crate) fn mix(&self, task: Task, members: &[&[f64]]) -> Vec<f64> {
        if let ([weight], [only]) = (self.weights.as_slice(), members)
            && *weight == 1.0
        {
            return only.to_vec();
        }
        let evidence: Vec<Vec<f64>> = members.iter().map(|member| evidence(task, member)).collect();
        mixed(task, &self.weights, &evidence.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }
}

/// What the weights multiply: logarithms, or logits.
fn evidence(task: Task, probabilities: &[f64]) -> Vec<f64> {
    let clamped = |p: f64| p.clamp(LEAST, 1.0 - LEAST);
    match task {
        Task::SingleLabel => probabilities.iter().map(|&p| clamped(p).ln()).collect(),
        Task::MultiLabel => probabilities.iter().map(|&p| (clamped(p) / (1.0 - clamped(p))).ln()).collect(),
    }
}

fn mixed(task: Task, weights: &[f64], evidence: &[&[f64]]) -> Vec<f64> {
    let sum = |label: usize| weights.iter().zip(evidence).map(|(weight, member)| weight * member[label]).sum::<f64>();
    let sums: Vec<f64> = (0..evidence[0].len()).map(sum).collect();
    match task {
        Task::SingleLabel => softmax(&sums),
        Task::MultiLabel => sums.into_iter().map(|sum| 1.0 / (1.0 + (-sum).exp())).collect(),
    }
}

/// -Σ ln p of what is true: of the exclusive label, or of each independent one.
pub(crate) fn log_loss(task: Task, truth: &[bool], probabilities: &[f64]) -> f64 {
    let of = |(&has, &p): (&bool, &f64)| match (task, has) {
        (_, true) => -p.max(LEAST).ln(),
        (Task::MultiLabel, false) => -(1.0 - p).max(LEAST).ln(),
        (Task::SingleLabel, false) => 0.0,
    };
    truth.iter().zip(probabilities).map(of).sum()
}

/// Whether the mean is above 0 by more than its standard error.
fn is_surely_positive(values: &[f64]) -> bool {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    mean > (squares / (count - 1.0).max(1.0) / count).sqrt()
}

/// Where a convex function is least between two numbers, by golden sections (Kiefer 1953).
fn least((mut low, mut high): (f64, f64), of: impl Fn(f64) -> f64) -> f64 {
    let section = (5.0f64.sqrt() - 1.0) / 2.0;
    let (mut left, mut right) = (high - section * (high - low), low + section * (high - low));
    let (mut of_left, mut of_right) = (of(left), of(right));
    for _ in 0..NARROWINGS {
        if of_left <= of_right {
            (high, right, of_right) = (right, left, of_left);
            left = high - section * (high - low);
            of_left = of(left);
        } else {
            (low, left, of_left) = (left, right, of_right);
            right = low + section * (high - low);
            of_right = of(right);
        }
    }
    (low + high) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_alone_is_itself_and_equal_members_agree_with_each() {
        let one = Mixture::equal(1);
        assert_eq!(one.mix(Task::SingleLabel, &[&[0.25, 0.75]]), [0.25, 0.75]);
        for (task, row) in [(Task::SingleLabel, [0.2, 0.8]), (Task::MultiLabel, [0.4, 0.9])] {
            let mixed = Mixture::equal(3).mix(task, &[&row, &row, &row]);
            assert!(mixed.iter().zip(row).all(|(a, b)| (a - b).abs() < 1e-12), "{mixed:?}");
        }
        assert!(Mixture::equal(2).mix(Task::SingleLabel, &[&[0.0, 1.0], &[1.0, 0.0]]).iter().all(|p| (p - 0.5).abs() < 1e-9));
    }

    #[test]
    fn the_member_that_knows_gets_the_weight() {
        for task in [Task::SingleLabel, Task::MultiLabel] {
            let truth: Vec<Vec<bool>> = (0..400).map(|row| vec![row % 3 == 0, row % 3 != 0]).collect();
            // Right three times of four, as sure as that, and as good as chance but sure of itself.
            let knows = |row: usize| if row.is_multiple_of(4) != truth[row][1] { [0.25, 0.75] } else { [0.75, 0.25] };
            let guesses = |row: usize| if (row / 12).is_multiple_of(2) { [0.1, 0.9] } else { [0.9, 0.1] };
            let members: [Vec<Vec<f64>>; 2] =
                [(0..400).map(|row| knows(row).to_vec()).collect(), (0..400).map(|row| guesses(row).to_vec()).collect()];
            let mixture = Mixture::fit((task, &truth), &members);
            assert!(mixture.weights[0] > 0.8 && mixture.weights[0] < 1.2 && mixture.weights[1] < 0.05, "{mixture:?}");
            let loss = |weights: [f64; 2]| -> f64 {
                let mixture = Mixture { weights: weights.to_vec() };
                (0..400).map(|row| log_loss(task, &truth[row], &mixture.mix(task, &[&members[0][row], &members[1][row]]))).sum()
            };
            let best = loss([mixture.weights[0], mixture.weights[1]]);
            assert!([[0.5, 0.5], [1.0, 0.2], [0.7, 0.0], [1.4, 0.0]].into_iter().all(|weights| loss(weights) > best));
            // Ten rows cannot say.
            let few = Mixture::fit((task, &truth[..10]), &members.map(|member| member[..10].to_vec()));
            assert_eq!(few.weights[0], few.weights[1]);
        }
    }
}
