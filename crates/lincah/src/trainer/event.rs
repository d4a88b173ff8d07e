//! What happens in a training, as it happens.

use crate::instant::States;
use crate::recipe::Method;
use serde::{Deserialize, Serialize};

/// One line of `training.jsonl`; `{"event": "step", …}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum TrainEvent {
    /// The training begins, or goes on from a checkpoint.
    Start {
        /// Optimizer steps done.
        step: usize,
        /// Optimizer steps in all.
        steps: usize,
        /// Training rows.
        rows: usize,
        /// Validation rows.
        validation_rows: usize,
        /// Training texts whose end did not fit into the prompt.
        #[serde(rename = "cut_texts")]
        truncated_texts: usize,
        /// Tokens that all prompts share.
        shared_prefix: usize,
    },
    /// A member of a committee begins; what follows is of it.
    Member {
        /// Which, from 1.
        member: usize,
        /// How many there will be.
        members: usize,
        /// What of it is trained.
        method: Method,
        /// Its models.
        models: Vec<String>,
    },
    /// A committee of the members so far is saved.
    Saved {
        /// How many.
        members: usize,
        /// How many there will be.
        of: usize,
    },
    /// A device has failed; the others train what it was training.
    DeviceLost {
        /// What it failed with.
        error: String,
    },
    /// Frozen models begin to read the texts.
    Reading {
        /// Texts.
        texts: usize,
        /// The models.
        models: Vec<String>,
    },
    /// A frozen model has read the texts.
    Read {
        /// The model.
        model: String,
        /// Seconds since the start.
        seconds: f64,
    },
    /// A probe is fitted to what a frozen model makes of the texts.
    Fitted {
        /// The model.
        model: String,
        /// Which of its states.
        states: States,
        /// Weight in the mixture.
        weight: f64,
        /// Mean out-of-fold log loss; absent where there were too few rows.
        log_loss: Option<f64>,
    },
    /// An optimizer step.
    Step {
        /// Number of the step, from 1.
        step: usize,
        /// Pass over the rows, from 1.
        epoch: usize,
        /// Mean loss of the step's batch.
        loss: f64,
        /// Its learning rate.
        learning_rate: f64,
        /// Norm of the gradient before clipping.
        gradient_norm: f64,
        /// Training texts a second since the start or the resumption.
        examples_per_second: f64,
        /// Seconds that the remaining steps will take at that speed.
        seconds_left: f64,
    },
    /// The validation rows were scored at the end of an epoch.
    Validation {
        /// Steps done.
        step: usize,
        /// Epochs done.
        epoch: usize,
        /// Mean of `-log p(true label)`.
        loss: f64,
        /// Share of right answers.
        accuracy: f64,
        /// F1 of two labels, macro F1 of more, micro F1 of independent ones.
        f1: f64,
        /// Area under the ROC curve, where it is defined.
        roc_auc: Option<f64>,
        /// Whether this is the best so far.
        best: bool,
    },
    /// The training is over.
    End {
        /// Steps done.
        step: usize,
        /// Whether it ended before its last epoch for want of progress.
        stopped_early: bool,
        /// Epoch whose adapter was kept.
        kept_epoch: usize,
        /// Seconds of this process, since its start or resumption.
        seconds: f64,
    },
}

impl TrainEvent {
    /// Steps done when it happened.
    pub fn step(&self) -> usize {
        match self {
            Self::Member { .. }
            | Self::Saved { .. }
            | Self::DeviceLost { .. }
            | Self::Reading { .. }
            | Self::Read { .. }
            | Self::Fitted { .. } => 0,
            Self::Start { step, .. } | Self::Step { step, .. } | Self::Validation { step, .. } | Self::End { step, .. } => *step,
        }
    }
}
