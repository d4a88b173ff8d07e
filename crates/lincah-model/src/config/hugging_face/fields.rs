//! Typed access to the fields of a JSON object, with errors that name field and file.

use std::path::Path;

use serde_json::{Map, Value};

use crate::config::ConfigError;

/// One object of a config.json. A field that is null counts as absent, except for [`Fields::has`].
pub(in crate::config) struct Fields<'a> {
    path: &'a Path,
    /// Where the object lies: empty, or the names of the objects around it, each with a dot.
    prefix: String,
    object: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    pub(in crate::config) fn new(path: &'a Path, object: &'a Map<String, Value>) -> Self {
        Self { path, prefix: String::new(), object }
    }

    pub(in crate::config) fn path(&self) -> &'a Path {
        self.path
    }

    /// Whether the field is written, be it null.
    pub(in crate::config) fn has(&self, field: &str) -> bool {
        self.object.contains_key(field)
    }

    fn get(&self, field: &str) -> Option<&'a Value> {
        self.object.get(field).filter(|value| !value.is_null())
    }

    fn typed<T>(
        &self,
        field: &str,
        expected: &'static str,
        convert: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        let wrong = || ConfigError::WrongType { path: self.path.into(), field: self.name(field), expected, found: shown(value) };
        convert(value).map(Some).ok_or_else(wrong)
    }

    pub(in crate::config) fn text(&self, field: &str) -> Result<Option<&'a str>, ConfigError> {
        self.typed(field, "a text", Value::as_str)
    }

    pub(in crate::config) fn boolean(&self, field: &str) -> Result<Option<bool>, ConfigError> {
        self.typed(field, "true or false", Value::as_bool)
    }

    pub(in crate::config) fn list(&self, field: &str) -> Result<Option<&'a Vec<Value>>, ConfigError> {
        self.typed(field, "a list", Value::as_array)
    }

    pub(in crate::config) fn object(&self, field: &str) -> Result<Option<Self>, ConfigError> {
        let object = self.typed(field, "an object", Value::as_object)?;
        Ok(object.map(|object| Self { path: self.path, prefix: self.name(field) + ".", object }))
    }

    pub(in crate::config) fn whole(&self, field: &str) -> Result<Option<u64>, ConfigError> {
        self.typed(field, "a whole number of at least 0", Value::as_u64)
    }

    /// A whole number from 1 to `largest`.
    pub(in crate::config) fn size(&self, field: &str, largest: usize) -> Result<Option<usize>, ConfigError> {
        let Some(number) = self.whole(field)? else { return Ok(None) };
        if number == 0 || number > largest as u64 {
            return Err(self.out_of_range(field, format!("1 to {largest}")));
        }
        Ok(Some(number as usize))
    }

    /// A number above 0 that `f32` can hold.
    pub(in crate::config) fn positive(&self, field: &str) -> Result<Option<f64>, ConfigError> {
        let Some(number) = self.typed(field, "a number", Value::as_f64)? else { return Ok(None) };
        if !(number as f32 > 0.0 && (number as f32).is_finite()) {
            return Err(self.out_of_range(field, "any number above 0".into()));
        }
        Ok(Some(number))
    }

    /// A number above 0, `None` where the field is null, `default` where it is not written.
    pub(in crate::config) fn positive_or(&self, field: &str, default: Option<f32>) -> Result<Option<f32>, ConfigError> {
        if self.has(field) { Ok(self.positive(field)?.map(|number| number as f32)) } else { Ok(default) }
    }

    /// `hidden_size / head_count` where the head dimension is not given.
    pub(in crate::config) fn derived_head_dimension(&self, hidden_size: usize, head_count: usize) -> Result<usize, ConfigError> {
        if !hidden_size.is_multiple_of(head_count) {
            let problem = format!("`hidden_size` {hidden_size} is no multiple of {head_count} heads and `head_dim` is not given");
            return Err(self.inconsistent(problem));
        }
        Ok(hidden_size / head_count)
    }

    pub(in crate::config) fn require_absent(&self, field: &str, supported: &str) -> Result<(), ConfigError> {
        if self.get(field).is_some() { Err(self.unsupported(field, supported)) } else { Ok(()) }
    }

    pub(in crate::config) fn missing(&self, field: &str) -> ConfigError {
        ConfigError::Missing { path: self.path.into(), field: self.name(field) }
    }

    pub(in crate::config) fn unsupported(&self, field: &str, supported: &str) -> ConfigError {
        let found = self.object.get(field).map_or_else(|| "nothing".into(), shown);
        ConfigError::Unsupported { path: self.path.into(), field: self.name(field), found, supported: supported.into() }
    }

    pub(in crate::config) fn inconsistent(&self, problem: String) -> ConfigError {
        ConfigError::Inconsistent { path: self.path.into(), problem }
    }

    fn out_of_range(&self, field: &str, possible: String) -> ConfigError {
        let found = self.object.get(field).map_or_else(|| "nothing".into(), shown);
        ConfigError::OutOfRange { path: self.path.into(), field: self.name(field), found, possible }
    }

    fn name(&self, field: &str) -> String {
        format!("{}{field}", self.prefix)
    }
}

/// A value as it is written in the file, cut where it is long.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(100) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
