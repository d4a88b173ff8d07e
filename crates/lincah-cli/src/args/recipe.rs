//! Options that change the recipe or the prompt.

use super::prompt::{PromptArguments, choices};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use lincah::{Augmentation, ClassWeights, LoraLayout, Loss, Preset, PromptOverrides, RecipeOverrides, Schedule, Target};

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
    /// Recipe that the options below change: what was measured to work best, LoRA in the upper two thirds of the layers (about a third
    /// less time), or the "Agile classifiers" codelab's
    #[arg(long, value_name = "NAME", value_parser = choices!(Preset), default_value_t = Preset::Default)]
    preset: Preset,
    /// Passes over the training rows [default: 4; below 400 rows as many as make 1600 texts, at most 16]
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Highest learning rate [default: 0.001; 0.0005 for models of a hidden size above 600]
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// Texts per optimizer step [default: 8]
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// Micro-batches to compute each batch in, to save memory [default: 1]
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
    /// How heads share the adapter: one pair of factors (PEFT), or one A per head and one B, the rank being a head's (Keras) [default: whole]
    #[arg(long, value_name = "NAME", value_parser = choices!(LoraLayout))]
    lora_layout: Option<LoraLayout>,
    /// How the learning rate falls [default: cosine]
    #[arg(long, value_name = "NAME", value_parser = choices!(Schedule))]
    schedule: Option<Schedule>,
    /// Share of the steps in which the learning rate rises [default: 0.06]
    #[arg(long, value_name = "SHARE")]
    warmup: Option<f64>,
    /// Loss to minimize: the label's token over the vocabulary, the same over the labels only, or every token [default: restricted-label]
    #[arg(long, value_name = "NAME", value_parser = choices!(Loss))]
    loss: Option<Loss>,
    /// Weights of the classes in the loss [default: none]
    #[arg(long, value_name = "NAME", value_parser = choices!(ClassWeights))]
    class_weights: Option<ClassWeights>,
    /// Train on the fractions in the label column as they are (soft labels), not on what --positive-at makes of them
    #[arg(long)]
    soft_labels: bool,
    /// Train on an obfuscated copy of each text, too (leetspeak, look-alike and invisible characters, spaces, typos): twice the time
    #[arg(long, value_name = "KIND", value_parser = choices!(Augmentation), default_value_t = Augmentation::None)]
    augment: Augmentation,
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

impl RecipeArguments {
    pub(crate) fn recipe(&self) -> RecipeOverrides {
        RecipeOverrides {
            preset: self.preset,
            epochs: self.epochs,
            learning_rate: self.learning_rate,
            batch_size: self.batch_size,
            gradient_accumulation: self.gradient_accumulation,
            rank: self.rank,
            alpha: self.alpha,
            rank_stabilized: self.rank_stabilized,
            dropout: self.dropout,
            targets: self.targets.clone().map(|targets| targets.0),
            layers: self.layers.clone().map(|layers| layers.0),
            lora_layout: self.lora_layout,
            schedule: self.schedule,
            warmup: self.warmup,
            loss: self.loss,
            class_weights: self.class_weights,
            soft_labels: self.soft_labels,
            augmentation: self.augment,
            weight_decay: self.weight_decay,
            adam_epsilon: self.adam_epsilon,
            clip_norm: self.clip_norm,
            validation: self.validation,
            patience: self.patience,
            members: self.members,
            in_committee: false,
            max_tokens: self.prompt.max_tokens,
            seed: self.seed,
        }
    }

    pub(crate) fn prompt(&self) -> PromptOverrides {
        self.prompt.overrides()
    }
}
