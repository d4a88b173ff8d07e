//! Rows that belong together, such as those of an author, a conversation or a template.
//!
//! Where a group has rows on both sides of a split and says something of the label, what is measured on the one side is remembered from the
//! other.

use std::collections::HashMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;
use serde::Serialize;

use crate::data::dataset::{Dataset, KeptColumn};
use crate::random::below;
use crate::statistics::holm;

const PERMUTATIONS: usize = 999;
const SEED: u64 = 32;
/// A column is suspected at this adjusted p-value and below.
const SIGNIFICANCE: f64 = 0.05;

/// What a column that groups the rows has to do with split and labels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Groups {
    /// The column.
    pub column: String,
    /// Whether it was named as one of groups, not found.
    pub given: bool,
    /// Groups: distinct values that are not empty.
    pub groups: usize,
    /// Rows of the largest one.
    pub largest: usize,
    /// Groups with rows on both sides of the split; absent without one.
    pub on_both_sides: Option<usize>,
    /// Held-out rows of those groups.
    pub held_out_rows_on_both_sides: Option<usize>,
    /// Share of the rows that have the commonest labels of their group.
    pub label_purity: f64,
    /// The mean of that share over shuffled labels.
    pub chance_purity: f64,
    /// The chance of such a purity or a higher one, were the labels shuffled; over the columns that were looked at, by Holm's method.
    pub p_value: f64,
    /// Whether all rows of a group have the same labels, in every group and by no chance.
    pub determines_label: bool,
}

/// Looks at the column `given` and, where none is given, at every kept column that might be one of groups; of these it returns those whose
/// labels are purer than chance has it. `held_out` says of each row on which side of a split it is.
pub fn groups(data: &Dataset, given: Option<&str>, held_out: Option<&[bool]>) -> Vec<Groups> {
    let is_looked_at = |column: &&KeptColumn| given.map_or_else(|| may_be_groups(column, data), |name| column.name == name);
    let columns: Vec<&KeptColumn> = data.columns.iter().filter(is_looked_at).collect();
    let mut found: Vec<Groups> = columns.par_iter().map(|column| of_column(column, data, given.is_some(), held_out)).collect();
    let adjusted = holm(&found.iter().map(|groups| groups.p_value).collect::<Vec<_>>());
    for (groups, p_value) in found.iter_mut().zip(adjusted) {
        groups.p_value = p_value;
        groups.determines_label = groups.label_purity == 1.0 && p_value <= SIGNIFICANCE;
    }
    found.retain(|groups| given.is_some() || (groups.p_value <= SIGNIFICANCE && groups.on_both_sides != Some(0)));
    found
}

/// More values than labels, that occur twice or more on average.
fn may_be_groups(column: &KeptColumn, data: &Dataset) -> bool {
    let members = members(column);
    let rows: usize = members.iter().map(Vec::len).sum();
    members.len() > data.labels.len() && 2 * members.len() <= rows && 2 * rows >= data.len()
}

/// The rows of each value but the empty one, in the order of their first rows.
fn members(column: &KeptColumn) -> Vec<Vec<usize>> {
    let (mut places, mut members): (HashMap<&str, usize>, Vec<Vec<usize>>) = (HashMap::new(), Vec::new());
    for (row, value) in column.values.iter().enumerate().filter(|(_, value)| !value.trim().is_empty()) {
        let place = *places.entry(value).or_insert(members.len());
        if place == members.len() {
            members.push(Vec::new());
        }
        members[place].push(row);
    }
    members
}

