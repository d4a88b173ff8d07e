//! `lincah audit`.

use super::evaluate::unseen_rows;
use crate::args::Audit as Arguments;
use crate::print::{json_line, next_steps, note, print_audit, print_device};
use lincah::audit::{Audit, Robustness};
use lincah::data::perturbation::Perturbation;
use lincah::data::split::numpy_permutation;
use lincah::{AgileClassifier, BaseModel, ClassifierRecord, ComputeOptions, Error};

pub(crate) fn run(arguments: &Arguments, compute: ComputeOptions) -> anyhow::Result<()> {
    let record = ClassifierRecord::read(&arguments.folder)?;
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
