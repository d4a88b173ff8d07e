//! How well a label can be told from what its texts look like: length, spaces, case, punctuation, links.
//!
//! # Test
//! A family of single traits and labels is looked at, so something is always unlike somewhere. The chance that rows whose labels are shuffled
//! show any trait that is flagged is held below .025 by the labels' own permutations (the largest deviation of all traits and labels of
//! each), and so is the chance for the probes of all traits together, by the normal distribution over the number of labels: 1 in 20 in all.
//!
//! Source: Westfall and Young 1993, *Resampling-Based Multiple Testing*; on shortcuts Gururangan et al. 2018, doi 10.18653/v1/N18-2017.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;
use serde::Serialize;

use super::surface::FEATURES;
use crate::data::dataset::Dataset;
use crate::random::below;
use crate::regression::{DenseRow, FitOptions, LabelRegressions, NEAR};
use crate::statistics::{chance_deviation, midranks, roc_auc_interval};
use crate::task::Task;

/// From this ROC-AUC on a shortcut is flagged, if it is no chance.
pub const FLAGGED_FROM: f64 = 0.65;
/// Labels that fewer rows have, or lack, are not looked at: nothing could be said.
pub const FEWEST_ROWS: usize = 10;
/// More rows than that add nothing to what is flagged; the first of a shuffle are taken.
const MOST_ROWS: usize = 2000;
/// Flagged at this adjusted p-value and below.
const SIGNIFICANCE: f64 = 0.05;
const PERMUTATIONS: usize = 499;
const FOLDS: usize = 5;
const SEED: u32 = 32;
/// The name of the probe of all traits together.
pub const ALL_FEATURES: &str = "all";
/// How much wider out-of-fold areas scatter around chance than those of fixed scores, as measured on shuffled labels.
const OUT_OF_FOLD_SPREAD: f64 = 1.35;

/// How well a trait of the surface tells a label from the rest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shortcut {
    /// The trait, or [`ALL_FEATURES`] for a logistic regression on all of them, scored out of fold.
    pub feature: &'static str,
    /// The label.
    pub label: String,
    /// The area under the ROC curve; of a single trait in the direction in which it is above .5.
    pub roc_auc: f64,
    /// Its 95 % interval, see [`roc_auc_interval`]; for this one alone, whatever else was looked at.
    pub interval: Option<[f64; 2]>,
    /// Whether rows with the label have more or less of it.
    pub direction: Direction,
    /// The chance of such an area or a larger one anywhere, were the labels shuffled.
    pub p_value: f64,
    /// Whether it is both large and no chance.
    pub flagged: bool,
}

/// Which rows have more of a trait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Those with the label.
    More,
    /// Those without.
    Less,
}

/// A trait's ranks over the rows.
struct Ranked {
    feature: &'static str,
    values: Vec<f64>,
    ranks: Vec<f64>,
}

/// Looks at every trait for every label, or for the positive one of two exclusive labels; the flagged ones first, then by area.
pub fn shortcuts(data: &Dataset) -> Vec<Shortcut> {
    let sample;
    let data = if data.len() > MOST_ROWS {
        sample = data.subset(&crate::data::split::numpy_permutation(SEED, data.len())[..MOST_ROWS]);
        &sample
    } else {
        data
    };
    let labels = labels_to_probe(data);
    if labels.is_empty() {
        return Vec::new();
    }
    let features: Vec<Ranked> =
        FEATURES.par_iter().filter_map(|feature| Ranked::of(feature.name, &data.texts, feature.of)).collect();
    let mut found = singles(data, &labels, &features);
    found.extend(probes(data, &labels, &features));
    found.sort_by(|left, right| right.flagged.cmp(&left.flagged).then(right.roc_auc.total_cmp(&left.roc_auc)));
    found
}

/// The labels with enough rows; of two exclusive ones the positive one.
fn labels_to_probe(data: &Dataset) -> Vec<usize> {
    let first = if data.task == Task::SingleLabel && data.labels.len() == 2 { 1 } else { 0 };
    let enough = |&label: &usize| (FEWEST_ROWS..=data.len().saturating_sub(FEWEST_ROWS)).contains(&data.positives(label));
    (first..data.labels.len()).filter(enough).collect()
}