fn of_column(column: &KeptColumn, data: &Dataset, given: bool, held_out: Option<&[bool]>) -> Groups {
    let members = members(column);
    let mut places: HashMap<&[bool], usize> = HashMap::new();
    let mut labels: Vec<usize> = Vec::with_capacity(data.len());
    for truth in &data.truth {
        let next = places.len();
        labels.push(*places.entry(truth).or_insert(next));
    }
    let label_purity = purity(&members, &labels);
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let (mut as_pure, mut sum, mut shuffled) = (0, 0.0, labels.clone());
    for _ in 0..PERMUTATIONS {
        (1..shuffled.len()).rev().for_each(|last| shuffled.swap(last, below(&mut random, last + 1)));
        let by_chance = purity(&members, &shuffled);
        sum += by_chance;
        as_pure += usize::from(by_chance >= label_purity);
    }
    let crossing: Option<Vec<usize>> = held_out.map(|held_out| {
        let held_out_rows = |group: &Vec<usize>| group.iter().filter(|&&row| held_out[row]).count();
        members
            .iter()
            .map(|group| (held_out_rows(group), group.len()))
            .filter(|&(out, all)| out > 0 && out < all)
            .map(|(out, _)| out)
            .collect()
    });
    Groups {
        column: column.name.clone(),
        given,
        groups: members.len(),
        largest: members.iter().map(Vec::len).max().unwrap_or(0),
        on_both_sides: crossing.as_ref().map(Vec::len),
        held_out_rows_on_both_sides: crossing.map(|rows| rows.iter().sum()),
        label_purity,
        chance_purity: sum / PERMUTATIONS as f64,
        p_value: (as_pure + 1) as f64 / (PERMUTATIONS + 1) as f64,
        determines_label: false,
    }
}

/// The share of the rows with the commonest label of their group; 0 without groups.
fn purity(members: &[Vec<usize>], labels: &[usize]) -> f64 {
    let mut counts = vec![0_usize; labels.iter().max().map_or(0, |last| last + 1)];
    let (mut pure, mut all) = (0, 0);
    for group in members {
        group.iter().for_each(|&row| counts[labels[row]] += 1);
        pure += group.iter().map(|&row| counts[labels[row]]).max().unwrap_or(0);
        all += group.len();
        group.iter().for_each(|&row| counts[labels[row]] = 0);
    }
    pure as f64 / all.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::super::tests::{data, sentences};
    use super::*;

    /// 60 rows of two labels: an author writes rows of one label only, a place is chance, and every row has an identifier.
    fn rows() -> Dataset {
        let texts = sentences(60, 3);
        let labelled: Vec<(&str, usize)> = texts.iter().enumerate().map(|(row, text)| (text.as_str(), row / 3 % 2)).collect();
        let column = |name: &str, of: fn(usize) -> String| KeptColumn {
            name: name.to_owned(),
            values: (0..60).map(of).collect(),
            is_group: false,
        };
        let columns = vec![
            column("author", |row| format!("author {}", row / 3)),
            column("place", |row| format!("place {}", row * 7 % 11)),
            column("id", |row| row.to_string()),
        ];
        Dataset { columns, ..data(&labelled) }
    }

    #[test]
    fn a_column_that_tells_the_label_is_found_and_chance_and_identifiers_are_not() {
        let held_out: Vec<bool> = (0..60).map(|row| row % 4 == 0).collect();
        let found = groups(&rows(), None, Some(&held_out));
        assert_eq!(found.iter().map(|groups| groups.column.as_str()).collect::<Vec<_>>(), ["author"]);
        let authors = &found[0];
        assert_eq!((authors.groups, authors.largest, authors.on_both_sides), (20, 3, Some(15)));
        assert_eq!(authors.held_out_rows_on_both_sides, Some(15));
        assert!(authors.determines_label && !authors.given && authors.label_purity == 1.0 && authors.chance_purity < 0.9);
    }

    #[test]
    fn a_split_that_keeps_groups_together_is_no_finding_unless_they_were_named() {
        let held_out: Vec<bool> = (0..60).map(|row| row / 3 % 5 == 0).collect();
        assert_eq!(groups(&rows(), None, Some(&held_out)), []);
        let named = groups(&rows(), Some("place"), Some(&held_out));
        assert_eq!((named.len(), named[0].given, named[0].groups), (1, true, 11));
        assert!(!named[0].determines_label && named[0].p_value > 0.05);
        assert_eq!(groups(&rows(), Some("author"), None)[0].on_both_sides, None);
    }
}
