//! The question put to the model: instruction, labels, text, and where the answer is read.

mod encoder;
mod label_tokens;
mod multi_label;
mod turns;

use serde::{Deserialize, Serialize};

use crate::label::LabelSet;
use crate::tokenizer::TokenizerError;

pub use encoder::{EncodedPrompt, PromptEncoder, shared_prefix_length};
pub use label_tokens::{LabelScheme, LabelTokens};
pub use multi_label::{EncodedQuestions, MultiLabelEncoder, MultiLabelPrompt};
pub(crate) use turns::turn_ends;
pub use turns::{chat_turn, plain_text};

/// A classification prompt; everything that decides its bytes is stored with the classifier.
///
/// ```text
/// {instruction}:[{choices}]{separator}Text:{text}{separator}Prediction:
/// ```
/// The answer follows directly, without a space. The defaults are the bytes of Google's "Agile classifiers" codelab.
///
/// ```
/// use lincah::{label::LabelSet, prompt::Prompt};
///
/// let prompt = Prompt::new(LabelSet::new(["Positive", "Negative"])?)?;
/// assert_eq!(
///     prompt.render("Nice one."),
///     "Classify the following text into one of the following classes:[Positive,Negative]<separator>Text:Nice one.<separator>Prediction:"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StoredPrompt", into = "StoredPrompt")]
pub struct Prompt {
    instruction: String,
    separator: String,
    begin_of_text: bool,
    labels: LabelSet,
    /// What the model answers in place of the labels, one a label.
    letters: Option<Vec<String>>,
    cut: Cut,
}

/// What goes where a prompt is longer than it may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cut {
    /// The end of the text; the question behind it stays.
    #[default]
    Text,
    /// The end of the prompt: a long text is scored without the question. What the codelab does.
    Prompt,
}

impl Cut {
    fn is_text(&self) -> bool {
        *self == Self::Text
    }
}

/// [`Prompt`] as it lies in a file, not yet checked.
#[derive(Serialize, Deserialize)]
struct StoredPrompt {
    instruction: String,
    separator: String,
    begin_of_text: bool,
    labels: LabelSet,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    letters: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Cut::is_text")]
    cut: Cut,
}

impl Prompt {
    /// The codelab's instruction.
    pub const DEFAULT_INSTRUCTION: &'static str = "Classify the following text into one of the following classes";
    /// The codelab's separator: plain text, no piece of its own in any vocabulary.
    pub const DEFAULT_SEPARATOR: &'static str = "<separator>";

    /// The codelab's prompt for these labels, with begin of text in front.
    ///
    /// # Errors
    /// [`PromptError::SeparatorInLabel`].
    pub fn new(labels: LabelSet) -> Result<Self, PromptError> {
        let (instruction, separator) = (Self::DEFAULT_INSTRUCTION.to_owned(), Self::DEFAULT_SEPARATOR.to_owned());
        Self { instruction, separator, begin_of_text: true, labels, letters: None, cut: Cut::Text }.checked()
    }

    /// The same prompt with another instruction; a colon and the choices follow it.
    #[must_use]
    pub fn with_instruction(self, instruction: impl Into<String>) -> Self {
        Self { instruction: instruction.into(), ..self }
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

    /// The same prompt, cut in another way where it is too long.
    #[must_use]
    pub fn with_cut(self, cut: Cut) -> Self {
        Self { cut, ..self }
    }

    /// The same prompt, each label listed behind a letter that the model answers in its place.
    fn with_letters(self, letters: Vec<String>) -> Self {
        Self { letters: Some(letters), ..self }
    }

    fn checked(self) -> Result<Self, PromptError> {
        if self.separator.is_empty() {
            return Err(PromptError::EmptySeparator);
        }
        if let Some(label) = self.labels.names().iter().find(|label| label.contains(&self.separator)) {
            return Err(PromptError::SeparatorInLabel { label: label.clone(), separator: self.separator });
        }
        match &self.letters {
            Some(letters) if letters.len() != self.labels.len() => {
                Err(PromptError::LetterCount { letters: letters.len(), labels: self.labels.len() })
            }
            _ => Ok(self),
        }
    }

    /// The labels that users see.
    pub fn labels(&self) -> &LabelSet {
        &self.labels
    }

    /// What the model is to answer, one a label: the labels themselves or letters.
    pub fn answers(&self) -> &[String] {
        self.letters.as_deref().unwrap_or(self.labels.names())
    }

    /// Whether the begin-of-text id stands in front.
    pub fn begin_of_text(&self) -> bool {
        self.begin_of_text
    }

    /// What goes where the prompt is too long.
    pub fn cut(&self) -> Cut {
        self.cut
    }

    /// What stands between instruction, text and answer.
    pub fn separator(&self) -> &str {
        &self.separator
    }

    /// What stands before the text.
    pub fn head(&self) -> String {
        let names = self.labels.names();
        let choices = match &self.letters {
            Some(letters) => {
                letters.iter().zip(names).map(|(letter, name)| format!("{letter}: {name}")).collect::<Vec<_>>().join(",")
            }
            None => names.join(","),
        };
        format!("{}:[{choices}]{}Text:", self.instruction, self.separator)
    }

    /// What stands after the text; the answer follows it directly.
    pub fn tail(&self) -> String {
        format!("{}Prediction:", self.separator)
    }

    /// The whole prompt of a text, without begin of text.
    pub fn render(&self, text: &str) -> String {
        [&self.head(), text, &self.tail()].concat()
    }
}

impl TryFrom<StoredPrompt> for Prompt {
    type Error = PromptError;

