//! Several models, trained one after the other, whose classifiers work together.

use super::{ScoredOnTheWay, TrainEvent, Trained, Trainer, job};
use crate::base_model::BaseModel;
use crate::classifier::{
    AgileClassifier, BaseModelRecord, ClassifierRecord, Members, OpenModels, RememberedRows, is_empty_or_absent, member_folder,
};
use crate::data::dataset::Dataset;
use crate::data::fingerprint::training_fingerprint;
use crate::error::Error;
use crate::recipe::{Method, Recipe, Sides};
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

    /// Trains one member after the other. The folder holds a classifier of those that are trained as soon as there is one.
    pub(super) fn run_committee(
        &self,
        data: &Dataset,
        sides: &Sides,
        scored: Option<ScoredOnTheWay>,
        on_event: &mut dyn FnMut(&TrainEvent) -> ControlFlow<()>,
    ) -> Result<Trained, Error> {
        let begun = Instant::now();
        let mut record = self.record(data, sides, 0);
        record.training_rows = Some(RememberedRows::new(&record.data.fingerprint, &data.texts));
        let mut committee = AgileClassifier::of_members(Members::none(), record);
        let trainers = self.members()?;
        let members = trainers.len();
        for (number, trainer) in trainers.into_iter().enumerate() {
            let interrupted = |step, steps| Error::Interrupted { step, steps, folder: self.folder.clone() };
            let models = trainer.bases().map(|base| base.name().to_owned()).collect();
            let begins = TrainEvent::Member { member: number + 1, members, method: trainer.recipe.method, models };
            if on_event(&begins).is_break() {
                return Err(interrupted(0, 0));
            }
            let member = self.member(number, trainer, (data, sides), on_event).map_err(|error| match error {
                Error::Interrupted { step, steps, .. } => interrupted(step, steps),
                error => error,
            })?;
            committee.take_in(member, members - number - 1)?;
            if let Some(folder) = &self.folder {
                committee.save(folder)?;
                // Nothing is lost by a stop: the next member asks again.
                let _ = on_event(&TrainEvent::Saved { members: number + 1, of: members });
            }
        }
        Trained::of(committee, scored, begun.elapsed().as_secs_f64())
    }

    /// A member: read from its folder if it is there, else trained.
    fn member(
        &self,
        number: usize,
        trainer: Self,
        (data, sides): (&Dataset, &Sides),
        on_event: &mut dyn FnMut(&TrainEvent) -> ControlFlow<()>,
    ) -> Result<AgileClassifier, Error> {
        let Some(folder) = &self.folder else { return trainer.fit(data, on_event) };
        let folder = member_folder(folder, number);
        if job::is_finished(&folder) {
            let record = ClassifierRecord::read(&folder)?;
            if !trainer.is_of(&record, sides) {
                return Err(Error::OtherRun { path: folder, what: "recipe, prompt, models or data" });
            }
            let mut models = OpenModels::beside(&trainer.base);
            trainer.bases().for_each(|base| models.add(base.name(), base));
            return AgileClassifier::read(&folder, record, &mut models);
        }
        if trainer.recipe.method == Method::Instant {
            remove_unfinished(&folder)?;
        }
        let resume = !is_empty_or_absent(&folder)?;
        trainer.in_folder(&folder, resume).fit(data, on_event)
    }

    /// Whether a record is of the classifier that this trains.
    fn is_of(&self, record: &ClassifierRecord, sides: &Sides) -> bool {
        let models: Vec<BaseModelRecord> = self.bases().map(BaseModelRecord::of).collect();
        (&record.recipe, &record.prompt, record.base_models()) == (&self.recipe, &self.scoring.prompt, models)
            && record.data.fingerprint == training_fingerprint(&sides.train, self.recipe.soft_labels)
    }

    /// All models.
    pub(super) fn bases(&self) -> impl Iterator<Item = &BaseModel> {
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
