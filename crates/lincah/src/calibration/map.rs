//! What is applied to probabilities.

use super::isotonic::interpolated;
use crate::softmax::softmax;
use crate::task::Task;
use serde::{Deserialize, Serialize};

/// What is done to a probability p with the log-odds z = ln p / (1 - p), or to the probabilities of all exclusive labels together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case", deny_unknown_fields)]
pub enum CalibrationMap {
    /// Nothing.
    None,
    /// σ(z / T); of several exclusive labels softmax(ln p / T). The order of the labels and, of two, of the texts stays.
    ///
    /// Source: Guo, Pleiss, Sun and Weinberger 2017, *On Calibration of Modern Neural Networks*, ICML.
    Temperature {
        /// T, above 0.
        temperature: f64,
    },
    /// σ(slope · z + intercept), the slope above 0: the order of the texts stays.
    ///
    /// Source: Platt 1999, *Probabilistic Outputs for Support Vector Machines*, with his smoothed targets.
    Platt {
        /// Of the log-odds.
        slope: f64,
        /// Added to them.
        intercept: f64,
    },
    /// The rising steps that are nearest to the truth, with straight lines between them. Different probabilities may become one.
    ///
    /// Source: Zadrozny and Elkan 2002, doi 10.1145/775047.775151; fitted by pooling adjacent violators.
    Isotonic {
        /// Probabilities as they are, rising.
        from: Vec<f64>,
        /// What each becomes, not falling.
        to: Vec<f64>,
    },
}

/// The natural logarithm of the odds of a label, from its probability and that of the other answer, which is more exact near 1 than one
/// less the probability.
pub(crate) fn log_odds(probability: f64, other: f64) -> f64 {
    probability.max(f64::MIN_POSITIVE).ln() - other.max(f64::MIN_POSITIVE).ln()
}

/// 1 / (1 + e⁻ᶻ).
pub(crate) fn sigmoid(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

impl CalibrationMap {
    /// The calibrated probability of a label against the rest, from its probability and the natural logarithm of its odds.
    pub fn apply(&self, probability: f64, log_odds: f64) -> f64 {
        match self {
            Self::None => probability,
            Self::Temperature { temperature } => sigmoid(log_odds / temperature),
            Self::Platt { slope, intercept } => sigmoid(slope * log_odds + intercept),
            Self::Isotonic { from, to } => interpolated(from, to, probability),
        }
    }

    /// The name, as in the command and in files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Temperature { .. } => "temperature",
            Self::Platt { .. } => "platt",
            Self::Isotonic { .. } => "isotonic",
        }
    }

    /// Whether its numbers can be applied: a file may say anything.
    fn is_sound(&self) -> bool {
        let share = |value: &f64| (0.0..=1.0).contains(value);
        match self {
            Self::None => true,
            Self::Temperature { temperature } => temperature.is_finite() && *temperature > 0.0,
            Self::Platt { slope, intercept } => slope.is_finite() && *slope > 0.0 && intercept.is_finite(),
            Self::Isotonic { from, to } => {
                let rising = from.windows(2).all(|pair| pair[0] < pair[1]) && to.windows(2).all(|pair| pair[0] <= pair[1]);
                !from.is_empty() && from.len() == to.len() && rising && from.iter().chain(to).all(share)
            }
        }
    }
}

/// The maps of a classifier's labels: one of two exclusive labels, that of the last; of more exclusive labels one temperature for all, or a
/// map per label, whose results are divided by their sum; of independent labels a map per label.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Calibration {
    /// The maps; none where probabilities stay as they are.
    pub maps: Vec<CalibrationMap>,
}

impl Calibration {
    /// Whether probabilities stay as they are.
    pub fn is_none(&self) -> bool {
        self.maps.iter().all(|map| *map == CalibrationMap::None)
    }

    /// Whether it fits a task with so many labels, and its numbers can be applied.
    pub fn fits(&self, task: Task, labels: usize) -> bool {
        let together = |map: &CalibrationMap| matches!(map, CalibrationMap::None | CalibrationMap::Temperature { .. });
        let count = match (task, self.maps.as_slice()) {
            (_, []) => true,
            (Task::SingleLabel, [_]) if labels == 2 => true,
            (Task::SingleLabel, [map]) => together(map),
            (Task::SingleLabel, maps) => labels > 2 && maps.len() == labels,
            (Task::MultiLabel, maps) => maps.len() == labels,
        };
        count && self.maps.iter().all(CalibrationMap::is_sound)
    }

