//! Choosing and fitting probes.

use super::probe::{Probe, Standardization};
use super::states::{Reading, StateReader, text_encoder};
use crate::base_model::BaseModel;
use crate::data::dataset::Dataset;
use crate::data::split::dealt_folds;
use crate::error::Error;
use crate::mixture::{Mixture, log_loss};
use crate::prompt::{EncodedText, Prompt};
use crate::regression::{DenseRow, FitOptions, LabelRegressions, NEAR};
use crate::state_memory::States;
use crate::task::Task;
use rayon::prelude::*;

/// Folds, where each label has so many rows; fewer where it has fewer.
const FOLDS: usize = 5;
const FOLD_SEED: u32 = 1;
/// One over the penalties that are tried, the strongest penalty first. Standardized rows have a length of about 1.
const INVERSE_PENALTIES: [f64; 7] = [0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0];
/// Penalties that must be worse than the best one before no weaker one is tried.
const WORSE_IN_A_ROW: usize = 2;
/// The inverse penalty where there are too few rows to choose by.
const UNCHOSEN: f64 = 3.0;
/// Depths of a decoder that are tried, as shares of its layers.
const DEPTHS: [(usize, usize); 2] = [(1, 3), (1, 2)];

/// A probe, what it reads, and what it is worth.
pub(crate) struct FittedProbe {
    /// Place of its model among those given.
    pub(crate) base: usize,
    pub(crate) states: States,
    pub(crate) reading: Reading,
    pub(crate) probe: Probe,
}

/// Probes with their weights in the mixture.
pub(crate) struct Fitted {
    pub(crate) probes: Vec<FittedProbe>,
    pub(crate) mixture: Mixture,
    /// Mean out-of-fold log loss of each probe; empty where there were too few rows.
    pub(crate) log_losses: Vec<f64>,
    pub(crate) truncated_texts: usize,
}

/// The states that are tried of a model.
fn candidates(base: &BaseModel) -> Vec<States> {
    if base.encoder().is_some() {
        return vec![States::Embedding];
    }
    let layers = base.sizes().layers;
    let mut layers: Vec<usize> = DEPTHS.iter().map(|(part, whole)| (layers * part / whole).max(1)).collect();
    layers.dedup();
    layers.into_iter().map(States::Layer).collect()
}

/// The fold of each row of `data`: the `rows`, and behind them their copies, each in its row's fold. A label with a single row does not keep the
/// others from being folded, unless rows belong together. `None` where there are too few rows.
fn folds(data: &Dataset, rows: &Dataset) -> Option<Vec<usize>> {
    let least = rows.label_rows().into_iter().min().unwrap_or(0);
    let stratified = (2..=FOLDS.min(least)).rev().find_map(|folds| rows.folds(folds, FOLD_SEED).ok());
    let can_be_dealt = rows.task == Task::SingleLabel && rows.groups().is_none() && rows.len() >= 2 * FOLDS;
    let fold_of = stratified.or_else(|| can_be_dealt.then(|| dealt_folds(&rows.classes(), FOLDS, FOLD_SEED)))?;
    Some(fold_of.iter().cycle().take(data.len()).copied().collect())
}

/// Mean log loss of rows, each as much as it counts.
fn mean_log_loss(data: &Dataset, probabilities: &[Vec<f64>]) -> f64 {
    let losses = data.truth.iter().zip(probabilities).map(|(truth, row)| log_loss(data.task, truth, row));
    let weights = (0..data.len()).map(|row| data.weight(row));
    losses.zip(weights.clone()).map(|(loss, weight)| weight * loss).sum::<f64>() / weights.sum::<f64>()
}

/// Rows to a label below which its name may say something that they do not.
const ROWS_THAT_SAY_ALL: usize = 30;

/// The labels' names as texts, each with its label: further rows to fit to.
struct NamedLabels {
    texts: Vec<String>,
    truth: Vec<Vec<bool>>,
}

impl NamedLabels {
    /// Those of labels with few rows; none of others, nor of two.
    fn of(rows: &Dataset) -> Self {
        let labels = rows.labels.names();
        let count = if labels.len() > 2 && rows.len() < ROWS_THAT_SAY_ALL * labels.len() { labels.len() } else { 0 };
        let readable =
            |name: &String| name.split(['_', '-', '/', ' ']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        let all: Vec<String> = labels[..count].iter().map(readable).collect();
        // A name that says nothing, or the same as another, is left as it is.
        let told_apart = |(place, name): (usize, &String)| {
            let same = all.iter().filter(|other| *other == name).count();
            if name.is_empty() || same > 1 { labels[place].clone() } else { name.clone() }
        };
        let one = |label: usize| (0..labels.len()).map(|other| other == label).collect();
        Self { texts: all.iter().enumerate().map(told_apart).collect(), truth: (0..count).map(one).collect() }
    }
}

/// States of one kind, and the truth about them.
struct Rows<'a> {
    task: Task,
    states: Vec<DenseRow>,
    truth: &'a [Vec<bool>],
    /// Rows that every fold is fitted to besides.
    names: Vec<DenseRow>,
    truth_of_names: &'a [Vec<bool>],
    /// How much each row counts; all alike if there are none. A label's name counts 1.
    weights: Option<&'a [f64]>,
}

