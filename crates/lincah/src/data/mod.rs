//! Text data: reading records, labelled data sets, the journal of labels, splits, reports, fingerprints and writing what was predicted.
//!
//! Nothing here knows a model, a prompt or a token.

pub mod check;
pub mod dataset;
mod error;
pub mod fingerprint;
pub mod groups;
pub mod in_memory;
pub mod journal;
pub mod label_columns;
pub mod label_map;
pub mod moment;
pub mod perturbation;
mod place;
pub mod records;
pub mod report;
pub mod skipped;
pub mod split;
mod split_error;
pub mod stratification;
pub mod text_columns;
pub mod texts;
pub mod writer;

pub use dataset::{Dataset, DatasetOptions};
pub use error::DataError;
pub use place::{Names, Place};
pub use split_error::SplitError;
