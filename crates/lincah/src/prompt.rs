//! The question put to the model: instruction, labels, text, and where the answer is read.

mod encoder;
mod error;
mod label_tokens;
mod obfuscation;
mod turns;
mod white_space;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::label::LabelSet;
use crate::task::Task;

pub use encoder::{EncodedText, PromptEncoder};
pub use error::PromptError;
pub use label_tokens::{LabelScheme, LabelTokens};
pub use obfuscation::{Obfuscation, deobfuscated};
pub(crate) use turns::turn_ends;
pub use turns::{chat_turn, plain_text};
pub use white_space::WhiteSpace;

/// A classification prompt; everything that decides its bytes is stored with the classifier.
///
/// Exclusive labels are one question, whose answers are the labels:
///
/// ```text
/// {instruction}:[{labels}]{separator}Text:{text}{separator}Prediction:
/// ```
/// Independent labels are a question each, whose answers are `No` and `Yes`. All questions of a text begin alike, so that the model reads
/// the text once for all of them; the description and its brackets are there only where one was given:
///
/// ```text
/// {instruction}:[No,Yes]{separator}Text:{text}{separator}Label:{label} ({description}){separator}Prediction:
/// ```
/// Where labels are rows ([`with_label_rows`](Self::with_label_rows)), there is one question in either case, and no label is named:
///
/// ```text
/// {instruction}:{separator}Text:{text}{separator}Prediction:
/// ```
/// The answer follows directly, without a space. The defaults of exclusive labels are the bytes of Google's "Agile classifiers" codelab.
///
/// ```
/// use lincah::{LabelSet, Prompt, Task};
///
/// let prompt = Prompt::new(Task::SingleLabel, LabelSet::new(["Positive", "Negative"])?)?;
/// assert_eq!(
///     prompt.render("Nice one.", 0),
///     "Classify the following text into one of the following classes:[Positive,Negative]<separator>Text:Nice one.<separator>Prediction:"
/// );
/// let prompt = Prompt::new(Task::MultiLabel, LabelSet::new(["rude", "off-topic"])?)?;
/// assert_eq!(
///     prompt.render("Nice one.", 1),
///     "Answer whether the label behind the text applies to it with one of the following words:[No,Yes]\
///      <separator>Text:Nice one.<separator>Label:off-topic<separator>Prediction:"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ReadPrompt", into = "StoredPrompt")]
pub struct Prompt {
    task: Task,
    instruction: String,
    separator: String,
    begin_of_text: bool,
    labels: LabelSet,
    /// Of independent labels, one per label, empty where there is none.
    descriptions: Vec<String>,
    /// What the model answers in place of the answers, one per answer.
    letters: Option<Vec<String>>,
    /// The answers are rows that an adapter has, not tokens.
    label_rows: bool,
    truncation: Truncation,
    long_texts: LongTexts,
    white_space: WhiteSpace,
    obfuscation: Obfuscation,
}

/// What is left out where a prompt is longer than it may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Truncation {
    /// The end of the text; the question behind it stays.
    #[default]
    Text,
    /// The end of the prompt: a long text is scored without the question. What the codelab does.
    Prompt,
}

impl Truncation {
    fn is_text(&self) -> bool {
        *self == Self::Text
    }
}

/// How a text is scored that is longer than the prompt has room for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LongTexts {
    /// Its beginning, as far as it fits.
    #[default]
    First,
    /// Window by window to its end: the highest probability of the positive one of two labels, or of each independent label.
    Max,
    /// Window by window to its end: the mean of the windows' probabilities.
    Mean,
}

impl LongTexts {
    fn is_first(&self) -> bool {
        *self == Self::First
    }
}

lincah_model::named_choices!(LongTexts, "way to score long texts": First = "first", Max = "max", Mean = "mean");

/// [`Prompt`] as it lies in a file, not yet checked. What lincah wrote before there was a task is of exclusive labels.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredPrompt {
    #[serde(default, skip_serializing_if = "Task::is_single_label")]
    task: Task,
    instruction: String,
    separator: String,
    begin_of_text: bool,
    labels: LabelSet,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    descriptions: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    letters: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    label_rows: bool,
    #[serde(default, rename = "cut", skip_serializing_if = "Truncation::is_text")]
    truncation: Truncation,
    #[serde(default, skip_serializing_if = "LongTexts::is_first")]
    long_texts: LongTexts,
    #[serde(default, skip_serializing_if = "WhiteSpace::is_kept")]
    white_space: WhiteSpace,
    #[serde(default, skip_serializing_if = "Obfuscation::is_as_written")]
    obfuscation: Obfuscation,
}

