use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{EncodedPrompt, Prompt, PromptEncoder, PromptError};
use crate::label::LabelSet;
use crate::tokenizer::Tokenizer;

/// A question about each label of a text; everything that decides its bytes is stored with the classifier.
///
/// ```text
/// {instruction}:[No,Yes]{separator}Text:{text}{separator}Label:{label} ({description}){separator}Prediction:
/// ```
/// The description and its brackets are there only where one was given. All questions of a text begin alike, so that the model reads the
/// text once for all of them.
///
/// ```
/// use lincah::{label::LabelSet, prompt::MultiLabelPrompt};
///
/// let prompt = MultiLabelPrompt::new(LabelSet::new(["rude", "off-topic"])?)?;
/// assert_eq!(
///     prompt.render("Nice one.", 1),
///     "Answer whether the label behind the text applies to it with one of the following words:[No,Yes]\
///      <separator>Text:Nice one.<separator>Label:off-topic<separator>Prediction:"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StoredMultiLabelPrompt", into = "StoredMultiLabelPrompt")]
pub struct MultiLabelPrompt {
    /// Instruction, separator, begin of text, and the answers in the place of labels.
    question: Prompt,
    labels: LabelSet,
    /// One a label, empty where there is none.
    descriptions: Vec<String>,
}

/// [`MultiLabelPrompt`] as it lies in a file, not yet checked.
#[derive(Serialize, Deserialize)]
struct StoredMultiLabelPrompt {
    question: Prompt,
    labels: LabelSet,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    descriptions: Vec<(String, String)>,
}

impl MultiLabelPrompt {
    /// The instruction, unless another is given.
    pub const DEFAULT_INSTRUCTION: &'static str =
        "Answer whether the label behind the text applies to it with one of the following words";

    /// The default prompt for these labels, with begin of text in front.
    ///
    /// # Errors
    /// [`PromptError::SeparatorInLabel`].
    pub fn new(labels: LabelSet) -> Result<Self, PromptError> {
        Self::asking(Prompt::new(Self::answers())?.with_instruction(Self::DEFAULT_INSTRUCTION), labels)
    }

    /// The answers: `No`, then `Yes`.
    pub fn answers() -> LabelSet {
        LabelSet::new(["No", "Yes"]).expect("no and yes are two labels")
    }

    /// A prompt with the instruction, separator and begin of text of `question`, whose labels are the two answers, no and yes.
    ///
    /// # Errors
    /// [`PromptError::AnswerCount`], [`PromptError::SeparatorInLabel`].
    pub fn asking(question: Prompt, labels: LabelSet) -> Result<Self, PromptError> {
        let descriptions = vec![String::new(); labels.len()];
        Self { question, labels, descriptions }.checked()
    }

    /// The same prompt with descriptions of labels, by name.
    ///
    /// # Errors
    /// [`PromptError::DescriptionOfNoLabel`], [`PromptError::SeparatorInLabel`].
    pub fn with_descriptions(mut self, descriptions: &[(String, String)]) -> Result<Self, PromptError> {
        for (label, description) in descriptions {
            let position = self.labels.position(label).ok_or_else(|| PromptError::DescriptionOfNoLabel {
                label: label.clone(),
                labels: self.labels.names().to_vec(),
            })?;
            self.descriptions[position] = description.trim().to_owned();
        }
        self.checked()
    }

    /// The same questions with another form of the same answers.
    pub(crate) fn with_question(self, question: Prompt) -> Self {
        Self { question, ..self }
    }

    fn checked(self) -> Result<Self, PromptError> {
        let answers = self.question.labels().names();
        if answers.len() != 2 {
            return Err(PromptError::AnswerCount { answers: answers.to_vec() });
        }
        let separator = self.question.separator();
        if let Some(label) = self.labels.names().iter().chain(&self.descriptions).find(|name| name.contains(separator)) {
            return Err(PromptError::SeparatorInLabel { label: label.clone(), separator: separator.to_owned() });
        }
        Ok(self)
    }

    /// The labels, in order.
    pub fn labels(&self) -> &LabelSet {
        &self.labels
    }