impl Rows<'_> {
    /// The weights of these rows, and behind them of the labels' names.
    fn weights_of(&self, rows: &[usize]) -> Option<Vec<f64>> {
        let names = std::iter::repeat_n(1.0, self.names.len());
        self.weights.map(|weights| rows.iter().map(|&row| weights[row]).chain(names).collect())
    }
}

/// One fold: rows to fit to, and rows to score.
struct Fold {
    train: Vec<DenseRow>,
    truth: Vec<Vec<bool>>,
    weights: Option<Vec<f64>>,
    test: Vec<(usize, DenseRow)>,
    /// What was fitted last, where the next regression begins.
    fitted: Option<LabelRegressions>,
}

impl Fold {
    fn of(rows: &Rows, fold_of: &[usize], fold: usize) -> Self {
        let (test, train): (Vec<usize>, Vec<usize>) = (0..fold_of.len()).partition(|&row| fold_of[row] == fold);
        let raw: Vec<&DenseRow> = train.iter().map(|&row| &rows.states[row]).chain(&rows.names).collect();
        let truth = train.iter().map(|&row| &rows.truth[row]).chain(rows.truth_of_names).cloned().collect();
        let standardization = Standardization::of(&raw);
        Self {
            train: raw.into_iter().map(|row| standardization.apply(row)).collect(),
            truth,
            weights: rows.weights_of(&train),
            test: test.into_iter().map(|row| (row, standardization.apply(&rows.states[row]))).collect(),
            fitted: None,
        }
    }

    /// The probabilities of the rows that it was not fitted to.
    fn scores(&mut self, task: Task, options: FitOptions) -> Vec<(usize, Vec<f64>)> {
        let (rows, width) = (&self.train, self.train[0].len());
        let given = (task, self.truth.as_slice());
        let fitted = LabelRegressions::fit_weighted(given, self.weights.as_deref(), (rows, width), options, self.fitted.as_ref());
        let scores = self.test.iter().map(|(row, states)| (*row, fitted.probabilities(states))).collect();
        self.fitted = Some(fitted);
        scores
    }
}

/// What a penalty is worth out of fold.
struct Scored {
    log_loss: f64,
    inverse_penalty: f64,
    probabilities: Vec<Vec<f64>>,
}

/// The penalty of the least log loss out of fold, from the strongest on, until [`WORSE_IN_A_ROW`] were worse than the best before: the weakest
/// take the longest.
fn best_penalty(rows: &Rows, data: &Dataset, fold_of: &[usize]) -> Option<Scored> {
    let folds = fold_of.iter().max().map_or(0, |last| last + 1);
    let mut folds: Vec<Fold> = (0..folds).into_par_iter().map(|fold| Fold::of(rows, fold_of, fold)).collect();
    let (mut best, mut worse): (Option<Scored>, usize) = (None, 0);
    for inverse_penalty in INVERSE_PENALTIES {
        let options = FitOptions { penalty: 1.0 / inverse_penalty, tolerance: NEAR };
        let mut scored: Vec<(usize, Vec<f64>)> =
            folds.par_iter_mut().flat_map_iter(|fold| fold.scores(rows.task, options)).collect();
        scored.sort_by_key(|(row, _)| *row);
        let probabilities: Vec<Vec<f64>> = scored.into_iter().map(|(_, probabilities)| probabilities).collect();
        let log_loss = mean_log_loss(data, &probabilities);
        worse = if best.as_ref().is_some_and(|best| log_loss >= best.log_loss) { worse + 1 } else { 0 };
        if worse == 0 {
            best = Some(Scored { log_loss, inverse_penalty, probabilities });
        } else if worse == WORSE_IN_A_ROW {
            break;
        }
    }
    best
}