impl Ranked {
    /// None where all texts have as much of it.
    fn of(feature: &'static str, texts: &[String], of: fn(&str) -> f64) -> Option<Self> {
        let values: Vec<f64> = texts.iter().map(|text| of(text)).collect();
        let ranks = midranks(&values);
        values.iter().any(|&value| value != values[0]).then_some(Self { feature, values, ranks })
    }

    /// Mean 0 and standard deviation 1.
    fn standardized(&self) -> Vec<f64> {
        let n = self.values.len() as f64;
        let mean = self.values.iter().sum::<f64>() / n;
        let deviation = (self.values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt();
        self.values.iter().map(|value| (value - mean) / deviation).collect()
    }
}

/// For each label its number of rows; for each label and trait the standard deviation of the area by chance.
struct Chance<'a> {
    labels: &'a [usize],
    features: &'a [Ranked],
    positives: Vec<usize>,
    deviations: Vec<Vec<f64>>,
}

impl<'a> Chance<'a> {
    fn of(data: &Dataset, labels: &'a [usize], features: &'a [Ranked]) -> Self {
        let positives: Vec<usize> = labels.iter().map(|&label| data.positives(label)).collect();
        let of_label = |&positives: &usize| -> Vec<f64> {
            features.iter().map(|feature| chance_deviation(&feature.ranks, positives).unwrap_or(f64::INFINITY)).collect()
        };
        Self { labels, features, deviations: positives.iter().map(of_label).collect(), positives }
    }

    /// The largest deviation from chance among the areas that would be flagged for their size, with the labels of row `order[i]` on row i.
    fn largest(&self, has: &[Vec<bool>], order: &[usize]) -> f64 {
        let rows = order.len() as f64;
        let mut largest: f64 = 0.0;
        for (place, &label) in self.labels.iter().enumerate() {
            let of_label: Vec<usize> = (0..order.len()).filter(|&row| has[order[row]][label]).collect();
            let positives = self.positives[place] as f64;
            for (feature, deviation) in self.features.iter().zip(&self.deviations[place]) {
                let sum: f64 = of_label.iter().map(|&row| feature.ranks[row]).sum();
                let area = (sum - positives * (positives + 1.0) / 2.0) / (positives * (rows - positives));
                if area.max(1.0 - area) >= FLAGGED_FROM {
                    largest = largest.max((area - 0.5).abs() / deviation);
                }
            }
        }
        largest
    }
}

fn singles(data: &Dataset, labels: &[usize], features: &[Ranked]) -> Vec<Shortcut> {
    let chance = Chance::of(data, labels, features);
    let shuffled = |index: usize| {
        let mut random = ChaCha8Rng::seed_from_u64(u64::from(SEED));
        random.set_stream(index as u64);
        let mut order: Vec<usize> = (0..data.len()).collect();
        (1..order.len()).rev().for_each(|last| order.swap(last, below(&mut random, last + 1)));
        chance.largest(&data.truth, &order)
    };
    let by_chance: Vec<f64> = (0..PERMUTATIONS).into_par_iter().map(shuffled).collect();
    let one = |(place, &label): (usize, &usize)| {
        let truth: Vec<bool> = data.truth.iter().map(|row| row[label]).collect();
        let (by_chance, deviations, features) = (&by_chance, &chance.deviations[place], features);
        (features.iter().zip(deviations)).filter_map(move |(feature, deviation)| {
            let (area, interval) = roc_auc_interval(&truth, &feature.values).ok()?;
            let direction = if area < 0.5 { Direction::Less } else { Direction::More };
            let (area, interval) = match direction {
                Direction::More => (area, interval),
                Direction::Less => (1.0 - area, interval.map(|[low, high]| [1.0 - high, 1.0 - low])),
            };
            // Half of all false alarms are the single traits'.
            let as_large = by_chance.iter().filter(|&&largest| largest >= (area - 0.5) / deviation).count();
            let p_value = (2.0 * (as_large + 1) as f64 / (PERMUTATIONS + 1) as f64).min(1.0);
            Some(Shortcut::new(feature.feature, (data, label), (area, interval), direction, p_value))
        })
    };
    labels.par_iter().enumerate().flat_map_iter(|label| one(label).collect::<Vec<_>>()).collect()
}

