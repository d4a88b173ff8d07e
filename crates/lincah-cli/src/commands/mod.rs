//! The verbs, a file each.

pub(crate) mod compare;
pub(crate) mod cross_validate;
pub(crate) mod evaluate;
pub(crate) mod generate;
pub(crate) mod models;
pub(crate) mod multi_label;
pub(crate) mod predict;
pub(crate) mod pull;
pub(crate) mod quickstart;
pub(crate) mod report;
pub(crate) mod sweep;
pub(crate) mod train;
