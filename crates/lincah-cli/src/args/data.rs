//! Options that name data: file, columns, labels, holdout.

use super::holdout::SplitArguments;
use crate::machine::quoted;
use anyhow::bail;
use clap::Args;
use lincah::data::dataset::PositiveAt;
use lincah::data::journal::Journal;
use lincah::data::label_map::{LabelMap, LabelRename};
use lincah::data::records::ReadOptions;
use lincah::data::text_columns::TextColumns;
use lincah::{ClassifierRecord, Dataset, DatasetOptions, LabelColumns, LabelSet, Task};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(crate) struct DataArguments {
    /// Labelled texts as CSV, TSV, JSONL (each also as .gz) or Parquet, or - for standard input; or a journal, which needs no columns
    #[arg(value_name = "DATA")]
    pub(crate) file: Option<PathBuf>,
    /// Column with the texts; several, as title,body, are joined by a line break
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    pub(crate) text: Vec<String>,
    /// Column with the labels: strings, 0 and 1, booleans, or numbers with --positive-at
    #[arg(long, value_name = "COLUMN")]
    pub(crate) label: Option<String>,
    /// Columns of labels that may hold together, in place of --label: 0 and 1, booleans, or fractions that hold from --positive-at on
    /// (0.5 if not given)
    #[arg(long, value_delimiter = ',', value_name = "A,B", conflicts_with = "label")]
    pub(crate) multi_label: Vec<String>,
    /// The --label column holds lists of labels that may hold together, with this between them
    #[arg(long, value_name = "CHARACTER", conflicts_with = "multi_label")]
    pub(crate) label_separator: Option<char>,
    /// A numeric label at or above this is the last label: a number, or `median` (of all rows, before any split)
    #[arg(long, value_name = "X|median")]
    pub(crate) positive_at: Option<PositiveAt>,
    /// Other names of labels in the data, and the labels that they stand for
    #[arg(long, value_delimiter = ',', value_name = "NAME=LABEL", value_parser = rename)]
    label_map: Vec<LabelRename>,
    /// Refuse rows without text or label, rather than leave them out
    #[arg(long)]
    strict: bool,
    /// Delimiter of a CSV file [default: found]
    #[arg(long, value_name = "CHARACTER")]
    pub(crate) delimiter: Option<char>,
}

fn rename(text: &str) -> Result<LabelRename, String> {
    match text.split_once('=') {
        Some((from, to)) if !from.is_empty() && !to.is_empty() => Ok(LabelRename { from: from.to_owned(), to: to.to_owned() }),
        _ => Err(String::from("give NAME=LABEL, for example hateful=Negative")),
    }
}

impl DataArguments {
    /// The file; every verb but `report` requires it.
    pub(crate) fn path(&self) -> &Path {
        self.file.as_deref().unwrap_or(Path::new("-"))
    }

    /// The columns and labels, and the columns that a split needs; `labels` may be empty where the data name them.
    pub(crate) fn options(
        &self,
        labels: &[String],
        positive: Option<&str>,
        split: &SplitArguments,
    ) -> anyhow::Result<DatasetOptions> {
        if self.text.is_empty() {
            bail!("no texts are named: give --text COLUMN, which only a journal does without");
        }
        let labels = labels.to_vec();
        let columns = match (&self.label, self.label_separator, self.multi_label.as_slice()) {
            (Some(column), Some(separator), _) => LabelColumns::List { column: column.clone(), separator, labels },
            (None, Some(_), _) => bail!("--label-separator needs --label, the column of lists"),
            (Some(column), None, _) => LabelColumns::One { column: column.clone(), labels },
            (None, None, columns) if !columns.is_empty() && !labels.is_empty() => {
                bail!("--multi-label names the labels itself: leave --labels out")
            }
            (None, None, columns) => LabelColumns::Each(columns.to_vec()),
        };
        Ok(DatasetOptions {
            text_columns: TextColumns::new(self.text.clone()),
            labels: columns,
            positive_at: self.positive_at,
            known_threshold: None,
            positive: positive.map(str::to_owned),
            label_map: LabelMap::new(self.label_map.clone())?,
            strict: self.strict,
            keep_columns: split.columns(),
            group: split.group.clone(),
        })
    }

    /// Reads the rows; `labels` may be empty where the label column holds strings.
    pub(crate) fn read(&self, labels: &[String], positive: Option<&str>, split: &SplitArguments) -> anyhow::Result<Dataset> {
        self.read_keeping(labels, positive, split, Vec::new())
    }

