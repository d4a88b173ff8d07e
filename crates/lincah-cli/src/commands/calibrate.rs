//! `lincah calibrate`.

use super::evaluate::unseen_rows;
use crate::args::Calibrate;
use crate::machine::quoted;
use crate::outputs;
use crate::print::{json_line, next_steps, note, print_decisions, print_device};
use anyhow::bail;
use lincah::cross_validation::FinishedCrossValidation;
use lincah::{AgileClassifier, BaseModel, ClassifierRecord, ComputeOptions};
use serde_json::json;

pub(crate) fn run(arguments: &Calibrate, compute: ComputeOptions) -> anyhow::Result<()> {
    let folder = arguments.folder.as_path();
    let record = ClassifierRecord::read(folder)?;
    outputs::check_writable(folder)?;
    let request = arguments.decisions.request();
    request.check(record.task, record.prompt.labels().names())?;
    let data = match &arguments.from {
        Some(_) if arguments.holdout.is_given() => bail!("--from has its rows: leave --holdout out"),
        Some(_) => None,
        None => {
            let (data, others) = arguments.holdout.to_score(arguments.data.read_for(&record, &arguments.holdout.split)?)?;
            if record.training_rows.is_none() {
                note!("warning: this classifier does not remember its training rows: give none of them");
            }
            Some(unseen_rows("the classifier", &record, data, others.as_ref(), false)?.data)
        }
    };
    let base = BaseModel::open(arguments.model.as_deref().unwrap_or(&record.base_model.name), compute)?;
    let mut classifier = AgileClassifier::load_on(folder, &base)?;
    print_device(compute, &base);
    match (&arguments.from, &data) {
        (Some(folds), _) => classifier.calibrate_from(&FinishedCrossValidation::read(folds)?, &request)?,
        (None, Some(data)) => {
            note!("scoring {} rows", data.len());
            classifier.calibrate(data, &request)?
        }
        (None, None) => bail!("give rows to choose by: DATA, --text and the labels, or --from FOLDS"),
    };
    classifier.save_record(folder)?;
    if let Some(record) = classifier.record() {
        if arguments.json {
            let (rule, calibration) = (&record.decision_rule, &record.calibration);
            json_line(&json!({"decisions": record.decisions, "decision_rule": rule, "calibration": calibration}))?;
        } else {
            print_decisions(record);
        }
    }
    let shown = quoted(&folder.display().to_string());
    note!("saved in {shown}; its metrics from before are gone, as they were of other decisions");
    next_steps(&[format!("lincah evaluate {shown} OTHER.csv --text COLUMN --label COLUMN --prevalence 0.01")]);
    Ok(())
}
