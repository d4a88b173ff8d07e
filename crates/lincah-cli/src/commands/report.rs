//! `lincah report`.

use crate::commands::evaluate::read;
use crate::printer::print_device;
use crate::report_args::Report as Arguments;
use crate::{machine, png};
use anyhow::{Context, bail};
use lincah::baseline::TfidfBaseline;
use lincah::cross_validation::FinishedCrossValidation;
use lincah::data::dataset::LabelledDataset;
use lincah::data::report::{DataReport, SplitOverlap};
use lincah::evaluation::{Evaluation, Truth};
use lincah::report::{Baseline, CODELAB, EvaluationPair, Origin, Report, Run, ScoredReport, SweepReport};
use lincah::sweep::{finished_runs, recipe_settings};
use lincah::{
    AgileClassifier, ClassifierRecord, Compute, DecisionRule, Error, FolderKind, LabelSet, Prediction, Task, write_atomically,
};
use std::path::Path;
use std::time::Instant;

pub(crate) fn run(arguments: &Arguments, compute: Compute) -> anyhow::Result<()> {
    let kind = FolderKind::of(&arguments.folder)?;
    let for_classifier = arguments.holdout.holdout.is_some() || arguments.model.is_some();
    match kind {
        FolderKind::Classifier => {}
        _ if for_classifier => bail!("--holdout and --model are for a classifier's report; these rows are scored already"),
        FolderKind::Sweep if arguments.file.is_some() => {
            bail!("a sweep's report needs no data; leave DATA, --text and --label away")
        }
        _ => {}
    }
    if arguments.codelab_points && kind != FolderKind::Sweep {
        bail!("--codelab-points are for a sweep's report");
    }
    let report = match kind {
        FolderKind::Classifier => classifier(arguments, compute)?,
        FolderKind::CrossValidation => cross_validation(arguments)?,
        FolderKind::Sweep => sweep(arguments)?,
    };
    write_atomically(&arguments.out, report.html.as_bytes())?;
    if let Some(folder) = &arguments.plots {
        write_plots(folder, &report)?;
    }
    eprintln!("written: {}", arguments.out.display());
    Ok(())
}

fn origin(arguments: &Arguments, machine: Option<String>) -> Origin {
    let folder = arguments.folder.canonicalize().unwrap_or_else(|_| arguments.folder.clone());
    let subject = folder.file_name().map_or(String::from("report"), |name| name.to_string_lossy().into_owned());
    Origin { subject, date: time::OffsetDateTime::now_utc().date().to_string(), command: machine::command(), machine }
}

/// The rows that a classifier is scored on, and those of the file that it is not.
struct Rows {
    scored: LabelledDataset,
    others: Option<LabelledDataset>,
}

fn classifier(arguments: &Arguments, compute: Compute) -> anyhow::Result<Report> {
    let record = ClassifierRecord::read(&arguments.folder)?;
    let Some(data_arguments) = arguments.data() else {
        bail!("a classifier's report needs rows to score: give DATA, --text and --label");
    };
    let data = read(&data_arguments, &record)?;
    let rows = match arguments.holdout.split(data.len(), None)? {
        Some(split) => Rows { scored: data.subset(&split.test), others: Some(data.subset(&split.train)) },
        None => Rows { scored: data, others: None },
    };
    let classifier = AgileClassifier::load(&arguments.folder, arguments.model.as_deref(), compute)?;
    print_device(compute, classifier.base());
    eprintln!("scoring {} rows", rows.scored.len());
    let begun = Instant::now();
    let predictions = classifier.predict(&rows.scored.texts)?;
    let evaluation = evaluation(&predictions, &rows.scored, begun.elapsed().as_secs_f64())?;
    let mut notices = Vec::new();
    let baseline = baseline(&rows, &record, &mut notices)?;
    data_notices(&rows.scored, &evaluation, &mut notices);
    let report = ScoredReport {
        kind: "Classifier",
        predictions: &predictions,
        truth: &truth(&rows.scored.labels, &evaluation.labels),
        rows: &rows.scored.rows,
        evaluation: &evaluation,
        texts: (!arguments.without_texts).then_some(&rows.scored.texts),
        data: Some(DataReport::of(&rows.scored)),
        baseline: baseline.as_ref().map(|(predictions, evaluation)| Baseline { predictions, evaluation }),
        folds: &[],
        base_model: Some(&record.base_model),
        training: Some(&record.data),
        settings: recipe_settings(&record.prompt, &record.recipe),
        notices,
    };
    Ok(report.render(&origin(arguments, Some(machine::described(compute))))?)
}

/// The metrics of exclusive labels' predictions.
fn evaluation(predictions: &[Prediction], data: &LabelledDataset, seconds: f64) -> Result<Evaluation, Error> {
    let labels = LabelSet::new(data.label_names.clone())?;
    let truth = truth(&data.labels, &labels);
    let truth = Truth { task: Task::SingleLabel, labels: &labels, truth: &truth };
    Evaluation::of(predictions, truth, &DecisionRule::default(), seconds)
}

/// Classes as sets of labels.
fn truth(classes: &[usize], labels: &LabelSet) -> Vec<Vec<bool>> {
    classes.iter().map(|class| (0..labels.len()).map(|label| label == *class).collect()).collect()
}

