//! Which text is worth the next label.
//!
//! Uncertain texts teach the most where a classifier is near its limit (uncertainty sampling: Lewis and Gale 1994, *A Sequential Algorithm for
//! Training Text Classifiers*, arXiv cmp-lg/9407020); likely positives are found fast where the positive class is rare; texts drawn by lot are the
//! only ones that say how good the classifier is. So all three are mixed, in turn.

use crate::labels::Labels;
use lincah::Task;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Why a text is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It was drawn by lot.
    Random,
    /// The classifier knows least what it is.
    Uncertain,
    /// It probably has the positive label, or the label that fewest texts have.
    Positive,
    /// The guideline has changed since it was labelled.
    Review,
}

/// How often each reason comes, of all turns together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mix {
    /// Uncertain texts.
    pub uncertain: usize,
    /// Likely positives.
    pub positive: usize,
    /// Random texts.
    pub random: usize,
}

impl Default for Mix {
    fn default() -> Self {
        Self { uncertain: 2, positive: 1, random: 1 }
    }
}

impl Mix {
    /// The reason of a turn: each as often as the mix says, as evenly as whole turns allow, a random one first.
    pub fn reason(&self, turn: usize) -> Reason {
        let all = [(Reason::Random, self.random), (Reason::Uncertain, self.uncertain), (Reason::Positive, self.positive)];
        let whole: usize = all.iter().map(|(_, share)| share).sum();
        // The one that is farthest behind its share, which is what Bresenham's line does for two.
        let mut given = [0usize; 3];
        let mut reason = Reason::Random;
        for so_far in 0..=turn % whole.max(1) {
            let behind = |place: &usize| (all[*place].1 * (so_far + 1)) as isize - (given[*place] * whole) as isize;
            let first = (0..3).filter(|place| all[*place].1 > 0).rev().max_by_key(behind).unwrap_or(0);
            given[first] += 1;
            reason = all[first].0;
        }
        reason
    }
}

/// A classifier's probabilities of texts, by their numbers.
#[derive(Debug, Clone, Default)]
pub struct Scores {
    /// The probability of each label.
    pub probabilities: HashMap<usize, Vec<f64>>,
}

impl Scores {
    /// How little the classifier knows what a text is, from 0 to 1: one less the lead of the likeliest exclusive label, or the nearness of the
    /// least certain independent label to .5.
    fn doubt(task: Task, probabilities: &[f64]) -> f64 {
        match task {
            Task::SingleLabel => {
                let mut sorted = probabilities.to_vec();
                sorted.sort_by(|left, right| right.total_cmp(left));
                1.0 - (sorted[0] - sorted.get(1).copied().unwrap_or(0.0))
            }
            Task::MultiLabel => probabilities.iter().map(|p| 1.0 - 2.0 * (p - 0.5).abs()).fold(0.0, f64::max),
        }
    }
}

/// The order in which texts are drawn.
#[derive(Debug, Clone)]
pub struct Lot {
    /// The texts' numbers in their order.
    pub order: Vec<usize>,
    /// Each text's place in it.
    places: Vec<usize>,
    /// So many, the first ones, are a sample for figures.
    pub sample: usize,
}

impl Lot {
    /// A lot of an order that has each number below its length once.
    pub fn new(order: Vec<usize>, sample: usize) -> Self {
        let mut places = vec![0; order.len()];
        order.iter().enumerate().for_each(|(place, text)| places[*text] = place);
        Self { order, places, sample }
    }

    /// A text's place in the order.
    pub fn place(&self, text: usize) -> usize {
        self.places[text]
    }
}

/// The text that is next for somebody, with the reason that it is taken for: that of the turn, or by lot where the classifier has no scores for it.
/// The sample's texts are never taken for another reason, so that they stay one. `is_free` says of a text that nobody else is looking at it.
pub fn next(
    (task, labels): (Task, &Labels),
    lot: &Lot,
    scores: &Scores,
    reason: Reason,
    is_free: &dyn Fn(usize) -> bool,
) -> Option<(usize, Reason)> {
    let is_open = |text: &usize| labels.opinions(*text).is_empty() && is_free(*text);
    let by_lot = || lot.order.iter().copied().find(is_open).map(|text| (text, Reason::Random));
    let best = |worth: &dyn Fn(&[f64]) -> f64| {
        let open = scores.probabilities.iter().filter(|(text, _)| lot.places[**text] >= lot.sample && is_open(text));
        let scored = open.map(|(text, probabilities)| (worth(probabilities), std::cmp::Reverse(lot.places[*text]), *text));
        // Of equals the first of the lot.
        scored.max_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1))).map(|(_, _, text)| (text, reason))
    };
    let found = match reason {
        Reason::Random | Reason::Review => None,
        Reason::Uncertain => best(&|probabilities| Scores::doubt(task, probabilities)),
        Reason::Positive => {
            let label = wanted_label(task, labels);
            best(&|probabilities| probabilities[label])
        }
    };
    found.or_else(by_lot)
}

/// The label that likely positives are looked for of: the last of two exclusive ones, else the one that the fewest texts have.
pub(crate) fn wanted_label(task: Task, labels: &Labels) -> usize {
    let rows = labels.label_rows();
    match (task, rows.len()) {
        (Task::SingleLabel, 2) => 1,
        (_, count) => (0..count).min_by_key(|label| rows[*label]).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_gives_each_reason_its_share_in_every_round() {
        let reasons: Vec<Reason> = (0..8).map(|turn| Mix::default().reason(turn)).collect();
        for round in reasons.chunks(4) {
            let count = |reason: Reason| round.iter().filter(|other| **other == reason).count();
            assert_eq!([count(Reason::Random), count(Reason::Uncertain), count(Reason::Positive)], [1, 2, 1], "{reasons:?}");
        }
        assert_ne!(reasons[0], reasons[1]);
        let only = Mix { uncertain: 0, positive: 0, random: 3 };
        assert!((0..5).all(|turn| only.reason(turn) == Reason::Random));
        let none = Mix { uncertain: 0, positive: 0, random: 0 };
        assert_eq!(none.reason(7), Reason::Random);
    }

    #[test]
    fn doubt_is_about_the_lead_or_the_nearness_to_one_half() {
        let exclusive = |p: &[f64]| Scores::doubt(Task::SingleLabel, p);
        assert!(exclusive(&[0.4, 0.35, 0.25]) > exclusive(&[0.6, 0.2, 0.2]) && exclusive(&[0.5, 0.5]) == 1.0);
        let independent = |p: &[f64]| Scores::doubt(Task::MultiLabel, p);
        assert!(independent(&[0.01, 0.45]) > independent(&[0.2, 0.8]) && independent(&[0.0, 1.0]) == 0.0);
    }
}