/// Fits a probe on each of the models, and their mixture, to `data`: the `rows`, and behind them copies of each, if there are any. `on_read`
/// hears of each model that has read all texts.
pub(crate) fn fit(
    bases: &[BaseModel],
    prompt: &Prompt,
    max_tokens: usize,
    (data, rows): (&Dataset, &Dataset),
    on_read: &mut dyn FnMut(&BaseModel) -> Result<(), Error>,
) -> Result<Fitted, Error> {
    let fold_of = folds(data, rows);
    let named = NamedLabels::of(rows);
    let (mut probes, mut scores, mut truncated_texts) = (Vec::new(), Vec::new(), 0);
    for (place, base) in bases.iter().enumerate() {
        let reading = Reading::of(base, prompt, max_tokens);
        let states = candidates(base);
        let encoder = text_encoder(base, prompt, max_tokens, reading)?;
        let texts = encoder.encode_batch(&[data.texts.as_slice(), &named.texts].concat())?;
        truncated_texts = truncated_texts.max(texts[..rows.len()].iter().filter(|text| text.truncated_characters > 0).count());
        let read = StateReader::new(base, states.clone(), &encoder)?.read(&texts.iter().collect::<Vec<&EncodedText>>())?;
        on_read(base)?;
        // Without the labels' names, and with them where they are worth a try.
        let candidates: Vec<(usize, bool)> = (0..states.len())
            .flat_map(|states| [false, true].map(|with_names| (states, with_names)))
            .filter(|&(_, with_names)| !with_names || !named.texts.is_empty())
            .collect();
        let of_candidate = |candidate: usize| {
            let (place, with_names) = candidates[candidate];
            let mut states: Vec<DenseRow> = read.iter().map(|text| text[place].clone()).collect();
            let names = states.split_off(data.len());
            let (names, truth_of_names) = if with_names { (names, named.truth.as_slice()) } else { (Vec::new(), &[][..]) };
            Rows { task: data.task, states, truth: &data.truth, names, truth_of_names, weights: data.weights.as_deref() }
        };
        let (chosen, inverse) = match &fold_of {
            None => (candidates.len() - 1, UNCHOSEN),
            Some(fold_of) => {
                let scored = (0..candidates.len()).into_par_iter();
                let scored = scored.map(|candidate| best_penalty(&of_candidate(candidate), data, fold_of));
                let scored: Vec<(usize, Option<Scored>)> = scored.collect::<Vec<_>>().into_iter().enumerate().collect();
                let scored = scored.into_iter().filter_map(|(candidate, scored)| Some((candidate, scored?)));
                let best = scored.min_by(|left, right| left.1.log_loss.total_cmp(&right.1.log_loss));
                let (candidate, Scored { inverse_penalty, probabilities, .. }) = best.expect("a penalty is tried of each");
                scores.push(probabilities);
                (candidate, inverse_penalty)
            }
        };
        let options = FitOptions { penalty: 1.0 / inverse, tolerance: NEAR };
        let of_chosen = of_candidate(chosen);
        let weights = of_chosen.weights_of(&(0..data.len()).collect::<Vec<_>>());
        let Rows { states: rows, truth, names, truth_of_names, .. } = of_chosen;
        let truth = [truth, truth_of_names].concat();
        let probe = Probe::fit((data.task, &truth), weights.as_deref(), &[rows, names].concat(), options);
        probes.push(FittedProbe { base: place, states: states[candidates[chosen].0], reading, probe });
    }
    if scores.is_empty() {
        return Ok(Fitted { mixture: Mixture::equal(probes.len()), probes, log_losses: Vec::new(), truncated_texts });
    }
    let mixture = Mixture::fit((data.task, &data.truth), &scores);
    let log_losses = scores.iter().map(|scores| mean_log_loss(data, scores)).collect();
    Ok(Fitted { probes, mixture, log_losses, truncated_texts })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::{DatasetOptions, LabelColumns};
    use crate::data::records::ReadOptions;

    fn rows(csv: &'static str) -> Dataset {
        let options = DatasetOptions::new("text", LabelColumns::one("label", ["no", "yes"]));
        Dataset::from_reader("rows", Box::new(csv.as_bytes()), &ReadOptions::default(), &options).unwrap()
    }

    #[test]
    fn a_copy_is_in_the_fold_of_its_row() {
        let rows = rows("text,label\nab,no\ncd,yes\nef,no\ngh,yes\nij,no\nkl,yes\n");
        let fold_of = folds(&rows.with_perturbed_copies(1), &rows).unwrap();
        assert_eq!((fold_of.len(), &fold_of[..6]), (12, &fold_of[6..]));
        assert_eq!(*fold_of.iter().max().unwrap(), 2);
    }

    #[test]
    fn a_label_with_one_row_keeps_nobody_from_being_folded_but_few_rows_do() {
        let many = rows("text,label\na,no\nb,no\nc,no\nd,no\ne,no\nf,no\ng,no\nh,no\ni,no\nj,yes\n");
        assert_eq!(folds(&many, &many).unwrap().into_iter().max(), Some(FOLDS - 1));
        let few = rows("text,label\na,no\nb,no\nc,yes\n");
        assert_eq!(folds(&few, &few), None);
    }
}
