//! What can be configured: by a TOML file, over it by environment variables, and over both by flags.

use crate::error::ServeError;
use lincah::regular_file;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// Everything that a server is told.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServeConfig {
    /// Where to listen.
    pub bind: SocketAddr,
    /// Folders of classifiers by name.
    pub classifiers: BTreeMap<String, PathBuf>,
    /// A file with one `NAME:KEY` per line; without keys only this machine is listened to.
    pub key_file: Option<PathBuf>,
    /// The journal that people's answers are appended to.
    pub feedback: Option<PathBuf>,
    /// The file that decisions are logged to.
    pub decision_log: Option<PathBuf>,
    /// A file with the secret that chains the decision log.
    pub decision_log_key_file: Option<PathBuf>,
    /// Which classifier and label an attribute of Perspective is: `classifier` or `classifier:label`.
    pub attributes: BTreeMap<String, AttributeTarget>,
    /// Of which classifiers the first member alone answers what it is sure of, and which share of the decisions that may change.
    pub cascade: BTreeMap<String, f64>,
    /// Whether texts are in the log of requests.
    pub log_texts: bool,
    /// Most bytes of a request.
    pub max_body_bytes: usize,
    /// Most bytes of a text.
    pub max_text_bytes: usize,
    /// Most texts of a request.
    pub max_texts: usize,
    /// Most texts that wait for one classifier.
    pub max_waiting_texts: usize,
    /// Most bytes of texts that are scored together.
    pub batch_bytes: usize,
    /// Most connections at once; more wait to be taken up.
    pub max_connections: usize,
    /// Seconds in which the head of a request must come, and after which an idle connection is closed.
    pub head_seconds: f64,
    /// Seconds after which a request is answered, if only with an error.
    pub timeout_seconds: f64,
    /// Seconds between two looks at the folders; 0 never looks again.
    pub reload_seconds: f64,
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from(([127, 0, 0, 1], 8080)),
            classifiers: BTreeMap::new(),
            key_file: None,
            feedback: None,
            decision_log: None,
            decision_log_key_file: None,
            attributes: BTreeMap::new(),
            cascade: BTreeMap::new(),
            log_texts: false,
            max_body_bytes: 2 << 20,
            max_text_bytes: 100_000,
            max_texts: 512,
            max_waiting_texts: 2048,
            batch_bytes: 32_000,
            max_connections: 512,
            head_seconds: 30.0,
            timeout_seconds: 60.0,
            reload_seconds: 2.0,
        }
    }
}

impl ServeConfig {
    /// Reads a TOML file.
    ///
    /// # Errors
    /// A file that cannot be read, unknown fields, values of another type, with their line.
    pub fn read(path: &Path) -> Result<Self, ServeError> {
        let text = regular_file::read_text(path, regular_file::SMALL).map_err(ServeError::file("read", path))?;
        Self::from_toml(path, &text)
    }

    /// Reads the text of a TOML file; `path` is what errors name.
    ///
    /// # Errors
    /// As [`ServeConfig::read`].
    pub fn from_toml(path: &Path, text: &str) -> Result<Self, ServeError> {
        toml::from_str(text)
            .map_err(|error| ServeError::Config { path: path.to_path_buf(), reason: error.to_string().trim().replace('\n', " ") })
    }

    /// The settings by environment variable over these: `LINCAH_` and a setting's name in capitals, except for those that are options of the command.
    /// An empty variable says nothing. Several entries are `NAME=VALUE` with commas between them, and replace all that there were.
    ///
    /// # Errors
    /// [`ServeError::Variable`] names the first that says something else than its setting can be.
    pub fn with_environment(mut self, variable: impl Fn(&str) -> Option<String>) -> Result<Self, ServeError> {
        let of = |field: &'static str| Variable::read(field, &variable);
        for (field, setting) in self.numbers() {
            of(field).set(setting, "a whole number")?;
        }
        for (field, setting) in self.seconds() {
            of(field).set(setting, "a number of seconds")?;
        }
        of("log_texts").set(&mut self.log_texts, "true or false")?;
        of("classifiers").set_entries(&mut self.classifiers)?;
        of("attributes").set_entries(&mut self.attributes)?;
        of("cascade").set_entries(&mut self.cascade)?;
        Ok(self)
    }

