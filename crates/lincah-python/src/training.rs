//! Training, as `lincah train` does it.

use crate::classifier::Classifier;
use crate::data::GivenRows;
use crate::error::{raised, refused};
use crate::options::Options;
use crate::{models, work};
use lincah::cross_validation::CrossValidationEvent;
use lincah::{Companion, Experiment, ExperimentEvent, Preset, Trainer, TrainingPlan};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Trains a classifier on `rows` as `options` say; `on_event` hears of each step, as JSON.
#[pyfunction]
#[pyo3(signature = (rows, options, on_event=None))]
pub(crate) fn train(
    py: Python<'_>,
    rows: GivenRows,
    options: Bound<'_, PyDict>,
    on_event: Option<Py<PyAny>>,
) -> PyResult<Classifier> {
    let options = Options(options);
    let data = rows.dataset()?;
    data.check_trainable().map_err(raised)?;
    let (names, recipe, prompt) = (options.strings("model")?, options.recipe()?, options.prompt()?);
    if recipe.preset == Preset::Instant && recipe.is_of_lora() {
        return Err(refused(
            "preset is \"instant\", which trains no LoRA: leave its options out (augment, validation, max_tokens and seed are its own)",
        ));
    }
    let (compute, threads, decisions) = (options.compute()?, options.threads()?, options.decisions()?);
    let [folder, init] = ["out", "init"].map(|name| Ok::<_, PyErr>(options.get::<String>(name)?.map(PathBuf::from)));
    let (folder, init, resume) = (folder?, init?, options.is("resume")?);
    let open = if options.is("remember")? { models::open_remembering } else { models::open };
    let trained = work::run(py, threads, on_event.as_ref(), move |listener| {
        let plan = TrainingPlan::of(&names, recipe, &prompt, &data)?;
        let plan = match &init {
            Some(folder) => plan.starting_from(folder)?,
            None => plan,
        };
        let questions = data.questions();
        let first = plan.recipe(questions, &plan.models[0])?;
        let decisions = decisions(first.validation);
        if let Some(folder) = &folder {
            Trainer::check_folder(folder, resume)?;
        }
        let companion = |name: &String| Ok(Companion { base: open(name, compute)?, recipe: plan.recipe(questions, name)? });
        let companions: Vec<Companion> = plan.models[1..].iter().map(companion).collect::<Result<_, lincah::Error>>()?;
        let base = open(&plan.models[0], compute)?;
        let trainer = Trainer::new(&base, plan.prompt, first)?.together_with(&companions)?;
        let trainer = match &folder {
            Some(folder) => trainer.in_folder(folder, resume),
            None => trainer,
        };
        let outcome =
            Experiment::new(trainer).decide_by(decisions)?.run(&data, None, &mut |event| listener.tell(|| described(event)))?;
        Ok(outcome.classifier)
    })?;
    Ok(Classifier::new(trained, threads))
}

/// The event as a line of `training.jsonl`, in a fold with its number.
fn described(event: &ExperimentEvent) -> Value {
    let in_fold = |event: &lincah::TrainEvent, fold: Option<usize>| {
        let mut event = serde_json::to_value(event).unwrap_or_default();
        if let (Some(object), Some(fold)) = (event.as_object_mut(), fold) {
            object.insert(String::from("fold"), Value::from(fold + 1));
        }
        event
    };
    match event {
        ExperimentEvent::Training(event) => in_fold(event, None),
        ExperimentEvent::Folds(CrossValidationEvent::Training(fold, event)) => in_fold(event, Some(*fold)),
        _ => json!({"event": "fold_done"}),
    }
}
