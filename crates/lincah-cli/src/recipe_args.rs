//! Options that change the recipe or the prompt.

use crate::prompt_args::PromptArguments;
use clap::{Args, ValueEnum};
use lincah::prompt::{MultiLabelPrompt, PromptError};
use lincah::{ClassWeights, Cut, LabelSet, LoraLayout, Loss, ModelSizes, Prompt, Recipe, Schedule, Target};

/// A named recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Preset {
    /// What this project measured to work best.
    Default,
    /// LoRA in the upper two thirds of the layers, one member: about a third less time.
    Fast,
    /// The "Agile classifiers" codelab's.
    Codelab,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ScheduleName {
    Constant,
    Linear,
    Cosine,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LoraLayoutName {
    Whole,
    PerHead,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LossName {
    Label,
    RestrictedLabel,
    AllTokens,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ClassWeightsName {
    None,
    Balanced,
}

/// Projections to adapt.
#[derive(Debug, Clone)]
pub(crate) struct Targets(Vec<Target>);

fn targets(text: &str) -> Result<Targets, String> {
    if text == "all" {
        return Ok(Targets(Target::ALL.to_vec()));
    }
    let mut targets = text
        .split(',')
        .map(|name| name.trim().parse::<Target>())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| error.to_string())?;
    targets.sort();
    targets.dedup();
    Ok(Targets(targets))
}

/// Layers to adapt.
#[derive(Debug, Clone)]
pub(crate) struct Layers(Vec<usize>);

fn layers(text: &str) -> Result<Layers, String> {
    let wrong = || format!("`{text}` names no layers; give a range such as 10..30 (30 not included) or a list such as 3,5,7");
    let number = |text: &str| text.trim().parse::<usize>().ok().filter(|&layer| layer < 10_000).ok_or_else(wrong);
    let mut layers: Vec<usize> = match text.split_once("..") {
        Some((first, end)) => (number(first)?..number(end)?).collect(),
        None => text.split(',').map(number).collect::<Result<_, _>>()?,
    };
    layers.sort_unstable();
    layers.dedup();
    if layers.is_empty() { Err(wrong()) } else { Ok(Layers(layers)) }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Recipe")]
pub(crate) struct RecipeArguments {
    /// Recipe that the options below change
    #[arg(long, value_enum, default_value_t = Preset::Default)]
    preset: Preset,
    /// Passes over the training rows [default: 4; below 400 rows as many as make 1600 texts, at most 16]
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Highest learning rate [default: 0.001; 0.0005 for models of a hidden size above 600]
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// Texts an optimizer step [default: 8]
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// Parts to compute each batch in, to save memory [default: 1]
    #[arg(long, value_name = "N")]
    gradient_accumulation: Option<usize>,
    /// Rank of the LoRA [default: 8]
    #[arg(long, value_name = "R")]
    rank: Option<usize>,
    /// The LoRA is multiplied by alpha / rank [default: 16]
    #[arg(long, value_name = "ALPHA")]
    alpha: Option<f64>,
    /// The LoRA is multiplied by alpha / sqrt(rank) instead
    #[arg(long)]
    rank_stabilized: bool,
    /// Dropout on the LoRA's input [default: 0]
    #[arg(long, value_name = "P")]
    dropout: Option<f64>,
    /// Projections to adapt, of q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj, or `all` [default: all]
    #[arg(long, value_name = "NAMES", value_parser = targets)]
    targets: Option<Targets>,
    /// Layers to adapt, as 10..30 (30 not included) or 3,5,7 [default: all]
    #[arg(long, value_name = "LAYERS", value_parser = layers)]
    layers: Option<Layers>,
    /// How heads share the adapter: one pair of factors (PEFT), or an A a head and one B, the rank being a head's (Keras) [default: whole]
    #[arg(long, value_enum)]
    lora_layout: Option<LoraLayoutName>,
    /// How the learning rate falls [default: cosine]
    #[arg(long, value_enum)]
    schedule: Option<ScheduleName>,
    /// Share of the steps in which the learning rate rises [default: 0.06]
    #[arg(long, value_name = "SHARE")]
    warmup: Option<f64>,
    /// Loss to minimize: the label's token over the vocabulary, the same over the labels only, or every token [default: restricted-label]
    #[arg(long, value_enum)]
    loss: Option<LossName>,
    /// Weights of the classes in the loss [default: none]
    #[arg(long, value_enum)]
    class_weights: Option<ClassWeightsName>,
    /// Train on the fractions in the label column as they are (soft labels), not on what --positive-at makes of them
    #[arg(long)]
    soft_labels: bool,
    /// Decoupled weight decay (AdamW) [default: 0]
    #[arg(long, value_name = "DECAY")]
    weight_decay: Option<f64>,
    /// Adam's epsilon [default: 1e-7]
    #[arg(long, value_name = "EPSILON")]
    adam_epsilon: Option<f64>,
    /// Longest gradient; longer ones are shortened [default: none]
    #[arg(long, value_name = "NORM")]
    clip_norm: Option<f64>,
    /// Share of the training rows to validate on after each epoch; the best epoch's adapter is kept [default: 0]
    #[arg(long, value_name = "FRACTION")]
    validation: Option<f64>,
    /// With --validation: stop after N epochs without a better validation loss
    #[arg(long, value_name = "N")]
    patience: Option<usize>,
    /// Adapters to train one after the other, from different starts, and to keep the mean of [default: 3 up to 500 rows, else 1]
    #[arg(long, value_name = "N")]
    members: Option<usize>,
    /// Decides the start, the order of the rows, the dropout and the validation rows [default: 1]
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    #[command(flatten)]
    prompt: PromptArguments,
}

/// Puts an option's value, if it was given, in place of the preset's.
fn put<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

impl RecipeArguments {
    /// The recipe of a training that validates on its own rows; see [`RecipeArguments::recipe_scored_apart`].
    pub(crate) fn recipe(&self, rows: usize, model: ModelSizes) -> Recipe {
        let mut recipe = self.recipe_scored_apart(rows, model);
        recipe.validation = self.validation();
        if self.members.is_none() && recipe.validation > 0.0 {
            recipe.members = 1;
        }
        recipe
    }

    /// Share of the training rows to validate on.
    pub(crate) fn validation(&self) -> f64 {
        self.validation.unwrap_or(0.0)
    }

    /// The preset, which is by default what is suggested for model and rows, with the given options but `--validation` put in.
    pub(crate) fn recipe_scored_apart(&self, rows: usize, model: ModelSizes) -> Recipe {
        let mut recipe = match self.preset {
            Preset::Default => Recipe::suggested(rows, model.hidden_size),
            Preset::Fast => Recipe::fast(rows, model),
            Preset::Codelab => Recipe::codelab(),
        };
        put(&mut recipe.epochs, self.epochs);
        put(&mut recipe.learning_rate, self.learning_rate);
        put(&mut recipe.batch_size, self.batch_size);
        put(&mut recipe.gradient_accumulation, self.gradient_accumulation);
        put(&mut recipe.lora.rank, self.rank);
        put(&mut recipe.lora.alpha, self.alpha);
        recipe.lora.rank_stabilized |= self.rank_stabilized;
        put(&mut recipe.lora.dropout, self.dropout);
        put(&mut recipe.lora.targets, self.targets.clone().map(|targets| targets.0));
        let layout = self.lora_layout.map(|name| match name {
            LoraLayoutName::Whole => LoraLayout::Whole,
            LoraLayoutName::PerHead => LoraLayout::PerHead,
        });
        put(&mut recipe.lora.layout, layout);
        if recipe.lora.layout == LoraLayout::PerHead {
            recipe.members = 1;
        }
        if let Some(Layers(layers)) = &self.layers {
            recipe.lora.layers = Some(layers.clone());
        }
        put(&mut recipe.warmup, self.warmup);
        put(&mut recipe.optimizer.weight_decay, self.weight_decay);
        put(&mut recipe.optimizer.epsilon, self.adam_epsilon);
        recipe.optimizer.clip_norm = self.clip_norm.or(recipe.optimizer.clip_norm);
        put(&mut recipe.max_tokens, self.prompt.max_tokens());
        recipe.patience = self.patience;
        put(&mut recipe.members, self.members);
        put(&mut recipe.seed, self.seed);
        let schedule = self.schedule.map(|name| match name {
            ScheduleName::Constant => Schedule::Constant,
            ScheduleName::Linear => Schedule::Linear,
            ScheduleName::Cosine => Schedule::Cosine,
        });
        put(&mut recipe.schedule, schedule);
        let loss = self.loss.map(|name| match name {
            LossName::Label => Loss::Label,
            LossName::RestrictedLabel => Loss::RestrictedLabel,
            LossName::AllTokens => Loss::AllTokens,
        });
        put(&mut recipe.loss, loss);
        let class_weights = self.class_weights.map(|name| match name {
            ClassWeightsName::None => ClassWeights::None,
            ClassWeightsName::Balanced => ClassWeights::Balanced,
        });
        put(&mut recipe.class_weights, class_weights);
        recipe.soft_labels |= self.soft_labels;
        recipe
    }

    /// The prompt for these labels.
    pub(crate) fn prompt(&self, labels: LabelSet) -> Result<Prompt, PromptError> {
        let cut = if self.preset == Preset::Codelab { Cut::Prompt } else { Cut::Text };
        Ok(self.prompt.prompt(labels)?.with_cut(cut))
    }

    /// The questions about each of these labels.
    pub(crate) fn multi_label_prompt(
        &self,
        labels: LabelSet,
        descriptions: &[(String, String)],
    ) -> Result<MultiLabelPrompt, PromptError> {
        let mut question = self.prompt(MultiLabelPrompt::answers())?;
        if !self.prompt.has_instruction() {
            question = question.with_instruction(MultiLabelPrompt::DEFAULT_INSTRUCTION);
        }
        MultiLabelPrompt::asking(question, labels)?.with_descriptions(descriptions)
    }
}
