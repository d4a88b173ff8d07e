//! Who classifies: a folder that `train` wrote, or a model as it is, asked with `--labels`.

use crate::printer::print_device;
use crate::prompt_args::PromptArguments;
use anyhow::bail;
use clap::Args;
use lincah::{AgileClassifier, BaseModel, Compute, Error, LabelSet, Prediction, Recipe, ZeroShotClassifier, hub};
use std::path::Path;

#[derive(Debug, Args)]
pub(crate) struct ZeroShotArguments {
    /// Base model, a name, a folder, or a GGUF file [default: the classifier's own; with --labels smollm2-135m]
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// Ask the model as it is, without any training, which of these labels fits, in place of DIR; the last is the positive class
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub(crate) labels: Vec<String>,
    #[command(flatten, next_help_heading = "Prompt, with --labels")]
    prompt: PromptArguments,
}

/// What a command asks.
pub(crate) enum Classifier {
    Trained(Box<AgileClassifier>),
    ZeroShot(Box<ZeroShotClassifier>),
}

impl ZeroShotArguments {
    /// Whether the model is asked without any training.
    pub(crate) fn asked(&self) -> bool {
        !self.labels.is_empty()
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
    pub(crate) fn load(&self, folder: Option<&Path>, compute: Compute) -> Result<Classifier, Error> {
        let classifier = match folder {
            Some(folder) => Classifier::Trained(Box::new(AgileClassifier::load(folder, self.model.as_deref(), compute)?)),
            None => {
                let prompt = self.prompt.prompt(LabelSet::new(self.labels.clone())?)?;
                let base = BaseModel::open(self.model.as_deref().unwrap_or(hub::DEFAULT_MODEL), compute)?;
                let max_tokens = self.prompt.max_tokens().unwrap_or(Recipe::default().max_tokens);
                Classifier::ZeroShot(Box::new(ZeroShotClassifier::new(base, prompt, max_tokens)?))
            }
        };
        print_device(compute, classifier.base());
        Ok(classifier)
    }
}

impl Classifier {
    pub(crate) fn labels(&self) -> &[String] {
        match self {
            Self::Trained(classifier) => classifier.labels(),
            Self::ZeroShot(classifier) => classifier.labels(),
        }
    }

    fn base(&self) -> &BaseModel {
        match self {
            Self::Trained(classifier) => classifier.base(),
            Self::ZeroShot(classifier) => classifier.base(),
        }
    }

    /// Longest prompt.
    pub(crate) fn max_tokens(&self) -> usize {
        match self {
            Self::Trained(classifier) => classifier.record().recipe.max_tokens,
            Self::ZeroShot(classifier) => classifier.max_tokens(),
        }
    }

    pub(crate) fn predict(&self, texts: &[String]) -> Result<Vec<Prediction>, Error> {
        match self {
            Self::Trained(classifier) => classifier.predict(texts),
            Self::ZeroShot(classifier) => classifier.predict(texts),
        }
    }
}
