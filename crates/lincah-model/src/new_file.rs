//! Files that are whole or not there: written under a temporary name beside their place, then renamed.

use std::io::{Result, Write};
use std::path::Path;
use tempfile::{Builder, NamedTempFile};

/// A temporary file in `path`'s folder, to be persisted as `path`; removed when dropped. Its permissions are those of any new file.
///
/// # Errors
/// A folder that cannot be written.
pub fn temporary_beside(path: &Path) -> Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.prefix(".lincah-").suffix(".tmp").tempfile_in(folder)
}

/// Brings a finished temporary to disk and gives it its name, in place of what was there.
///
/// # Errors
/// A disk that is full, a folder that cannot be written.
pub fn persist(file: NamedTempFile, path: &Path) -> Result<()> {
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Writes `bytes` as the file `path` in one step.
///
/// # Errors
/// As [`temporary_beside`] and [`persist`].
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = temporary_beside(path)?;
    file.write_all(bytes)?;
    persist(file, path)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_file_is_replaced_as_a_whole_and_readable_as_any_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "earlier").unwrap();
        super::write_atomically(&path, b"later").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"later");
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
        let other = folder.path().join("other");
        std::fs::write(&other, "").unwrap();
        assert_eq!(path.metadata().unwrap().permissions(), other.metadata().unwrap().permissions());
        assert!(super::write_atomically(&folder.path().join("nowhere/file"), b"").is_err());
    }
}
