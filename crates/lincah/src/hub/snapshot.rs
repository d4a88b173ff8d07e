//! Models in the cache that Python's `huggingface_hub` shares: `models--owner--name/snapshots/<commit>/`.

use super::catalogue::{CatalogueEntry, Origin};
use super::record::{CachedFile, CachedModel, sha256_of};
use super::settings::Settings;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const SHARD_INDEX: &str = "model.safetensors.index.json";
const SINGLE_FILE: &str = "model.safetensors";

/// A revision of a repository in the Hugging Face cache; it may hold only some of the files.
pub(super) struct Snapshot {
    pub folder: PathBuf,
    pub revision: String,
}

/// The snapshot of `revision`, or of what `main` was when it was last fetched.
pub(super) fn find(settings: &Settings, repository: &str, revision: Option<&str>) -> Option<Snapshot> {
    let cache = settings.hub_cache.join(format!("models--{}", repository.replace('/', "--")));
    let revision = match revision {
        Some(revision) => revision.to_string(),
        None => std::fs::read_to_string(cache.join("refs").join("main")).ok()?.trim().to_string(),
    };
    let folder = cache.join("snapshots").join(&revision);
    folder.is_dir().then_some(Snapshot { folder, revision })
}

/// Takes a complete model from the Hugging Face cache. The cache names the content of large files by their SHA-256; those are checked.
pub(super) fn adopt(settings: &Settings, entry: &CatalogueEntry) -> Option<CachedModel> {
    entry.origins.iter().find_map(|origin| {
        let Origin::Hub { repository, revision } = origin else { return None };
        let snapshot = find(settings, repository, *revision)?;
        let files = describe(&snapshot.folder, &model_files(&snapshot.folder)?)?;
        Some(CachedModel::new(entry, format!("hub {repository}"), Some(snapshot.revision), snapshot.folder, files))
    })
}

/// Which of a repository's files make the model: configuration, tokenizer and safetensors at the top level, small ones first.
/// `Err` names what is missing.
pub(super) fn choose_files(listed: &[String]) -> Result<Vec<String>, &'static str> {
    let has = |name: &str| listed.iter().any(|file| file == name);
    for required in ["config.json", "tokenizer.json"] {
        if !has(required) {
            return Err(required);
        }
    }
    let small = ["config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "generation_config.json"];
    let mut chosen: Vec<String> = small.iter().filter(|name| has(name)).map(ToString::to_string).collect();
    if has(SINGLE_FILE) {
        chosen.push(SINGLE_FILE.to_string());
        return Ok(chosen);
    }
    let mut shards: Vec<String> = listed.iter().filter(|name| is_shard(name)).cloned().collect();
    if !has(SHARD_INDEX) || shards.is_empty() {
        return Err("safetensors weights");
    }
    shards.sort();
    chosen.push(SHARD_INDEX.to_string());
    chosen.append(&mut shards);
    Ok(chosen)
}

fn is_shard(name: &str) -> bool {
    name.starts_with("model-") && name.ends_with(".safetensors")
}

/// The files of a complete model in `folder`, or none if some are missing.
fn model_files(folder: &Path) -> Option<Vec<String>> {
    let listed: Vec<String> =
        std::fs::read_dir(folder).ok()?.filter_map(|file| file.ok()?.file_name().into_string().ok()).collect();
    let chosen = choose_files(&listed).ok()?;
    if chosen.iter().any(|name| name == SHARD_INDEX) {
        let index: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join(SHARD_INDEX)).ok()?).ok()?;
        let needed: BTreeSet<&str> = index["weight_map"].as_object()?.values().filter_map(|shard| shard.as_str()).collect();
        if needed.iter().any(|shard| !chosen.iter().any(|name| name == shard)) {
            return None;
        }
    }
    Some(chosen)
}

fn describe(folder: &Path, names: &[String]) -> Option<Vec<CachedFile>> {
    names
        .iter()
        .map(|name| {
            let path = folder.join(name);
            let sha256 = sha256_of(&path).ok()?;
            let content = std::fs::canonicalize(&path).ok()?;
            let content_name = content.file_name()?.to_str()?;
            if is_sha256(content_name) && content_name != sha256 {
                return None;
            }
            Some(CachedFile { name: name.clone(), bytes: std::fs::metadata(&path).ok()?.len(), sha256 })
        })
        .collect()
}

/// Whether an entity tag is a SHA-256; the Hub gives one for large files, and a git hash of 40 digits for small ones.
pub(super) fn is_sha256(tag: &str) -> bool {
    tag.len() == 64 && tag.bytes().all(|digit| digit.is_ascii_hexdigit())
}
