//! What a classifier is worth on rows: evaluations, reports, audits, comparisons; and what may fool one.

use crate::classifier::{Classifier, json, predictions};
use crate::data::GivenRows;
use crate::error::raised;
use crate::options::Options;
use crate::work;
use lincah::audit::{Audit, AuditPlan, Robustness};
use lincah::baseline::TfidfBaseline;
use lincah::checked::{Checked, Suspects, token_lengths};
use lincah::comparison::{Comparison, Scored};
use lincah::data::check::DataCheck;
use lincah::data::perturbation::Perturbation;
use lincah::data::report::DataReport;
use lincah::data::split::numpy_permutation;
use lincah::decisions::Prevalences;
use lincah::evaluation::{EvaluatedRows, FullEvaluation};
use lincah::report::{Baseline, Origin, ScoredReport, scored_notices};
use lincah::{AgileClassifier, ClassifierRecord, Dataset, ScoredDataset};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::collections::BTreeMap;
use std::time::Instant;

/// Rows that a classifier may be judged by.
pub(crate) struct Unseen {
    pub(crate) data: Dataset,
    /// What a reader must know of them.
    pub(crate) notice: Option<String>,
    rows: EvaluatedRows,
}

/// The rows that the classifier was not trained on; all, where those are to be `included`.
pub(crate) fn unseen(classifier: &AgileClassifier, data: Dataset, included: bool) -> PyResult<Unseen> {
    let Some(record) = classifier.record() else {
        return Ok(Unseen { data, notice: None, rows: EvaluatedRows::default() });
    };
    let given = data.len();
    let unseen = record.unseen(data, included).map_err(raised)?;
    let notice = unseen.notice(given, included);
    let rows = EvaluatedRows {
        trained_on: unseen.trained_on,
        training_rows_included: included && unseen.trained_on.is_some_and(|rows| rows > 0),
        chosen_with: unseen.chosen_with,
        members: record.member_descriptions(),
        ..EvaluatedRows::default()
    };
    Ok(Unseen { data: unseen.data, notice, rows })
}

pub(crate) fn evaluate(
    of: &Classifier,
    py: Python<'_>,
    rows: GivenRows,
    options: &Options,
) -> PyResult<(String, Option<String>)> {
    let prevalences: Prevalences = options.named("prevalence")?.unwrap_or_default();
    let Unseen { data, notice, rows } = unseen(&of.read(), rows.dataset()?, options.is("include_training_rows")?)?;
    let rows = EvaluatedRows { prevalences, ..rows };
    let full = of.run(py, |classifier, _| {
        let scored = classifier.evaluate(&data)?;
        FullEvaluation::of(scored.evaluation, &scored.predictions, data.truth(), &rows)
    })?;
    Ok((json(&full)?, notice))
}

pub(crate) fn audit(of: &Classifier, py: Python<'_>, rows: GivenRows, options: &Options) -> PyResult<(String, Option<String>)> {
    let plan = AuditPlan {
        functionality: options.get("functionality")?,
        group: options.get("group")?,
        slices: options.strings("slices")?,
        terms: options.strings("terms")?,
    };
    let (seed, most) = (options.get::<u32>("seed")?.unwrap_or(1), options.get("robustness_rows")?.unwrap_or(200));
    let is_robustness_asked = options.is("robustness")?;
    let Unseen { data, notice, .. } = unseen(&of.read(), rows.dataset()?, options.is("include_training_rows")?)?;
    let found = of.run(py, |classifier, listener| {
        let mut found = Audit::of(&data, &predictions(classifier, &data.texts, listener)?, &plan)?;
        if is_robustness_asked {
            let mut drawn = numpy_permutation(seed, data.len());
            drawn.truncate(std::cmp::max(most, 1usize));
            let texts = data.subset(&drawn).texts;
            found.robustness = Some(Robustness::of(&texts, Perturbation::ALL, seed.into(), |texts| classifier.predict(texts))?);
        }
        Ok(found)
    })?;
    Ok((json(&found)?, notice))
}

