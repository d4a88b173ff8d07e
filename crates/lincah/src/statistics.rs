//! How much of a result is chance: bootstrap intervals, and paired tests between two classifiers on the same rows.
//!
//! All of it is about the *test rows*: it says how far a metric could have come out differently on other rows of the same kind. It says
//! nothing about training again with another seed or on other training rows; for that, train again (`sweep`, `cross-validate`).

mod bootstrap;
mod exact;
mod paired;
mod roc_auc;
mod rows;
mod summary;

pub(crate) use bootstrap::resampled_rows;
pub use bootstrap::{RESAMPLES, percentile_interval};
pub use exact::{Proportion, exact_interval, lowest_shown_rate, rows_to_show_rate};
pub use paired::{Difference, McNemar, holm, mcnemar};
pub use roc_auc::roc_auc_interval;
pub(crate) use roc_auc::{chance_deviation, midranks};
pub use rows::{MetricIntervals, MetricValues, ScoredRows, paired_differences};
pub use summary::{MeanDeviation, mean_deviation};
