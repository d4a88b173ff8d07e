//! One process per output folder.

use crate::error::Error;
use lincah_model::platform::identity;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// Held while a command writes to a folder; gone with it, or with its process.
#[derive(Debug)]
pub struct FolderLock {
    file: Option<File>,
    path: PathBuf,
}

impl FolderLock {
    /// Locks `folder` by a file beside it, so that an empty folder stays empty.
    ///
    /// # Errors
    /// [`Error::FolderInUse`]; a place that cannot be written.
    pub fn acquire(folder: &Path) -> Result<Self, Error> {
        let name = folder.file_name().map_or(String::from("folder"), |name| name.to_string_lossy().into_owned());
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent).map_err(Error::file("create", parent))?;
        let path = parent.join(format!(".{name}.lincah-lock"));
        loop {
            let open = File::options().create(true).truncate(false).write(true).open(&path);
            let file = open.map_err(Error::file("write", &path))?;
            match file.try_lock() {
                // Whoever held it before may have removed it since it was opened.
                Ok(()) if !is_at(&file, &path) => continue,
                Ok(()) => return Ok(Self { file: Some(file), path }),
                Err(TryLockError::WouldBlock) => return Err(Error::FolderInUse { path: folder.to_path_buf() }),
                // A file system without locks.
                Err(TryLockError::Error(_)) => return Ok(Self { file: None, path }),
            }
        }
    }
}

/// Whether the file is still the one at the path, as far as the system can tell.
fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(held), Ok(there)) = (file.metadata(), std::fs::metadata(path)) else { return false };
    identity(&held) == identity(&there)
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Removed while it is held, so that nobody else's is.
        if self.file.is_some() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_one_commands_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("out");
        let held = FolderLock::acquire(&folder).unwrap();
        assert!(matches!(FolderLock::acquire(&folder), Err(Error::FolderInUse { .. })));
        FolderLock::acquire(&parent.path().join("other")).unwrap();
        drop(held);
        FolderLock::acquire(&folder).unwrap();
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0, "no lock is left");
    }
}
