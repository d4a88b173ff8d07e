//! `lincah compare`.

use super::evaluate::unseen_rows;
use crate::args::Compare;
use crate::print::{json_line, print_comparison, print_device, result_line};
use lincah::comparison::{Comparison, Scored};
use lincah::data::Names;
use lincah::{AgileClassifier, BaseModel, ClassifierRecord, ComputeOptions, Dataset, Error, Prediction};
use std::path::Path;
use std::time::Instant;

pub(crate) fn run(arguments: &Compare, compute: ComputeOptions) -> anyhow::Result<()> {
    let (first, second) = (ClassifierRecord::read(&arguments.first)?, ClassifierRecord::read(&arguments.second)?);
    if (first.task, first.prompt.labels()) != (second.task, second.prompt.labels()) {
        let names = |record: &ClassifierRecord| Names(record.prompt.labels().names().to_vec());
        return Err(Error::OtherLabels { first: names(&first), second: names(&second) }.into());
    }
    let (data, others) = arguments.holdout.to_score(arguments.data.read_for(&first, &arguments.holdout.split)?)?;
    let mut data = data;
    for (record, folder) in [(&first, &arguments.first), (&second, &arguments.second)] {
        let included = arguments.training_rows.include_training_rows;
        data = unseen_rows(&folder.display().to_string(), record, data, others.as_ref(), included)?.data;
    }
    // One base model for both where they have the same.
    let base = BaseModel::open(&first.base_model.name, compute)?;
    print_device(compute, &base);
    let (a, a_seconds) = predict(&arguments.first, &base, &data)?;
    let base = if second.base_model.name == base.name() { base } else { BaseModel::open(&second.base_model.name, compute)? };
    let (b, b_seconds) = predict(&arguments.second, &base, &data)?;
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

fn predict(folder: &Path, base: &BaseModel, data: &Dataset) -> Result<(Vec<Prediction>, f64), Error> {
    let classifier = AgileClassifier::load_on(folder, base)?;
    let begun = Instant::now();
    Ok((classifier.predict(&data.texts)?, begun.elapsed().as_secs_f64()))
}
