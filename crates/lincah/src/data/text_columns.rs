//! The column or columns that make a text.

use serde::{Deserialize, Serialize};

use super::error::DataError;
use super::place::excerpt;
use super::records::{Record, Value};

/// What stands between two columns of a text unless something else is chosen: a line break.
pub const DEFAULT_TEXT_SEPARATOR: &str = "\n";

/// The columns whose cells, in this order, make a text: `title` and `body`, for example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextColumns {
    /// The columns, one at least.
    pub columns: Vec<String>,
    /// What stands between their cells.
    pub separator: String,
}

impl TextColumns {
    /// Columns with [`DEFAULT_TEXT_SEPARATOR`] between their cells.
    pub fn new(columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { columns: columns.into_iter().map(Into::into).collect(), separator: DEFAULT_TEXT_SEPARATOR.to_owned() }
    }

    /// The text that cells make. Blank cells (empty, or white space only) are left out with their separator; the others stay as they are.
    pub fn join<'a>(&self, cells: impl IntoIterator<Item = &'a str>) -> String {
        let cells: Vec<&str> = cells.into_iter().filter(|cell| !cell.trim().is_empty()).collect();
        cells.join(&self.separator)
    }

    /// The text of a record whose first columns are these.
    ///
    /// # Errors
    /// [`DataError::EmptyText`] where every cell is blank, [`DataError::TextNotString`] for a cell that is something else than text.
    pub fn of(&self, record: &Record) -> Result<String, DataError> {
        let cells = record.values.iter().take(self.columns.len()).zip(&self.columns).map(|(value, column)| match value {
            Value::Text(text) => Ok(text.as_str()),
            Value::Missing => Ok(""),
            other => Err(DataError::TextNotString {
                place: record.place.clone(),
                column: column.clone(),
                found: excerpt(&other.to_string()),
            }),
        });
        let text = self.join(cells.collect::<Result<Vec<_>, _>>()?);
        match text.is_empty() {
            true => Err(DataError::EmptyText { place: record.place.clone(), column: self.columns.join("`, `") }),
            false => Ok(text),
        }
    }
}
