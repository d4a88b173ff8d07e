//! Options that say what decisions are to reach.

use super::prompt::choices;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use lincah::calibration::CalibrationChoice;
use lincah::decisions::{DecisionRequest, DecisionTarget, LabelTarget, ReviewTarget};
use lincah::{DecisionPlan, DecisionScores};

#[derive(Debug, Args)]
#[command(next_help_heading = "Decisions")]
pub(crate) struct DecisionArguments {
    /// What the thresholds are to reach: precision=0.95, recall=0.9, fpr=0.01, f1 or "cost fp=1,fn=20"; for one label LABEL:recall=0.9; may be
    /// given again for others
    #[arg(long, value_name = "TARGET")]
    target: Vec<LabelTarget>,
    /// This very threshold in place of a target; for one label LABEL=0.3
    #[arg(long, value_name = "X", value_parser = threshold)]
    threshold: Vec<LabelTarget>,
    /// Leave texts to a person: at most this share (5%), those nearest to their threshold; or as many as it takes for at most error=5% of the
    /// other decisions to be wrong
    #[arg(long, value_name = "SHARE")]
    review: Option<ReviewTarget>,
    /// How probabilities are calibrated: by the map with the least cross-validated log loss, or by this one
    #[arg(long, value_name = "KIND", value_parser = choices!(CalibrationChoice), default_value_t = CalibrationChoice::Best)]
    calibration: CalibrationChoice,
}

fn threshold(text: &str) -> Result<LabelTarget, String> {
    let (label, number) = text.rsplit_once('=').map_or((None, text), |(label, number)| (Some(label.to_owned()), number));
    match number.parse::<f64>() {
        Ok(threshold) if (0.0..=1.0).contains(&threshold) => {
            Ok(LabelTarget { label, target: DecisionTarget::Threshold(threshold) })
        }
        _ => Err(String::from("give a probability, or LABEL=PROBABILITY")),
    }
}

impl DecisionArguments {
    pub(crate) fn request(&self) -> DecisionRequest {
        let targets = self.target.iter().chain(&self.threshold).cloned().collect();
        DecisionRequest { calibration: self.calibration, targets, review: self.review }
    }
}

/// Which scores calibrate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CalibrateOn {
    /// Out-of-fold scores of the training rows.
    Oof,
    /// Scores of the validation rows.
    Validation,
}

/// Decisions that a training chooses.
#[derive(Debug, Args)]
#[command(next_help_heading = "Decisions")]
pub(crate) struct TrainingDecisions {
    /// Calibrate, and choose thresholds, on out-of-fold scores (oof: as many trainings more as --oof-folds says) or on the validation rows
    /// [default with a target: validation where there are validation rows, else oof]
    #[arg(long, value_name = "SCORES", value_enum)]
    calibrate: Option<CalibrateOn>,
    /// Folds of the out-of-fold scores
    #[arg(long, value_name = "K", default_value_t = 5)]
    oof_folds: usize,
    #[command(flatten)]
    decisions: DecisionArguments,
}

impl TrainingDecisions {
    /// The decisions to choose, if any.
    pub(crate) fn plan(&self, validation: f64) -> anyhow::Result<Option<DecisionPlan>> {
        let asked = self.calibrate.map(|scores| match scores {
            CalibrateOn::Oof => DecisionScores::OutOfFold { folds: self.oof_folds },
            CalibrateOn::Validation => DecisionScores::Validation,
        });
        Ok(DecisionPlan::of(self.decisions.request(), asked, self.oof_folds, validation)?)
    }
}
