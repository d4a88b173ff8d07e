//! Whether a classifier on this machine is the one that was saved, for a script that deploys it.

use crate::base_model::BaseModel;
use crate::classifier::{AgileClassifier, ClassifierRecord, PROBES, StoredProbes};
use crate::error::Error;
use lincah_model::{ComputeOptions, Device, Precision};
use rayon::ThreadPoolBuilder;
use serde::Serialize;
use std::path::Path;

/// Largest difference between a probability in f32 and the same on another machine.
const EXACT: f64 = 1e-5;
/// The same where products are kept in f32 on a GPU, whose sums have another order.
const OTHER_ORDER: f64 = 1e-4;
/// The same where weights or products have 8 bits, in the same precision.
const ROUNDED: f64 = 2e-2;
/// The same beside f32; .032 was seen on an H100.
const ROUNDED_BESIDE_F32: f64 = 6e-2;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// As it should be.
    Passed,
    /// Not as it should be.
    Failed,
    /// It could not be looked at.
    Skipped,
}

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// What.
    pub name: &'static str,
    /// How it went.
    pub status: CheckStatus,
    /// In words.
    pub detail: String,
    /// The largest difference of a probability, where probabilities were compared.
    pub measured: Option<f64>,
    /// What that may be.
    pub limit: Option<f64>,
}

/// What was looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// Whether no check failed.
    pub passed: bool,
    /// Each check.
    pub checks: Vec<Check>,
}

impl Verification {
    /// Looks at the classifier in `folder` on its base model, or on `model`: its files' hashes, its prompt and the labels' tokens; the scores
    /// alone, together, in another order and with one thread; the stored probe texts' scores; and the processor against a GPU where there
    /// is one.
    ///
    /// # Errors
    /// A base model that is not there. What is wrong with the folder is a failed check.
    pub fn of(folder: &Path, model: Option<&str>, compute: ComputeOptions) -> Result<Self, Error> {
        let record = match ClassifierRecord::read(folder) {
            Ok(record) => record,
            Err(error) => return Ok(Self::from(vec![files_failed(&error)])),
        };
        let name = model.unwrap_or(&record.base_model.name);
        let base = BaseModel::open(name, compute)?;
        let classifier = match AgileClassifier::load_on(folder, &base) {
            Ok(classifier) => classifier,
            Err(error) => return Ok(Self::from(vec![files_failed(&error)])),
        };
        let files = "hashes of adapter, prompt, weights and tokenizer, and the labels' tokens, are those of the training";
        let scores = scores(&classifier, &PROBES)?;
        let mut checks =
            vec![Check { name: "files", status: CheckStatus::Passed, detail: String::from(files), measured: None, limit: None }];
        if record.members_to_come > 0 {
            let detail = format!("the training was not finished: {} more members are to come", record.members_to_come);
            checks.push(Check { name: "training", status: CheckStatus::Failed, detail, measured: None, limit: None });
        }
        checks.extend(repetitions(&classifier, &scores)?);
        checks.push(merged());
        checks.push(probes(folder, &classifier, &scores)?);
        checks.push(other_device(folder, name, &classifier, &scores));
        Ok(Self::from(checks))
    }

    /// The names of the checks that failed.
    pub fn failed(&self) -> Vec<&'static str> {
        self.checks.iter().filter(|check| check.status == CheckStatus::Failed).map(|check| check.name).collect()
    }
}

impl From<Vec<Check>> for Verification {
    fn from(checks: Vec<Check>) -> Self {
        Self { passed: checks.iter().all(|check| check.status != CheckStatus::Failed), checks }
    }
}

fn files_failed(error: &Error) -> Check {
    Check { name: "files", status: CheckStatus::Failed, detail: error.to_string(), measured: None, limit: None }
}

fn skipped(name: &'static str, detail: impl Into<String>) -> Check {
    Check { name, status: CheckStatus::Skipped, detail: detail.into(), measured: None, limit: None }
}

/// `[texts][labels]`
type Scores = Vec<Vec<f64>>;

fn scores(classifier: &AgileClassifier, texts: &[&str]) -> Result<Scores, Error> {
    Ok(classifier.score(texts)?.into_iter().map(|text| text.probabilities).collect())
}

