//! Every combination of chosen settings, as runs.

use super::PlannedRun;
use crate::data::DataError;
use crate::data::dataset::{Dataset, HeldOut};
use crate::error::Error;
use crate::overrides::{PromptOverrides, RecipeOverrides};
use crate::training_plan::TrainingPlan;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;
use std::sync::Arc;

/// One of the recipes that a sweep runs, with its prompt.
#[derive(Debug, Clone, Default)]
pub struct SweepRecipe {
    /// The recipe. Its validation is a share of the training rows to score in place of the holdout.
    pub recipe: RecipeOverrides,
    /// The prompt.
    pub prompt: PromptOverrides,
}

/// Lists of settings; every combination is a run.
#[derive(Debug, Clone)]
pub struct SweepPlan {
    /// Base models, by catalogue name or path; several of a run work together.
    pub models: Vec<Vec<String>>,
    /// Classifiers whose adapters the trainings start from, `None` being afresh; all afresh if there are none.
    pub starts: Vec<Option<PathBuf>>,
    /// Seeds of the holdout, and of the rows that are scored in its place.
    pub split_seeds: Vec<u32>,
    /// Rows to keep from all trainings.
    pub holdout: Option<HeldOut>,
    /// Numbers of training rows, the first of each split; all if there are none.
    pub train_sizes: Vec<usize>,
    /// Recipes and prompts.
    pub recipes: Vec<SweepRecipe>,
}

type Sides = (Arc<Dataset>, Arc<Dataset>);

impl SweepPlan {
    /// Every combination, those of one model and one split together. The runs of one split share their rows.
    ///
    /// # Errors
    /// No rows to score; splits and sizes that the data have not room for; recipes that need validation on the way; unknown models; starts that
    /// have no adapter for them.
    pub fn runs(&self, data: &Dataset) -> Result<Vec<PlannedRun>, Error> {
        let sizes: Vec<Option<usize>> = match self.train_sizes.as_slice() {
            [] => vec![None],
            sizes => sizes.iter().copied().map(Some).collect(),
        };
        let mut splits: BTreeMap<(u32, Option<usize>, u64), Sides> = BTreeMap::new();
        let mut runs = Vec::new();
        let afresh = [None];
        let starts = if self.starts.is_empty() { &afresh[..] } else { &self.starts };
        for models in &self.models {
            let mut plans = Vec::new();
            for (SweepRecipe { recipe, prompt }, start) in
                self.recipes.iter().flat_map(|of| starts.iter().map(move |start| (of, start)))
            {
                if recipe.patience.is_some() {
                    let (value, expected) = (String::from("given"), "left out: every run is trained to its end");
                    return Err(Error::Recipe { field: "patience", value, expected });
                }
                // The rows to score are split off here, so that all runs have the same ones.
                let apart = RecipeOverrides { validation: None, ..recipe.clone() };
                let plan = TrainingPlan::of(models, apart, prompt, data)?;
                let plan = start.iter().try_fold(plan, |plan, folder| plan.starting_from(folder))?;
                plans.push((plan, recipe.validation.unwrap_or(0.0)));
            }
            let of_splits = self.split_seeds.iter().flat_map(|seed| sizes.iter().map(move |size| (*seed, *size)));
            for (split_seed, size) in of_splits {
                for (plan, fraction) in &plans {
                    let (train, test) = match splits.entry((split_seed, size, fraction.to_bits())) {
                        Entry::Occupied(found) => found.get().clone(),
                        Entry::Vacant(place) => place.insert(self.split(data, (split_seed, size), *fraction)?).clone(),
                    };
                    let questions = train.len() * plan.prompt.questions();
                    let recipe = |model: &String| Ok((model.clone(), plan.recipe(questions, model)?));
                    let mut recipes = plan.models.iter().map(recipe).collect::<Result<Vec<_>, Error>>()?;
                    let (model, recipe) = recipes.remove(0);
                    let prompt = plan.prompt.clone();
                    runs.push(PlannedRun { model, companions: recipes, split_seed, train, test, prompt, recipe });
                }
            }
        }
        Ok(runs)
    }

    /// Whether some runs score the holdout.
    pub fn scores_holdout(&self) -> bool {
        self.recipes.iter().any(|recipe| recipe.recipe.validation.unwrap_or(0.0) == 0.0)
    }

    /// Rows to train on and rows to score: the holdout, or with `fraction` a stratified share of the other rows.
    fn split(&self, data: &Dataset, (seed, size): (u32, Option<usize>), fraction: f64) -> Result<Sides, Error> {
        let sides = data.sides(self.holdout.as_ref(), seed, None)?;
        let (mut train, mut test) = (sides.train, sides.test.unwrap_or_default());
        if fraction != 0.0 {
            let split = data.subset(&train).validation_split(fraction, seed)?;
            let rows = |places: &[usize]| -> Vec<usize> { places.iter().map(|&place| train[place]).collect() };
            (train, test) = (rows(&split.train), rows(&split.test));
        } else if self.holdout.is_none() {
            return Err(Error::NothingToScore);
        }
        if let Some(size) = size {
            if size == 0 || size > train.len() {
                return Err(DataError::TrainSize { train_size: size, available: train.len() }.into());
            }
            train.truncate(size);
        }
        let train = data.subset(&train);
        train.check_trainable()?;
        Ok((Arc::new(train), Arc::new(data.subset(&test))))
    }
}
