//! What the page asks for: the next text, what somebody says of it, how far things are.

use crate::error::StudioError;
use crate::labels::{Answer, Said};
use crate::learner::{Learner, locked};
use crate::project::Project;
use crate::queue::{Mix, Reason, next, wanted_label};
use lincah::{BaseModel, Task};
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
    /// The labels that it has by the same person, where somebody went back to it.
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
}

/// A project with its learner, for any number of people at the same time.
pub struct Sitting {
    project: Arc<Mutex<Project>>,
    learner: Learner,
    mix: Mix,
    looked_at: Mutex<HashMap<usize, (String, Instant)>>,
}

impl Sitting {
    /// Opens a sitting.
    ///
    /// # Errors
    /// As [`Learner::start`].
    pub fn new(project: Project, models: &[BaseModel], mix: Mix) -> Result<Self, StudioError> {
        let project = Arc::new(Mutex::new(project));
        let learner = Learner::start(project.clone(), models)?;
        Ok(Self { project, learner, mix, looked_at: Mutex::default() })
    }

    /// The next text for somebody; none when all have been seen.
    pub fn next(&self, who: &str) -> Option<Turn> {
        let (project, learned) = (locked(&self.project), self.learner.learned());
        let mut looked_at = locked(&self.looked_at);
        looked_at.retain(|_, (other, since)| other != who && since.elapsed() < LOOKED_AT);
        let is_free = |text: usize| !looked_at.contains_key(&text);
        let task = project.settings().task;
        let reason = self.mix.reason(project.labels().version() as usize);
        let (text, reason) = next((task, project.labels()), project.lot(), &learned.scores, reason, &is_free)?;
        looked_at.insert(text, (who.to_owned(), Instant::now()));
        let probabilities = learned.scores.probabilities.get(&text).cloned();
        let expected = (reason == Reason::Positive).then(|| wanted_label(task, project.labels()));
        let content = project.texts()[text].clone();
        Some(Turn { text, content, reason: Some(reason), expected, probabilities, labels: None })
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
        let labels = match project.labels().answer_of(who, text) {
            Some(Answer::Labels(labels)) => Some(labels.clone()),
            _ => None,
        };
        let probabilities = self.learner.learned().scores.probabilities.get(&text).cloned();
        let content = project.texts()[text].clone();
        Ok(Some(Turn { text, content, reason: None, expected: None, probabilities, labels }))
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
        }
    }
}