    /// What is asked about every label: the prompt, whose labels are the answers no and yes.
    pub fn question(&self) -> &Prompt {
        &self.question
    }

    fn tail(&self, label: usize) -> String {
        let description = match self.descriptions[label].as_str() {
            "" => String::new(),
            description => format!(" ({description})"),
        };
        let (separator, name) = (self.question.separator(), &self.labels.names()[label]);
        format!("{separator}Label:{name}{description}{}", self.question.tail())
    }

    /// The whole question about a label of a text, without begin of text (panics if there is no such label, as indexing does).
    pub fn render(&self, text: &str, label: usize) -> String {
        [&self.question.head(), text, &self.tail(label)].concat()
    }
}

impl TryFrom<StoredMultiLabelPrompt> for MultiLabelPrompt {
    type Error = PromptError;

    fn try_from(stored: StoredMultiLabelPrompt) -> Result<Self, PromptError> {
        Self::asking(stored.question, stored.labels)?.with_descriptions(&stored.descriptions)
    }
}

impl From<MultiLabelPrompt> for StoredMultiLabelPrompt {
    fn from(prompt: MultiLabelPrompt) -> Self {
        let MultiLabelPrompt { question, labels, descriptions } = prompt;
        let described = labels.names().iter().cloned().zip(descriptions).filter(|(_, description)| !description.is_empty());
        Self { question, descriptions: described.collect(), labels }
    }
}

/// The token ids of a text's questions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedQuestions {
    /// One a label, in order.
    pub prompts: Vec<EncodedPrompt>,
    /// Characters cut from the end of the text, the same for every label.
    pub cut_characters: usize,
}

/// Encodes texts inside the questions of a [`MultiLabelPrompt`], all of a text's around the same part of it.
#[derive(Debug)]
pub struct MultiLabelEncoder<'t> {
    /// One a label.
    encoders: Vec<PromptEncoder<'t>>,
    /// The label whose question leaves least room for the text.
    longest: usize,
}

impl<'t> MultiLabelEncoder<'t> {
    /// An encoder of questions of at most `max_tokens` tokens, begin of text included.
    ///
    /// # Errors
    /// [`PromptError::NoBeginOfText`], and [`PromptError::NoRoom`] if not even an empty text fits.
    pub fn new(tokenizer: &'t Tokenizer, prompt: &MultiLabelPrompt, max_tokens: usize) -> Result<Self, PromptError> {
        let encoder = |label| PromptEncoder::with_tail(tokenizer, &prompt.question, prompt.tail(label), max_tokens);
        let encoders = (0..prompt.labels.len()).map(encoder).collect::<Result<Vec<_>, _>>()?;
        let lengths = encoders.iter().map(|encoder| Ok(encoder.encode("")?.tokens.len()));
        let lengths = lengths.collect::<Result<Vec<usize>, PromptError>>()?;
        let longest = (0..lengths.len()).max_by_key(|&label| lengths[label]).unwrap_or(0);
        Ok(Self { encoders, longest })
    }

    /// The questions about a text. What the longest question has no room for is cut from the text for all of them.
    ///
    /// # Errors
    /// [`PromptError::Tokenizer`].
    pub fn encode(&self, text: &str) -> Result<EncodedQuestions, PromptError> {
        let cut_characters = self.encoders[self.longest].encode(text)?.cut_characters;
        let end = match cut_characters {
            0 => text.len(),
            cut => text.char_indices().rev().nth(cut - 1).map_or(0, |(at, _)| at),
        };
        let prompts = self.encoders.iter().map(|encoder| encoder.encode(&text[..end])).collect::<Result<_, _>>()?;
        Ok(EncodedQuestions { prompts, cut_characters })
    }

    /// [`MultiLabelEncoder::encode`] of many texts on all threads, in the order of the texts.
    ///
    /// # Errors
    /// The first error in the order of the texts.
    pub fn encode_batch<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Vec<EncodedQuestions>, PromptError> {
        texts.par_iter().map(|text| self.encode(text.as_ref())).collect()
    }
}
