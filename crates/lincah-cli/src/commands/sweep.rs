//! `lincah sweep`.

use crate::experiment_args::Sweep as SweepArguments;
use crate::interrupt::stop_on_interrupt;
use crate::printer::{duration, print_data_report};
use anyhow::bail;
use lincah::data::DataError;
use lincah::data::dataset::LabelledDataset;
use lincah::data::split::{holdout, validation_split};
use lincah::statistics::mean_deviation;
use lincah::sweep::{PlannedRun, RunResult, Sweep, SweepEvent, varied_settings};
use lincah::{BaseModel, Compute, Error, LabelSet};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) fn run(arguments: &SweepArguments, compute: Compute) -> anyhow::Result<()> {
    let data = arguments.data.read(&arguments.labels, arguments.data.positive_at)?;
    let mut sweep = Sweep::open(&arguments.out, plan(arguments, &data)?)?;
    let (runs, done) = (sweep.runs(), sweep.results().len());
    eprintln!("{runs} runs, {done} of them done in {}", arguments.out.display());
    if let Some(first) = sweep.planned().next() {
        print_data_report(&first.train, Some(&first.test));
    }
    let varied = varied(&sweep.planned().map(PlannedRun::settings).collect::<Vec<_>>());
    let stop = stop_on_interrupt()?;
    let outcome = sweep.run((arguments.jobs, compute), &stop, &mut |event| {
        if let SweepEvent::Run { result, done, runs, seconds_left } = event {
            eprintln!("run {done}/{runs}  {}  {} left", run_line(result, &varied), duration(*seconds_left));
        }
    });
    if let Err(Error::Interrupted { .. }) = &outcome {
        eprintln!("the finished runs are kept in {}; the same command goes on", arguments.out.display());
    }
    outcome?;
    print_table(&sweep.results());
    let rows = if sweep.results().iter().any(|result| result.evaluation.is_some()) && scores_holdout(arguments)? {
        "Scored on the holdout rows: to report, not to choose by. A setting picked here looks better than it is; choose with --validation or `lincah cross-validate`."
    } else {
        "Scored on validation rows out of the training rows; the holdout was not looked at."
    };
    println!("\n{rows}\nEach run is in {}.", arguments.out.join("results.csv").display());
    Ok(())
}

fn scores_holdout(arguments: &SweepArguments) -> anyhow::Result<bool> {
    let recipes = arguments.recipes.combinations()?;
    Ok(recipes.iter().any(|recipe| recipe.validation() == 0.0))
}

/// Every combination, those of one model and one split together.
fn plan(arguments: &SweepArguments, data: &LabelledDataset) -> anyhow::Result<Vec<PlannedRun>> {
    let recipes = arguments.recipes.combinations()?;
    let labels = LabelSet::new(data.label_names.clone()).map_err(Error::from)?;
    let sizes: Vec<Option<usize>> = match arguments.train_size.as_slice() {
        [] => vec![None],
        sizes => sizes.iter().copied().map(Some).collect(),
    };
    let mut splits = BTreeMap::new();
    let mut runs = Vec::new();
    for model in &arguments.model {
        let model_sizes = BaseModel::sizes_of(model)?;
        for &split_seed in &arguments.split_seed {
            for &size in &sizes {
                for arguments_of_run in &recipes {
                    // The validation rows are split off here, so that all runs have the same ones.
                    let fraction = arguments_of_run.validation();
                    let (train, test) = match splits.entry((split_seed, size, fraction.to_bits())) {
                        std::collections::btree_map::Entry::Occupied(found) => found.into_mut(),
                        std::collections::btree_map::Entry::Vacant(place) => {
                            place.insert(split(data, arguments.holdout, (split_seed, size, fraction))?)
                        }
                    };
                    let recipe = arguments_of_run.recipe_scored_apart(train.len(), model_sizes);
                    if recipe.patience.is_some() {
                        bail!("--patience does not go with sweep: every run is trained to its end; give --epochs a list");
                    }
                    let prompt = arguments_of_run.prompt(labels.clone()).map_err(Error::from)?;
                    let (model, train, test) = (model.clone(), train.clone(), test.clone());
                    runs.push(PlannedRun { model, split_seed, train, test, prompt, recipe });
                }
            }
        }
    }
    Ok(runs)
}

