//! Files that are whole or not there: written under a temporary name beside their place, then renamed.
//!
//! Temporaries are called `.lincah-<process>-<random>.tmp`. They are removed when dropped, by [`remove_temporary_files`] when a signal ends
//! the process, and, where nothing could be caught, by the next process that writes into the same folder.

use crate::platform;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{File, Metadata, TryLockError};
use std::io::{Error, ErrorKind, Result, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tempfile::{Builder, NamedTempFile, TempDir};

const PREFIX: &str = ".lincah-";
const SUFFIX: &str = ".tmp";
/// Most links that are followed to the place of a file, as in Linux.
const LINKS: usize = 40;
/// A temporary of this age, whose process cannot be looked up, belongs to none any more.
const STALE_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// What this process has not finished, and the folders that it has looked through for what others left.
struct Registry {
    live: BTreeSet<PathBuf>,
    cleared: BTreeSet<PathBuf>,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { live: BTreeSet::new(), cleared: BTreeSet::new() });

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A name in the registry, for as long as the temporary has it.
#[derive(Debug)]
struct Registered(PathBuf);

impl Drop for Registered {
    fn drop(&mut self) {
        registry().live.remove(&self.0);
    }
}

/// A file that appears at its place, in one step, when it is [committed](NewFile::commit). Dropped before that, it leaves nothing.
///
/// Writes are not buffered. A file that is already there keeps its permissions, and behind a link it is the link's target that is replaced.
#[derive(Debug)]
pub struct NewFile {
    // Dropped in this order: the name is free before it leaves the registry.
    file: NamedTempFile,
    registered: Registered,
    place: PathBuf,
}

impl NewFile {
    /// Begins the file that will be `path`.
    ///
    /// # Errors
    /// A folder that is missing or cannot be written; [`ErrorKind::InvalidInput`] where `path` is there and not a regular file.
    pub fn create(path: &Path) -> Result<Self> {
        let place = behind_links(path)?;
        let existing = match std::fs::metadata(&place) {
            Ok(metadata) if metadata.is_file() => Some(metadata.permissions()),
            Ok(_) => return Err(Error::new(ErrorKind::InvalidInput, "it is a folder, a pipe or a device, not a regular file")),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let builder_permissions = existing.clone();
        let make = |builder: &mut Builder, folder: &Path| {
            platform::permit(builder, builder_permissions);
            builder.tempfile_in(folder)
        };
        let (file, registered) = in_folder(parent(&place), make, |file: &NamedTempFile| file.path())?;
        // Held until the file has its name, so that others see that it is being written. Not every file system has locks.
        let _ = file.as_file().try_lock();
        if let Some(permissions) = existing {
            // Asked for again, because a new file's are cut by the process's mask.
            file.as_file().set_permissions(permissions)?;
        }
        Ok(Self { file, registered, place })
    }

    /// Where the file will be: the path that it was created with, behind links.
    pub fn path(&self) -> &Path {
        &self.place
    }

    /// Brings the file to disk and gives it its name, in place of what was there.
    ///
    /// # Errors
    /// A disk that is full, a folder that cannot be written; what was there is then untouched.
    pub fn commit(self) -> Result<()> {
        let Self { file, registered, place } = self;
        file.as_file().sync_all()?;
        file.persist(&place).map_err(|error| error.error)?;
        drop(registered);
        // The name is as lasting as the content.
        platform::sync_names(parent(&place))
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        self.file.flush()
    }
}

/// A folder for temporaries of other programs, removed with all that is in it when dropped.
#[derive(Debug)]
pub struct TemporaryFolder {
    folder: TempDir,
    _registered: Registered,
}

impl TemporaryFolder {
    /// A new folder in `folder`.
    ///
    /// # Errors
    /// A folder that is missing or cannot be written.
    pub fn create_in(folder: &Path) -> Result<Self> {
        let (folder, registered) = in_folder(folder, |builder, folder| builder.tempdir_in(folder), TempDir::path)?;
        Ok(Self { folder, _registered: registered })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Writes `bytes` as the file `path` in one step.
///
/// # Errors
/// As [`NewFile::create`] and [`NewFile::commit`].
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = NewFile::create(path)?;
    file.write_all(bytes)?;
    file.commit()
}

/// Removes every temporary that this process has not finished: what a command does before a signal ends it. Files that are being written
/// then fail to get their names.
pub fn remove_temporary_files() {
    for path in std::mem::take(&mut registry().live) {
        remove(&path);
    }
}

/// Makes a temporary in `folder` and registers it, both under the registry's lock: a signal finds it registered.
fn in_folder<T>(
    folder: &Path,
    make: impl FnOnce(&mut Builder, &Path) -> Result<T>,
    path: impl FnOnce(&T) -> &Path,
) -> Result<(T, Registered)> {
    let folder = std::path::absolute(folder)?;
    let mut registry = registry();
    if registry.cleared.insert(folder.clone()) {
        remove_stale(&folder, &registry.live);
    }
    let prefix = format!("{PREFIX}{}-", std::process::id());
    // The error's own text names the temporary, which nobody knows.
    let made = make(Builder::new().prefix(&prefix).suffix(SUFFIX), &folder).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Error::new(ErrorKind::NotFound, "its folder does not exist"),
        kind => Error::from(kind),
    })?;
    let registered = Registered(path(&made).to_path_buf());
    registry.live.insert(registered.0.clone());
    Ok((made, registered))
}

/// Removes the temporaries in `folder` whose processes have ended.
fn remove_stale(folder: &Path, live: &BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if let (Some(process), Ok(metadata)) = (process_of(&entry.file_name()), entry.metadata())
            && !live.contains(&path)
            && has_ended(process, &metadata)
            && !is_locked(&path, &metadata)
        {
            remove(&path);
        }
    }
}

