//! Models from the Hugging Face Hub, fetched into the cache that Python's `huggingface_hub` shares.

use super::catalogue::{Artefact, CatalogueEntry, PinnedFile};
use super::client::{Client, Failure};
use super::record::{CachedFile, CachedModel};
use super::settings::Settings;
use super::snapshot::{RepositoryCache, Unfit, choose_files, is_sha256};
use super::{HubError, PullEvent};
use lincah_model::sha256;
use serde::Deserialize;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// A broken download is taken up this often before the user has to.
const ATTEMPTS: usize = 3;
/// How much more than its weights a folder may take: tokenizer and settings, and weights in another type.
const MOST_BESIDE_WEIGHTS: u64 = 1 << 28;

/// A repository at a fixed commit.
struct Repository<'a> {
    settings: &'a Settings,
    entry: &'static CatalogueEntry,
    name: &'a str,
    client: Client,
    cache: RepositoryCache,
    commit: String,
}

/// What the Hub says about a repository.
#[derive(Deserialize)]
struct Listing {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

/// A file of the repository as the Hub describes it.
struct RemoteFile {
    name: String,
    bytes: u64,
    /// SHA-256 of a large file, git hash of a small one.
    tag: String,
}

/// Fetches a model into the Hugging Face cache and describes it.
pub(super) fn pull(
    settings: &Settings,
    entry: &'static CatalogueEntry,
    name: &str,
    revision: Option<&str>,
    on_event: &mut dyn FnMut(PullEvent),
) -> Result<CachedModel, HubError> {
    let (repository, listed) = open(settings, entry, name, revision)?;
    let names = match entry.artefact {
        Artefact::GgufFile { file, .. } => vec![file.to_string()],
        // `config.json` lies in the folder itself, and comes last: the folder is found by it.
        Artefact::PinnedFolder(files) => {
            let (mut inside, top): (Vec<_>, Vec<_>) =
                files.iter().map(|file| file.name.to_string()).partition(|name| name.contains('/'));
            inside.extend(top);
            inside
        }
        Artefact::HuggingFaceFolder => choose_files(&listed).map_err(|unfit| repository.unfit(unfit))?,
    };
    let remote = names.into_iter().map(|name| repository.describe(name)).collect::<Result<Vec<_>, _>>()?;
    let total = remote.iter().fold(0, |total: u64, file| total.saturating_add(file.bytes));
    if total > entry.bytes.saturating_mul(2).saturating_add(MOST_BESIDE_WEIGHTS) {
        let repository = name.to_string();
        return Err(HubError::TooLarge { repository, name: entry.name, expected: entry.bytes, found: total });
    }
    let mut before = 0;
    let mut files = Vec::new();
    let mut path = PathBuf::new();
    for file in &remote {
        let mut progress = |done| on_event(PullEvent::Progress { done: before + done, total: Some(total) });
        let (local, sha256) = repository.fetch(file, &mut progress)?;
        before += file.bytes;
        on_event(PullEvent::Progress { done: before, total: Some(total) });
        files.push(CachedFile::verified(&local, &file.name, file.bytes, &sha256));
        path = local;
    }
    if !matches!(entry.artefact, Artefact::GgufFile { .. }) {
        path.pop();
    }
    if revision.is_none() {
        let noted = repository.cache.set_main(&repository.commit);
        noted.map_err(|source| HubError::file("write", &settings.hub_cache, total, source))?;
    }
    Ok(CachedModel::new(entry, format!("hub {name}"), Some(repository.commit), path, files))
}

/// Fixes the commit and lists the repository's files.
fn open<'a>(
    settings: &'a Settings,
    entry: &'static CatalogueEntry,
    name: &'a str,
    revision: Option<&str>,
) -> Result<(Repository<'a>, Vec<String>), HubError> {
    let (client, cache) = (Client::new(settings), RepositoryCache::new(settings, name));
    let commit = revision.unwrap_or("main").to_string();
    let mut repository = Repository { settings, entry, name, client, cache, commit };
    let what = "the list of files";
    let listing = repository.client.get_json(&format!("api/models/{name}/revision/{}", repository.commit));
    let listing: Listing = listing.map_err(|failure| repository.error(what, failure))?;
    if !is_commit(&listing.sha) {
        return Err(repository.error(what, Failure::Nonsense("it names no commit")));
    }
    repository.commit = listing.sha;
    Ok((repository, listing.siblings.into_iter().map(|sibling| sibling.rfilename).collect()))
}

/// The commit becomes the name of a folder.
fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|digit| digit.is_ascii_hexdigit())
}

