//! `lincah cross-validate`.

use crate::args::{Compute, CrossValidate};
use crate::interrupt::asked_to_stop;
use crate::print::{FoldProgress, data_report, json_line, next_steps, print_device, print_folds, print_members};
use lincah::cross_validation::CrossValidation;
use lincah::{BaseModel, Error};

pub(crate) fn run(arguments: &CrossValidate, compute: &Compute) -> anyhow::Result<()> {
    let training = &arguments.training;
    let data = training.data.read(&training.labels, training.positive.as_deref(), &training.holdout.split)?;
    let data = training.holdout.divide(&data, training.train_size)?.train;
    data.check_trainable().map_err(Error::from)?;
    let rows = data.len() * arguments.folds.saturating_sub(1) / arguments.folds.max(1);
    let questions = rows * data.questions_per_row();
    let plan = training.plan(&data)?;
    let first = plan.models[0].as_str();
    let validation = CrossValidation {
        prompt: plan.prompt.clone(),
        recipe: plan.recipe(questions, first)?,
        companions: plan.companions(questions, compute.first)?,
        folds: arguments.folds,
        fold_seed: arguments.fold_seed,
        folder: arguments.out.clone(),
        elsewhere: compute.others.clone(),
    };
    data_report(&data, None, validation.prompt.white_space());
    print_members(&validation.recipe);
    let base = BaseModel::open(first, compute.first)?;
    print_device(compute.first, &base);
    let mut progress = FoldProgress::new(arguments.folds, &arguments.out);
    let results = validation.run(&base, &data, &mut |event| {
        progress.show(event);
        asked_to_stop()
    });
    progress.tell_kept(&results);
    let results = results?;
    if arguments.json {
        results.iter().try_for_each(json_line)?;
    } else {
        print_folds(&results);
    }
    next_steps(&[format!("lincah report {} --out report.html", arguments.out.display())]);
    Ok(())
}
