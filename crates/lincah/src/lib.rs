//! Agile text classifiers: text in, label probabilities out.
//!
//! A small language model, asked about your labels and fine-tuned with LoRA on a few hundred labelled texts; the score of a label is the
//! probability of its token. All on this machine.
//!
//! ```no_run
//! use lincah::{AgileClassifier, BaseModel, Dataset, DatasetOptions, Device, LabelColumns, Trainer};
//! use std::ops::ControlFlow;
//!
//! let labels = LabelColumns::one("label", ["civil", "uncivil"]);
//! let data = Dataset::read("samples/comments.csv".as_ref(), &Default::default(), &DatasetOptions::new("comment", labels))?;
//! let base = BaseModel::open("smollm2-135m", Device::Cpu)?;
//! let trainer = Trainer::suggested(&base, &data)?;
//! let classifier = trainer.fit(&data, &mut |_| ControlFlow::Continue(()))?;
//! for prediction in classifier.predict(&["What a thoughtful reply, thank you."])? {
//!     println!("{:?} {:?}", classifier.labels().names(), prediction.probabilities);
//! }
//! # Ok::<(), lincah::Error>(())
//! ```
//! Independent labels are [`LabelColumns::Each`] or [`LabelColumns::List`]; all else is the same. A [`BaseModel`] is a handle: any number of
//! classifiers and trainings share its weights.
#![forbid(unsafe_code)]

pub mod audit;
mod base_model;
pub mod baseline;
pub mod calibration;
mod cascade;
pub mod checked;
mod classifier;
pub mod comparison;
pub mod cross_validation;
pub mod data;
pub mod decisions;
mod error;
pub mod evaluation;
mod experiment;
mod explanation;
mod export;
mod folder_lock;
pub mod gate;
mod generate;
pub mod hub;
mod import;
mod instant;
pub mod label;
pub mod label_errors;
pub mod metrics;
mod mixture;
mod overrides;
mod predict_file;
mod prediction;
pub mod prompt;
mod random;
mod recipe;
mod regression;
pub mod report;
mod results;
mod scoring;
mod softmax;
mod state_memory;
pub mod statistics;
pub mod sweep;
mod task;
pub mod tokenizer;
pub mod tracking;
mod trainer;
mod training_plan;
pub mod verification;
mod warm_start;
mod workers;

pub use base_model::{BaseModel, ModelSizes};
pub use cascade::{Cascade, CascadePoint};
pub use classifier::{
    AgileClassifier, BaseModelRecord, ClassifierRecord, DataRecord, DecisionRecord, FORMAT_VERSION, MemberRecord, OpenModels,
    RememberedRows, ScoredDataset, TrainingRows, UnseenRows,
};
pub use data::dataset::{Dataset, DatasetOptions, LabelColumns};
pub use decisions::DecisionSource;
pub use error::Error;
pub use evaluation::Evaluation;
pub use experiment::{DecisionPlan, DecisionScores, Experiment, ExperimentEvent, TrainingOutcome};
pub use explanation::{Explanation, Reason};
pub use export::{ExportForm, ExportOptions, Exported};
pub use folder_lock::FolderLock;
pub use generate::{GeneratedToken, Generation, Generator};
pub use import::{Asked, base_model_of};
pub use instant::{Reading, States};
pub use label::LabelSet;
pub use lincah_model::export::NumberType;
pub use lincah_model::new_file::{remove_temporary_files, write_atomically};
pub use lincah_model::{
    ComputeOptions, Device, Devices, LoraConfig, LoraLayout, Loss, OperationTime, Optimizer, Precision, Schedule, Target,
    UnknownName,
};
pub use lincah_model::{regular_file, sha256};
pub use overrides::{LabelScoring, Preset, PromptOverrides, RecipeOverrides};
pub use predict_file::{Keep, PredictFileOptions, PredictedFile, PredictionOutput};
pub use prediction::{DEFAULT_THRESHOLD, Decision, DecisionRule, Prediction};
pub use prompt::{LongTexts, Obfuscation, Prompt, Truncation};
pub use recipe::{Augmentation, ClassWeights, Method, Recipe, TrainingText};
pub use results::{FolderKind, RowLabels};
pub use task::Task;
pub use trainer::{Companion, EpochScores, TrainEvent, Trainer};
pub use training_plan::TrainingPlan;
pub use warm_start::WarmStart;