/// TF-IDF on the classifier's own training rows, if the file has them beside the scored ones.
fn baseline(
    rows: &Rows,
    record: &ClassifierRecord,
    notices: &mut Vec<String>,
) -> Result<Option<(Vec<Prediction>, Evaluation)>, Error> {
    if record.was_trained_on(&rows.scored) {
        notices.push(String::from(
            "These are the very rows that the classifier was trained on: the figures say nothing about other rows.",
        ));
        return Ok(None);
    }
    let Some(others) = &rows.others else {
        notices.push(String::from(
            "No TF-IDF baseline stands beside the scores, and whether the classifier was trained on some of these rows was not looked at: \
             both need the training rows in the same file, and --holdout.",
        ));
        return Ok(None);
    };
    // `train --train-size` takes the first rows.
    let trained_on = record.data.rows + record.data.validation_rows;
    let train = others.subset(&(0..trained_on.min(others.len())).collect::<Vec<_>>());
    if !record.was_trained_on(&train) {
        notices.push(String::from(
            "The rows that --holdout leaves are not those that the classifier was trained on: no TF-IDF baseline stands beside the scores, and \
             some of the scored rows may have been trained on.",
        ));
        return Ok(None);
    }
    let overlap = SplitOverlap::between(&train, &rows.scored);
    if let Some((train_row, row)) = overlap.pairs.first() {
        notices.push(format!(
            "{} scored texts were trained on too, the first in row {row} (as row {train_row}): the figures are better than they should be.",
            overlap.rows
        ));
    }
    let begun = Instant::now();
    let (predictions, _) = TfidfBaseline::evaluate(&train, &rows.scored)?;
    let evaluation = evaluation(&predictions, &rows.scored, begun.elapsed().as_secs_f64())?;
    Ok(Some((predictions, evaluation)))
}

fn data_notices(data: &LabelledDataset, evaluation: &Evaluation, notices: &mut Vec<String>) {
    let report = DataReport::of(data);
    if let Some(group) = report.conflicting_labels.first() {
        notices.push(format!(
            "{} texts have several labels, the first in rows {group:?}; no classifier can answer them all.",
            report.conflicting_labels.len()
        ));
    }
    if evaluation.truncated_texts > 0 {
        notices.push(format!("{} texts were cut to fit the prompt; their ends were not seen.", evaluation.truncated_texts));
    }
}

fn cross_validation(arguments: &Arguments) -> anyhow::Result<Report> {
    let found = FinishedCrossValidation::read(&arguments.folder)?;
    let evaluation = Evaluation::try_from(&found.pooled.evaluation)?;
    let tfidf = Evaluation::try_from(&found.pooled.tfidf)?;
    let folds = found.folds.iter().map(|fold| Ok((Evaluation::try_from(&fold.evaluation)?, Evaluation::try_from(&fold.tfidf)?)));
    let folds = folds.collect::<Result<Vec<_>, serde_json::Error>>()?;
    let folds: Vec<EvaluationPair> = folds.iter().map(|(classifier, tfidf)| EvaluationPair { classifier, tfidf }).collect();
    let data = match arguments.data() {
        Some(data) => Some(found.texts(&data.read(evaluation.labels.names(), data.positive_at)?)?),
        None => None,
    };
    let mut notices = Vec::new();
    if let Some(data) = &data {
        data_notices(data, &evaluation, &mut notices);
    }
    let training = found.pooled.training.as_ref();
    let report = ScoredReport {
        kind: "Cross-validation",
        predictions: &found.predictions,
        truth: &truth(&found.truth, &evaluation.labels),
        rows: &found.rows,
        evaluation: &evaluation,
        texts: data.as_ref().filter(|_| !arguments.without_texts).map(|data| data.texts.as_slice()),
        data: data.as_ref().map(DataReport::of),
        baseline: Some(Baseline { predictions: &found.tfidf_predictions, evaluation: &tfidf }),
        folds: &folds,
        base_model: training.map(|training| &training.base_model),
        training: None,
        settings: training.map(|training| recipe_settings(&training.prompt, &training.recipe)).unwrap_or_default(),
        notices,
    };
    Ok(report.render(&origin(arguments, None))?)
}

fn sweep(arguments: &Arguments) -> anyhow::Result<Report> {
    let results = finished_runs(&arguments.folder)?;
    let evaluations = results
        .iter()
        .map(|run| Ok((run.evaluation.as_ref().map(Evaluation::try_from).transpose()?, Evaluation::try_from(&run.tfidf)?)));
    let evaluations = evaluations.collect::<Result<Vec<_>, serde_json::Error>>()?;
    let runs = results.iter().zip(&evaluations).map(|(run, (evaluation, tfidf))| Run {
        settings: run.settings(),
        base_model: &run.base_model,
        evaluation: evaluation.as_ref(),
        tfidf,
        seconds: run.seconds,
    });
    let runs: Vec<Run> = runs.collect();
    let published: &[_] = if arguments.codelab_points { &CODELAB } else { &[] };
    Ok(SweepReport { results: &runs, published }.render(&origin(arguments, None)))
}

fn write_plots(folder: &Path, report: &Report) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for plot in &report.plots {
        write_atomically(&folder.join(&plot.name).with_extension("svg"), plot.svg.as_bytes())?;
        write_atomically(&folder.join(&plot.name).with_extension("png"), &png::from_svg(&plot.svg)?)?;
    }
    Ok(())
}
