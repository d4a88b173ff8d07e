//! The verbs for labels that may hold together.

use crate::args::Evaluate;
use crate::data_args::{DataArguments, HoldoutArguments};
use crate::experiment_args::{Compare, CrossValidate};
use crate::fold_printer::{FoldProgress, Metric, print_means};
use crate::interrupt::stop_on_interrupt;
use crate::multi_label_args::MultiLabelColumns;
use crate::multi_label_printer::{
    print_multi_label_comparison, print_multi_label_evaluation, print_multi_label_report, print_multi_label_tfidf,
};
use crate::printer::{TrainingProgress, print_device, print_operation_times};
use crate::training_args::TrainingArguments;
use crate::training_run::Run;
use lincah::cross_validation::{CrossValidation, FoldResult};
use lincah::data::multi_label::MultiLabelDataset;
use lincah::multi_label::{
    MultiLabelClassifier, MultiLabelComparison, MultiLabelEvaluation, MultiLabelRecord, MultiLabelTrainer, evaluate_tfidf,
};
use lincah::{BaseModel, Compute, DEFAULT_THRESHOLD, Error, LabelSet, Recipe};
use std::path::Path;
use std::time::Instant;

/// The recipe is chosen by the number of questions: each row is as many as there are labels.
fn recipe(arguments: &TrainingArguments, train: &MultiLabelDataset) -> Result<Recipe, Error> {
    Ok(arguments.recipe.recipe(train.len() * train.label_names.len(), BaseModel::sizes_of(&arguments.model)?))
}

/// `lincah train --multi-label`.
pub(crate) fn train(arguments: &TrainingArguments, run: &Run, data: &MultiLabelDataset) -> anyhow::Result<()> {
    let (train, holdout) = arguments.holdout.sides(data.len(), arguments.train_size)?;
    let (train, holdout) = (data.subset(&train), holdout.map(|rows| data.subset(&rows)));
    train.check_answers()?;
    let recipe = recipe(arguments, &train)?;
    recipe.check()?;
    let labels = LabelSet::new(data.label_names.clone()).map_err(Error::from)?;
    let prompt = arguments.recipe.multi_label_prompt(labels, arguments.descriptions.all()).map_err(Error::from)?;
    run.check_folder()?;
    print_multi_label_report(&train, holdout.as_ref());
    let base = BaseModel::open(run.model, run.compute)?;
    print_device(run.compute, &base);
    let trainer = MultiLabelTrainer::new(base, prompt, recipe)?.in_folder(run.out, run.resume);
    let trainer = trainer.stopping_at(stop_on_interrupt()?).checkpoint_interval(run.checkpoint_interval);
    let mut progress = TrainingProgress::new();
    let begun = Instant::now();
    let mut classifier = trainer.fit(&train, &mut |event| progress.show(event))?;
    if run.compute.profile {
        print_operation_times(classifier.base(), begun.elapsed());
    }
    if let Some(holdout) = &holdout {
        let evaluation = scored(&classifier, holdout)?;
        classifier.record_mut().metrics = Some(evaluation.clone());
        classifier.save(run.out)?;
        print_multi_label_evaluation(&evaluation);
        print_multi_label_tfidf(&evaluate_tfidf(&train, holdout)?.1);
    }
    eprintln!("saved in {}", run.out.display());
    Ok(())
}

/// `lincah evaluate` of a multi-label classifier.
pub(crate) fn evaluate(arguments: &Evaluate, folder: &Path, compute: Compute) -> anyhow::Result<()> {
    let record = MultiLabelRecord::read(folder)?;
    let data = holdout_rows(&record, (&arguments.columns, &arguments.data, &arguments.holdout))?;
    let classifier = MultiLabelClassifier::load(folder, arguments.zero_shot.model.as_deref(), compute)?;
    print_device(compute, classifier.base());
    let evaluation = scored(&classifier, &data)?;
    if arguments.json {
        println!("{}", serde_json::to_string(&evaluation)?);
    } else {
        print_multi_label_evaluation(&evaluation);
        if evaluation.cut_texts > 0 {
            eprintln!("note: {} texts were cut to fit {} tokens", evaluation.cut_texts, record.recipe.max_tokens);
        }
    }
    Ok(())
}

