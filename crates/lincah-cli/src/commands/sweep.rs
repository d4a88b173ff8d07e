//! `lincah sweep`.

use crate::args::{Compute, Sweep as SweepArguments};
use crate::interrupt::asked_to_stop;
use crate::print::{data_report, device_lost, duration, json_line, next_steps, note, print_sweep, result_line, run_line};
use lincah::Error;
use lincah::sweep::{PlannedRun, Sweep, SweepEvent, SweepPlan, SweepRecipe, varied_settings};

pub(crate) fn run(arguments: &SweepArguments, compute: &Compute) -> anyhow::Result<()> {
    let data = arguments.data.read(&arguments.labels, arguments.positive.as_deref(), &arguments.split)?;
    let recipes = arguments.recipes.combinations()?;
    let plan = SweepPlan {
        models: arguments.models(),
        starts: arguments.starts(),
        split_seeds: arguments.split_seed.clone(),
        holdout: arguments.split.held_out(),
        train_sizes: arguments.train_size.clone(),
        recipes: recipes.iter().map(|recipe| SweepRecipe { recipe: recipe.recipe(), prompt: recipe.prompt() }).collect(),
    };
    let mut sweep = Sweep::open(&arguments.out, plan.runs(&data)?)?;
    let (runs, done, out) = (sweep.runs(), sweep.results().len(), arguments.out.display());
    note!("{runs} runs, {done} of them done in {out}");
    if let Some(first) = sweep.planned().next() {
        data_report(&first.train, Some(&first.test), first.prompt.white_space());
    }
    let settings: Vec<_> = sweep.planned().map(PlannedRun::settings).collect();
    let varied = varied_settings(&settings.iter().collect::<Vec<_>>());
    let outcome = sweep.run(arguments.jobs, &compute.all(), &mut |event| {
        match event {
            SweepEvent::Run { result, done, runs, seconds_left } => {
                note!("run {done}/{runs}  {}  {} left", run_line(result, &varied), duration(*seconds_left));
            }
            SweepEvent::Lost(error) => device_lost(error),
            _ => {}
        }
        asked_to_stop()
    });
    if let Err(Error::Interrupted { .. }) = &outcome {
        note!("the finished runs are kept in {out}; the same command goes on");
    }
    outcome?;
    if arguments.json {
        return sweep.results().into_iter().try_for_each(json_line);
    }
    print_sweep(&sweep.results());
    let rows = if plan.scores_holdout() {
        "Scored on the holdout rows: to report, not to choose by. A setting picked here looks better than it is; choose with --validation or `lincah cross-validate`."
    } else {
        "Scored on validation rows out of the training rows; the holdout was not looked at."
    };
    result_line!();
    result_line!("{rows}");
    result_line!("Each run is in {}.", arguments.out.join("results.csv").display());
    next_steps(&[format!("lincah report {out} --out report.html")]);
    Ok(())
}
