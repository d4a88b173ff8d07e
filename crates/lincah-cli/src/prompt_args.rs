//! Options that decide the prompt's bytes and length.

use clap::Args;
use lincah::prompt::PromptError;
use lincah::{LabelSet, Prompt};

#[derive(Debug, Args)]
pub(crate) struct PromptArguments {
    /// Longest prompt in tokens; the ends of longer texts are cut [default: 256]
    #[arg(long, value_name = "N")]
    max_tokens: Option<usize>,
    #[arg(long, value_name = "TEXT", help = format!("Instruction at the head of the prompt [default: {:?}]", Prompt::DEFAULT_INSTRUCTION))]
    instruction: Option<String>,
    #[arg(long, value_name = "TEXT", help = format!("What separates instruction, text and answer [default: {}]", Prompt::DEFAULT_SEPARATOR))]
    separator: Option<String>,
    /// No begin-of-text token in front of the prompt
    #[arg(long)]
    no_bos: bool,
}

impl PromptArguments {
    /// The first of these options that was given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let given = [
            ("--max-tokens", self.max_tokens.is_some()),
            ("--instruction", self.instruction.is_some()),
            ("--separator", self.separator.is_some()),
            ("--no-bos", self.no_bos),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(name, _)| name)
    }

    /// Whether an instruction was given.
    pub(crate) fn has_instruction(&self) -> bool {
        self.instruction.is_some()
    }

    pub(crate) fn max_tokens(&self) -> Option<usize> {
        self.max_tokens
    }

    /// The prompt for these labels.
    pub(crate) fn prompt(&self, labels: LabelSet) -> Result<Prompt, PromptError> {
        Ok(Prompt::new(labels)?
            .with_instruction(self.instruction.as_deref().unwrap_or(Prompt::DEFAULT_INSTRUCTION))
            .with_separator(self.separator.as_deref().unwrap_or(Prompt::DEFAULT_SEPARATOR))?
            .with_begin_of_text(!self.no_bos))
    }
}
