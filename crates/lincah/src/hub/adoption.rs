//! Models that lie in the right place without a record: put there by hand, or by Python in the Hugging Face cache.

use super::catalogue::{Artefact, CatalogueEntry, Origin, PinnedFile};
use super::record::{self, CachedFile, CachedModel, has_size, model_folder};
use super::settings::Settings;
use super::snapshot::{self, is_sha256, model_files};
use lincah_model::sha256;
use std::path::Path;

/// Takes such a model. The content of a pinned file is hashed before it is taken, and then recorded, so that it is hashed once.
pub(super) fn adopt(settings: &Settings, entry: &CatalogueEntry) -> Option<CachedModel> {
    let pinned = entry.artefact.pinned_files();
    let record = if pinned.is_empty() { adopt_folder(settings, entry)? } else { adopt_pinned(settings, entry, &pinned)? };
    // A cache that cannot be written to is still good to read from.
    let _ = record::write(settings, entry, &record);
    Some(record)
}

/// Takes the pinned files out of the first folder that has all of them.
fn adopt_pinned(settings: &Settings, entry: &CatalogueEntry, pinned: &[PinnedFile]) -> Option<CachedModel> {
    let by_hand = (model_folder(settings, entry), "found on disk".to_string(), None);
    let in_hub_cache = entry.origins.iter().filter_map(|origin| match origin {
        Origin::Hub { repository, revision } => {
            let found = snapshot::find(settings, repository, *revision)?;
            Some((found.folder, format!("hub {repository}"), Some(found.revision)))
        }
        Origin::Wheels(_) => None,
    });
    let is_it = |folder: &Path, file: &PinnedFile| {
        let path = folder.join(file.name);
        has_size(&path, file.bytes) && sha256::of_file(&path).is_ok_and(|found| found == file.sha256)
    };
    let is_whole = |folder: &Path| pinned.iter().all(|file| is_it(folder, file));
    let (folder, origin, revision) = std::iter::once(by_hand).chain(in_hub_cache).find(|(folder, _, _)| is_whole(folder))?;
    let verified = |file: &PinnedFile| CachedFile::verified(&folder.join(file.name), file.name, file.bytes, file.sha256);
    let files = pinned.iter().map(verified).collect();
    let path = match entry.artefact {
        Artefact::GgufFile { file, .. } => folder.join(file),
        Artefact::HuggingFaceFolder | Artefact::PinnedFolder(_) => folder,
    };
    Some(CachedModel::new(entry, origin, revision, path, files))
}

/// Takes a complete folder. The cache names the content of large files by their SHA-256; those are checked.
fn adopt_folder(settings: &Settings, entry: &CatalogueEntry) -> Option<CachedModel> {
    entry.origins.iter().find_map(|origin| {
        let Origin::Hub { repository, revision } = origin else { return None };
        let snapshot = snapshot::find(settings, repository, *revision)?;
        let names = model_files(&snapshot.folder)?;
        let files = names.iter().map(|name| describe(&snapshot.folder, name)).collect::<Option<_>>()?;
        Some(CachedModel::new(entry, format!("hub {repository}"), Some(snapshot.revision), snapshot.folder, files))
    })
}

fn describe(folder: &Path, name: &str) -> Option<CachedFile> {
    let path = folder.join(name);
    let sha256 = sha256::of_file(&path).ok()?;
    let content = std::fs::canonicalize(&path).ok()?;
    let content_name = content.file_name()?.to_str()?;
    if is_sha256(content_name) && content_name != sha256 {
        return None;
    }
    Some(CachedFile::verified(&path, name, std::fs::metadata(&path).ok()?.len(), &sha256))
}
