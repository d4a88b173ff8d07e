//! Models that are opened once for all classifiers and members on them.

use crate::base_model::BaseModel;
use crate::error::Error;
use lincah_model::ComputeOptions;

/// Models that are open, by the names that classifiers' records give them: any number of classifiers on one base take its weights once.
#[derive(Debug)]
pub struct OpenModels {
    compute: ComputeOptions,
    named: Vec<(String, BaseModel)>,
}

impl OpenModels {
    /// None yet; they are opened where and how this says.
    pub fn new(compute: impl Into<ComputeOptions>) -> Self {
        Self { compute: compute.into(), named: Vec::new() }
    }

    /// One that is open already; others are opened where and how it computes.
    pub(crate) fn beside(model: &BaseModel) -> Self {
        let mut models = Self::new(model.compute());
        models.add(model.name(), model);
        models
    }

    /// Knows a model by a name, which need not be its own.
    pub fn add(&mut self, name: &str, model: &BaseModel) {
        self.named.insert(0, (name.to_owned(), model.clone()));
    }

    /// The model of this name, which is opened if it is not.
    pub(crate) fn get(&mut self, name: &str) -> Result<BaseModel, Error> {
        if let Some((_, model)) = self.named.iter().find(|(known, _)| known == name) {
            return Ok(model.clone());
        }
        let model = BaseModel::open(name, self.compute)?;
        self.add(name, &model);
        Ok(model)
    }
}
