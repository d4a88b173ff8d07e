//! From texts without labels to a classifier, by the labels of one person or a few.
//!
//! A [`Project`] is a folder: texts, settings, and the journal of what people said, from which everything else follows ([`Labels`]). [`next`] says
//! which text is worth a label, and a [`Learner`] keeps a classifier that knows all labels so far. [`Judged`] says what the classifier is worth, by texts that were drawn by lot before anybody looked.
#![forbid(unsafe_code)]

mod audit;
mod error;
mod guideline;
mod labels;
mod learner;
mod project;
mod publish;
mod queue;
mod server;
mod sitting;

pub use audit::Judged;
pub use error::StudioError;
pub use guideline::{Guideline, GuidelineVersion};
pub use labels::{Answer, Labels, Opinion, Said};
pub use learner::{Learned, Learner};
pub use project::{NewProject, Project, Settings};
pub use publish::Published;
pub use queue::{Lot, Mix, Reason, Scores, next};
pub use server::Server;
pub use sitting::{Sitting, Status, Turn};