/// Logistic regression on all traits, out of fold.
fn probes(data: &Dataset, labels: &[usize], features: &[Ranked]) -> Vec<Shortcut> {
    let Some(fold_of) = super::folds(data, FOLDS, SEED) else { return Vec::new() };
    let columns: Vec<Vec<f64>> = features.iter().map(Ranked::standardized).collect();
    let row = |index: usize| columns.iter().map(|column| column[index]).collect();
    let rows: Vec<DenseRow> = (0..data.len()).map(row).collect();
    let options = FitOptions { penalty: 1.0, tolerance: NEAR };
    let probabilities = LabelRegressions::out_of_fold((data.task, &data.truth), (&rows, columns.len()), options, &fold_of);
    let one = |&label: &usize| {
        let truth: Vec<bool> = data.truth.iter().map(|row| row[label]).collect();
        let scores: Vec<f64> = probabilities.iter().map(|row| row[label]).collect();
        let (area, interval) = roc_auc_interval(&truth, &scores).ok()?;
        let deviation = chance_deviation(&midranks(&scores), data.positives(label))? * OUT_OF_FOLD_SPREAD;
        let p_value = (2.0 * labels.len() as f64 * upper_tail((area - 0.5) / deviation)).min(1.0);
        Some(Shortcut::new(ALL_FEATURES, (data, label), (area, interval), Direction::More, p_value))
    };
    labels.iter().filter_map(one).collect()
}

impl Shortcut {
    fn new(
        feature: &'static str,
        (data, label): (&Dataset, usize),
        (roc_auc, interval): (f64, Option<[f64; 2]>),
        direction: Direction,
        p_value: f64,
    ) -> Self {
        let clear = interval.is_some_and(|[low, _]| low > 0.5);
        let flagged = roc_auc >= FLAGGED_FROM && clear && p_value <= SIGNIFICANCE;
        Self { feature, label: data.labels.names()[label].clone(), roc_auc, interval, direction, p_value, flagged }
    }

    /// Whether it is flagged, and large even by the low end of its interval: worth a word to somebody who did not ask.
    pub fn is_surely_large(&self) -> bool {
        self.flagged && self.interval.is_some_and(|[low, _]| low >= FLAGGED_FROM)
    }
}

