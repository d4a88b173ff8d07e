//! A cascade: a classifier's first member answers the texts that it is sure of, all members together the others.

use crate::calibration::{Calibration, CalibrationChoice, fit_calibration};
use crate::decisions::DecisionSource;
use crate::error::Error;
use crate::evaluation::Truth;
use crate::prediction::DecisionRule;
use crate::task::Task;
use serde::{Deserialize, Serialize};

/// Shares of other decisions that a cascade is measured at.
const LIMITS: [f64; 7] = [0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1];

/// When the first member's answers are enough, measured on rows that no member was trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cascade {
    /// What is done to the first member's probabilities.
    pub calibration: Calibration,
    /// Which rows.
    pub source: DecisionSource,
    /// How many.
    pub rows: usize,
    /// What is reached, the fewest other decisions first.
    pub points: Vec<CascadePoint>,
}

/// What a cascade reaches where its first member answers from a margin on. The figures are of rows that did not choose the margin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CascadePoint {
    /// Share of all rows that may get another decision than by all members.
    pub limit: f64,
    /// Least margin of the first member's answer, see [`DecisionRule::margin`].
    pub margin: f64,
    /// Share of the rows that it answers.
    pub answered: f64,
    /// Share of all rows that get another decision.
    pub other_decisions: f64,
}

/// A row as a cascade sees it.
struct Row {
    margin: f64,
    differs: bool,
}

/// Rows that choose margins, and what decides about them.
pub(crate) struct CascadeRows<'a> {
    pub(crate) truth: Truth<'a>,
    /// The first member's probabilities as they are. # Shapes: `[rows][labels]`.
    pub(crate) first: &'a [Vec<f64>],
    /// The classifier's probabilities, calibrated.
    pub(crate) all: &'a [Vec<f64>],
    /// The fold of each row, from 0.
    pub(crate) fold_of: &'a [usize],
    pub(crate) rule: &'a DecisionRule,
    pub(crate) choice: CalibrationChoice,
}

impl CascadeRows<'_> {
    fn task(&self) -> Task {
        self.truth.task
    }

    /// The calibration of the first member by some of the rows.
    fn calibrated_on(&self, rows: &[usize]) -> Result<Calibration, Error> {
        let truth: Vec<Vec<bool>> = rows.iter().map(|&row| self.truth.truth[row].clone()).collect();
        let first: Vec<Vec<f64>> = rows.iter().map(|&row| self.first[row].clone()).collect();
        Ok(fit_calibration(Truth { truth: &truth, ..self.truth }, &first, self.choice)?)
    }

    fn row(&self, calibration: &Calibration, row: usize) -> Row {
        let first = calibration.apply(self.task(), &self.first[row]);
        let decision = self.rule.decide(self.task(), &first);
        let differs = decision != self.rule.decide(self.task(), &self.all[row]);
        Row { margin: self.rule.margin(self.task(), &first), differs }
    }

    /// The cascade, whose figures of each fold are by what was chosen on the other folds.
    pub(crate) fn measured(&self, source: DecisionSource) -> Result<Cascade, Error> {
        let every: Vec<usize> = (0..self.first.len()).collect();
        let calibration = self.calibrated_on(&every)?;
        let rows: Vec<Row> = every.iter().map(|&row| self.row(&calibration, row)).collect();
        let mut counts = [(0usize, 0usize); LIMITS.len()];
        for fold in 0..=self.fold_of.iter().copied().max().unwrap_or(0) {
            let (test, train): (Vec<usize>, Vec<usize>) = every.iter().partition(|&&row| self.fold_of[row] == fold);
            if test.is_empty() || train.is_empty() {
                continue;
            }
            let calibration = self.calibrated_on(&train)?;
            let chosen_on: Vec<Row> = train.iter().map(|&row| self.row(&calibration, row)).collect();
            let counted: Vec<Row> = test.iter().map(|&row| self.row(&calibration, row)).collect();
            for (limit, (answered, others)) in LIMITS.iter().zip(&mut counts) {
                let margin = least_margin(&chosen_on, *limit);
                let sure = counted.iter().filter(|row| row.margin >= margin);
                *answered += sure.clone().count();
                *others += sure.filter(|row| row.differs).count();
            }
        }
        let share = |count: usize| count as f64 / self.first.len() as f64;
        let point = |(&limit, (answered, others)): (&f64, (usize, usize))| CascadePoint {
            limit,
            margin: least_margin(&rows, limit),
            answered: share(answered),
            other_decisions: share(others),
        };
        let points = LIMITS.iter().zip(counts).map(point).collect();
        Ok(Cascade { calibration, source, rows: self.first.len(), points })
    }
}

