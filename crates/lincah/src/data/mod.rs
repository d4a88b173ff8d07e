//! Text data: reading records, labelled datasets, splits, reports, fingerprints and writing what was predicted.
//!
//! Nothing here knows a model, a prompt or a token.

pub mod dataset;
mod error;
pub mod fingerprint;
pub mod multi_label;
pub mod records;
pub mod report;
pub mod split;
pub mod stratification;
pub mod writer;

pub use error::{DataError, Names, Place};
