//! `lincah train`.

use crate::args::Train;
use crate::commands::multi_label;
use crate::interrupt::stop_on_interrupt;
use crate::printer::{
    TrainingProgress, print_data_report, print_device, print_evaluation, print_members, print_operation_times, print_tfidf,
};
use lincah::baseline::TfidfBaseline;
use lincah::data::dataset::LabelledDataset;
use lincah::{AgileClassifier, BaseModel, Compute, Error, LabelSet, Prompt, Recipe, Trainer};
use std::path::Path;
use std::time::{Duration, Instant};

pub(crate) fn run(arguments: &Train, compute: Compute) -> anyhow::Result<()> {
    let training = &arguments.training;
    let run = Run {
        out: &arguments.out,
        resume: arguments.resume,
        model: &training.model,
        checkpoint_interval: Duration::try_from_secs_f64(arguments.checkpoint_seconds)?,
        compute: Compute { profile: arguments.profile, ..compute },
    };
    if let Some(data) = training.columns.read(&training.data, &training.labels)? {
        return multi_label::train(training, &run, &data);
    }
    training.descriptions.refuse()?;
    let data = training.data.read(&training.labels, training.data.positive_at)?;
    let (train, holdout) = training.holdout.sides(data.len(), training.train_size)?;
    let (train, holdout) = (data.subset(&train), holdout.map(|rows| data.subset(&rows)));
    let recipe = training.recipe.recipe(train.len(), BaseModel::sizes_of(&training.model)?);
    recipe.check()?;
    let prompt = training.recipe.prompt(LabelSet::new(data.label_names.clone()).map_err(Error::from)?).map_err(Error::from)?;
    run.check_folder()?;
    print_data_report(&train, holdout.as_ref());
    print_members(&recipe);
    let classifier = run.train(&train, holdout.as_ref(), prompt, recipe)?;
    if let Some(evaluation) = &classifier.record().metrics {
        print_evaluation(evaluation);
    }
    if let Some(holdout) = &holdout {
        print_tfidf(&TfidfBaseline::evaluate(&train, holdout)?.1);
    }
    eprintln!("saved in {}", arguments.out.display());
    Ok(())
}

/// Where a training reads and writes.
pub(crate) struct Run<'a> {
    pub(crate) out: &'a Path,
    pub(crate) resume: bool,
    pub(crate) model: &'a str,
    pub(crate) checkpoint_interval: Duration,
    pub(crate) compute: Compute,
}

impl Run<'_> {
    /// Refuses an unfit output folder before anything long begins.
    pub(crate) fn check_folder(&self) -> Result<(), Error> {
        let exists = self.out.exists();
        let occupied = exists
            && self
                .out
                .read_dir()
                .map_err(|source| Error::File { action: "read", path: self.out.to_path_buf(), source })?
                .next()
                .is_some();
        if occupied && !self.resume {
            return Err(Error::FolderNotEmpty { path: self.out.to_path_buf() });
        }
        if !occupied && self.resume {
            return Err(Error::NothingToResume { path: self.out.to_path_buf() });
        }
        Ok(())
    }

    /// Trains, evaluates on the holdout, and saves both.
    pub(crate) fn train(
        &self,
        train: &LabelledDataset,
        holdout: Option<&LabelledDataset>,
        prompt: Prompt,
        recipe: Recipe,
    ) -> anyhow::Result<AgileClassifier> {
        let base = BaseModel::open(self.model, self.compute)?;
        print_device(self.compute, &base);
        let stop = stop_on_interrupt()?;
        let trainer = Trainer::new(base, prompt, recipe)?;
        let trainer = trainer.in_folder(self.out, self.resume).stopping_at(stop).checkpoint_interval(self.checkpoint_interval);
        let mut progress = TrainingProgress::new();
        let begun = Instant::now();
        let mut classifier = trainer.fit(train, &mut |event| progress.show(event))?;
        if self.compute.profile {
            print_operation_times(classifier.base(), begun.elapsed());
        }
        if let Some(holdout) = holdout {
            classifier.record_mut().metrics = Some(classifier.evaluate(holdout)?.1);
            classifier.save(self.out)?;
        }
        Ok(classifier)
    }
}
