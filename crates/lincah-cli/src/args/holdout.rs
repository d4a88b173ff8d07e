//! Options that keep rows from a training, and rows together.

use crate::machine::quoted;
use anyhow::bail;
use clap::Args;
use lincah::data::dataset::HeldOut;
use lincah::data::moment::Moment;
use lincah::data::split::Sides;
use lincah::{Dataset, Error};

/// Which rows are kept from the training.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SplitArguments {
    /// Keep N rows from the training; `train` uses the others, `evaluate` these
    #[arg(long, value_name = "N")]
    pub(crate) holdout: Option<usize>,
    /// Keep the rows later than DATE from the training, in place of --holdout; needs --time
    #[arg(long, value_name = "DATE", conflicts_with = "holdout", requires = "time")]
    holdout_after: Option<Moment>,
    /// Column with the rows' dates or times
    #[arg(long, value_name = "COLUMN", requires = "holdout_after")]
    time: Option<String>,
    /// Column of what belongs together, such as an author or a thread: holdout, validation and folds take it whole
    #[arg(long, value_name = "COLUMN")]
    pub(crate) group: Option<String>,
}

impl SplitArguments {
    /// The rows to keep, if any.
    pub(crate) fn held_out(&self) -> Option<HeldOut> {
        match (self.holdout, self.holdout_after, &self.time) {
            (Some(rows), _, _) => Some(HeldOut::Rows(rows)),
            (None, Some(moment), Some(column)) => Some(HeldOut::After { moment, column: column.clone() }),
            _ => None,
        }
    }

    /// The same where --group says something else.
    pub(crate) fn ungrouped(&self) -> Self {
        Self { group: None, ..self.clone() }
    }

    /// Columns that it needs beside texts and labels.
    pub(super) fn columns(&self) -> Vec<String> {
        self.time.iter().cloned().collect()
    }
}

#[derive(Debug, Args)]
pub(crate) struct HoldoutArguments {
    #[command(flatten)]
    pub(crate) split: SplitArguments,
    /// Which rows: the last N of NumPy's RandomState(SEED).permutation, the order of pandas' sample(frac=1, random_state=SEED)
    #[arg(long, value_name = "SEED", default_value_t = 32)]
    pub(crate) split_seed: u32,
}

/// Rows to train on, and the holdout's, if there is one.
pub(crate) struct DataSides {
    pub(crate) train: Dataset,
    pub(crate) holdout: Option<Dataset>,
}

impl HoldoutArguments {
    /// Whether rows are kept from the training.
    pub(crate) fn is_given(&self) -> bool {
        self.split.held_out().is_some()
    }

    /// The options that hold the same rows out again; nothing where none are.
    pub(crate) fn again(&self) -> String {
        let SplitArguments { holdout, holdout_after, time, group } = &self.split;
        let mut again = match (holdout, holdout_after, time) {
            (Some(rows), _, _) => format!(" --holdout {rows} --split-seed {}", self.split_seed),
            (None, Some(moment), Some(column)) => format!(" --holdout-after {moment} --time {}", quoted(column)),
            _ => return String::new(),
        };
        if let Some(group) = group {
            again += &format!(" --group {}", quoted(group));
        }
        again
    }

    /// Rows to train on, the first `train_size` of them, and those held out.
    pub(crate) fn divide(&self, data: &Dataset, train_size: Option<usize>) -> Result<DataSides, Error> {
        let Sides { train, test } = data.sides(self.split.held_out().as_ref(), self.split_seed, train_size)?;
        Ok(DataSides { train: data.subset(&train), holdout: test.map(|rows| data.subset(&rows)) })
    }

    /// The rows to score, and the others: the holdout if there is one, else all.
    pub(crate) fn to_score(&self, data: Dataset) -> anyhow::Result<(Dataset, Option<Dataset>)> {
        match &self.split.group {
            Some(group) if !self.is_given() => {
                bail!("--group {group} keeps a holdout apart, and no rows are held out: give --holdout N, or leave it out")
            }
            _ => self.to_score_ungrouped(data),
        }
    }

    /// The same where --group says something else.
    pub(crate) fn to_score_ungrouped(&self, data: Dataset) -> anyhow::Result<(Dataset, Option<Dataset>)> {
        if !self.is_given() {
            return Ok((data, None));
        }
        let DataSides { train, holdout } = self.divide(&data, None)?;
        Ok((holdout.unwrap_or(data), Some(train)))
    }
}

/// Whether rows that a classifier was trained on may judge it.
#[derive(Debug, Args)]
pub(crate) struct TrainingRowsArguments {
    /// Score the rows that were trained on, too
    #[arg(long)]
    pub(crate) include_training_rows: bool,
}
