//! Classifiers that leave the page.

use crate::error::StudioError;
use crate::learner::locked;
use crate::project::Project;
use lincah::calibration::CalibrationChoice;
use lincah::decisions::{DecisionRequest, DecisionTarget, LabelTarget};
use lincah::{DecisionPlan, Experiment, Trainer};
use serde::Serialize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

const CLASSIFIERS_FOLDER: &str = "classifiers";
/// Ends the name of a folder whose classifier is not whole.
const UNFINISHED: &str = "unfinished";
const FOLDS: usize = 5;

/// A classifier's folder, and what it was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Published {
    /// Its number in the project, from 1.
    pub version: usize,
    /// Its folder.
    pub folder: PathBuf,
    /// Texts that it was trained on.
    pub rows: usize,
}

/// Trains on all labels and leaves a classifier in a folder of its own, which is there whole or not at all. Labels without a threshold are decided
/// by the default rule. Thresholds are of the scores as the page shows them, so nothing is calibrated where there are any.
pub(crate) fn publish(
    project: &Mutex<Project>,
    trainer: &Trainer,
    thresholds: &[(usize, f64)],
) -> Result<Published, StudioError> {
    let (rows, parent, names) = {
        let project = locked(project);
        let rows = project.dataset(project.labels().texts())?;
        (rows, project.folder().join(CLASSIFIERS_FOLDER), project.settings().labels.clone())
    };
    rows.check_trainable()?;
    let version = 1 + newest(&parent)?;
    let (folder, unfinished) = (parent.join(version.to_string()), parent.join(format!("{version}.{UNFINISHED}")));
    // What a kill has left.
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished).map_err(StudioError::file("remove", &unfinished))?;
    }
    let target = |(label, threshold): &(usize, f64)| {
        let name = names.get(*label).ok_or(StudioError::NoLabel { label: *label, labels: names.len() })?;
        if !(0.0..=1.0).contains(threshold) {
            return Err(StudioError::Threshold { threshold: *threshold });
        }
        Ok(LabelTarget { label: Some(name.clone()), target: DecisionTarget::Threshold(*threshold) })
    };
    let targets = thresholds.iter().map(target).collect::<Result<Vec<_>, StudioError>>()?;
    let request = DecisionRequest { calibration: CalibrationChoice::None, targets, review: None };
    let plan = DecisionPlan::of(request, None, FOLDS, 0.0)?;
    let experiment = Experiment::new(trainer.clone().in_folder(&unfinished, false)).decide_by(plan)?;
    experiment.run(&rows, None, &mut |_| ControlFlow::Continue(()))?;
    std::fs::rename(&unfinished, &folder).map_err(StudioError::file("rename", &unfinished))?;
    Ok(Published { version, folder, rows: rows.len() })
}

fn newest(parent: &Path) -> Result<usize, StudioError> {
    let entries = match std::fs::read_dir(parent) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        entries => entries.map_err(StudioError::file("read", parent))?,
    };
    let number = |entry: std::io::Result<std::fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
    Ok(entries.filter_map(number).max().unwrap_or(0))
}
