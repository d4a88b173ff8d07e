//! A thread that keeps an instant classifier of all labels so far, and what it makes of the texts that may come next.

use crate::audit::{Judged, Sample};
use crate::labels::Answer;
use crate::project::Project;
use crate::queue::Scores;
use lincah::{AgileClassifier, BaseModel, Companion, Dataset, Error, Prompt, Recipe, Trainer};
use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Texts that are scored, so that the next label comes from among them: the first ones of the lot that nobody has said anything of.
const CANDIDATES: usize = 2000;
/// Texts that are read between two looks at the labels.
const READ_AT_ONCE: usize = 8;
/// Further labels of the sample that make new figures.
const LABELS_PER_FIGURES: usize = 5;
/// How long nothing is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is known at a moment.
#[derive(Debug, Clone, Default)]
pub struct Learned {
    /// The version of the labels that the classifier was trained on.
    pub version: u64,
    /// Texts that it was trained on; none as long as there is no classifier.
    pub trained_on: usize,
    /// Seconds of its training.
    pub seconds: f64,
    /// What it makes of texts that may come next.
    pub scores: Scores,
    /// What it is worth.
    pub judged: Option<Judged>,
    /// Why there is no newer classifier, in a line.
    pub failure: Option<String>,
}

/// A trainer of instant classifiers, on models that remember what they have read.
pub(crate) fn trainer(models: &[BaseModel], project: &Project) -> Result<Trainer, Error> {
    let prompt = Prompt::new(project.settings().task, project.label_set().clone())?;
    let models: Vec<BaseModel> = models.iter().map(BaseModel::remembering_states).collect();
    let companion = |base: &BaseModel| Companion { base: base.clone(), recipe: Recipe::instant() };
    let others: Vec<Companion> = models[1..].iter().map(companion).collect();
    Trainer::new(&models[0], prompt, Recipe::instant())?.together_with(&others)
}

fn trained(trainer: &Trainer, rows: &Dataset) -> Result<AgileClassifier, Error> {
    trainer.fit(rows, &mut |_| ControlFlow::Continue(()))
}

#[derive(Default)]
struct Shared {
    learned: Mutex<Arc<Learned>>,
    /// Whether to look at the labels again, and whether to end.
    wanted: Mutex<(bool, bool)>,
    woken: Condvar,
}

/// The thread; dropped, it ends behind what it is doing.
pub struct Learner {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Learner {
    /// Begins to learn from a project's labels.
    pub(crate) fn start(project: Arc<Mutex<Project>>, trainer: Trainer) -> Self {
        let shared = Arc::new(Shared::default());
        let of_thread = shared.clone();
        let thread = std::thread::spawn(move || learn(&project, &trainer, &of_thread));
        Self { shared, thread: Some(thread) }
    }

    /// Says that something was said.
    pub fn wake(&self) {
        locked(&self.shared.wanted).0 = true;
        self.shared.woken.notify_all();
    }

    /// What is known now.
    pub fn learned(&self) -> Arc<Learned> {
        locked(&self.shared.learned).clone()
    }
}

impl Drop for Learner {
    fn drop(&mut self) {
        locked(&self.shared.wanted).1 = true;
        self.shared.woken.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Texts that may come next.
fn candidates(project: &Project) -> Vec<usize> {
    let open = |text: &&usize| project.labels().opinions(**text).is_empty();
    project.lot().order[project.audit().len()..].iter().filter(open).take(CANDIDATES).copied().collect()
}

fn labelled_of_audit(project: &Project) -> usize {
    project.audit().iter().filter(|text| matches!(project.labels().answer(**text), Some(Answer::Labels(_)))).count()
}

fn learn(project: &Mutex<Project>, trainer: &Trainer, shared: &Shared) {
    let (mut classifier, mut judged_at): (Option<AgileClassifier>, usize) = (None, 0);
    let put = |change: &dyn Fn(&mut Learned)| {
        let mut learned = Learned::clone(&locked(&shared.learned));
        change(&mut learned);
        *locked(&shared.learned) = Arc::new(learned);
    };
    let ends = || locked(&shared.wanted).1;
    let wait = || {
        let wanted = locked(&shared.wanted);
        let waited = shared.woken.wait_timeout_while(wanted, PATIENCE, |(wake, end)| !*wake && !*end);
        waited.unwrap_or_else(PoisonError::into_inner).0.0 = false;
    };
    while !ends() {
        let known = locked(&shared.learned).clone();
        let (version, texts, candidates, sample) = {
            let project = locked(project);
            (project.labels().version(), project.texts().clone(), candidates(&project), labelled_of_audit(&project))
        };
        if version != known.version {
            let rows = {
                let project = locked(project);
                project.dataset(project.labels().texts())
            };
            let begun = Instant::now();
            let rows = rows.ok().filter(|rows| rows.check_trainable().is_ok());
            match rows.map(|rows| trained(trainer, &rows).map(|classifier| (classifier, rows.len()))) {
                None => put(&|learned| learned.version = version),
                Some(Err(error)) => put(&|learned| {
                    learned.version = version;
                    learned.failure = Some(error.to_string());
                }),
                Some(Ok((new, rows))) => {
                    // What was read before is scored anew at once.
                    let read: Vec<usize> =
                        candidates.iter().copied().filter(|text| known.scores.probabilities.contains_key(text)).collect();
                    let scores = scored(&new, &texts, &read).unwrap_or_default();
                    put(&|learned| {
                        let (judged, scores) = (learned.judged.clone(), scores.clone());
                        let seconds = begun.elapsed().as_secs_f64();
                        *learned = Learned { version, trained_on: rows, seconds, scores, judged, failure: None };
                    });
                    classifier = Some(new);
                }
            }
            continue;
        }
        // An undo takes texts out of the sample, too.
        if sample.abs_diff(judged_at) >= LABELS_PER_FIGURES && classifier.is_some() {
            judged_at = sample;
            let sample = Sample::of(&locked(project));
            let judged = sample.and_then(|sample| match sample {
                Some(sample) => Judged::of(sample, &|rows| trained(trainer, rows)),
                None => Ok(None),
            });
            match judged {
                Ok(judged) => put(&|learned| learned.judged.clone_from(&judged)),
                Err(error) => put(&|learned| learned.failure = Some(error.to_string())),
            }
            continue;
        }
        let unread = candidates.iter().copied().filter(|text| !known.scores.probabilities.contains_key(text));
        let unread: Vec<usize> = unread.take(READ_AT_ONCE).collect();
        if let (Some(classifier), false) = (&classifier, unread.is_empty()) {
            match scored(classifier, &texts, &unread) {
                Ok(scores) => put(&|learned| learned.scores.probabilities.extend(scores.probabilities.clone())),
                // Further texts wait for the next answer; trying again at once would keep a core busy with nothing.
                Err(error) => {
                    put(&|learned| learned.failure = Some(error.to_string()));
                    wait();
                }
            }
            continue;
        }
        wait();
    }
}

fn scored(classifier: &AgileClassifier, texts: &[String], which: &[usize]) -> Result<Scores, Error> {
    if which.is_empty() {
        return Ok(Scores::default());
    }
    let all: Vec<&String> = which.iter().map(|text| &texts[*text]).collect();
    let predictions = classifier.predict(&all)?.into_iter();
    Ok(Scores { probabilities: which.iter().copied().zip(predictions.map(|prediction| prediction.probabilities)).collect() })
}