/// Format 2, independent labels: what is asked about each, its labels being the two answers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Format2 {
    question: StoredPrompt,
    labels: LabelSet,
    #[serde(default)]
    descriptions: Vec<(String, String)>,
}

/// A stored prompt of any format.
enum ReadPrompt {
    Format2(Format2),
    Stored(StoredPrompt),
}

impl<'de> Deserialize<'de> for ReadPrompt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Told apart by a field, since an untagged enum would not say what is wrong with a prompt.
        let value = serde_json::Value::deserialize(deserializer)?;
        let read = match value.get("question") {
            Some(_) => serde_json::from_value(value).map(Self::Format2),
            None => serde_json::from_value(value).map(Self::Stored),
        };
        read.map_err(D::Error::custom)
    }
}

impl Prompt {
    /// The instruction for exclusive labels, the codelab's.
    pub const DEFAULT_INSTRUCTION: &'static str = "Classify the following text into one of the following classes";
    /// The instruction for independent labels.
    pub const DEFAULT_MULTI_LABEL_INSTRUCTION: &'static str =
        "Answer whether the label behind the text applies to it with one of the following words";
    /// The codelab's separator: plain text, no piece of its own in any vocabulary.
    pub const DEFAULT_SEPARATOR: &'static str = "<separator>";
    /// The instruction where labels are rows.
    pub const DEFAULT_LABEL_ROWS_INSTRUCTION: &'static str = "Classify the following text";
    /// The answers of a question about an independent label.
    const NO_YES: [&'static str; 2] = ["No", "Yes"];

    /// The default prompt for these labels, with begin of text in front and [`WhiteSpace::Single`].
    ///
    /// # Errors
    /// [`PromptError::SeparatorInLabel`].
    pub fn new(task: Task, labels: LabelSet) -> Result<Self, PromptError> {
        let instruction = match task {
            Task::SingleLabel => Self::DEFAULT_INSTRUCTION,
            Task::MultiLabel => Self::DEFAULT_MULTI_LABEL_INSTRUCTION,
        };
        let prompt = Self {
            task,
            instruction: instruction.to_owned(),
            separator: Self::DEFAULT_SEPARATOR.to_owned(),
            begin_of_text: true,
            descriptions: vec![String::new(); labels.len()],
            labels,
            letters: None,
            label_rows: false,
            truncation: Truncation::Text,
            long_texts: LongTexts::First,
            white_space: WhiteSpace::Single,
            obfuscation: Obfuscation::AsWritten,
        };
        prompt.checked()
    }

    /// The same prompt with another instruction; a colon and the choices follow it.
    #[must_use]
    pub fn with_instruction(self, instruction: impl Into<String>) -> Self {
        Self { instruction: instruction.into(), ..self }
    }

    /// The same prompt, which names no label: the answers are rows that an adapter has, one per label, two per independent label. The
    /// instruction becomes [`Self::DEFAULT_LABEL_ROWS_INSTRUCTION`] where it was the default.
    ///
    /// # Errors
    /// [`PromptError::DescriptionOfRow`].
    pub fn with_label_rows(mut self) -> Result<Self, PromptError> {
        if [Self::DEFAULT_INSTRUCTION, Self::DEFAULT_MULTI_LABEL_INSTRUCTION].contains(&self.instruction.as_str()) {
            self.instruction = Self::DEFAULT_LABEL_ROWS_INSTRUCTION.to_owned();
        }
        Self { label_rows: true, letters: None, ..self }.checked()
    }

    /// The same prompt with another separator between instruction, text and answer.
    ///
    /// # Errors
    /// [`PromptError::EmptySeparator`], [`PromptError::SeparatorInLabel`].
    pub fn with_separator(self, separator: impl Into<String>) -> Result<Self, PromptError> {
        Self { separator: separator.into(), ..self }.checked()
    }

    /// The same prompt with or without the begin-of-text id in front.
    #[must_use]
    pub fn with_begin_of_text(self, begin_of_text: bool) -> Self {
        Self { begin_of_text, ..self }
    }

    /// The same prompt, truncated in another way where it is too long.
    #[must_use]
    pub fn with_truncation(self, truncation: Truncation) -> Self {
        Self { truncation, ..self }
    }

    /// The same prompt, long texts scored in another way.
    ///
    /// # Errors
    /// [`PromptError::WindowsOfMany`], [`PromptError::WindowsOfPrompt`].
    pub fn with_long_texts(self, long_texts: LongTexts) -> Result<Self, PromptError> {
        Self { long_texts, ..self }.checked()
    }

    /// The same prompt, the texts' white space treated in another way.
    #[must_use]
    pub fn with_white_space(self, white_space: WhiteSpace) -> Self {
        Self { white_space, ..self }
    }

    /// The same prompt, obfuscated texts read in another way.
    ///
    /// # Errors
    /// [`PromptError::ReadingsOfMany`].
    pub fn with_obfuscation(self, obfuscation: Obfuscation) -> Result<Self, PromptError> {
        Self { obfuscation, ..self }.checked()
    }

    /// The same prompt with descriptions of independent labels, by name.
    ///
    /// # Errors
    /// [`PromptError::DescriptionOfNoLabel`], [`PromptError::DescriptionNotAsked`], [`PromptError::SeparatorInLabel`].
    pub fn with_descriptions(mut self, descriptions: &[(String, String)]) -> Result<Self, PromptError> {
        for (label, description) in descriptions {
            if self.task == Task::SingleLabel {
                return Err(PromptError::DescriptionNotAsked { label: label.clone() });
            }
            let position = self.labels.position(label).ok_or_else(|| PromptError::DescriptionOfNoLabel {
                label: label.clone(),
                labels: self.labels.names().to_vec(),
            })?;
            self.descriptions[position] = description.trim().to_owned();
        }
        self.checked()
    }

    /// The same prompt, each answer listed behind a letter that the model answers in its place.
    fn with_letters(self, letters: Vec<String>) -> Self {
        Self { letters: Some(letters), ..self }
    }

    fn checked(self) -> Result<Self, PromptError> {
        if self.separator.is_empty() {
            return Err(PromptError::EmptySeparator);
        }
        let shown = self.labels.names().iter().chain(&self.descriptions);
        if let Some(label) = { shown }.find(|shown| shown.contains(&self.separator)) {
            return Err(PromptError::SeparatorInLabel { label: label.clone(), separator: self.separator });
        }
        let labels = self.labels.len();
        let no_highest = self.task == Task::SingleLabel && labels > 2;
        if no_highest && self.long_texts == LongTexts::Max {
            return Err(PromptError::WindowsOfMany { labels });
        }
        if no_highest && self.obfuscation == Obfuscation::HigherOfBoth {
            return Err(PromptError::ReadingsOfMany { labels });
        }
        if self.long_texts != LongTexts::First && self.truncation == Truncation::Prompt {
            return Err(PromptError::WindowsOfPrompt);
        }
        if let Some(described) = self.descriptions.iter().position(|description| self.label_rows && !description.is_empty()) {
            return Err(PromptError::DescriptionOfRow { label: self.labels.names()[described].clone() });
        }
        let answers = self.answer_names().len();
        match &self.letters {
            Some(letters) if letters.len() != answers => Err(PromptError::LetterCount { letters: letters.len(), answers }),
            _ => Ok(self),
        }
    }

    /// How many of the labels a text has.
    pub fn task(&self) -> Task {
        self.task
    }

    /// The labels that users see.
    pub fn labels(&self) -> &LabelSet {
        &self.labels
    }

    /// How many questions are asked about a text.
    pub fn questions(&self) -> usize {
        match self.task {
            Task::MultiLabel if !self.label_rows => self.labels.len(),
            Task::SingleLabel | Task::MultiLabel => 1,
        }
    }

    /// Whether the answers are rows that an adapter has, not tokens.
    pub fn has_label_rows(&self) -> bool {
        self.label_rows
    }

    /// What a question can be answered with: the labels, or `No` and `Yes`.
    pub fn answer_names(&self) -> Vec<&str> {
        match self.task {
            Task::SingleLabel => self.labels.names().iter().map(String::as_str).collect(),
            Task::MultiLabel => Self::NO_YES.to_vec(),
        }
    }

    /// What the model is to write for each answer: its name or its letter.
    pub fn answers(&self) -> Vec<&str> {
        match &self.letters {
            Some(letters) => letters.iter().map(String::as_str).collect(),
            None => self.answer_names(),
        }
    }

    /// Whether the begin-of-text id stands in front.
    pub fn begin_of_text(&self) -> bool {
        self.begin_of_text
    }

    /// What is left out where the prompt is too long.
    pub fn truncation(&self) -> Truncation {
        self.truncation
    }

    /// How texts are scored that are too long.
    pub fn long_texts(&self) -> LongTexts {
        self.long_texts
    }

    /// What becomes of the texts' white space.
    pub fn white_space(&self) -> WhiteSpace {
        self.white_space
    }

    /// Which readings of the texts are scored.
    pub fn obfuscation(&self) -> Obfuscation {
        self.obfuscation
    }

    /// What stands between instruction, text and answer.
    pub fn separator(&self) -> &str {
        &self.separator
    }

    /// What stands before the text.
    pub fn head(&self) -> String {
        if self.label_rows {
            return format!("{}:{}Text:", self.instruction, self.separator);
        }
        let names = self.answer_names();
        let choices = match &self.letters {
            Some(letters) => {
                letters.iter().zip(names).map(|(letter, name)| format!("{letter}: {name}")).collect::<Vec<_>>().join(",")
            }
            None => names.join(","),
        };
        format!("{}:[{choices}]{}Text:", self.instruction, self.separator)
    }

    /// What stands after the text, and after the label that a question is about; the answer follows it directly.
    fn answer_tail(&self) -> String {
        format!("{}Prediction:", self.separator)
    }

    /// What stands after the text in one of the [`questions`](Self::questions) (panics if there is no such question, as indexing does).
    pub fn tail(&self, question: usize) -> String {
        let tail = self.answer_tail();
        if self.task == Task::SingleLabel || self.label_rows {
            return tail;
        }
        let description = match self.descriptions[question].as_str() {
            "" => String::new(),
            description => format!(" ({description})"),
        };
        format!("{}Label:{}{description}{tail}", self.separator, self.labels.names()[question])
    }

    /// One of the questions about a text, without begin of text (panics if there is no such question, as indexing does).
    pub fn render(&self, text: &str, question: usize) -> String {
        [&self.head(), &*self.white_space.applied(text), &self.tail(question)].concat()
    }

    /// All questions about a text, a line each.
    pub fn render_all(&self, text: &str) -> String {
        (0..self.questions()).map(|question| self.render(text, question)).collect::<Vec<_>>().join("\n")
    }
}

impl TryFrom<ReadPrompt> for Prompt {
    type Error = PromptError;

