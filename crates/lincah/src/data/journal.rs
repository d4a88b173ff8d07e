//! The journal of labels: what people said about texts, one JSON object per line, only ever appended to.
//!
//! ```json
//! {"time":"2026-01-31T12:00:00Z","who":"ana","action":"label","id":"17","text":"Thank you.","labels":["civil"]}
//! ```
//!
//! - Of entries with the same `id` the last one in the file wins; an undo uncovers what somebody else said. One that names no text speaks of
//!   the text that the id had before.
//! - `labels` is one label if labels are exclusive, any number if they are independent; none is an answer too.
//! - Unknown fields and actions are refused with their line: a misspelt one would otherwise lose a label without a word.
//! - A last line that a crash cut short (it has no line end and is no whole JSON) is left out when reading, and removed by the next append. An
//!   entry is written in one piece, behind the file's end, under a lock that other appenders wait for.

use std::collections::HashMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use super::dataset::Dataset;
use super::error::DataError;
use super::label_columns::distinct_names;
use super::place::{Names, Place, excerpt, one_line, shown};
use super::records::MAX_RECORD_BYTES;
use crate::label::LabelSet;
use crate::regular_file;
use crate::task::Task;

/// A point in time, in UTC: RFC 3339, such as `2026-01-31T12:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(OffsetDateTime);

impl Timestamp {
    /// Now, to the millisecond.
    pub fn now() -> Self {
        let now = OffsetDateTime::now_utc();
        Self(now.replace_millisecond(now.millisecond()).unwrap_or(now))
    }
}

impl FromStr for Timestamp {
    type Err = DataError;

    /// RFC 3339 with any offset, which becomes UTC.
    fn from_str(text: &str) -> Result<Self, DataError> {
        let refused = || DataError::Time { found: excerpt(text) };
        let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| refused())?;
        let utc = time.checked_to_offset(UtcOffset::UTC).ok_or_else(refused)?;
        // A year that RFC 3339 cannot write, such as 10000 by its offset, is refused too.
        utc.format(&Rfc3339).map(|_| Self(utc)).map_err(|_| refused())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

impl TryFrom<String> for Timestamp {
    type Error = DataError;

    fn try_from(text: String) -> Result<Self, DataError> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        time.to_string()
    }
}

/// What was done with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It got these labels.
    Label,
    /// It was looked at and left without an answer.
    Skip,
    /// Its labels were taken back.
    Remove,
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalEntry {
    /// When.
    pub time: Timestamp,
    /// By whom: a person, or a program that passes people's answers on.
    pub who: String,
    /// What.
    pub action: Action,
    /// The text's id; never empty.
    pub id: String,
    /// The text, if it is not the one that the id had before; never blank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Its labels by name, each once. None unless the action is to label.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// The guideline, or its version, by which it was labelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guideline: Option<String>,
    /// Where the text comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Whether it takes the same person's last entry back that is not taken back yet: what it says is what stood there before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undo: bool,
    /// How long the text was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<u64>,
}

impl JournalEntry {
    /// What somebody does now with the text of an id, and nothing more.
    pub fn new(who: impl Into<String>, action: Action, id: impl Into<String>) -> Self {
        Self {
            time: Timestamp::now(),
            who: who.into(),
            action,
            id: id.into(),
            text: None,
            labels: Vec::new(),
            guideline: None,
            source: None,
            undo: false,
            milliseconds: None,
        }
    }

    /// What is wrong with it, if something is.
    fn fault(&self) -> Option<String> {
        let repeated = self.labels.iter().enumerate().find(|(index, label)| self.labels[..*index].contains(label));
        let blank = self.text.as_ref().is_some_and(|text| text.trim().is_empty());
        match repeated {
            _ if self.id.is_empty() => Some("its id is empty".to_owned()),
            _ if blank => Some("its text is blank".to_owned()),
            _ if self.labels.iter().any(|label| label.trim().is_empty()) => Some("one of its labels is empty".to_owned()),
            Some((_, label)) => Some(format!("it has the label `{}` twice", excerpt(label))),
            _ if self.action != Action::Label && !self.labels.is_empty() => Some("only the action `label` has labels".to_owned()),
            None => None,
        }
    }
}

/// The last that a journal says of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latest<'a> {
    /// The entry's line, from 1.
    pub line: u64,
    /// The id's text, if it ever had one.
    pub text: Option<&'a str>,
    /// The entry.
    pub entry: &'a JournalEntry,
}

/// A text with the labels that the journal says it has at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelledText<'a> {
    /// The line of the entry that decides, from 1.
    pub line: u64,
    /// The text.
    pub text: &'a str,
    /// That entry.
    pub entry: &'a JournalEntry,
}

/// A journal as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    name: String,
    entries: Vec<JournalEntry>,
    lines: Vec<u64>,
    torn_bytes: usize,
}

