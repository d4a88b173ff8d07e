//! What decisions mean where labels are rarer, or more frequent, than among the rows that were counted.

use super::points::{OperatingPoint, OperatingPoints};
use super::target::{TargetError, parse_share};
use crate::statistics::{Proportion, exact_interval};
use serde::Serialize;
use std::str::FromStr;

/// How frequent labels are in the traffic.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prevalences {
    /// Of every label that has none of its own.
    all: Option<f64>,
    /// By label.
    labels: Vec<(String, f64)>,
}

impl FromStr for Prevalences {
    type Err = TargetError;

    /// `0.01`, `1%`, or for some labels `LABEL=0.01,OTHER=2%`.
    fn from_str(text: &str) -> Result<Self, TargetError> {
        let wrong = || TargetError { found: text.to_owned() };
        let share = |number: &str| parse_share(number).filter(|share| *share > 0.0 && *share < 1.0).ok_or_else(wrong);
        let mut found = Self::default();
        for part in text.split(',') {
            match part.rsplit_once('=') {
                Some((label, number)) => found.labels.push((label.trim().to_owned(), share(number)?)),
                None => found.all = Some(share(part)?),
            }
        }
        Ok(found)
    }
}

impl Prevalences {
    /// That of a label.
    pub fn of(&self, label: &str) -> Option<f64> {
        self.labels.iter().find(|(name, _)| name == label).map(|(_, share)| *share).or(self.all)
    }

    /// The first label that is none of `labels`.
    pub fn unknown<'a>(&'a self, labels: &[String]) -> Option<&'a str> {
        self.labels.iter().map(|(name, _)| name.as_str()).find(|name| !labels.iter().any(|label| label == name))
    }
}

/// Texts by what happens to them, of a number of texts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Traffic {
    /// Flagged.
    pub flags: f64,
    /// Flagged wrongly.
    pub false_flags: f64,
    /// Not flagged though they have the label.
    pub misses: f64,
    /// Left to a person.
    pub reviews: f64,
}

/// A rate with an interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rate {
    /// None where there are no rows to count.
    pub value: Option<f64>,
    /// `[low, high]`.
    pub interval: [f64; 2],
}

/// What the decisions about a label mean where a given share of the texts has it.
///
/// Recall and false-positive rate do not depend on that share if the texts with the label, and those without, are like the rows that were
/// counted. Precision does: π r / (π r + (1 - π) f) with prevalence π, recall r and false-positive rate f. Its interval comes from the
/// exact intervals of both at 97.5 %, so that it holds with 95 % (Bonferroni).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AtPrevalence {
    /// The label.
    pub label: String,
    /// π.
    pub prevalence: f64,
    /// With its exact 95 % interval.
    pub recall: Rate,
    /// With its exact 95 % interval.
    pub false_positive_rate: Rate,
    /// With an interval of at least 95 %.
    pub precision: Rate,
    /// Of a thousand texts.
    pub per_thousand: Traffic,
    /// Of a million texts.
    pub per_million: Traffic,
    /// The same in words.
    pub sentence: String,
}

impl AtPrevalence {
    /// For each label of `points` whose prevalence is given.
    pub fn of(points: &OperatingPoints, prevalences: &Prevalences) -> Vec<Self> {
        let of = |point: &OperatingPoint| Some(Self::of_label(point, prevalences.of(&point.label)?));
        points.labels.iter().filter_map(of).collect()
    }

