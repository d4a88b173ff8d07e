//! The frozen model with its tokenizer, by name or path.

use crate::error::Error;
use crate::hub;
use crate::tokenizer::Tokenizer;
use lincah_model::weights::{ModelFiles, TokenizerSource};
use lincah_model::{ComputeOptions, Device, LanguageModel, OperationTime, Precision};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the choice of a recipe looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelSizes {
    /// Numbers of a token's hidden state.
    pub hidden_size: usize,
    /// Decoder layers.
    pub layers: usize,
}

/// A language model and its tokenizer. It is a handle: its copies share one set of weights, which nothing changes, and any number of
/// classifiers and trainings use it at the same time.
#[derive(Clone)]
pub struct BaseModel(Arc<Opened>);

struct Opened {
    /// As the user named it: a catalogue name or a path.
    name: String,
    path: PathBuf,
    files: Arc<ModelFiles>,
    tokenizer: Tokenizer,
    model: Arc<dyn LanguageModel>,
}

impl std::fmt::Debug for BaseModel {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("BaseModel").field("name", &self.0.name).field("path", &self.0.path).finish_non_exhaustive()
    }
}

impl BaseModel {
    /// Opens a model by catalogue name (which must have been pulled), by the path of a Hugging Face folder, or of a GGUF file.
    ///
    /// # Errors
    /// A model that is not there, of an unknown architecture, or damaged.
    pub fn open(name: &str, compute: impl Into<ComputeOptions>) -> Result<Self, Error> {
        let path = hub::resolve(name)?;
        let files = Arc::new(ModelFiles::open(&path)?);
        let tokenizer = read_tokenizer(&files)?;
        let model = lincah_model::load(files.clone(), compute.into())?;
        Ok(Self(Arc::new(Opened { name: name.to_string(), path, files, tokenizer, model })))
    }

    /// The sizes of a model named as in [`BaseModel::open`], whose weights are not read for it.
    ///
    /// # Errors
    /// As [`BaseModel::open`].
    pub fn sizes_of(name: &str) -> Result<ModelSizes, Error> {
        let files = ModelFiles::open(&hub::resolve(name)?)?;
        Ok(ModelSizes { hidden_size: files.config().hidden_size(), layers: files.config().layer_count() })
    }

    /// The tokenizer of a model named as in [`BaseModel::open`], whose weights are not read for it.
    ///
    /// # Errors
    /// As [`BaseModel::open`].
    pub fn tokenizer_of(name: &str) -> Result<Tokenizer, Error> {
        read_tokenizer(&ModelFiles::open(&hub::resolve(name)?)?)
    }

    /// As the user named it.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Where its files are.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Its tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.0.tokenizer
    }

    /// Its sizes.
    pub fn sizes(&self) -> ModelSizes {
        let config = self.0.model.config();
        ModelSizes { hidden_size: config.hidden_size(), layers: config.layer_count() }
    }

    /// Where it computes; never [`Device::Auto`].
    pub fn device(&self) -> Device {
        self.0.model.device()
    }

    /// How its weights and products are kept.
    pub fn precision(&self) -> Precision {
        self.0.model.precision()
    }

    /// SHA-256 of its weights.
    pub fn weights_fingerprint(&self) -> &str {
        self.0.files.weights().fingerprint()
    }

    /// What each operation took since this was last asked, by name; nothing unless [`ComputeOptions::profile`] was set, or on a GPU.
    pub fn take_operation_times(&self) -> BTreeMap<&'static str, OperationTime> {
        self.0.model.take_times()
    }

    pub(crate) fn language_model(&self) -> &dyn LanguageModel {
        self.0.model.as_ref()
    }
}

fn read_tokenizer(files: &ModelFiles) -> Result<Tokenizer, Error> {
    Ok(match files.tokenizer_source() {
        TokenizerSource::File(file) => Tokenizer::from_folder(file.parent().unwrap_or(Path::new(".")))?,
        TokenizerSource::Gguf(file) => Tokenizer::from_gguf(file)?,
    })
}
