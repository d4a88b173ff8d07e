//! What people said of the texts, as the journal tells it.

use crate::error::StudioError;
use lincah::data::journal::{Action, JournalEntry};
use lincah::{LabelSet, Task};
use std::collections::{BTreeMap, HashMap};

/// What somebody makes of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The places of its labels among the project's, each once, in their order.
    Labels(Vec<usize>),
    /// None: it was looked at and left.
    Skipped,
}

/// Something that somebody says of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Who.
    pub who: String,
    /// The text's number.
    pub text: usize,
    /// What; `None` takes back what was said.
    pub answer: Option<Answer>,
    /// Whether it takes the last thing back that they said.
    pub is_undo: bool,
    /// The guideline's version that it was said by; 0 for none.
    pub guideline: usize,
    /// How long the text was looked at.
    pub milliseconds: Option<u64>,
}

impl Said {
    /// An answer, by no guideline.
    pub fn new(who: &str, text: usize, answer: Answer) -> Self {
        Self { who: who.to_owned(), text, answer: Some(answer), is_undo: false, guideline: 0, milliseconds: None }
    }
}

/// What a person says of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opinion {
    /// Who.
    pub who: String,
    /// What.
    pub answer: Answer,
    /// The guideline's version that it was said by; 0 for none.
    pub guideline: usize,
}

/// What stood before somebody said something, to be put back by an undo.
#[derive(Debug, Clone)]
struct Before {
    text: usize,
    opinion: Option<Opinion>,
}

/// All that was said, the last of each person of each text.
#[derive(Debug, Clone)]
pub struct Labels {
    task: Task,
    label_count: usize,
    /// By text, what each person says of it, who spoke last at the end.
    said: HashMap<usize, Vec<Opinion>>,
    /// Texts that the journal has.
    known: Vec<bool>,
    undoable: BTreeMap<String, Vec<Before>>,
    /// Grows by one with everything that is said.
    version: u64,
}

impl Labels {
    /// What the entries of a journal come to; why an entry fits neither texts nor labels, if one does not.
    pub(crate) fn of(entries: &[JournalEntry], task: Task, labels: &LabelSet, texts: usize) -> Result<Self, String> {
        let mut all = Self {
            task,
            label_count: labels.len(),
            said: HashMap::new(),
            known: vec![false; texts],
            undoable: BTreeMap::new(),
            version: 0,
        };
        for (index, entry) in entries.iter().enumerate() {
            let wrong = |what: String| format!("entry {}: {what}", index + 1);
            let text = entry.id.parse::<usize>().ok().filter(|text| *text < texts);
            let text = text.ok_or_else(|| wrong(format!("there is no text `{}`", entry.id)))?;
            let place = |name: &String| labels.position(name).ok_or_else(|| wrong(format!("there is no label `{name}`")));
            let answer = match entry.action {
                Action::Remove => None,
                Action::Skip => Some(Answer::Skipped),
                Action::Label => Some(Answer::Labels(entry.labels.iter().map(place).collect::<Result<_, _>>()?)),
            };
            let said = Said {
                who: entry.who.clone(),
                text,
                answer,
                is_undo: entry.undo,
                guideline: version_of(entry.guideline.as_deref())
                    .ok_or_else(|| wrong(String::from("its guideline is no number")))?,
                milliseconds: entry.milliseconds,
            };
            all.check(&said).map_err(|error| wrong(error.to_string()))?;
            all.take(said);
        }
        Ok(all)
    }

    /// Refuses labels that do not fit the task.
    pub(crate) fn check(&self, said: &Said) -> Result<(), StudioError> {
        let Some(Answer::Labels(labels)) = &said.answer else { return Ok(()) };
        let in_order = labels.is_sorted_by(|left, right| left < right) && labels.iter().all(|label| *label < self.label_count);
        let expected = match self.task {
            Task::SingleLabel if labels.len() != 1 || !in_order => "one",
            Task::MultiLabel if !in_order => "any, each once",
            _ => return Ok(()),
        };
        Err(StudioError::Labels { found: labels.len(), expected, labels: self.label_count, what: format!("{labels:?}") })
    }

    pub(crate) fn take(&mut self, said: Said) {
        let Said { who, text, answer, is_undo, guideline, .. } = said;
        self.known[text] = true;
        self.version += 1;
        let of_text = self.said.entry(text).or_default();
        let before = of_text.iter().find(|opinion| opinion.who == who).cloned();
        // As a journal is read: who removes, removes for all; an undo is of one person.
        of_text.retain(|opinion| opinion.who != who && (is_undo || answer.is_some()));
        of_text.extend(answer.map(|answer| Opinion { who: who.clone(), answer, guideline }));
        if of_text.is_empty() {
            self.said.remove(&text);
        }
        let undoable = self.undoable.entry(who).or_default();
        match is_undo {
            true => drop(undoable.pop()),
            false => undoable.push(Before { text, opinion: before }),
        }
    }

    /// What takes back the last thing that somebody said.
    pub(crate) fn undone(&self, who: &str) -> Option<Said> {
        let before = self.undoable.get(who)?.last()?;
        let Before { text, opinion } = before.clone();
        let guideline = opinion.as_ref().map_or(0, |opinion| opinion.guideline);
        let answer = opinion.map(|opinion| opinion.answer);
        Some(Said { who: who.to_owned(), text, answer, is_undo: true, guideline, milliseconds: None })
    }

    /// What was said last of a text.
    pub fn answer(&self, text: usize) -> Option<&Answer> {
        self.said.get(&text)?.last().map(|opinion| &opinion.answer)
    }

    /// What somebody says of a text.
    pub fn answer_of(&self, who: &str, text: usize) -> Option<&Answer> {
        self.said.get(&text)?.iter().find(|opinion| opinion.who == who).map(|opinion| &opinion.answer)
    }

    /// What each person says of a text.
    pub fn opinions(&self, text: usize) -> &[Opinion] {
        self.said.get(&text).map_or(&[], Vec::as_slice)
    }

    /// What was said last of each text that something is said of, in no order.
    pub fn last_opinions(&self) -> impl Iterator<Item = (usize, &Opinion)> {
        self.said.iter().filter_map(|(text, opinions)| Some((*text, opinions.last()?)))
    }

    /// Whether the journal has the text.
    pub(crate) fn is_known(&self, text: usize) -> bool {
        self.known[text]
    }

    /// Texts that something is said of, in their order.
    pub fn texts(&self) -> Vec<usize> {
        let mut texts: Vec<usize> = self.said.keys().copied().collect();
        texts.sort_unstable();
        texts
    }

    /// Texts with labels.
    pub fn labelled(&self) -> usize {
        self.said.keys().filter(|text| matches!(self.answer(**text), Some(Answer::Labels(_)))).count()
    }

    /// Texts with each label.
    pub fn label_rows(&self) -> Vec<usize> {
        let mut rows = vec![0; self.label_count];
        for text in self.said.keys() {
            if let Some(Answer::Labels(labels)) = self.answer(*text) {
                labels.iter().for_each(|label| rows[*label] += 1);
            }
        }
        rows
    }

    /// Grows with everything that is said, so that who has read it sees whether something is new.
    pub fn version(&self) -> u64 {
        self.version
    }
}

/// The guideline's version that the journal names.
fn version_of(name: Option<&str>) -> Option<usize> {
    name.map_or(Some(0), |name| name.parse().ok())
}
