//! From texts to probabilities: all that a score depends on but the weights.

use crate::base_model::BaseModel;
use crate::error::Error;
use crate::prompt::{EncodedText, LabelTokens, LongTexts, Prompt, PromptEncoder, PromptError};
use crate::softmax::softmax;
use crate::task::Task;
use lincah_model::lora::AdapterTensor;
use lincah_model::{Adapter, ROWS_PER_BATCH, Scorer, TokenBatch, batches_by_length};
use rayon::prelude::*;

/// What is asked of a model, in how many tokens, and which tokens answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scoring {
    pub(crate) prompt: Prompt,
    pub(crate) label_tokens: LabelTokens,
    /// Longest prompt; longer texts are truncated, or read in windows.
    pub(crate) max_tokens: usize,
}

/// The probability of each label, and what was not read of the text.
pub(crate) struct ScoredText {
    pub(crate) probabilities: Vec<f64>,
    pub(crate) truncated_characters: usize,
    /// The same of each of several members: `[members][labels]`.
    pub(crate) members: Vec<Vec<f64>>,
}

impl Scoring {
    /// Asks `prompt` of `base`; answers whose tokens collide are asked for by letters (see [`LabelTokens::resolve`]).
    pub(crate) fn resolve(base: &BaseModel, prompt: Prompt, max_tokens: usize) -> Result<Self, Error> {
        let (prompt, label_tokens) = LabelTokens::resolve(prompt, base.tokenizer())?;
        PromptEncoder::new(base.tokenizer(), &prompt, max_tokens)?;
        Ok(Self { prompt, label_tokens, max_tokens })
    }

    /// Asks no model itself.
    pub(crate) fn of_no_model(prompt: Prompt, max_tokens: usize) -> Self {
        Self { prompt, label_tokens: LabelTokens::none(), max_tokens }
    }

    /// The probabilities of each text, in order. What a text gets does not depend on the others.
    pub(crate) fn score<T: AsRef<str> + Sync>(
        &self,
        base: &BaseModel,
        scorer: &dyn Scorer,
        texts: &[T],
    ) -> Result<Vec<ScoredText>, Error> {
        let encoder = PromptEncoder::new(base.tokenizer(), &self.prompt, self.max_tokens)?;
        scored(&self.prompt, &encoder, texts, |windows| {
            let answers = self.answers(scorer, windows)?;
            Ok(answers.into_iter().map(|answers| self.of_labels(answers)).collect())
        })
    }

    /// How many answers a question has, and how many questions one prompt asks: each label row is an answer.
    pub(crate) fn answers_and_questions(&self) -> (usize, usize) {
        let labels = self.prompt.labels().len();
        match (self.prompt.task(), self.prompt.has_label_rows()) {
            (Task::SingleLabel, _) => (labels, 1),
            (Task::MultiLabel, false) => (2, 1),
            (Task::MultiLabel, true) => (2, labels),
        }
    }

    /// Refuses an adapter that has not the label rows that are asked for, or has some that are not.
    pub(crate) fn check_adapter(&self, adapter: &Adapter) -> Result<(), Error> {
        let (answers, questions) = self.answers_and_questions();
        let expected = if self.prompt.has_label_rows() { answers * questions } else { 0 };
        let found = adapter.label_rows().map_or(0, |rows| rows.shape[0]);
        if found == expected { Ok(()) } else { Err(Error::LabelRows { found, expected }) }
    }

    /// The label rows with one per label, as sequence classifiers of other programs have them: of an independent label the difference of yes
    /// and no, whose sigmoid is the softmax of the two. `None` where labels are tokens.
    pub(crate) fn rows_as_others_have_them(&self, adapter: &Adapter) -> Option<AdapterTensor> {
        let rows = adapter.label_rows()?;
        if self.prompt.task() == Task::SingleLabel {
            return Some(rows.clone());
        }
        let [count, width] = rows.shape;
        let difference = |pair: &[f32]| (0..width).map(|column| pair[width + column] - pair[column]).collect::<Vec<_>>();
        let values = rows.values.chunks_exact(2 * width).flat_map(difference).collect();
        Some(AdapterTensor { shape: [count / 2, width], values })
    }

    /// The adapter of a sequence classifier with a row per label: an independent label's becomes two, zeros for no.
    pub(crate) fn with_rows_of_others(&self, adapter: Adapter) -> Adapter {
        let (labels, task) = (self.prompt.labels().len(), self.prompt.task());
        match adapter.label_rows() {
            Some(rows) if task == Task::MultiLabel && rows.shape[0] == labels => {
                let width = rows.shape[1];
                let pairs = rows.values.chunks_exact(width).flat_map(|yes| [vec![0.0; width], yes.to_vec()].concat());
                let rows = AdapterTensor { shape: [2 * labels, width], values: pairs.collect() };
                adapter.with_label_rows(rows)
            }
            _ => adapter,
        }
    }