/// Passed where no probability differs by more than `limit`.
fn compared(name: &'static str, detail: String, (expected, found): (&Scores, &Scores), limit: f64) -> Check {
    let pairs = expected.iter().flatten().zip(found.iter().flatten());
    let most = pairs.map(|(expected, found)| (expected - found).abs()).fold(0.0, f64::max);
    let as_many = expected.len() == found.len() && expected.iter().zip(found).all(|(a, b)| a.len() == b.len());
    // Written so that a NaN fails.
    let near = as_many && most <= limit && found.iter().flatten().all(|probability| probability.is_finite());
    let status = if near { CheckStatus::Passed } else { CheckStatus::Failed };
    Check { name, status, detail, measured: Some(most), limit: Some(limit) }
}

/// Each text alone, all in the opposite order, and with one thread: the same bits on the processor.
fn repetitions(classifier: &AgileClassifier, expected: &Scores) -> Result<Vec<Check>, Error> {
    let limit = match (classifier.base().device(), classifier.base().precision()) {
        (Device::Cpu, _) => 0.0,
        (_, Precision::F32) => OTHER_ORDER,
        _ => ROUNDED,
    };
    let alone: Scores =
        PROBES.iter().map(|text| Ok(scores(classifier, &[text])?.swap_remove(0))).collect::<Result<_, Error>>()?;
    let mut backwards: Vec<&str> = PROBES.to_vec();
    backwards.reverse();
    let mut turned = scores(classifier, &backwards)?;
    turned.reverse();
    let mut checks = vec![
        compared("batch", format!("{} texts alone and together", PROBES.len()), (expected, &alone), limit),
        compared("order", String::from("the same texts in the opposite order"), (expected, &turned), limit),
    ];
    checks.push(match ThreadPoolBuilder::new().num_threads(1).build() {
        Ok(pool) => {
            let single = pool.install(|| scores(classifier, &PROBES))?;
            compared("threads", String::from("one thread and all"), (expected, &single), limit)
        }
        Err(error) => skipped("threads", format!("no pool of one thread could be made: {error}")),
    });
    Ok(checks)
}

fn merged() -> Check {
    skipped("merged", "this lincah writes no merged weights to compare the adapter with")
}

/// The probe texts' scores from when the classifier was saved.
fn probes(folder: &Path, classifier: &AgileClassifier, found: &Scores) -> Result<Check, Error> {
    let stored = match StoredProbes::read(folder) {
        Ok(Some(stored)) => stored,
        Ok(None) => return Ok(skipped("probes", "the folder has no probes.json: it was written before there were probes")),
        Err(error) => {
            return Ok(Check {
                name: "probes",
                status: CheckStatus::Failed,
                detail: error.to_string(),
                measured: None,
                limit: None,
            });
        }
    };
    let texts: Vec<&str> = stored.probes.iter().map(|probe| probe.text.as_str()).collect();
    let now = if texts == PROBES { found.clone() } else { scores(classifier, &texts)? };
    let expected: Scores = stored.probes.iter().map(|probe| probe.probabilities.clone()).collect();
    let precision = classifier.base().precision().to_string();
    let limit = match (precision.as_str(), stored.precision.as_str()) {
        ("f32", "f32") if stored.on_gpu || classifier.base().device() != Device::Cpu => OTHER_ORDER,
        ("f32", "f32") => EXACT,
        (now, stored) if now == stored => ROUNDED,
        _ => ROUNDED_BESIDE_F32,
    };
    let detail = format!("{} texts as when it was saved in {}, now in {precision}", texts.len(), stored.precision);
    Ok(compared("probes", detail, (&expected, &now), limit))
}

/// The processor against a GPU.
fn other_device(folder: &Path, name: &str, classifier: &AgileClassifier, expected: &Scores) -> Check {
    let here = classifier.base().device();
    let other = if here == Device::Cpu { Device::Cuda(0) } else { Device::Cpu };
    if !Device::CUDA_IS_BUILT {
        return skipped("gpu", "this lincah was built without the feature cuda");
    }
    let compute = ComputeOptions { device: other, precision: Some(Precision::F32), ..ComputeOptions::default() };
    let there = BaseModel::open(name, compute)
        .and_then(|base| AgileClassifier::load_on(folder, &base))
        .and_then(|classifier| scores(&classifier, &PROBES));
    match there {
        Ok(there) => {
            let limit = if classifier.base().precision() == Precision::F32 { OTHER_ORDER } else { ROUNDED_BESIDE_F32 };
            compared("gpu", format!("{here} and {other}"), (expected, &there), limit)
        }
        Err(error) => skipped("gpu", error.to_string()),
    }
}
