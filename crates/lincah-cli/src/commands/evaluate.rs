//! `lincah evaluate`.

use crate::args::Evaluate;
use crate::classifier_args::Classifier;
use crate::commands::multi_label;
use crate::data_args::DataArguments;
use crate::printer::{print_evaluation, print_rounding, print_tfidf};
use lincah::baseline::TfidfBaseline;
use lincah::data::DataError;
use lincah::data::dataset::{LabelledDataset, PositiveAt};
use lincah::{ClassifierRecord, Compute, Error, Evaluation, Precision, Task};
use std::time::Instant;

pub(crate) fn run(arguments: &Evaluate, compute: Compute) -> anyhow::Result<()> {
    let folder = arguments.classifier.as_deref();
    arguments.zero_shot.check(folder)?;
    if let Some(folder) = folder
        && Task::of(folder)? == Task::MultiLabel
    {
        return multi_label::evaluate(arguments, folder, compute);
    }
    arguments.columns.refuse()?;
    let data = match folder {
        Some(folder) => read(&arguments.data, &ClassifierRecord::read(folder)?)?,
        None => arguments.data.read(&arguments.zero_shot.labels, arguments.data.positive_at)?,
    };
    let (others, data) = match arguments.holdout.split(data.len(), None)? {
        Some(split) => (Some(data.subset(&split.train)), data.subset(&split.test)),
        None => (None, data),
    };
    let classifier = arguments.zero_shot.load(folder, compute)?;
    let begun = Instant::now();
    let predictions = classifier.predict(&data.texts)?;
    let evaluation = Evaluation::of(&predictions, &data.labels, classifier.labels(), begun.elapsed().as_secs_f64())?;
    if arguments.json {
        println!("{}", serde_json::to_string(&evaluation)?);
        return Ok(());
    }
    print_evaluation(&evaluation);
    if compute.precision == Some(Precision::Int8) {
        let exact =
            arguments.zero_shot.load(folder, Compute { precision: Some(Precision::F32), ..compute })?.predict(&data.texts)?;
        let exact_evaluation = Evaluation::of(&exact, &data.labels, classifier.labels(), 0.0)?;
        print_rounding((&predictions, &evaluation), (&exact, &exact_evaluation));
    }
    if let (Classifier::ZeroShot(_), Some(others)) = (&classifier, &others) {
        // What the other rows' labels are worth, where the model has seen none.
        print_tfidf(&TfidfBaseline::evaluate(others, &data)?.1);
    }
    if evaluation.cut_texts > 0 {
        eprintln!("note: {} texts were cut to fit {} tokens", evaluation.cut_texts, classifier.max_tokens());
    }
    Ok(())
}

/// The rows, numbers cut as in training unless the command says otherwise.
pub(crate) fn read(arguments: &DataArguments, record: &ClassifierRecord) -> Result<LabelledDataset, Error> {
    let labels = record.prompt.labels().names();
    let cut = record.data.cut.map(PositiveAt::Value);
    match arguments.read(labels, arguments.positive_at) {
        Err(DataError::NeedsPositiveAt { .. }) if arguments.positive_at.is_none() && cut.is_some() => {
            Ok(arguments.read(labels, cut)?)
        }
        read => Ok(read?),
    }
}
