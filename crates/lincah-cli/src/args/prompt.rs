//! Options that decide the prompt's bytes and length.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use lincah::{LabelScoring, LongTexts, Prompt, PromptOverrides};

/// A value parser that lists the choices' names.
macro_rules! choices {
    ($choice:ty) => {
        PossibleValuesParser::new(<$choice>::NAMES).try_map(|name| name.parse::<$choice>())
    };
}
pub(super) use choices;

#[derive(Debug, Args)]
pub(crate) struct PromptArguments {
    /// Longest prompt in tokens; longer texts are truncated, see --long-texts [default: 256]
    #[arg(long, value_name = "N")]
    pub(crate) max_tokens: Option<usize>,
    /// How texts are scored that are longer: their beginning, or window by window to their end by the highest or the mean probability
    #[arg(long, value_name = "HOW", value_parser = choices!(LongTexts), default_value_t = LongTexts::First)]
    long_texts: LongTexts,
    #[arg(long, value_name = "TEXT", help = format!("Instruction at the head of the prompt [default: {:?}]", Prompt::DEFAULT_INSTRUCTION))]
    instruction: Option<String>,
    #[arg(long, value_name = "TEXT", help = format!("What separates instruction, text and answer [default: {}]", Prompt::DEFAULT_SEPARATOR))]
    separator: Option<String>,
    /// No begin-of-text token in front of the prompt
    #[arg(long)]
    no_bos: bool,
    /// Leave white space at the ends and runs of it within texts as they are, rather than trim it and make one of each run
    #[arg(long)]
    keep_whitespace: bool,
    /// Score a text without look-alike and invisible characters, spaced letters and leetspeak, too, by the higher probability of the positive
    /// one of two labels, or of each label that may hold with others
    #[arg(long)]
    deobfuscate: bool,
    /// What scores a label: tokens behind a prompt that names all labels, or rows that are trained with the adapter, behind a prompt that names
    /// none, for any number of labels [default: tokens where the prompt has room for the labels]
    #[arg(long, value_name = "SCHEME", value_parser = choices!(LabelScoring))]
    label_scheme: Option<LabelScoring>,
    /// With labels that may hold together: what one means, for the prompt; may be given once per label
    #[arg(long, value_name = "LABEL=TEXT", value_parser = description)]
    label_description: Vec<(String, String)>,
}

fn description(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((label, description)) if !label.is_empty() && !description.trim().is_empty() => {
            Ok((label.to_owned(), description.to_owned()))
        }
        _ => Err(String::from("give LABEL=TEXT, for example rude=\"it insults somebody\"")),
    }
}

impl PromptArguments {
    /// The first of these options that was given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let given = [
            ("--max-tokens", self.max_tokens.is_some()),
            ("--long-texts", self.long_texts != LongTexts::First),
            ("--instruction", self.instruction.is_some()),
            ("--separator", self.separator.is_some()),
            ("--no-bos", self.no_bos),
            ("--keep-whitespace", self.keep_whitespace),
            ("--deobfuscate", self.deobfuscate),
            ("--label-scheme", self.label_scheme.is_some()),
            ("--label-description", !self.label_description.is_empty()),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(name, _)| name)
    }

    pub(crate) fn overrides(&self) -> PromptOverrides {
        PromptOverrides {
            instruction: self.instruction.clone(),
            separator: self.separator.clone(),
            no_begin_of_text: self.no_bos,
            long_texts: self.long_texts,
            keep_white_space: self.keep_whitespace,
            deobfuscate: self.deobfuscate,
            label_scheme: self.label_scheme,
            descriptions: self.label_description.clone(),
        }
    }
}
