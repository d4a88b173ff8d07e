//! A classifier: a prompt, labels and an adapter on a base model.

mod base_model_record;
mod card;
mod decided;
mod folder;
mod member;
mod member_record;
mod open_models;
mod probes;
mod remembered;
mod rows;
mod saving;

use crate::base_model::BaseModel;
use crate::calibration::Calibration;
use crate::cascade::CascadePoint;
use crate::data::Names;
use crate::data::dataset::Dataset;
use crate::error::Error;
use crate::evaluation::{Evaluation, Truth};
use crate::generate::Generator;
use crate::hub;
use crate::instant::Probe;
use crate::label::LabelSet;
use crate::mixture::Mixture;
use crate::prediction::{DecisionRule, Prediction};
use crate::prompt::Prompt;
use crate::scoring::{ScoredText, Scoring};
use crate::task::Task;
use lincah_model::{Adapter, ComputeOptions, ModelError};
use std::path::Path;
use std::time::Instant;

pub use base_model_record::BaseModelRecord;
pub(crate) use decided::RowsToDecide;
pub use folder::{ClassifierRecord, DataRecord, DecisionRecord, FORMAT_VERSION};
pub(crate) use folder::{NewRecord, is_empty_or_absent};
use member::MemberClassifier;
pub(crate) use member::{AdaptedDecoder, Member, Members};
pub use member_record::MemberRecord;
pub(crate) use member_record::{MEMBERS_FOLDER, member_folder};
pub use open_models::OpenModels;
pub(crate) use probes::{PROBES, StoredProbes};
pub use remembered::{RememberedRows, UnseenRows};
pub use rows::TrainingRows;

/// A text classifier: an instruction-tuned language model, with a LoRA unless it is asked as it is, that is asked about the labels.
///
/// The probability of an exclusive label is the softmax, over the labels' tokens alone, of the model's logits behind the prompt; that of an
/// independent label is the same over the tokens of no and yes behind the question about it.
pub struct AgileClassifier {
    members: Members,
    scoring: Scoring,
    calibration: Calibration,
    rule: DecisionRule,
    record: Option<ClassifierRecord>,
    /// From which margin on the first member's answer is enough.
    cascade: Option<CascadePoint>,
}

impl std::fmt::Debug for AgileClassifier {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("AgileClassifier")
            .field("base", self.base())
            .field("scoring", &self.scoring)
            .finish_non_exhaustive()
    }
}

/// What a classifier makes of rows with known labels.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredDataset {
    /// For each row.
    pub predictions: Vec<Prediction>,
    /// What comes of them.
    pub evaluation: Evaluation,
}

impl AgileClassifier {
    /// A trained classifier of `record`, with its adapter.
    pub(crate) fn new(base: BaseModel, adapter: &Adapter, record: ClassifierRecord) -> Result<Self, Error> {
        record.scoring().check_adapter(adapter)?;
        let scorer = base.language_model()?.scorer(Some(adapter))?;
        let members = Members::one(Member::Asked { base, scorer });
        Ok(Self::of_members(members, record))
    }

    /// A trained classifier of `record`, with its members.
    pub(crate) fn of_members(members: Members, record: ClassifierRecord) -> Self {
        let (calibration, rule) = (record.calibration.clone().unwrap_or_default(), record.decision_rule.clone());
        Self { members, scoring: record.scoring(), calibration, rule, record: Some(record), cascade: None }
    }

    /// A model as it is, without any training: a decoder is asked in prompts of at most `max_tokens` tokens, an encoder compares texts with the
    /// names of exclusive labels.
    ///
    /// # Errors
    /// Labels that the tokenizer cannot tell apart, a prompt that does not fit, labels that are rows; independent labels with an encoder.
    pub fn zero_shot(base: &BaseModel, prompt: Prompt, max_tokens: usize) -> Result<Self, Error> {
        if prompt.has_label_rows() {
            return Err(Error::UntrainedLabelRows);
        }
        let (member, scoring) = match base.encoder() {
            Some(_) => (Member::of_similarity(base, &prompt, max_tokens)?, Scoring::of_no_model(prompt, max_tokens)),
            None => {
                let scorer = base.language_model()?.scorer(None)?;
                (Member::Asked { base: base.clone(), scorer }, Scoring::resolve(base, prompt, max_tokens)?)
            }
        };
        let (calibration, rule) = (Calibration::default(), DecisionRule::default());
        Ok(Self { members: Members::one(member), scoring, calibration, rule, record: None, cascade: None })
    }

