//! One process per output folder.

use crate::error::Error;
use std::fs::{File, TryLockError};
use std::path::Path;

const LOCK_FILE: &str = ".lincah-lock";

/// Held while a command writes to a folder; gone with it, or with its process.
#[derive(Debug)]
pub(crate) struct FolderLock {
    file: Option<File>,
    path: std::path::PathBuf,
}

impl FolderLock {
    /// Locks `folder`, beside which the lock lies, so that an empty folder stays empty.
    ///
    /// # Errors
    /// [`Error::FolderInUse`]; a folder that cannot be written.
    pub(crate) fn acquire(folder: &Path) -> Result<Self, Error> {
        let name = folder.file_name().map_or(String::from("folder"), |name| name.to_string_lossy().into_owned());
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent).map_err(Error::file("create", parent))?;
        let path = parent.join(format!("{LOCK_FILE}-{name}"));
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(Error::file("write", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file: Some(file), path }),
            Err(TryLockError::WouldBlock) => Err(Error::FolderInUse { path: folder.to_path_buf() }),
            // A file system without locks.
            Err(TryLockError::Error(_)) => Ok(Self { file: None, path }),
        }
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Removed while it is held, so that nobody else's is.
        if self.file.is_some() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