impl Journal {
    /// Reads a journal; one that does not exist has no entries.
    ///
    /// # Errors
    /// [`DataError::JournalLine`], [`DataError::JournalNotAFile`], what the system has against reading.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        let name = shown(path);
        let failed = |error| DataError::reading(&name, error);
        match path.metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Self::from_bytes(&name, b""),
            Err(error) => return Err(failed(error)),
            Ok(metadata) if !metadata.is_file() => return Err(DataError::JournalNotAFile { journal: name }),
            Ok(_) => {}
        }
        let bytes = std::fs::read(path).map_err(failed)?;
        Self::from_bytes(&name, &bytes)
    }

    /// Reads the lines of a journal that messages call `name`. Blank lines are passed over.
    ///
    /// # Errors
    /// [`DataError::JournalLine`].
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, DataError> {
        let mut journal = Self { name: name.to_owned(), entries: Vec::new(), lines: Vec::new(), torn_bytes: 0 };
        for (index, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
            if line.trim_ascii().is_empty() {
                continue;
            }
            match parse(line) {
                Ok(entry) => {
                    journal.entries.push(entry);
                    journal.lines.push(index as u64 + 1);
                }
                Err(_) if is_torn(line) => journal.torn_bytes = line.len(),
                Err(reason) => return Err(DataError::JournalLine { journal: name.to_owned(), line: index as u64 + 1, reason }),
            }
        }
        Ok(journal)
    }

    /// Appends entries to a journal, which is made if it does not exist, and brings them to disk. Each is written whole or, after a crash,
    /// not at all.
    ///
    /// # Errors
    /// [`DataError::JournalLine`] for an entry that the journal could not be read with, its line counted from the first of `entries`;
    /// [`DataError::JournalNotAFile`], what the system has against writing.
    pub fn append(path: &Path, entries: &[JournalEntry]) -> Result<(), DataError> {
        let name = shown(path);
        let mut lines = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            let line = line_of(entry);
            let refused = |reason| DataError::JournalLine { journal: name.clone(), line: index as u64 + 1, reason };
            lines.push(line.map_err(refused)?);
        }
        if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
            return Err(DataError::JournalNotAFile { journal: name });
        }
        append(path, &lines).map_err(|error| DataError::writing(&name, error))
    }

    /// Whether a file begins with an entry of a journal, as no other JSON lines do.
    pub fn is_at(path: &Path) -> bool {
        let Ok(file) = regular_file::open(path) else { return false };
        let mut line = Vec::new();
        let read = BufReader::new(file.take(MAX_RECORD_BYTES)).read_until(b'\n', &mut line);
        read.is_ok() && parse(&line).is_ok()
    }

    /// Whether labels look exclusive: every labelled text has exactly one.
    ///
    /// # Errors
    /// As [`Journal::labelled`].
    pub fn task(&self) -> Result<Task, DataError> {
        let is_exclusive = self.labelled()?.iter().all(|row| row.entry.labels.len() == 1);
        Ok(if is_exclusive { Task::SingleLabel } else { Task::MultiLabel })
    }

    /// All entries, in the file's order.
    pub fn entries(&self) -> &[JournalEntry] {
        &self.entries
    }

    /// Bytes at the end that are no entry, because a crash cut the line short.
    pub fn torn_bytes(&self) -> usize {
        self.torn_bytes
    }

    /// The last entry of each id and its text, if it has one, in the order in which the ids first occur. Those that were skipped or removed
    /// are among them.
    pub fn latest(&self) -> Vec<Latest<'_>> {
        let mut place_of: HashMap<&str, usize> = HashMap::new();
        let mut latest: Vec<Latest<'_>> = Vec::new();
        // By place, what each person's last word is, where they have not taken it back.
        let mut standing: Vec<Vec<(&JournalEntry, u64)>> = Vec::new();
        for (entry, &line) in self.entries.iter().zip(&self.lines) {
            let place = *place_of.entry(&entry.id).or_insert(latest.len());
            let before = latest.get(place).and_then(|before| before.text);
            if place == latest.len() {
                standing.push(Vec::new());
                latest.push(Latest { line, text: None, entry });
            }
            match (entry.action, entry.undo) {
                (Action::Remove, false) => standing[place].clear(),
                _ => standing[place].retain(|(other, _)| other.who != entry.who),
            }
            if entry.action != Action::Remove {
                standing[place].push((entry, line));
            }
            let &(last, line) = standing[place].last().unwrap_or(&(entry, line));
            latest[place] = Latest { line, text: entry.text.as_deref().or(before), entry: last };
        }
        latest
    }

    /// The labelled texts, in the order in which their ids first occur.
    ///
    /// # Errors
    /// [`DataError::JournalLine`] for a label of an id that never had a text.
    pub fn labelled(&self) -> Result<Vec<LabelledText<'_>>, DataError> {
        let mut labelled = Vec::new();
        for Latest { line, text, entry } in self.latest().into_iter().filter(|latest| latest.entry.action == Action::Label) {
            let without = || self.fault(line, format!("its id `{}` has no text, neither here nor before", excerpt(&entry.id)));
            labelled.push(LabelledText { line, text: text.ok_or_else(without)?, entry });
        }
        Ok(labelled)
    }

    /// The labelled texts as a data set, whose rows are the lines of the deciding entries. Without `labels` they are the distinct names,
    /// sorted.
    ///
    /// # Errors
    /// As [`Journal::labelled`]; [`DataError::NothingLabelled`]; with exclusive labels, a text of none or several; a label outside `labels`;
    /// labels that make no [`LabelSet`].
    pub fn dataset(&self, task: Task, labels: &[String]) -> Result<Dataset, DataError> {
        let labelled = self.labelled()?;
        if labelled.is_empty() {
            return Err(DataError::NothingLabelled { journal: self.name.clone() });
        }
        let found = || labelled.iter().flat_map(|row| &row.entry.labels).map(String::as_str);
        let labels = match labels {
            [] => LabelSet::new(distinct_names(found(), (&self.name, "labels"))?)?,
            labels => LabelSet::new(labels)?,
        };
        let truth = labelled.iter().map(|row| self.truth(row, task, &labels)).collect::<Result<_, _>>()?;
        Ok(Dataset {
            texts: labelled.iter().map(|row| row.text.to_owned()).collect(),
            rows: labelled.iter().map(|row| row.line).collect(),
            labels,
            task,
            truth,
            fractions: None,
            threshold: None,
            skipped: Vec::new(),
            columns: Vec::new(),
            weights: None,
        })
    }

    /// Whether a text has each label.
    fn truth(&self, row: &LabelledText, task: Task, labels: &LabelSet) -> Result<Vec<bool>, DataError> {
        let given = &row.entry.labels;
        if task == Task::SingleLabel && given.len() != 1 {
            return Err(self.fault(row.line, format!("it has {} labels, and exclusive labels are one per text", given.len())));
        }
        let mut truth = vec![false; labels.len()];
        for label in given {
            let position = labels.position(label).ok_or_else(|| DataError::UnknownLabel {
                place: Place { input: self.name.as_str().into(), row: row.line, line: Some(row.line) },
                column: "labels".to_owned(),
                found: excerpt(label),
                labels: Names(labels.names().to_vec()),
            })?;
            truth[position] = true;
        }
        Ok(truth)
    }

    fn fault(&self, line: u64, reason: String) -> DataError {
        DataError::JournalLine { journal: self.name.clone(), line, reason }
    }
}

