//! What a person should know about a data set before believing a metric: its size and classes, its duplicates, its leaks.

use std::collections::HashMap;

use serde::Serialize;

use super::dataset::Dataset;
use crate::label::similar;

/// A data set's size, classes, lengths and duplicates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DataReport {
    /// The number of rows.
    pub rows: usize,
    /// Rows of each label, in the labels' order.
    pub classes: Vec<ClassCount>,
    /// Lengths of the texts in characters (Unicode scalar values).
    pub characters: LengthQuantiles,
    /// Rows whose texts are the same byte for byte.
    pub exact_duplicates: Duplicates,
    /// Rows whose texts are the same but for case and white space; the exact ones among them.
    pub normalized_duplicates: Duplicates,
    /// Groups of normalized duplicates that do not all have the same labels, as row numbers.
    pub conflicting_labels: Vec<Vec<u64>>,
    /// Labels that differ only by case or white space, such as `Bug` and `bug`, in groups.
    pub similar_labels: Vec<Vec<String>>,
}

/// How many rows have a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    /// The label.
    pub label: String,
    /// Its rows.
    pub rows: usize,
}

/// Quantiles of lengths by nearest rank: the smallest length that at least that share of the rows does not exceed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LengthQuantiles {
    /// The shortest.
    pub minimum: usize,
    /// A quarter.
    pub quarter: usize,
    /// A half.
    pub median: usize,
    /// Three quarters.
    pub three_quarters: usize,
    /// 95 in a hundred.
    pub percentile_95: usize,
    /// The longest.
    pub maximum: usize,
}

/// Rows that say the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Duplicates {
    /// Rows that could go without a text being lost: in each group all but one.
    pub extra_rows: usize,
    /// The groups, as row numbers, in the order of their first rows.
    pub groups: Vec<Vec<u64>>,
}

/// Texts that are on both sides of a split, but for case and white space.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SplitOverlap {
    /// How many rows of the test side have their text on the training side.
    pub rows: usize,
    /// For each such row: the first row of the training side with its text, and the row itself.
    pub pairs: Vec<(u64, u64)>,
}

impl DataReport {
    /// Looks through a data set.
    pub fn of(data: &Dataset) -> Self {
        let (texts, numbers) = (&data.texts, &data.rows);
        let count = |(label, name): (usize, &String)| ClassCount { label: name.clone(), rows: data.positives(label) };
        let groups = normalized_groups(texts);
        let conflicts = |group: &&Vec<usize>| group.iter().any(|&row| data.truth[row] != data.truth[group[0]]);
        let as_rows = |group: &Vec<usize>| group.iter().map(|&row| numbers[row]).collect::<Vec<u64>>();
        Self {
            rows: texts.len(),
            classes: data.labels.names().iter().enumerate().map(count).collect(),
            characters: LengthQuantiles::of(texts.iter().map(|text| text.chars().count()).collect()),
            exact_duplicates: Duplicates::of(&duplicate_groups(texts), numbers),
            normalized_duplicates: Duplicates::of(&groups, numbers),
            conflicting_labels: groups.iter().filter(conflicts).map(as_rows).collect(),
            similar_labels: similar(data.labels.names()),
        }
    }
}

impl Duplicates {
    /// Texts that are the same but for case and white space; `rows` are the texts' row numbers.
    pub fn normalized(texts: &[String], rows: &[u64]) -> Self {
        Self::of(&normalized_groups(texts), rows)
    }

    fn of(groups: &[Vec<usize>], rows: &[u64]) -> Self {
        Self {
            extra_rows: groups.iter().map(|group| group.len() - 1).sum(),
            groups: groups.iter().map(|group| group.iter().map(|&index| rows[index]).collect()).collect(),
        }
    }
}

impl SplitOverlap {
    /// Looks for the texts of `test` in `train`.
    pub fn between(train: &Dataset, test: &Dataset) -> Self {
        Self::of((&train.texts, &train.rows), (&test.texts, &test.rows))
    }

    /// The same for texts and their row numbers.
    pub fn of((train, train_rows): (&[String], &[u64]), (test, test_rows): (&[String], &[u64])) -> Self {
        let mut first_row = HashMap::new();
        for (text, &row) in train.iter().zip(train_rows) {
            first_row.entry(normalize(text)).or_insert(row);
        }
        let pairs: Vec<(u64, u64)> = (test.iter().zip(test_rows))
            .filter_map(|(text, &row)| first_row.get(&normalize(text)).map(|&train_row| (train_row, row)))
            .collect();
        Self { rows: pairs.len(), pairs }
    }
}

impl LengthQuantiles {
    pub(super) fn of(mut lengths: Vec<usize>) -> Self {
        lengths.sort_unstable();
        let at = |percent: usize| {
            let rank = (lengths.len() * percent).div_ceil(100).max(1);
            lengths.get(rank - 1).copied().unwrap_or(0)
        };
        Self { minimum: at(0), quarter: at(25), median: at(50), three_quarters: at(75), percentile_95: at(95), maximum: at(100) }
    }
}

/// Lower case, with each run of white space as one space and none at the ends.
pub(crate) fn normalize(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The indices of texts that are the same but for case and white space, in groups of two or more.
fn normalized_groups(texts: &[String]) -> Vec<Vec<usize>> {
    duplicate_groups(&texts.iter().map(|text| normalize(text)).collect::<Vec<_>>())
}

/// The indices of equal texts, in groups of two or more.
fn duplicate_groups(texts: &[String]) -> Vec<Vec<usize>> {
    let mut group_of: HashMap<&str, usize> = HashMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let group = *group_of.entry(text).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[group].push(index);
    }
    groups.retain(|group| group.len() > 1);
    groups
}
