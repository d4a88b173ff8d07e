//! `lincah evaluate`.

use crate::args::Evaluate;
use crate::print::{json_line, note, print_evaluation, print_rounding, print_tfidf};
use anyhow::bail;
use lincah::baseline::TfidfBaseline;
use lincah::{AgileClassifier, ClassifierRecord, ComputeOptions, Dataset, Precision, Task, TrainingRows};

pub(crate) fn run(arguments: &Evaluate, compute: ComputeOptions) -> anyhow::Result<()> {
    let folder = arguments.classifier.as_deref();
    arguments.who.check(folder)?;
    let record = folder.map(ClassifierRecord::read).transpose()?;
    let data = match &record {
        Some(record) => arguments.data.read_for(record)?,
        None => zero_shot_rows(arguments)?,
    };
    let (data, others) = arguments.holdout.to_score(data)?;
    if let Some(record) = &record {
        warn_of_training_rows("the classifier", record, &data, others.as_ref());
    }
    let classifier = arguments.who.load(folder, compute)?;
    let scored = classifier.evaluate(&data)?;
    if arguments.json {
        return json_line(&scored.evaluation);
    }
    print_evaluation(&scored.evaluation);
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
    Ok(())
}

/// Says where scored rows are, or may be, rows that were trained on.
pub(super) fn warn_of_training_rows(name: &str, record: &ClassifierRecord, data: &Dataset, others: Option<&Dataset>) {
    let trained_on = record.data.rows + record.data.validation_rows;
    match record.training_rows(data, others) {
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
    let options = data.options(&[], None)?;
    match (options.labels.task(), who.independent, &data.label) {
        (Task::MultiLabel, false, None) if data.multi_label.is_empty() => {
            bail!("no labels of the rows are named: give --label COLUMN")
        }
        (Task::MultiLabel, false, _) => bail!("labels that may hold together are asked about with --independent"),
        (Task::SingleLabel, true, _) => bail!("--independent goes with --multi-label or --label-separator"),
        _ => data.read_as(&lincah::LabelSet::new(who.labels.clone()).map_err(lincah::Error::from)?),
    }
}
