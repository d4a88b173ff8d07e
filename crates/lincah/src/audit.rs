//! Where a classifier fails: by functionality, by group, by identity term, by slice, and on obfuscated texts.
//!
//! Everything but the scoring of obfuscated copies is made of predictions and truth.

mod drift;
mod identity;
mod parts;
mod robustness;
mod slices;

pub use drift::{Drift, LabelDrift, estimated_prevalences, kolmogorov_smirnov, population_stability_index};
pub use identity::{GroupAreas, IdentityAreas, generalized_mean};
pub use parts::{Part, parts};
pub use robustness::{Flips, Robustness};
pub use slices::{SlicePart, fisher_exact};

use crate::data::dataset::Dataset;
use crate::error::Error;
use crate::evaluation::Truth;
use crate::gate::GatedFigure;
use crate::metrics::check_lengths;
use crate::prediction::Prediction;
use lincah_model::regular_file;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What is to be looked at; the columns are kept columns of the data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditPlan {
    /// Column of what each row tests.
    pub functionality: Option<String>,
    /// Column of whom each row is about; an empty value is nobody.
    pub group: Option<String>,
    /// Columns of anything else.
    pub slices: Vec<String>,
    /// Words that make a group each of the texts that have them.
    pub terms: Vec<String>,
}

impl AuditPlan {
    /// The columns to keep while the data are read.
    pub fn columns(&self) -> Vec<String> {
        let mut columns: Vec<String> = self.functionality.iter().chain(&self.group).chain(&self.slices).cloned().collect();
        columns.sort();
        columns.dedup();
        columns
    }
}

/// What an audit finds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// Rows.
    pub n: usize,
    /// All of them.
    pub overall: Part,
    /// By functionality, worst first.
    pub functionalities: Vec<Part>,
    /// By group, worst first.
    pub groups: Vec<Part>,
    /// Of each label, how well groups are told apart from others. Borkan et al. 2019.
    pub identity: Vec<IdentityAreas>,
    /// By any other column, worst first.
    pub slices: Vec<SlicePart>,
    /// How decisions stand obfuscated texts; absent where that was not looked at.
    pub robustness: Option<Robustness>,
}

impl Audit {
    /// Looks at the predictions of `data`.
    ///
    /// # Errors
    /// [`Error::NoAuditColumn`]; predictions that are not of these rows.
    pub fn of(data: &Dataset, predictions: &[Prediction], plan: &AuditPlan) -> Result<Self, Error> {
        check_lengths(data.len(), predictions.len())?;
        let truth = data.truth();
        let column = |name: &String| data.column(name).ok_or_else(|| Error::NoAuditColumn { column: name.clone() });
        let by = |name: &Option<String>| -> Result<Vec<Part>, Error> {
            Ok(name.as_ref().map(column).transpose()?.map_or(Vec::new(), |values| parts(truth, predictions, values)))
        };
        let all = vec![String::from("all"); data.len()];
        let overall = parts(truth, predictions, &all).pop().ok_or(Error::NothingToScore)?;
        let slices: Vec<(String, &[String])> =
            plan.slices.iter().map(|name| Ok((name.clone(), column(name)?))).collect::<Result<_, Error>>()?;
        let memberships = identity::memberships(data, plan.group.as_ref().map(column).transpose()?, &plan.terms);
        Ok(Self {
            n: data.len(),
            overall,
            functionalities: by(&plan.functionality)?,
            groups: by(&plan.group)?,
            identity: identity::of_labels(truth, predictions, &memberships)?,
            slices: slices::of(truth, predictions, &slices),
            robustness: None,
        })
    }

    /// Reads what `lincah audit --json` printed.
    ///
    /// # Errors
    /// [`Error::NotAnAudit`], a file that cannot be read.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bytes = regular_file::read(path, regular_file::SMALL).map_err(Error::file("read", path))?;
        serde_json::from_slice(&bytes).map_err(|source| Error::NotAnAudit { path: path.to_owned(), source })
    }

    /// The figures that a gate may look at: `accuracy`, `worst_functionality`, `worst_group`, `identity_auc` (the least generalized mean of
    /// any label and kind), `flips` (the largest share), and `functionality:NAME`, `group:NAME`, `flips:KIND`.
    pub fn figures(&self) -> Vec<GatedFigure> {
        let figure = |name: String, value: Option<f64>, higher_is_better| GatedFigure { name, value, higher_is_better };
        let mut figures = vec![figure(String::from("accuracy"), self.overall.accuracy, true)];
        for (kind, parts) in [("functionality", &self.functionalities), ("group", &self.groups)] {
            if !parts.is_empty() {
                let worst = parts.iter().filter_map(|part| part.accuracy).reduce(f64::min);
                figures.push(figure(format!("worst_{kind}"), worst, true));
            }
            figures.extend(parts.iter().map(|part| figure(format!("{kind}:{}", part.name), part.accuracy, true)));
        }
        if !self.identity.is_empty() {
            let means = self.identity.iter().flat_map(IdentityAreas::means);
            figures.push(figure(String::from("identity_auc"), means.flatten().reduce(f64::min), true));
        }
        if let Some(robustness) = &self.robustness {
            let largest = robustness.kinds.iter().filter_map(|flips| flips.share).reduce(f64::max);
            figures.push(figure(String::from("flips"), largest, false));
            figures.extend(robustness.kinds.iter().map(|flips| figure(format!("flips:{}", flips.kind), flips.share, false)));
        }
        figures
    }
}

/// Whether each row is right in every decision, and whether it was left to a person.
fn outcomes(truth: Truth, predictions: &[Prediction]) -> Vec<(bool, bool)> {
    let of = |(truth, prediction): (&Vec<bool>, &Prediction)| (prediction.is_right(truth), prediction.is_abstained());
    truth.truth.iter().zip(predictions).map(of).collect()
}
