//! A frozen model with its tokenizer, by name or path: a decoder, or an encoder.

use crate::error::Error;
use crate::hub;
use crate::prompt::{PromptEncoder, WhiteSpace};
use crate::state_memory::StateMemory;
use crate::tokenizer::Tokenizer;
use lincah_model::weights::{EncoderFiles, ModelFiles, TokenizerSource};
use lincah_model::{ComputeOptions, Device, LanguageModel, OperationTime, Precision, SentenceEncoder};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the choice of a recipe looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelSizes {
    /// Numbers of a token's hidden state.
    pub hidden_size: usize,
    /// Layers.
    pub layers: usize,
}

/// A language model or an encoder, and its tokenizer. It is a handle: its copies share one set of weights, which nothing changes, and any number of
/// classifiers and trainings use it at the same time.
#[derive(Clone)]
pub struct BaseModel {
    opened: Arc<Opened>,
    states: Option<Arc<StateMemory>>,
}

struct Opened {
    /// As the user named it: a catalogue name or a path.
    name: String,
    path: PathBuf,
    compute: ComputeOptions,
    tokenizer: Tokenizer,
    model: Model,
}

enum Model {
    Decoder(Arc<ModelFiles>, Arc<dyn LanguageModel>),
    Encoder(Arc<EncoderFiles>, Arc<dyn SentenceEncoder>),
}

/// The files of a model that is not loaded.
enum Files {
    Decoder(ModelFiles),
    Encoder(EncoderFiles),
}

impl Files {
    fn open(path: &Path) -> Result<Self, Error> {
        Ok(match path.is_dir() && EncoderFiles::are_in(path) {
            true => Self::Encoder(EncoderFiles::open(path)?),
            false => Self::Decoder(ModelFiles::open(path)?),
        })
    }

    fn tokenizer(&self, path: &Path) -> Result<Tokenizer, Error> {
        Ok(match self {
            Self::Encoder(_) => Tokenizer::from_folder(path)?,
            Self::Decoder(files) => match files.tokenizer_source() {
                TokenizerSource::File(file) => Tokenizer::from_folder(file.parent().unwrap_or(Path::new(".")))?,
                TokenizerSource::Gguf(file) => Tokenizer::from_gguf(file)?,
            },
        })
    }
}

impl std::fmt::Debug for BaseModel {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("BaseModel")
            .field("name", &self.opened.name)
            .field("path", &self.opened.path)
            .finish_non_exhaustive()
    }
}

impl BaseModel {
    /// Opens a model by catalogue name (which must have been pulled), by the path of a Hugging Face folder, or of a GGUF file. Whether it is
    /// a decoder or an encoder, its configuration says.
    ///
    /// # Errors
    /// A model that is not there, of an unknown architecture, or damaged.
    pub fn open(name: &str, compute: impl Into<ComputeOptions>) -> Result<Self, Error> {
        let (path, compute) = (hub::resolve(name)?, compute.into());
        let files = Files::open(&path)?;
        let tokenizer = files.tokenizer(&path)?;
        let model = match files {
            Files::Decoder(files) => {
                let files = Arc::new(files);
                Model::Decoder(files.clone(), lincah_model::load(files, compute)?)
            }
            Files::Encoder(files) => {
                let files = Arc::new(files);
                Model::Encoder(files.clone(), lincah_model::load_encoder(files, compute)?)
            }
        };
        Ok(Self { opened: Arc::new(Opened { name: name.to_string(), path, compute, tokenizer, model }), states: None })
    }

    /// The same model, which remembers what it makes of texts for probes: where texts are read again, by a further training or by a classifier
    /// that came of one, only those that are new cost a pass. It remembers up to 512 MiB; what does not fit is read each time. On the processor
    /// the numbers are the same bits.
    #[must_use]
    pub fn remembering_states(&self) -> Self {
        Self { opened: self.opened.clone(), states: Some(Arc::default()) }
    }

    /// What it made of texts, if it remembers that.
    pub(crate) fn state_memory(&self) -> Option<&StateMemory> {
        self.states.as_deref()
    }

    /// The same model opened elsewhere.
    ///
    /// # Errors
    /// As [`BaseModel::open`].
    pub(crate) fn on(&self, compute: ComputeOptions) -> Result<Self, Error> {
        Self::open(self.name(), compute)
    }

    /// Where and how it computes.
    pub(crate) fn compute(&self) -> ComputeOptions {
        self.opened.compute
    }

    /// The sizes of a model named as in [`BaseModel::open`], whose weights are not read for it.
    ///
    /// # Errors
    /// As [`BaseModel::open`].
    pub fn sizes_of(name: &str) -> Result<ModelSizes, Error> {
        Ok(match Files::open(&hub::resolve(name)?)? {
            Files::Decoder(files) => {
                ModelSizes { hidden_size: files.config().hidden_size(), layers: files.config().layer_count() }
            }
            Files::Encoder(files) => {
                ModelSizes { hidden_size: files.config().hidden_size(), layers: files.config().layer_count() }
            }
        })
    }