    fn numbers(&mut self) -> [(&'static str, &mut usize); 6] {
        [
            ("max_body_bytes", &mut self.max_body_bytes),
            ("max_text_bytes", &mut self.max_text_bytes),
            ("max_texts", &mut self.max_texts),
            ("max_waiting_texts", &mut self.max_waiting_texts),
            ("batch_bytes", &mut self.batch_bytes),
            ("max_connections", &mut self.max_connections),
        ]
    }

    fn seconds(&mut self) -> [(&'static str, &mut f64); 3] {
        [
            ("head_seconds", &mut self.head_seconds),
            ("timeout_seconds", &mut self.timeout_seconds),
            ("reload_seconds", &mut self.reload_seconds),
        ]
    }

    /// Refuses what cannot work: no classifier, limits of nothing, a public address without keys.
    ///
    /// # Errors
    /// [`ServeError::NoClassifier`], [`ServeError::Value`], [`ServeError::PublicWithoutKey`].
    pub fn check(&self) -> Result<(), ServeError> {
        if self.classifiers.is_empty() {
            return Err(ServeError::NoClassifier);
        }
        if let Some((field, _)) = self.clone().numbers().into_iter().find(|(_, number)| **number == 0) {
            return Err(ServeError::Value { field, expected: "at least 1" });
        }
        // An hour is longer than anybody waits, and far from what overflows.
        for (field, seconds) in self.clone().seconds() {
            let (range, expected) = match field {
                "reload_seconds" => (0.0..=86_400.0, "from 0 to 86400"),
                _ => (0.001..=3600.0, "from 0.001 to 3600"),
            };
            if !range.contains(seconds) {
                return Err(ServeError::Value { field, expected });
            }
        }
        if self.cascade.values().any(|share| !(0.0..1.0).contains(share)) {
            return Err(ServeError::Value { field: "cascade", expected: "from 0 to below 1" });
        }
        if self.decision_log.is_some() != self.decision_log_key_file.is_some() {
            return Err(ServeError::Value { field: "decision_log_key_file", expected: "given together with decision_log" });
        }
        let targets = self.attributes.iter().map(|(attribute, target)| ("attribute", attribute, &target.classifier));
        let cascades = self.cascade.keys().map(|name| ("cascade", name, name));
        let unknown = targets.chain(cascades).find(|(_, _, classifier)| !self.classifiers.contains_key(*classifier));
        if let Some((what, name, classifier)) = unknown {
            return Err(ServeError::UnknownClassifier { what, name: name.clone(), classifier: classifier.clone() });
        }
        if !self.bind.ip().is_loopback() && self.key_file.is_none() {
            return Err(ServeError::PublicWithoutKey { bind: self.bind });
        }
        Ok(())
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs_f64(self.timeout_seconds)
    }
}

/// What the environment says of a setting.
struct Variable {
    name: String,
    value: Option<String>,
}

impl Variable {
    fn read(field: &str, variable: impl Fn(&str) -> Option<String>) -> Self {
        let name = format!("LINCAH_{}", field.to_uppercase());
        let value = variable(&name).filter(|value| !value.trim().is_empty());
        Self { name, value }
    }

    fn wrong(&self, value: &str, expected: &'static str) -> ServeError {
        ServeError::Variable { name: self.name.clone(), value: value.to_owned(), expected }
    }

    fn set<T: FromStr>(self, setting: &mut T, expected: &'static str) -> Result<(), ServeError> {
        if let Some(value) = &self.value {
            *setting = value.trim().parse().map_err(|_| self.wrong(value, expected))?;
        }
        Ok(())
    }

    fn set_entries<T: FromStr>(self, entries: &mut BTreeMap<String, T>) -> Result<(), ServeError> {
        let Some(value) = &self.value else { return Ok(()) };
        entries.clear();
        for entry in value.split(',') {
            let wrong = || self.wrong(entry, "NAME=VALUE, with commas between several");
            let (name, value) = entry.split_once('=').ok_or_else(wrong)?;
            let (name, value) = (name.trim(), value.trim().parse().map_err(|_| wrong())?);
            if name.is_empty() || entries.insert(name.to_owned(), value).is_some() {
                return Err(wrong());
            }
        }
        Ok(())
    }
}

/// A classifier, and one of its labels: `classifier` or `classifier:label`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct AttributeTarget {
    /// Its name.
    pub classifier: String,
    /// The label; the positive one of two where none is named.
    pub label: Option<String>,
}

impl FromStr for AttributeTarget {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::from(text.to_owned()))
    }
}

impl From<String> for AttributeTarget {
    fn from(text: String) -> Self {
        match text.split_once(':') {
            Some((classifier, label)) => Self { classifier: classifier.to_owned(), label: Some(label.to_owned()) },
            None => Self { classifier: text, label: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_a_classifier() -> ServeConfig {
        ServeConfig { classifiers: BTreeMap::from([("civility".into(), "civility".into())]), ..ServeConfig::default() }
    }

    #[test]
    fn what_cannot_work_is_refused_in_words() {
        let refused = |config: ServeConfig| config.check().unwrap_err().to_string();
        assert!(refused(ServeConfig::default()).contains("no classifier"));
        assert!(with_a_classifier().check().is_ok());
        let public = ServeConfig { bind: "0.0.0.0:80".parse().unwrap(), ..with_a_classifier() };
        assert!(refused(public.clone()).contains("key"));
        assert!(ServeConfig { key_file: Some("keys".into()), ..public }.check().is_ok());
        assert!(refused(ServeConfig { max_texts: 0, ..with_a_classifier() }).contains("max_texts"));
        assert!(refused(ServeConfig { timeout_seconds: f64::NAN, ..with_a_classifier() }).contains("timeout_seconds"));
        let attributes = BTreeMap::from([("TOXICITY".into(), AttributeTarget::from(String::from("other:rude")))]);
        assert!(refused(ServeConfig { attributes, ..with_a_classifier() }).contains("`other`"));
        assert!(
            refused(ServeConfig { decision_log: Some("log".into()), ..with_a_classifier() }).contains("decision_log_key_file")
        );
    }

    #[test]
    fn a_file_says_the_same_and_is_refused_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("serve.toml");
        std::fs::write(
            &path,
            "bind = \"127.0.0.1:9000\"\n[classifiers]\ncivility = \"folder\"\n[attributes]\nTOXICITY = \"civility:uncivil\"\n",
        )
        .unwrap();
        let config = ServeConfig::read(&path).unwrap();
        assert_eq!((config.bind.port(), config.classifiers["civility"].to_str()), (9000, Some("folder")));
        std::fs::write(&path, "bimd = 1").unwrap();
        let refused = ServeConfig::read(&path).unwrap_err().to_string();
        assert!(refused.contains("bimd") && refused.contains("line 1"), "{refused}");
    }
}
