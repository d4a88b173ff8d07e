//! Whether texts about a group are told apart as well as others.

use crate::data::dataset::Dataset;
use crate::evaluation::Truth;
use crate::metrics::{MetricError, roc_auc};
use crate::prediction::Prediction;
use crate::task::Task;
use serde::{Deserialize, Serialize};

/// Rows of either class below which a group says too little.
const FEWEST_ROWS: usize = 10;
/// The exponent of the generalized mean: the worst groups weigh most.
const POWER: f64 = -5.0;

/// The areas under the ROC curve of one group.
///
/// Source: Borkan, Dixon, Sorensen, Thain and Vasserman 2019, *Nuanced Metrics for Measuring Unintended Bias with Real Data for Text
/// Classification*, arXiv 1903.04561.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupAreas {
    /// The group.
    pub group: String,
    /// Its rows with the label.
    pub positives: usize,
    /// Its rows without.
    pub negatives: usize,
    /// Of the group's rows alone; absent, as the others, where either class has fewer than ten rows.
    pub subgroup: Option<f64>,
    /// Of the group's rows without the label and all other rows with it: low where texts about the group are flagged for nothing.
    pub background_positive_subgroup_negative: Option<f64>,
    /// Of the group's rows with the label and all other rows without: low where texts about the group are missed.
    pub background_negative_subgroup_positive: Option<f64>,
}

/// The areas of all groups for one label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IdentityAreas {
    /// The label; of two exclusive labels the last.
    pub label: String,
    /// Each group, the least area first.
    pub groups: Vec<GroupAreas>,
    /// The [`generalized_mean`] with p = -5 of the groups' areas, of those that have one.
    pub subgroup: Option<f64>,
    /// The same.
    pub background_positive_subgroup_negative: Option<f64>,
    /// The same.
    pub background_negative_subgroup_positive: Option<f64>,
}

impl IdentityAreas {
    /// The three means.
    pub fn means(&self) -> [Option<f64>; 3] {
        [self.subgroup, self.background_positive_subgroup_negative, self.background_negative_subgroup_positive]
    }
}

/// (Σ xᵢᵖ / n)^(1 / p); none of no values.
pub fn generalized_mean(values: &[f64], power: f64) -> Option<f64> {
    let mean = values.iter().map(|value| value.powf(power)).sum::<f64>() / values.len() as f64;
    (!values.is_empty()).then(|| mean.powf(1.0 / power))
}

/// A group's name, and whether each row belongs to it.
pub(super) type Membership = (String, Vec<bool>);

/// The groups of a column's values, and of terms in the texts.
pub(super) fn memberships(data: &Dataset, column: Option<&[String]>, terms: &[String]) -> Vec<Membership> {
    let mut names: Vec<&String> = column.unwrap_or_default().iter().filter(|value| !value.is_empty()).collect();
    names.sort();
    names.dedup();
    let of_value = |name: &String| (name.clone(), column.unwrap_or_default().iter().map(|value| value == name).collect());
    let words: Vec<String> = if terms.is_empty() { Vec::new() } else { data.texts.iter().map(|text| spaced(text)).collect() };
    let of_term = |term: &String| (term.clone(), words.iter().map(|words| words.contains(&spaced(term))).collect());
    names.into_iter().map(of_value).chain(terms.iter().map(of_term)).collect()
}

/// The words in lower case with a space around each.
fn spaced(text: &str) -> String {
    let lower = text.to_lowercase();
    let words = lower.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty());
    words.fold(String::from(" "), |spaced, word| spaced + word + " ")
}

pub(super) fn of_labels(
    truth: Truth,
    predictions: &[Prediction],
    memberships: &[Membership],
) -> Result<Vec<IdentityAreas>, MetricError> {
    if memberships.is_empty() {
        return Ok(Vec::new());
    }
    let first = usize::from(truth.task == Task::SingleLabel && truth.labels.len() == 2);
    let of_label = |label: usize| {
        let scores: Vec<f64> = predictions.iter().map(|prediction| prediction.probabilities[label]).collect();
        let has = truth.of_label(label);
        let groups = memberships.iter().map(|(name, is_in)| of_group(name, is_in, &has, &scores));
        let mut groups = groups.collect::<Result<Vec<_>, _>>()?;
        let least = |group: &GroupAreas| {
            let areas =
                [group.subgroup, group.background_positive_subgroup_negative, group.background_negative_subgroup_positive];
            areas.into_iter().flatten().fold(2.0, f64::min)
        };
        groups.sort_by(|a, b| least(a).total_cmp(&least(b)));
        let mean =
            |of: fn(&GroupAreas) -> Option<f64>| generalized_mean(&groups.iter().filter_map(of).collect::<Vec<_>>(), POWER);
        Ok(IdentityAreas {
            label: truth.labels.names()[label].clone(),
            subgroup: mean(|group| group.subgroup),
            background_positive_subgroup_negative: mean(|group| group.background_positive_subgroup_negative),
            background_negative_subgroup_positive: mean(|group| group.background_negative_subgroup_positive),
            groups,
        })
    };
    (first..truth.labels.len()).map(of_label).collect()
}

fn of_group(name: &str, is_in: &[bool], has: &[bool], scores: &[f64]) -> Result<GroupAreas, MetricError> {
    let count = |class: bool| is_in.iter().zip(has).filter(|&(&is_in, &has)| is_in && has == class).count();
    let area = |take: &dyn Fn(bool, bool) -> bool| {
        let rows: Vec<usize> = (0..has.len()).filter(|&row| take(is_in[row], has[row])).collect();
        let classes: Vec<bool> = rows.iter().map(|&row| has[row]).collect();
        match roc_auc(&classes, &rows.iter().map(|&row| scores[row]).collect::<Vec<_>>()) {
            Ok(area) => Ok(Some(area)),
            Err(MetricError::OneClass | MetricError::Empty) => Ok(None),
            Err(error) => Err(error),
        }
    };
    let (positives, negatives) = (count(true), count(false));
    let enough = positives >= FEWEST_ROWS && negatives >= FEWEST_ROWS;
    let area = |take: &dyn Fn(bool, bool) -> bool| if enough { area(take) } else { Ok(None) };
    Ok(GroupAreas {
        group: name.to_owned(),
        positives,
        negatives,
        subgroup: area(&|is_in, _| is_in)?,
        background_positive_subgroup_negative: area(&|is_in, has| is_in != has)?,
        background_negative_subgroup_positive: area(&|is_in, has| is_in == has)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_whole_words() {
        assert_eq!(spaced("Old-fashioned, isn't it?"), " old fashioned isn t it ");
        assert!(spaced("An OLD man.").contains(&spaced("old")) && !spaced("bold").contains(&spaced("old")));
        assert!(spaced("a middle-aged man").contains(&spaced("middle aged")));
    }

    #[test]
    fn the_generalized_mean_leans_to_the_worst() {
        let mean = generalized_mean(&[0.9, 0.9, 0.5], -5.0).unwrap();
        assert!(mean > 0.5 && mean < (0.9 + 0.9 + 0.5) / 3.0, "{mean}");
        assert_eq!(generalized_mean(&[], -5.0), None);
    }
}