    fn try_from(read: ReadPrompt) -> Result<Self, PromptError> {
        let stored = match read {
            ReadPrompt::Stored(stored) => stored,
            ReadPrompt::Format2(Format2 { question, labels, descriptions }) => {
                let answers = question.labels.names();
                if answers != Self::NO_YES {
                    return Err(PromptError::AnswersOfFormat2 { answers: answers.to_vec() });
                }
                StoredPrompt { task: Task::MultiLabel, labels, descriptions, ..question }
            }
        };
        let prompt = Self {
            task: stored.task,
            instruction: stored.instruction,
            separator: stored.separator,
            begin_of_text: stored.begin_of_text,
            descriptions: vec![String::new(); stored.labels.len()],
            labels: stored.labels,
            letters: stored.letters,
            label_rows: stored.label_rows,
            truncation: stored.truncation,
            long_texts: stored.long_texts,
            white_space: stored.white_space,
            obfuscation: stored.obfuscation,
        };
        prompt.checked()?.with_descriptions(&stored.descriptions)
    }
}

impl From<Prompt> for StoredPrompt {
    fn from(prompt: Prompt) -> Self {
        let described = prompt.labels.names().iter().cloned().zip(prompt.descriptions);
        Self {
            task: prompt.task,
            instruction: prompt.instruction,
            separator: prompt.separator,
            begin_of_text: prompt.begin_of_text,
            descriptions: described.filter(|(_, description)| !description.is_empty()).collect(),
            labels: prompt.labels,
            letters: prompt.letters,
            label_rows: prompt.label_rows,
            truncation: prompt.truncation,
            long_texts: prompt.long_texts,
            white_space: prompt.white_space,
            obfuscation: prompt.obfuscation,
        }
    }
}
