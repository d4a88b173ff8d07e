//! What all requests share.

use crate::classifiers::{Classifiers, Served};
use crate::config::{AttributeTarget, ServeConfig};
use crate::decision_log::DecisionLog;
use crate::error::{Refusal, ServeError};
use crate::keys::Keys;
use crate::metrics::Metrics;
use lincah::{ComputeOptions, Error, Prediction};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What all requests share.
pub struct ServeState {
    pub(crate) config: ServeConfig,
    pub(crate) classifiers: Classifiers,
    pub(crate) keys: Keys,
    pub(crate) metrics: Arc<Metrics>,
    log: Option<Arc<Mutex<DecisionLog>>>,
    ends: AtomicBool,
}

/// Predictions, and whose.
pub(crate) struct Scored {
    pub(crate) served: Arc<Served>,
    pub(crate) predictions: Vec<Prediction>,
}

impl ServeState {
    /// Loads everything that a configuration names.
    ///
    /// # Errors
    /// As [`ServeConfig::check`]; files that cannot be read, classifiers that cannot be loaded.
    pub fn load(config: ServeConfig, compute: ComputeOptions) -> Result<Self, ServeError> {
        config.check()?;
        let keys = config.key_file.as_deref().map(Keys::read).transpose()?.unwrap_or_default();
        let log = match (&config.decision_log, &config.decision_log_key_file) {
            (Some(path), Some(key)) => Some(Arc::new(Mutex::new(DecisionLog::open(path, key)?))),
            _ => None,
        };
        let metrics = Arc::new(Metrics::new());
        let classifiers = Classifiers::load(&config, compute, metrics.clone())?;
        Ok(Self { config, classifiers, keys, metrics, log, ends: AtomicBool::new(false) })
    }

    /// Loads the folders anew that have changed; says of each how that went.
    pub fn reload(&self) -> Vec<(String, Result<(), Error>)> {
        let reloaded = self.classifiers.reload();
        for (name, result) in &reloaded {
            let outcome = if result.is_ok() { "loaded" } else { "failed" };
            self.metrics.reloads.with_label_values(&[name.as_str(), outcome]).inc();
        }
        reloaded
    }

    /// No longer ready: what is under way is answered, and nothing new should come.
    pub fn end(&self) {
        self.ends.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_ready(&self) -> bool {
        !self.ends.load(Ordering::Relaxed)
    }

    /// Predicts texts with the classifier of this name, within the limits, and writes the decisions down.
    pub(crate) async fn score(&self, name: Option<&str>, texts: Vec<String>) -> Result<Scored, Refusal> {
        let served = self.classifiers.get(name)?;
        let config = &self.config;
        if texts.len() > config.max_texts {
            return Err(Refusal::TooLarge(format!("{} texts are more than {}", texts.len(), config.max_texts)));
        }
        if let Some(long) = texts.iter().find(|text| text.len() > config.max_text_bytes) {
            return Err(Refusal::TooLarge(format!("a text of {} bytes is longer than {}", long.len(), config.max_text_bytes)));
        }
        if texts.is_empty() {
            return Ok(Scored { served, predictions: Vec::new() });
        }
        let to_log = self.log.is_some().then(|| texts.clone());
        let waits = tokio::time::timeout(config.timeout(), served.predict(texts));
        let predictions = waits.await.map_err(|_| Refusal::Unavailable("it took too long"))??;
        self.metrics.count(&served, &predictions);
        let Some((log, texts)) = self.log.clone().zip(to_log) else { return Ok(Scored { served, predictions }) };
        // A disk is waited for in a thread that may wait.
        let write = move || {
            let written = log.lock().unwrap_or_else(PoisonError::into_inner).append(&served, &texts, &predictions);
            written.map(|()| Scored { served, predictions })
        };
        let written = tokio::task::spawn_blocking(write).await.map_err(|error| Refusal::Failed(error.to_string()))?;
        written.map_err(|error| Refusal::Failed(format!("the decision could not be logged: {error}")))
    }

    /// The classifier and label that an attribute stands for: as configured, else the classifier or label of that name, else the only classifier's
    /// positive label of two.
    pub(crate) fn attribute(&self, attribute: &str) -> Result<(Arc<Served>, usize), Refusal> {
        let unknown = || Refusal::Bad(format!("Attribute `{attribute}` is not available"));
        let configured = self.config.attributes.get(attribute).map(|target| match target.parse::<AttributeTarget>() {
            Ok(target) => target,
            Err(never) => match never {},
        });
        if let Some(AttributeTarget { classifier, label }) = configured {
            let served = self.classifiers.get(Some(&classifier))?;
            let place = label_place(&served, label.as_deref()).ok_or_else(unknown)?;
            return Ok((served, place));
        }
        let all = self.classifiers.all();
        let same = |name: &str| name.eq_ignore_ascii_case(attribute);
        if let Some(served) = all.iter().find(|served| same(&served.name)) {
            return label_place(served, None).map(|place| (served.clone(), place)).ok_or_else(unknown);
        }
        for served in &all {
            if let Some(place) = served.classifier.labels().names().iter().position(|label| same(label)) {
                return Ok((served.clone(), place));
            }
        }
        match all.as_slice() {
            [only] => label_place(only, None).map(|place| (only.clone(), place)).ok_or_else(unknown),
            _ => Err(unknown()),
        }
    }
}

/// The place of a label by name, or of the positive one of two.
fn label_place(served: &Served, label: Option<&str>) -> Option<usize> {
    let names = served.classifier.labels().names();
    match label {
        Some(label) => names.iter().position(|name| name == label),
        None => (names.len() <= 2).then(|| names.len() - 1),
    }
}
