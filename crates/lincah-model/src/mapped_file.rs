//! A file's bytes, memory-mapped: the one place of this crate that needs `unsafe`.

use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// A read-only file whose bytes are paged in as they are read, and the path it came from, for messages.
#[derive(Debug)]
pub(crate) struct MappedFile {
    path: PathBuf,
    bytes: Bytes,
}

#[derive(Debug)]
enum Bytes {
    Mapped(memmap2::Mmap),
    Owned(Vec<u8>),
}

impl MappedFile {
    /// Maps the file at `path`.
    ///
    /// # Errors
    /// What the operating system says when the file cannot be opened or mapped.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = crate::regular_file::open(path)?;
        // SAFETY: the map is private to this value and read-only. As with every mapped file, another process that shortens it while
        // it is mapped ends this one with SIGBUS; model files are written once under a temporary name and renamed, never edited in place.
        #[allow(unsafe_code, reason = "mapping a file is unsafe in Rust; copying hundreds of megabytes would double the memory")]
        let map = unsafe { memmap2::Mmap::map(&file)? };
        Ok(Self { path: path.to_owned(), bytes: Bytes::Mapped(map) })
    }

    /// Bytes already in memory, named `path` in messages.
    pub(crate) fn from_bytes(path: &Path, bytes: Vec<u8>) -> Self {
        Self { path: path.to_owned(), bytes: Bytes::Owned(bytes) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped(map) => map,
            Bytes::Owned(bytes) => bytes,
        }
    }
}
