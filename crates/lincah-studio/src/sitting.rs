//! What the page asks for: the next text, what somebody says of it, how far things are.

use crate::error::StudioError;
use crate::labels::{Answer, Said};
use crate::learner::{Learned, Learner, locked, trainer};
use crate::project::Project;
use crate::publish::{Published, publish};
use crate::queue::{Mix, Reason, next, wanted_label};
use lincah::{BaseModel, Task, Trainer};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a text that somebody looks at is shown to nobody else.
const LOOKED_AT: Duration = Duration::from_secs(600);

/// A text that is to be labelled.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Turn {
    /// Its number.
    pub text: usize,
    /// The text itself.
    pub content: String,
    /// Why it is next; absent where somebody went back to it.
    pub reason: Option<Reason>,
    /// The label that the text is expected to have, where it is next for that.
    pub expected: Option<usize>,
    /// The classifier's probability of each label, where it has scored the text.
    pub probabilities: Option<Vec<f64>>,
    /// The labels that it has already, where somebody looks at it again.
    pub labels: Option<Vec<usize>>,
}

/// A metric with its interval.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Option<f64>,
    /// From and to.
    pub interval: Option<[f64; 2]>,
}

/// How far things are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// Whether labels exclude each other.
    pub exclusive: bool,
    /// The labels' names.
    pub labels: Vec<String>,
    /// Texts in all.
    pub texts: usize,
    /// Texts with labels.
    pub labelled: usize,
    /// Texts with each label.
    pub label_rows: Vec<usize>,
    /// Texts that the classifier was trained on, none as long as there is none.
    pub trained_on: usize,
    /// Labels, skips and undos that it does not know yet.
    pub stale_by: u64,
    /// Seconds of its training.
    pub seconds: f64,
    /// What it is worth, by the labelled texts of the sample.
    pub figures: Vec<Figure>,
    /// Labelled texts of the sample that the figures are of.
    pub judged_by: usize,
    /// Why there is no newer classifier.
    pub failure: Option<String>,
    /// The guideline; empty as long as there is none.
    pub guideline: String,
    /// Its version, from 1; 0 as long as there is none.
    pub guideline_version: usize,
    /// Texts whose labels mean something else since the guideline has changed.
    pub to_review: usize,
}

/// What the classifier makes of the labelled texts of the sample, for choosing thresholds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Scored {
    /// The probability of each label, of each text.
    pub probabilities: Vec<Vec<f64>>,
    /// Whether each label holds.
    pub truth: Vec<Vec<bool>>,
}

/// A project with its learner, for any number of people at the same time.
pub struct Sitting {
    project: Arc<Mutex<Project>>,
    learner: Learner,
    trainer: Trainer,
    /// Held while a classifier is published.
    publishing: Mutex<()>,
    mix: Mix,
    looked_at: Mutex<HashMap<usize, (String, Instant)>>,
}

impl Sitting {
    /// Opens a sitting.
    ///
    /// # Errors
    /// No models, labels that none of them can tell apart.
    pub fn new(project: Project, models: &[BaseModel], mix: Mix) -> Result<Self, StudioError> {
        let trainer = trainer(models, &project)?;
        let project = Arc::new(Mutex::new(project));
        let learner = Learner::start(project.clone(), trainer.clone());
        Ok(Self { project, learner, trainer, publishing: Mutex::default(), mix, looked_at: Mutex::default() })
    }

    /// The next text for somebody; none when all have been seen.
    pub fn next(&self, who: &str) -> Option<Turn> {
        let (project, learned) = (locked(&self.project), self.learner.learned());
        let mut looked_at = locked(&self.looked_at);
        looked_at.retain(|_, (other, since)| other != who && since.elapsed() < LOOKED_AT);
        let is_free = |text: usize| !looked_at.contains_key(&text);
        let task = project.settings().task;
        let turn = project.labels().version() as usize;
        // What was labelled by an older guideline comes every other time.
        let review = || project.to_review().filter(|text| is_free(*text)).min_by_key(|text| project.lot().place(*text));
        if turn.is_multiple_of(2)
            && let Some(text) = review()
        {
            looked_at.insert(text, (who.to_owned(), Instant::now()));
            let labels = project.labels().answer(text).map(labels_of);
            return Some(Turn { reason: Some(Reason::Review), labels, ..turn_of(&project, &learned, text) });
        }
        let (text, reason) = next((task, project.labels()), project.lot(), &learned.scores, self.mix.reason(turn), &is_free)?;
        looked_at.insert(text, (who.to_owned(), Instant::now()));
        let expected = (reason == Reason::Positive).then(|| wanted_label(task, project.labels()));
        Some(Turn { reason: Some(reason), expected, ..turn_of(&project, &learned, text) })
    }

