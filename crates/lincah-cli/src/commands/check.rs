//! `lincah check`.

use crate::args::Check;
use crate::outputs;
use crate::print::{Checked, Suspects, json_line, next_steps, note, print_check};
use lincah::baseline::TfidfBaseline;
use lincah::cross_validation::FinishedCrossValidation;
use lincah::data::check::{self, DataCheck, Sides, TokenLengths};
use lincah::data::records::{RecordReader, Value, ValueKind};
use lincah::data::writer::{Destination, OutputColumn, OutputFormat, RecordWriter};
use lincah::evaluation::Truth;
use lincah::label_errors::{Filter, Suggested, SuspectedRow};
use lincah::prompt::{LabelTokens, PromptEncoder, WhiteSpace};
use lincah::{BaseModel, Dataset, Error, Prediction, Prompt, RowLabels, Task, hub};
use std::path::Path;

/// Folds of the baseline that finds labels that may be wrong, and what decides which row is in which.
const FOLDS: usize = 5;
const FOLD_SEED: u32 = 32;

pub(crate) fn run(arguments: &Check) -> anyhow::Result<()> {
    if let Some(file) = &arguments.label_errors {
        outputs::check(file, &[arguments.data.path()])?;
    }
    let data = read(arguments)?;
    let sides = arguments.holdout.divide(&data, None)?;
    let sides = sides.holdout.as_ref().map(|holdout| Sides { train: &sides.train, holdout });
    let found = DataCheck::of(&data, sides, arguments.holdout.split.group.as_deref());
    let tokens = match token_lengths(arguments, &data) {
        Err(error) if arguments.model.is_none() => {
            note!("note: lengths in tokens are left out: {error}");
            None
        }
        lengths => Some(lengths?),
    };
    let suspects = if arguments.without_label_errors { None } else { suspects(arguments, &data)? };
    if let Some(file) = &arguments.label_errors {
        write(file, data.task, suspects.as_ref().map_or(&[], |suspects| suspects.rows.as_slice()))?;
        note!("{} rows written to {}", suspects.as_ref().map_or(0, |suspects| suspects.rows.len()), file.display());
    }
    let trimmed = match found.shortcuts.iter().any(|shortcut| shortcut.flagged) {
        true => check::shortcuts(&data.with_white_space(WhiteSpace::Single)),
        false => Vec::new(),
    };
    let trimmed = trimmed.into_iter().filter(|shortcut| shortcut.flagged).collect();
    let checked = Checked { found, trimmed, tokens, suspects, from: arguments.from.as_deref() };
    if arguments.json {
        return json_line(&checked.json()?);
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

/// The lengths of the prompts around the texts.
fn token_lengths(arguments: &Check, data: &Dataset) -> Result<TokenLengths, Error> {
    let tokenizer = BaseModel::tokenizer_of(arguments.model.as_deref().unwrap_or(hub::DEFAULT_MODEL))?;
    let (prompt, _) = LabelTokens::resolve(Prompt::new(data.task, data.labels.clone())?, &tokenizer)?;
    let encoded = PromptEncoder::new(&tokenizer, &prompt, usize::MAX)?.encode_batch(&data.texts)?;
    let longest = encoded.iter().map(|text| text.prompts.iter().map(Vec::len).max().unwrap_or(0));
    Ok(TokenLengths::of(&data.rows, &longest.collect::<Vec<_>>(), arguments.max_tokens))
}

/// The rows whose label may be wrong; none where too few rows are there to tell.
fn suspects(arguments: &Check, data: &Dataset) -> anyhow::Result<Option<Suspects>> {
    if let Some(folder) = &arguments.from {
        let finished = FinishedCrossValidation::read(folder)?;
        finished.texts(data)?;
        let evaluation = &finished.scored.evaluation;
        let truth = Truth { task: evaluation.task, labels: &evaluation.labels, truth: &finished.truth };
        return suspects_of(truth, &finished.rows, &finished.scored.predictions).map(Some);
    }
    let Some(fold_of) = check::folds(data, FOLDS, FOLD_SEED) else { return Ok(None) };
    suspects_of(data.truth(), &data.rows, &TfidfBaseline::out_of_fold(data, &fold_of)).map(Some)
}

fn suspects_of(truth: Truth, rows: &[u64], predictions: &[Prediction]) -> anyhow::Result<Suspects> {
    let agree = predictions.iter().zip(truth.truth).filter(|(prediction, truth)| prediction.given() == **truth).count();
    Ok(Suspects {
        rows: SuspectedRow::find(truth, rows, predictions, Filter::default()).map_err(Error::from)?,
        agreement: agree as f64 / rows.len() as f64,
    })
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
