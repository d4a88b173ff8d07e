//! `lincah report`.

use super::evaluate::unseen_rows;
use crate::args::Report as Arguments;
use crate::print::{json_line, note, print_device};
use crate::{machine, outputs, png};
use anyhow::{Context, bail};
use lincah::audit::Audit;
use lincah::baseline::TfidfBaseline;
use lincah::cross_validation::FinishedCrossValidation;
use lincah::data::report::{DataReport, SplitOverlap};
use lincah::report::{Baseline, CODELAB, EvaluationPair, Origin, Report, Run, ScoredReport, SweepReport, scored_notices};
use lincah::sweep::{finished_runs, recipe_settings};
use lincah::{
    AgileClassifier, BaseModel, ClassifierRecord, ComputeOptions, Dataset, Error, FolderKind, ScoredDataset, TrainingRows,
    write_atomically,
};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;

pub(crate) fn run(arguments: &Arguments, compute: ComputeOptions) -> anyhow::Result<()> {
    let kind = FolderKind::of(&arguments.folder)?;
    let for_classifier =
        arguments.holdout.is_given() || arguments.model.is_some() || arguments.audit.is_some() || arguments.explain;
    match kind {
        FolderKind::Classifier => {}
        _ if for_classifier => {
            bail!("--holdout, --model, --audit and --explain are for a classifier's report; these rows are scored already")
        }
        FolderKind::Sweep if arguments.data.file.is_some() => {
            bail!("a sweep's report needs no data; leave DATA, --text and --label out")
        }
        _ => {}
    }
    if arguments.codelab_points && kind != FolderKind::Sweep {
        bail!("--codelab-points are for a sweep's report");
    }
    let inputs: Vec<&Path> = arguments.data.file.as_deref().into_iter().chain(arguments.audit.as_deref()).collect();
    outputs::check(&arguments.out, &inputs)?;
    if let Some(folder) = &arguments.plots {
        outputs::check(&folder.join("plots"), &inputs)?;
    }
    let report = match kind {
        FolderKind::Classifier => classifier(arguments, compute)?,
        FolderKind::CrossValidation => cross_validation(arguments)?,
        FolderKind::Sweep => sweep(arguments)?,
    };
    let written =
        |path: &Path, bytes: &[u8]| write_atomically(path, bytes).with_context(|| format!("cannot write {}", path.display()));
    written(&arguments.out, report.html.as_bytes())?;
    if let Some(folder) = &arguments.plots {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        for plot in &report.plots {
            written(&folder.join(&plot.name).with_extension("svg"), plot.svg.as_bytes())?;
            written(&folder.join(&plot.name).with_extension("png"), &png::from_svg(&plot.svg)?)?;
        }
    }
    if arguments.json {
        let plots: Vec<&String> = report.plots.iter().map(|plot| &plot.name).collect();
        json_line(
            &json!({"report": arguments.out, "plots": arguments.plots.as_ref().map(|folder| json!({"folder": folder, "names": plots}))}),
        )?;
    }
    note!("written: {}; open it in a browser", arguments.out.display());
    Ok(())
}

fn origin(arguments: &Arguments, machine: Option<String>) -> Origin {
    let folder = arguments.folder.canonicalize().unwrap_or_else(|_| arguments.folder.clone());
    let subject = folder.file_name().map_or(String::from("report"), |name| name.to_string_lossy().into_owned());
    Origin { subject, date: time::OffsetDateTime::now_utc().date().to_string(), command: machine::command(), machine }
}

fn classifier(arguments: &Arguments, compute: ComputeOptions) -> anyhow::Result<Report> {
    let record = ClassifierRecord::read(&arguments.folder)?;
    if arguments.data.file.is_none() {
        bail!("a classifier's report needs rows to score: give DATA, --text and the labels");
    }
    let split = &arguments.holdout.split;
    let (scored, others) = arguments.holdout.to_score(arguments.data.read_for(&record, split)?)?;
    let (rows, included) = (scored.len(), arguments.training_rows.include_training_rows);
    let unseen = unseen_rows("the classifier", &record, scored, others.as_ref(), included)?;
    let mut notices: Vec<String> = unseen.notice(rows, included).into_iter().collect();
    let scored = unseen.data;
    let audit = arguments.audit.as_deref().map(Audit::read).transpose()?;
    let base = BaseModel::open(arguments.model.as_deref().unwrap_or(&record.base_model.name), compute)?;
    let classifier = AgileClassifier::load_on(&arguments.folder, &base)?;
    print_device(compute, &base);
    note!("scoring {} rows", scored.len());
    let ScoredDataset { predictions, evaluation } = classifier.evaluate(&scored)?;
    let baseline = baseline(&record, &scored, others.as_ref(), &mut notices)?;
    notices.extend(scored_notices(&DataReport::of(&scored), &evaluation));
    let mut report = ScoredReport {
        kind: "Classifier",
        predictions: &predictions,
        truth: &scored.truth,
        rows: &scored.rows,
        evaluation: &evaluation,
        texts: (!arguments.without_texts).then_some(&scored.texts),
        data: Some(DataReport::of(&scored)),
        baseline: baseline.as_ref().map(|tfidf| Baseline { predictions: &tfidf.predictions, evaluation: &tfidf.evaluation }),
        folds: &[],
        base_model: Some(&record.base_model),
        training: Some(&record.data),
        settings: record.settings(),
        decisions: record.decisions.as_ref(),
        prevalences: arguments.prevalence.clone().unwrap_or_default(),
        audit: audit.as_ref(),
        reasons: BTreeMap::new(),
        notices,
    };
    if arguments.explain {
        let rows = report.rows_shown()?;
        note!("explaining {} rows", rows.len());
        let explained = classifier.explain(&scored.subset(&rows).texts)?;
        report.reasons = rows.into_iter().zip(explained).map(|(row, explanation)| (row, explanation.reasons)).collect();
    }
    Ok(report.render(&origin(arguments, Some(machine::described(compute))))?)
}