/// Whether one of two classifiers of the same labels is really better: JSON, and what a reader must know of the rows.
#[pyfunction]
pub(crate) fn compare(
    py: Python<'_>,
    first: &Classifier,
    second: &Classifier,
    rows: GivenRows,
    options: Bound<'_, PyDict>,
) -> PyResult<(String, Vec<String>)> {
    let included = Options(options).is("include_training_rows")?;
    let mut data = rows.dataset()?;
    let mut notices = Vec::new();
    for classifier in [first, second] {
        let unseen = unseen(&classifier.read(), data, included)?;
        data = unseen.data;
        notices.extend(unseen.notice);
    }
    let scored = |of: &Classifier| {
        of.run(py, |classifier, listener| {
            let begun = Instant::now();
            Ok((predictions(classifier, &data.texts, listener)?, classifier.rule().clone(), begun.elapsed().as_secs_f64()))
        })
    };
    let (a, b) = (scored(first)?, scored(second)?);
    let first = Scored { predictions: &a.0, rule: &a.1, seconds: a.2 };
    let second = Scored { predictions: &b.0, rule: &b.1, seconds: b.2 };
    let found = Comparison::of(first, second, data.truth(), &data.rows).map_err(raised)?;
    Ok((json(&found)?, notices))
}

/// A report of the rows: its page, its plots by name as SVG, and what a reader must know of the rows. `train` are the rows of the baseline.
pub(crate) fn report(
    of: &Classifier,
    py: Python<'_>,
    (rows, train): (GivenRows, Option<GivenRows>),
    options: &Options,
) -> PyResult<(String, Vec<(String, String)>)> {
    let prevalences: Prevalences = options.named("prevalence")?.unwrap_or_default();
    let (without_texts, is_explained) = (options.is("without_texts")?, options.is("explain")?);
    let train = train.map(GivenRows::dataset).transpose()?;
    let Unseen { data, notice, .. } = unseen(&of.read(), rows.dataset()?, options.is("include_training_rows")?)?;
    let origin = Origin {
        subject: options.get("subject")?.unwrap_or_default(),
        date: time::OffsetDateTime::now_utc().date().to_string(),
        command: String::from("AgileClassifier.report"),
        machine: None,
    };
    let report = of.run(py, |classifier, _| {
        let ScoredDataset { predictions, evaluation } = classifier.evaluate(&data)?;
        let tfidf = train.map(|train| TfidfBaseline::evaluate(&train, &data)).transpose()?;
        let (looked_through, record) = (DataReport::of(&data), classifier.record());
        let notices = notice.into_iter().chain(scored_notices(&looked_through, &evaluation)).collect();
        let mut report = ScoredReport {
            kind: "Classifier",
            predictions: &predictions,
            truth: &data.truth,
            rows: &data.rows,
            evaluation: &evaluation,
            texts: (!without_texts).then_some(&data.texts),
            data: Some(looked_through),
            baseline: tfidf.as_ref().map(|tfidf| Baseline { predictions: &tfidf.predictions, evaluation: &tfidf.evaluation }),
            folds: &[],
            base_model: record.map(|record| &record.base_model),
            training: record.map(|record| &record.data),
            settings: record.map(ClassifierRecord::settings).unwrap_or_default(),
            decisions: record.and_then(|record| record.decisions.as_ref()),
            prevalences,
            audit: None,
            reasons: BTreeMap::new(),
            notices,
        };
        if is_explained {
            let rows = report.rows_shown()?;
            let explained = classifier.explain(&data.subset(&rows).texts)?;
            report.reasons = rows.into_iter().zip(explained).map(|(row, explanation)| (row, explanation.reasons)).collect();
        }
        report.render(&origin)
    })?;
    Ok((report.html, report.plots.into_iter().map(|plot| (plot.name, plot.svg)).collect()))
}

/// What may fool a classifier, as `lincah check` says it, in JSON.
#[pyfunction]
pub(crate) fn check(py: Python<'_>, rows: GivenRows, options: Bound<'_, PyDict>) -> PyResult<String> {
    let options = Options(options);
    let (model, max_tokens) = (options.get::<String>("model")?, options.get("max_tokens")?.unwrap_or(256));
    let data = rows.dataset()?;
    let found = work::run(py, options.threads()?, None, |_| {
        let tokens = match token_lengths(&data, model.as_deref(), max_tokens) {
            // The default model need not be here to look at data.
            Err(_) if model.is_none() => None,
            lengths => Some(lengths?),
        };
        Ok(Checked::of(&data, DataCheck::of(&data, None, None), tokens, Suspects::of(&data)?).json())
    })?;
    json(&found)
}
