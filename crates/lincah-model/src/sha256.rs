//! SHA-256 in lower-case hexadecimal digits: how files, weights, texts and runs are named.

use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

/// The digits of a finished digest, two per byte.
pub fn hexadecimal(digest: impl AsRef<[u8]>) -> String {
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 of `bytes`, 64 digits.
pub fn of_bytes(bytes: impl AsRef<[u8]>) -> String {
    hexadecimal(Sha256::digest(bytes))
}

/// SHA-256 of the file at `path`, which is read in pieces.
///
/// # Errors
/// A file that cannot be read or is not a regular one.
pub fn of_file(path: &Path) -> std::io::Result<String> {
    let mut file = crate::regular_file::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hexadecimal(hasher.finalize())),
            count => hasher.update(&buffer[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    /// The example of FIPS 180-4.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn bytes_and_files_have_the_digits_of_the_standard() {
        assert_eq!(super::of_bytes("abc"), ABC);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("abc"), "abc").unwrap();
        assert_eq!(super::of_file(&folder.path().join("abc")).unwrap(), ABC);
        assert!(super::of_file(folder.path()).is_err());
    }
}
