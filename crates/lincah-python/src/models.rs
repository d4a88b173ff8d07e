//! Base models that are open: all classifiers of a process on one model share its weights.

use lincah::{BaseModel, ClassifierRecord, ComputeOptions, Error, OpenModels, hub};
use pyo3::prelude::*;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// An open model, how it computes, and what it was opened from: a name may stand for another path in another folder.
struct Open {
    path: PathBuf,
    compute: ComputeOptions,
    model: BaseModel,
    /// The same for trainings that read texts again and again.
    remembering: BaseModel,
}

static OPEN: Mutex<Vec<Open>> = Mutex::new(Vec::new());

fn all() -> MutexGuard<'static, Vec<Open>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The model of this name, which is opened if it is not.
pub(crate) fn open(name: &str, compute: ComputeOptions) -> Result<BaseModel, Error> {
    opened(name, compute, |open| open.model.clone())
}

/// The same, remembering what it made of the texts of earlier trainings.
pub(crate) fn open_remembering(name: &str, compute: ComputeOptions) -> Result<BaseModel, Error> {
    opened(name, compute, |open| open.remembering.clone())
}

fn opened(name: &str, compute: ComputeOptions, of: impl Fn(&Open) -> BaseModel) -> Result<BaseModel, Error> {
    let path = hub::resolve(name)?;
    let path = std::path::absolute(&path).unwrap_or(path);
    let mut open = all();
    let found = open.iter().find(|open| open.path == path && open.compute == compute && open.model.name() == name);
    if let Some(found) = found {
        return Ok(of(found));
    }
    let model = BaseModel::open(name, compute)?;
    let new = Open { path, compute, remembering: model.remembering_states(), model };
    let found = of(&new);
    open.push(new);
    Ok(found)
}

/// The models of a stored classifier; `model` is where the first one is now, if it was moved.
pub(crate) fn of_record(record: &ClassifierRecord, model: Option<&str>, compute: ComputeOptions) -> Result<OpenModels, Error> {
    let mut models = OpenModels::new(compute);
    for (place, base) in record.base_models().iter().enumerate() {
        let name = model.filter(|_| place == 0).unwrap_or(&base.name);
        models.add(&base.name, &open(name, compute)?);
    }
    Ok(models)
}

/// Forgets the models that are open. Classifiers keep theirs; when the last one is gone, their memory is free.
#[pyfunction]
pub(crate) fn close_models() {
    all().clear();
}