    /// Whether a model named as in [`BaseModel::open`] is an encoder, which is read by probes and never asked.
    ///
    /// # Errors
    /// As [`BaseModel::open`].
    pub fn is_encoder(name: &str) -> Result<bool, Error> {
        Ok(matches!(Files::open(&hub::resolve(name)?)?, Files::Encoder(_)))
    }

    /// The tokenizer of a model named as in [`BaseModel::open`], whose weights are not read for it.
    ///
    /// # Errors
    /// As [`BaseModel::open`].
    pub fn tokenizer_of(name: &str) -> Result<Tokenizer, Error> {
        let path = hub::resolve(name)?;
        Files::open(&path)?.tokenizer(&path)
    }

    /// As the user named it.
    pub fn name(&self) -> &str {
        &self.opened.name
    }

    /// Where its files are.
    pub fn path(&self) -> &Path {
        &self.opened.path
    }

    /// Its tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.opened.tokenizer
    }

    /// Its sizes.
    pub fn sizes(&self) -> ModelSizes {
        match &self.opened.model {
            Model::Decoder(files, _) => {
                ModelSizes { hidden_size: files.config().hidden_size(), layers: files.config().layer_count() }
            }
            Model::Encoder(files, _) => {
                ModelSizes { hidden_size: files.config().hidden_size(), layers: files.config().layer_count() }
            }
        }
    }

    /// Where it computes; never [`Device::Auto`].
    pub fn device(&self) -> Device {
        match &self.opened.model {
            Model::Decoder(_, model) => model.device(),
            Model::Encoder(_, encoder) => encoder.device(),
        }
    }

    /// How its weights and products are kept.
    pub fn precision(&self) -> Precision {
        match &self.opened.model {
            Model::Decoder(_, model) => model.precision(),
            Model::Encoder(_, encoder) => encoder.precision(),
        }
    }

    /// SHA-256 of its weights.
    pub fn weights_fingerprint(&self) -> &str {
        match &self.opened.model {
            Model::Decoder(files, _) => files.weights().fingerprint(),
            Model::Encoder(files, _) => files.weights().fingerprint(),
        }
    }

    /// What each operation took since this was last asked, by name; nothing unless [`ComputeOptions::profile`] was set, or on a GPU.
    pub fn take_operation_times(&self) -> BTreeMap<&'static str, OperationTime> {
        match &self.opened.model {
            Model::Decoder(_, model) => model.take_times(),
            Model::Encoder(..) => BTreeMap::new(),
        }
    }

    /// The decoder.
    ///
    /// # Errors
    /// [`Error::NotADecoder`] if it is an encoder.
    pub(crate) fn language_model(&self) -> Result<&dyn LanguageModel, Error> {
        match &self.opened.model {
            Model::Decoder(_, model) => Ok(model.as_ref()),
            Model::Encoder(..) => Err(Error::NotADecoder { name: self.opened.name.clone() }),
        }
    }

    /// The decoder's files.
    ///
    /// # Errors
    /// [`Error::NotADecoder`] if it is an encoder.
    pub(crate) fn model_files(&self) -> Result<&ModelFiles, Error> {
        match &self.opened.model {
            Model::Decoder(files, _) => Ok(files),
            Model::Encoder(..) => Err(Error::NotADecoder { name: self.opened.name.clone() }),
        }
    }

    /// An encoder's embedding of each text, which is truncated to the tokens that it was made for. # Shapes: result `[texts][D]`.
    ///
    /// # Errors
    /// [`Error::NotAnEncoder`] if it is a decoder; texts that cannot be encoded.
    pub fn embed<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Vec<Vec<f32>>, Error> {
        let encoder = self.encoder().ok_or_else(|| Error::NotAnEncoder { name: self.opened.name.clone() })?;
        let config = encoder.config();
        let texts = PromptEncoder::text_alone(self.tokenizer(), WhiteSpace::Keep, config.max_tokens())?.encode_batch(texts)?;
        let tokens: Vec<&[u32]> = texts.iter().map(|text| text.prompts[0].as_slice()).collect();
        Ok(encoder.embed(&tokens)?.chunks_exact(config.hidden_size()).map(<[f32]>::to_vec).collect())
    }

    /// The encoder, if it is one.
    pub(crate) fn encoder(&self) -> Option<&dyn SentenceEncoder> {
        match &self.opened.model {
            Model::Decoder(..) => None,
            Model::Encoder(_, encoder) => Some(encoder.as_ref()),
        }
    }
}
