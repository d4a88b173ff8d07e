//! Whether a classifier is the one that was saved.

use super::result_line;
use lincah::verification::{Check, CheckStatus, Verification};

/// A line per check, and what they come to.
pub(crate) fn print_verification(found: &Verification) {
    for Check { name, status, detail, measured, limit } in &found.checks {
        let word = match status {
            CheckStatus::Passed => "ok",
            CheckStatus::Failed => "FAILED",
            CheckStatus::Skipped => "skipped",
        };
        let measured = match (measured, limit) {
            (Some(measured), Some(0.0)) => format!(" (largest difference {measured:.1e}, none allowed)"),
            (Some(measured), Some(limit)) => format!(" (largest difference {measured:.1e}, allowed {limit:.0e})"),
            _ => String::new(),
        };
        result_line!("  {name:<8} {word:<8} {detail}{measured}");
    }
    if found.passed {
        result_line!("verified");
    }
}
