//! Settings that somebody chose, and what stands in the place of those that nobody did.

use crate::base_model::ModelSizes;
use crate::data::dataset::Dataset;
use crate::prompt::{LongTexts, Obfuscation, Prompt, PromptError, Truncation, WhiteSpace};
use crate::recipe::{Augmentation, ClassWeights, Recipe};
use lincah_model::{LoraLayout, Loss, Schedule, Target};

/// A named recipe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Preset {
    /// What this project measured to work best ([`Recipe::suggested`]).
    #[default]
    Default,
    /// LoRA in the upper two thirds of the layers, one member: about a third less time ([`Recipe::fast`]).
    Fast,
    /// The "Agile classifiers" codelab's ([`Recipe::codelab`]).
    Codelab,
    /// No LoRA: logistic regressions on what frozen models make of texts, in seconds ([`Recipe::instant`]).
    Instant,
}

lincah_model::named_choices!(Preset, "preset": Default = "default", Fast = "fast", Codelab = "codelab", Instant = "instant");

/// A preset, and what is chosen in place of its settings; see [`Recipe`] for each.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RecipeOverrides {
    /// What the others change.
    pub preset: Preset,
    /// See [`Recipe::epochs`].
    pub epochs: Option<usize>,
    /// See [`Recipe::learning_rate`].
    pub learning_rate: Option<f64>,
    /// See [`Recipe::batch_size`].
    pub batch_size: Option<usize>,
    /// See [`Recipe::gradient_accumulation`].
    pub gradient_accumulation: Option<usize>,
    /// Rank of the LoRA.
    pub rank: Option<usize>,
    /// The LoRA is multiplied by alpha / rank.
    pub alpha: Option<f64>,
    /// The LoRA is multiplied by alpha / sqrt(rank) instead.
    pub rank_stabilized: bool,
    /// Dropout on the LoRA's input.
    pub dropout: Option<f64>,
    /// Projections to adapt.
    pub targets: Option<Vec<Target>>,
    /// Layers to adapt.
    pub layers: Option<Vec<usize>>,
    /// How heads share the adapter.
    pub lora_layout: Option<LoraLayout>,
    /// See [`Recipe::schedule`].
    pub schedule: Option<Schedule>,
    /// See [`Recipe::warmup`].
    pub warmup: Option<f64>,
    /// See [`Recipe::loss`].
    pub loss: Option<Loss>,
    /// See [`Recipe::class_weights`].
    pub class_weights: Option<ClassWeights>,
    /// See [`Recipe::soft_labels`].
    pub soft_labels: bool,
    /// See [`Recipe::augmentation`].
    pub augmentation: Augmentation,
    /// Decoupled weight decay.
    pub weight_decay: Option<f64>,
    /// Adam's epsilon.
    pub adam_epsilon: Option<f64>,
    /// Longest gradient.
    pub clip_norm: Option<f64>,
    /// See [`Recipe::validation`].
    pub validation: Option<f64>,
    /// See [`Recipe::patience`].
    pub patience: Option<usize>,
    /// See [`Recipe::members`].
    pub members: Option<usize>,
    /// Whether the adapter works together with other classifiers, so that one of few epochs is enough.
    pub in_committee: bool,
    /// See [`Recipe::max_tokens`].
    pub max_tokens: Option<usize>,
    /// See [`Recipe::seed`].
    pub seed: Option<u64>,
}

/// Puts a chosen value in place of the preset's.
fn put<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

impl RecipeOverrides {
    /// The recipe for these training rows. The preset is chosen by the number of questions: independent labels are one per label and row.
    pub fn recipe(&self, train: &Dataset, model: ModelSizes) -> Recipe {
        self.recipe_for(train.questions(), model)
    }

    /// Whether anything is chosen that has no meaning with [`Method::Instant`](crate::Method::Instant).
    pub fn is_of_lora(&self) -> bool {
        let Self { preset, augmentation, validation, max_tokens, seed, .. } = *self;
        *self != Self { preset, augmentation, validation, max_tokens, seed, ..Self::default() }
    }

    /// Whether anything of the adapter's shape and reach is chosen.
    pub(crate) fn is_of_shape(&self) -> bool {
        let Self { rank, alpha, targets, layers, lora_layout, rank_stabilized, .. } = self;
        *rank_stabilized || rank.is_some() || alpha.is_some() || targets.is_some() || layers.is_some() || lora_layout.is_some()
    }

