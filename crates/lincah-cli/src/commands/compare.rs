//! `lincah compare`.

use super::evaluate::unseen_rows;
use crate::args::Compare;
use crate::print::{json_line, print_changes, print_comparison, print_device, result_line};
use lincah::comparison::{Comparison, DecisionChanges, Scored};
use lincah::data::Names;
use lincah::data::text_columns::TextColumns;
use lincah::data::texts::read_texts;
use lincah::{AgileClassifier, BaseModel, ClassifierRecord, ComputeOptions, Error, Prediction};
use std::path::Path;
use std::time::Instant;

pub(crate) fn run(arguments: &Compare, compute: ComputeOptions) -> anyhow::Result<()> {
    let (first, second) = (ClassifierRecord::read(&arguments.first)?, ClassifierRecord::read(&arguments.second)?);
    if (first.task, first.prompt.labels()) != (second.task, second.prompt.labels()) {
        let names = |record: &ClassifierRecord| Names(record.prompt.labels().names().to_vec());
        return Err(Error::OtherLabels { first: names(&first), second: names(&second) }.into());
    }
    if arguments.unlabelled {
        return unlabelled(arguments, [&first, &second], compute);
    }
    let (data, others) = arguments.holdout.to_score(arguments.data.read_for(&first, &arguments.holdout.split)?)?;
    let mut data = data;
    for (record, folder) in [(&first, &arguments.first), (&second, &arguments.second)] {
        let included = arguments.training_rows.include_training_rows;
        data = unseen_rows(&folder.display().to_string(), record, data, others.as_ref(), included)?.data;
    }
    let [(a, a_seconds), (b, b_seconds)] = predict_both(arguments, [&first, &second], &data.texts, compute)?;
    let first = Scored { predictions: &a, rule: &first.decision_rule, seconds: a_seconds };
    let second = Scored { predictions: &b, rule: &second.decision_rule, seconds: b_seconds };
    let comparison = Comparison::of(first, second, data.truth(), &data.rows)?;
    if arguments.json {
        return json_line(&comparison);
    }
    result_line!("{} rows; first {}, second {}", comparison.n, arguments.first.display(), arguments.second.display());
    print_comparison(&comparison, &data, arguments.show_texts);
    Ok(())
}

/// Both classifiers' predictions and what they took, on one base model where they have the same.
fn predict_both(
    arguments: &Compare,
    [first, second]: [&ClassifierRecord; 2],
    texts: &[String],
    compute: ComputeOptions,
) -> Result<[(Vec<Prediction>, f64); 2], Error> {
    let base = BaseModel::open(&first.base_model.name, compute)?;
    print_device(compute, &base);
    let a = predict(&arguments.first, &base, texts)?;
    let base = if second.base_model.name == base.name() { base } else { BaseModel::open(&second.base_model.name, compute)? };
    Ok([a, predict(&arguments.second, &base, texts)?])
}

fn predict(folder: &Path, base: &BaseModel, texts: &[String]) -> Result<(Vec<Prediction>, f64), Error> {
    let classifier = AgileClassifier::load_on(folder, base)?;
    let begun = Instant::now();
    Ok((classifier.predict(texts)?, begun.elapsed().as_secs_f64()))
}

/// Which decisions change, where nobody has labelled the texts.
fn unlabelled(arguments: &Compare, records: [&ClassifierRecord; 2], compute: ComputeOptions) -> anyhow::Result<()> {
    let columns = TextColumns::new(arguments.data.text.iter().cloned());
    let data = read_texts(arguments.data.path(), &arguments.data.read_options(), &columns).map_err(Error::from)?;
    let [(a, _), (b, _)] = predict_both(arguments, records, &data.texts, compute)?;
    let found = DecisionChanges::of(records[0].prompt.labels(), &a, &b, &data.rows).map_err(Error::from)?;
    if arguments.json {
        return json_line(&found);
    }
    result_line!("{} texts; first {}, second {}", found.n, arguments.first.display(), arguments.second.display());
    print_changes(&found, &data, arguments.show_texts);
    Ok(())
}
