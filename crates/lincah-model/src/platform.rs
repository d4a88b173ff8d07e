//! What operating systems do each in their own way with files and processes. Instruction sets and large pages are lincah-kernels'.

use std::fs::{Metadata, Permissions};
use std::io::Result;
use std::path::Path;
use tempfile::Builder;

/// Whether it is Windows.
pub const IS_WINDOWS: bool = cfg!(windows);
/// Whether it is macOS.
pub const IS_MACOS: bool = cfg!(target_os = "macos");
/// What Python is called.
pub const PYTHON: &str = if IS_WINDOWS { "python" } else { "python3" };

/// Device and number of a file, which no other file has at the same time; `None` where the system does not tell.
pub fn identity(metadata: &Metadata) -> Option<(u64, u64)> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        Some((metadata.dev(), metadata.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        None
    }
}

/// Gives `content` the further name `link`, from whose folder it is found as `target`. Where links need a privilege, the content itself gets
/// the name, and loses its own.
///
/// # Errors
/// A name that is taken, a folder that is missing or cannot be written.
pub fn link_or_rename(content: &Path, target: &Path, link: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        let _ = content;
        std::os::unix::fs::symlink(target, link)
    }
    #[cfg(not(unix))]
    {
        let _ = target;
        std::fs::rename(content, link)
    }
}

/// Whether a process of this number runs; `None` where the system cannot be asked so.
pub(crate) fn is_running(process: u32) -> Option<bool> {
    cfg!(target_os = "linux").then(|| Path::new("/proc").join(process.to_string()).exists())
}

/// Brings the names in a folder to disk. A folder that may be written and not read cannot be asked to.
pub(crate) fn sync_names(folder: &Path) -> Result<()> {
    match std::fs::File::open(folder) {
        // Elsewhere folders are no files, and names are lasting without this.
        Ok(folder) if cfg!(unix) => folder.sync_all(),
        _ => Ok(()),
    }
}

/// Gives a temporary the permissions of the file that it replaces, else those of any new file.
pub(crate) fn permit(builder: &mut Builder, existing: Option<Permissions>) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(existing.unwrap_or_else(|| Permissions::from_mode(0o666)));
    }
    #[cfg(not(unix))]
    let _ = (builder, existing);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_itself_by_every_name_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second, link] = ["first", "second", "link"].map(|name| folder.path().join(name));
        std::fs::write(&first, "1").unwrap();
        std::fs::write(&second, "2").unwrap();
        let of = |path: &Path| identity(&std::fs::metadata(path).unwrap());
        if let Some(identity) = of(&first) {
            assert_ne!(Some(identity), of(&second));
        }
        link_or_rename(&first, Path::new("first"), &link).unwrap();
        assert_eq!(std::fs::read(&link).unwrap(), b"1");
        if first.exists() {
            assert_eq!(of(&first), of(&link));
        }
        assert!(link_or_rename(&first, Path::new("first"), &folder.path().join("none/link")).is_err());
    }

    #[test]
    fn this_process_runs() {
        assert_ne!(is_running(std::process::id()), Some(false));
        assert_ne!(is_running(u32::MAX), Some(true));
    }
}
