//! Options of labels that may hold together.

use crate::data_args::DataArguments;
use anyhow::bail;
use clap::Args;
use lincah::data::dataset::PositiveAt;
use lincah::data::multi_label::{LabelColumns, MultiLabelDataset, MultiLabelOptions};
use std::path::Path;

/// From which fraction on a row has a label, unless --positive-at says otherwise.
const CUT: f64 = 0.5;

#[derive(Debug, Args)]
pub(crate) struct MultiLabelColumns {
    /// Columns of labels that may hold together, in place of --label: 0 and 1, booleans, or fractions that hold from --positive-at on
    /// (0.5 if not given)
    #[arg(long, value_delimiter = ',', value_name = "A,B", conflicts_with = "label")]
    pub(crate) multi_label: Vec<String>,
    /// The --label column holds lists of labels that may hold together, with this between them
    #[arg(long, value_name = "CHARACTER", conflicts_with = "multi_label")]
    pub(crate) label_separator: Option<char>,
}

impl MultiLabelColumns {
    /// Refuses the options, for a classifier of one answer.
    pub(crate) fn refuse(&self) -> anyhow::Result<()> {
        if !self.multi_label.is_empty() || self.label_separator.is_some() {
            bail!("this classifier gives a text one of its labels: --multi-label and --label-separator do not go with it");
        }
        Ok(())
    }

    /// The rows, if their labels may hold together. `labels` may be empty.
    pub(crate) fn read(&self, data: &DataArguments, labels: &[String]) -> anyhow::Result<Option<MultiLabelDataset>> {
        let columns = match self.label_separator {
            Some(separator) => self.lists(data, separator, labels)?,
            None if self.multi_label.is_empty() => return Ok(None),
            None if !labels.is_empty() => bail!("--multi-label names the labels itself: leave --labels out"),
            None => LabelColumns::Each(self.multi_label.clone()),
        };
        Ok(Some(read(data, columns, CUT)?))
    }

    /// The rows of a classifier with these labels and this cut: of columns with other names in the labels' order, of lists, or of columns
    /// named as the labels.
    pub(crate) fn read_for(&self, data: &DataArguments, labels: &[String], cut: f64) -> anyhow::Result<MultiLabelDataset> {
        let columns = match (self.label_separator, &data.label) {
            (Some(separator), _) => self.lists(data, separator, labels)?,
            (None, Some(column)) => {
                bail!("the classifier has several labels: `{column}` holds lists if --label-separator is given")
            }
            (None, None) if self.multi_label.is_empty() => LabelColumns::Each(labels.to_vec()),
            (None, None) if self.multi_label.len() != labels.len() => bail!(
                "--multi-label names {} columns, and the classifier has {} labels: {}",
                self.multi_label.len(),
                labels.len(),
                labels.join(", ")
            ),
            (None, None) => LabelColumns::Each(self.multi_label.clone()),
        };
        let read = read(data, columns, cut)?;
        Ok(MultiLabelDataset { label_names: labels.to_vec(), ..read })
    }

    fn lists(&self, data: &DataArguments, separator: char, labels: &[String]) -> anyhow::Result<LabelColumns> {
        let Some(column) = data.label.clone() else { bail!("--label-separator needs --label, the column of lists") };
        Ok(LabelColumns::List { column, separator, labels: labels.to_vec() })
    }
}

fn read(data: &DataArguments, labels: LabelColumns, cut: f64) -> anyhow::Result<MultiLabelDataset> {
    let cut = match data.positive_at {
        None => cut,
        Some(PositiveAt::Value(value)) => value,
        Some(PositiveAt::Median) => bail!("labels that may hold together are cut at one number: give --positive-at a number"),
    };
    let options = MultiLabelOptions { text_column: data.text.clone(), labels, cut };
    let read = data.read_options();
    Ok(match data.file == Path::new("-") {
        true => MultiLabelDataset::read_stdin(&read, &options)?,
        false => MultiLabelDataset::read(&data.file, &read, &options)?,
    })
}

#[derive(Debug, Args)]
pub(crate) struct LabelDescriptions {
    /// With several labels: what one means, for the prompt; may be given once a label
    #[arg(long, value_name = "LABEL=TEXT", value_parser = description)]
    label_description: Vec<(String, String)>,
}

impl LabelDescriptions {
    pub(crate) fn all(&self) -> &[(String, String)] {
        &self.label_description
    }

    /// Refuses descriptions where labels do not hold together.
    pub(crate) fn refuse(&self) -> anyhow::Result<()> {
        if !self.label_description.is_empty() {
            bail!("--label-description goes with --multi-label or --label-separator");
        }
        Ok(())
    }
}

fn description(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((label, description)) if !label.is_empty() && !description.trim().is_empty() => {
            Ok((label.to_owned(), description.to_owned()))
        }
        _ => Err(String::from("give LABEL=TEXT, for example rude=\"it insults somebody\"")),
    }
}