/// TF-IDF on the classifier's own training rows, if the file has them beside the scored ones.
fn baseline(
    record: &ClassifierRecord,
    scored: &Dataset,
    others: Option<&Dataset>,
    notices: &mut Vec<String>,
) -> Result<Option<ScoredDataset>, Error> {
    let train = match record.find_training_rows(scored, others) {
        TrainingRows::Others(train) => train,
        unknown => {
            if let Some(notice) = without_baseline(&unknown, record.training_rows.is_some()) {
                notices.push(String::from(notice));
            }
            return Ok(None);
        }
    };
    let overlap = SplitOverlap::between(&train, scored);
    if let Some((train_row, row)) = overlap.pairs.first() {
        notices.push(format!(
            "{} scored texts were trained on too, the first in row {row} (as row {train_row}): the figures are better than they should be.",
            overlap.rows
        ));
    }
    TfidfBaseline::evaluate(&train, scored).map(Some)
}

/// Why no baseline stands beside the scores, and what else that means where the classifier does not remember its rows.
fn without_baseline(rows: &TrainingRows, remembered: bool) -> Option<&'static str> {
    Some(match (rows, remembered) {
        (TrainingRows::Others(_), _) | (TrainingRows::Scored, true) => return None,
        (TrainingRows::Scored, false) => {
            "These are the very rows that the classifier was trained on: the figures say nothing about other rows."
        }
        (TrainingRows::NotAmongOthers, true) => {
            "The rows that are not held out are not those that the classifier was trained on: no TF-IDF baseline stands beside the scores."
        }
        (TrainingRows::NotAmongOthers, false) => {
            "The rows that --holdout leaves are not those that the classifier was trained on: no TF-IDF baseline stands beside the scores, and \
             some of the scored rows may have been trained on."
        }
        (TrainingRows::Unknown, true) => {
            "No TF-IDF baseline stands beside the scores: it needs the training rows in the same file, and --holdout."
        }
        (TrainingRows::Unknown, false) => {
            "No TF-IDF baseline stands beside the scores, and whether the classifier was trained on some of these rows was not looked at: both \
             need the training rows in the same file, and --holdout."
        }
    })
}

fn cross_validation(arguments: &Arguments) -> anyhow::Result<Report> {
    let found = FinishedCrossValidation::read(&arguments.folder)?;
    let evaluation = &found.scored.evaluation;
    let training = found.pooled.training.as_ref();
    let data = match &arguments.data.file {
        Some(_) => Some(found.texts(&arguments.data.read(evaluation.labels.names(), None, &arguments.holdout.split)?)?),
        None => None,
    };
    let mut notices = Vec::new();
    if let Some(data) = &data {
        notices.extend(scored_notices(&DataReport::of(data), evaluation));
    }
    let folds: Vec<EvaluationPair> =
        found.folds.iter().map(|fold| EvaluationPair { classifier: &fold.evaluation, tfidf: &fold.tfidf }).collect();
    let report = ScoredReport {
        kind: "Cross-validation",
        predictions: &found.scored.predictions,
        truth: &found.truth,
        rows: &found.rows,
        evaluation,
        texts: data.as_ref().filter(|_| !arguments.without_texts).map(|data| data.texts.as_slice()),
        data: data.as_ref().map(DataReport::of),
        baseline: Some(Baseline { predictions: &found.tfidf.predictions, evaluation: &found.tfidf.evaluation }),
        folds: &folds,
        base_model: training.map(|training| &training.base_model),
        training: None,
        settings: training.map(|training| recipe_settings(&training.prompt, &training.recipe)).unwrap_or_default(),
        decisions: None,
        prevalences: arguments.prevalence.clone().unwrap_or_default(),
        audit: None,
        reasons: BTreeMap::new(),
        notices,
    };
    Ok(report.render(&origin(arguments, None))?)
}

fn sweep(arguments: &Arguments) -> anyhow::Result<Report> {
    let results = finished_runs(&arguments.folder)?;
    let runs: Vec<Run> = results
        .iter()
        .map(|result| Run {
            settings: result.settings(),
            base_models: std::iter::once(&result.base_model).chain(&result.companions).collect(),
            evaluation: result.evaluation.as_ref(),
            tfidf: &result.tfidf,
            seconds: result.seconds,
        })
        .collect();
    let published: &[_] = if arguments.codelab_points { &CODELAB } else { &[] };
    Ok(SweepReport { results: &runs, published }.render(&origin(arguments, None)))
}
