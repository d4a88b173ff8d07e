//! Figures that must not be worse than a limit, for scripts that stop a deployment.

use std::fmt;
use std::str::FromStr;

/// Limits by the names of figures: `f1=0.8,roc_auc=0.9`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gate {
    limits: Vec<(String, f64)>,
}

/// A figure that a gate may look at.
#[derive(Debug, Clone, PartialEq)]
pub struct GatedFigure {
    /// Its name.
    pub name: String,
    /// None where it is not defined, which no gate lets through.
    pub value: Option<f64>,
    /// Whether more is better.
    pub higher_is_better: bool,
}

/// Why a gate does not open.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// Words that are no limit.
    #[error("`{found}` is no limit; give NAME=NUMBER, for example f1=0.8,roc_auc=0.9")]
    Limit {
        /// The words.
        found: String,
    },
    /// A name that no figure has.
    #[error("there is no `{name}` here; there are {}", known.join(", "))]
    Unknown {
        /// The name.
        name: String,
        /// The figures that there are.
        known: Vec<String>,
    },
    /// Figures beyond their limits, one after the other.
    #[error("{}", faults.join("; "))]
    Failed {
        /// Each with its limit.
        faults: Vec<String>,
    },
}

impl FromStr for Gate {
    type Err = GateError;

    fn from_str(text: &str) -> Result<Self, GateError> {
        let limit = |part: &str| {
            let parsed = part.split_once('=').and_then(|(name, limit)| {
                let limit: f64 = limit.trim().parse().ok().filter(|limit: &f64| limit.is_finite())?;
                Some((name.trim().to_owned(), limit))
            });
            parsed.filter(|(name, _)| !name.is_empty()).ok_or_else(|| GateError::Limit { found: part.to_owned() })
        };
        Ok(Self { limits: text.split(',').map(limit).collect::<Result<_, _>>()? })
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits: Vec<String> = self.limits.iter().map(|(name, limit)| format!("{name}={limit}")).collect();
        formatter.write_str(&limits.join(","))
    }
}

impl Gate {
    /// Holds every limit against its figure.
    ///
    /// # Errors
    /// [`GateError::Unknown`], [`GateError::Failed`].
    pub fn check(&self, figures: &[GatedFigure]) -> Result<(), GateError> {
        let mut faults = Vec::new();
        for (name, limit) in &self.limits {
            let figure = figures.iter().find(|figure| figure.name == *name).ok_or_else(|| GateError::Unknown {
                name: name.clone(),
                known: figures.iter().map(|figure| figure.name.clone()).collect(),
            })?;
            match figure.value {
                None => faults.push(format!("{name} is not defined on these rows")),
                Some(value) if figure.higher_is_better && value < *limit => {
                    faults.push(format!("{name} is {value:.4}, below {limit}"))
                }
                Some(value) if !figure.higher_is_better && value > *limit => {
                    faults.push(format!("{name} is {value:.4}, above {limit}"))
                }
                Some(_) => {}
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(GateError::Failed { faults }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_opens_where_every_limit_is_kept() {
        let figure = |name: &str, value, higher_is_better| GatedFigure { name: name.to_owned(), value, higher_is_better };
        let figures = [figure("f1", Some(0.8), true), figure("log_loss", Some(0.4), false), figure("roc_auc", None, true)];
        let check = |text: &str| text.parse::<Gate>().unwrap().check(&figures).map_err(|error| error.to_string());
        assert_eq!(check("f1=0.8,log_loss=0.4"), Ok(()));
        assert_eq!(check("f1=0.81,log_loss=0.3"), Err(String::from("f1 is 0.8000, below 0.81; log_loss is 0.4000, above 0.3")));
        assert_eq!(check("roc_auc=0.1"), Err(String::from("roc_auc is not defined on these rows")));
        assert!(check("f2=0.1").unwrap_err().contains("there are f1, log_loss, roc_auc"));
        for text in ["", "f1", "f1=", "f1=NaN", "=0.3"] {
            assert!(text.parse::<Gate>().is_err(), "{text}");
        }
    }
}