    /// Writes what somebody says; when this returns it is on disk.
    ///
    /// # Errors
    /// As [`Project::say`].
    pub fn say(&self, said: Said) -> Result<(), StudioError> {
        locked(&self.project).say(said)?;
        self.learner.wake();
        Ok(())
    }

    /// Takes back the last thing that somebody said, and shows that text again.
    ///
    /// # Errors
    /// As [`Project::undo`].
    pub fn undo(&self, who: &str) -> Result<Option<Turn>, StudioError> {
        let mut project = locked(&self.project);
        let Some(text) = project.undo(who)? else { return Ok(None) };
        self.learner.wake();
        let labels = project.labels().answer_of(who, text).map(labels_of).filter(|labels| !labels.is_empty());
        Ok(Some(Turn { labels, ..turn_of(&project, &self.learner.learned(), text) }))
    }

    /// Writes a further version of the guideline.
    ///
    /// # Errors
    /// As [`Project::change_guideline`].
    pub fn change_guideline(&self, who: &str, text: &str, touches: &[usize]) -> Result<(), StudioError> {
        locked(&self.project).change_guideline(who, text, touches)
    }

    /// The scores that figures and thresholds come from; none as long as too few texts of the sample are labelled.
    pub fn scored(&self) -> Scored {
        let judged = self.learner.learned().judged.clone();
        judged.map_or_else(Scored::default, |judged| Scored { probabilities: judged.probabilities, truth: judged.truth })
    }

    /// Trains on all labels and leaves a classifier in the project's folder, with thresholds of labels by their places.
    ///
    /// # Errors
    /// Labels that cannot be trained on, thresholds of labels that have none; a folder that cannot be written.
    pub fn publish(&self, thresholds: &[(usize, f64)]) -> Result<Published, StudioError> {
        let _alone = locked(&self.publishing);
        publish(&self.project, &self.trainer, thresholds)
    }

    /// How far things are.
    pub fn status(&self) -> Status {
        let (project, learned) = (locked(&self.project), self.learner.learned());
        let labels = project.labels();
        let figures = learned.judged.iter().flat_map(|judged| &judged.evaluation.scores).map(|score| Figure {
            name: score.metric.name().to_owned(),
            value: score.value,
            interval: score.interval,
        });
        Status {
            exclusive: project.settings().task == Task::SingleLabel,
            labels: project.settings().labels.clone(),
            texts: project.texts().len(),
            labelled: labels.labelled(),
            label_rows: labels.label_rows(),
            trained_on: learned.trained_on,
            stale_by: labels.version() - learned.version.min(labels.version()),
            seconds: learned.seconds,
            figures: figures.collect(),
            judged_by: learned.judged.as_ref().map_or(0, |judged| judged.texts.len()),
            failure: learned.failure.clone(),
            guideline: project.guideline().newest().map_or(String::new(), |newest| newest.text.clone()),
            guideline_version: project.guideline().version(),
            to_review: project.to_review().count(),
        }
    }
}

/// A text as it is, without a reason to be next.
fn turn_of(project: &Project, learned: &Learned, text: usize) -> Turn {
    let probabilities = learned.scores.probabilities.get(&text).cloned();
    Turn { text, content: project.texts()[text].clone(), reason: None, expected: None, probabilities, labels: None }
}

fn labels_of(answer: &Answer) -> Vec<usize> {
    match answer {
        Answer::Labels(labels) => labels.clone(),
        Answer::Skipped => Vec::new(),
    }
}
