//! Training, as `lincah train` does it.

use crate::classifier::Classifier;
use crate::data::GivenRows;
use crate::error::raised;
use crate::options::Options;
use crate::{models, work};
use lincah::cross_validation::CrossValidationEvent;
use lincah::tracking::{TrackedFigures, Tracking};
use lincah::{Companion, Experiment, ExperimentEvent, Trainer, TrainingPlan};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde_json::{Value, json};
use std::collections::BTreeMap;
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
    let (compute, threads, decisions) = (options.compute()?, options.threads()?, options.decisions()?);
    let [folder, init] = ["out", "init"].map(|name| Ok::<_, PyErr>(options.get::<String>(name)?.map(PathBuf::from)));
    let elsewhere = options.elsewhere()?;
    let (folder, init, resume) = (folder?, init?, options.is("resume")?);
    let open = if options.is("remember")? { models::open_remembering } else { models::open };
    let mut tracking = Tracking::default();
    let trained = work::run(py, threads, on_event.as_ref(), move |listener| {
        let plan = TrainingPlan::of(&names, recipe, &prompt, &data)?;
        let plan = match &init {
            Some(folder) => plan.starting_from(folder)?,
            None => plan,
        };
        let questions = data.questions();
        let first = plan.recipe(questions, &plan.models[0])?;
        let decisions = decisions(first.validation)?;
        if let Some(folder) = &folder {
            Trainer::check_folder(folder, resume)?;
        }
        // Through the models that are open, unlike `TrainingPlan::companions`.
        let companion = |name: &String| Ok(Companion { base: open(name, compute)?, recipe: plan.recipe(questions, name)? });
        let companions: Vec<Companion> = plan.models[1..].iter().map(companion).collect::<Result<_, lincah::Error>>()?;
        let base = open(&plan.models[0], compute)?;
        let trainer = Trainer::new(&base, plan.prompt, first)?.together_with(&companions)?.also_on(&elsewhere);
        let trainer = match &folder {
            Some(folder) => trainer.in_folder(folder, resume),
            None => trainer,
        };
        let outcome = Experiment::new(trainer).decide_by(decisions)?.run(&data, None, &mut |event| {
            let figures = tracking.figures(event);
            listener.tell(|| described(event, figures))
        })?;
        Ok(outcome.classifier)
    })?;
    Ok(Classifier::new(trained, threads))
}

/// The event as a line of `training.jsonl`, in a fold with its number, and what trackers draw of it.
fn described(event: &ExperimentEvent, figures: Option<TrackedFigures>) -> Value {
    let (event, fold) = match event {
        ExperimentEvent::Training(event) => (event, None),
        ExperimentEvent::Folds(CrossValidationEvent::Training(fold, event)) => (event, Some(fold + 1)),
        _ => return json!({"event": "fold_done"}),
    };
    let mut described = serde_json::to_value(event).unwrap_or_default();
    if let Some(object) = described.as_object_mut() {
        object.extend(fold.map(|fold| (String::from("fold"), Value::from(fold))));
        if let Some(TrackedFigures { run, values, .. }) = figures {
            let metrics: BTreeMap<&str, f64> = values.into_iter().collect();
            object.extend([(String::from("run"), json!(run)), (String::from("metrics"), json!(metrics))]);
        }
    }
    described
}

/// Files that TensorBoard reads.
#[pyclass(module = "lincah.lincah_native")]
pub(crate) struct EventFiles(lincah::tracking::EventFiles);

#[pymethods]
impl EventFiles {
    #[new]
    fn new(folder: PathBuf) -> Self {
        Self(lincah::tracking::EventFiles::new(folder))
    }

    /// Appends figures by their names to a run; without any, the run begins, or goes on from this step.
    fn write(&mut self, run: &str, step: usize, metrics: BTreeMap<String, f64>) -> PyResult<()> {
        self.0.write(run, step, metrics.iter().map(|(name, value)| (name.as_str(), *value))).map_err(raised)
    }
}
