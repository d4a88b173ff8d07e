//! A trained classifier.

use crate::data::GivenRows;
use crate::error::{raised, refused};
use crate::options::Options;
use crate::{judgement, models, work};
use lincah::data::records::ReadOptions;
use lincah::data::writer::{Destination, OutputFormat};
use lincah::{
    AgileClassifier, Asked, ClassifierRecord, Error, ExportForm, ExportOptions, Keep, LabelSet, PredictFileOptions, Prediction,
    PredictionOutput, Prompt, Recipe, Task,
};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

/// Most texts that are scored at a time, as the command does.
const MOST_TEXTS: usize = 512;
/// Texts that are scored at first; more, as long as that takes less than [`AT_A_TIME`], so that Ctrl-C is heard.
const FIRST_TEXTS: usize = 32;
const AT_A_TIME: Duration = Duration::from_millis(500);

/// Probabilities `[texts][labels]` as f64, whether each label is given as u8, whether each text is left to a person as u8, and how many
/// characters of each were not read.
type Scored<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>, Bound<'py, PyBytes>, Vec<usize>);

/// A trained classifier; `lincah.AgileClassifier` is what people use.
#[pyclass(frozen, module = "lincah.lincah_native")]
pub(crate) struct Classifier {
    classifier: RwLock<AgileClassifier>,
    threads: Option<usize>,
}

impl Classifier {
    pub(crate) fn new(classifier: AgileClassifier, threads: Option<usize>) -> Self {
        Self { classifier: RwLock::new(classifier), threads }
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, AgileClassifier> {
        self.classifier.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, AgileClassifier> {
        self.classifier.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does work on the classifier where Ctrl-C is heard.
    pub(crate) fn run<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&AgileClassifier, &work::Listener) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        work::run(py, self.threads, None, |listener| work(&self.read(), listener))
    }

    fn predictions(&self, py: Python<'_>, texts: &[String]) -> PyResult<Vec<Prediction>> {
        self.run(py, |classifier, listener| predictions(classifier, texts, listener))
    }
}

/// The predictions of all texts; fewer, where somebody asks to stop.
pub(crate) fn predictions(
    classifier: &AgileClassifier,
    texts: &[String],
    listener: &work::Listener,
) -> Result<Vec<Prediction>, Error> {
    let (mut predictions, mut size) = (Vec::with_capacity(texts.len()), FIRST_TEXTS);
    while predictions.len() < texts.len() && listener.go_on().is_continue() {
        let begun = Instant::now();
        let end = texts.len().min(predictions.len() + size);
        predictions.extend(classifier.predict(&texts[predictions.len()..end])?);
        if begun.elapsed() < AT_A_TIME {
            size = MOST_TEXTS.min(2 * size);
        }
    }
    Ok(predictions)
}

#[pymethods]
impl Classifier {
    /// Reads a classifier folder.
    #[staticmethod]
    fn load(py: Python<'_>, folder: PathBuf, options: Bound<'_, PyDict>) -> PyResult<Self> {
        let options = Options(options);
        let (compute, threads, model) = (options.compute()?, options.threads()?, options.get::<String>("model")?);
        let read = |_: &work::Listener| {
            let record = ClassifierRecord::read(&folder)?;
            AgileClassifier::load_with(&folder, &mut models::of_record(&record, model.as_deref(), compute)?)
        };
        Ok(Self::new(work::run(py, threads, None, read)?, threads))
    }

    /// A PEFT adapter, asked as lincah's export or the options say.
    #[staticmethod]
    fn from_peft(py: Python<'_>, folder: PathBuf, options: Bound<'_, PyDict>) -> PyResult<Self> {
        let options = Options(options);
        let (compute, threads, model) = (options.compute()?, options.threads()?, options.get::<String>("model")?);
        let labels = options.strings("labels")?;
        let asked = if labels.is_empty() { None } else { Some(asked(&options, labels)?) };
        let import = move |_: &work::Listener| {
            let asked = match asked {
                Some(asked) => Ok(Some(asked)),
                None => Asked::read(&folder),
            };
            let model = match model {
                Some(model) => Some(model),
                None => lincah::base_model_of(&folder)?.map(|name| beside(&folder, name)),
            };
            let (asked, model) = match (asked?, model) {
                (None, _) => return Ok(Err("it is not said what the adapter was trained to answer: give labels")),
                (_, None) => return Ok(Err("the adapter names no base model: give model")),
                (Some(asked), Some(model)) => (asked, model),
            };
            AgileClassifier::import(&folder, &models::open(&model, compute)?, asked).map(Ok)
        };
        Ok(Self::new(work::run(py, threads, None, import)?.map_err(refused)?, threads))
    }

