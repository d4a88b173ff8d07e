//! A decoder-only transformer with LoRA: token batch in, label scores and LoRA gradients out. It knows tokens, never text.
#![deny(unsafe_code)]

mod attention;
mod backbone;
mod batch;
mod block;
mod cache;
mod compute;
pub mod config;
mod error;
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
pub mod regular_file;
mod schedule;
pub mod sha256;
pub mod weights;

pub use backbone::{Backbone, Decoding};
pub use batch::TokenBatch;
pub use compute::{Compute, Device, Precision, UnknownDevice, UnknownPrecision};
pub use config::BackboneConfig;
pub use error::ModelError;
pub use language_model::{LanguageModel, load};
pub use lincah_kernels::OperationTime;
pub use lora::{Adapter, LoraConfig, LoraLayout, Target};
pub use loss::{Loss, Targets};
pub use optimizer::{Moments, Optimizer, OptimizerState};
pub use schedule::Schedule;
