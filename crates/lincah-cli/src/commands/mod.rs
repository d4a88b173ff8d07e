//! The verbs, a file each.

pub(crate) mod audit;
pub(crate) mod calibrate;
pub(crate) mod check;
pub(crate) mod compare;
pub(crate) mod completions;
pub(crate) mod cross_validate;
pub(crate) mod evaluate;
pub(crate) mod export;
pub(crate) mod generate;
pub(crate) mod import;
pub(crate) mod man;
pub(crate) mod models;
pub(crate) mod predict;
pub(crate) mod prompt;
pub(crate) mod pull;
pub(crate) mod quickstart;
pub(crate) mod report;
pub(crate) mod serve;
pub(crate) mod studio;
pub(crate) mod sweep;
pub(crate) mod train;
pub(crate) mod verify;
