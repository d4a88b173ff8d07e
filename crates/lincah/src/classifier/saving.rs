//! A classifier's folder, written whole.

use super::card::card;
use super::folder::{ClassifierRecord, write_record};
use super::member::{Member, MemberClassifier, Members};
use super::member_record::{member_folder, probe_file};
use super::probes::{PROBES, Probe, StoredProbes};
use crate::error::Error;
use crate::scoring::{ScoredText, Scoring};
use lincah_model::Device;
use std::path::Path;

/// Writes adapter, members, probe texts, README and, last, `classifier.json`.
pub(super) fn save(folder: &Path, record: &ClassifierRecord, (members, scoring): (&Members, &Scoring)) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
    for (number, member) in members.all.iter().enumerate() {
        match member {
            Member::Asked { scorer, .. } => {
                if let Some(adapter) = scorer.adapter() {
                    adapter.write(folder, &record.base_model.name)?;
                }
            }
            Member::Probe { probe, .. } => probe.write(&probe_file(folder, number))?,
            Member::Classifier(classifier) => save_member(&member_folder(folder, number), classifier)?,
        }
    }
    let base = members.first().base();
    let probe = |(text, scored): (&&str, ScoredText)| Probe { text: text.to_string(), probabilities: scored.probabilities };
    let probes = PROBES.iter().zip(members.score(scoring, &PROBES)?).map(probe).collect();
    StoredProbes { precision: base.precision().to_string(), on_gpu: base.device() != Device::Cpu, probes }.write(folder)?;
    write_record(folder, record, card(record))
}

/// A member that its training has saved already is left as it is.
fn save_member(folder: &Path, classifier: &MemberClassifier) -> Result<(), Error> {
    let MemberClassifier { members, scoring, record } = classifier;
    match ClassifierRecord::read(folder).is_ok_and(|stored| record.is_of_the_same_classifier(&stored)) {
        true => Ok(()),
        false => save(folder, record, (members, scoring)),
    }
}
