//! `lincah_native`: what the Python package `lincah` calls. Rules are the library's; here are conversions, and who listens to Ctrl-C.
#![forbid(unsafe_code)]

mod classifier;
mod command;
mod data;
mod error;
mod hub;
mod judgement;
mod models;
mod options;
mod training;
mod work;

#[pyo3::pymodule]
mod lincah_native {
    #[pymodule_export]
    use super::classifier::Classifier;
    #[pymodule_export]
    use super::command::{run, write_file};
    #[pymodule_export]
    use super::error::LincahError;
    #[pymodule_export]
    use super::hub::{catalogue, pull};
    #[pymodule_export]
    use super::judgement::{check, compare};
    #[pymodule_export]
    use super::models::close_models;
    #[pymodule_export]
    use super::training::{EventFiles, train};
}