    /// The recipe for so many training questions.
    pub fn recipe_for(&self, questions: usize, model: ModelSizes) -> Recipe {
        let mut recipe = match self.preset {
            Preset::Default if self.in_committee => Recipe::suggested_in_committee(questions, model.hidden_size),
            Preset::Default => Recipe::suggested(questions, model.hidden_size),
            Preset::Fast => Recipe::fast(questions, model),
            Preset::Codelab => Recipe::codelab(),
            Preset::Instant => Recipe::instant(),
        };
        put(&mut recipe.epochs, self.epochs);
        put(&mut recipe.learning_rate, self.learning_rate);
        put(&mut recipe.batch_size, self.batch_size);
        put(&mut recipe.gradient_accumulation, self.gradient_accumulation);
        put(&mut recipe.lora.rank, self.rank);
        put(&mut recipe.lora.alpha, self.alpha);
        recipe.lora.rank_stabilized |= self.rank_stabilized;
        put(&mut recipe.lora.dropout, self.dropout);
        put(&mut recipe.lora.targets, self.targets.clone());
        put(&mut recipe.lora.layout, self.lora_layout);
        if recipe.lora.layout == LoraLayout::PerHead {
            recipe.members = 1;
        }
        recipe.lora.layers = self.layers.clone().or(recipe.lora.layers);
        put(&mut recipe.schedule, self.schedule);
        put(&mut recipe.warmup, self.warmup);
        put(&mut recipe.loss, self.loss);
        put(&mut recipe.class_weights, self.class_weights);
        recipe.soft_labels |= self.soft_labels;
        recipe.augmentation = self.augmentation;
        put(&mut recipe.optimizer.weight_decay, self.weight_decay);
        put(&mut recipe.optimizer.epsilon, self.adam_epsilon);
        recipe.optimizer.clip_norm = self.clip_norm.or(recipe.optimizer.clip_norm);
        put(&mut recipe.max_tokens, self.max_tokens);
        recipe.patience = self.patience;
        recipe.validation = self.validation.unwrap_or(0.0);
        if recipe.validation > 0.0 {
            recipe.members = 1;
        }
        put(&mut recipe.members, self.members);
        put(&mut recipe.seed, self.seed);
        recipe
    }
}

/// What labels are scored by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelScoring {
    /// Tokens behind a prompt that names the labels.
    Tokens,
    /// Rows of the adapter's own, behind a prompt that names none: for any number of labels.
    Rows,
}

lincah_model::named_choices!(LabelScoring, "label scheme": Tokens = "tokens", Rows = "rows");

/// What is chosen in place of the default prompt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PromptOverrides {
    /// Instruction at the head of the prompt.
    pub instruction: Option<String>,
    /// What stands between instruction, text and answer.
    pub separator: Option<String>,
    /// Leaves the begin-of-text token out.
    pub no_begin_of_text: bool,
    /// How texts are scored that are too long.
    pub long_texts: LongTexts,
    /// Leaves the texts' white space as it is, which the codelab's preset does anyway.
    pub keep_white_space: bool,
    /// Scores a text deobfuscated, too, by the higher probability.
    pub deobfuscate: bool,
    /// What labels are scored by; `None` leaves the choice to the [training plan](crate::TrainingPlan).
    pub label_scheme: Option<LabelScoring>,
    /// Descriptions of independent labels, by name.
    pub descriptions: Vec<(String, String)>,
}

impl PromptOverrides {
    /// The prompt about the labels of `data`, truncated, and its white space treated, as the preset does.
    ///
    /// # Errors
    /// A separator or description that does not fit the labels.
    pub fn prompt(&self, data: &Dataset, preset: Preset) -> Result<Prompt, PromptError> {
        let prompt = Prompt::new(data.task, data.labels.clone())?;
        self.apply(match preset {
            Preset::Codelab => prompt.with_truncation(Truncation::Prompt).with_white_space(WhiteSpace::Keep),
            Preset::Default | Preset::Fast | Preset::Instant => prompt,
        })
    }

    /// Another prompt with these choices.
    ///
    /// # Errors
    /// As [`PromptOverrides::prompt`].
    pub fn apply(&self, mut prompt: Prompt) -> Result<Prompt, PromptError> {
        if self.label_scheme == Some(LabelScoring::Rows) {
            prompt = prompt.with_label_rows()?;
        }
        if let Some(instruction) = &self.instruction {
            prompt = prompt.with_instruction(instruction);
        }
        if let Some(separator) = &self.separator {
            prompt = prompt.with_separator(separator)?;
        }
        if self.keep_white_space {
            prompt = prompt.with_white_space(WhiteSpace::Keep);
        }
        if self.deobfuscate {
            prompt = prompt.with_obfuscation(Obfuscation::HigherOfBoth)?;
        }
        prompt.with_begin_of_text(!self.no_begin_of_text).with_long_texts(self.long_texts)?.with_descriptions(&self.descriptions)
    }
}