/// The process in a temporary's name, 0 where the name has none; `None` for any other file.
fn process_of(name: &OsStr) -> Option<u32> {
    let middle = name.to_str()?.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    Some(middle.split_once('-').and_then(|(process, _)| process.parse().ok()).unwrap_or(0))
}

/// Whether the process is gone. One of this process's own number, which is not registered, had it before.
fn has_ended(process: u32, metadata: &Metadata) -> bool {
    let is_old = || metadata.modified().is_ok_and(|time| time.elapsed().is_ok_and(|age| age > STALE_AGE));
    match process {
        0 => is_old(),
        process if process == std::process::id() => true,
        process => platform::is_running(process).map_or_else(is_old, |is_running| !is_running),
    }
}

/// Whether a process holds the file, be it one that this process cannot see (in another container).
fn is_locked(path: &Path, metadata: &Metadata) -> bool {
    metadata.is_file() && File::open(path).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

/// What cannot be removed only takes space, and is tried again by the next process.
fn remove(path: &Path) {
    let is_folder = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
    let _ = if is_folder { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The path that links lead to, which may not be there yet.
fn behind_links(path: &Path) -> Result<PathBuf> {
    let mut place = path.to_path_buf();
    for _ in 0..LINKS {
        if !place.is_symlink() {
            return Ok(place);
        }
        place = parent(&place).join(std::fs::read_link(&place)?);
    }
    Err(Error::new(ErrorKind::InvalidInput, "its links lead round in a circle"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_readable_as_any_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut file = NewFile::create(&path).unwrap();
        file.write_all(b"later").unwrap();
        assert!(!path.exists(), "it has its name only when it is whole");
        file.commit().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"later");
        let other = folder.path().join("other");
        std::fs::write(&other, "").unwrap();
        assert_eq!(path.metadata().unwrap().permissions(), other.metadata().unwrap().permissions());
        assert_eq!(names(folder.path()), ["file", "other"]);
        assert!(write_atomically(&folder.path().join("nowhere/file"), b"").is_err());
        assert_eq!(write_atomically(folder.path(), b"").unwrap_err().kind(), ErrorKind::InvalidInput);
    }

    #[test]
    #[cfg(unix)]
    fn a_file_keeps_its_permissions_and_a_link_its_target() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let [private, shared, link, dangling] = ["private", "shared", "link", "dangling"].map(|name| folder.path().join(name));
        for (path, mode) in [(&private, 0o600), (&shared, 0o666)] {
            std::fs::write(path, "earlier").unwrap();
            std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
            write_atomically(path, b"later").unwrap();
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, mode);
        }
        symlink("private", &link).unwrap();
        symlink("made", &dangling).unwrap();
        for (link, target) in [(&link, "private"), (&dangling, "made")] {
            write_atomically(link, b"through").unwrap();
            assert!(link.is_symlink());
            assert_eq!(std::fs::read(folder.path().join(target)).unwrap(), b"through");
        }
        assert_eq!(private.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let round = folder.path().join("round");
        symlink("round", &round).unwrap();
        assert!(write_atomically(&round, b"").is_err());
    }

    #[test]
    fn what_is_not_finished_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let file = NewFile::create(&path).unwrap();
        let live = file.registered.0.clone();
        assert!(live.exists() && registry().live.contains(&live));
        drop(file);
        assert!(!live.exists() && !registry().live.contains(&live));
        let temporary = TemporaryFolder::create_in(folder.path()).unwrap();
        std::fs::write(temporary.path().join("inside"), "").unwrap();
        drop(temporary);
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_ended_processes_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        let own = format!(".lincah-{}-earlier.tmp", std::process::id());
        let (left, left_folder) = (format!(".lincah-{}-a.tmp", ended.id()), format!(".lincah-{}-b.tmp", ended.id()));
        let (locked, living) = (format!(".lincah-{}-c.tmp", ended.id()), ".lincah-1-d.tmp");
        for name in [own.as_str(), &left, &locked, living, ".lincah-recent.tmp", ".lincah-5.json", "kept.tmp"] {
            std::fs::write(path(name), "").unwrap();
        }
        std::fs::create_dir(path(&left_folder)).unwrap();
        std::fs::write(path(&left_folder).join("inside"), "").unwrap();
        let holder = File::open(path(&locked)).unwrap();
        holder.lock().unwrap();
        write_atomically(&path("new"), b"").unwrap();
        let mut expected = vec![".lincah-recent.tmp", ".lincah-5.json", living, &locked, "kept.tmp", "new"];
        expected.sort_unstable();
        assert_eq!(names(folder.path()), expected);
    }
}
