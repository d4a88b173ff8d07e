//! How messages show where something stands and what it is.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Where a record stands in its input; shown as `data.csv, row 3 (line 5)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file's path, or `standard input`.
    pub input: Arc<str>,
    /// The record's number, from 1; 0 is the header.
    pub row: u64,
    /// The line on which the record starts, from 1, where the format has lines.
    pub line: Option<u64>,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row {
            0 => write!(formatter, "{}, header", self.input)?,
            row => write!(formatter, "{}, row {row}", self.input)?,
        }
        self.line.map_or(Ok(()), |line| write!(formatter, " (line {line})"))
    }
}

impl Place {
    /// The place that many rows further on, its line unknown.
    pub(crate) fn after(&self, rows: u64) -> Self {
        Self { input: Arc::clone(&self.input), row: self.row + rows, line: None }
    }
}

/// A list of names for a message: each in backticks, at most twenty of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

impl fmt::Display for Names {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        for (index, name) in self.0.iter().take(SHOWN).enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(formatter, "{separator}`{}`", excerpt(name))?;
        }
        let left_out = self.0.len().saturating_sub(SHOWN);
        if left_out > 0 { write!(formatter, " and {left_out} more") } else { Ok(()) }
    }
}

/// At most 60 characters of `text` on one line, for a message.
pub(crate) fn excerpt(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// `text` on one line, its control characters escaped.
pub(crate) fn one_line(text: &str) -> String {
    let shown =
        |character: char| if character.is_control() { character.escape_default().to_string() } else { character.to_string() };
    text.chars().map(shown).collect()
}

/// A path as a message shows it.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}
