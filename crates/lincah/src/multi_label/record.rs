//! `classifier.json` of a multi-label classifier.

use super::MultiLabelEvaluation;
use crate::classifier::{
    BaseModelRecord, CARD_LIMITS, DataRecord, card_head, card_metrics, card_training, read_record, write_files,
};
use crate::error::Error;
use crate::prompt::{LabelTokens, MultiLabelPrompt};
use crate::recipe::Recipe;
use crate::task::Task;
use lincah_model::Adapter;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The newest `classifier.json` of a multi-label classifier that this lincah writes and reads. It is 2, as a lincah that knows only
/// [`FORMAT_VERSION`](crate::FORMAT_VERSION) 1 must refuse it.
pub const MULTI_LABEL_FORMAT_VERSION: u32 = 2;

/// All that is known about a multi-label classifier but the adapter's numbers. No text of the data is in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MultiLabelRecord {
    /// [`MULTI_LABEL_FORMAT_VERSION`] of the lincah that wrote it.
    pub format_version: u32,
    /// [`Task::MultiLabel`].
    pub task: Task,
    /// Version of the lincah that wrote it.
    pub lincah_version: String,
    /// What is asked about each label.
    pub prompt: MultiLabelPrompt,
    /// Tokens of no and yes.
    pub answer_tokens: LabelTokens,
    /// What it was trained on top of.
    pub base_model: BaseModelRecord,
    /// How it was trained.
    pub recipe: Recipe,
    /// What it was trained with; `class_rows` are the rows that have each label.
    pub data: DataRecord,
    /// Metrics on rows kept from the training, if some were held out.
    pub metrics: Option<MultiLabelEvaluation>,
}

impl MultiLabelRecord {
    /// Reads a folder's `classifier.json` alone.
    ///
    /// # Errors
    /// A folder that is no multi-label classifier, a file that is damaged or of a later lincah.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        read_record(folder, Task::MultiLabel, MULTI_LABEL_FORMAT_VERSION)
    }

    pub(super) fn write(&self, folder: &Path, adapter: &Adapter) -> Result<(), Error> {
        write_files(folder, (self, &self.card()), (adapter, &self.base_model))
    }

    /// The README of the folder, in the form of a Hugging Face model card.
    fn card(&self) -> String {
        let labels = self.prompt.labels().names();
        let questions: Vec<String> = (0..labels.len()).map(|label| self.prompt.render("{text}", label)).collect();
        let head = card_head((&self.lincah_version, &self.base_model), labels, &questions.join("\n"));
        let score = format!(
            "A text may have any number of the labels. The score of each is the softmax, over the tokens {:?} of no and yes, of the \
             logits\nbehind its question (begin-of-text id in front: {}).\n\n",
            self.answer_tokens.ids(),
            self.prompt.question().begin_of_text(),
        );
        let metrics = self.metrics.as_ref().map_or(String::new(), |metrics| {
            let scores = &metrics.scores;
            let rows = [
                ("micro F1", Some(scores.micro_f1)),
                ("macro F1", Some(scores.macro_f1)),
                ("subset accuracy", Some(scores.subset_accuracy)),
                ("Hamming loss", Some(scores.hamming_loss)),
                ("macro ROC-AUC", metrics.macro_roc_auc),
            ];
            card_metrics(metrics.n, &rows)
        });
        head + &score + &card_training(&self.data, labels, &self.recipe) + &metrics + CARD_LIMITS
    }
}
