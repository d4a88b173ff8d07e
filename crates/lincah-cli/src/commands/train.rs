//! `lincah train`.

use crate::args::Train;
use crate::interrupt::asked_to_stop;
use crate::print::{
    TrainingProgress, data_report, json_line, next_steps, note, print_device, print_evaluation, print_members,
    print_operation_times, print_tfidf,
};
use lincah::{BaseModel, ComputeOptions, Error, Trainer};
use std::time::{Duration, Instant};

pub(crate) fn run(arguments: &Train, compute: ComputeOptions) -> anyhow::Result<()> {
    let (training, out) = (&arguments.training, &arguments.out);
    let compute = ComputeOptions { profile: arguments.profile, ..compute };
    let data = training.data.read(&training.labels, training.positive.as_deref())?;
    let sides = training.holdout.divide(&data, training.train_size)?;
    sides.train.check_trainable().map_err(Error::from)?;
    let recipe = training.recipe.recipe().recipe(&sides.train, BaseModel::sizes_of(&training.model)?);
    recipe.check()?;
    let prompt = training.recipe.prompt().prompt(&data, training.recipe.preset()).map_err(Error::from)?;
    Trainer::check_folder(out, arguments.resume)?;
    data_report(&sides.train, sides.holdout.as_ref());
    print_members(&recipe);
    let base = BaseModel::open(&training.model, compute)?;
    print_device(compute, &base);
    let mut progress = TrainingProgress::of(&recipe);
    let columns = training.data.options(&[], None)?.text_columns;
    let trainer = Trainer::new(&base, prompt, recipe)?
        .in_folder(out, arguments.resume)
        .checkpoint_interval(Duration::try_from_secs_f64(arguments.checkpoint_seconds)?)
        .text_columns(&columns);
    let begun = Instant::now();
    let outcome = trainer.fit_and_evaluate(&sides.train, sides.holdout.as_ref(), &mut |event| {
        progress.show(event);
        asked_to_stop()
    })?;
    if arguments.profile {
        print_operation_times(&base, begun.elapsed());
    }
    if let (Some(scored), Some(tfidf)) = (&outcome.scored, &outcome.tfidf) {
        if arguments.json {
            json_line(&scored.evaluation)?;
        } else {
            print_evaluation(&scored.evaluation);
            print_tfidf(&tfidf.evaluation);
        }
    }
    let out = out.display();
    note!("saved in {out}");
    let mut next = vec![format!("lincah predict {out} --input \"any text\"")];
    if training.holdout.holdout.is_some() {
        let rows = training.data.again() + &training.holdout.again();
        next.push(format!("lincah evaluate {out} {rows}"));
        next.push(format!("lincah report {out} {rows} --out report.html"));
    }
    next_steps(&next);
    Ok(())
}
