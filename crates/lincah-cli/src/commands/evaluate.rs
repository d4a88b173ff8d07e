//! `lincah evaluate`.

use crate::args::Evaluate;
use crate::commands::multi_label;
use crate::data_args::DataArguments;
use crate::printer::print_evaluation;
use lincah::data::DataError;
use lincah::data::dataset::{LabelledDataset, PositiveAt};
use lincah::{AgileClassifier, ClassifierRecord, Device, Error, Evaluation, Task};
use std::time::Instant;

pub(crate) fn run(arguments: &Evaluate, device: Device) -> anyhow::Result<()> {
    if Task::of(&arguments.classifier)? == Task::MultiLabel {
        return multi_label::evaluate(arguments, device);
    }
    arguments.columns.refuse()?;
    let record = ClassifierRecord::read(&arguments.classifier)?;
    let data = read(&arguments.data, &record)?;
    let data = match arguments.holdout.split(data.len(), None)? {
        Some(split) => data.subset(&split.test),
        None => data,
    };
    let classifier = AgileClassifier::load(&arguments.classifier, arguments.model.as_deref(), device)?;
    let begun = Instant::now();
    let predictions = classifier.predict(&data.texts)?;
    let evaluation = Evaluation::of(&predictions, &data.labels, classifier.labels(), begun.elapsed().as_secs_f64())?;
    if arguments.json {
        println!("{}", serde_json::to_string(&evaluation)?);
    } else {
        print_evaluation(&evaluation);
        if evaluation.cut_texts > 0 {
            eprintln!("note: {} texts were cut to fit {} tokens", evaluation.cut_texts, record.recipe.max_tokens);
        }
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
