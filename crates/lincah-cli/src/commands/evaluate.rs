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
    if let Some(record) = &record
        && record.training_rows(&data, others.as_ref()) == TrainingRows::Scored
    {
        note!("warning: these are the very rows that the classifier was trained on: the figures say nothing about other rows");
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

fn tell_truncated(classifier: &AgileClassifier, texts: usize) {
    if texts > 0 {
        note!("note: {texts} texts were truncated to {} tokens; --long-texts scores them to their end", classifier.max_tokens());
    }
}

/// The rows for a model that is asked as it is, about the labels of `--labels`.
fn zero_shot_rows(arguments: &Evaluate) -> anyhow::Result<Dataset> {
    let (who, data) = (&arguments.who, &arguments.data);
    let labels = if data.multi_label.is_empty() { who.labels.as_slice() } else { &[] };
    let data = data.read(labels, None)?;
    match (data.task, who.independent) {
        (Task::MultiLabel, false) => bail!("labels that may hold together are asked about with --independent"),
        (Task::SingleLabel, true) => bail!("--independent goes with --multi-label or --label-separator"),
        _ => Ok(Dataset { labels: lincah::LabelSet::new(who.labels.clone()).map_err(lincah::Error::from)?, ..data }),
    }
}
