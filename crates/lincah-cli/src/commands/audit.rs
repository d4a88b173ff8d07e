//! `lincah audit`.

use super::evaluate::unseen_rows;
use crate::args::Audit as Arguments;
use crate::print::{json_line, next_steps, note, print_audit, print_device, print_drift};
use lincah::audit::{Audit, Drift, Robustness};
use lincah::data::perturbation::Perturbation;
use lincah::data::split::numpy_permutation;
use lincah::data::text_columns::TextColumns;
use lincah::data::texts::read_texts;
use lincah::{AgileClassifier, BaseModel, ClassifierRecord, ComputeOptions, Error};
use std::path::Path;

/// Two sets of texts without labels.
fn drift(arguments: &Arguments, before: &Path, record: &ClassifierRecord, compute: ComputeOptions) -> anyhow::Result<()> {
    let columns = TextColumns::new(arguments.data.text.iter().cloned());
    let read = |path: &Path| read_texts(path, &arguments.data.read_options(), &columns).map_err(Error::from);
    let (before, after) = (read(before)?, read(arguments.data.path())?);
    let base = BaseModel::open(arguments.model.as_deref().unwrap_or(&record.base_model.name), compute)?;
    let classifier = AgileClassifier::load_on(&arguments.folder, &base)?;
    print_device(compute, &base);
    note!("scoring {} texts", before.texts.len() + after.texts.len());
    if record.calibration.is_none() {
        note!("note: the probabilities are not calibrated, and shares are estimated from them (lincah calibrate)");
    }
    let trained: Vec<f64> = record.data.label_rows.iter().map(|&rows| rows as f64 / record.data.rows as f64).collect();
    let of = (classifier.task(), classifier.labels());
    let found =
        Drift::of(of, &trained, &classifier.predict(&before.texts)?, &classifier.predict(&after.texts)?).map_err(Error::from)?;
    if arguments.json {
        return json_line(&found);
    }
    print_drift(&found);
    Ok(())
}

pub(crate) fn run(arguments: &Arguments, compute: ComputeOptions) -> anyhow::Result<()> {
    let record = ClassifierRecord::read(&arguments.folder)?;
    if let Some(before) = &arguments.drift {
        return drift(arguments, before, &record, compute);
    }
    let plan = arguments.plan();
    let split = arguments.holdout.split.ungrouped();
    let data = arguments.data.read_for_keeping(&record, &split, plan.columns())?;
    let (data, others) = arguments.holdout.to_score_ungrouped(data)?;
    let included = arguments.training_rows.include_training_rows;
    let data = unseen_rows("the classifier", &record, data, others.as_ref(), included)?.data;
    let base = BaseModel::open(arguments.model.as_deref().unwrap_or(&record.base_model.name), compute)?;
    let classifier = AgileClassifier::load_on(&arguments.folder, &base)?;
    print_device(compute, &base);
    note!("scoring {} rows", data.len());
    let predictions = classifier.predict(&data.texts)?;
    let mut found = Audit::of(&data, &predictions, &plan)?;
    if arguments.robustness {
        let mut drawn = numpy_permutation(arguments.seed, data.len());
        drawn.truncate(arguments.robustness_rows.max(1));
        let texts = data.subset(&drawn).texts;
        note!("scoring {} texts in {} ways", texts.len(), Perturbation::ALL.len() + 1);
        let seed = u64::from(arguments.seed);
        found.robustness = Some(Robustness::of(&texts, Perturbation::ALL, seed, |texts| classifier.predict(texts))?);
    }
    if arguments.json {
        json_line(&found)?;
    } else {
        print_audit(&found);
    }
    if let Some(gate) = &arguments.fail_under {
        gate.check(&found.figures()).map_err(Error::from)?;
    }
    if !arguments.robustness {
        next_steps(&[format!("lincah audit {} {} --robustness", arguments.folder.display(), arguments.data.again())]);
    }
    Ok(())
}
