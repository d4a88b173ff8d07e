//! Who classifies: a folder that `train` wrote, or a model as it is, asked with `--labels`.

use super::prompt::PromptArguments;
use crate::print::{note, print_device};
use anyhow::bail;
use clap::Args;
use lincah::decisions::parse_share;
use lincah::{AgileClassifier, BaseModel, ClassifierRecord, ComputeOptions, Error, LabelSet, Prompt, Recipe, Task, hub};
use std::path::Path;

#[derive(Debug, Args)]
pub(crate) struct ClassifierArguments {
    /// Base model, a name, a folder, or a GGUF file [default: the classifier's own; with --labels smollm2-135m]
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// Ask the model as it is, without any training, which of these labels fits, in place of DIR; the last is the positive class. An encoder
    /// compares the texts with the labels' names
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub(crate) labels: Vec<String>,
    /// With --labels: ask about each whether it fits; any number of them may
    #[arg(long, requires = "labels")]
    pub(crate) independent: bool,
    /// Let the first of several members alone answer the texts that it is sure of, as long as at most this share of all decisions changes
    #[arg(long, value_name = "SHARE", num_args = 0..=1, require_equals = true, default_missing_value = "2%", conflicts_with = "labels", value_parser = share)]
    cascade: Option<f64>,
    #[command(flatten, next_help_heading = "Prompt, with --labels")]
    prompt: PromptArguments,
}

impl ClassifierArguments {
    /// Whether the model is asked without any training.
    pub(crate) fn asked(&self) -> bool {
        !self.labels.is_empty()
    }

    /// How the model is asked without any training.
    pub(crate) fn prompt(&self) -> Result<Prompt, Error> {
        let task = if self.independent { Task::MultiLabel } else { Task::SingleLabel };
        Ok(self.prompt.overrides().apply(Prompt::new(task, LabelSet::new(self.labels.clone())?)?)?)
    }

    pub(crate) fn max_tokens(&self) -> usize {
        self.prompt.max_tokens.unwrap_or(Recipe::default().max_tokens)
    }

    /// The model that is taken as it is.
    fn zero_shot_model(&self, prompt: &Prompt) -> Result<&str, Error> {
        if let Some(model) = &self.model {
            return Ok(model);
        }
        let model = AgileClassifier::zero_shot_model(prompt, self.max_tokens())?;
        if model == hub::DEFAULT_ENCODER {
            note!("note: {} labels don't fit into a prompt: {model} compares the texts with their names", prompt.labels().len());
        }
        Ok(model)
    }

    /// Refuses what does not go with or without `--labels`.
    pub(crate) fn check(&self, folder: Option<&Path>) -> anyhow::Result<()> {
        match (folder, self.asked(), self.prompt.given()) {
            (Some(folder), true, _) => {
                bail!(
                    "--labels asks a model as it is, so no classifier folder goes with it; leave out --labels or `{}`",
                    folder.display()
                )
            }
            (None, false, _) => {
                bail!("there is no classifier; name its folder, or ask a model as it is with --labels A,B (and --model)")
            }
            (Some(_), false, Some(option)) => {
                bail!("{option} goes with --labels only: a classifier asks as it was trained")
            }
            _ => Ok(()),
        }
    }

    /// The classifier in `folder`, or the model as it is; [`check`](Self::check) comes first.
    pub(crate) fn load(&self, folder: Option<&Path>, compute: ComputeOptions) -> Result<AgileClassifier, Error> {
        let mut classifier = match folder {
            Some(folder) => load(folder, self.model.as_deref(), compute)?,
            None => {
                let prompt = self.prompt()?;
                let base = BaseModel::open(self.zero_shot_model(&prompt)?, compute)?;
                AgileClassifier::zero_shot(&base, prompt, self.max_tokens())?
            }
        };
        print_device(compute, classifier.base());
        if let Some(limit) = self.cascade {
            let point = classifier.answer_in_turn(limit)?;
            note!(
                "cascade: the first member answers what it is sure of: {:.0} % of the texts that this was measured on, {:.1} % of all with \
                 another decision than by all members",
                100.0 * point.answered,
                100.0 * point.other_decisions
            );
        }
        Ok(classifier)
    }

    /// Says how many texts the first member answered, where it was to.
    pub(crate) fn tell_cascade(&self, answered: u64, texts: u64) {
        if self.cascade.is_some() {
            note!("note: the first member answered {answered} of {texts} texts");
        }
    }
}

/// A share such as 2% or 0.02.
fn share(text: &str) -> Result<f64, String> {
    parse_share(text).filter(|share| (0.0..1.0).contains(share)).ok_or_else(|| format!("`{text}` is no share such as 2% or 0.02"))
}

/// The classifier in `folder` on its own base model, or on `model`.
pub(crate) fn load(folder: &Path, model: Option<&str>, compute: ComputeOptions) -> Result<AgileClassifier, Error> {
    let record = ClassifierRecord::read(folder)?;
    if record.members_to_come > 0 {
        note!(
            "note: the training of {} was not finished: {} more members are to come (the same command with --resume)",
            folder.display(),
            record.members_to_come
        );
    }
    let base = BaseModel::open(model.unwrap_or(&record.base_model.name), compute)?;
    AgileClassifier::load_on(folder, &base)
}