    /// The model that is taken as it is where none is named: the default decoder, or the default encoder where the decoder's prompt has no room
    /// for exclusive labels.
    ///
    /// # Errors
    /// A decoder that is not there.
    pub fn zero_shot_model(prompt: &Prompt, max_tokens: usize) -> Result<&'static str, Error> {
        let tokenizer = BaseModel::tokenizer_of(hub::DEFAULT_MODEL)?;
        let is_asked = prompt.task() == Task::MultiLabel || prompt.has_label_rows();
        Ok(if is_asked || prompt.fits(&tokenizer, max_tokens).is_ok() { hub::DEFAULT_MODEL } else { hub::DEFAULT_ENCODER })
    }

    /// Reads a classifier folder and its base model.
    ///
    /// # Errors
    /// A folder that is none or is damaged; a base model that is not there, or whose weights or tokenizer are others than in training.
    pub fn load(folder: &Path, compute: impl Into<ComputeOptions>) -> Result<Self, Error> {
        Self::load_with(folder, &mut OpenModels::new(compute))
    }

    /// Reads a classifier folder onto models that are open; those that it needs besides are opened and stay.
    ///
    /// # Errors
    /// As [`AgileClassifier::load`].
    pub fn load_with(folder: &Path, models: &mut OpenModels) -> Result<Self, Error> {
        Self::read(folder, ClassifierRecord::read(folder)?, models)
    }

    /// Reads a classifier folder onto a base model that is open already, which other classifiers may use too. Other models of a classifier that
    /// has several are opened where this one is.
    ///
    /// # Errors
    /// A folder that is none or is damaged; a base model whose weights or tokenizer are others than in training.
    pub fn load_on(folder: &Path, base: &BaseModel) -> Result<Self, Error> {
        let record = ClassifierRecord::read(folder)?;
        let mut models = OpenModels::beside(base);
        models.add(&record.base_model.name, base);
        Self::read(folder, record, &mut models)
    }

    /// Reads a classifier folder onto models that are open, and others that are opened where these are.
    pub(crate) fn read(folder: &Path, record: ClassifierRecord, models: &mut OpenModels) -> Result<Self, Error> {
        record.verify_prompt(folder)?;
        let adapted = |models: &mut OpenModels| -> Result<Member, Error> {
            let (adapter, base) = (Adapter::read(folder)?, models.get(&record.base_model.name)?);
            record.verify(folder, &adapter, &base)?;
            let scorer = base.language_model()?.scorer(Some(&adapter))?;
            Ok(Member::Asked { base, scorer })
        };
        let mut all = Vec::new();
        for (number, member) in record.members.iter().enumerate() {
            all.push(match member {
                MemberRecord::Adapter => adapted(models)?,
                MemberRecord::Probe { base_model, states, reading, sha256 } => {
                    let base = models.get(&base_model.name)?;
                    base_model.verify(&base)?;
                    let (labels, width) = ((record.task, record.prompt.labels().len()), base.sizes().hidden_size);
                    let probe = Probe::read(&member_record::probe_file(folder, number), labels, width, sha256)?;
                    Member::Probe { base, states: *states, reading: *reading, probe }
                }
                MemberRecord::Classifier { sha256, .. } => {
                    let folder = member_folder(folder, number);
                    ClassifierRecord::verify_member(&folder, sha256.as_deref())?;
                    let of_member = ClassifierRecord::read(&folder)?;
                    let is_plain = |member: &MemberRecord| !matches!(member, MemberRecord::Classifier { .. });
                    let same = (of_member.task, of_member.prompt.labels()) == (record.task, record.prompt.labels());
                    if !same || !of_member.members.iter().all(is_plain) {
                        let reason = String::from("a member has other labels, or members that are classifiers too");
                        return Err(Error::Damaged { path: folder, reason });
                    }
                    Self::read(&folder, of_member, models)?.into_member()?
                }
            });
        }
        if all.is_empty() {
            all.push(adapted(models)?);
        }
        let mixture = match record.weights.as_slice() {
            [] => Mixture::equal(1),
            weights => Mixture { weights: weights.to_vec() },
        };
        Ok(Self::of_members(Members { all, mixture }, record))
    }

    /// Writes the classifier folder: `classifier.json`, the PEFT adapter, a README that serves as model card, and the scores of probe texts.
    ///
    /// # Errors
    /// A folder that cannot be written, a classifier that was not trained. `classifier.json` comes last, so a folder that has it is whole.
    pub fn save(&self, folder: &Path) -> Result<(), Error> {
        let record = self.record.as_ref().ok_or(ModelError::NothingToTrain)?;
        saving::save(folder, record, (&self.members, &self.scoring))
    }

    /// Whether its labels are exclusive or independent.
    pub fn task(&self) -> Task {
        self.scoring.prompt.task()
    }

    /// Its labels, in the order of the probabilities; the last of two exclusive ones is the positive class.
    pub fn labels(&self) -> &LabelSet {
        self.scoring.prompt.labels()
    }

    /// What is asked of the model.
    pub fn prompt(&self) -> &Prompt {
        &self.scoring.prompt
    }

    /// Longest prompt, in tokens.
    pub fn max_tokens(&self) -> usize {
        self.scoring.max_tokens
    }

    /// What is done to the model's probabilities.
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// What makes decisions of probabilities.
    pub fn rule(&self) -> &DecisionRule {
        &self.rule
    }

    /// What is stored about a trained classifier.
    pub fn record(&self) -> Option<&ClassifierRecord> {
        self.record.as_ref()
    }

    /// Puts metrics on rows kept from the training into what is stored.
    pub fn set_metrics(&mut self, metrics: Evaluation) {
        if let Some(record) = &mut self.record {
            record.metrics = Some(metrics);
        }
    }

    /// The base model, without the adapter; of several members the first one's.
    pub fn base(&self) -> &BaseModel {
        self.members.first().base()
    }

    /// The base model with the adapter, to go on from texts.
    ///
    /// # Errors
    /// [`Error::NothingGenerates`] of a classifier without an adapter.
    pub fn into_generator(self) -> Result<Generator, Error> {
        let (base, scorer) = self.members.into_asked().ok_or(Error::NothingGenerates)?;
        Ok(Generator { base, scorer })
    }

    /// Every decoder that is asked, with its place among the members.
    pub(crate) fn adapted_decoders(&self) -> Vec<(usize, AdaptedDecoder<'_>)> {
        self.members.adapted_decoders(&self.scoring, (&self.calibration, &self.rule))
    }

    /// Whether it has more members than so many.
    pub(crate) fn has_more_than(&self, members: usize) -> bool {
        self.members.all.len() > members
    }

    /// What counts of a trained classifier as a member of another.
    fn into_member(self) -> Result<Member, Error> {
        let Self { members, scoring, record, .. } = self;
        let record = record.ok_or(ModelError::NothingToTrain)?;
        Ok(Member::Classifier(Box::new(MemberClassifier { members, scoring, record })))
    }

    /// Takes a classifier in as a further member, all of equal weight, with so many more to come.
    pub(crate) fn take_in(&mut self, member: Self, to_come: usize) -> Result<(), Error> {
        let record = self.record.as_mut().ok_or(ModelError::NothingToTrain)?;
        let of_member = member.record.as_ref().ok_or(ModelError::NothingToTrain)?;
        record.members.push(MemberRecord::Classifier {
            method: of_member.recipe.method,
            base_models: of_member.base_models(),
            sha256: None,
        });
        record.members_to_come = to_come;
        record.data.truncated_texts = record.data.truncated_texts.max(of_member.data.truncated_texts);
        self.members.all.push(member.into_member()?);
        self.members.mixture = Mixture::equal(record.members.len());
        record.weights = if record.members.len() > 1 { self.members.mixture.weights.clone() } else { Vec::new() };
        Ok(())
    }

    /// Calibrated probabilities and decision of each text, in order.
    ///
    /// # Errors
    /// A prompt that does not fit, weights that cannot be read, scores that are not finite.
    pub fn predict<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Vec<Prediction>, Error> {
        match (self.cascade, self.record.as_ref().and_then(|record| record.cascade.as_ref())) {
            (Some(point), Some(cascade)) => self.predict_in_turn(texts, &cascade.calibration, point.margin),
            _ => Ok(self.score(texts)?.into_iter().map(|text| self.prediction(&self.calibration, text)).collect()),
        }
    }

    fn prediction(&self, calibration: &Calibration, text: ScoredText) -> Prediction {
        let probabilities = calibration.apply(self.task(), &text.probabilities);
        let decision = self.rule.decide(self.task(), &probabilities);
        Prediction { probabilities, decision, truncated_characters: text.truncated_characters, members: text.members }
    }

    /// Lets the first member answer the texts that it is sure of.
    fn predict_in_turn<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        calibration: &Calibration,
        margin: f64,
    ) -> Result<Vec<Prediction>, Error> {
        let scored = self.members.first().score(&self.scoring, texts)?;
        let is_sure =
            |text: &ScoredText| self.rule.margin(self.task(), &calibration.apply(self.task(), &text.probabilities)) >= margin;
        let sure: Vec<bool> = scored.iter().map(is_sure).collect();
        let (mut firsts, mut asked, mut sure_ones) = (Vec::new(), Vec::new(), Vec::new());
        for ((text, scored), sure) in texts.iter().zip(scored).zip(&sure) {
            match sure {
                true => sure_ones.push(ScoredText { members: vec![scored.probabilities.clone()], ..scored }),
                false => {
                    asked.push(text.as_ref());
                    firsts.push(scored);
                }
            }
        }
        let mut others = self.members.score_after_first(&self.scoring, firsts, &asked)?.into_iter();
        let mut sure_ones = sure_ones.into_iter();
        let next = |sure: &bool| {
            let (calibration, of) = if *sure { (calibration, &mut sure_ones) } else { (&self.calibration, &mut others) };
            self.prediction(calibration, of.next().expect("every text is in one of the two"))
        };
        Ok(sure.iter().map(next).collect())
    }

    /// Predicts texts by whoever has answered another one, so that their probabilities can be compared with its.
    pub(crate) fn predict_by_the_same<T: AsRef<str> + Sync>(
        &self,
        other: &Prediction,
        texts: &[T],
    ) -> Result<Vec<Prediction>, Error> {
        let cascade = self.record.as_ref().and_then(|record| record.cascade.as_ref());
        let (calibration, scored) = match cascade.filter(|_| other.is_by_first_member()) {
            Some(cascade) => (&cascade.calibration, self.members.first().score(&self.scoring, texts)?),
            None => (&self.calibration, self.score(texts)?),
        };
        Ok(scored.into_iter().map(|text| self.prediction(calibration, text)).collect())
    }

    /// Lets the first member alone answer from now on where it is sure, as far as at most this share of the decisions changes.
    ///
    /// # Errors
    /// [`Error::NoCascade`] of a classifier whose cascade was not measured.
    pub fn answer_in_turn(&mut self, limit: f64) -> Result<CascadePoint, Error> {
        let measured = self.record.as_ref().and_then(|record| record.cascade.as_ref()).ok_or(Error::NoCascade)?;
        let point = *measured.within(limit).ok_or(Error::NoCascade)?;
        self.cascade = Some(point);
        Ok(point)
    }

    /// The model's probabilities of each text as they are.
    pub(crate) fn score<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Vec<ScoredText>, Error> {
        self.members.score(&self.scoring, texts)
    }

    /// Predicts rows with known labels, and what comes of it.
    ///
    /// # Errors
    /// As [`AgileClassifier::predict`]; no rows; data with other labels.
    pub fn evaluate(&self, data: &Dataset) -> Result<ScoredDataset, Error> {
        self.check_labels(data)?;
        let begun = Instant::now();
        let predictions = self.predict(&data.texts)?;
        let evaluation = Evaluation::of(&predictions, data.truth(), &self.rule, begun.elapsed().as_secs_f64())?;
        Ok(ScoredDataset { predictions, evaluation })
    }

    fn check_labels(&self, data: &Dataset) -> Result<(), Error> {
        if (self.task(), self.labels()) == (data.task, &data.labels) {
            return Ok(());
        }
        Err(Error::OtherLabels { first: Names(self.labels().names().to_vec()), second: Names(data.labels.names().to_vec()) })
    }
}

impl Dataset {
    /// What is true of the rows.
    pub fn truth(&self) -> Truth<'_> {
        Truth { task: self.task, labels: &self.labels, truth: &self.truth }
    }
}
