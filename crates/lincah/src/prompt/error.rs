//! What is wrong with a prompt.

use crate::tokenizer::TokenizerError;

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
    /// A prompt of format 2 with other answers than no and yes.
    #[error("the answers are {answers:?}; the questions about independent labels are answered with No and Yes")]
    AnswersOfFormat2 {
        /// The answers.
        answers: Vec<String>,
    },
    /// A description of a label that is one of several exclusive ones.
    #[error("`{label}` has a description, but exclusive labels are asked about together; describe them in the instruction")]
    DescriptionNotAsked {
        /// The label.
        label: String,
    },
    /// A description of a label that no prompt names.
    #[error("`{label}` has a description, but labels that are rows are not named in the prompt; leave it out, or score tokens")]
    DescriptionOfRow {
        /// The label.
        label: String,
    },
    /// The highest probability of any window, of more than two exclusive labels.
    #[error("long texts cannot be scored by their highest window with {labels} exclusive labels; take `mean` or `first`")]
    WindowsOfMany {
        /// Labels.
        labels: usize,
    },
    /// The higher probability of two readings, of more than two exclusive labels.
    #[error(
        "the higher of two readings' probabilities is of one label; {labels} exclusive labels have none; score texts as they are written"
    )]
    ReadingsOfMany {
        /// Labels.
        labels: usize,
    },
    /// Windows of a prompt that is cut at its end.
    #[error("a prompt that is cut at its end, as the codelab's is, has no windows; score long texts by `first`")]
    WindowsOfPrompt,
    /// A description of a label that there is not.
    #[error("there is a description of `{label}`, which is none of the labels {labels:?}")]
    DescriptionOfNoLabel {
        /// The name.
        label: String,
        /// The labels.
        labels: Vec<String>,
    },
    /// A stored prompt has not one letter per answer.
    #[error("the prompt has {letters} letters for {answers} answers")]
    LetterCount {
        /// Letters stored.
        letters: usize,
        /// Answers.
        answers: usize,
    },
    /// The prompt wants begin of text but the vocabulary has none.
    #[error("the prompt starts with begin of text, but the tokenizer has no such id; make the prompt without it")]
    NoBeginOfText,
    /// A training sequence ends with end of text but the vocabulary has none.
    #[error("the codelab's training texts end with end of text, but the tokenizer has no such id; use another preset")]
    NoEndOfText,
    /// Instruction, labels and tail alone are too long.
    #[error(
        "the prompt takes {needed} tokens without any text, but at most {max_tokens} are allowed; shorten the instruction or labels, allow more, or train with --preset instant or --label-scheme rows, which list no labels"
    )]
    NoRoom {
        /// Tokens of the prompt around an empty text.
        needed: usize,
        /// Tokens allowed.
        max_tokens: usize,
    },
    /// There are not enough single pieces for letters to stand for the labels.
    #[error(
        "{labels} labels need a letter each, but the vocabulary has only {letters} that work; use fewer labels, or train with --preset instant or --label-scheme rows"
    )]
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

/// `token 3`, `tokens 3, 4`, or that there are none.
fn tokens(found: Option<&[u32]>) -> String {
    match found {
        None => String::from("it no tokens of its own"),
        Some([token]) => format!("token {token}"),
        Some(tokens) => format!("tokens {}", tokens.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    }
}
