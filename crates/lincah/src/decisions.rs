//! Decisions by intent: thresholds and review bands that reach a target, what they reach on rows that did not choose them, and what that
//! means at somebody's traffic.
//!
//! Everything is made of scored rows that the model was not trained on; nothing here knows a model.

mod choice;
mod points;
mod review;
mod source;
mod target;
mod threshold;
mod traffic;

pub use choice::{Decided, DecisionRequest, LabelTarget, decide};
pub use points::{OperatingPoint, OperatingPoints, Outcomes};
pub use review::ReviewTarget;
pub use source::DecisionSource;
pub use target::{DecisionTarget, TargetError, parse_share};
pub use traffic::{AtPrevalence, Prevalences};
