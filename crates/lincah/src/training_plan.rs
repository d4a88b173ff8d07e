//! Which models a training takes, by which recipes, and what is asked of them: what was chosen, and what stands in the place of the rest.

use crate::base_model::{BaseModel, ModelSizes};
use crate::data::dataset::Dataset;
use crate::error::Error;
use crate::hub::DEFAULT_MODELS;
use crate::overrides::{Preset, PromptOverrides, RecipeOverrides};
use crate::prompt::{Prompt, PromptError};
use crate::recipe::Recipe;
use crate::trainer::Companion;
use crate::warm_start::WarmStart;
use lincah_model::ComputeOptions;
use std::path::Path;

/// So many labels always fit into a prompt, unless their names are long.
const FEW_LABELS: usize = 10;

/// Models, settings and prompt of a training.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingPlan {
    /// The models by name; the first one is asked, or read, first.
    pub models: Vec<String>,
    /// The settings.
    pub overrides: RecipeOverrides,
    /// What is asked.
    pub prompt: Prompt,
    /// Whether the labels don't fit a prompt, so that an instant classifier is trained, which lists none.
    pub labels_do_not_fit: bool,
    /// The models' sizes.
    sizes: Vec<ModelSizes>,
    /// What each of the models starts from; none where all start afresh.
    starts: Vec<Option<WarmStart>>,
}

impl TrainingPlan {
    /// The plan for training rows, with these models, or [`DEFAULT_MODELS`] if there are none: the presets fast and codelab take the first.
    ///
    /// Several models are a committee, decoders first. Where the labels don't fit the prompt of any of the decoders, and no setting asks for an
    /// adapter, the preset becomes [`Preset::Instant`].
    ///
    /// # Errors
    /// A prompt that cannot be; models that are not there, or named twice; settings of an adapter where none is trained.
    pub fn of(models: &[String], overrides: RecipeOverrides, prompt: &PromptOverrides, data: &Dataset) -> Result<Self, Error> {
        let plan = Self::without_sizes(models, overrides, prompt, data)?;
        let sizes = plan.models.iter().map(|model| BaseModel::sizes_of(model)).collect::<Result<_, _>>()?;
        Ok(Self { sizes, ..plan })
    }

    fn without_sizes(
        models: &[String],
        overrides: RecipeOverrides,
        prompt: &PromptOverrides,
        data: &Dataset,
    ) -> Result<Self, Error> {
        if overrides.preset == Preset::Instant && overrides.is_of_lora() {
            return Err(Error::NoLoraToSet);
        }
        let prompt = prompt.prompt(data, overrides.preset)?;
        let alone = matches!(overrides.preset, Preset::Fast | Preset::Codelab);
        let defaults = DEFAULT_MODELS.iter().take(if alone { 1 } else { DEFAULT_MODELS.len() });
        let models = match models {
            [] => defaults.map(|name| String::from(*name)).collect(),
            models => models.to_vec(),
        };
        let twice = models.iter().enumerate().find_map(|(place, name)| models[..place].contains(name).then(|| name.clone()));
        if let Some(name) = twice {
            return Err(Error::SameModel { name });
        }
        let mut plan = Self { models, overrides, prompt, labels_do_not_fit: false, sizes: Vec::new(), starts: Vec::new() };
        if plan.overrides.preset == Preset::Instant || plan.models.len() == 1 && !plan.may_become_instant() {
            plan.overrides.in_committee = plan.models.len() > 1;
            return Ok(plan);
        }
        let mut decoders = Vec::new();
        let mut encoders = Vec::new();
        for name in std::mem::take(&mut plan.models) {
            if BaseModel::is_encoder(&name)? { encoders.push(name) } else { decoders.push(name) }
        }
        plan.labels_do_not_fit = plan.may_become_instant() && plan.is_too_long_for_any_of(&decoders)?;
        if plan.labels_do_not_fit {
            plan.overrides.preset = Preset::Instant;
        }
        plan.models = [decoders, encoders].concat();
        plan.overrides.in_committee = plan.models.len() > 1;
        Ok(plan)
    }

    /// The same, each adapter starting from that of another classifier which has the same base model; its rank and reach are then that one's.
    ///
    /// # Errors
    /// A folder that is no classifier or has no adapter of any of the decoders; settings of the adapter's shape beside it, an instant preset.
    pub fn starting_from(self, folder: &Path) -> Result<Self, Error> {
        if self.overrides.preset == Preset::Instant || self.overrides.is_of_shape() {
            let value = folder.display().to_string();
            let expected = "left out with an instant classifier, and with a rank, alpha, targets, layers or layout of its own";
            return Err(Error::Recipe { field: "start", value, expected });
        }
        let starts = self.models.iter().map(|model| WarmStart::read(folder, model)).collect::<Result<Vec<_>, _>>()?;
        if starts.iter().all(Option::is_none) {
            return Err(Error::NothingToStartFrom { path: folder.to_path_buf(), models: self.models.join(", ") });
        }
        Ok(Self { starts, ..self })
    }

    fn may_become_instant(&self) -> bool {
        self.overrides.preset == Preset::Default && !self.overrides.is_of_lora() && self.prompt.labels().len() > FEW_LABELS
    }

    fn is_too_long_for_any_of(&self, decoders: &[String]) -> Result<bool, Error> {
        let max_tokens = self.overrides.max_tokens.unwrap_or(Recipe::default().max_tokens);
        for name in decoders {
            let fits = self.prompt.fits(&BaseModel::tokenizer_of(name)?, max_tokens);
            if matches!(fits, Err(PromptError::NoRoom { .. } | PromptError::TooManyLabels { .. })) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The recipe of a model for so many training questions.
    ///
    /// # Errors
    /// A model that is not there, a recipe out of range.
    pub fn recipe(&self, questions: usize, model: &str) -> Result<Recipe, Error> {
        let known = self.models.iter().zip(&self.sizes).find(|(name, _)| *name == model).map(|(_, sizes)| *sizes);
        let mut recipe = self.overrides.recipe_for(questions, known.map_or_else(|| BaseModel::sizes_of(model), Ok)?);
        let starts = self.models.iter().zip(&self.starts);
        recipe.start = starts.filter(|(name, _)| *name == model).find_map(|(_, start)| start.clone());
        if let Some(config) = recipe.start.as_ref().and_then(WarmStart::config) {
            recipe.lora = config.clone();
            // From one start several adapters come out much alike.
            recipe.members = self.overrides.members.unwrap_or(1);
        }
        recipe.check()?;
        Ok(recipe)
    }

    /// The models that work together with the first one, opened, each with its recipe.
    ///
    /// # Errors
    /// As [`BaseModel::open`] and [`TrainingPlan::recipe`].
    pub fn companions(&self, questions: usize, compute: ComputeOptions) -> Result<Vec<Companion>, Error> {
        let companion =
            |model: &String| Ok(Companion { base: BaseModel::open(model, compute)?, recipe: self.recipe(questions, model)? });
        self.models[1..].iter().map(companion).collect()
    }
}
