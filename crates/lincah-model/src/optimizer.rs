//! Adam's settings and memory.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Settings of Adam (Kingma & Ba 2015), of AdamW (Loshchilov & Hutter 2019) where `weight_decay` is not 0, and of gradient clipping.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Optimizer {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Adds epsilon before the second moment's bias is corrected, the "epsilon hat" of Kingma & Ba 2015, section 2, as Keras does: at
    /// step t it weighs `1 / sqrt(1 - beta2^t)` times as much.
    #[serde(default)]
    pub epsilon_before_correction: bool,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Gradients with a larger norm are shortened to it (Pascanu et al. 2013); `None` leaves them.
    pub clip_norm: Option<f64>,
}

impl Default for Optimizer {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-7, epsilon_before_correction: false, weight_decay: 0.0, clip_norm: None }
    }
}

impl Optimizer {
    /// What is added to the root of the corrected second moment at `step` (from 1).
    pub(crate) fn epsilon_at(&self, step: u32) -> f64 {
        if self.epsilon_before_correction { self.epsilon / (1.0 - self.beta2.powf(step.into())).sqrt() } else { self.epsilon }
    }
}

/// Adam's two moments of one array.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    /// Decaying mean of the gradient.
    pub first: Vec<f32>,
    /// Decaying mean of its square.
    pub second: Vec<f32>,
}

/// What Adam remembers between steps.
#[derive(Debug, Clone, PartialEq)]
pub struct OptimizerState {
    /// Steps taken.
    pub steps: u32,
    /// Moments by PEFT key.
    pub moments: BTreeMap<String, Moments>,
}
