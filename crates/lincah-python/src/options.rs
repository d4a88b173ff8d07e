//! The estimator's parameters as the library's settings.

use crate::error::refused;
use lincah::calibration::CalibrationChoice;
use lincah::decisions::{DecisionRequest, DecisionTarget, LabelTarget, ReviewTarget};
use lincah::{
    ComputeOptions, DecisionPlan, DecisionScores, Device, Devices, Error, LongTexts, PromptOverrides, RecipeOverrides, Target,
};
use pyo3::conversion::FromPyObjectOwned;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

/// Values by name; what is `None` or absent is not chosen.
pub(crate) struct Options<'py>(pub(crate) Bound<'py, PyDict>);

/// What a value is to be, in words.
pub(crate) trait Expected {
    const WORDS: &'static str;
}

macro_rules! expected {
    ($($kind:ty: $words:literal),+ $(,)?) => { $(impl Expected for $kind { const WORDS: &'static str = $words; })+ };
}
expected!(
    bool: "True or False",
    usize: "a whole number from 0",
    u64: "a whole number from 0",
    u32: "a whole number from 0",
    f64: "a number",
    String: "a string",
    Vec<String>: "a list of strings",
    Vec<usize>: "a list of whole numbers",
    BTreeMap<String, String>: "a dictionary of strings",
    BTreeMap<String, f64>: "a dictionary of numbers",
);

impl<'py> Options<'py> {
    fn value(&self, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(self.0.get_item(name)?.filter(|value| !value.is_none()))
    }

    fn wrong<T>(&self, name: &str, expected: impl Display) -> PyResult<T> {
        let value = self
            .value(name)?
            .map_or(String::from("None"), |value| value.repr().map_or_else(|_| String::new(), |repr| repr.to_string()));
        Err(refused(format!("{name} is {value}, but must be {expected}")))
    }

    /// A value, if it is chosen.
    pub(crate) fn get<T: FromPyObjectOwned<'py> + Expected>(&self, name: &str) -> PyResult<Option<T>> {
        let Some(value) = self.value(name)? else { return Ok(None) };
        match value.extract::<T>() {
            Ok(value) => Ok(Some(value)),
            Err(_) => self.wrong(name, T::WORDS),
        }
    }

    /// Whether something is so; not, where nothing is chosen.
    pub(crate) fn is(&self, name: &str) -> PyResult<bool> {
        Ok(self.get::<bool>(name)?.unwrap_or(false))
    }

    /// A choice by its name, if it is made.
    pub(crate) fn named<T: FromStr<Err: Display>>(&self, name: &str) -> PyResult<Option<T>> {
        let Some(text) = self.get::<String>(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|error: T::Err| refused(format!("{name}: {error}")))
    }

    /// One string or a list of them; none where nothing is chosen.
    pub(crate) fn strings(&self, name: &str) -> PyResult<Vec<String>> {
        match self.value(name)? {
            None => Ok(Vec::new()),
            Some(value) if value.extract::<String>().is_ok() => Ok(self.get::<String>(name)?.into_iter().collect()),
            Some(_) => Ok(self.get::<Vec<String>>(name)?.unwrap_or_default()),
        }
    }

    fn devices(&self) -> PyResult<Devices> {
        Ok(self.named("device")?.unwrap_or_else(|| Devices::from(Device::Auto)))
    }

    /// Further devices, which share the work of trainings that have several parts.
    pub(crate) fn elsewhere(&self) -> PyResult<Vec<ComputeOptions>> {
        let (compute, devices) = (self.compute()?, self.devices()?);
        Ok(devices.others.into_iter().map(|device| ComputeOptions { device, ..compute }).collect())
    }

    /// Where and how to compute, on the first device if there are several.
    pub(crate) fn compute(&self) -> PyResult<ComputeOptions> {
        Ok(ComputeOptions {
            device: self.devices()?.first,
            precision: self.named("precision")?,
            recompute: self.is("recompute")?,
            profile: false,
        })
    }

    pub(crate) fn threads(&self) -> PyResult<Option<usize>> {
        self.get("threads")
    }

    /// What is chosen of the recipe.
    pub(crate) fn recipe(&self) -> PyResult<RecipeOverrides> {
        Ok(RecipeOverrides {
            preset: self.named("preset")?.unwrap_or_default(),
            epochs: self.get("epochs")?,
            learning_rate: self.get("learning_rate")?,
            batch_size: self.get("batch_size")?,
            gradient_accumulation: self.get("gradient_accumulation")?,
            rank: self.get("rank")?,
            alpha: self.get("alpha")?,
            rank_stabilized: self.is("rank_stabilized")?,
            dropout: self.get("dropout")?,
            targets: self.targets()?,
            layers: self.layers()?,
            lora_layout: self.named("lora_layout")?,
            schedule: self.named("schedule")?,
            warmup: self.get("warmup")?,
            loss: self.named("loss")?,
            class_weights: self.named("class_weights")?,
            soft_labels: false,
            augmentation: self.named("augment")?.unwrap_or_default(),
            weight_decay: self.get("weight_decay")?,
            adam_epsilon: self.get("adam_epsilon")?,
            clip_norm: self.get("clip_norm")?,
            validation: self.get("validation")?,
            patience: self.get("patience")?,
            members: self.get("members")?,
            in_committee: false,
            max_tokens: self.get("max_tokens")?,
            seed: self.get("seed")?,
        })
    }

    fn targets(&self) -> PyResult<Option<Vec<Target>>> {
        let names = self.strings("targets")?;
        match names.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            [] => Ok(None),
            ["all"] => Ok(Some(Target::ALL.to_vec())),
            names => {
                let mut targets: Vec<Target> = names
                    .iter()
                    .map(|name| name.parse::<Target>().map_err(|error| refused(format!("targets: {error}"))))
                    .collect::<PyResult<_>>()?;
                targets.sort();
                targets.dedup();
                Ok(Some(targets))
            }
        }
    }

    fn layers(&self) -> PyResult<Option<Vec<usize>>> {
        let Some(mut layers) = self.get::<Vec<usize>>("layers")? else { return Ok(None) };
        layers.sort_unstable();
        layers.dedup();
        if layers.is_empty() { self.wrong("layers", "a list or range of layers, or None for all") } else { Ok(Some(layers)) }
    }

    /// What is chosen of the prompt.
    pub(crate) fn prompt(&self) -> PyResult<PromptOverrides> {
        let descriptions = self.get::<BTreeMap<String, String>>("label_descriptions")?.unwrap_or_default();
        Ok(PromptOverrides {
            instruction: self.get("instruction")?,
            separator: self.get("separator")?,
            no_begin_of_text: self.is("no_bos")?,
            long_texts: self.named("long_texts")?.unwrap_or(LongTexts::First),
            keep_white_space: self.is("keep_whitespace")?,
            deobfuscate: self.is("deobfuscate")?,
            label_scheme: self.named("label_scheme")?,
            descriptions: descriptions.into_iter().collect(),
        })
    }

    /// What is wanted of decisions.
    pub(crate) fn request(&self) -> PyResult<DecisionRequest> {
        let target = |words: String| words.parse::<LabelTarget>().map_err(|error| refused(format!("target: {error}")));
        let mut targets: Vec<LabelTarget> = self.strings("target")?.into_iter().map(target).collect::<PyResult<_>>()?;
        targets.extend(self.thresholds()?);
        let review = match self.value("review")? {
            Some(value) if value.extract::<f64>().is_ok() => {
                let share = value.extract::<f64>()?.to_string();
                Some(share.parse::<ReviewTarget>().map_err(|error| refused(format!("review: {error}")))?)
            }
            _ => self.named("review")?,
        };
        Ok(DecisionRequest { calibration: self.named::<CalibrationChoice>("calibration")?.unwrap_or_default(), targets, review })
    }

    /// One threshold for all labels, or one for each named.
    fn thresholds(&self) -> PyResult<Vec<LabelTarget>> {
        let given: Vec<(Option<String>, f64)> = match self.value("threshold")? {
            None => Vec::new(),
            Some(value) => match value.cast::<PyDict>() {
                Ok(_) => {
                    let of_labels = self.get::<BTreeMap<String, f64>>("threshold")?.unwrap_or_default();
                    of_labels.into_iter().map(|(label, threshold)| (Some(label), threshold)).collect()
                }
                Err(_) => self.get::<f64>("threshold")?.into_iter().map(|threshold| (None, threshold)).collect(),
            },
        };
        if given.iter().any(|(_, threshold)| !(0.0..=1.0).contains(threshold)) {
            return self.wrong("threshold", "a probability, or a dictionary of them by label");
        }
        Ok(given
            .into_iter()
            .map(|(label, threshold)| LabelTarget { label, target: DecisionTarget::Threshold(threshold) })
            .collect())
    }

    /// The decisions that a training is to choose, if any.
    pub(crate) fn decisions(&self) -> PyResult<impl FnOnce(f64) -> Result<Option<DecisionPlan>, Error> + Send + use<>> {
        let request = self.request()?;
        let folds = self.get("oof_folds")?.unwrap_or(5);
        let asked = match self.get::<String>("calibrate_on")?.as_deref() {
            None => None,
            Some("oof") => Some(DecisionScores::OutOfFold { folds }),
            Some("validation") => Some(DecisionScores::Validation),
            Some(_) => return self.wrong("calibrate_on", "\"oof\", \"validation\" or None"),
        };
        Ok(move |validation: f64| DecisionPlan::of(request, asked, folds, validation))
    }
}
