//! What PEFT's `adapter_config.json` says, read strictly: what lincah does not compute is refused, and so is what has another type.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use super::{AdapterError, AdapterTensor, FUSED, LoraConfig, LoraLayout, Target};

/// What changes the computation unless it is false.
const FLAGS: [&str; 4] = ["use_dora", "fan_in_fan_out", "lora_bias", "use_qalora"];
/// What changes the computation unless it is absent or empty.
const NOT_COMPUTED: [&str; 5] =
    ["rank_pattern", "alpha_pattern", "layer_replication", "trainable_token_indices", "alora_invocation_tokens"];

/// Characters of a value that a message shows.
const SHOWN: usize = 100;

/// The object of an `adapter_config.json`. A field that is null counts as absent.
pub(super) struct ConfigFile<'a> {
    pub path: &'a Path,
    pub json: &'a Map<String, Value>,
}

impl ConfigFile<'_> {
    /// The configuration; `tensors` say which projections a pattern means.
    pub fn resolve(&self, tensors: &BTreeMap<String, AdapterTensor>) -> Result<LoraConfig, AdapterError> {
        self.refuse_what_is_not_computed()?;
        let rank = self.number("r", 8.0)?;
        if rank < 1.0 || rank.fract() != 0.0 || rank > 65_536.0 {
            return Err(self.refuse("r", "a whole number from 1 to 65536"));
        }
        let targets = read_targets(self.value("target_modules"), tensors);
        let config = LoraConfig {
            rank: rank as usize,
            alpha: self.number("lora_alpha", 8.0)?,
            dropout: self.number("lora_dropout", 0.0)?,
            targets: targets.ok_or_else(|| self.refuse("target_modules", "the seven projections"))?,
            layers: self.layers()?,
            rank_stabilized: self.boolean("use_rslora")?,
            layout: LoraLayout::Whole,
        };
        if !config.scale().is_finite() {
            return Err(self.refuse("lora_alpha", "a number whose scale (lora_alpha / r) single precision holds"));
        }
        Ok(config)
    }

    fn refuse_what_is_not_computed(&self) -> Result<(), AdapterError> {
        for (field, only, written) in [("peft_type", "LORA", "\"LORA\""), ("bias", "none", "\"none\"")] {
            if !self.value(field).is_null() && self.value(field).as_str() != Some(only) {
                return Err(self.refuse(field, written));
            }
        }
        let task = self.value("task_type");
        if !task.is_null() && !matches!(task.as_str(), Some("CAUSAL_LM" | "SEQ_CLS")) {
            return Err(self.refuse("task_type", "\"CAUSAL_LM\" or \"SEQ_CLS\""));
        }
        for field in FLAGS {
            if self.boolean(field)? {
                return Err(self.refuse(field, "false"));
            }
        }
        for field in NOT_COMPUTED {
            let is_empty = match self.value(field) {
                Value::Null => true,
                Value::Object(entries) => entries.is_empty(),
                Value::Array(entries) => entries.is_empty(),
                _ => false,
            };
            if !is_empty {
                return Err(self.refuse(field, "none"));
            }
        }
        // PEFT adds the head of SEQ_CLS by itself, whether it is named or not.
        let saved: Vec<&str> = match self.value("modules_to_save") {
            Value::Null => Vec::new(),
            Value::Array(names) => names.iter().map(|name| name.as_str().unwrap_or("?")).collect(),
            _ => vec!["?"],
        };
        if saved.iter().any(|name| !["score", "classifier"].contains(name)) {
            return Err(self.refuse("modules_to_save", "none but the `score` of task_type SEQ_CLS"));
        }
        Ok(())
    }

    fn layers(&self) -> Result<Option<Vec<usize>>, AdapterError> {
        let field = "layers_to_transform";
        let layers = match self.value(field) {
            Value::Null => return Ok(None),
            layer @ Value::Number(_) => serde_json::from_value(layer.clone()).map(|layer: usize| vec![layer]),
            layers => serde_json::from_value(layers.clone()),
        };
        layers.map(Some).map_err(|_| self.refuse(field, "layer numbers"))
    }

    fn value(&self, field: &str) -> &Value {
        self.json.get(field).unwrap_or(&Value::Null)
    }

    fn boolean(&self, field: &'static str) -> Result<bool, AdapterError> {
        match self.value(field) {
            Value::Null => Ok(false),
            value => value.as_bool().ok_or_else(|| self.refuse(field, "true or false")),
        }
    }

    fn number(&self, field: &'static str, default: f64) -> Result<f64, AdapterError> {
        match self.value(field) {
            Value::Null => Ok(default),
            value => value.as_f64().ok_or_else(|| self.refuse(field, "a number")),
        }
    }

    fn refuse(&self, field: &'static str, expected: &'static str) -> AdapterError {
        let value = self.value(field).to_string().chars().take(SHOWN).collect();
        AdapterError::Field { path: self.path.to_path_buf(), field, value, expected }
    }
}

/// The adapted projections: those named, or (for a pattern or nothing) those that have arrays.
fn read_targets(value: &Value, tensors: &BTreeMap<String, AdapterTensor>) -> Option<Vec<Target>> {
    let targets: Vec<Target> = match value {
        Value::Array(names) => {
            let mut targets = Vec::new();
            for name in names {
                let name = name.as_str()?.rsplit('.').next()?;
                match FUSED.iter().find(|fused| fused.name() == name) {
                    Some(fused) => targets.extend(fused.targets),
                    None => targets.push(name.parse().ok()?),
                }
            }
            targets
        }
        Value::String(_) | Value::Null => {
            let has = |module: &str| tensors.keys().any(|key| key.contains(&format!(".{module}.")));
            let fused = FUSED.iter().filter(|fused| has(fused.module)).flat_map(|fused| fused.targets).copied();
            Target::ALL.into_iter().filter(|target| has(target.module())).chain(fused).collect()
        }
        _ => return None,
    };
    let ordered: Vec<Target> = Target::ALL.into_iter().filter(|target| targets.contains(target)).collect();
    (!ordered.is_empty()).then_some(ordered)
}