fn parse(line: &[u8]) -> Result<JournalEntry, String> {
    let entry: JournalEntry = serde_json::from_slice(line).map_err(|error| one_line(&error.to_string()))?;
    entry.fault().map_or(Ok(entry), Err)
}

/// Whether a last line is a piece of an entry: without line end, and no whole JSON.
fn is_torn(line: &[u8]) -> bool {
    !line.ends_with(b"\n") && serde_json::from_slice::<serde::de::IgnoredAny>(line).is_err()
}

/// The entry's line, its end included.
fn line_of(entry: &JournalEntry) -> Result<Vec<u8>, String> {
    if let Some(fault) = entry.fault() {
        return Err(fault);
    }
    let mut line = serde_json::to_vec(entry).map_err(|error| error.to_string())?;
    line.push(b'\n');
    match line.len() as u64 > MAX_RECORD_BYTES {
        true => Err(format!("it is longer than {MAX_RECORD_BYTES} bytes")),
        false => Ok(line),
    }
}

/// Appends whole lines under the file's lock, which is let go when the file is closed.
fn append(path: &Path, lines: &[Vec<u8>]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    file.lock()?;
    mend_end(&mut file)?;
    lines.iter().try_for_each(|line| file.write_all(line))?;
    file.sync_data()
}

/// Makes a file end with a whole line: one that only lacks its line end gets it, a piece of an entry is removed.
fn mend_end(file: &mut File) -> std::io::Result<()> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut last = Vec::new();
    for read in (1..).map(|doubling| (64_u64 << doubling).min(length)) {
        file.seek(SeekFrom::Start(length - read))?;
        last.clear();
        Read::by_ref(file).take(read).read_to_end(&mut last)?;
        let start = last.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        if start > 0 || read == length {
            last.drain(..start);
            break;
        }
    }
    match last.as_slice() {
        [] => Ok(()),
        line if is_torn(line) => file.set_len(length - line.len() as u64),
        _ => file.write_all(b"\n"),
    }
}
