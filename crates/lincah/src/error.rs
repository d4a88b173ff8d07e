//! What can go wrong between a text and its score.

use crate::data::{DataError, Names};
use crate::hub::HubError;
use crate::label::LabelError;
use crate::metrics::MetricError;
use crate::prompt::PromptError;
use crate::tokenizer::TokenizerError;
use lincah_model::ModelError;
use lincah_model::lora::AdapterError;
use lincah_model::weights::WeightsError;
use std::path::PathBuf;

/// An error of the library. Each says in one line what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Data that cannot be read, or output that cannot be written.
    #[error(transparent)]
    Data(Box<DataError>),
    /// A model that is not there.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// Labels that cannot be told apart.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// A metric that is not defined.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// A prompt that does not fit.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// A tokenizer that cannot be read.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// Model files that cannot be read.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The model refuses.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// An adapter that cannot be read or written.
    #[error(transparent)]
    Adapter(#[from] AdapterError),
    /// A file of a classifier folder.
    #[error("cannot {action} {path}: {source}")]
    File {
        /// `read`, `write` or `create`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder that is no classifier.
    #[error("{path} is not a classifier folder: it has no classifier.json{hint}")]
    NotAClassifier {
        /// The folder.
        path: PathBuf,
        /// What to do.
        hint: &'static str,
    },
    /// A file that is not what lincah wrote.
    #[error("{path} is damaged: {reason}; train the classifier again or copy it anew")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A field that says something of the scores which this lincah does not know.
    #[error("{path} has `{field}`, which this lincah does not apply; install a newer lincah")]
    UnknownField {
        /// The file.
        path: PathBuf,
        /// The field.
        field: &'static str,
    },
    /// A classifier of a later lincah.
    #[error("{path} has format version {found}, this lincah reads up to {known}; install a newer lincah")]
    FormatVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// The newest known.
        known: u32,
    },
    /// A base model or tokenizer other than the one that the classifier was trained on.
    #[error("the classifier was trained on {part} {expected}, but {path} has {found}; name the right model")]
    WrongBaseModel {
        /// `weights` or `tokenizer`.
        part: &'static str,
        /// Its SHA-256 when trained.
        expected: String,
        /// What is there.
        found: String,
        /// The model at hand.
        path: PathBuf,
    },
    /// An output folder that another command is writing to.
    #[error("another lincah is writing to {path}; wait for it to end, or choose another output folder")]
    FolderInUse {
        /// The folder.
        path: PathBuf,
    },
    /// A file where a folder should be.
    #[error("{path} is a file; choose a new or empty folder")]
    NotAFolder {
        /// The file.
        path: PathBuf,
    },
    /// A training that was stopped between its classifier and the choice of its decisions.
    #[error(
        "{path} holds a finished classifier, but the training was stopped before its decisions were chosen; choose them with `lincah calibrate {path} --from {}`",
        folds.display()
    )]
    DecisionsToCome {
        /// The folder.
        path: PathBuf,
        /// The scores that choose them.
        folds: PathBuf,
    },
    /// A training that is finished already.
    #[error("{path} holds a finished classifier already")]
    AlreadyFinished {
        /// The folder.
        path: PathBuf,
    },
    /// A sweep without rows to score.
    #[error("there are no rows to score; hold some out, or validate on a share of the training rows")]
    NothingToScore,
    /// An output folder with something in it.
    #[error("{path} is not empty; choose another output folder, or resume an interrupted training there")]
    FolderNotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// A file of results that is not what lincah wrote.
    #[error("{path}, line {line}, is no result: {reason}; delete that line to have its run done again")]
    DamagedResults {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// An output folder of something else.
    #[error("{path} is not empty and has no {file} to go on from; choose another output folder")]
    NoResultsFolder {
        /// The folder.
        path: PathBuf,
        /// The file that would make it a folder of results.
        file: String,
    },
    /// A folder that no command made.
    #[error(
        "{path} is nothing to report on: it has neither classifier.json (train), predictions.jsonl (cross-validate) nor results.jsonl (sweep)"
    )]
    NothingToReport {
        /// The folder.
        path: PathBuf,
    },
    /// Results that are not all there.
    #[error("no {what} in {path} is finished; give its command again to go on")]
    Unfinished {
        /// The folder.
        path: PathBuf,
        /// What there is none of.
        what: &'static str,
    },
    /// Data whose rows are not those that were scored.
    #[error("row {row} was scored as {scored}, but in the data {found}; give the file and the options of the cross-validation")]
    OtherRows {
        /// The row in the file, from 1.
        row: u64,
        /// Its label when it was scored.
        scored: String,
        /// What the data have there.
        found: String,
    },
    /// Labels that do not go together: two classifiers', or a classifier's and those of the data.
    #[error(
        "the labels {first} and {second} do not go together: they must be the same, in the same order, and both exclusive or both independent"
    )]
    OtherLabels {
        /// The classifier's, or the first one's.
        first: Names,
        /// The data's, or the second one's.
        second: Names,
    },
    /// An adapter with other label rows than its prompt asks for.
    #[error("the adapter has {found} label rows, but the prompt's labels need {expected}; they are not of one classifier")]
    LabelRows {
        /// Those of the adapter.
        found: usize,
        /// Those that the labels need.
        expected: usize,
    },
    /// Nothing but rows that the classifier was trained on.
    #[error(
        "the classifier was trained on all {rows} rows: what it makes of them says nothing about others; give rows of their own"
    )]
    OnlyTrainingRows {
        /// The rows.
        rows: usize,
    },
    /// A cross-validation of something else than the classifier.
    #[error(
        "the cross-validation is of another prompt, other models or another way to train than the classifier's; its scores say nothing of this one"
    )]
    OtherCrossValidation,
    /// A threshold for a label that has none.
    #[error("there is no threshold of `{label}`; those of {labels} can be chosen")]
    DecisionLabel {
        /// The label.
        label: String,
        /// Those with a threshold of their own; of two exclusive labels the last.
        labels: Names,
    },
    /// A prevalence of a label that is none.
    #[error("`{label}` has no prevalence: it is none of {labels}")]
    PrevalenceLabel {
        /// The label.
        label: String,
        /// Those whose decisions are counted; of two exclusive labels the last.
        labels: Names,
    },
    /// A classifier that has no model to go on from a text.
    #[error(
        "the classifier asks no model: it is made of probes on frozen ones, which cannot go on from a text; name a model instead"
    )]
    NothingGenerates,
    /// A classifier without an adapter.
    #[error(
        "this classifier has no adapter to export: instant classifiers have no form in other programs; serve it, or train one with --model smollm2-135m"
    )]
    NothingToExport,
    /// Decisions that would be chosen on rows that are not set apart.
    #[error(
        "decisions cannot be chosen on validation rows where there are none: give --validation 0.2, or choose them by out-of-fold scores"
    )]
    NoValidationRows,
    /// Folds of which none would be trained on.
    #[error("--oof-folds is {folds}, but must be at least 2")]
    TooFewFolds {
        /// How many.
        folds: usize,
    },
    /// Options of an adapter where none is trained.
    #[error(
        "the preset instant trains no LoRA: leave its options out (--augment, --validation, --max-tokens and --seed are its own)"
    )]
    NoLoraToSet,
    /// A start that no model of the training has, or that another setting contradicts.
    #[error("{path} has no adapter of {models}: a training starts from one of the same base model")]
    NothingToStartFrom {
        /// The classifier's folder.
        path: PathBuf,
        /// The training's decoders.
        models: String,
    },
    /// Rows to be judged by that the start knows.
    #[error(
        "the classifier to start from was trained on {rows} of the {of} rows that would be scored, which would make the figures better than they are; score other rows, or start afresh"
    )]
    StartedFromRows {
        /// Those that it knows.
        rows: usize,
        /// All.
        of: usize,
    },
    /// Labels that are rows, without a training.
    #[error("labels that are rows are trained with an adapter: train first, or ask without --label-scheme rows")]
    UntrainedLabelRows,
    /// An encoder that would have to tell whether a label applies at all.
    #[error("`{name}` is an encoder, which only says which of exclusive labels is nearest; ask a decoder about independent ones")]
    SimilarityOfIndependent {
        /// The encoder.
        name: String,
    },
    /// A form whose programs score tokens alone.
    #[error("labels that are rows have no place in the form {form}: export to peft or sequence-classification")]
    NoPlaceForLabelRows {
        /// The form.
        form: String,
    },
    /// A form of other programs.
    #[error(transparent)]
    Export(#[from] lincah_model::export::ExportError),
    /// A cascade of a classifier where none was measured.
    #[error(
        "the classifier does not know when its first member is enough: it needs several members, and decisions chosen with them (train \
         several models and choose decisions on out-of-fold scores, or calibrate on rows of their own)"
    )]
    NoCascade,
    /// A decoder where an encoder is needed.
    #[error("`{name}` is no encoder: it makes no embeddings; name one, such as minilm")]
    NotAnEncoder {
        /// As the user named it.
        name: String,
    },
    /// An encoder where a decoder is needed.
    #[error(
        "`{name}` is an encoder: it cannot be asked, and has no LoRA; use it with `train --preset instant`, or name a decoder (`lincah models`)"
    )]
    NotADecoder {
        /// As the user named it.
        name: String,
    },
    /// An audit by a column that was not kept.
    #[error("the data were read without column `{column}`")]
    NoAuditColumn {
        /// The column.
        column: String,
    },
    /// A file that no audit wrote.
    #[error("{} is not what `lincah audit --json` prints ({source})", .path.display())]
    NotAnAudit {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A limit that a figure does not keep.
    #[error(transparent)]
    Gate(#[from] crate::gate::GateError),
    /// Too few rows for a choice that others can check.
    #[error("{rows} rows are too few to choose decisions on some and count them on the others; give at least two per label")]
    TooFewRowsToDecide {
        /// The rows.
        rows: usize,
    },
    /// Nothing to generate from.
    #[error("the prompt is empty, so there is nothing to go on from; give some text")]
    EmptyPrompt,
    /// Nothing to go on from.
    #[error("{path} has no checkpoint to resume from; start the training anew")]
    NothingToResume {
        /// The folder.
        path: PathBuf,
    },
    /// A checkpoint of an earlier version.
    #[error("{path} was begun by an earlier version, whose trainings cannot be resumed; start anew in another folder")]
    EarlierCheckpoint {
        /// The output folder.
        path: PathBuf,
    },
    /// A model that is named twice.
    #[error("the model `{name}` is named twice")]
    SameModel {
        /// As the user named it.
        name: String,
    },
    /// A classifier whose training was not finished.
    #[error("the training of this classifier was not finished: {to_come} more members are to come; finish it first")]
    UnfinishedCommittee {
        /// Members that are missing.
        to_come: usize,
    },
    /// A run of other settings or data.
    #[error("{path} was begun with another {what}; resume with the same command, or start anew in another folder")]
    OtherRun {
        /// The folder.
        path: PathBuf,
        /// What differs.
        what: &'static str,
    },
    /// A number of the recipe outside its range.
    #[error("{field} is {value}, but must be {expected}")]
    Recipe {
        /// The setting.
        field: &'static str,
        /// Its value.
        value: String,
        /// Its range.
        expected: &'static str,
    },
    /// The loss left the numbers.
    #[error("the loss is no longer a number at step {step}; lower the learning rate")]
    Diverged {
        /// The step.
        step: usize,
    },
    /// Stopped on request.
    #[error("{}{}", stopped_at(*step, *steps), kept_in(folder.as_deref()))]
    Interrupted {
        /// Steps done.
        step: usize,
        /// Steps in all; 0 of a training without steps.
        steps: usize,
        /// Where the checkpoint is, if there is one.
        folder: Option<PathBuf>,
    },
}

fn stopped_at(step: usize, steps: usize) -> String {
    if steps == 0 { String::from("stopped before the end") } else { format!("stopped at step {step} of {steps}") }
}

fn kept_in(folder: Option<&std::path::Path>) -> String {
    folder.map_or(String::new(), |folder| format!("; kept in {}, from where the same training resumes", folder.display()))
}

impl From<DataError> for Error {
    fn from(error: DataError) -> Self {
        Self::Data(Box::new(error))
    }
}

impl Error {
    /// Whether a device failed, or is not there, so that another one may do the same work.
    pub fn is_of_device(&self) -> bool {
        matches!(self, Self::Model(ModelError::Cuda(_)))
    }

    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}
