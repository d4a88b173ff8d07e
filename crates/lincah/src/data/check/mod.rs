//! What in a data set may fool a classifier, or whoever believes its metrics.
//!
//! Duplicates and contradictions are [`DataReport`]'s; here are texts that are nearly the same, labels that can be told from what a text looks
//! like, groups that a split tears apart, broken characters and lengths. Labels that may be wrong need scores:
//! [`label_errors`](crate::label_errors).

mod encoding;
mod groups;
mod lengths;
mod near_duplicates;
mod shortcuts;
mod surface;

pub use encoding::{Encoding, ScriptCount};
pub use groups::{Groups, groups};
pub use lengths::TokenLengths;
pub use near_duplicates::{NEARLY_THE_SAME, NearDuplicates, near_duplicates};
pub use shortcuts::{ALL_FEATURES, Direction, FEWEST_ROWS, FLAGGED_FROM, Shortcut, shortcuts};

use std::collections::HashSet;

use serde::Serialize;

use super::dataset::Dataset;
use super::report::{ClassCount, DataReport, SplitOverlap};
use super::split::stratified_folds;
use super::stratification::multi_label_folds;
use crate::task::Task;

/// A label with fewer rows cannot be learned or measured.
pub const FEW_ROWS: usize = 5;

/// All that was found in a data set, without scores of any model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DataCheck {
    /// Size, labels, lengths in characters, duplicates and contradictions.
    #[serde(flatten)]
    pub report: DataReport,
    /// Labels with fewer than [`FEW_ROWS`] rows, and with none.
    pub small_labels: Vec<ClassCount>,
    /// The split's sides; absent without one.
    pub split: Option<CheckedSplit>,
    /// Texts that are nearly the same.
    pub near_duplicates: Vec<NearDuplicates>,
    /// What the surface of the texts tells of the labels.
    pub shortcuts: Vec<Shortcut>,
    /// Broken and invisible characters, scripts.
    pub encoding: Encoding,
    /// Columns of groups.
    pub groups: Vec<Groups>,
}

/// The two sides of a split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckedSplit {
    /// Rows to train on.
    pub train_rows: usize,
    /// Rows held out.
    pub holdout_rows: usize,
    /// Texts on both sides, but for case and white space.
    pub overlap: SplitOverlap,
}

/// A training set and the rows held out from it.
#[derive(Debug, Clone, Copy)]
pub struct Sides<'a> {
    /// Rows to train on.
    pub train: &'a Dataset,
    /// Rows held out.
    pub holdout: &'a Dataset,
}

impl DataCheck {
    /// Looks through `data`, whose rows are on the two `sides` of a split where there is one. `group` names a kept column of groups; without
    /// it every kept column may be one.
    pub fn of(data: &Dataset, sides: Option<Sides>, group: Option<&str>) -> Self {
        let report = DataReport::of(data);
        let held_out = sides.map(|sides| sides.held_out(data));
        let held_out = held_out.as_deref();
        Self {
            small_labels: report.classes.iter().filter(|class| class.rows < FEW_ROWS).cloned().collect(),
            report,
            split: sides.map(|Sides { train, holdout }| CheckedSplit {
                train_rows: train.len(),
                holdout_rows: holdout.len(),
                overlap: SplitOverlap::between(train, holdout),
            }),
            near_duplicates: near_duplicates(data, held_out),
            shortcuts: shortcuts(data),
            encoding: Encoding::of(data),
            groups: groups(data, group, held_out),
        }
    }
}

impl Sides<'_> {
    /// Of each row of `data` whether it is held out.
    fn held_out(&self, data: &Dataset) -> Vec<bool> {
        let held_out: HashSet<u64> = self.holdout.rows.iter().copied().collect();
        data.rows.iter().map(|row| held_out.contains(row)).collect()
    }

    /// Groups of texts that are nearly the same on both sides: those that a metric on the held-out rows does not survive.
    pub fn near_duplicates_across(&self) -> Vec<NearDuplicates> {
        let (train, holdout) = (self.train, self.holdout);
        let both = Dataset {
            texts: [train.texts.as_slice(), &holdout.texts].concat(),
            rows: [train.rows.as_slice(), &holdout.rows].concat(),
            truth: [train.truth.as_slice(), &holdout.truth].concat(),
            fractions: None,
            skipped: Vec::new(),
            columns: Vec::new(),
            weights: None,
            ..train.subset(&[])
        };
        let held_out: Vec<bool> = (0..both.len()).map(|row| row >= train.len()).collect();
        near_duplicates(&both, Some(&held_out)).into_iter().filter(|group| group.across_split).collect()
    }
}

