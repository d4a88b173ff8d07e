//! What can go wrong between weights and scores.

use crate::compute::{Device, Precision};
use crate::lora::AdapterError;

/// An error of the model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Weights or configuration that cannot be read.
    #[error(transparent)]
    Weights(#[from] crate::weights::WeightsError),
    /// An adapter that does not fit.
    #[error(transparent)]
    Adapter(#[from] AdapterError),
    /// A device that cannot be used.
    #[error(transparent)]
    Cuda(#[from] lincah_kernels::CudaError),
    /// A precision that a device does not compute in.
    #[error("{device} does not compute in {precision}; leave --precision out, or choose another")]
    Precision {
        /// What was asked for.
        precision: Precision,
        /// Where.
        device: Device,
    },
    /// A device without products of 8 bits.
    #[error("int8 is the processor's alone; leave --precision out, or choose another")]
    NoInt8,
    /// A training with weights of 8 bits.
    #[error("a model in int8 scores but does not train; train without --precision int8, and score with it")]
    Int8Training,
    /// A training step that the GPU has no memory for.
    #[error(
        "a training step of {rows} tokens needs about {:.1} GB of the GPU's memory, and {:.1} GB are free; lower --batch-size, or pass --recompute",
        *needed as f64 / 1e9, *free as f64 / 1e9
    )]
    StepTooLarge {
        /// N.
        rows: usize,
        /// Bytes.
        needed: usize,
        /// Bytes.
        free: usize,
    },
    /// Weights that the GPU has no memory for.
    #[error(
        "the model's weights need {:.1} GB of the GPU's memory, and {:.1} GB are free; choose a smaller model, or leave --precision f32 out",
        *needed as f64 / 1e9, *free as f64 / 1e9
    )]
    ModelTooLarge {
        /// Bytes.
        needed: usize,
        /// Bytes.
        free: usize,
    },
    /// A token that the model has no embedding for.
    #[error("token {token} is outside the model's vocabulary of {vocabulary_size}; the tokenizer belongs to another model")]
    TokenOutOfVocabulary {
        /// The token.
        token: u32,
        /// V.
        vocabulary_size: usize,
    },
    /// A text longer than the model's positions.
    #[error("a text of {length} tokens is longer than the {most} that the model was made for; shorten it or lower --max-tokens")]
    TextTooLong {
        /// Its tokens.
        length: usize,
        /// The model's positions.
        most: usize,
    },
    /// A target outside the labels' tokens.
    #[error("token {token} is a target but no label's token")]
    NoCandidate {
        /// The target.
        token: u32,
    },
    /// Label rows that are asked for, or to be trained, where the adapter has none; or a target that is none of them.
    #[error("the adapter has no label rows, or fewer than the targets need")]
    NoLabelRows,
    /// A score that is not a number.
    #[error("the model's logits are not finite numbers: its weights or its adapter are damaged, or the training diverged")]
    NotFinite,
    /// A training step without an adapter to train.
    #[error("there is no adapter to train; begin training first")]
    NothingToTrain,
    /// An optimizer state of another adapter.
    #[error("the optimizer's state has no moments for `{key}`; it belongs to another run")]
    OptimizerState {
        /// The array.
        key: String,
    },
}
