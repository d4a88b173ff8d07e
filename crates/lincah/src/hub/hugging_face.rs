//! Models from the Hugging Face Hub, fetched by `hf-hub` into the cache that Python's `huggingface_hub` shares.
//!
//! `hf-hub` resumes a broken download but sets no time limits and checks no content; both are done here.

use super::catalogue::{Artefact, CatalogueEntry};
use super::record::{CachedFile, CachedModel, sha256_of};
use super::settings::Settings;
use super::snapshot::{choose_files, is_sha256};
use super::{HubError, PullEvent};
use hf_hub::api::sync::{Api, ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, CacheRepo, Repo, RepoType};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// A broken download is taken up this often before the user has to.
const ATTEMPTS: usize = 3;
const POLL: Duration = Duration::from_millis(100);

/// A repository at a fixed commit.
struct Repository<'a> {
    settings: &'a Settings,
    entry: &'static CatalogueEntry,
    name: &'a str,
    api: Api,
    pinned: Repo,
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
        Artefact::HuggingFaceFolder => choose_files(&listed).map_err(|missing| HubError::Incomplete {
            repository: name.to_string(),
            revision: repository.pinned.revision().to_string(),
            missing,
        })?,
    };
    let remote = names.into_iter().map(|name| repository.describe(name)).collect::<Result<Vec<_>, _>>()?;
    let total = remote.iter().map(|file| file.bytes).sum();
    let mut before = 0;
    let mut files = Vec::new();
    let mut path = PathBuf::new();
    for file in &remote {
        let mut progress = |done| on_event(PullEvent::Progress { done: before + done, total: Some(total) });
        let (local, sha256) = repository.fetch(file, &mut progress)?;
        before += file.bytes;
        on_event(PullEvent::Progress { done: before, total: Some(total) });
        path = local;
        files.push(CachedFile { name: file.name.clone(), bytes: file.bytes, sha256 });
    }
    if matches!(entry.artefact, Artefact::HuggingFaceFolder) {
        path.pop();
        let main = cache(settings).repo(Repo::model(name.to_string()));
        main.create_ref(repository.pinned.revision())
            .map_err(|source| HubError::file("write", &settings.hub_cache, total, source))?;
    }
    let revision = repository.pinned.revision().to_string();
    Ok(CachedModel::new(entry, format!("hub {name}"), Some(revision), path, files))
}

/// Connects, fixes the commit, and lists the repository's files, unless the catalogue has fixed both.
fn open<'a>(
    settings: &'a Settings,
    entry: &'static CatalogueEntry,
    name: &'a str,
    revision: Option<&str>,
) -> Result<(Repository<'a>, Vec<String>), HubError> {
    let api = ApiBuilder::from_cache(cache(settings))
        .with_endpoint(settings.endpoint.clone())
        .with_token(settings.token.clone())
        .with_progress(false)
        .with_user_agent("lincah", env!("CARGO_PKG_VERSION"))
        .build();
    let api = api.map_err(|source| HubError::Unreachable { endpoint: settings.endpoint.clone(), source })?;
    let at = |revision: String| Repo::with_revision(name.to_string(), RepoType::Model, revision);
    let mut repository = Repository { settings, entry, name, api, pinned: at(revision.unwrap_or("main").to_string()) };
    let info = repository.ask("the list of files", |repository| repository.info())?;
    if !is_commit(&info.sha) {
        return Err(repository.error("the list of files", ApiError::InvalidHeader("sha")));
    }
    repository.pinned = at(info.sha);
    Ok((repository, info.siblings.into_iter().map(|sibling| sibling.rfilename).collect()))
}

fn cache(settings: &Settings) -> Cache {
    Cache::new(settings.hub_cache.clone())
}

/// The commit becomes the name of a folder.
fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|digit| digit.is_ascii_hexdigit())
}

