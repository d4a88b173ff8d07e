//! What can be typed to the verbs that train one recipe on labelled texts.

use crate::data_args::{DataArguments, HoldoutArguments};
use crate::multi_label_args::{LabelDescriptions, MultiLabelColumns};
use crate::recipe_args::RecipeArguments;
use clap::Args;

/// On what is trained, and how.
#[derive(Debug, Args)]
pub(crate) struct TrainingArguments {
    #[command(flatten)]
    pub(crate) data: DataArguments,
    #[command(flatten)]
    pub(crate) columns: MultiLabelColumns,
    #[command(flatten)]
    pub(crate) descriptions: LabelDescriptions,
    /// Labels, in the order of the prompt; the last is the positive class [default: the label column's values, sorted]
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub(crate) labels: Vec<String>,
    /// Base model: a name from `lincah models`, a Hugging Face folder, or a GGUF file
    #[arg(long, value_name = "MODEL", default_value = lincah::hub::DEFAULT_MODEL)]
    pub(crate) model: String,
    #[command(flatten)]
    pub(crate) holdout: HoldoutArguments,
    /// Use the first N of the training rows only
    #[arg(long, value_name = "N")]
    pub(crate) train_size: Option<usize>,
    #[command(flatten)]
    pub(crate) recipe: RecipeArguments,
}