    /// A model that is asked as it is.
    #[staticmethod]
    fn zero_shot(py: Python<'_>, options: Bound<'_, PyDict>) -> PyResult<Self> {
        let options = Options(options);
        let (compute, threads) = (options.compute()?, options.threads()?);
        let model = options.get::<String>("model")?;
        let Asked { prompt, max_tokens, .. } = asked(&options, options.strings("labels")?)?;
        let ask = |_: &work::Listener| {
            let model = match model {
                Some(model) => model,
                None => AgileClassifier::zero_shot_model(&prompt, max_tokens)?.to_owned(),
            };
            AgileClassifier::zero_shot(&models::open(&model, compute)?, prompt, max_tokens)
        };
        Ok(Self::new(work::run(py, threads, None, ask)?, threads))
    }

    /// Writes the classifier folder.
    fn save(&self, py: Python<'_>, folder: PathBuf) -> PyResult<()> {
        self.run(py, |classifier, _| classifier.save(&folder))
    }

    /// Writes what was chosen since into a folder that was saved.
    fn save_record(&self, py: Python<'_>, folder: PathBuf) -> PyResult<()> {
        self.run(py, |classifier, _| classifier.save_record(&folder))
    }

    #[getter]
    fn labels(&self) -> Vec<String> {
        self.read().labels().names().to_vec()
    }

    #[getter]
    fn is_multi_label(&self) -> bool {
        self.read().task() == Task::MultiLabel
    }

    /// What is stored about the classifier, as JSON; `None` of a model that is asked as it is.
    #[getter]
    fn record(&self) -> PyResult<Option<String>> {
        self.read().record().map(json).transpose()
    }

    /// Thresholds by label, in the labels' order; none where the most probable label is given.
    #[getter]
    fn thresholds(&self) -> Vec<f64> {
        self.read().rule().thresholds.clone()
    }

