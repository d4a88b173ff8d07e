//! The cache that Python's `huggingface_hub` shares: `models--owner--name/` with `blobs/`, `refs/` and `snapshots/<commit>/`.

use super::settings::Settings;
use lincah_model::new_file::write_atomically;
use lincah_model::platform::link_or_rename;
use lincah_model::regular_file;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

const SHARD_INDEX: &str = "model.safetensors.index.json";
const SINGLE_FILE: &str = "model.safetensors";

/// A repository's folder in the cache.
pub(super) struct RepositoryCache {
    folder: PathBuf,
}

impl RepositoryCache {
    pub fn new(settings: &Settings, repository: &str) -> Self {
        Self { folder: settings.hub_cache.join(format!("models--{}", repository.replace('/', "--"))) }
    }

    /// Where the content with this tag lies.
    pub fn blob(&self, tag: &str) -> PathBuf {
        self.folder.join("blobs").join(tag)
    }

    /// Where it lies while it is being fetched.
    pub fn part(&self, tag: &str) -> PathBuf {
        self.blob(tag).with_extension("part")
    }

    pub fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    /// Makes `name` of a snapshot stand for the content with this tag, and returns its path.
    pub fn point(&self, commit: &str, name: &str, tag: &str) -> io::Result<PathBuf> {
        let pointer = self.snapshot(commit).join(name);
        std::fs::create_dir_all(pointer.parent().unwrap_or(Path::new(".")))?;
        let _ = std::fs::remove_file(&pointer);
        let target = Path::new(&"../".repeat(2 + name.matches('/').count())).join("blobs").join(tag);
        // As `huggingface_hub` does.
        link_or_rename(&self.blob(tag), &target, &pointer)?;
        Ok(pointer)
    }

    /// Notes the commit that `main` is at.
    pub fn set_main(&self, commit: &str) -> io::Result<()> {
        std::fs::create_dir_all(self.folder.join("refs"))?;
        write_atomically(&self.main(), commit.as_bytes())
    }

    fn main(&self) -> PathBuf {
        self.folder.join("refs").join("main")
    }
}

/// A revision of a repository in the Hugging Face cache; it may hold only some of the files.
pub(super) struct Snapshot {
    pub folder: PathBuf,
    pub revision: String,
}

/// The snapshot of `revision`, or of what `main` was when it was last fetched.
pub(super) fn find(settings: &Settings, repository: &str, revision: Option<&str>) -> Option<Snapshot> {
    let cache = RepositoryCache::new(settings, repository);
    let revision = match revision {
        Some(revision) => revision.to_string(),
        None => regular_file::read_text(&cache.main(), 1 << 10).ok()?.trim().to_string(),
    };
    let folder = cache.snapshot(&revision);
    (is_plain(&revision) && folder.is_dir()).then_some(Snapshot { folder, revision })
}

/// Why a list of files is no model's.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// This is missing.
    Missing(&'static str),
    /// This is no name of a file.
    Name(String),
}

/// Which of a repository's files make the model: configuration, tokenizer and safetensors at the top level, small ones first.
pub(super) fn choose_files(listed: &[String]) -> Result<Vec<String>, Unfit> {
    let has = |name: &str| listed.iter().any(|file| file == name);
    for required in ["config.json", "tokenizer.json"] {
        if !has(required) {
            return Err(Unfit::Missing(required));
        }
    }
    let small = ["config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "generation_config.json"];
    let mut chosen: Vec<String> = small.iter().filter(|name| has(name)).map(ToString::to_string).collect();
    if has(SINGLE_FILE) {
        chosen.push(SINGLE_FILE.to_string());
        return Ok(chosen);
    }
    let mut shards: Vec<String> = listed.iter().filter(|name| is_shard(name)).cloned().collect();
    if let Some(name) = shards.iter().find(|name| !is_plain(name)) {
        return Err(Unfit::Name(name.clone()));
    }
    if !has(SHARD_INDEX) || shards.is_empty() {
        return Err(Unfit::Missing("safetensors weights"));
    }
    shards.sort();
    shards.dedup();
    chosen.push(SHARD_INDEX.to_string());
    chosen.append(&mut shards);
    Ok(chosen)
}

fn is_shard(name: &str) -> bool {
    name.starts_with("model-") && name.ends_with(".safetensors")
}

/// Whether a name is one component of a path, on any system, and of an address without escapes.
pub(super) fn is_plain(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !name.is_empty() && !name.starts_with('.') && name.bytes().all(known)
}

/// The files of a complete model in `folder`, or none if some are missing.
pub(super) fn model_files(folder: &Path) -> Option<Vec<String>> {
    let listed: Vec<String> =
        std::fs::read_dir(folder).ok()?.filter_map(|file| file.ok()?.file_name().into_string().ok()).collect();
    let chosen = choose_files(&listed).ok()?;
    if chosen.iter().any(|name| name == SHARD_INDEX) {
        let index = regular_file::read(&folder.join(SHARD_INDEX), regular_file::SMALL).ok()?;
        let index: serde_json::Value = serde_json::from_slice(&index).ok()?;
        let needed: BTreeSet<&str> = index["weight_map"].as_object()?.values().filter_map(|shard| shard.as_str()).collect();
        if needed.iter().any(|shard| !chosen.iter().any(|name| name == shard)) {
            return None;
        }
    }
    Some(chosen)
}

/// Whether an entity tag is a SHA-256; the Hub gives one for large files, and a git hash of 40 digits for small ones.
pub(super) fn is_sha256(tag: &str) -> bool {
    tag.len() == 64 && tag.bytes().all(|digit| digit.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_names_of_files() {
        for plain in ["model-00001-of-00002.safetensors", "0123abcd", "a_b-c.d"] {
            assert!(is_plain(plain), "{plain}");
        }
        for other in ["", ".", "..", "a/b", "../a", "a\\b", "/a", "C:a", "a b", "a\0", "a?b", "a%2fb", ".hidden", "é"] {
            assert!(!is_plain(other), "{other}");
        }
    }

    #[test]
    fn shards_with_paths_in_their_names_are_refused() {
        let list = |shard: &str| ["config.json", "tokenizer.json", SHARD_INDEX, "onnx/model.onnx", shard].map(String::from);
        assert!(choose_files(&list("model-00001-of-00001.safetensors")).is_ok());
        let hostile = "model-a/../../../elsewhere/PWN.safetensors";
        assert_eq!(choose_files(&list(hostile)), Err(Unfit::Name(hostile.to_string())));
    }
}