/// The least margin from which on at most this share of all rows differs; beyond every margin where even the surest row does.
fn least_margin(rows: &[Row], limit: f64) -> f64 {
    let mut order: Vec<&Row> = rows.iter().collect();
    order.sort_by(|left, right| right.margin.total_cmp(&left.margin));
    let most = (limit * rows.len() as f64).floor() as usize;
    let (mut differing, mut least) = (0, f64::MAX);
    // Rows of the same margin are answered together.
    for tied in order.chunk_by(|left, right| left.margin == right.margin) {
        differing += tied.iter().filter(|row| row.differs).count();
        if differing > most {
            break;
        }
        least = tied[0].margin;
    }
    least
}

impl Cascade {
    /// Whether its numbers are numbers, and its calibration is of so many labels.
    pub(crate) fn fits(&self, task: Task, labels: usize) -> bool {
        let numbers = |point: &CascadePoint| [point.limit, point.margin, point.answered, point.other_decisions];
        self.calibration.fits(task, labels) && self.points.iter().flat_map(numbers).all(f64::is_finite)
    }

    /// The point with the most other decisions within a limit.
    pub fn within(&self, limit: f64) -> Option<&CascadePoint> {
        self.points.iter().rev().find(|point| point.limit <= limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label::LabelSet;

    fn rows(margins: &[(f64, bool)]) -> Vec<Row> {
        margins.iter().map(|&(margin, differs)| Row { margin, differs }).collect()
    }

    #[test]
    fn the_margin_falls_until_too_many_rows_differ() {
        let rows =
            rows(&[(5.0, false), (4.0, false), (3.0, true), (3.0, false), (2.0, false), (1.0, true), (1.0, true), (0.5, false)]);
        assert_eq!([0.0, 0.1, 0.13, 0.3, 0.4].map(|limit| least_margin(&rows, limit)), [4.0, 4.0, 2.0, 2.0, 0.5]);
        assert_eq!(least_margin(&[Row { margin: 9.0, differs: true }], 0.5), f64::MAX);
    }

    #[test]
    fn a_first_member_that_is_right_where_it_is_sure_answers_just_those() {
        // Sure of nine rows in ten, and then of the same opinion as all; else of the other.
        let labels = LabelSet::new(["no", "yes"].map(String::from)).unwrap();
        let truth: Vec<Vec<bool>> = (0..200).map(|row| vec![row % 2 == 0, row % 2 == 1]).collect();
        let two = |yes: f64| vec![1.0 - yes, yes];
        let all: Vec<Vec<f64>> = (0..200).map(|row| two(if row % 2 == 1 { 0.95 } else { 0.05 })).collect();
        let first: Vec<Vec<f64>> =
            (0..200).map(|row| two(if row % 10 < 9 { if row % 2 == 1 { 0.9 } else { 0.1 } } else { 0.45 })).collect();
        let fold_of: Vec<usize> = (0..200).map(|row| row / 40).collect();
        let rule = DecisionRule::default();
        let truth = Truth { task: Task::SingleLabel, labels: &labels, truth: &truth };
        let rows =
            CascadeRows { truth, first: &first, all: &all, fold_of: &fold_of, rule: &rule, choice: CalibrationChoice::None };
        let cascade = rows.measured(DecisionSource::OutOfFold).unwrap();
        let none = cascade.within(0.0).unwrap();
        assert_eq!((none.answered, none.other_decisions), (0.9, 0.0));
        let all = cascade.within(0.5).unwrap();
        assert_eq!((all.limit, all.answered, all.other_decisions), (0.1, 1.0, 0.1));
        assert!(cascade.within(-1.0).is_none());
        let text = serde_json::to_string(&cascade).unwrap();
        assert_eq!(serde_json::from_str::<Cascade>(&text).unwrap(), cascade);
    }
}
