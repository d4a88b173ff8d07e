//! Options of `lincah check`.

use super::{DataArguments, HoldoutArguments};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  lincah check samples/comments.csv --text comment --label label --holdout 96\n  \
lincah check samples/comments.csv --text comment --label label --from folds --label-errors suspects.csv\n\n\
Labels that may be wrong are found by the scores of classifiers that have not seen the row: TF-IDF with logistic regression over five folds, \
or those of a cross-validation with --from. Rows are named by their numbers in the file; no text is printed.",
    mut_arg("file", |file| file.required(true))
)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) data: DataArguments,
    /// Labels, in the order of the prompt; the last is the positive class [default: the label column's values, sorted]
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub(crate) labels: Vec<String>,
    /// Which of two labels is the positive class [default: the last]
    #[arg(long, value_name = "LABEL")]
    pub(crate) positive: Option<String>,
    #[command(flatten)]
    pub(crate) holdout: HoldoutArguments,
    /// Folder of a cross-validation of these rows, whose scores find the labels that may be wrong
    #[arg(long, value_name = "DIR")]
    pub(crate) from: Option<PathBuf>,
    /// Write the rows whose label may be wrong, as CSV or by the name's ending
    #[arg(long, value_name = "FILE")]
    pub(crate) label_errors: Option<PathBuf>,
    /// Leave out the search for labels that may be wrong, which with many labels takes minutes
    #[arg(long, conflicts_with_all = ["from", "label_errors"])]
    pub(crate) without_label_errors: bool,
    /// Base model whose tokens are counted [default: smollm2-135m, if it is in the cache]
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// Longest prompt in tokens that a training would read
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub(crate) max_tokens: usize,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}
