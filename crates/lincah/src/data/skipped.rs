//! Rows that cannot be used, and why.

use std::fmt;

use super::error::DataError;

/// Row numbers that a summary shows for each reason.
const SHOWN_ROWS: usize = 5;

/// A row that was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SkippedRow {
    /// The row in the file, from 1.
    pub row: u64,
    /// Why.
    pub reason: SkipReason,
}

/// Why a row cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SkipReason {
    /// The text is missing or blank.
    EmptyText,
    /// A label is missing.
    MissingLabel,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::EmptyText => "the text is empty",
            Self::MissingLabel => "the label is missing",
        })
    }
}

impl DataError {
    /// The reason for which the row may be left out, if the error is one of a row without text or label and nothing worse.
    pub fn skip_reason(&self) -> Option<SkipReason> {
        match self {
            Self::EmptyText { .. } => Some(SkipReason::EmptyText),
            Self::MissingLabel { .. } => Some(SkipReason::MissingLabel),
            _ => None,
        }
    }
}

/// One line about the rows left out of `rows` in all; nothing if there are none.
///
/// ```
/// use lincah::data::skipped::{SkipReason, SkippedRow, summary};
///
/// let skipped = [SkippedRow { row: 4, reason: SkipReason::EmptyText }, SkippedRow { row: 9, reason: SkipReason::MissingLabel }];
/// let expected = "2 of 800 rows were left out: the text is empty in 1 (row 4), the label is missing in 1 (row 9)";
/// assert_eq!(summary(&skipped, 800).as_deref(), Some(expected));
/// ```
pub fn summary(skipped: &[SkippedRow], rows: usize) -> Option<String> {
    let mut reasons: Vec<SkipReason> = skipped.iter().map(|row| row.reason).collect();
    reasons.sort_unstable();
    reasons.dedup();
    let parts: Vec<String> = reasons.into_iter().map(|reason| reason_and_rows(skipped, reason)).collect();
    let verb = if skipped.len() == 1 { "was" } else { "were" };
    (!parts.is_empty()).then(|| format!("{} of {rows} rows {verb} left out: {}", skipped.len(), parts.join(", ")))
}

fn reason_and_rows(skipped: &[SkippedRow], reason: SkipReason) -> String {
    let rows: Vec<u64> = skipped.iter().filter(|row| row.reason == reason).map(|row| row.row).collect();
    let shown: Vec<String> = rows.iter().take(SHOWN_ROWS).map(u64::to_string).collect();
    let more = match rows.len().saturating_sub(SHOWN_ROWS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let noun = if rows.len() == 1 { "row" } else { "rows" };
    format!("{reason} in {} ({noun} {}{more})", rows.len(), shown.join(", "))
}
