//! `lincah import`.

use crate::args::Import;
use crate::machine::quoted;
use crate::outputs;
use crate::print::{next_steps, note, print_device};
use anyhow::bail;
use lincah::calibration::Calibration;
use lincah::{
    AgileClassifier, Asked, BaseModel, ComputeOptions, DecisionRule, Error, LabelSet, Prompt, Recipe, Task, base_model_of,
};
use std::path::Path;

const ADAPTER_FILE: &str = "adapter_config.json";

pub(crate) fn run(arguments: &Import, compute: ComputeOptions) -> anyhow::Result<()> {
    let Import { folder, out, .. } = arguments;
    outputs::check_new_folder(out)?;
    let below = folder.join("1");
    if !folder.join(ADAPTER_FILE).exists() && below.join(ADAPTER_FILE).exists() {
        bail!("{} has an adapter in each of its folders; import one of them, such as {}", folder.display(), below.display());
    }
    let asked = asked(arguments)?;
    let model = match &arguments.model {
        Some(model) => model.clone(),
        None => named_base(folder)?,
    };
    let base = BaseModel::open(&model, compute)?;
    print_device(compute, &base);
    let classifier = AgileClassifier::import(folder, &base, asked)?;
    classifier.save(out)?;
    note!("saved in {}", out.display());
    let out = quoted(&out.display().to_string());
    next_steps(&[format!("lincah predict {out} --input \"any text\""), format!("lincah verify {out}")]);
    Ok(())
}

/// As the options say, or as lincah's own export does.
fn asked(arguments: &Import) -> anyhow::Result<Asked> {
    let Import { folder, labels, independent, prompt, .. } = arguments;
    if labels.is_empty() {
        if let Some(option) = prompt.given() {
            bail!("{option} goes with --labels only: prompt.json says how the adapter is asked");
        }
        return match Asked::read(folder)? {
            Some(asked) => Ok(asked),
            None => bail!("{} does not say what it was trained to answer: give --labels A,B", folder.display()),
        };
    }
    let task = if *independent { Task::MultiLabel } else { Task::SingleLabel };
    let made = Prompt::new(task, LabelSet::new(labels.clone()).map_err(Error::from)?).map_err(Error::from)?;
    let max_tokens = prompt.max_tokens.unwrap_or(Recipe::default().max_tokens);
    let prompt = prompt.overrides().apply(made).map_err(Error::from)?;
    Ok(Asked { prompt, max_tokens, decision_rule: DecisionRule::default(), calibration: Calibration::default() })
}

/// The base model that the adapter names, which may lie beside it.
fn named_base(folder: &Path) -> anyhow::Result<String> {
    match base_model_of(folder)? {
        Some(name) if folder.join(&name).is_dir() => Ok(folder.join(name).display().to_string()),
        Some(name) => Ok(name),
        None => bail!("{} names no base model: give --model", folder.display()),
    }
}