type Rows = (Arc<LabelledDataset>, Arc<LabelledDataset>);

/// Rows to train on and rows to score: the holdout, or with `fraction` a stratified share of the other rows.
fn split(data: &LabelledDataset, kept: Option<usize>, (seed, size, fraction): (u32, Option<usize>, f64)) -> anyhow::Result<Rows> {
    let (mut train, mut test) = match kept {
        Some(kept) => {
            let split = holdout(data.len(), kept, seed, None)?;
            (split.train, split.test)
        }
        None => ((0..data.len()).collect(), Vec::new()),
    };
    if fraction != 0.0 {
        let labels: Vec<usize> = train.iter().map(|&row| data.labels[row]).collect();
        let split = validation_split(&labels, fraction, seed)?;
        let rows = |places: &[usize]| -> Vec<usize> { places.iter().map(|&place| train[place]).collect() };
        (train, test) = (rows(&split.train), rows(&split.test));
    } else if kept.is_none() {
        bail!("no rows to score: give --holdout N, or --validation F to score a share of the training rows");
    }
    if let Some(size) = size {
        if size == 0 || size > train.len() {
            return Err(DataError::TrainSize { train_size: size, available: train.len() }.into());
        }
        train.truncate(size);
    }
    Ok((Arc::new(data.subset(&train)), Arc::new(data.subset(&test))))
}

fn varied(settings: &[Map<String, Value>]) -> Vec<String> {
    varied_settings(&settings.iter().collect::<Vec<_>>())
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

fn run_line(result: &RunResult, varied: &[String]) -> String {
    let settings = result.settings();
    let settings: Vec<String> = varied.iter().map(|name| format!("{name} {}", shown(&settings[name]))).collect();
    let metrics = result.evaluation.as_ref().map_or(String::from("diverged"), |evaluation| {
        let area = evaluation.roc_auc.map_or(String::new(), |area| format!("  ROC-AUC {area:.3}"));
        format!("F1 {:.3}{area}", evaluation.f1)
    });
    format!("{}  {metrics}", settings.join(", "))
}

/// A line for every setting, the mean over its seeds, in the plan's order.
fn print_table(results: &[&RunResult]) {
    let settings: Vec<Map<String, Value>> = results.iter().map(|result| result.settings()).collect();
    let columns: Vec<String> = varied(&settings).into_iter().filter(|name| name != "seed").collect();
    let mut groups: Vec<(Vec<String>, Vec<&RunResult>)> = Vec::new();
    for (result, settings) in results.iter().zip(&settings) {
        let key: Vec<String> = columns.iter().map(|name| shown(&settings[name])).collect();
        match groups.iter_mut().find(|(other, _)| *other == key) {
            Some((_, runs)) => runs.push(result),
            None => groups.push((key, vec![result])),
        }
    }
    let title = ["runs", "F1", "ROC-AUC", "TF-IDF F1", "TF-IDF ROC-AUC", "always-same F1"].map(String::from);
    let mut lines = vec![columns.iter().cloned().chain(title).collect::<Vec<String>>()];
    for (key, runs) in groups {
        let of = |metric: fn(&RunResult) -> Option<f64>| {
            let values: Vec<f64> = runs.iter().filter_map(|run| metric(run)).collect();
            mean_deviation(&values).map_or(String::from("-"), |found| match found.deviation {
                Some(deviation) => format!("{:.3} ± {deviation:.3}", found.mean),
                None => format!("{:.3}", found.mean),
            })
        };
        let first = runs[0];
        let cells = [
            runs.len().to_string(),
            of(|run| run.evaluation.as_ref().map(|all| all.f1)),
            of(|run| run.evaluation.as_ref().and_then(|all| all.roc_auc)),
            format!("{:.3}", first.tfidf.f1),
            first.tfidf.roc_auc.map_or(String::from("-"), |area| format!("{area:.3}")),
            format!("{:.3}", first.tfidf.baseline_f1),
        ];
        lines.push(key.into_iter().chain(cells).collect());
    }
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}
