//! `lincah train`.

use crate::args::Train;
use crate::commands::multi_label;
use crate::printer::{print_data_report, print_evaluation, print_members, print_tfidf};
use crate::training_run::Run;
use lincah::baseline::TfidfBaseline;
use lincah::{BaseModel, Compute, Error, LabelSet};
use std::time::Duration;

pub(crate) fn run(arguments: &Train, compute: Compute) -> anyhow::Result<()> {
    let training = &arguments.training;
    let run = Run {
        out: &arguments.out,
        resume: arguments.resume,
        model: &training.model,
        checkpoint_interval: Duration::try_from_secs_f64(arguments.checkpoint_seconds)?,
        compute: Compute { profile: arguments.profile, ..compute },
    };
    if let Some(data) = training.columns.read(&training.data, &training.labels)? {
        return multi_label::train(training, &run, &data);
    }
    training.descriptions.refuse()?;
    let data = training.data.read(&training.labels, training.data.positive_at)?;
    let (train, holdout) = training.holdout.sides(data.len(), training.train_size)?;
    let (train, holdout) = (data.subset(&train), holdout.map(|rows| data.subset(&rows)));
    let recipe = training.recipe.recipe(train.len(), BaseModel::sizes_of(&training.model)?);
    recipe.check()?;
    let prompt = training.recipe.prompt(LabelSet::new(data.label_names.clone()).map_err(Error::from)?).map_err(Error::from)?;
    run.check_folder()?;
    print_data_report(&train, holdout.as_ref());
    print_members(&recipe);
    let classifier = run.train(&train, holdout.as_ref(), prompt, recipe)?;
    if let Some(evaluation) = &classifier.record().metrics {
        print_evaluation(evaluation);
    }
    if let Some(holdout) = &holdout {
        print_tfidf(&TfidfBaseline::evaluate(&train, holdout)?.1);
    }
    eprintln!("saved in {}", arguments.out.display());
    Ok(())
}
