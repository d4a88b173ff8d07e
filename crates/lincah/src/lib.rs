//! Agile text classifiers: text in, label probabilities out.
//!
//! A small language model, asked "which of these labels?" and fine-tuned with LoRA on a few hundred labelled texts; the score of a label
//! is the probability of its token. All on this machine.
//!
//! ```no_run
//! use lincah::data::dataset::{LabelledDataset, LabelledDatasetOptions};
//! use lincah::data::records::ReadOptions;
//! use lincah::{BaseModel, Device, Prompt, LabelSet, Recipe, Trainer};
//!
//! let labels = LabelSet::new(["civil", "uncivil"])?;
//! let options = LabelledDatasetOptions {
//!     text_column: "comment".into(),
//!     label_column: "label".into(),
//!     labels: labels.names().to_vec(),
//!     positive_at: None,
//! };
//! let data = LabelledDataset::read("samples/comments.csv".as_ref(), &ReadOptions::default(), &options)?;
//! let base = BaseModel::open("smollm2-135m", Device::Cpu)?;
//! let trainer = Trainer::new(base, Prompt::new(labels)?, Recipe::default())?;
//! let classifier = trainer.fit(&data, &mut |event| println!("{event:?}"))?;
//! let predictions = classifier.predict(&["What a thoughtful reply, thank you."])?;
//! println!("{} {:?}", classifier.labels()[predictions[0].most_probable()], predictions[0].probabilities);
//! # Ok::<(), lincah::Error>(())
//! ```
#![forbid(unsafe_code)]

mod base_model;
pub mod baseline;
mod classifier;
pub mod compare;
pub mod comparison;
pub mod cross_validation;
pub mod data;
mod error;
mod evaluate;
pub mod evaluation;
mod generate;
pub mod hub;
pub mod label;
pub mod metrics;
pub mod multi_label;
mod prediction;
pub mod prompt;
mod random;
mod recipe;
pub mod report;
mod results;
pub mod statistics;
pub mod sweep;
mod task;
pub mod tokenizer;
mod trainer;

pub use base_model::{BaseModel, ModelSizes};
pub use classifier::{
    AgileClassifier, BaseModelRecord, ClassifierRecord, DataRecord, FORMAT_VERSION, ZeroShotClassifier, predict, write_atomically,
};
pub use error::Error;
pub use evaluate::{Evaluation, LabelScores};
pub use generate::{GeneratedToken, Generation};
pub use label::LabelSet;
pub use lincah_model::{Compute, Device, LoraConfig, LoraLayout, Loss, OperationTime, Optimizer, Precision, Schedule, Target};
pub use prediction::{DEFAULT_THRESHOLD, Decision, DecisionRule, Prediction};
pub use prompt::{Cut, Prompt};
pub use recipe::{ClassWeights, Recipe, TrainingText};
pub use results::FolderKind;
pub use task::Task;
pub use trainer::{EpochScores, TrainEvent, Trainer};
