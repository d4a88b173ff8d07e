//! Options that name data: file, columns, cut, holdout.

use clap::Args;
use lincah::Error;
use lincah::data::DataError;
use lincah::data::dataset::{LabelledDataset, LabelledDatasetOptions, PositiveAt};
use lincah::data::records::ReadOptions;
use lincah::data::split::{Split, holdout};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(crate) struct DataArguments {
    /// CSV, TSV, JSONL or Parquet file with labelled texts, or - for standard input
    #[arg(value_name = "DATA")]
    pub(crate) file: PathBuf,
    /// Column with the texts
    #[arg(long, value_name = "COLUMN")]
    pub(crate) text: String,
    /// Column with the labels: strings, 0 and 1, booleans, or numbers with --positive-at
    #[arg(long, value_name = "COLUMN", required = true)]
    pub(crate) label: Option<String>,
    /// A numeric label at or above this is the last label: a number, or `median` (of all rows, before any split)
    #[arg(long, value_name = "X|median")]
    pub(crate) positive_at: Option<PositiveAt>,
    /// Delimiter of a CSV file [default: found]
    #[arg(long, value_name = "CHARACTER")]
    pub(crate) delimiter: Option<char>,
}

impl DataArguments {
    /// Reads the rows; `labels` may be empty where the label column holds strings.
    pub(crate) fn read(&self, labels: &[String], positive_at: Option<PositiveAt>) -> Result<LabelledDataset, DataError> {
        let options = LabelledDatasetOptions {
            text_column: self.text.clone(),
            label_column: self.label.clone().ok_or(DataError::NoLabelColumn)?,
            labels: labels.to_vec(),
            positive_at,
        };
        if self.file == Path::new("-") {
            LabelledDataset::read_stdin(&self.read_options(), &options)
        } else {
            LabelledDataset::read(&self.file, &self.read_options(), &options)
        }
    }

    pub(crate) fn read_options(&self) -> ReadOptions {
        ReadOptions { delimiter: self.delimiter, ..ReadOptions::default() }
    }
}

#[derive(Debug, Args)]
pub(crate) struct HoldoutArguments {
    /// Keep N rows from the training; `train` uses the others, `evaluate` these
    #[arg(long, value_name = "N")]
    pub(crate) holdout: Option<usize>,
    /// Which rows: the last N of NumPy's RandomState(SEED).permutation, the order of pandas' sample(frac=1, random_state=SEED)
    #[arg(long, value_name = "SEED", default_value_t = 32)]
    pub(crate) split_seed: u32,
}

impl HoldoutArguments {
    /// Rows to train on, the first `train_size` of them, and the holdout's, none if none are held out.
    pub(crate) fn sides(&self, rows: usize, train_size: Option<usize>) -> Result<(Vec<usize>, Option<Vec<usize>>), Error> {
        Ok(match self.split(rows, train_size)? {
            Some(split) => (split.train, Some(split.test)),
            None => ((0..train_size.unwrap_or(rows).min(rows)).collect(), None),
        })
    }

    /// Training rows (the first `train_size` of them) and holdout rows, if some are held out.
    pub(crate) fn split(&self, rows: usize, train_size: Option<usize>) -> Result<Option<Split>, Error> {
        self.holdout.map(|kept| Ok(holdout(rows, kept, self.split_seed, train_size)?)).transpose()
    }
}
