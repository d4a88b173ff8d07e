//! `lincah cross-validate`.

use crate::commands::multi_label;
use crate::experiment_args::CrossValidate;
use crate::fold_printer::{FoldProgress, Metric, print_means};
use crate::interrupt::stop_on_interrupt;
use crate::printer::{print_data_report, print_device, print_evaluation, print_members, print_tfidf};
use lincah::cross_validation::{CrossValidation, FoldResult};
use lincah::{BaseModel, Compute, Error, Evaluation, LabelSet};

pub(crate) fn run(arguments: &CrossValidate, compute: Compute) -> anyhow::Result<()> {
    let training = &arguments.training;
    if let Some(data) = training.columns.read(&training.data, &training.labels)? {
        return multi_label::cross_validate(arguments, &data, compute);
    }
    training.descriptions.refuse()?;
    let data = training.data.read(&training.labels, training.data.positive_at)?;
    let (rows, _) = training.holdout.sides(data.len(), training.train_size)?;
    let data = data.subset(&rows);
    let labels = LabelSet::new(data.label_names.clone()).map_err(Error::from)?;
    let rows = data.len() * arguments.folds.saturating_sub(1) / arguments.folds.max(1);
    let validation = CrossValidation {
        prompt: training.recipe.prompt(labels).map_err(Error::from)?,
        recipe: training.recipe.recipe(rows, BaseModel::sizes_of(&training.model)?),
        folds: arguments.folds,
        fold_seed: arguments.fold_seed,
        folder: arguments.out.clone(),
        stop: stop_on_interrupt()?,
    };
    validation.recipe.check()?;
    print_data_report(&data, None);
    print_members(&validation.recipe);
    let base = BaseModel::open(&training.model, compute)?;
    print_device(compute, &base);
    let mut progress = FoldProgress::new(arguments.folds, &arguments.out);
    let results = validation.run(base, &data, &mut |event| progress.show(event, print_fold));
    progress.tell_kept(&results);
    print_summary(&results?);
    Ok(())
}

fn print_fold(result: &FoldResult, before: bool) {
    let area = result.evaluation.roc_auc.map_or(String::new(), |area| format!("  ROC-AUC {area:.3}"));
    let before = if before { "  (was finished)" } else { "" };
    let fold = result.fold.map_or(0, |fold| fold + 1);
    eprintln!("fold {fold}: F1 {:.3}{area}  TF-IDF F1 {:.3}{before}", result.evaluation.f1, result.tfidf.f1);
}

fn print_summary(results: &[FoldResult]) {
    let metrics: [(&str, Metric<Evaluation>); 7] = [
        ("F1", |all| Some(all.f1)),
        ("macro F1", |all| Some(all.macro_f1)),
        ("precision", |all| Some(all.precision)),
        ("recall", |all| Some(all.recall)),
        ("accuracy", |all| Some(all.accuracy)),
        ("ROC-AUC", |all| all.roc_auc),
        ("PR-AUC", |all| all.pr_auc),
    ];
    print_means(results, &metrics);
    if let Some(pooled) = results.iter().find(|result| result.fold.is_none()) {
        println!("\nall folds together (for the areas, scores of different classifiers are put in one order):");
        print_evaluation(&pooled.evaluation);
        print_tfidf(&pooled.tfidf);
    }
}
