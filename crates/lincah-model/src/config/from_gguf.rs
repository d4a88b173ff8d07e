//! From the metadata of a GGUF file, with the key names and defaults of llama.cpp.

use super::family::Family;
use super::{
    Activation, BackboneConfig, ConfigError, LayerConfig, MAX_HEAD_DIMENSION, MAX_HEADS, MAX_LAYERS, MAX_SIZE, RopeConfig,
    RopeScaling,
};
use crate::gguf::{GgufFile, MetadataValue};

/// What the metadata says of the model and of how its tensors are laid out.
#[derive(Debug)]
pub(crate) struct GgufModel {
    pub(crate) config: BackboneConfig,
    /// Whether the rows of the query and key projections are stored with the two halves of every head interleaved.
    pub(crate) interleaved_query_key: bool,
}

/// Keys that change the computation where they hold anything but 0 or 1.
const UNSUPPORTED_UNLESS_NEUTRAL: [&str; 7] = [
    "expert_count",
    "logit_scale",
    "residual_scale",
    "embedding_scale",
    "attention.clamp_kqv",
    "attention.output_scale",
    "rope.scaling.attn_factor",
];

/// Resolves the metadata of an open file.
///
/// # Errors
/// If a key is missing or of the wrong type, or asks for something that is not supported.
pub(crate) fn from_gguf(file: &GgufFile) -> Result<GgufModel, ConfigError> {
    let keys = Keys::new(file)?;
    let family = keys.family;
    keys.refuse_what_is_not_computed()?;
    let hidden_size = keys.size("embedding_length", MAX_SIZE)?;
    let layer_count = keys.size("block_count", MAX_LAYERS)?;
    let head_count = keys.size("attention.head_count", MAX_HEADS)?;
    let head_dimension = keys.head_dimension(hidden_size, head_count)?;
    let soft_cap = |name, default| Ok::<_, ConfigError>(keys.positive(name)?.or(default));
    let (attention_soft_cap, final_soft_cap) = match family {
        Family::Gemma2 => (soft_cap("attn_logit_softcapping", Some(50.0))?, soft_cap("final_logit_softcapping", Some(30.0))?),
        Family::Gemma3 => (None, soft_cap("final_logit_softcapping", None)?),
        _ => (None, None),
    };
    let config = BackboneConfig {
        family,
        vocabulary_size: keys.vocabulary_size()?,
        hidden_size,
        intermediate_size: keys.size("feed_forward_length", MAX_SIZE)?,
        head_count,
        key_value_head_count: keys.optional_size("attention.head_count_kv", MAX_HEADS)?.unwrap_or(head_count),
        head_dimension,
        max_positions: keys.size("context_length", MAX_SIZE)?,
        norm_epsilon: keys.needed_positive("attention.layer_norm_rms_epsilon")?,
        norm_offset: 0.0,
        embedding_scale: family.embedding_scale(hidden_size),
        residual_multiplier: 1.0,
        query_key_value_bias: family == Family::Qwen2,
        output_bias: false,
        mlp_bias: false,
        query_key_norm: family.query_key_norm(),
        pre_norms: family.pre_norms(),
        post_norms: family.post_norms(),
        fused_projections: false,
        attention_scale: keys.attention_scale(hidden_size, head_count, head_dimension, layer_count)?,
        attention_soft_cap,
        final_soft_cap,
        logit_scale: 1.0,
        activation: if family.is_gemma() { Activation::GeluTanh } else { Activation::Silu },
        tied_head: file.tensor("output.weight").is_none(),
        layers: keys.layers(layer_count, head_dimension)?,
    };
    Ok(GgufModel { config: config.checked(file.path())?, interleaved_query_key: family.is_interleaved_in_gguf() })
}

/// The keys below the architecture's name.
struct Keys<'a> {
    file: &'a GgufFile,
    architecture: &'a str,
    family: Family,
}

impl<'a> Keys<'a> {
    fn new(file: &'a GgufFile) -> Result<Self, ConfigError> {
        if let Some(kind) = file.text("general.type")?.filter(|kind| *kind != "model") {
            return Err(unsupported(file, "general.type", kind, "model"));
        }
        if let Some(count) = file.unsigned("split.count")?.filter(|count| *count > 1) {
            let supported = "a model in one file (join the parts with llama-gguf-split --merge)";
            return Err(unsupported(file, "split.count", &count.to_string(), supported));
        }
        let key = "general.architecture";
        let architecture = file.text(key)?.ok_or_else(|| file.missing(key))?;
        let family =
            Family::from_architecture(architecture).ok_or_else(|| unsupported(file, key, architecture, Family::ARCHITECTURES))?;
        Ok(Self { file, architecture, family })
    }

