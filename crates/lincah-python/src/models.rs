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
}

static OPEN: Mutex<Vec<Open>> = Mutex::new(Vec::new());

fn all() -> MutexGuard<'static, Vec<Open>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The model of this name, which is opened if it is not.
pub(crate) fn open(name: &str, compute: ComputeOptions) -> Result<BaseModel, Error> {
    let path = hub::resolve(name)?;
    let path = std::path::absolute(&path).unwrap_or(path);
    let mut open = all();
    let found = open.iter().find(|open| open.path == path && open.compute == compute && open.model.name() == name);
    if let Some(found) = found {
        return Ok(found.model.clone());
    }
    let model = BaseModel::open(name, compute)?;
    open.push(Open { path, compute, model: model.clone() });
    Ok(model)
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
