//! What can be typed to the verbs that train or compare many times.

use crate::data_args::{DataArguments, HoldoutArguments};
use crate::multi_label_args::MultiLabelColumns;
use crate::recipe_lists::RecipeLists;
use crate::training_args::TrainingArguments;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  lincah cross-validate comments.csv --text comment --label label --labels civil,uncivil --holdout 96 --out folds\n\n\
With --holdout only the training rows are used, so that recipes can be chosen without a look at the others. The same command goes on with \
what is in --out: a fold that is finished there is not run again.",
    mut_arg("label", |label| label.required(false).required_unless_present("multi_label"))
)]
pub(crate) struct CrossValidate {
    /// Folder of predictions.jsonl and results.jsonl
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Folds; each is scored once, by a classifier trained on the others
    #[arg(long, value_name = "K", default_value_t = 10)]
    pub(crate) folds: usize,
    /// Which rows: those of scikit-learn's StratifiedKFold(K, shuffle=True, random_state=SEED); with several labels, those of
    /// iterative stratification, ties drawn by NumPy's RandomState(SEED)
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub(crate) fold_seed: u32,
    #[command(flatten)]
    pub(crate) training: TrainingArguments,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  lincah sweep comments.csv --text comment --label label --labels civil,uncivil --holdout 96 --validation 0.2 \
--train-size 100,200 --epochs 2,4,8 --seed 1,2,3 --learning-rate 5e-4,1e-3 --out grid\n\n\
Every option of --model, --split-seed, --train-size and the recipe takes a list, by commas or by giving it again (--targets, --layers, \
--instruction and --separator: by giving it again only); every combination is run. Where the learning rate is constant and without \
warm-up, one training serves all its --epochs. --validation F scores on that share of the training rows (drawn by --split-seed, the same \
for all runs) and leaves the holdout alone; without it the holdout is scored. No setting is chosen for you: a setting picked on the \
holdout looks better than it is.\n\
The same command, or one with longer lists, goes on with what is in --out: a finished run is not run again."
)]
pub(crate) struct Sweep {
    #[command(flatten)]
    pub(crate) data: DataArguments,
    /// Labels, in the order of the prompt; the last is the positive class [default: the label column's values, sorted]
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub(crate) labels: Vec<String>,
    /// Folder of results.jsonl and results.csv
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Base models: names from `lincah models`, Hugging Face folders, or GGUF files
    #[arg(long, value_delimiter = ',', value_name = "MODELS", default_value = lincah::hub::DEFAULT_MODEL)]
    pub(crate) model: Vec<String>,
    /// Keep N rows from all trainings
    #[arg(long, value_name = "N")]
    pub(crate) holdout: Option<usize>,
    /// Which rows: the last N of NumPy's RandomState(SEED).permutation
    #[arg(long, value_delimiter = ',', value_name = "SEEDS", default_value = "32")]
    pub(crate) split_seed: Vec<u32>,
    /// Train on the first N of the training rows only
    #[arg(long, value_delimiter = ',', value_name = "N,N")]
    pub(crate) train_size: Vec<usize>,
    /// Trainings at once; each holds its own copy of the base model's weights
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=64))]
    pub(crate) jobs: usize,
    #[command(flatten)]
    pub(crate) recipes: RecipeLists,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  lincah compare civility civility-2 comments.csv --text comment --label label --holdout 96\n\n\
Without --label, the labels of multi-label classifiers are columns named as in training.",
    mut_arg("label", |label| label.required(false))
)]
pub(crate) struct Compare {
    /// Folder of the first classifier
    #[arg(value_name = "A")]
    pub(crate) first: PathBuf,
    /// Folder of the second classifier, with the same labels
    #[arg(value_name = "B")]
    pub(crate) second: PathBuf,
    #[command(flatten)]
    pub(crate) data: DataArguments,
    #[command(flatten)]
    pub(crate) columns: MultiLabelColumns,
    #[command(flatten)]
    pub(crate) holdout: HoldoutArguments,
    /// Print the texts of the rows whose decision flips, too
    #[arg(long)]
    pub(crate) show_texts: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}
