//! Several models, trained one after the other, whose classifiers work together.

use super::{Given, OnEvent, TrainEvent, Trained, Trainer, job};
use crate::base_model::BaseModel;
use crate::classifier::{
    AgileClassifier, BaseModelRecord, ClassifierRecord, Members, OpenModels, is_empty_or_absent, member_folder,
};
use crate::data::dataset::Dataset;
use crate::data::fingerprint::training_fingerprint;
use crate::error::Error;
use crate::recipe::{Method, Recipe, Sides};
use crate::workers::{self, Heard, Reporter};
use lincah_model::ComputeOptions;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

/// A model that works together with a trainer's own.
#[derive(Debug, Clone)]
pub struct Companion {
    /// The model.
    pub base: BaseModel,
    /// How its adapter is trained; an encoder has none.
    pub recipe: Recipe,
}

impl Trainer {
    /// Whether several classifiers are trained, not one.
    pub(super) fn is_of_a_committee(&self) -> bool {
        self.recipe.method == Method::Lora && !self.companions.is_empty()
    }

    /// Refuses models that are there twice, and recipes by which members would see other rows.
    pub(super) fn check_companions(&self) -> Result<(), Error> {
        let rows = |recipe: &Recipe| {
            [
                ("validation", recipe.validation.to_string()),
                ("seed", recipe.seed.to_string()),
                ("soft_labels", recipe.soft_labels.to_string()),
                ("augmentation", recipe.augmentation.to_string()),
                ("max_tokens", recipe.max_tokens.to_string()),
            ]
        };
        let own = rows(&self.recipe);
        for (place, Companion { base, recipe }) in self.companions.iter().enumerate() {
            let before = std::iter::once(&self.base).chain(self.companions[..place].iter().map(|companion| &companion.base));
            if before.into_iter().any(|other| other.name() == base.name()) {
                return Err(Error::SameModel { name: base.name().to_owned() });
            }
            let differs = rows(recipe).into_iter().zip(&own).find(|((_, value), (_, own))| value != own);
            if let Some(((field, value), _)) = differs.filter(|_| self.is_of_a_committee()) {
                return Err(Error::Recipe { field, value, expected: "that of the first model" });
            }
        }
        Ok(())
    }

    /// The members' trainers: an instant one, that reads with every model, and one for each decoder.
    pub(super) fn members(&self) -> Result<Vec<Self>, Error> {
        let Recipe { augmentation, validation, max_tokens, seed, .. } = self.recipe;
        let recipe = Recipe { augmentation, validation, max_tokens, seed, ..Recipe::instant() };
        let instant = Self::new(&self.base, self.prompt.clone(), recipe)?.together_with(&self.companions)?;
        let mut members = vec![instant, Self::new(&self.base, self.prompt.clone(), self.recipe.clone())?];
        for Companion { base, recipe } in self.companions.iter().filter(|companion| companion.base.encoder().is_none()) {
            members.push(Self::new(base, self.prompt.clone(), recipe.clone())?);
        }
        let (interval, columns) = (self.checkpoint_interval, &self.text_columns);
        Ok(members
            .into_iter()
            .map(|member| Self { checkpoint_interval: interval, text_columns: columns.clone(), ..member })
            .collect())
    }

