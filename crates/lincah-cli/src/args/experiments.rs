//! Options of the verbs that train or compare many times, or report on it.

use super::recipe_lists::RecipeLists;
use super::{DataArguments, HoldoutArguments, SplitArguments, Training, TrainingRowsArguments};
use clap::Args;
use lincah::decisions::Prevalences;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  lincah cross-validate samples/comments.csv --text comment --label label --labels civil,uncivil --holdout 96 \
--out folds\n\n\
With --holdout only the training rows are used, so that recipes can be chosen without a look at the others. The same command goes on with \
what is in --out: a fold that is finished there is not run again.",
    mut_arg("file", |file| file.required(true))
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
    /// Print the folds' and the pooled metrics, one JSON object per line
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) training: Training,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  lincah sweep samples/comments.csv --text comment --label label --labels civil,uncivil --holdout 96 \
--validation 0.2 --train-size 100,200 --epochs 2,4,8 --seed 1,2,3 --learning-rate 5e-4,1e-3 --out grid\n\n\
Every option of --model, --init, --split-seed, --train-size and the recipe takes a list, by commas or by giving it again (--targets, --layers, \
--instruction and --separator: by giving it again only); every combination is run. Where the learning rate is constant and without \
warm-up, one training serves all its --epochs. --validation F scores on that share of the training rows (drawn by --split-seed, the same \
for all runs) and leaves the holdout alone; without it the holdout is scored. No setting is chosen for you: a setting picked on the \
holdout looks better than it is.\n\
The same command, or one with longer lists, goes on with what is in --out: a finished run is not run again.",
    mut_arg("file", |file| file.required(true))
)]
pub(crate) struct Sweep {
    #[command(flatten)]
    pub(crate) data: DataArguments,
    /// Labels, in the order of the prompt; the last is the positive class [default: the label column's values, sorted]
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub(crate) labels: Vec<String>,
    /// Which of two labels is the positive class of the metrics [default: the last]
    #[arg(long, value_name = "LABEL")]
    pub(crate) positive: Option<String>,
    /// Folder of results.jsonl and results.csv
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Base models: names from `lincah models`, Hugging Face folders, or GGUF files; with + between them, models that work together, as
    /// smollm2-135m+minilm
    #[arg(long, value_delimiter = ',', value_name = "MODELS", default_value = lincah::hub::DEFAULT_MODEL)]
    model: Vec<String>,
    /// Classifiers whose adapters the trainings start from, as in `train`; the word `none` stands for a fresh one
    #[arg(long, value_delimiter = ',', value_name = "DIRS")]
    init: Vec<String>,
    #[command(flatten)]
    pub(crate) split: SplitArguments,
    /// Which rows: the last N of NumPy's RandomState(SEED).permutation
    #[arg(long, value_delimiter = ',', value_name = "SEEDS", default_value = "32")]
    pub(crate) split_seed: Vec<u32>,
    /// Train on the first N of the training rows only
    #[arg(long, value_delimiter = ',', value_name = "N,N")]
    pub(crate) train_size: Vec<usize>,
    /// Trainings at once, all on one copy of the base model's weights
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=64))]
    pub(crate) jobs: usize,
    /// Print the runs' results, one JSON object per line
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) recipes: RecipeLists,
}

impl Sweep {
    /// The models of each run.
    pub(crate) fn models(&self) -> Vec<Vec<String>> {
        let together = |names: &String| match Path::new(names).exists() {
            true => vec![names.clone()],
            false => names.split('+').map(str::to_owned).collect(),
        };
        self.model.iter().map(together).collect()
    }

    /// What each run starts from.
    pub(crate) fn starts(&self) -> Vec<Option<PathBuf>> {
        self.init.iter().map(|folder| (folder != "none").then(|| PathBuf::from(folder))).collect()
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  lincah compare civility civility-2 samples/comments.csv --text comment --label label --holdout 96\n\n\
Without --label, the labels of multi-label classifiers are columns named as in training.",
    mut_arg("file", |file| file.required(true))
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
    pub(crate) holdout: HoldoutArguments,
    #[command(flatten)]
    pub(crate) training_rows: TrainingRowsArguments,
    /// DATA has no labels: say which decisions the second classifier changes
    #[arg(long, conflicts_with_all = ["label", "multi_label", "holdout", "holdout_after", "include_training_rows"])]
    pub(crate) unlabelled: bool,
    /// Print the texts of the rows whose decision flips, too
    #[arg(long)]
    pub(crate) show_texts: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  lincah report civility samples/comments.csv --text comment --label label --holdout 96 --out report.html\n  \
lincah report folds --out report.html\n  lincah report grid --out report.html --plots plots\n\n\
A classifier's rows are scored as by `evaluate`, so it needs DATA, --text and the labels. A cross-validation's report is of its \
out-of-fold probabilities; with DATA it has the texts too. A sweep's needs no data. The page is one file without scripts that asks the \
network for nothing. Texts stand in it behind a click; --without-texts keeps them out.",
    mut_arg("file", |file| file.requires("text")),
    mut_arg("text", |text| text.requires("file"))
)]
pub(crate) struct Report {
    /// Folder of a classifier, a cross-validation or a sweep
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    pub(crate) data: DataArguments,
    /// The page to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Write each plot as SVG and PNG into this folder, too
    #[arg(long, value_name = "FOLDER")]
    pub(crate) plots: Option<PathBuf>,
    /// Leave the texts out and name rows by their numbers only
    #[arg(long)]
    pub(crate) without_texts: bool,
    /// What `lincah audit --json` printed about the classifier, for a section of its own
    #[arg(long, value_name = "FILE")]
    pub(crate) audit: Option<PathBuf>,
    /// Say of each row shown which of its words did it, which takes some hundred scores a row
    #[arg(long, conflicts_with = "without_texts")]
    pub(crate) explain: bool,
    /// Set the codelab's published figures beside a sweep
    #[arg(long)]
    pub(crate) codelab_points: bool,
    /// Print one JSON object that names what was written
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) holdout: HoldoutArguments,
    #[command(flatten)]
    pub(crate) training_rows: TrainingRowsArguments,
    /// How frequent a label is in your traffic, as 0.01 or 1%, for one label LABEL=0.01
    #[arg(long, value_name = "SHARE")]
    pub(crate) prevalence: Option<Prevalences>,
    /// Base model, if it is not where it was in training: a name, a folder, or a GGUF file
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
}
