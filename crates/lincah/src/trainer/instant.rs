//! Probes on frozen models.

use super::{Given, OnEvent, TrainEvent, Trained, Trainer};
use crate::base_model::BaseModel;
use crate::classifier::{AgileClassifier, BaseModelRecord, Member, MemberRecord, Members};
use crate::error::Error;
use crate::instant::{self, FittedProbe};
use std::ops::ControlFlow;
use std::time::Instant;

impl Trainer {
    /// Fits probes on the frozen models. Nothing is in the folder before the whole classifier is: it takes seconds.
    pub(super) fn run_instant(&self, given: &Given, on_event: &mut OnEvent) -> Result<Trained, Error> {
        let Given { data, sides, scored } = *given;
        let begun = Instant::now();
        let mut tell = |event: TrainEvent| match on_event(&event) {
            ControlFlow::Break(()) => Err(Error::Interrupted { step: 0, steps: 0, folder: None }),
            ControlFlow::Continue(()) => Ok(()),
        };
        let bases: Vec<BaseModel> = self.bases().cloned().collect();
        let trained_on = self.recipe.augmentation.applied(&sides.train, self.recipe.seed);
        tell(TrainEvent::Reading { texts: trained_on.len(), models: bases.iter().map(|base| base.name().to_owned()).collect() })?;
        let (prompt, max_tokens) = (&self.scoring.prompt, self.recipe.max_tokens);
        let fitted = instant::fit(&bases, prompt, max_tokens, (&trained_on, &sides.train), &mut |base| {
            tell(TrainEvent::Read { model: base.name().to_owned(), seconds: begun.elapsed().as_secs_f64() })
        })?;
        let mut record = self.record(data, sides, fitted.truncated_texts);
        let (mut members, weights, log_losses) = (Vec::new(), fitted.mixture.weights.clone(), fitted.log_losses);
        for (place, FittedProbe { base, states, reading, probe }) in fitted.probes.into_iter().enumerate() {
            let base = bases[base].clone();
            let (base_model, sha256) = (BaseModelRecord::of(&base), probe.sha256());
            tell(TrainEvent::Fitted {
                model: base.name().to_owned(),
                states,
                weight: weights[place],
                log_loss: log_losses.get(place).copied(),
            })?;
            record.members.push(MemberRecord::Probe { base_model, states, reading, sha256 });
            members.push(Member::Probe { base, states, reading, probe });
        }
        if members.len() > 1 {
            record.weights = weights;
        }
        record.training_rows = Some(self.remembered(&record, data));
        let classifier = AgileClassifier::of_members(Members { all: members, mixture: fitted.mixture }, record);
        classifier.predict(&data.texts[..1])?;
        if let Some(folder) = &self.folder {
            classifier.save(folder)?;
        }
        let seconds = begun.elapsed().as_secs_f64();
        // Nothing is left to stop.
        let _ = on_event(&TrainEvent::End { step: 0, stopped_early: false, kept_epoch: 0, seconds });
        Trained::of(classifier, scored, seconds)
    }
}
