//! Why rows cannot be split by groups or dates.

/// An error of a split by a column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// Fewer groups than folds.
    #[error("cannot make {folds} folds of {groups} groups: give at least 2 and at most as many as there are groups")]
    GroupFolds {
        /// The folds asked for.
        folds: usize,
        /// The groups that there are.
        groups: usize,
    },
    /// Words that are no date.
    #[error("`{found}` is no date; give one such as 2026-11-26, 2026-11-26T18:30:00Z, or seconds since 1970")]
    Moment {
        /// The words.
        found: String,
    },
    /// A row without a readable date.
    #[error(
        "row {row} has no date in `{column}`: `{found}`; a split by time needs one in each row, such as 2026-11-26T18:30:00Z"
    )]
    MomentOfRow {
        /// The row in the file, from 1.
        row: u64,
        /// The column.
        column: String,
        /// What stands there.
        found: String,
    },
    /// A split by a column that was not read.
    #[error("there is no column `{column}` to split by")]
    NoSplitColumn {
        /// The column.
        column: String,
    },
}