/// The fold of each row, from 0, so that every fold has its share of every label; none where there are fewer than two rows per fold.
///
/// It is [`Dataset::folds`], with the exclusive labels that have fewer rows than there are folds taken together.
pub fn folds(data: &Dataset, folds: usize, seed: u32) -> Option<Vec<usize>> {
    if data.len() < 2 * folds {
        return None;
    }
    match data.task {
        Task::MultiLabel => multi_label_folds(&data.truth, folds, seed).ok(),
        Task::SingleLabel => {
            let counts = data.label_rows();
            let largest = (0..counts.len()).fold(0, |best, label| if counts[label] > counts[best] { label } else { best });
            let small: usize = counts.iter().filter(|&&count| count < folds).sum();
            let together = if small < folds { largest } else { counts.len() };
            let class = |class: usize| if counts[class] < folds { together } else { class };
            stratified_folds(&data.classes().into_iter().map(class).collect::<Vec<_>>(), folds, seed).ok()
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::label::LabelSet;
    use crate::random::below;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    /// Texts with exclusive labels a, b, …, at least two of them.
    pub(in crate::data::check) fn data(rows: &[(&str, usize)]) -> Dataset {
        let classes = rows.iter().map(|(_, class)| class + 1).max().unwrap_or(0).max(2);
        Dataset {
            texts: rows.iter().map(|(text, _)| (*text).to_owned()).collect(),
            rows: (1..=rows.len() as u64).collect(),
            labels: LabelSet::new((b'a'..).take(classes).map(|letter| char::from(letter).to_string())).unwrap(),
            task: Task::SingleLabel,
            truth: rows.iter().map(|&(_, class)| (0..classes).map(|label| label == class).collect()).collect(),
            fractions: None,
            threshold: None,
            skipped: Vec::new(),
            columns: Vec::new(),
            weights: None,
        }
    }

    /// Made-up sentences of all lengths and kinds of punctuation.
    pub(in crate::data::check) fn sentences(count: usize, seed: u64) -> Vec<String> {
        const WORDS: [&str; 12] =
            ["bread", "River", "walks", "the", "a", "quietly", "SHOUTS", "@ann", "#today", "2024", "café", "\"yes\""];
        const ENDS: [&str; 6] = [".", ".", "!", "?", "", " ..."];
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut sentence = |_| {
            let words = 1 + below(&mut random, 25);
            let words: Vec<&str> = (0..words).map(|_| WORDS[below(&mut random, WORDS.len())]).collect();
            words.join(if below(&mut random, 9) == 0 { "  " } else { " " }) + ENDS[below(&mut random, ENDS.len())]
        };
        (0..count).map(&mut sentence).collect()
    }

    #[test]
    fn small_labels_share_their_folds_and_few_rows_have_none() {
        let texts = sentences(40, 5);
        let class = |row: usize| if row < 2 { 2 } else { row % 2 };
        let rows: Vec<(&str, usize)> = texts.iter().enumerate().map(|(row, text)| (text.as_str(), class(row))).collect();
        let fold_of = folds(&data(&rows), 5, 32).unwrap();
        assert!((0..5).all(|fold| fold_of.iter().filter(|&&of| of == fold).count() == 8));
        assert_eq!(folds(&data(&rows[..9]), 5, 32), None);
    }

    #[test]
    fn a_check_sees_both_sides_of_a_split() {
        let texts = sentences(30, 6);
        let mut rows: Vec<(&str, usize)> = texts.iter().enumerate().map(|(row, text)| (text.as_str(), row % 2)).collect();
        let (long, longer) = (
            "what a long and winding road it was to the harbour town",
            "what a long and winding road it was to the harbour town!!",
        );
        rows.extend([(long, 0), (longer, 0), (texts[0].as_str(), 0)]);
        let all = data(&rows);
        let (train, holdout) = (all.subset(&(0..31).collect::<Vec<_>>()), all.subset(&[31, 32]));
        let sides = Sides { train: &train, holdout: &holdout };
        let check = DataCheck::of(&all, Some(sides), None);
        let split = check.split.as_ref().unwrap();
        assert_eq!((split.train_rows, split.holdout_rows, split.overlap.pairs.as_slice()), (31, 2, [(1, 33)].as_slice()));
        let across: Vec<_> = check.near_duplicates.iter().filter(|group| group.across_split).cloned().collect();
        assert_eq!(across, sides.near_duplicates_across());
        assert_eq!(across[0].rows, [31, 32]);
        assert!(check.small_labels.is_empty() && check.encoding.is_clean());
        let json = serde_json::to_value(&check).unwrap();
        for key in
            ["rows", "classes", "shortcuts", "near_duplicates", "conflicting_labels", "similar_labels", "encoding", "groups"]
        {
            assert!(json.get(key).is_some(), "{key}");
        }
    }
}
