//! Classifiers by name, each with a queue and a thread that scores what waits in it.

use crate::config::ServeConfig;
use crate::error::{Refusal, ServeError};
use crate::metrics::Metrics;
use crate::turns::Turns;
use lincah::{AgileClassifier, ClassifierRecord, ComputeOptions, Error, OpenModels, Prediction};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::SystemTime;
use tokio::sync::{mpsc, oneshot};

/// Texts of one request, and where their predictions go.
struct Job {
    texts: Vec<String>,
    reply: oneshot::Sender<Result<Vec<Prediction>, Refusal>>,
}

/// A classifier that is served.
pub(crate) struct Served {
    pub(crate) name: String,
    pub(crate) classifier: AgileClassifier,
    /// SHA-256 of its `classifier.json`.
    pub(crate) sha256: String,
    queue: mpsc::UnboundedSender<Job>,
    /// Texts in the queue or being scored.
    waiting: AtomicUsize,
    most_waiting: usize,
    turns: Arc<Turns>,
}

/// The state of a folder's files, to see whether they have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen(Option<(SystemTime, u64)>);

impl Seen {
    fn of(folder: &Path) -> Self {
        let file = std::fs::metadata(folder.join("classifier.json"));
        Self(file.ok().and_then(|file| Some((file.modified().ok()?, file.len()))))
    }
}

/// A lock, whoever held it when a thread panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All classifiers, on models that are opened once.
pub(crate) struct Classifiers {
    models: Mutex<OpenModels>,
    served: RwLock<BTreeMap<String, Arc<Served>>>,
    folders: BTreeMap<String, PathBuf>,
    cascade: BTreeMap<String, f64>,
    /// What was seen of each folder, and whether it could be loaded.
    seen: Mutex<BTreeMap<String, (Seen, bool)>>,
    most_waiting: usize,
    batch_bytes: usize,
    metrics: Arc<Metrics>,
    turns: Arc<Turns>,
}

impl Served {
    /// Scores texts together with what else waits.
    pub(crate) async fn predict(&self, texts: Vec<String>) -> Result<Vec<Prediction>, Refusal> {
        let count = texts.len();
        if self.waiting.fetch_add(count, Ordering::Relaxed) + count > self.most_waiting {
            self.waiting.fetch_sub(count, Ordering::Relaxed);
            return Err(Refusal::Busy);
        }
        let (reply, answer) = oneshot::channel();
        if self.queue.send(Job { texts, reply }).is_err() {
            self.waiting.fetch_sub(count, Ordering::Relaxed);
            return Err(Refusal::Unavailable("the classifier has stopped"));
        }
        // Whoever no longer waits has dropped the receiver, and is left out when it comes to that.
        answer.await.unwrap_or(Err(Refusal::Unavailable("the classifier has stopped")))
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Takes what waits, up to so many bytes, and scores it, until nobody can ask any more.
    fn work(served: &std::sync::Weak<Self>, mut jobs: mpsc::UnboundedReceiver<Job>, batch_bytes: usize, metrics: &Metrics) {
        let mut left: Option<Job> = None;
        while let Some(first) = left.take().or_else(|| jobs.blocking_recv()) {
            let bytes = |job: &Job| job.texts.iter().map(String::len).sum::<usize>();
            let (mut batch, mut total) = (Vec::new(), bytes(&first));
            batch.push(first);
            while let Ok(job) = jobs.try_recv() {
                total += bytes(&job);
                if total > batch_bytes {
                    left = Some(job);
                    break;
                }
                batch.push(job);
            }
            // A request holds its classifier, so that there is one as long as somebody waits.
            let Some(served) = served.upgrade() else { return };
            served.score(batch, metrics);
        }
    }

    fn score(&self, batch: Vec<Job>, metrics: &Metrics) {
        let count: usize = batch.iter().map(|job| job.texts.len()).sum();
        let batch: Vec<Job> = batch.into_iter().filter(|job| !job.reply.is_closed()).collect();
        let texts: Vec<&str> = batch.iter().flat_map(|job| job.texts.iter().map(String::as_str)).collect();
        metrics.batch_texts.with_label_values(&[&self.name]).observe(texts.len() as f64);
        // Whatever goes wrong with one batch, the next is scored.
        let predict = |texts: &[&str]| match catch_unwind(AssertUnwindSafe(|| self.classifier.predict(texts))) {
            Ok(Err(Error::Prompt(error))) => Err(Refusal::Bad(error.to_string())),
            Ok(Ok(predictions)) => Ok(predictions),
            Ok(Err(_)) | Err(_) => Err(Refusal::Failed(String::from("the texts could not be scored"))),
        };
        let turn = self.turns.wait();
        let answered: Vec<_> = match predict(&texts) {
            Ok(predictions) => {
                let mut predictions = predictions.into_iter();
                let mut own = |job: &Job| predictions.by_ref().take(job.texts.len()).collect();
                let owns: Vec<Vec<Prediction>> = batch.iter().map(&mut own).collect();
                batch.into_iter().zip(owns).map(|(job, own)| (job.reply, Ok(own))).collect()
            }
            // One request must not fail for another's text.
            Err(_) if batch.len() > 1 => {
                let own = |job: &Job| predict(&job.texts.iter().map(String::as_str).collect::<Vec<_>>());
                let owns: Vec<_> = batch.iter().map(own).collect();
                batch.into_iter().zip(owns).map(|(job, own)| (job.reply, own)).collect()
            }
            Err(refusal) => batch.into_iter().map(|job| (job.reply, Err(refusal.clone()))).collect(),
        };
        drop(turn);
        self.waiting.fetch_sub(count, Ordering::Relaxed);
        for (reply, answer) in answered {
            // Who does not wait any more needs no answer.
            let _ = reply.send(answer);
        }
    }
}

impl Classifiers {
    /// Loads all folders.
    ///
    /// # Errors
    /// [`ServeError::Classifier`] names the first that cannot be loaded.
    pub(crate) fn load(config: &ServeConfig, compute: ComputeOptions, metrics: Arc<Metrics>) -> Result<Self, ServeError> {
        let classifiers = Self {
            models: Mutex::new(OpenModels::new(compute)),
            served: RwLock::default(),
            folders: config.classifiers.clone(),
            cascade: config.cascade.clone(),
            seen: Mutex::default(),
            most_waiting: config.max_waiting_texts,
            batch_bytes: config.batch_bytes,
            metrics,
            turns: Arc::default(),
        };
        for name in classifiers.folders.keys() {
            classifiers
                .load_one(name)
                .map_err(|source| ServeError::Classifier { name: name.clone(), source: Box::new(source) })?;
        }
        Ok(classifiers)
    }

