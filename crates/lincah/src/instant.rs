//! Classifiers in seconds: logistic regressions on what frozen models make of texts.
//!
//! A frozen model's states of a text are standardized, and a penalized logistic regression (a *probe*: Alain and Bengio 2016, arXiv 1610.01644)
//! is fitted to them. Which layer's states, and how strong the penalty, is chosen by out-of-fold log loss on the training rows; the probes of
//! several models are mixed by weights that are chosen likewise.

mod fit;
mod probe;
mod states;

pub use crate::state_memory::States;
pub(crate) use fit::{FittedProbe, fit};
pub(crate) use probe::Probe;
pub use states::Reading;
pub(crate) use states::{StateReader, text_encoder};