    /// The rows that a training begins with: the mean of the head's rows of each label's name; of an independent label, that of all names
    /// for no. # Shapes: `[L, D]`, or `[2 L, D]`.
    pub(crate) fn first_label_rows(&self, base: &BaseModel) -> Result<AdapterTensor, Error> {
        let tokens = |name: String| base.tokenizer().encode(&format!(" {name}")).map_err(PromptError::from);
        let tokens: Vec<Vec<u32>> = self.prompt.labels().readable_names().map(tokens).collect::<Result<_, _>>()?;
        let names = base.language_model()?.head_rows(&tokens)?;
        if self.prompt.task() == Task::SingleLabel {
            return Ok(names);
        }
        let [labels, width] = names.shape;
        let mean = |column: usize| names.values[column..].iter().step_by(width).sum::<f32>() / labels as f32;
        let no: Vec<f32> = (0..width).map(mean).collect();
        let values = names.values.chunks_exact(width).flat_map(|yes| no.iter().chain(yes)).copied().collect();
        Ok(AdapterTensor { shape: [2 * labels, width], values })
    }

    /// The probabilities of each question's answers behind each prompt of each text, texts of like length scored together.
    fn answers(&self, scorer: &dyn Scorer, texts: &[&EncodedText]) -> Result<Vec<Vec<Vec<f64>>>, Error> {
        let (answers, questions) = self.answers_and_questions();
        let lengths: Vec<usize> = texts.iter().map(|text| rows(text)).collect();
        let mut of_texts = vec![Vec::new(); texts.len()];
        for batch in batches_by_length(&lengths, ROWS_PER_BATCH) {
            let groups: Vec<Vec<&[u32]>> =
                batch.iter().map(|&index| texts[index].prompts.iter().map(Vec::as_slice).collect()).collect();
            let tokens = TokenBatch::grouped(&groups);
            let logits = match self.prompt.has_label_rows() {
                true => scorer.score_label_rows(&tokens)?,
                false => scorer.score(&tokens, self.label_tokens.ids())?,
            };
            let mut logits = logits.chunks_exact(answers).map(softmax);
            for index in batch {
                of_texts[index] = logits.by_ref().take(texts[index].prompts.len() * questions).collect();
            }
        }
        Ok(of_texts)
    }

    /// The labels' probabilities out of those of each question's answers.
    fn of_labels(&self, mut answers: Vec<Vec<f64>>) -> Vec<f64> {
        match self.prompt.task() {
            Task::SingleLabel => answers.swap_remove(0),
            Task::MultiLabel => answers.iter().map(|no_and_yes| no_and_yes[1]).collect(),
        }
    }
}

/// The probabilities of each text in the readings and windows that the prompt says, by those of each window.
pub(crate) fn scored<T: AsRef<str> + Sync>(
    prompt: &Prompt,
    encoder: &PromptEncoder,
    texts: &[T],
    of_windows: impl FnOnce(&[&EncodedText]) -> Result<Vec<Vec<f64>>, Error>,
) -> Result<Vec<ScoredText>, Error> {
    let windows = |reading: &str| match prompt.long_texts() {
        LongTexts::First => Ok(vec![encoder.encode(reading)?]),
        LongTexts::Max | LongTexts::Mean => encoder.encode_windows(reading),
    };
    let readings = |text: &T| -> Result<Vec<Vec<EncodedText>>, PromptError> {
        prompt.obfuscation().readings(text.as_ref()).iter().map(|reading| windows(reading)).collect()
    };
    let texts: Vec<Vec<Vec<EncodedText>>> = texts.par_iter().map(readings).collect::<Result<_, _>>()?;
    let all: Vec<&EncodedText> = texts.iter().flatten().flatten().collect();
    let mut probabilities = of_windows(&all)?.into_iter();
    let mut reading = |windows: &Vec<EncodedText>| prompt.of_windows(probabilities.by_ref().take(windows.len()).collect());
    let text = |readings: Vec<Vec<EncodedText>>| ScoredText {
        truncated_characters: readings[0].last().map_or(0, |window| window.truncated_characters),
        probabilities: prompt.highest(readings.iter().map(&mut reading).collect()),
        members: Vec::new(),
    };
    Ok(texts.into_iter().map(text).collect())
}

impl Prompt {
    /// What the windows of one text come to.
    fn of_windows(&self, mut windows: Vec<Vec<f64>>) -> Vec<f64> {
        let count = windows.len() as f64;
        match (windows.len(), self.long_texts()) {
            (1, _) => windows.swap_remove(0),
            (_, LongTexts::Max) => self.highest(windows),
            _ => {
                let mean = |label: usize| windows.iter().map(|window| window[label]).sum::<f64>() / count;
                (0..windows[0].len()).map(mean).collect()
            }
        }
    }

    /// The highest probability of the positive one of two labels, or of each independent label.
    fn highest(&self, mut of: Vec<Vec<f64>>) -> Vec<f64> {
        if of.len() == 1 {
            return of.swap_remove(0);
        }
        let highest = |label: usize| of.iter().map(|probabilities| probabilities[label]).fold(0.0, f64::max);
        match self.task() {
            Task::SingleLabel => vec![1.0 - highest(1), highest(1)],
            Task::MultiLabel => (0..of[0].len()).map(highest).collect(),
        }
    }
}

/// Rows that a text's prompts take, what they share counted once.
fn rows(text: &EncodedText) -> usize {
    match text.prompts.as_slice() {
        [prompt] => prompt.len(),
        prompts => TokenBatch::grouped(&[prompts.iter().map(Vec::as_slice).collect()]).rows(),
    }
}
