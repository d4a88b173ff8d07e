//! The command `lincah`, and files as it writes them.

use pyo3::prelude::*;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

/// Runs the command with these arguments, the first of which is its own name; gives its exit code.
#[pyfunction]
pub(crate) fn run(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| {
        let code = lincah_cli::exit_code(arguments);
        // A program of Rust's own does so when it ends.
        let _ = std::io::stdout().flush();
        code
    })
}

/// Writes a file that appears when it is whole.
#[pyfunction]
pub(crate) fn write_file(path: PathBuf, content: &[u8]) -> PyResult<()> {
    Ok(lincah::write_atomically(&path, content)?)
}