    /// Trains one member after the other, or one beside the other where there are several devices. The folder holds a classifier of the first ones
    /// that are trained as soon as there is one.
    pub(super) fn run_committee(&self, given: &Given, on_event: &mut OnEvent) -> Result<Trained, Error> {
        let Given { data, sides, scored } = *given;
        let begun = Instant::now();
        let mut record = self.record(data, sides, 0);
        record.training_rows = Some(self.remembered(&record, data));
        let mut committee = AgileClassifier::of_members(Members::none(), record);
        let trainers: Vec<(usize, Self)> = self.members()?.into_iter().enumerate().collect();
        let members = trainers.len();
        let places: Vec<Option<ComputeOptions>> = std::iter::once(None).chain(self.elsewhere.iter().copied().map(Some)).collect();
        let interrupted = |step, steps| Error::Interrupted { step, steps, folder: self.folder.clone() };
        let kept_here = |error| match error {
            Error::Interrupted { step, steps, .. } => interrupted(step, steps),
            error => error,
        };
        let train = |place: &Option<ComputeOptions>, (number, trainer): &(usize, Self), reporter: &Reporter<TrainEvent>| {
            // Of several that are trained at the same time, those on the first device are told of.
            let mut tell = |event: &TrainEvent| match place {
                None => reporter.tell(event.clone()),
                Some(_) => reporter.asked(),
            };
            let models = trainer.bases().map(|base| base.name().to_owned()).collect();
            let begins = TrainEvent::Member { member: number + 1, members, method: trainer.recipe.method, models };
            if tell(&begins).is_break() {
                return Err(interrupted(0, 0));
            }
            let elsewhere = place.map(|compute| trainer.on(compute)).transpose()?;
            let member =
                self.member(*number, elsewhere.as_ref().unwrap_or(trainer), (data, sides), &mut tell).map_err(kept_here)?;
            // What was trained elsewhere is read from its folder, so that all members compute on the first device.
            match (&elsewhere, &self.folder) {
                (Some(_), Some(_)) => Ok((*number, self.member(*number, trainer, (data, sides), &mut tell)?)),
                _ => Ok((*number, member)),
            }
        };
        // Taken in by their numbers, whichever is trained first.
        let (mut trained, mut next) = (BTreeMap::new(), 0);
        workers::work(&places, &trainers, train, &mut |heard| {
            let (number, member) = match heard {
                Heard::Message(event) => return Ok(on_event(&event)),
                Heard::Lost(error) => return Ok(on_event(&TrainEvent::DeviceLost { error: error.to_string() })),
                Heard::Waiting => return Ok(ControlFlow::Continue(())),
                Heard::Done(done) => done,
            };
            trained.insert(number, member);
            while let Some(member) = trained.remove(&next) {
                next += 1;
                committee.take_in(member, members - next)?;
                let is_there = |folder: &Path| job::is_finished(&member_folder(folder, next));
                // A resumed training does not take the folder back to fewer members.
                if let Some(folder) = self.folder.as_deref().filter(|folder| next == members || !is_there(folder)) {
                    committee.save(folder)?;
                    // Nothing is lost by a stop: the next member asks again.
                    let _ = on_event(&TrainEvent::Saved { members: next, of: members });
                }
            }
            Ok(ControlFlow::Continue(()))
        })
        .map_err(kept_here)?;
        Trained::of(committee, scored, begun.elapsed().as_secs_f64())
    }

    /// A member: read from its folder if it is there, else trained.
    fn member(
        &self,
        number: usize,
        trainer: &Self,
        (data, sides): (&Dataset, &Sides),
        on_event: &mut OnEvent,
    ) -> Result<AgileClassifier, Error> {
        let Some(folder) = &self.folder else { return trainer.fit(data, on_event) };
        let folder = member_folder(folder, number);
        if job::is_finished(&folder) {
            let record = ClassifierRecord::read(&folder)?;
            if !trainer.is_of(&record, sides) {
                return Err(Error::OtherRun { path: folder, what: "recipe, prompt, model, precision or data" });
            }
            let mut models = OpenModels::beside(&trainer.base);
            trainer.bases().for_each(|base| models.add(base.name(), base));
            return AgileClassifier::read(&folder, record, &mut models);
        }
        if trainer.recipe.method == Method::Instant {
            remove_unfinished(&folder)?;
        }
        let resume = !is_empty_or_absent(&folder)?;
        trainer.clone().in_folder(&folder, resume).fit(data, on_event)
    }

    /// Whether a record is of the classifier that this trains.
    fn is_of(&self, record: &ClassifierRecord, sides: &Sides) -> bool {
        let models: Vec<BaseModelRecord> = self.bases().map(BaseModelRecord::of).collect();
        (&record.recipe, &record.prompt, record.base_models()) == (&self.recipe, &self.scoring.prompt, models)
            && record.precision == Some(self.base.precision().to_string())
            && record.data.fingerprint == training_fingerprint(&sides.train, self.recipe.soft_labels)
    }

    /// All models.
    pub(crate) fn bases(&self) -> impl Iterator<Item = &BaseModel> {
        std::iter::once(&self.base).chain(self.companions.iter().map(|companion| &companion.base))
    }
}

/// Removes what a killed training of seconds has left.
fn remove_unfinished(folder: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file("remove", folder)(error)),
        _ => Ok(()),
    }
}
