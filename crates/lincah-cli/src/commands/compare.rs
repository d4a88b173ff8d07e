//! `lincah compare`.

use crate::commands::evaluate::read;
use crate::commands::multi_label;
use crate::experiment_args::Compare;
use crate::printer::{difference_text, print_device, print_mcnemar, shown_text};
use lincah::comparison::Comparison;
use lincah::data::dataset::LabelledDataset;
use lincah::statistics::Difference;
use lincah::{AgileClassifier, ClassifierRecord, Compute, Error, Prediction, Task};
use std::path::Path;
use std::time::Instant;

pub(crate) fn run(arguments: &Compare, compute: Compute) -> anyhow::Result<()> {
    if Task::of(&arguments.first)? == Task::MultiLabel {
        return multi_label::compare(arguments, compute);
    }
    let (first, second) = (ClassifierRecord::read(&arguments.first)?, ClassifierRecord::read(&arguments.second)?);
    let labels = |record: &ClassifierRecord| record.prompt.labels().names().to_vec();
    if labels(&first) != labels(&second) {
        return Err(Error::OtherLabels { first: labels(&first), second: labels(&second) }.into());
    }
    arguments.columns.refuse()?;
    let data = read(&arguments.data, &first)?;
    let data = match arguments.holdout.split(data.len(), None)? {
        Some(split) => data.subset(&split.test),
        None => data,
    };
    // One after the other: two base models need not fit into memory.
    let (first, first_seconds) = predict(&arguments.first, &data, compute)?;
    let (second, second_seconds) = predict(&arguments.second, &data, compute)?;
    let comparison = Comparison::of((&first, &second), &data, (first_seconds, second_seconds))?;
    if arguments.json {
        println!("{}", serde_json::to_string(&comparison)?);
    } else {
        print(arguments, &comparison, &data);
    }
    Ok(())
}

fn predict(folder: &Path, data: &LabelledDataset, compute: Compute) -> Result<(Vec<Prediction>, f64), Error> {
    let classifier = AgileClassifier::load(folder, None, compute)?;
    print_device(compute, classifier.base());
    let begun = Instant::now();
    Ok((classifier.predict(&data.texts)?, begun.elapsed().as_secs_f64()))
}

fn print(arguments: &Compare, comparison: &Comparison, data: &LabelledDataset) {
    let (first, second) = (&comparison.first, &comparison.second);
    println!("{} rows; first {}, second {}", comparison.n, arguments.first.display(), arguments.second.display());
    let area = |value: Option<f64>| value.map_or(String::from("undefined"), |value| format!("{value:.3}"));
    let name = if first.labels.len() == 2 { "F1" } else { "macro F1" };
    let row = |name: &str, values: [String; 2], difference: Option<&Difference>| {
        let difference = difference.map_or(String::new(), difference_text);
        println!("  {name:<10} {:<9} {:<9}{difference}", values[0], values[1]);
    };
    row(name, [first.f1, second.f1].map(|f1| format!("{f1:.3}")), Some(&comparison.f1_difference));
    row("accuracy", [first.accuracy, second.accuracy].map(|accuracy| format!("{accuracy:.3}")), None);
    row("ROC-AUC", [first.roc_auc, second.roc_auc].map(area), comparison.roc_auc_difference.as_ref());
    println!("  in brackets 95 % paired bootstrap intervals over these rows");
    print_mcnemar(&comparison.mcnemar);
    println!("\n{} decisions flip{}", comparison.flips.len(), if comparison.flips.is_empty() { "" } else { ":" });
    for flip in &comparison.flips {
        let text = shown_text(arguments.show_texts, flip.row, (&data.rows, &data.texts));
        println!("  row {:<6} {} -> {} (true: {}){text}", flip.row, flip.first, flip.second, flip.truth);
    }
    println!("\nVerdict: {}", comparison.verdict);
}