impl Repository<'_> {
    fn describe(&self, name: String) -> Result<RemoteFile, HubError> {
        let answer = self.client.get(&self.address(&name), Some((0, Some(0)))).map_err(|failure| self.error(&name, failure))?;
        let nonsense = |problem| self.error(&name, Failure::Nonsense(problem));
        let tag = answer.tag.as_deref().unwrap_or_default().trim_start_matches("W/").trim_matches('"').to_string();
        let is_plain = !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_plain || answer.commit.as_ref() != Some(&self.commit) {
            return Err(nonsense("it names no content of this commit"));
        }
        let bytes = answer.total().ok_or_else(|| nonsense("it does not say how large the file is"))?;
        if let Some(PinnedFile { sha256, bytes: expected, .. }) = self.pinned(&name) {
            let what = format!("{name} of {} on the Hugging Face Hub", self.name);
            if is_sha256(&tag) && tag != sha256 {
                return Err(HubError::WrongHash { what, expected: sha256.to_string(), found: tag });
            }
            if bytes != expected {
                return Err(HubError::WrongSize { what, expected, found: bytes });
            }
        }
        Ok(RemoteFile { name, bytes, tag })
    }

    /// What a file must be.
    fn pinned(&self, name: &str) -> Option<PinnedFile> {
        self.entry.artefact.pinned_files().into_iter().find(|file| file.name == name)
    }

    fn address(&self, name: &str) -> String {
        format!("{}/resolve/{}/{name}", self.name, self.commit)
    }

    /// Fetches one file, or takes it from the cache, and returns its path and SHA-256. Content that is wrong, as after a server
    /// that cannot resume, is thrown away and fetched once more from the start.
    fn fetch(&self, file: &RemoteFile, progress: &mut dyn FnMut(u64)) -> Result<(PathBuf, String), HubError> {
        let cached = self.cache.snapshot(&self.commit).join(&file.name);
        if cached.exists()
            && let Ok(sha256) = self.verify(file, &cached)
        {
            return Ok((cached, sha256));
        }
        self.discard(file, &cached);
        let first = self.download(file, progress).and_then(|path| Ok((self.verify(file, &path)?, path)));
        match first {
            Ok((sha256, path)) => Ok((path, sha256)),
            Err(HubError::WrongHash { .. } | HubError::WrongSize { .. }) => {
                self.discard(file, &cached);
                let path = self.download(file, progress)?;
                let sha256 = self.verify(file, &path).inspect_err(|_| self.discard(file, &cached))?;
                Ok((path, sha256))
            }
            Err(error) => Err(error),
        }
    }

    /// Downloads, going on from where an earlier attempt or an earlier pull broke off.
    fn download(&self, file: &RemoteFile, progress: &mut dyn FnMut(u64)) -> Result<PathBuf, HubError> {
        let mut attempt = 1;
        loop {
            match self.download_rest(file, progress) {
                Ok(path) => return Ok(path),
                Err(failure) if attempt == ATTEMPTS || !is_worth_a_retry(&failure) => return Err(self.error(&file.name, failure)),
                Err(_) => attempt += 1,
            }
        }
    }

    /// Downloads what is not there yet, never more than the size that was announced, and gives the file its name.
    fn download_rest(&self, file: &RemoteFile, progress: &mut dyn FnMut(u64)) -> Result<PathBuf, Failure> {
        let (path, blob) = (self.cache.part(&file.tag), self.cache.blob(&file.tag));
        let folder = path.parent().unwrap_or(Path::new(""));
        std::fs::create_dir_all(folder).map_err(Failure::local("create", folder))?;
        let part = OpenOptions::new().create(true).append(true).open(&path).map_err(Failure::local("write", &path))?;
        part.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Failure::local("lock", &path)(io::Error::other("another process is fetching it")),
            TryLockError::Error(error) => Failure::local("lock", &path)(error),
        })?;
        let there = part.metadata().map_err(Failure::local("read", &path))?.len();
        if there != file.bytes {
            // What an earlier, broken server left may be longer than the file.
            let there = if there > file.bytes { 0 } else { there };
            self.receive(file, (&part, &path), there, progress)?;
        }
        part.sync_all().map_err(Failure::local("write", &path))?;
        std::fs::rename(&path, &blob).map_err(Failure::local("write", &blob))?;
        self.cache.point(&self.commit, &file.name, &file.tag).map_err(Failure::local("write", &blob))
    }

    /// Appends the file's bytes from `first` on to its part.
    fn receive(
        &self,
        file: &RemoteFile,
        (mut part, path): (&File, &Path),
        first: u64,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), Failure> {
        let answer = self.client.get(&self.address(&file.name), Some((first, None)))?;
        // A server that cannot resume begins at 0.
        let begins =
            answer.first().filter(|&begins| begins <= first).ok_or(Failure::Nonsense("it is another part of the file"))?;
        part.set_len(begins).map_err(Failure::local("write", path))?;
        let mut content = answer.into_content().take(file.bytes - begins);
        let mut done = begins;
        let mut buffer = vec![0; 1 << 16];
        while done < file.bytes {
            progress(done);
            let count = self.client.read(&mut content, &mut buffer)?;
            if count == 0 {
                let ended = io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed too early");
                return Err(Failure::BrokenOff(ended));
            }
            part.write_all(&buffer[..count]).map_err(Failure::local("write", path))?;
            done += count as u64;
        }
        Ok(())
    }

    fn verify(&self, file: &RemoteFile, path: &Path) -> Result<String, HubError> {
        let read_error = |source| HubError::file("read", path, file.bytes, source);
        let what = || format!("{} of {} from the Hugging Face Hub", file.name, self.name);
        let found = std::fs::metadata(path).map_err(read_error)?.len();
        if found != file.bytes {
            return Err(HubError::WrongSize { what: what(), expected: file.bytes, found });
        }
        let found = sha256::of_file(path).map_err(read_error)?;
        let pinned = self.pinned(&file.name).map(|pinned| pinned.sha256);
        let Some(expected) = pinned.or(Some(file.tag.as_str()).filter(|tag| is_sha256(tag))) else { return Ok(found) };
        match found == expected {
            true => Ok(found),
            false => Err(HubError::WrongHash { what: what(), expected: expected.to_string(), found }),
        }
    }

    /// Removes a file's content and the name that points to it; missing ones are what is wanted.
    fn discard(&self, file: &RemoteFile, pointer: &Path) {
        let _ = std::fs::remove_file(pointer);
        let _ = std::fs::remove_file(self.cache.blob(&file.tag));
    }

    fn unfit(&self, unfit: Unfit) -> HubError {
        let repository = self.name.to_string();
        match unfit {
            Unfit::Missing(missing) => HubError::Incomplete { repository, revision: self.commit.clone(), missing },
            Unfit::Name(name) => HubError::UnsafeName { repository, name },
        }
    }

    fn error(&self, what: &str, failure: Failure) -> HubError {
        let (repository, what) = (self.name.to_string(), what.to_string());
        let endpoint = self.settings.endpoint.clone();
        let has_token = self.settings.token.is_some();
        match failure {
            Failure::Unreachable(source) => HubError::Unreachable { endpoint, source },
            Failure::Stalled(seconds) => HubError::Stalled { endpoint, what, seconds },
            Failure::BrokenOff(source) => HubError::BrokenOff { repository, what, source },
            Failure::Nonsense(problem) => HubError::Nonsense { endpoint, repository, what, problem },
            Failure::Local { action, path, source } => HubError::file(action, &path, self.entry.bytes, source),
            Failure::Status(401 | 403) if self.entry.gated => HubError::Gated {
                name: self.entry.name,
                licence: self.entry.licence,
                accept_url: format!("https://huggingface.co/{}", self.name),
                token_hint: match has_token {
                    false => "set HF_TOKEN to a token of that account (https://huggingface.co/settings/tokens) and pull again",
                    true => {
                        "pull again; the token that was sent is not valid, may not read gated models, or is of another account"
                    }
                },
            },
            Failure::Status(status) => HubError::Refused { repository, what, status, meaning: meaning(status, has_token) },
        }
    }
}

fn meaning(status: u16, has_token: bool) -> &'static str {
    match status {
        401 | 403 if has_token => "access is denied; the token (HF_TOKEN) may be wrong or expired",
        401 | 403 => "access is denied; the repository may be gone or private, or a proxy stands between",
        404 => "it is not there (any more)",
        429 => "too many requests from this network; wait a few minutes, or set HF_TOKEN",
        500.. => "the Hub has a problem of its own; try again later",
        _ => "the Hub does not like the request",
    }
}

/// A broken connection and a server's passing trouble are; a refusal and a full disk are not.
fn is_worth_a_retry(failure: &Failure) -> bool {
    match failure {
        Failure::Unreachable(_) | Failure::BrokenOff(_) => true,
        Failure::Status(status) => *status >= 500,
        Failure::Stalled(_) | Failure::Nonsense(_) | Failure::Local { .. } => false,
    }
}
