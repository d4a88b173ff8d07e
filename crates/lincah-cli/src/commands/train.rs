//! `lincah train`.

use crate::args::{Compute, Train};
use crate::interrupt::asked_to_stop;
use crate::print::{
    ExperimentProgress, data_report, json_line, next_steps, note, print_decisions, print_device, print_full_evaluation,
    print_members, print_operation_times, print_tfidf,
};
use lincah::data::text_columns::TextColumns;
use lincah::evaluation::{EvaluatedRows, FullEvaluation};
use lincah::tracking::Tracking;
use lincah::{BaseModel, ComputeOptions, Error, Experiment, Trainer};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

pub(crate) fn run(arguments: &Train, compute: &Compute) -> anyhow::Result<()> {
    let (training, out) = (&arguments.training, &arguments.out);
    let (elsewhere, compute) = (&compute.others, ComputeOptions { profile: arguments.profile, ..compute.first });
    let data = training.data.read(&training.labels, training.positive.as_deref(), &training.holdout.split)?;
    let sides = training.holdout.divide(&data, training.train_size)?;
    sides.train.check_trainable().map_err(Error::from)?;
    let plan = training.plan(&sides.train)?;
    let (questions, first) = (sides.train.questions(), plan.models[0].as_str());
    let recipe = plan.recipe(questions, first)?;
    let decisions = arguments.decisions.plan(recipe.validation)?;
    let mut event_files = arguments.event_files()?;
    Trainer::check_folder(out, arguments.resume)?;
    data_report(&sides.train, sides.holdout.as_ref(), plan.prompt.white_space());
    print_members(&recipe);
    let base = BaseModel::open(first, compute)?;
    let companions = plan.companions(questions, compute)?;
    print_device(compute, &base);
    let mut progress = ExperimentProgress::of(&recipe, decisions.as_ref(), out);
    let trainer = Trainer::new(&base, plan.prompt, recipe)?
        .together_with(&companions)?
        .in_folder(out, arguments.resume)
        .checkpoint_interval(Duration::try_from_secs_f64(arguments.checkpoint_seconds)?)
        .text_columns(&TextColumns::new(training.data.text.clone()))
        .also_on(elsewhere);
    let begun = Instant::now();
    let experiment = Experiment::new(trainer).decide_by(decisions)?;
    let (mut tracking, mut untracked) = (Tracking::default(), None);
    let outcome = experiment.run(&sides.train, sides.holdout.as_ref(), &mut |event| {
        progress.show(event);
        if let (Some(files), Some(figures)) = (&mut event_files, tracking.figures(event))
            && let Err(error) = files.write(&figures.run, figures.step, figures.values)
        {
            untracked = Some(error);
            return ControlFlow::Break(());
        }
        asked_to_stop()
    });
    if let Some(error) = untracked {
        return Err(error.into());
    }
    let outcome = outcome?;
    if arguments.profile {
        print_operation_times(&base, begun.elapsed());
    }
    let record = outcome.classifier.record();
    if let (Some(record), false) = (record, arguments.json) {
        print_decisions(record);
    }
    if let (Some(scored), Some(tfidf), Some(holdout)) = (&outcome.scored, &outcome.tfidf, &sides.holdout) {
        let members = record.map_or(Vec::new(), |record| record.member_descriptions());
        let rows = EvaluatedRows { trained_on: Some(0), members, ..EvaluatedRows::default() };
        let full = FullEvaluation::of(scored.evaluation.clone(), &scored.predictions, holdout.truth(), &rows)?;
        if arguments.json {
            json_line(&full)?;
        } else {
            print_full_evaluation(&full);
            print_tfidf(&tfidf.evaluation);
        }
    }
    let out = out.display();
    note!("saved in {out}");
    let mut next = vec![format!("lincah predict {out} --input \"any text\"")];
    if training.holdout.is_given() {
        let rows = training.data.again() + &training.holdout.again();
        next.push(format!("lincah evaluate {out} {rows}"));
        next.push(format!("lincah report {out} {rows} --out report.html"));
    }
    next_steps(&next);
    Ok(())
}
