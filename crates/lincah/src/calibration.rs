//! From probabilities that order texts to probabilities that can be taken at their word.
//!
//! A map is fitted on rows that the model was not trained on, and chosen by cross-validated log loss; nothing here knows a model.

mod choice;
mod figures;
mod fit;
mod isotonic;
mod map;

pub use choice::{CalibrationChoice, fit_calibration};
pub use figures::{CalibrationFigure, CalibrationFigures, adaptive_calibration_error};
pub use map::{Calibration, CalibrationMap};

pub(crate) use map::{log_odds, sigmoid};