/// `lincah compare` of two multi-label classifiers.
pub(crate) fn compare(arguments: &Compare, compute: Compute) -> anyhow::Result<()> {
    let (first, second) = (MultiLabelRecord::read(&arguments.first)?, MultiLabelRecord::read(&arguments.second)?);
    let labels = |record: &MultiLabelRecord| record.prompt.labels().names().to_vec();
    if labels(&first) != labels(&second) {
        return Err(Error::OtherLabels { first: labels(&first), second: labels(&second) }.into());
    }
    let data = holdout_rows(&first, (&arguments.columns, &arguments.data, &arguments.holdout))?;
    let predict = |folder: &Path| -> Result<_, Error> {
        let classifier = MultiLabelClassifier::load(folder, None, compute)?;
        print_device(compute, classifier.base());
        let begun = Instant::now();
        Ok((classifier.predict(&data.texts)?, begun.elapsed().as_secs_f64()))
    };
    // One after the other: two base models need not fit into memory.
    let ((first, first_seconds), (second, second_seconds)) = (predict(&arguments.first)?, predict(&arguments.second)?);
    let comparison = MultiLabelComparison::of((&first, &second), &data, (first_seconds, second_seconds))?;
    if arguments.json {
        println!("{}", serde_json::to_string(&comparison)?);
    } else {
        println!("{} rows; first {}, second {}", comparison.n, arguments.first.display(), arguments.second.display());
        print_multi_label_comparison(&comparison, &data, arguments.show_texts);
    }
    Ok(())
}

/// The rows that a classifier is scored on.
fn holdout_rows(
    record: &MultiLabelRecord,
    (columns, data, holdout): (&MultiLabelColumns, &DataArguments, &HoldoutArguments),
) -> anyhow::Result<MultiLabelDataset> {
    let cut = record.data.cut.unwrap_or(DEFAULT_THRESHOLD);
    let data = columns.read_for(data, record.prompt.labels().names(), cut)?;
    Ok(match holdout.split(data.len(), None)? {
        Some(split) => data.subset(&split.test),
        None => data,
    })
}

fn scored(classifier: &MultiLabelClassifier, data: &MultiLabelDataset) -> Result<MultiLabelEvaluation, Error> {
    let begun = Instant::now();
    let predictions = classifier.predict(&data.texts)?;
    MultiLabelEvaluation::of(&predictions, &data.labels, classifier.labels(), begun.elapsed().as_secs_f64())
}

/// `lincah cross-validate --multi-label`.
pub(crate) fn cross_validate(arguments: &CrossValidate, data: &MultiLabelDataset, compute: Compute) -> anyhow::Result<()> {
    let training = &arguments.training;
    let (rows, _) = training.holdout.sides(data.len(), training.train_size)?;
    let data = data.subset(&rows);
    data.check_answers()?;
    let labels = LabelSet::new(data.label_names.clone()).map_err(Error::from)?;
    let validation = CrossValidation {
        prompt: training.recipe.multi_label_prompt(labels, training.descriptions.all()).map_err(Error::from)?,
        recipe: recipe(training, &data)?,
        folds: arguments.folds,
        fold_seed: arguments.fold_seed,
        folder: arguments.out.clone(),
        stop: stop_on_interrupt()?,
    };
    validation.recipe.check()?;
    print_multi_label_report(&data, None);
    let base = BaseModel::open(&training.model, compute)?;
    print_device(compute, &base);
    let mut progress = FoldProgress::new(arguments.folds, &arguments.out);
    let results = validation.run(base, &data, &mut |event| progress.show(event, print_fold));
    progress.tell_kept(&results);
    print_summary(&results?);
    Ok(())
}

fn print_fold(result: &FoldResult<MultiLabelEvaluation>, before: bool) {
    let (scores, tfidf) = (&result.evaluation.scores, &result.tfidf.scores);
    let before = if before { "  (was finished)" } else { "" };
    let fold = result.fold.map_or(0, |fold| fold + 1);
    eprintln!(
        "fold {fold}: micro F1 {:.3}  macro F1 {:.3}  Hamming loss {:.3}  TF-IDF micro F1 {:.3}{before}",
        scores.micro_f1, scores.macro_f1, scores.hamming_loss, tfidf.micro_f1
    );
}

fn print_summary(results: &[FoldResult<MultiLabelEvaluation>]) {
    let metrics: [(&str, Metric<MultiLabelEvaluation>); 13] = [
        ("micro F1", |all| Some(all.scores.micro_f1)),
        ("micro precision", |all| Some(all.scores.micro_precision)),
        ("micro recall", |all| Some(all.scores.micro_recall)),
        ("macro F1", |all| Some(all.scores.macro_f1)),
        ("macro precision", |all| Some(all.scores.macro_precision)),
        ("macro recall", |all| Some(all.scores.macro_recall)),
        ("example F1", |all| Some(all.scores.example_f1)),
        ("example precision", |all| Some(all.scores.example_precision)),
        ("example recall", |all| Some(all.scores.example_recall)),
        ("subset accuracy", |all| Some(all.scores.subset_accuracy)),
        ("Hamming loss", |all| Some(all.scores.hamming_loss)),
        ("macro ROC-AUC", |all| all.macro_roc_auc),
        ("macro PR-AUC", |all| all.macro_pr_auc),
    ];
    print_means(results, &metrics);
    if let Some(pooled) = results.iter().find(|result| result.fold.is_none()) {
        println!("\nall folds together (for the areas, scores of different classifiers are put in one order):");
        print_multi_label_evaluation(&pooled.evaluation);
        print_multi_label_tfidf(&pooled.tfidf);
    }
}