    /// Loads a folder and serves it in place of what had its name. Requests that hold the old one are answered by it.
    fn load_one(&self, name: &str) -> Result<(), Error> {
        let folder = &self.folders[name];
        let seen = Seen::of(folder);
        let loaded = catch_unwind(AssertUnwindSafe(|| self.read(name, folder)))
            .unwrap_or_else(|_| Err(Error::Damaged { path: folder.clone(), reason: String::from("it cannot be loaded") }));
        lock(&self.seen).insert(name.to_owned(), (seen, loaded.is_ok()));
        let (classifier, sha256) = loaded?;
        let (queue, jobs) = mpsc::unbounded_channel();
        let served = Arc::new(Served {
            name: name.to_owned(),
            classifier,
            sha256,
            queue,
            waiting: AtomicUsize::new(0),
            most_waiting: self.most_waiting,
            turns: self.turns.clone(),
        });
        let (weak, batch_bytes, metrics) = (Arc::downgrade(&served), self.batch_bytes, self.metrics.clone());
        std::thread::spawn(move || Served::work(&weak, jobs, batch_bytes, &metrics));
        self.served.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), served);
        Ok(())
    }

    /// A folder's classifier, and the SHA-256 of its record, which is the same before and after.
    fn read(&self, name: &str, folder: &Path) -> Result<(AgileClassifier, String), Error> {
        let sha256 = |folder: &Path| ClassifierRecord::file_sha256(folder);
        let before = sha256(folder)?;
        let mut classifier = AgileClassifier::load_with(folder, &mut lock(&self.models))?;
        if let Some(share) = self.cascade.get(name) {
            classifier.answer_in_turn(*share)?;
        }
        if sha256(folder)? != before {
            return Err(Error::Damaged { path: folder.to_path_buf(), reason: String::from("it changed while it was read") });
        }
        Ok((classifier, before))
    }

    /// Loads the folders anew that have changed; says of each how that went. A folder that cannot be loaded keeps its last classifier and is
    /// tried again each time, in silence until it changes or can be loaded.
    pub(crate) fn reload(&self) -> Vec<(String, Result<(), Error>)> {
        let due = |(name, folder): (&String, &PathBuf)| {
            let now = Seen::of(folder);
            let last = lock(&self.seen).get(name).cloned();
            let has_changed = last.as_ref().is_none_or(|(seen, _)| *seen != now);
            let is_due = now.0.is_some() && (has_changed || last.is_some_and(|(_, loaded)| !loaded));
            is_due.then(|| (name.clone(), has_changed))
        };
        let due: Vec<(String, bool)> = self.folders.iter().filter_map(due).collect();
        let reloaded = due.into_iter().map(|(name, has_changed)| (has_changed, self.load_one(&name), name));
        let told = reloaded.filter(|(has_changed, result, _)| *has_changed || result.is_ok());
        told.map(|(_, result, name)| (name, result)).collect()
    }

    /// The classifier of this name, or the only one.
    pub(crate) fn get(&self, name: Option<&str>) -> Result<Arc<Served>, Refusal> {
        let served = self.served.read().unwrap_or_else(PoisonError::into_inner);
        match name.and_then(|name| served.get(name)) {
            Some(found) => Ok(found.clone()),
            None if served.len() == 1 => Ok(served.values().next().expect("there is one").clone()),
            None => {
                let names: Vec<&str> = served.keys().map(String::as_str).collect();
                let names = names.join(", ");
                Err(match name {
                    Some(name) => Refusal::NotFound(format!("there is no classifier `{name}`; there are {names}")),
                    None => Refusal::Bad(format!("which classifier? name one of {names}")),
                })
            }
        }
    }

    pub(crate) fn all(&self) -> Vec<Arc<Served>> {
        self.served.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}
