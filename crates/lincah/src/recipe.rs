//! Everything that decides a training, apart from model, prompt and data.

use crate::base_model::ModelSizes;
use crate::data::dataset::Dataset;
use crate::error::Error;
use crate::task::Task;
use crate::warm_start::WarmStart;
use lincah_model::{LoraConfig, LoraLayout, Loss, Optimizer, Schedule, Target};
use serde::{Deserialize, Serialize};

/// How classes are weighted in the loss.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassWeights {
    /// Every text counts alike.
    #[default]
    None,
    /// Texts of class c count `n / (classes * n_c)`, as scikit-learn's `class_weight="balanced"`.
    Balanced,
}

lincah_model::named_choices!(ClassWeights, "way to weight classes": None = "none", Balanced = "balanced");

/// What the model reads in training.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrainingText {
    /// The prompt, behind which the label's token should follow.
    #[default]
    Prompt,
    /// Prompt, label and the characters `<eos>`, then end of text, the whole cut at its end, so that long texts lose their label. Needs
    /// the loss on all tokens, which is divided by texts times `max_tokens`, as if there were padding. What the codelab does.
    Codelab,
}

/// What is trained.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// An adapter of a decoder that is asked about the labels.
    #[default]
    Lora,
    /// Logistic regressions on what frozen models make of the texts: what an adapter is trained by has no meaning then.
    Instant,
}

impl Method {
    fn is_lora(&self) -> bool {
        *self == Self::Lora
    }
}

/// Copies that are trained on beside the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Augmentation {
    /// None.
    #[default]
    None,
    /// One copy of each text, written otherwise in a way that is drawn for it: see [`Perturbation`](crate::data::perturbation::Perturbation).
    Obfuscation,
}

lincah_model::named_choices!(Augmentation, "augmentation": None = "none", Obfuscation = "obfuscation");

impl Augmentation {
    fn is_none(&self) -> bool {
        *self == Self::None
    }

    /// The rows to train on: these, and behind them their copies.
    pub(crate) fn applied(self, train: &Dataset, seed: u64) -> Dataset {
        match self {
            Self::None => train.clone(),
            Self::Obfuscation => train.with_perturbed_copies(seed),
        }
    }
}

/// A training's settings. Stored with the classifier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// What is trained.
    #[serde(default, skip_serializing_if = "Method::is_lora")]
    pub method: Method,
    /// Shape and reach of the adapter.
    pub lora: LoraConfig,
    /// What is minimized.
    pub loss: Loss,
    /// What is read.
    #[serde(default)]
    pub training_text: TrainingText,
    /// Passes over the training rows.
    pub epochs: usize,
    /// Texts per optimizer step.
    pub batch_size: usize,
    /// Micro-batches that a step's batch is computed in, at least, to save memory; the step is the same but for rounding.
    pub gradient_accumulation: usize,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// How it falls.
    pub schedule: Schedule,
    /// Share of the steps in which it rises.
    pub warmup: f64,
    /// Adam's settings and the clipping.
    pub optimizer: Optimizer,
    /// How classes are weighted.
    pub class_weights: ClassWeights,
    /// Whether a row's target is the fraction of its labels that the data hold, in place of the label that the threshold makes of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub soft_labels: bool,
    /// Copies of the rows that are trained on too; a pass over the rows then takes in both.
    #[serde(default, skip_serializing_if = "Augmentation::is_none")]
    pub augmentation: Augmentation,
    /// Whether the rows are shuffled before each epoch.
    pub shuffle: bool,
    /// Longest prompt, in tokens; longer texts are truncated.
    pub max_tokens: usize,
    /// Share of the training rows that are kept for validation, 0 for none.
    pub validation: f64,
    /// With validation: epochs without a better validation loss before the training stops.
    pub patience: Option<usize>,
    /// Adapters trained one after the other, each from a start and in an order of its own, whose mean is kept
    /// ([`Adapter::average`](lincah_model::Adapter::average)).
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub members: usize,
    /// Decides the adapter's start, the order of the rows, the dropout and the validation split.
    pub seed: u64,
    /// The adapter that the training goes on from, in place of a fresh one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<WarmStart>,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            method: Method::Lora,
            lora: LoraConfig {
                rank: 8,
                alpha: 16.0,
                dropout: 0.0,
                targets: Target::ALL.to_vec(),
                layers: None,
                rank_stabilized: false,
                layout: LoraLayout::Whole,
            },
            loss: Loss::RestrictedLabel,
            training_text: TrainingText::Prompt,
            epochs: 4,
            batch_size: 8,
            gradient_accumulation: 1,
            learning_rate: 1e-3,
            schedule: Schedule::Cosine,
            warmup: 0.06,
            optimizer: Optimizer::default(),
            class_weights: ClassWeights::None,
            soft_labels: false,
            augmentation: Augmentation::None,
            shuffle: true,
            max_tokens: 256,
            validation: 0.0,
            patience: None,
            members: 1,
            seed: 1,
            start: None,
        }
    }
}

