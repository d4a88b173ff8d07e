//! What can be typed.

mod audit;
mod check;
mod data;
mod decisions;
mod experiments;
mod holdout;
mod prompt;
mod recipe;
mod recipe_lists;
mod serve;
mod studio;
mod verbs;
mod who;

use crate::print::{Color, PrintOptions};
use anyhow::bail;
use clap::{Parser, Subcommand};
use lincah::{ComputeOptions, Device, Devices, Precision};

pub(crate) use audit::Audit;
pub(crate) use check::Check;
pub(crate) use data::DataArguments;
pub(crate) use decisions::{DecisionArguments, TrainingDecisions};
pub(crate) use experiments::{Compare, CrossValidate, Report, Sweep};
pub(crate) use holdout::{HoldoutArguments, SplitArguments, TrainingRowsArguments};
pub(crate) use recipe::RecipeArguments;
pub(crate) use serve::{RequestLog, Serve};
pub(crate) use studio::Studio;
pub(crate) use verbs::{
    Calibrate, Completions, Evaluate, Export, Generate, Import, Man, Models, Predict, PredictionFormat, PromptPreview, Pull,
    PullSource, Quickstart, Train, Training, Verify,
};
pub(crate) use who::{ClassifierArguments, load};

/// Agile text classifiers: a small language model, tuned with LoRA on a few hundred labelled texts, on this machine.
#[derive(Debug, Parser)]
#[command(name = "lincah", version, max_term_width = 110)]
pub(crate) struct Arguments {
    /// Threads to compute with [default: all cores]
    #[arg(long, global = true, display_order = 1000, value_name = "N", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1024), help_heading = GLOBAL)]
    pub(crate) threads: Option<usize>,
    /// Where to compute: cpu, cuda, cuda:N or auto. Several, as cuda:0,cuda:1 or cuda:all, share the work of sweep, cross-validate, predict and of
    /// a committee's members in train
    #[arg(long, global = true, display_order = 1001, value_name = "ID", default_value_t = Devices::from(Device::Auto), help_heading = GLOBAL)]
    device: Devices,
    /// Precision of weights and products: f32, bf16 (GPUs), int8 (processors, to score) [default: bf16 on a GPU, else f32]
    #[arg(long, global = true, display_order = 1002, value_name = "KIND", help_heading = GLOBAL)]
    precision: Option<Precision>,
    /// In training, compute a layer's inside again rather than keep it: less memory, a third more time, the same results
    #[arg(long, global = true, display_order = 1003, help_heading = GLOBAL)]
    recompute: bool,
    /// Print results and errors only, no progress and no advice
    #[arg(long, global = true, display_order = 1004, help_heading = GLOBAL)]
    quiet: bool,
    /// Colours: auto (on a terminal, unless NO_COLOR is set), always or never
    #[arg(long, global = true, display_order = 1005, value_name = "WHEN", value_enum, default_value_t = Color::Auto, help_heading = GLOBAL)]
    color: Color,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const GLOBAL: &str = "For every verb";

impl Arguments {
    pub(crate) fn compute(&self) -> Compute {
        let on = |device: Device| ComputeOptions { device, precision: self.precision, recompute: self.recompute, profile: false };
        Compute { first: on(self.device.first), others: self.device.others.iter().copied().map(on).collect() }
    }

    pub(crate) fn print_options(&self) -> PrintOptions {
        PrintOptions { quiet: self.quiet, color: self.color }
    }
}

/// Where and how to compute.
#[derive(Debug, Clone)]
pub(crate) struct Compute {
    pub(crate) first: ComputeOptions,
    pub(crate) others: Vec<ComputeOptions>,
}

impl Compute {
    /// The only device, for a verb that has nothing to share.
    pub(crate) fn only(&self) -> anyhow::Result<ComputeOptions> {
        if !self.others.is_empty() {
            bail!("this verb computes on one device; several share the work of sweep, cross-validate, predict and train");
        }
        Ok(self.first)
    }

    pub(crate) fn all(&self) -> Vec<ComputeOptions> {
        std::iter::once(self.first).chain(self.others.iter().copied()).collect()
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
    /// Show the exact prompt that a text becomes, and its tokens
    Prompt(PromptPreview),
    /// Look for what may fool a classifier: shortcuts, leaks, near-duplicates, wrong labels, broken characters
    Check(Box<Check>),
    /// Train a classifier from labelled texts
    Train(Box<Train>),
    /// Compare a classifier with labelled texts
    #[command(visible_alias = "eval")]
    Evaluate(Box<Evaluate>),
    /// Calibrate a classifier and choose its thresholds on rows that it was not trained on
    Calibrate(Box<Calibrate>),
    /// Look where a classifier fails: by functionality, group, identity term and slice, and on obfuscated texts
    Audit(Box<Audit>),
    /// Check that a classifier is the one that was saved, and scores as it did
    Verify(Verify),
    /// Classify texts
    Predict(Box<Predict>),
    /// Let a model go on from a text, token by token
    Generate(Generate),
    /// Train and score on stratified folds, so that every row is scored by a classifier that has not seen it
    CrossValidate(Box<CrossValidate>),
    /// Train with every combination of the given settings
    Sweep(Box<Sweep>),
    /// Test whether one classifier is really better than another
    Compare(Box<Compare>),
    /// Write a page about a classifier, a cross-validation or a sweep: metrics, curves, thresholds, errors
    Report(Box<Report>),
    /// Write a classifier in the files of PEFT, transformers, llama.cpp or mlx-lm
    Export(Export),
    /// Make a classifier of a PEFT adapter
    Import(Box<Import>),
    /// Answer over HTTP, in the shapes of Perspective, OpenAI, vLLM, text-embeddings-inference, Hugging Face and Label Studio
    Serve(Box<Serve>),
    /// Label texts on a page while a classifier learns
    Studio(Studio),
    /// Print a script that completes the command's options in a shell
    Completions(Completions),
    /// Write the manual pages
    Man(Man),
}