    fn predict<'py>(&self, py: Python<'py>, texts: Vec<String>) -> PyResult<Scored<'py>> {
        let predictions = self.predictions(py, &texts)?;
        let probabilities = predictions.iter().flat_map(|prediction| &prediction.probabilities);
        let probabilities: Vec<u8> = probabilities.flat_map(|probability| probability.to_ne_bytes()).collect();
        let given: Vec<u8> = predictions.iter().flat_map(|prediction| prediction.given()).map(u8::from).collect();
        let review: Vec<u8> = predictions.iter().map(|prediction| u8::from(prediction.is_abstained())).collect();
        let truncated = predictions.iter().map(|prediction| prediction.truncated_characters).collect();
        Ok((PyBytes::new(py, &probabilities), PyBytes::new(py, &given), PyBytes::new(py, &review), truncated))
    }

    /// The predictions as `lincah predict` writes them, with the words that did it where they are asked for.
    fn predict_records(&self, py: Python<'_>, texts: Vec<String>, explain: bool) -> PyResult<String> {
        let (task, labels) = (self.read().task(), self.read().labels().clone());
        let records: Vec<Value> = if explain {
            let explained = self.run(py, |classifier, listener| {
                let texts = texts.iter().take_while(|_| listener.go_on().is_continue());
                texts.map(|text| Ok(classifier.explain(&[text])?.swap_remove(0))).collect::<Result<Vec<_>, Error>>()
            })?;
            let record = |explanation: lincah::Explanation| {
                let mut record = explanation.prediction.named(task, &labels);
                record.insert(String::from("reasons"), serde_json::to_value(explanation.reasons).unwrap_or_default());
                record.into()
            };
            explained.into_iter().map(record).collect()
        } else {
            self.predictions(py, &texts)?.into_iter().map(|prediction| prediction.named(task, &labels).into()).collect()
        };
        json(&records)
    }

    /// Writes the prediction of every row of a file, as `lincah predict` does; gives how many rows, and how many of them have no text.
    fn predict_file(
        &self,
        py: Python<'_>,
        source: PathBuf,
        destination: PathBuf,
        options: Bound<'_, PyDict>,
    ) -> PyResult<(u64, u64)> {
        let options = Options(options);
        let (columns, keep) = (options.strings("text")?, options.strings("keep")?);
        let format = OutputFormat::of_path(&destination).unwrap_or(OutputFormat::JsonLines);
        let text_columns =
            self.read().text_columns(&columns, &source).ok_or_else(|| refused("give text, the column with the texts"))?;
        let file = PredictFileOptions {
            text_columns,
            keep: if keep == ["all"] { Keep::All } else { Keep::Columns(keep) },
            read: ReadOptions::default(),
            strict: options.is("strict")?,
            explain: options.is("explain")?,
        };
        let output = PredictionOutput { destination: Destination::File(destination), format };
        let written =
            self.run(py, |classifier, listener| classifier.predict_file(&[], &source, &file, output, &mut |_| listener.go_on()))?;
        Ok((written.rows, written.without_text))
    }

    /// The evaluation as JSON, and what a reader must know of its rows.
    fn evaluate(&self, py: Python<'_>, rows: GivenRows, options: Bound<'_, PyDict>) -> PyResult<(String, Option<String>)> {
        judgement::evaluate(self, py, rows, &Options(options))
    }

    /// The report's page, and its plots by name.
    #[pyo3(signature = (rows, train, options))]
    fn report(
        &self,
        py: Python<'_>,
        rows: GivenRows,
        train: Option<GivenRows>,
        options: Bound<'_, PyDict>,
    ) -> PyResult<(String, Vec<(String, String)>)> {
        judgement::report(self, py, (rows, train), &Options(options))
    }

    /// The audit as JSON, and what a reader must know of its rows.
    fn audit(&self, py: Python<'_>, rows: GivenRows, options: Bound<'_, PyDict>) -> PyResult<(String, Option<String>)> {
        judgement::audit(self, py, rows, &Options(options))
    }

    /// Chooses calibration and decisions; gives what a reader must know of the rows.
    fn calibrate(&self, py: Python<'_>, rows: GivenRows, options: Bound<'_, PyDict>) -> PyResult<Option<String>> {
        let request = Options(options).request()?;
        let data = rows.dataset()?;
        let (labels, task) = (self.read().labels().clone(), self.read().task());
        request.check(task, labels.names()).map_err(raised)?;
        let unseen = judgement::unseen(&self.read(), data, false)?;
        let choose = |_: &work::Listener| self.write().calibrate(&unseen.data, &request).map(drop);
        work::run(py, self.threads, None, choose)?;
        Ok(unseen.notice)
    }

    /// Writes the classifier in another form; gives the folders, and what is not in them.
    fn export(&self, py: Python<'_>, folder: PathBuf, options: Bound<'_, PyDict>) -> PyResult<(Vec<PathBuf>, Vec<String>)> {
        let options = Options(options);
        let form = options.named::<ExportForm>("to")?.ok_or_else(|| refused("give the form to export to"))?;
        let options = ExportOptions { form, number_type: options.named("dtype")?, base_model: options.get("base_model")? };
        let exported = self.run(py, |classifier, _| classifier.export(&folder, &options))?;
        Ok((exported.folders, exported.notes))
    }
}

/// How a model is asked about these labels.
fn asked(options: &Options, labels: Vec<String>) -> PyResult<Asked> {
    let task = if options.is("independent")? { Task::MultiLabel } else { Task::SingleLabel };
    let prompt = Prompt::new(task, LabelSet::new(labels).map_err(raised)?).map_err(raised)?;
    let prompt = options.prompt()?.apply(prompt).map_err(raised)?;
    let max_tokens = options.get("max_tokens")?.unwrap_or(Recipe::default().max_tokens);
    Ok(Asked { prompt, max_tokens, decision_rule: Default::default(), calibration: Default::default() })
}

/// A base model may lie beside its adapter.
fn beside(folder: &Path, name: String) -> String {
    let place = folder.join(&name);
    if place.is_dir() { place.display().to_string() } else { name }
}

pub(crate) fn json(value: &(impl serde::Serialize + ?Sized)) -> PyResult<String> {
    serde_json::to_string(value).map_err(|error| refused(error.to_string()))
}