    fn name(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    fn optional_size(&self, name: &str, largest: usize) -> Result<Option<usize>, ConfigError> {
        let key = self.name(name);
        let Some(number) = self.file.unsigned(&key)? else { return Ok(None) };
        if number == 0 || number > largest as u64 {
            return Err(self.out_of_range(key, number.to_string(), format!("1 to {largest}")));
        }
        Ok(Some(number as usize))
    }

    fn size(&self, name: &str, largest: usize) -> Result<usize, ConfigError> {
        self.optional_size(name, largest)?.ok_or_else(|| self.file.missing(&self.name(name)).into())
    }

    fn positive(&self, name: &str) -> Result<Option<f32>, ConfigError> {
        let key = self.name(name);
        let Some(number) = self.file.float(&key)? else { return Ok(None) };
        if !(number as f32 > 0.0 && (number as f32).is_finite()) {
            return Err(self.out_of_range(key, number.to_string(), "any number above 0".into()));
        }
        Ok(Some(number as f32))
    }

    fn needed_positive(&self, name: &str) -> Result<f32, ConfigError> {
        self.positive(name)?.ok_or_else(|| self.file.missing(&self.name(name)).into())
    }

    fn out_of_range(&self, field: String, found: String, possible: String) -> ConfigError {
        ConfigError::OutOfRange { path: self.file.path().to_owned(), field, found, possible }
    }

    fn inconsistent(&self, problem: String) -> ConfigError {
        ConfigError::Inconsistent { path: self.file.path().to_owned(), problem }
    }

    fn refuse_what_is_not_computed(&self) -> Result<(), ConfigError> {
        for name in UNSUPPORTED_UNLESS_NEUTRAL {
            let key = self.name(name);
            let found = match self.file.metadata(&key) {
                None | Some(MetadataValue::Unsigned(0)) => continue,
                Some(MetadataValue::Float(number)) if *number == 0.0 || *number == 1.0 => continue,
                Some(other) => format!("{other:?}"),
            };
            return Err(unsupported(self.file, &key, &found, "a dense model without this key"));
        }
        let key = self.name("attention.causal");
        if self.file.boolean(&key)? == Some(false) {
            return Err(unsupported(self.file, &key, "false", "true"));
        }
        Ok(())
    }

    /// The rows of the embedding, which the metadata may not contradict.
    fn vocabulary_size(&self) -> Result<usize, ConfigError> {
        let rows = match self.file.tensor("token_embd.weight").map(|tensor| tensor.shape()) {
            Some([rows, _]) if *rows <= MAX_SIZE => *rows,
            _ => return Err(self.inconsistent("there is no matrix `token_embd.weight` to take the vocabulary size from".into())),
        };
        match self.optional_size("vocab_size", MAX_SIZE)? {
            Some(size) if size != rows => {
                let key = self.name("vocab_size");
                Err(self.inconsistent(format!("`{key}` is {size} and `token_embd.weight` has {rows} rows")))
            }
            _ => Ok(rows),
        }
    }

    fn head_dimension(&self, hidden_size: usize, head_count: usize) -> Result<usize, ConfigError> {
        let head_dimension = match self.optional_size("attention.key_length", MAX_HEAD_DIMENSION)? {
            Some(length) => length,
            None if hidden_size.is_multiple_of(head_count) => hidden_size / head_count,
            None => {
                let key = self.name("attention.key_length");
                let problem =
                    format!("an embedding length of {hidden_size} is no multiple of {head_count} heads and `{key}` is missing");
                return Err(self.inconsistent(problem));
            }
        };
        for name in ["attention.value_length", "rope.dimension_count"] {
            if let Some(length) = self.optional_size(name, MAX_HEAD_DIMENSION)?.filter(|length| *length != head_dimension) {
                let supported = format!("{head_dimension}, the length of a key");
                return Err(unsupported(self.file, &self.name(name), &length.to_string(), &supported));
            }
        }
        Ok(head_dimension)
    }

    /// GGUF has no `query_pre_attn_scalar`: as in llama.cpp, the two models whose scalar is `hidden / heads` are known by their depth.
    fn attention_scale(&self, hidden: usize, heads: usize, head_dimension: usize, layers: usize) -> Result<f32, ConfigError> {
        if let Some(scale) = self.positive("attention.scale")? {
            return Ok(scale);
        }
        let scalar = match (self.family, layers) {
            (Family::Gemma2, 46) | (Family::Gemma3, 62) => hidden / heads,
            _ => head_dimension,
        };
        Ok((scalar as f64).powf(-0.5) as f32)
    }

    fn layers(&self, layer_count: usize, head_dimension: usize) -> Result<Vec<LayerConfig>, ConfigError> {
        let full = self.rope(head_dimension)?;
        let (window, period, sliding) = match self.family {
            Family::Gemma2 => (self.optional_size("attention.sliding_window", MAX_SIZE)?.unwrap_or(4096), 2, full.clone()),
            Family::Gemma3 => {
                let base = self.positive("rope.freq_base_swa")?.unwrap_or(10_000.0);
                let period = self.optional_size("attention.sliding_window_pattern", MAX_LAYERS)?.unwrap_or(6);
                (self.size("attention.sliding_window", MAX_SIZE)?, period, RopeConfig { base, scaling: RopeScaling::None })
            }
            _ => {
                self.refuse_window()?;
                return Ok(vec![LayerConfig { window: None, rope: Some(full) }; layer_count]);
            }
        };
        let layer = |index: usize| match (index + 1) % period {
            0 => LayerConfig { window: None, rope: Some(full.clone()) },
            _ => LayerConfig { window: Some(window), rope: Some(sliding.clone()) },
        };
        Ok((0..layer_count).map(layer).collect())
    }

    /// A window that is written for a family whose windows llama.cpp ignores; one as long as the context changes nothing.
    fn refuse_window(&self) -> Result<(), ConfigError> {
        let key = self.name("attention.sliding_window");
        let context = self.size("context_length", MAX_SIZE)? as u64;
        match self.file.unsigned(&key)? {
            Some(window) if window > 0 && window < context => {
                Err(unsupported(self.file, &key, &window.to_string(), "full attention for this architecture"))
            }
            _ => Ok(()),
        }
    }

    fn rope(&self, head_dimension: usize) -> Result<RopeConfig, ConfigError> {
        let base = match self.family {
            Family::Gemma3 => self.needed_positive("rope.freq_base")?,
            _ => self.positive("rope.freq_base")?.unwrap_or(10_000.0),
        };
        let key = self.name("rope.scaling.type");
        let linear = match self.file.text(&key)? {
            Some("none") => None,
            None | Some("linear") => {
                let factor = match self.positive("rope.scaling.factor")? {
                    None => self.positive("rope.scale_linear")?,
                    factor => factor,
                };
                factor.filter(|factor| *factor != 1.0)
            }
            Some(other) => return Err(unsupported(self.file, &key, other, "none, linear")),
        };
        let scaling = match (linear, self.rope_factors(head_dimension)?) {
            (None, None) => RopeScaling::None,
            (Some(factor), None) => RopeScaling::Linear { factor },
            (None, Some(factors)) => RopeScaling::PerFrequency { factors },
            (Some(_), Some(_)) => {
                return Err(self.inconsistent("both a linear RoPE scaling and `rope_freqs.weight` are given".into()));
            }
        };
        Ok(RopeConfig { base, scaling })
    }

    /// The tensor that holds one divisor for each frequency: Llama 3.1's scaling, written out by the converter.
    fn rope_factors(&self, head_dimension: usize) -> Result<Option<Vec<f32>>, ConfigError> {
        let name = "rope_freqs.weight";
        let Some(tensor) = self.file.tensor(name).filter(|_| self.family == Family::Llama) else { return Ok(None) };
        if tensor.shape() != [head_dimension / 2] {
            let problem = format!("tensor `{name}` has shape {:?}, expected [{}]", tensor.shape(), head_dimension / 2);
            return Err(self.inconsistent(problem));
        }
        let factors = self.file.read_rows(tensor, 0..1)?;
        if !factors.iter().all(|factor| *factor > 0.0 && factor.is_finite()) {
            return Err(self.inconsistent(format!("tensor `{name}` has a factor that is not a number above 0")));
        }
        Ok(Some(factors))
    }
}

fn unsupported(file: &GgufFile, field: &str, found: &str, supported: &str) -> ConfigError {
    ConfigError::Unsupported {
        path: file.path().to_owned(),
        field: field.into(),
        found: found.into(),
        supported: supported.into(),
    }
}
