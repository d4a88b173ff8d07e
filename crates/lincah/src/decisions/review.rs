//! Which texts a person should look at.

use super::target::{TargetError, parse_share};
use crate::calibration::{log_odds, sigmoid};
use std::fmt;
use std::str::FromStr;

/// How wide the band is in which nothing is decided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ReviewTarget {
    /// So wide that at most this share of the texts is left to a person: those nearest to their threshold, in log-odds.
    Budget(f64),
    /// So wide that on either side of it at most this share of the decisions is wrong.
    Error(f64),
}

impl FromStr for ReviewTarget {
    type Err = TargetError;

    /// `5%`, `0.05` or `error=5%`.
    fn from_str(text: &str) -> Result<Self, TargetError> {
        let wrong = || TargetError { found: text.to_owned() };
        let (is_error, number) = text.trim().strip_prefix("error=").map_or((false, text.trim()), |number| (true, number));
        let share = parse_share(number).filter(|share| *share > 0.0 && *share < 1.0).ok_or_else(wrong)?;
        Ok(if is_error { Self::Error(share) } else { Self::Budget(share) })
    }
}

impl fmt::Display for ReviewTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: f64| format!("{}%", (share * 1e8).round() / 1e6);
        match self {
            Self::Budget(share) => write!(formatter, "{}", percent(*share)),
            Self::Error(share) => write!(formatter, "error={}", percent(*share)),
        }
    }
}

/// The value below which at most `share` of `values` lie, in the middle between two of them; the lowest finite number where not even one may.
pub(super) fn below_share(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let most = (share * values.len() as f64 + 1e-9).floor() as usize;
    // Equal values are all below or none is.
    let place = (1..=most.min(values.len().saturating_sub(1))).rev().find(|&place| values[place - 1] < values[place]);
    place.map_or(f64::MIN, |place| (values[place - 1] + values[place]) / 2.0)
}

fn odds(probability: f64) -> f64 {
    let probability = probability.clamp(1e-9, 1.0 - 1e-9);
    log_odds(probability, 1.0 - probability)
}

/// How far a probability is from its threshold, in log-odds.
pub(super) fn distance(probability: f64, threshold: f64) -> f64 {
    (odds(probability) - odds(threshold)).abs()
}

/// The band of half the given width, in log-odds, around a threshold.
pub(super) fn around(threshold: f64, half: f64) -> [f64; 2] {
    [sigmoid(odds(threshold) - half), sigmoid(odds(threshold) + half)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_read_as_they_are_shown() {
        assert_eq!("5%".parse::<ReviewTarget>().unwrap(), ReviewTarget::Budget(0.05));
        assert_eq!("0.05".parse::<ReviewTarget>().unwrap().to_string(), "5%");
        assert_eq!("error=2.5%".parse::<ReviewTarget>().unwrap().to_string(), "error=2.5%");
        for text in ["", "0", "100%", "five", "error=", "-1%"] {
            assert!(text.parse::<ReviewTarget>().is_err(), "{text}");
        }
    }

    #[test]
    fn no_more_than_the_share_lies_below() {
        let values = vec![0.4, 0.1, 0.3, 0.2];
        assert!((below_share(values.clone(), 0.5) - 0.25).abs() < 1e-12);
        assert_eq!(below_share(values, 0.2), f64::MIN);
        assert_eq!(below_share(vec![0.1, 0.1, 0.1, 0.4], 0.5), f64::MIN);
    }

    #[test]
    fn a_band_holds_what_is_nearer_than_half_its_width() {
        let [low, high] = around(0.3, 0.7);
        for probability in [0.16, 0.2, 0.45, 0.47] {
            assert_eq!(distance(probability, 0.3) < 0.7, (low..high).contains(&probability), "{probability}");
        }
    }
}
