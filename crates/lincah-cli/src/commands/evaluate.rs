//! `lincah evaluate`.

use crate::args::Evaluate;
use crate::print::{json_line, note, print_full_evaluation, print_rounding, print_tfidf};
use anyhow::bail;
use lincah::baseline::TfidfBaseline;
use lincah::evaluation::{EvaluatedRows, FullEvaluation};
use lincah::{AgileClassifier, ClassifierRecord, ComputeOptions, Dataset, Error, Precision, Task, TrainingRows, UnseenRows};

pub(crate) fn run(arguments: &Evaluate, compute: ComputeOptions) -> anyhow::Result<()> {
    let folder = arguments.classifier.as_deref();
    arguments.who.check(folder)?;
    let record = folder.map(ClassifierRecord::read).transpose()?;
    let data = match &record {
        Some(record) => arguments.data.read_for(record, &arguments.holdout.split)?,
        None => zero_shot_rows(arguments)?,
    };
    let (data, others) = arguments.holdout.to_score(data)?;
    let mut rows = EvaluatedRows { prevalences: arguments.prevalence.clone().unwrap_or_default(), ..EvaluatedRows::default() };
    let data = match &record {
        Some(record) => {
            let included = arguments.training_rows.include_training_rows;
            let unseen = unseen_rows("the classifier", record, data, others.as_ref(), included)?;
            rows.trained_on = unseen.trained_on;
            rows.training_rows_included = included && unseen.trained_on.is_some_and(|rows| rows > 0);
            rows.chosen_with = unseen.chosen_with;
            rows.members = record.member_descriptions();
            unseen.data
        }
        None => data,
    };
    let classifier = arguments.who.load(folder, compute)?;
    let scored = classifier.evaluate(&data)?;
    let full = FullEvaluation::of(scored.evaluation.clone(), &scored.predictions, data.truth(), &rows)?;
    let gate = |full: &FullEvaluation| match &arguments.fail_under {
        Some(gate) => gate.check(&full.figures()).map_err(Error::from),
        None => Ok(()),
    };
    if arguments.json {
        json_line(&full)?;
        return Ok(gate(&full)?);
    }
    print_full_evaluation(&full);
    if compute.precision == Some(Precision::Int8) {
        let exact = arguments.who.load(folder, ComputeOptions { precision: Some(Precision::F32), ..compute })?;
        let exact = exact.evaluate(&data)?;
        print_rounding((&scored.predictions, &scored.evaluation), (&exact.predictions, &exact.evaluation));
    }
    if let (None, Some(others)) = (&record, &others) {
        // What the other rows' labels are worth, where the model has seen none.
        print_tfidf(&TfidfBaseline::evaluate(others, &data)?.evaluation);
    }
    tell_truncated(&classifier, scored.evaluation.truncated_texts);
    let by_first = scored.predictions.iter().filter(|prediction| prediction.is_by_first_member()).count();
    arguments.who.tell_cascade(by_first as u64, data.len() as u64);
    Ok(gate(&full)?)
}

/// The rows that a classifier was not trained on, with a word about the others; all, if those are `included`.
pub(super) fn unseen_rows(
    name: &str,
    record: &ClassifierRecord,
    data: Dataset,
    others: Option<&Dataset>,
    included: bool,
) -> Result<UnseenRows, Error> {
    let rows = data.len();
    if record.training_rows.is_none() {
        warn_of_training_rows(name, record, &data, others);
    }
    let unseen = record.unseen(data, included)?;
    if let Some(notice) = unseen.notice(rows, included) {
        let word = if included { "warning" } else { "note" };
        note!("{word}: {name}: {notice}");
    }
    Ok(unseen)
}

/// Says where scored rows are, or may be, rows that were trained on, of a classifier that does not remember them.
fn warn_of_training_rows(name: &str, record: &ClassifierRecord, data: &Dataset, others: Option<&Dataset>) {
    let trained_on = record.data.rows + record.data.validation_rows;
    match record.find_training_rows(data, others) {
        TrainingRows::Scored => {
            note!("warning: {name} was trained on these very rows: its figures say nothing about other rows");
        }
        TrainingRows::NotAmongOthers => {
            note!("warning: the rows that are not held out are not those that {name} was trained on: some of these may be");
        }
        TrainingRows::Unknown if data.len() >= trained_on => {
            note!("note: {name} was trained on {trained_on} rows; if they are among these, its figures say little (--holdout)");
        }
        TrainingRows::Others(_) | TrainingRows::Unknown => {}
    }
}

fn tell_truncated(classifier: &AgileClassifier, texts: usize) {
    if texts > 0 {
        note!("note: {texts} texts were truncated to {} tokens; --long-texts scores them to their end", classifier.max_tokens());
    }
}

/// The rows for a model that is asked as it is, about the labels of `--labels`.
fn zero_shot_rows(arguments: &Evaluate) -> anyhow::Result<Dataset> {
    let (who, data) = (&arguments.who, &arguments.data);
    let split = &arguments.holdout.split;
    let options = data.options(&[], None, split)?;
    match (options.labels.task(), who.independent, &data.label) {
        (Task::MultiLabel, false, None) if data.multi_label.is_empty() => {
            bail!("no labels of the rows are named: give --label COLUMN")
        }
        (Task::MultiLabel, false, _) => bail!("labels that may hold together are asked about with --independent"),
        (Task::SingleLabel, true, _) => bail!("--independent goes with --multi-label or --label-separator"),
        _ => data.read_as(&lincah::LabelSet::new(who.labels.clone()).map_err(Error::from)?, split),
    }
}