    /// Calibrated probabilities of one text. # Shapes: probabilities and result `[labels]`.
    pub fn apply(&self, task: Task, probabilities: &[f64]) -> Vec<f64> {
        match (task, self.maps.as_slice()) {
            (_, []) => probabilities.to_vec(),
            (_, maps) if maps.iter().all(|map| *map == CalibrationMap::None) => probabilities.to_vec(),
            (Task::SingleLabel, [map]) => match (map, probabilities) {
                (CalibrationMap::Temperature { temperature }, _) => tempered(probabilities, *temperature),
                (_, &[first, last]) => {
                    let last = map.apply(last, log_odds(last, first));
                    vec![1.0 - last, last]
                }
                _ => probabilities.to_vec(),
            },
            (Task::SingleLabel, maps) => shares(against_the_rest(maps, probabilities)),
            (Task::MultiLabel, maps) => against_the_rest(maps, probabilities),
        }
    }
}

fn against_the_rest(maps: &[CalibrationMap], probabilities: &[f64]) -> Vec<f64> {
    let each = maps.iter().zip(probabilities);
    each.map(|(map, &probability)| map.apply(probability, log_odds(probability, 1.0 - probability))).collect()
}

/// softmax(ln p / T).
pub(super) fn tempered(probabilities: &[f64], temperature: f64) -> Vec<f64> {
    let logits: Vec<f64> = probabilities.iter().map(|p| p.max(f64::MIN_POSITIVE).ln() / temperature).collect();
    softmax(&logits)
}

/// Divided by their sum; equal shares where it is 0.
fn shares(values: Vec<f64>) -> Vec<f64> {
    let (sum, count) = (values.iter().sum::<f64>(), values.len() as f64);
    values.into_iter().map(|value| if sum > 0.0 { value / sum } else { 1.0 / count }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_applied_per_task() {
        let platt = CalibrationMap::Platt { slope: 2.0, intercept: 1.0 };
        let two = Calibration { maps: vec![platt.clone()] };
        let found = two.apply(Task::SingleLabel, &[0.5, 0.5]);
        assert!((found[1] - sigmoid(1.0)).abs() < 1e-15 && (found[0] + found[1] - 1.0).abs() < 1e-15);
        let cool = Calibration { maps: vec![CalibrationMap::Temperature { temperature: 0.5 }] };
        let squares = cool.apply(Task::SingleLabel, &[0.2, 0.3, 0.5]);
        for (found, expected) in squares.iter().zip([0.04 / 0.38, 0.09 / 0.38, 0.25 / 0.38]) {
            assert!((found - expected).abs() < 1e-12);
        }
        let independent = Calibration { maps: vec![CalibrationMap::None, platt] };
        assert_eq!(independent.apply(Task::MultiLabel, &[0.3, 0.5]), [0.3, sigmoid(1.0)]);
        assert!(independent.fits(Task::MultiLabel, 2) && !independent.fits(Task::MultiLabel, 3));
        assert_eq!(Calibration::default().apply(Task::SingleLabel, &[0.3, 0.7]), [0.3, 0.7]);
    }

    #[test]
    fn numbers_that_cannot_be_applied_do_not_fit() {
        let fits = |map: CalibrationMap| Calibration { maps: vec![map] }.fits(Task::SingleLabel, 2);
        assert!(fits(CalibrationMap::Isotonic { from: vec![0.1, 0.5], to: vec![0.0, 1.0] }));
        assert!(!fits(CalibrationMap::Isotonic { from: vec![0.5, 0.1], to: vec![0.0, 1.0] }));
        assert!(!fits(CalibrationMap::Isotonic { from: vec![0.5], to: vec![f64::NAN] }));
        assert!(!fits(CalibrationMap::Temperature { temperature: 0.0 }));
        assert!(!fits(CalibrationMap::Platt { slope: -1.0, intercept: 0.0 }));
    }
}