    fn try_from(stored: StoredPrompt) -> Result<Self, PromptError> {
        let StoredPrompt { instruction, separator, begin_of_text, labels, letters, cut } = stored;
        Self { instruction, separator, begin_of_text, labels, letters, cut }.checked()
    }
}

impl From<Prompt> for StoredPrompt {
    fn from(prompt: Prompt) -> Self {
        let Prompt { instruction, separator, begin_of_text, labels, letters, cut } = prompt;
        Self { instruction, separator, begin_of_text, labels, letters, cut }
    }
}

/// `token 3`, `tokens 3, 4`, or that there are none.
fn tokens(found: Option<&[u32]>) -> String {
    match found {
        None => String::from("it no tokens of its own"),
        Some([token]) => format!("token {token}"),
        Some(tokens) => format!("tokens {}", tokens.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// Why a prompt can't be made or encoded.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// Nothing would keep the text apart from the instruction.
    #[error("the separator is empty; give some text, such as `<separator>` or a line break")]
    EmptySeparator,
    /// A label would end its own list.
    #[error("label `{label}` contains the separator `{separator}`; choose another separator or rename the label")]
    SeparatorInLabel {
        /// The label.
        label: String,
        /// The separator.
        separator: String,
    },
    /// A multi-label prompt whose answers are not two.
    #[error("the answers are {answers:?}; a question about a label has two, no and yes")]
    AnswerCount {
        /// The answers.
        answers: Vec<String>,
    },
    /// A description of a label that there is not.
    #[error("there is a description of `{label}`, which is none of the labels {labels:?}")]
    DescriptionOfNoLabel {
        /// The name.
        label: String,
        /// The labels.
        labels: Vec<String>,
    },
    /// A stored prompt has not one letter a label.
    #[error("the prompt has {letters} letters for {labels} labels")]
    LetterCount {
        /// Letters stored.
        letters: usize,
        /// Labels stored.
        labels: usize,
    },
    /// The prompt wants begin of text but the vocabulary has none.
    #[error("the prompt starts with begin of text, but the tokenizer has no such id; make the prompt without it")]
    NoBeginOfText,
    /// A training sequence ends with end of text but the vocabulary has none.
    #[error("the codelab's training texts end with end of text, but the tokenizer has no such id; use another preset")]
    NoEndOfText,
    /// Instruction, labels and tail alone are too long.
    #[error(
        "the prompt takes {needed} tokens without any text, but at most {max_tokens} are allowed; shorten the instruction or labels, or allow more"
    )]
    NoRoom {
        /// Tokens of the prompt around an empty text.
        needed: usize,
        /// Tokens allowed.
        max_tokens: usize,
    },
    /// There are not enough single pieces for letters to stand for the labels.
    #[error("{labels} labels need a letter each, but the vocabulary has only {letters} that work; use fewer labels")]
    TooManyLabels {
        /// Labels to be told apart.
        labels: usize,
        /// Letters found.
        letters: usize,
    },
    /// A stored classifier's label ids are not those of this tokenizer.
    #[error(
        "label `{label}` was stored with token {stored}, but this tokenizer gives {}; the tokenizer is not the classifier's own",
        tokens(found.as_deref())
    )]
    LabelTokenChanged {
        /// The label.
        label: String,
        /// The stored id.
        stored: u32,
        /// What the tokenizer gives as continuation of the prompt.
        found: Option<Vec<u32>>,
    },
    /// A stored classifier has not one id a label.
    #[error("{tokens} token ids are stored for {labels} labels")]
    LabelTokenCount {
        /// Ids stored.
        tokens: usize,
        /// Labels stored.
        labels: usize,
    },
    /// Two stored labels have the same id.
    #[error("token {token} is stored for two labels")]
    LabelTokenTwice {
        /// The id.
        token: u32,
    },
    /// The vocabulary has none of the pieces that chat models mark turns with.
    #[error("the model's vocabulary has no turn markers that are known, so it can't be asked as in a chat; leave --chat out")]
    NoTurnMarkers,
    /// A text can't be encoded.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}