impl Repository<'_> {
    /// One question to the Hub, under the time limit for a first answer.
    fn ask<T: Send + 'static>(
        &self,
        what: &str,
        question: impl FnOnce(&ApiRepo) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, HubError> {
        let repository = self.api.repo(self.pinned.clone());
        let answer = watch(self.settings.connect_limit, move |_| question(&repository), &mut |_| {});
        answer.ok_or_else(|| self.stalled(what, self.settings.connect_limit))?.map_err(|error| self.error(what, error))
    }

    fn describe(&self, name: String) -> Result<RemoteFile, HubError> {
        let api = self.api.clone();
        let file = name.clone();
        let metadata = self.ask(&name, move |repository| api.metadata(&repository.url(&file)))?;
        let tag = metadata.etag().trim_start_matches("W/").to_string();
        let is_plain = !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_plain || metadata.commit_hash() != self.pinned.revision() {
            return Err(self.error(&name, ApiError::InvalidHeader("etag")));
        }
        if let Artefact::GgufFile { sha256, .. } = self.entry.artefact
            && is_sha256(&tag)
            && tag != sha256
        {
            let what = format!("{name} of {} on the Hugging Face Hub", self.name);
            return Err(HubError::WrongHash { what, expected: sha256.to_string(), found: tag });
        }
        Ok(RemoteFile { name, bytes: metadata.size() as u64, tag })
    }

    /// Fetches one file, or takes it from the cache, and returns its path and SHA-256. Content that is wrong, as after a server
    /// that cannot resume, is thrown away and fetched once more from the start.
    fn fetch(&self, file: &RemoteFile, progress: &mut dyn FnMut(u64)) -> Result<(PathBuf, String), HubError> {
        let cached = self.cache_repo().pointer_path(self.pinned.revision()).join(&file.name);
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
                self.discard_part(file);
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
            let repository = self.api.repo(self.pinned.clone());
            let name = file.name.clone();
            let work = move |arrived: Arc<AtomicU64>| repository.download_with_progress(&name, Arrived(arrived));
            match watch(self.settings.quiet_limit, work, progress) {
                None => return Err(self.stalled(&file.name, self.settings.quiet_limit)),
                Some(Ok(path)) => return Ok(path),
                // What an earlier, broken server left is longer than the file.
                Some(Err(ApiError::InvalidResume)) if attempt < ATTEMPTS => self.discard_part(file),
                Some(Err(error)) if attempt == ATTEMPTS || !is_worth_a_retry(&error) => return Err(self.error(&file.name, error)),
                Some(Err(_)) => {}
            }
            attempt += 1;
        }
    }

    fn verify(&self, file: &RemoteFile, path: &Path) -> Result<String, HubError> {
        let read_error = |source| HubError::file("read", path, file.bytes, source);
        let what = || format!("{} of {} from the Hugging Face Hub", file.name, self.name);
        let found = std::fs::metadata(path).map_err(read_error)?.len();
        if found != file.bytes {
            return Err(HubError::WrongSize { what: what(), expected: file.bytes, found });
        }
        let found = sha256_of(path).map_err(read_error)?;
        let expected = match self.entry.artefact {
            Artefact::GgufFile { sha256, .. } => sha256,
            Artefact::HuggingFaceFolder if is_sha256(&file.tag) => &file.tag,
            Artefact::HuggingFaceFolder => return Ok(found),
        };
        match found == expected {
            true => Ok(found),
            false => Err(HubError::WrongHash { what: what(), expected: expected.to_string(), found }),
        }
    }

    fn cache_repo(&self) -> CacheRepo {
        cache(self.settings).repo(self.pinned.clone())
    }

    /// Removes a file's content and the name that points to it; missing ones are what is wanted.
    fn discard(&self, file: &RemoteFile, pointer: &Path) {
        let _ = std::fs::remove_file(pointer);
        let _ = std::fs::remove_file(self.cache_repo().blob_path(&file.tag));
    }

    fn discard_part(&self, file: &RemoteFile) {
        let _ = std::fs::remove_file(self.cache_repo().blob_path(&file.tag).with_extension("part"));
    }

    fn stalled(&self, what: &str, limit: Duration) -> HubError {
        HubError::Stalled { endpoint: self.settings.endpoint.clone(), what: what.to_string(), seconds: limit.as_secs() }
    }

    fn error(&self, what: &str, error: ApiError) -> HubError {
        let (repository, what) = (self.name.to_string(), what.to_string());
        let has_token = self.settings.token.is_some();
        match error {
            ApiError::IoError(source) => HubError::file("write to", &self.settings.hub_cache, self.entry.bytes, source),
            ApiError::RequestError(request) => match *request {
                ureq::Error::StatusCode(401 | 403) if self.entry.gated => HubError::Gated {
                    name: self.entry.name,
                    licence: self.entry.licence,
                    accept_url: format!("https://huggingface.co/{}", self.name),
                    token_hint: match has_token {
                        false => {
                            "set HF_TOKEN to a token of that account (https://huggingface.co/settings/tokens) and pull again"
                        }
                        true => {
                            "pull again; the token that was sent is not valid, may not read gated models, or is of another account"
                        }
                    },
                },
                ureq::Error::StatusCode(status) => {
                    HubError::Refused { repository, what, status, meaning: meaning(status, has_token) }
                }
                ureq::Error::Io(_) | ureq::Error::HostNotFound | ureq::Error::ConnectionFailed | ureq::Error::Timeout(_) => {
                    HubError::Unreachable { endpoint: self.settings.endpoint.clone(), source: ApiError::RequestError(request) }
                }
                _ => HubError::Download { repository, what, source: ApiError::RequestError(request) },
            },
            source => HubError::Download { repository, what, source },
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
fn is_worth_a_retry(error: &ApiError) -> bool {
    match error {
        ApiError::RequestError(error) => match **error {
            ureq::Error::StatusCode(status) => status >= 500,
            _ => true,
        },
        ApiError::IoError(error) => {
            use std::io::ErrorKind;
            matches!(
                error.kind(),
                ErrorKind::UnexpectedEof
                    | ErrorKind::ConnectionReset
                    | ErrorKind::ConnectionAborted
                    | ErrorKind::TimedOut
                    | ErrorKind::Other
            )
        }
        _ => false,
    }
}

/// Counts the bytes of one file for [`watch`].
struct Arrived(Arc<AtomicU64>);

impl hf_hub::api::Progress for Arrived {
    fn init(&mut self, _size: usize, _filename: &str) {
        self.0.store(0, Ordering::Relaxed);
    }
    fn update(&mut self, size: usize) {
        self.0.fetch_add(size as u64, Ordering::Relaxed);
    }
    fn finish(&mut self) {}
}

/// Runs `work` on a thread of its own and gives up on it when its counter stands still for `limit`. The thread is then left behind:
/// nothing can interrupt a read that never returns.
fn watch<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce(Arc<AtomicU64>) -> T + Send + 'static,
    progress: &mut dyn FnMut(u64),
) -> Option<T> {
    let counter = Arc::new(AtomicU64::new(0));
    let (sender, receiver) = mpsc::sync_channel(1);
    let counted = counter.clone();
    // Nobody listens any more if the limit has passed.
    std::thread::spawn(move || sender.send(work(counted)).ok());
    let mut seen = (0, Instant::now());
    loop {
        match receiver.recv_timeout(POLL) {
            Ok(result) => return Some(result),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let arrived = counter.load(Ordering::Relaxed);
        if arrived != seen.0 {
            seen = (arrived, Instant::now());
            progress(arrived);
        } else if seen.1.elapsed() > limit {
            return None;
        }
    }
}
