//! The frozen model with its tokenizer, by name or path.

use crate::error::Error;
use crate::hub;
use crate::prompt::EncodedPrompt;
use crate::tokenizer::Tokenizer;
use lincah_model::weights::{ModelFiles, TokenizerSource};
use lincah_model::{Compute, LanguageModel, TokenBatch};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most rows that are scored in one batch; a longer text is a batch of its own.
const ROWS_PER_BATCH: usize = 1024;

/// What the choice of a recipe looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelSizes {
    /// Numbers of a token's hidden state.
    pub hidden_size: usize,
    /// Decoder layers.
    pub layers: usize,
}

/// A language model and its tokenizer, ready to score and to train.
pub struct BaseModel {
    /// As the user named it: a catalogue name or a path.
    name: String,
    path: PathBuf,
    files: Arc<ModelFiles>,
    tokenizer: Tokenizer,
    model: Box<dyn LanguageModel>,
}

impl std::fmt::Debug for BaseModel {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("BaseModel").field("name", &self.name).field("path", &self.path).finish_non_exhaustive()
    }
}

impl BaseModel {
    /// Opens a model by catalogue name (which must have been pulled), by the path of a Hugging Face folder, or of a GGUF file.
    ///
    /// # Errors
    /// A model that is not there, of an unknown architecture, or damaged.
    pub fn open(name: &str, compute: impl Into<Compute>) -> Result<Self, Error> {
        let path = hub::resolve(name)?;
        let files = Arc::new(ModelFiles::open(&path)?);
        let tokenizer = match files.tokenizer_source() {
            TokenizerSource::File(file) => Tokenizer::from_folder(file.parent().unwrap_or(Path::new(".")))?,
            TokenizerSource::Gguf(file) => Tokenizer::from_gguf(file)?,
        };
        let model = lincah_model::load(files.clone(), compute.into())?;
        Ok(Self { name: name.to_string(), path, files, tokenizer, model })
    }

    /// The sizes of a model named as in [`BaseModel::open`], whose weights are not read for it.
    ///
    /// # Errors
    /// As [`BaseModel::open`].
    pub fn sizes_of(name: &str) -> Result<ModelSizes, Error> {
        let files = ModelFiles::open(&hub::resolve(name)?)?;
        Ok(ModelSizes { hidden_size: files.config().hidden_size(), layers: files.config().layer_count() })
    }

    /// As the user named it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its files are.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// SHA-256 of its weights.
    pub fn weights_fingerprint(&self) -> &str {
        self.files.weights().fingerprint()
    }

    /// The transformer.
    pub fn model(&self) -> &dyn LanguageModel {
        self.model.as_ref()
    }

    /// The transformer, to be trained.
    pub fn model_mut(&mut self) -> &mut dyn LanguageModel {
        self.model.as_mut()
    }

    /// Softmax of the logits of the tokens `candidates` at each prompt's end, in the order of the prompts.
    ///
    /// Prompts of like length are scored together; what a prompt gets does not depend on the others.
    ///
    /// # Errors
    /// As [`LanguageModel::score`].
    pub fn probabilities(&self, prompts: &[EncodedPrompt], candidates: &[u32]) -> Result<Vec<Vec<f64>>, Error> {
        let mut order: Vec<usize> = (0..prompts.len()).collect();
        order.sort_by_key(|&index| prompts[index].tokens.len());
        let mut probabilities = vec![Vec::new(); prompts.len()];
        let mut rest = order.as_slice();
        while !rest.is_empty() {
            let mut rows = 0;
            let fitting = rest.iter().take_while(|&&index| {
                rows += prompts[index].tokens.len();
                rows <= ROWS_PER_BATCH
            });
            let (batch, after) = rest.split_at(fitting.count().max(1));
            let texts: Vec<&[u32]> = batch.iter().map(|&index| prompts[index].tokens.as_slice()).collect();
            let logits = self.model.score(&TokenBatch::new(&texts), candidates)?;
            for (&index, logits) in batch.iter().zip(logits.chunks_exact(candidates.len())) {
                probabilities[index] = softmax(logits);
            }
            rest = after;
        }
        Ok(probabilities)
    }

    /// The same for groups of prompts that begin alike, such as the questions about one text: a group is a batch, and what its prompts
    /// share is computed once.
    ///
    /// # Errors
    /// As [`LanguageModel::score`].
    pub fn group_probabilities(&self, groups: &[&[EncodedPrompt]], candidates: &[u32]) -> Result<Vec<Vec<Vec<f64>>>, Error> {
        let score = |group: &&[EncodedPrompt]| {
            let prompts: Vec<&[u32]> = group.iter().map(|prompt| prompt.tokens.as_slice()).collect();
            let logits = self.model.score(&TokenBatch::new(&prompts), candidates)?;
            Ok(logits.chunks_exact(candidates.len()).map(softmax).collect())
        };
        groups.iter().map(score).collect()
    }
}

/// `e^(x_i - max) / Σ e^(x_j - max)`, in f64.
fn softmax(logits: &[f32]) -> Vec<f64> {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = logits.iter().map(|&logit| f64::from(logit - highest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}
