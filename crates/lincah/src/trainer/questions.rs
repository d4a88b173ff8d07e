//! What each training row asks the model, and what should be answered.

use super::plan::{Next, Question, class_weights};
use crate::data::dataset::Dataset;
use crate::error::Error;
use crate::prompt::{Prompt, PromptEncoder};
use crate::recipe::{Recipe, TrainingText};
use crate::task::Task;

/// The questions of all rows, as many per row.
pub(super) struct Questions {
    pub(super) all: Vec<Question>,
    /// Rows whose text did not fit.
    pub(super) truncated_texts: usize,
}

/// One question per text, or one per text and label; its target the label or, with soft labels, the fractions.
pub(super) fn of(train: &Dataset, encoder: &PromptEncoder, prompt: &Prompt, recipe: &Recipe) -> Result<Questions, Error> {
    if recipe.training_text == TrainingText::Codelab {
        return of_codelab(train, encoder, prompt, recipe);
    }
    let texts = encoder.encode_batch(&train.texts)?;
    let truncated_texts = texts.iter().filter(|text| text.truncated_characters > 0).count();
    let soft = if recipe.soft_labels { Some(train.soft_targets()?) } else { None };
    let weights = answer_weights(train, recipe);
    let mut all = Vec::with_capacity(train.len() * prompt.questions());
    for (row, text) in texts.into_iter().enumerate() {
        let hard: Vec<f64> = train.truth[row].iter().map(|&has| f64::from(u8::from(has))).collect();
        let target = soft.map_or(hard.as_slice(), |soft| soft[row].as_slice());
        let no_and_yes = |question: usize| [1.0 - target[question], target[question]];
        for (question, tokens) in text.prompts.into_iter().enumerate() {
            let asked = match (train.task, prompt.has_label_rows()) {
                (Task::SingleLabel, _) => Question::new(tokens, target, &weights[0]),
                (Task::MultiLabel, false) => Question::new(tokens, &no_and_yes(question), &weights[question]),
                // One prompt for all labels, whose rows are two per label.
                (Task::MultiLabel, true) => {
                    let answers: Vec<f64> = (0..target.len()).flat_map(no_and_yes).collect();
                    Question::new(tokens, &answers, &weights.concat())
                }
            };
            all.push(asked.times(train.weight(row)));
        }
    }
    Ok(Questions { all, truncated_texts })
}

/// The weight of each question's answers; independent labels are balanced each by itself. `[questions][answers]`
fn answer_weights(train: &Dataset, recipe: &Recipe) -> Vec<Vec<f64>> {
    let rows = train.label_rows();
    match train.task {
        Task::SingleLabel => vec![class_weights(recipe, &rows)],
        Task::MultiLabel => rows.iter().map(|&positives| class_weights(recipe, &[train.len() - positives, positives])).collect(),
    }
}

/// The codelab's training texts, whose label and end are part of what is read.
fn of_codelab(train: &Dataset, encoder: &PromptEncoder, prompt: &Prompt, recipe: &Recipe) -> Result<Questions, Error> {
    let (weights, answers) = (class_weights(recipe, &train.label_rows()), prompt.answers());
    let (mut all, mut truncated_texts) = (Vec::with_capacity(train.len()), 0);
    for (row, text) in train.texts.iter().enumerate() {
        let label = train.class_of(row);
        let mut encoded = encoder.encode_training(text, answers[label])?;
        let mut tokens = encoded.prompts.swap_remove(0);
        let last = tokens.pop().expect("a sequence ends with end of text");
        truncated_texts += usize::from(encoded.truncated_characters > 0);
        all.push(Question { prompt: tokens, answers: vec![(Next::Token(last), weights[label] * train.weight(row))] });
    }
    Ok(Questions { all, truncated_texts })
}