    fn of_label(point: &OperatingPoint, prevalence: f64) -> Self {
        let rate = |rate: Proportion| Rate { value: rate.value(), interval: rate.interval() };
        let wide = |rate: Proportion| exact_interval(rate.successes, rate.rows, 0.975);
        let precision = |recall: f64, false_positive_rate: f64| {
            let (right, wrong) = (prevalence * recall, (1.0 - prevalence) * false_positive_rate);
            (right + wrong > 0.0).then(|| right / (right + wrong))
        };
        let (recall, false_positive_rate) = (point.recall(), point.false_positive_rate());
        let ([recall_low, recall_high], [rate_low, rate_high]) = (wide(recall), wide(false_positive_rate));
        let value = recall.value().zip(false_positive_rate.value()).and_then(|(recall, rate)| precision(recall, rate));
        let interval = [precision(recall_low, rate_high).unwrap_or(0.0), precision(recall_high, rate_low).unwrap_or(1.0)];
        let share = |of_positives: u64, of_negatives: u64| {
            let share = |count: u64, rows: u64| Proportion::new(count, rows).value().unwrap_or(0.0);
            prevalence * share(of_positives, point.positives.rows())
                + (1.0 - prevalence) * share(of_negatives, point.negatives.rows())
        };
        let traffic = |texts: f64| Traffic {
            flags: texts * share(point.positives.flagged, point.negatives.flagged),
            false_flags: texts * share(0, point.negatives.flagged),
            misses: texts * share(point.positives.cleared, 0),
            reviews: texts * share(point.positives.reviewed, point.negatives.reviewed),
        };
        let mut found = Self {
            label: point.label.clone(),
            prevalence,
            recall: rate(recall),
            false_positive_rate: rate(false_positive_rate),
            precision: Rate { value, interval },
            per_thousand: traffic(1e3),
            per_million: traffic(1e6),
            sentence: String::new(),
        };
        found.sentence = found.in_words();
        found
    }

    fn in_words(&self) -> String {
        let Traffic { flags, false_flags, misses, reviews } = self.per_thousand;
        let one = |value: f64| format!("{:.1}", value);
        let [low, high] = self.precision.interval;
        let right = self.precision.value.map_or(String::from("none can be said to be right"), |value| {
            format!("{:.0} % of the flags are right ({:.0} to {:.0} %)", 100.0 * value, 100.0 * low, 100.0 * high)
        });
        let person = if reviews > 0.0 { format!(", {} go to a person", one(reviews)) } else { String::new() };
        format!(
            "Where {} % of the texts are {}, of 1000 texts {} are flagged, {} of them wrongly, {} are missed{person}; {right}.",
            (self.prevalence * 1e6).round() / 1e4,
            self.label,
            one(flags),
            one(false_flags),
            one(misses),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decisions::Outcomes;

    fn point() -> OperatingPoint {
        OperatingPoint {
            label: String::from("rude"),
            target: None,
            threshold: Some(0.5),
            review: None,
            positives: Outcomes { flagged: 80, cleared: 15, reviewed: 5 },
            negatives: Outcomes { flagged: 4, cleared: 190, reviewed: 6 },
        }
    }

    #[test]
    fn precision_follows_the_prevalence() {
        let found = AtPrevalence::of_label(&point(), 0.01);
        // 0.01 * 0.8 / (0.01 * 0.8 + 0.99 * 0.02)
        assert!((found.precision.value.unwrap() - 0.008 / 0.0278).abs() < 1e-12);
        assert!((found.per_thousand.flags - 27.8).abs() < 1e-9);
        assert!((found.per_thousand.misses - 1.5).abs() < 1e-9);
        assert!((found.per_million.reviews - 1e6 * (0.01 * 0.05 + 0.99 * 0.03)).abs() < 1e-6);
        let [low, high] = found.precision.interval;
        assert!(low < found.precision.value.unwrap() && found.precision.value.unwrap() < high);
        // At the rows' own mix it is the share of the rows that were flagged rightly.
        let same = AtPrevalence::of_label(&point(), 1.0 / 3.0);
        assert!((same.precision.value.unwrap() - 80.0 / 84.0).abs() < 1e-12);
    }

    #[test]
    fn prevalences_are_of_all_labels_or_of_some() {
        let found: Prevalences = "1%,off-topic=0.2".parse().unwrap();
        assert_eq!((found.of("rude"), found.of("off-topic")), (Some(0.01), Some(0.2)));
        assert_eq!(found.unknown(&[String::from("rude")]), Some("off-topic"));
        assert_eq!("rude=0.5".parse::<Prevalences>().unwrap().of("other"), None);
        for text in ["", "0", "1", "two", "rude="] {
            assert!(text.parse::<Prevalences>().is_err(), "{text}");
        }
    }
}