/// The two sides of a training's rows.
pub(crate) struct Sides {
    pub(crate) train: Dataset,
    pub(crate) validation: Option<Dataset>,
}

fn one() -> usize {
    1
}

fn is_one(members: &usize) -> bool {
    *members == 1
}

/// Optimizer steps below which a member of a small set is undertrained, in texts: 200 steps of 8.
const TEXTS_OF_A_SMALL_SET: usize = 1600;
/// Most epochs of an adapter beside an instant classifier.
const EPOCHS_IN_COMMITTEE: usize = 8;
/// Rows up to which several members pay for themselves.
const ROWS_OF_A_SMALL_SET: usize = 500;
/// Hidden sizes above it want half the learning rate.
const HIDDEN_SIZE_OF_A_SMALL_MODEL: usize = 600;

impl Recipe {
    /// The recipe that was measured to work for so many training rows and a model of this hidden size, on training rows only
    /// (`docs/benchmarks/2026-11-24-small-sets.md`): with few rows more passes over them and the mean of three adapters, with a wider model
    /// half the learning rate. For 800 rows and the default model it is the default.
    pub fn suggested(rows: usize, hidden_size: usize) -> Self {
        let default = Self::default();
        Self {
            epochs: (TEXTS_OF_A_SMALL_SET / rows.max(1)).clamp(default.epochs, 16),
            members: if rows <= ROWS_OF_A_SMALL_SET { 3 } else { 1 },
            learning_rate: default.learning_rate * if hidden_size <= HIDDEN_SIZE_OF_A_SMALL_MODEL { 1.0 } else { 0.5 },
            ..default
        }
    }

    /// The suggested recipe of an adapter that works together with an instant classifier: one adapter, and at most eight passes over few
    /// rows. Beside an instant classifier more bring little (`docs/benchmarks/2026-11-27-committees.md`).
    pub fn suggested_in_committee(rows: usize, hidden_size: usize) -> Self {
        let alone = Self::suggested(rows, hidden_size);
        Self { epochs: alone.epochs.min(EPOCHS_IN_COMMITTEE), members: 1, ..alone }
    }

    /// The suggested recipe made cheaper: only the upper two thirds of the layers are adapted, so that what the others make of a text is
    /// computed once and the gradient stops above them, and one adapter is trained. What it costs in quality is measured in
    /// `docs/benchmarks/2026-11-25-cpu.md`.
    pub fn fast(rows: usize, model: ModelSizes) -> Self {
        let mut recipe = Self { members: 1, ..Self::suggested(rows, model.hidden_size) };
        recipe.lora.layers = Some((model.layers / 3..model.layers).collect());
        recipe
    }

    /// Logistic regressions on frozen models' states, in seconds: `docs/decisions/0017-instant-classifiers.md`.
    pub fn instant() -> Self {
        Self { method: Method::Instant, ..Self::default() }
    }

    /// The recipe of the "Agile classifiers" codelab: every token's loss, rank 4 on query and value as Keras lays it out, batch 2, a
    /// constant rate, no shuffling, Keras' Adam. Its prompt is truncated as [`Truncation::Prompt`](crate::prompt::Truncation::Prompt) says.
    pub fn codelab() -> Self {
        let targets = vec![Target::Query, Target::Value];
        Self {
            lora: LoraConfig { rank: 4, alpha: 4.0, targets, layout: LoraLayout::PerHead, ..Self::default().lora },
            loss: Loss::AllTokens,
            training_text: TrainingText::Codelab,
            optimizer: Optimizer { epsilon_before_correction: true, ..Optimizer::default() },
            batch_size: 2,
            learning_rate: 5e-4,
            schedule: Schedule::Constant,
            warmup: 0.0,
            shuffle: false,
            max_tokens: 128,
            seed: 1234,
            ..Self::default()
        }
    }

    /// Optimizer steps for `rows` training rows.
    pub fn steps(&self, rows: usize) -> usize {
        self.members * self.epochs * rows.div_ceil(self.batch_size)
    }

    /// Whether what a step does depends on how many epochs follow. Where not, a training of 4 epochs is the beginning of one of 10.
    pub fn depends_on_length(&self) -> bool {
        self.schedule != Schedule::Constant || self.warmup > 0.0 || self.validation > 0.0 || self.members > 1
    }

