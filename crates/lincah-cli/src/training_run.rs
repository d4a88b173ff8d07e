//! A training in a folder: what the verbs that train have in common.

use crate::interrupt::stop_on_interrupt;
use crate::printer::{TrainingProgress, print_device, print_operation_times};
use lincah::data::dataset::LabelledDataset;
use lincah::{AgileClassifier, BaseModel, Compute, Error, Prompt, Recipe, Trainer};
use std::path::Path;
use std::time::{Duration, Instant};

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
