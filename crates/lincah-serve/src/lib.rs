//! Classifiers over HTTP, in everyone's shape.
//!
//! Requests become texts for one classifier ([`shapes`]), wait in its queue, and are scored together ([`classifiers`]). Scores have the same bits
//! alone and together on the processor, so that batching changes nothing but the time. Any number of classifiers share their base models.
#![forbid(unsafe_code)]

mod classifiers;
mod config;
mod decision_log;
mod discovery;
mod error;
mod keys;
mod metrics;
mod open_api;
mod server;
mod shapes;
mod state;
mod turns;

pub use config::{AttributeTarget, ServeConfig};
pub use decision_log::{DecisionLog, LogError};
pub use error::ServeError;
pub use server::{Server, router};
pub use state::ServeState;