    /// The same with further columns kept beside the rows.
    pub(crate) fn read_keeping(
        &self,
        labels: &[String],
        positive: Option<&str>,
        split: &SplitArguments,
        mut further: Vec<String>,
    ) -> anyhow::Result<Dataset> {
        if let Some(journal) = self.journal(split)? {
            let (task, labels) = match self.multi_label.as_slice() {
                [] => (journal.task()?, labels),
                labels => (Task::MultiLabel, labels),
            };
            let data = journal.dataset(task, labels)?;
            return Ok(match positive {
                Some(positive) => data.with_positive(positive)?,
                None => data,
            });
        }
        if self.label.is_none() && self.multi_label.is_empty() {
            bail!("no labels are named: give --label COLUMN, or --multi-label A,B for labels that may hold together");
        }
        let mut options = self.options(labels, positive, split)?;
        further.retain(|column| !options.keep_columns.contains(column));
        options.keep_columns.extend(further);
        let data = Dataset::read(self.path(), &self.read_options(), &options)?;
        crate::print::skipped(&data);
        if labels.is_empty() && positive.is_none() {
            crate::print::negation(&data);
        }
        Ok(data)
    }

    /// Reads rows for a model that is asked about `labels`.
    pub(crate) fn read_as(&self, labels: &LabelSet, split: &SplitArguments) -> anyhow::Result<Dataset> {
        if let Some(journal) = self.journal(split)? {
            return Ok(journal.dataset(journal.task()?, labels.names())?);
        }
        let options = self.options(&[], None, split)?;
        let options = DatasetOptions { labels: options.labels.for_labels(labels)?, ..options };
        let data = Dataset::read(self.path(), &self.read_options(), &options)?;
        crate::print::skipped(&data);
        Ok(Dataset { labels: labels.clone(), ..data })
    }

    /// The file as a journal, if it is one and no columns are named.
    fn journal(&self, split: &SplitArguments) -> anyhow::Result<Option<Journal>> {
        if !self.text.is_empty() || self.label.is_some() || !Journal::is_at(self.path()) {
            return Ok(None);
        }
        if let Some(column) = split.columns().first().or(split.group.as_ref()) {
            bail!("a journal has no column `{column}`");
        }
        if !self.label_map.is_empty() || self.positive_at.is_some() {
            bail!("a journal's labels are used as they are: leave --label-map and --positive-at out");
        }
        Ok(Some(Journal::read(self.path())?))
    }

    /// The options that name the same rows of the same file again.
    pub(crate) fn again(&self) -> String {
        let mut again = vec![quoted(&self.path().display().to_string())];
        if !self.text.is_empty() {
            again.extend([String::from("--text"), quoted(&self.text.join(","))]);
        }
        let mut option = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                again.extend([name.to_owned(), quoted(&value)]);
            }
        };
        option("--label", self.label.clone());
        option("--multi-label", (!self.multi_label.is_empty()).then(|| self.multi_label.join(",")));
        option("--label-separator", self.label_separator.map(String::from));
        option("--delimiter", self.delimiter.map(String::from));
        again.join(" ")
    }

    /// Reads rows for a trained classifier.
    pub(crate) fn read_for(&self, record: &ClassifierRecord, split: &SplitArguments) -> anyhow::Result<Dataset> {
        self.read_for_keeping(record, split, Vec::new())
    }

    /// The same with further columns kept beside the rows.
    pub(crate) fn read_for_keeping(
        &self,
        record: &ClassifierRecord,
        split: &SplitArguments,
        mut further: Vec<String>,
    ) -> anyhow::Result<Dataset> {
        if let Some(journal) = self.journal(split)? {
            return Ok(journal.dataset(record.task, record.prompt.labels().names())?);
        }
        match (record.task, &self.label, self.label_separator) {
            (Task::SingleLabel, None, _) => bail!("give --label COLUMN: the classifier gives each text one of its labels"),
            (Task::SingleLabel, _, Some(_)) => {
                bail!("the classifier gives each text one of its labels: leave --label-separator out")
            }
            (Task::MultiLabel, Some(column), None) => {
                bail!("the classifier has several labels: `{column}` holds lists if --label-separator is given")
            }
            _ => {}
        }
        let mut options = self.options(&[], None, split)?;
        if let (Some(columns), [_]) = (&record.data.text_columns, options.text_columns.columns.as_slice()) {
            anyhow::ensure!(
                columns.columns.len() == 1,
                "the classifier's texts are made of several columns: give --text {}",
                columns.columns.join(",")
            );
        }
        if let Some(columns) = &record.data.text_columns {
            options.text_columns.separator.clone_from(&columns.separator);
        }
        further.retain(|column| !options.keep_columns.contains(column));
        options.keep_columns.extend(further);
        let data = record.read_rows(self.path(), &self.read_options(), &options)?;
        crate::print::skipped(&data);
        Ok(data)
    }

    pub(crate) fn read_options(&self) -> ReadOptions {
        ReadOptions { delimiter: self.delimiter, ..ReadOptions::default() }
    }
}
