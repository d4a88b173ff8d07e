//! What a decision is to reach.

use std::fmt;
use std::str::FromStr;

/// A share such as `0.02` or `2%`; none of what is no number.
pub fn parse_share(text: &str) -> Option<f64> {
    let text = text.trim();
    match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().ok().map(|percent| percent / 100.0),
        None => text.parse().ok(),
    }
}

/// What the threshold of a label is chosen for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DecisionTarget {
    /// At least this share of the flagged texts has the label, as many being flagged as can be.
    Precision(f64),
    /// At least this share of the texts with the label is flagged, as few others as can be.
    Recall(f64),
    /// At most this share of the texts without the label is flagged, as many of the others as can be.
    FalsePositiveRate(f64),
    /// The least cost of what is wrong.
    Cost {
        /// Of flagging a text without the label.
        false_positive: f64,
        /// Of not flagging one with it.
        false_negative: f64,
    },
    /// The highest F1.
    F1,
    /// This very threshold.
    Threshold(f64),
}

/// Words that are no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no target; give precision=0.95, recall=0.9, fpr=0.01, f1, \"cost fp=1,fn=20\", or LABEL: and one of these")]
pub struct TargetError {
    /// The words.
    pub found: String,
}

impl FromStr for DecisionTarget {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let wrong = || TargetError { found: text.to_owned() };
        let share = |value: &str, above: f64| {
            let share: f64 = value.trim().parse().map_err(|_| wrong())?;
            if share > above && share < 1.0 || share == 1.0 && above < 0.0 { Ok(share) } else { Err(wrong()) }
        };
        let text = text.trim();
        if text == "f1" {
            return Ok(Self::F1);
        }
        if let Some(costs) = text.strip_prefix("cost") {
            let (mut false_positive, mut false_negative) = (None, None);
            for part in costs.split([' ', ',', ':']).filter(|part| !part.is_empty()) {
                let (name, value) = part.split_once('=').ok_or_else(wrong)?;
                let value: f64 = value.parse().ok().filter(|cost: &f64| *cost > 0.0 && cost.is_finite()).ok_or_else(wrong)?;
                match name {
                    "fp" => false_positive = Some(value),
                    "fn" => false_negative = Some(value),
                    _ => return Err(wrong()),
                }
            }
            let (false_positive, false_negative) = false_positive.zip(false_negative).ok_or_else(wrong)?;
            return Ok(Self::Cost { false_positive, false_negative });
        }
        match text.split_once('=').ok_or_else(wrong)? {
            ("precision", value) => share(value, 0.0).map(Self::Precision),
            ("recall", value) => share(value, 0.0).map(Self::Recall),
            ("fpr", value) => share(value, 0.0).map(Self::FalsePositiveRate),
            ("threshold", value) => share(value, -f64::MIN_POSITIVE).map(Self::Threshold),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for DecisionTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Precision(share) => write!(formatter, "precision={share}"),
            Self::Recall(share) => write!(formatter, "recall={share}"),
            Self::FalsePositiveRate(share) => write!(formatter, "fpr={share}"),
            Self::Cost { false_positive, false_negative } => write!(formatter, "cost fp={false_positive},fn={false_negative}"),
            Self::F1 => formatter.write_str("f1"),
            Self::Threshold(threshold) => write!(formatter, "threshold={threshold}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_as_they_are_shown() {
        for text in ["precision=0.95", "recall=0.9", "fpr=0.01", "f1", "cost fp=1,fn=20", "threshold=0.3"] {
            assert_eq!(text.parse::<DecisionTarget>().unwrap().to_string(), text);
        }
        assert_eq!("cost:fp=1,fn=20".parse::<DecisionTarget>().unwrap().to_string(), "cost fp=1,fn=20");
        for text in
            ["", "precision", "precision=0", "precision=1.2", "precision=NaN", "cost fp=1", "cost fp=-1,fn=2", "f2", "fpr=0"]
        {
            assert!(text.parse::<DecisionTarget>().is_err(), "{text}");
        }
    }
}
