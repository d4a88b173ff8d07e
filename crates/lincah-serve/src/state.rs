//! What all requests share.

use crate::classifiers::{Classifiers, Served};
use crate::config::{AttributeTarget, ServeConfig};
use crate::decision_log::{Decider, DecisionLog};
use crate::error::{Refusal, ServeError};
use crate::keys::Keys;
use crate::metrics::Metrics;
use lincah::{ComputeOptions, Error, Prediction};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// What all requests share.
pub struct ServeState {
    pub(crate) config: ServeConfig,
    pub(crate) classifiers: Classifiers,
    pub(crate) keys: Keys,
    pub(crate) metrics: Arc<Metrics>,
    log: Option<Log>,
    ends: AtomicBool,
}

/// The decision log, and how many may wait for it.
struct Log {
    file: Arc<Mutex<DecisionLog>>,
    waiting: Arc<Semaphore>,
}

/// Requests that may wait for the decision log.
const MOST_WAITING_FOR_LOG: usize = 256;

/// Predictions, and whose.
pub(crate) struct Scored {
    pub(crate) served: Arc<Served>,
    pub(crate) predictions: Vec<Prediction>,
}

impl ServeState {
    /// Loads everything that a configuration names, and opens the decision log.
    ///
    /// # Errors
    /// Files that cannot be read or written, classifiers that cannot be loaded.
    pub fn load(config: ServeConfig, compute: ComputeOptions) -> Result<Self, ServeError> {
        let log = match (&config.decision_log, &config.decision_log_key_file) {
            (Some(path), Some(key)) => Some(Log {
                file: Arc::new(Mutex::new(DecisionLog::open(path, key)?)),
                waiting: Arc::new(Semaphore::new(MOST_WAITING_FOR_LOG)),
            }),
            _ => None,
        };
        Ok(Self { log, ..Self::without_log(config, compute)? })
    }

    /// Loads everything that a configuration names, and looks at the decision log; nothing is written.
    ///
    /// # Errors
    /// As [`ServeConfig::check`] and [`ServeState::load`].
    pub fn check(config: ServeConfig, compute: ComputeOptions) -> Result<Vec<String>, ServeError> {
        config.check()?;
        if let (Some(path), Some(key)) = (&config.decision_log, &config.decision_log_key_file) {
            DecisionLog::verify(path, key)?;
        }
        Ok(Self::without_log(config, compute)?.names())
    }

    fn without_log(config: ServeConfig, compute: ComputeOptions) -> Result<Self, ServeError> {
        let keys = config.key_file.as_deref().map(Keys::read).transpose()?.unwrap_or_default();
        let metrics = Arc::new(Metrics::new());
        let classifiers = Classifiers::load(&config, compute, metrics.clone())?;
        Ok(Self { config, classifiers, keys, metrics, log: None, ends: AtomicBool::new(false) })
    }

    /// The names of what is served.
    pub fn names(&self) -> Vec<String> {
        self.classifiers.all().iter().map(|served| served.name.clone()).collect()
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

    /// Predicts texts with the classifier of this name; see [`Self::score_with`].
    pub(crate) async fn score(&self, name: Option<&str>, texts: Vec<String>) -> Result<Scored, Refusal> {
        self.score_with(self.classifiers.get(name)?, texts).await
    }

    /// Predicts texts with a classifier, within the limits, and writes the decisions down.
    pub(crate) async fn score_with(&self, served: Arc<Served>, texts: Vec<String>) -> Result<Scored, Refusal> {
        let config = &self.config;
        if texts.len() > config.max_texts {
            return Err(Refusal::TooLarge(format!("{} texts are more than {}", texts.len(), config.max_texts)));
        }
        if let Some(long) = texts.iter().find(|text| text.len() > config.max_text_bytes) {
            return Err(Refusal::TooLarge(format!("a text of {} bytes is longer than {}", long.len(), config.max_text_bytes)));
        }
        if config.log_texts {
            texts.iter().for_each(|text| tracing::info!(classifier = served.name, text, "text"));
        }
        if texts.is_empty() {
            return Ok(Scored { served, predictions: Vec::new() });
        }
        let answered = async {
            let Some(log) = &self.log else {
                let predictions = served.predict(texts).await?;
                return Ok(Scored { served, predictions });
            };
            let permit = log.waiting.clone().try_acquire_owned().map_err(|_| Refusal::Busy)?;
            let predictions = served.predict(texts.clone()).await?;
            let file = log.file.clone();
            // A disk is waited for in a thread that may wait.
            let write = move || {
                let _permit = permit;
                let classifier = &served.classifier;
                let decider = Decider {
                    name: &served.name,
                    sha256: &served.sha256,
                    task: classifier.task(),
                    labels: classifier.labels(),
                    thresholds: &classifier.rule().thresholds,
                };
                let written = file.lock().unwrap_or_else(PoisonError::into_inner).append(&decider, &texts, &predictions);
                written.map(|()| Scored { served, predictions })
            };
            let written = tokio::task::spawn_blocking(write).await.map_err(|error| Refusal::Failed(error.to_string()))?;
            written.map_err(|error| Refusal::Failed(format!("the decision could not be logged: {error}")))
        };
        let waits = tokio::time::timeout(config.timeout(), answered).await;
        let scored: Scored = waits.map_err(|_| Refusal::Unavailable("it took too long"))??;
        tracing::info!(classifier = scored.served.name, texts = scored.predictions.len(), "scored");
        self.metrics.count(&scored.served.name, scored.served.classifier.labels().names(), &scored.predictions);
        Ok(scored)
    }

    /// The classifier and label that an attribute stands for: as configured, else the classifier or label of that name, else the only classifier's
    /// positive label of two.
    pub(crate) fn attribute(&self, attribute: &str) -> Result<(Arc<Served>, usize), Refusal> {
        let unknown = || Refusal::Bad(format!("Attribute `{attribute}` is not available"));
        if let Some(AttributeTarget { classifier, label }) = self.config.attributes.get(attribute) {
            let served = self.classifiers.get(Some(classifier))?;
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
