//! The library's errors as Python's exceptions.

use pyo3::PyErr;
use pyo3::exceptions::PyValueError;

pyo3::create_exception!(lincah, LincahError, PyValueError, "What is wrong, where, and what to do, in one line.");

/// An exception that says this, options of the command by the names of arguments.
pub(crate) fn refused(message: impl AsRef<str>) -> PyErr {
    LincahError::new_err(with_arguments(message.as_ref()))
}

/// The library's error, with the causes that its message leaves out.
pub(crate) fn raised(error: impl Into<lincah::Error>) -> PyErr {
    let error = error.into();
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(further) = cause {
        let words = further.to_string();
        if !message.contains(&words) {
            message = format!("{message}: {words}");
        }
        cause = further.source();
    }
    refused(message)
}

/// `--learning-rate` as `learning_rate`.
fn with_arguments(message: &str) -> String {
    let mut words = message.split("--");
    let mut shown = words.next().unwrap_or_default().to_owned();
    for word in words {
        let end = word.find(|character: char| !character.is_ascii_lowercase() && character != '-').unwrap_or(word.len());
        let (name, rest) = word.split_at(end);
        // What was no option stays as it is.
        let is_option = name.starts_with(|first: char| first.is_ascii_lowercase()) && !shown.ends_with(char::is_alphanumeric);
        shown += &if is_option { name.replace('-', "_") } else { format!("--{name}") };
        shown += rest;
    }
    shown
}
