//! Files that someone else may have made: only regular ones are opened, and small ones are read up to a limit.
//!
//! A named pipe would block, and a device such as `/dev/zero` never ends; both may hide behind a link.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// Limit for a file of settings or of results, in bytes: 64 MiB.
pub const SMALL: u64 = 1 << 26;

/// Opens a regular file, or a link to one, for reading.
///
/// # Errors
/// What the system says, and [`ErrorKind::InvalidInput`] for a folder, a named pipe or a device, which is not opened at all.
pub fn open(path: &Path) -> Result<File> {
    // Looked at before it is opened: opening a pipe waits for its writer.
    refuse_special(&std::fs::metadata(path)?)?;
    let file = File::open(path)?;
    refuse_special(&file.metadata()?)?;
    Ok(file)
}

/// The bytes of a regular file of at most `limit` bytes.
///
/// # Errors
/// As [`open`], and [`ErrorKind::FileTooLarge`] for a longer file, of which nothing is read.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let file = open(path)?;
    let length = file.metadata()?.len();
    let too_large = || Error::new(ErrorKind::FileTooLarge, format!("it is larger than {limit} bytes, which no such file is"));
    if length > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(length as usize);
    // Some files, such as those of /proc, say that they have no length; others may grow.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(too_large()) } else { Ok(bytes) }
}

/// The text of a regular file of at most `limit` bytes.
///
/// # Errors
/// As [`read`], and [`ErrorKind::InvalidData`] for bytes that are not UTF-8.
pub fn read_text(path: &Path, limit: u64) -> Result<String> {
    String::from_utf8(read(path, limit)?).map_err(|_| Error::new(ErrorKind::InvalidData, "it is not UTF-8 text"))
}

fn refuse_special(metadata: &std::fs::Metadata) -> Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let found = if metadata.is_dir() { "it is a folder" } else { "it is a pipe or a device" };
    Err(Error::new(ErrorKind::InvalidInput, format!("{found}, not a regular file")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        assert_eq!(read(&path, 4).unwrap_err().kind(), ErrorKind::FileTooLarge);
        assert_eq!(read_text(&path, SMALL).unwrap(), "12345");
        std::fs::write(&path, [0xff]).unwrap();
        assert_eq!(read_text(&path, SMALL).unwrap_err().kind(), ErrorKind::InvalidData);
        assert_eq!(read(folder.path(), 5).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(read(&folder.path().join("none"), 5).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    #[cfg(unix)]
    fn pipes_and_devices_are_not_opened_even_behind_links() {
        let folder = tempfile::tempdir().unwrap();
        let [pipe, link] = ["pipe", "link"].map(|name| folder.path().join(name));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        for path in [pipe, link] {
            let error = read(&path, SMALL).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        }
    }
}