/// 1 - Φ(z) of the standard normal distribution, the error below 1.2 · 10⁻⁷ of the value.
///
/// Source: the Chebyshev fit of erfc in Press et al., *Numerical Recipes*, section 6.2.
fn upper_tail(z: f64) -> f64 {
    const COEFFICIENTS: [f64; 10] = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let x = z.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.5 * x);
    let polynomial = COEFFICIENTS.iter().rev().fold(0.0, |sum, coefficient| sum * t + coefficient);
    let tail = 0.5 * t * (polynomial - x * x).exp();
    if z < 0.0 { 1.0 - tail } else { tail }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{data, sentences};
    use super::*;

    #[test]
    fn two_trailing_spaces_on_one_label_are_found() {
        let texts: Vec<(String, usize)> = sentences(200, 1)
            .into_iter()
            .enumerate()
            .map(|(row, text)| (if row % 2 == 1 { text + "  " } else { text }, row % 2))
            .collect();
        let rows = data(&texts.iter().map(|(text, label)| (text.as_str(), *label)).collect::<Vec<_>>());
        let found = shortcuts(&rows);
        let flagged: Vec<&str> = found.iter().filter(|shortcut| shortcut.flagged).map(|shortcut| shortcut.feature).collect();
        assert!(flagged.contains(&"trailing_spaces") && flagged.contains(&ALL_FEATURES), "{flagged:?}");
        let spaces = found.iter().find(|shortcut| shortcut.feature == "trailing_spaces").unwrap();
        assert_eq!((spaces.roc_auc, spaces.direction, spaces.label.as_str()), (1.0, Direction::More, "b"));
        assert!(spaces.interval.unwrap()[0] > 0.9 && spaces.p_value <= 0.05);
    }

    #[test]
    fn what_the_label_lacks_has_the_other_direction_and_few_rows_say_nothing() {
        let texts: Vec<(String, usize)> = sentences(60, 2)
            .into_iter()
            .enumerate()
            .map(|(row, text)| (if row % 2 == 0 { text + "\t" } else { text }, row % 2))
            .collect();
        let texts: Vec<(&str, usize)> = texts.iter().map(|(text, label)| (text.as_str(), *label)).collect();
        let found = shortcuts(&data(&texts));
        let tabs = found.iter().find(|shortcut| shortcut.feature == "tabs").unwrap();
        assert_eq!((tabs.roc_auc, tabs.direction, tabs.flagged), (1.0, Direction::Less, true));
        assert_eq!(shortcuts(&data(&texts[..18])), []);
    }

    /// Of runs with labels that are chance, the shares in which a single trait is flagged, the probe of all, and anything.
    fn false_alarms(rows: usize, classes: usize, runs: u64) -> [f64; 3] {
        let alarms = |run: u64| {
            // Skewed classes, so that some are small.
            let class = |row: usize| (0..classes - 1).find(|class| !row.is_multiple_of(1 << (class + 1))).unwrap_or(classes - 1);
            let texts = sentences(rows, run);
            let labelled: Vec<(&str, usize)> = texts.iter().enumerate().map(|(row, text)| (text.as_str(), class(row))).collect();
            let flagged: Vec<Shortcut> = shortcuts(&data(&labelled)).into_iter().filter(|shortcut| shortcut.flagged).collect();
            let probes = flagged.iter().filter(|shortcut| shortcut.feature == ALL_FEATURES).count();
            [flagged.len() > probes, probes > 0, !flagged.is_empty()]
        };
        let runs: Vec<[bool; 3]> = (0..runs).into_par_iter().map(alarms).collect();
        [0, 1, 2].map(|kind| runs.iter().filter(|alarms| alarms[kind]).count() as f64 / runs.len() as f64)
    }

    #[test]
    fn labels_that_are_chance_are_seldom_flagged_even_with_few_rows() {
        for (rows, classes) in [(24, 2), (60, 2), (150, 4)] {
            let [.., any] = false_alarms(rows, classes, 200);
            assert!(any <= 0.05, "{any} of the runs with {rows} rows and {classes} labels");
        }
    }

    #[test]
    #[ignore = "needs minutes: more runs of the same"]
    fn labels_that_are_chance_are_flagged_in_at_most_one_run_in_twenty() {
        for (rows, classes) in [(20, 2), (30, 2), (50, 2), (100, 2), (200, 2), (60, 3), (150, 4), (200, 5), (400, 5)] {
            let [single, probe, any] = false_alarms(rows, classes, 1000);
            println!("{rows} rows, {classes} labels: {single:.3} single traits, {probe:.3} probes, {any:.3} any");
            // Two standard errors above.
            assert!(
                any <= 0.05 + 2.0 * (0.05_f64 * 0.95 / 1000.0).sqrt(),
                "{any} of the runs with {rows} rows and {classes} labels"
            );
        }
    }

    #[test]
    fn the_normal_tail_is_scipys() {
        // scipy.stats.norm.sf
        for (z, expected) in
            [(0.0, 0.5), (1.0, 0.158_655_253_9), (1.96, 0.024_997_895_1), (4.0, 3.167_124_2e-5), (-1.0, 0.841_344_746_1)]
        {
            assert!((upper_tail(z) / expected - 1.0).abs() < 2e-7, "{z}: {}", upper_tail(z));
        }
    }
}
