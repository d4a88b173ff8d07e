//! Models that are opened once for all members of a classifier.

use crate::base_model::BaseModel;
use crate::error::Error;

/// Models that are open, by the names that records give them.
pub(crate) struct OpenModels {
    first: BaseModel,
    named: Vec<(String, BaseModel)>,
}

impl OpenModels {
    /// A model; others are opened where and how it computes.
    pub(crate) fn new(first: &BaseModel) -> Self {
        Self { first: first.clone(), named: vec![(first.name().to_owned(), first.clone())] }
    }

    /// Knows a model by a name, which need not be its own.
    pub(crate) fn add(&mut self, name: &str, model: &BaseModel) {
        self.named.insert(0, (name.to_owned(), model.clone()));
    }

    /// The model of this name, which is opened if it is not.
    pub(crate) fn get(&mut self, name: &str) -> Result<BaseModel, Error> {
        if let Some((_, model)) = self.named.iter().find(|(known, _)| known == name) {
            return Ok(model.clone());
        }
        let model = self.first.sibling(name)?;
        self.add(name, &model);
        Ok(model)
    }
}