    /// Rows to train on, and those to validate on.
    pub(crate) fn split(&self, data: &Dataset) -> Result<Sides, Error> {
        if self.validation == 0.0 {
            return Ok(Sides { train: data.clone(), validation: None });
        }
        let split = data.validation_split(self.validation, self.seed as u32)?;
        Ok(Sides { train: data.subset(&split.train), validation: Some(data.subset(&split.test)) })
    }

    /// Refuses what does not go with independent labels.
    pub(crate) fn check_task(&self, task: Task) -> Result<(), Error> {
        if task == Task::MultiLabel && self.training_text == TrainingText::Codelab {
            let (value, expected) = (String::from("codelab"), "another with independent labels");
            return Err(Error::Recipe { field: "preset", value, expected });
        }
        Ok(())
    }

    /// Checks every number.
    ///
    /// # Errors
    /// Names the first that is out of range.
    pub fn check(&self) -> Result<(), Error> {
        let optimizer = &self.optimizer;
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let checks: [(&'static str, String, bool, &'static str); 15] = [
            ("epochs", self.epochs.to_string(), self.epochs > 0, "at least 1"),
            ("batch_size", self.batch_size.to_string(), self.batch_size > 0, "at least 1"),
            (
                "gradient_accumulation",
                self.gradient_accumulation.to_string(),
                (1..=self.batch_size.max(1)).contains(&self.gradient_accumulation),
                "from 1 to the batch size",
            ),
            ("learning_rate", self.learning_rate.to_string(), positive(self.learning_rate), "above 0"),
            (
                "loss",
                format!("{:?}", self.loss),
                self.training_text == TrainingText::Prompt || self.loss == Loss::AllTokens,
                "all-tokens with the codelab's training texts",
            ),
            (
                "soft_labels",
                self.soft_labels.to_string(),
                self.training_text == TrainingText::Prompt || !self.soft_labels,
                "left out with the codelab's training texts",
            ),
            (
                "members",
                self.members.to_string(),
                self.members == 1 || self.members > 1 && self.validation == 0.0 && self.lora.layout == LoraLayout::Whole,
                "at least 1, and 1 with validation or the layout per-head",
            ),
            ("warmup", self.warmup.to_string(), (0.0..=1.0).contains(&self.warmup), "from 0 to 1"),
            ("max_tokens", self.max_tokens.to_string(), self.max_tokens > 0, "at least 1"),
            ("validation", self.validation.to_string(), (0.0..1.0).contains(&self.validation), "from 0 to below 1"),
            (
                "patience",
                self.patience.map_or(String::from("none"), |patience| patience.to_string()),
                self.patience.is_none_or(|patience| patience > 0 && self.validation > 0.0),
                "at least 1, together with validation",
            ),
            (
                "weight_decay",
                optimizer.weight_decay.to_string(),
                (0.0..f64::INFINITY).contains(&optimizer.weight_decay),
                "at least 0",
            ),
            ("adam_epsilon", optimizer.epsilon.to_string(), positive(optimizer.epsilon), "above 0"),
            ("beta1", optimizer.beta1.to_string(), (0.0..1.0).contains(&optimizer.beta1), "from 0 to below 1"),
            (
                "clip_norm",
                optimizer.clip_norm.map_or(String::from("none"), |norm| norm.to_string()),
                optimizer.clip_norm.is_none_or(positive),
                "above 0",
            ),
        ];
        match checks.into_iter().find(|(_, _, holds, _)| !holds) {
            Some((field, value, _, expected)) => Err(Error::Recipe { field, value, expected }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_sets_get_more_passes_and_members_and_wide_models_smaller_steps() {
        let suggested = |rows, hidden| {
            let recipe = Recipe::suggested(rows, hidden);
            recipe.check().unwrap();
            (recipe.epochs, recipe.members, recipe.learning_rate)
        };
        assert_eq!(suggested(0, 576), (16, 3, 1e-3));
        assert_eq!(suggested(200, 576), (8, 3, 1e-3));
        assert_eq!(suggested(400, 640), (4, 3, 5e-4));
        assert_eq!(suggested(501, 640), (4, 1, 5e-4));
        assert_eq!(Recipe::suggested(800, 576), Recipe::default());
        let fast = Recipe::fast(400, ModelSizes { hidden_size: 576, layers: 30 });
        fast.check().unwrap();
        assert_eq!((fast.members, fast.epochs, fast.lora.layers), (1, 4, Some((10..30).collect())));
    }
}
