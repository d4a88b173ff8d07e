//! `lincah check`.

use crate::args::Check;
use crate::outputs;
use crate::print::{json_line, next_steps, note, print_check};
use lincah::checked::{Checked, Suspects, token_lengths};
use lincah::cross_validation::FinishedCrossValidation;
use lincah::data::check::{DataCheck, Sides};
use lincah::data::records::{RecordReader, Value, ValueKind};
use lincah::data::writer::{Destination, OutputColumn, OutputFormat, RecordWriter};
use lincah::label_errors::{Suggested, SuspectedRow};
use lincah::{Dataset, Error, RowLabels, Task};
use std::path::Path;

pub(crate) fn run(arguments: &Check) -> anyhow::Result<()> {
    if let Some(file) = &arguments.label_errors {
        outputs::check(file, &[arguments.data.path()])?;
    }
    let data = read(arguments)?;
    let sides = arguments.holdout.divide(&data, None)?;
    let sides = sides.holdout.as_ref().map(|holdout| Sides { train: &sides.train, holdout });
    let found = DataCheck::of(&data, sides, arguments.holdout.split.group.as_deref());
    let tokens = match token_lengths(&data, arguments.model.as_deref(), arguments.max_tokens) {
        Err(error) if arguments.model.is_none() => {
            note!("note: lengths in tokens are left out: {error}");
            None
        }
        lengths => Some(lengths?),
    };
    let suspects = match (arguments.without_label_errors, &arguments.from) {
        (true, _) => None,
        (false, Some(folder)) => {
            let (folds, source) = (FinishedCrossValidation::read(folder)?, folder.display().to_string());
            Some(Suspects::of_cross_validation(&folds, &data, source)?)
        }
        (false, None) => Suspects::of(&data)?,
    };
    if let Some(file) = &arguments.label_errors {
        write(file, data.task, suspects.as_ref().map_or(&[], |suspects| suspects.rows.as_slice()))?;
        note!("{} rows written to {}", suspects.as_ref().map_or(0, |suspects| suspects.rows.len()), file.display());
    }
    let checked = Checked::of(&data, found, tokens, suspects);
    if arguments.json {
        return json_line(&checked.json());
    }
    print_check(&checked, &data);
    if checked.suspects.is_none() && !arguments.without_label_errors {
        note!("note: too few rows to look for labels that may be wrong");
    }
    let rows = arguments.data.again();
    let mut next = Vec::new();
    if checked.suspects.as_ref().is_some_and(|suspects| !suspects.rows.is_empty()) && arguments.label_errors.is_none() {
        next.push(format!("lincah check {rows} --label-errors suspects.csv"));
    }
    if arguments.from.is_none() {
        next.push(format!("lincah cross-validate {rows} --out folds"));
        next.push(format!("lincah check {rows} --from folds"));
    }
    next_steps(&next);
    Ok(())
}

/// The rows, with the column of groups or every further column.
fn read(arguments: &Check) -> anyhow::Result<Dataset> {
    let (data, positive) = (&arguments.data, arguments.positive.as_deref());
    let split = &arguments.holdout.split;
    if split.group.is_some() {
        return data.read(&arguments.labels, positive, split);
    }
    // Standard input is read once, so that its other columns are unknown.
    if data.path() == Path::new("-") {
        return data.read(&arguments.labels, positive, split);
    }
    let options = data.options(&arguments.labels, positive, split)?;
    let used = [options.text_columns.columns.clone(), options.labels.columns()].concat();
    let reader = RecordReader::open(data.path(), &data.read_options()).map_err(Error::from)?;
    let others = reader.columns().iter().filter(|column| !used.contains(column)).cloned().collect();
    match data.read_keeping(&arguments.labels, positive, split, others) {
        Ok(data) => Ok(data),
        // A column of which nothing is asked may hold anything.
        Err(_) => data.read(&arguments.labels, positive, split),
    }
}

/// Writes the rows, the surest first.
fn write(file: &Path, task: Task, rows: &[SuspectedRow]) -> anyhow::Result<()> {
    let (name, kind) = match task {
        Task::SingleLabel => ("label", ValueKind::Text),
        Task::MultiLabel => ("labels", ValueKind::List),
    };
    let columns = vec![
        OutputColumn::new("row", ValueKind::Integer),
        OutputColumn::new(name, kind),
        OutputColumn::new("suggested", kind),
        OutputColumn::new("score", ValueKind::Number),
    ];
    let format = OutputFormat::of_path(file).unwrap_or(OutputFormat::Csv);
    let mut writer = RecordWriter::create(Destination::File(file.to_path_buf()), format, columns).map_err(Error::from)?;
    for row in rows {
        let given = match &row.labels {
            RowLabels::One { label } => Value::Text(label.clone()),
            RowLabels::Any { labels } => Value::List(labels.clone()),
        };
        let suggested = match &row.suggested {
            Suggested::One(label) => Value::Text(label.clone()),
            Suggested::Any(labels) => Value::List(labels.clone()),
        };
        let number = i64::try_from(row.row).map_or(Value::Missing, Value::Integer);
        writer.write(vec![number, given, suggested, Value::Number(row.score)]).map_err(Error::from)?;
    }
    Ok(writer.finish().map_err(Error::from)?)
}
