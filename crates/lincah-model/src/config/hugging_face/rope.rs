//! RoPE as config.json spells it: `rope_theta` with `rope_scaling`, or `rope_parameters`, flat or one object for each layer type.

use super::fields::Fields;
use crate::config::{ConfigError, MAX_SIZE, RopeConfig, RopeScaling};

/// The position encodings of the two kinds of layers.
pub(super) struct Ropes {
    pub(super) full: RopeConfig,
    pub(super) sliding: RopeConfig,
}

const LAYER_TYPES: [&str; 2] = ["full_attention", "sliding_attention"];

/// Resolves both kinds, with the family's base where none is given; `by_layer_type` for models whose sliding layers have one of their own.
pub(super) fn resolve(
    by_layer_type: bool,
    fields: &Fields,
    default_base: f64,
    max_positions: usize,
) -> Result<Ropes, ConfigError> {
    let scaling = fields.object("rope_scaling")?;
    let parameters = fields.object("rope_parameters")?;
    let base = fields.positive("rope_theta")?.unwrap_or(default_base);
    if by_layer_type {
        return resolve_by_layer_type(fields, [scaling, parameters], base, max_positions);
    }
    let parameters = scaling.or(parameters);
    if let Some(parameters) = &parameters
        && let Some(layer_type) = LAYER_TYPES.iter().find(|layer_type| parameters.has(layer_type))
    {
        return Err(parameters.unsupported(layer_type, "one set of RoPE parameters for all layers of this model type"));
    }
    let full = one(fields, parameters.as_ref(), base, max_positions)?;
    Ok(Ropes { sliding: full.clone(), full })
}

fn resolve_by_layer_type(
    fields: &Fields,
    [scaling, parameters]: [Option<Fields>; 2],
    base: f64,
    max_positions: usize,
) -> Result<Ropes, ConfigError> {
    let [full, sliding] = match &parameters {
        None => [None, None],
        Some(parameters) => LAYER_TYPES.map(|layer_type| parameters.object(layer_type).transpose()),
    };
    let (full, sliding) = (full.transpose()?, sliding.transpose()?);
    if let Some(parameters) = &parameters
        && full.is_none()
        && sliding.is_none()
        && let Some(field) = ["rope_type", "type", "rope_theta", "factor"].iter().find(|field| parameters.has(field))
    {
        return Err(parameters.unsupported(field, "one object for full_attention and one for sliding_attention"));
    }
    if let (Some(scaling), Some(_)) = (&scaling, &full) {
        return Err(scaling.inconsistent("`rope_scaling` and `rope_parameters.full_attention` are both given".into()));
    }
    let local_base = fields.positive("rope_local_base_freq")?.unwrap_or(10_000.0);
    Ok(Ropes {
        full: one(fields, full.or(scaling).as_ref(), base, max_positions)?,
        sliding: one(fields, sliding.as_ref(), local_base, max_positions)?,
    })
}

/// One set of parameters; `base` where they do not say it.
fn one(outer: &Fields, parameters: Option<&Fields>, base: f64, max_positions: usize) -> Result<RopeConfig, ConfigError> {
    let Some(fields) = parameters else { return Ok(RopeConfig { base: base as f32, scaling: RopeScaling::None }) };
    let base = fields.positive("rope_theta")?.unwrap_or(base) as f32;
    if fields.positive("partial_rotary_factor")?.is_some_and(|factor| factor != 1.0) {
        return Err(fields.unsupported("partial_rotary_factor", "1"));
    }
    let type_field = if fields.has("rope_type") { "rope_type" } else { "type" };
    let needed = |field| Ok::<_, ConfigError>(fields.positive(field)?.ok_or_else(|| fields.missing(field))? as f32);
    let scaling = match fields.text(type_field)?.unwrap_or("default") {
        "default" => RopeScaling::None,
        "linear" => RopeScaling::Linear { factor: needed("factor")? },
        "llama3" => {
            let low_frequency_factor = needed("low_freq_factor")?;
            let high_frequency_factor = needed("high_freq_factor")?;
            if low_frequency_factor >= high_frequency_factor {
                return Err(fields.inconsistent("`low_freq_factor` is not below `high_freq_factor`".into()));
            }
            let original = "original_max_position_embeddings";
            let original = outer.size(original, MAX_SIZE)?.or(fields.size(original, MAX_SIZE)?);
            RopeScaling::Llama3 {
                factor: needed("factor")?,
                low_frequency_factor,
                high_frequency_factor,
                original_max_positions: original.unwrap_or(max_positions),
            }
        }
        _ => return Err(fields.unsupported(type_field, "default, linear, llama3")),
    };
    Ok(RopeConfig { base, scaling })
}
