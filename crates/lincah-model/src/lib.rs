//! A decoder-only transformer with LoRA: token batch in, label scores and LoRA gradients out. It knows tokens, never text.
//!
//! A [`SentenceEncoder`] makes an embedding of each text. A [`LanguageModel`] is frozen; a [`Scorer`] is it with an [`Adapter`], a [`Training`] makes one. Any number of them live on one base.
#![deny(unsafe_code)]

#[macro_use]
mod names;

mod adapter;
mod attention;
mod backbone;
mod batch;
mod block;
mod cache;
mod compute;
pub mod config;
mod decoding;
mod encoder;
mod error;
pub mod export;
mod frozen_states;
pub mod gguf;
mod language_model;
mod linear;
pub mod lora;
mod loss;
mod mapped_file;
mod mlp;
pub mod new_file;
mod optimizer;
mod pass;
pub mod platform;
mod pooled_states;
mod prefix_cache;
pub mod regular_file;
mod schedule;
mod scorer;
pub mod sha256;
mod training;
pub mod weights;

pub use backbone::Backbone;
pub use batch::{ROWS_PER_BATCH, TokenBatch, batches_by_length};
pub use compute::{ComputeOptions, Device, Devices, NoDevices, Precision, UnknownDevice};
pub use config::{BackboneConfig, EncoderConfig};
pub use decoding::Decoding;
pub use encoder::{SentenceEncoder, load_encoder};
pub use error::ModelError;
pub use frozen_states::FrozenStates;
pub use language_model::{LanguageModel, load};
pub use lincah_kernels::{CudaError, OperationTime};
pub use lora::{Adapter, LoraConfig, LoraLayout, Target};
pub use loss::{Loss, Targets};
pub use names::UnknownName;
pub use optimizer::{Moments, Optimizer, OptimizerState};
pub use schedule::Schedule;
pub use scorer::{BackboneScorer, Scorer};
pub use training::{BackboneTraining, LabelRowTargets, Objective, Training};
