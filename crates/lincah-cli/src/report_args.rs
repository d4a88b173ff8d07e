//! What can be typed to `lincah report`.

use crate::data_args::{DataArguments, HoldoutArguments};
use clap::Args;
use lincah::data::dataset::PositiveAt;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  lincah report civility comments.csv --text comment --label label --holdout 96 --out report.html\n  \
lincah report folds --out report.html\n  lincah report grid --out report.html --plots plots\n\n\
A classifier's rows are scored as by `evaluate`, so it needs DATA, --text and --label. A cross-validation's report is of its out-of-fold \
probabilities; with DATA it has the texts too. A sweep's needs no data. The page is one file without scripts that asks the network for \
nothing. Texts stand in it behind a click; --without-texts keeps them out."
)]
pub(crate) struct Report {
    /// Folder of a classifier, a cross-validation or a sweep
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// CSV, TSV, JSONL or Parquet file with labelled texts, or - for standard input
    #[arg(value_name = "DATA", requires_all = ["text", "label"])]
    pub(crate) file: Option<PathBuf>,
    /// Column with the texts
    #[arg(long, value_name = "COLUMN", requires = "file")]
    pub(crate) text: Option<String>,
    /// Column with the labels: strings, 0 and 1, booleans, or numbers with --positive-at
    #[arg(long, value_name = "COLUMN", requires = "file")]
    pub(crate) label: Option<String>,
    /// A numeric label at or above this is the last label: a number, or `median` (of all rows, before any split)
    #[arg(long, value_name = "X|median", requires = "file")]
    pub(crate) positive_at: Option<PositiveAt>,
    /// Delimiter of a CSV file [default: found]
    #[arg(long, value_name = "CHARACTER", requires = "file")]
    pub(crate) delimiter: Option<char>,
    /// The page to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Write each plot as SVG and PNG into this folder, too
    #[arg(long, value_name = "FOLDER")]
    pub(crate) plots: Option<PathBuf>,
    /// Leave the texts out and name rows by their numbers only
    #[arg(long)]
    pub(crate) without_texts: bool,
    /// Set the codelab's published figures beside a sweep
    #[arg(long)]
    pub(crate) codelab_points: bool,
    #[command(flatten)]
    pub(crate) holdout: HoldoutArguments,
    /// Base model, if it is not where it was in training: a name, a folder, or a GGUF file
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
}

impl Report {
    /// The rows, if some are named: here they are optional, elsewhere not, which flattened arguments cannot be.
    pub(crate) fn data(&self) -> Option<DataArguments> {
        Some(DataArguments {
            file: self.file.clone()?,
            text: self.text.clone()?,
            label: Some(self.label.clone()?),
            positive_at: self.positive_at,
            delimiter: self.delimiter,
        })
    }
}
