//! Whether decisions stand when a text is written otherwise.

use crate::data::perturbation::Perturbation;
use crate::error::Error;
use crate::prediction::{Decision, Prediction};
use crate::statistics::Proportion;
use serde::{Deserialize, Serialize};

/// What one way to write texts otherwise does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flips {
    /// Which way, as [`Perturbation`] shows it.
    pub kind: String,
    /// Texts that become others; a text without a letter has no typo.
    pub changed: u64,
    /// Decisions that become others.
    pub flips: u64,
    /// flips / changed.
    pub share: Option<f64>,
    /// Its exact 95 % interval.
    pub interval: [f64; 2],
    /// Texts that lose a label: of two exclusive labels the last, an independent one, or any other exclusive one for a text that had it.
    pub lost: u64,
    /// The mean over the changed texts of the largest change of a probability.
    pub mean_change: f64,
    /// The largest of all.
    pub largest_change: f64,
}

/// What all of them do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Robustness {
    /// Texts.
    pub rows: usize,
    /// Decides which letters change.
    pub seed: u64,
    /// Each way.
    pub kinds: Vec<Flips>,
}

impl Robustness {
    /// Predicts the texts as they are, and written otherwise in each of `kinds`.
    ///
    /// # Errors
    /// Those of `predict`.
    pub fn of(
        texts: &[String],
        kinds: &[Perturbation],
        seed: u64,
        mut predict: impl FnMut(&[String]) -> Result<Vec<Prediction>, Error>,
    ) -> Result<Self, Error> {
        let plain = predict(texts)?;
        let of = |&kind: &Perturbation| {
            let otherwise: Vec<String> = texts.iter().map(|text| kind.perturbed(text, seed)).collect();
            let changed = texts.iter().zip(&otherwise).filter(|(text, otherwise)| text != otherwise).count();
            Ok(flips(kind, changed as u64, &plain, &predict(&otherwise)?))
        };
        let kinds = kinds.iter().map(of).collect::<Result<_, Error>>()?;
        Ok(Self { rows: texts.len(), seed, kinds })
    }
}

fn flips(kind: Perturbation, changed: u64, plain: &[Prediction], otherwise: &[Prediction]) -> Flips {
    let pairs = || plain.iter().zip(otherwise);
    let changes: Vec<f64> = pairs()
        .map(|(a, b)| a.probabilities.iter().zip(&b.probabilities).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max))
        .collect();
    let flips = pairs().filter(|(a, b)| a.decision != b.decision).count() as u64;
    let share = Proportion::new(flips, changed);
    Flips {
        kind: kind.to_string(),
        changed,
        flips,
        share: share.value(),
        interval: share.interval(),
        lost: pairs().filter(|(a, b)| loses_a_label(a, b)).count() as u64,
        mean_change: changes.iter().sum::<f64>() / changed.max(1) as f64,
        largest_change: changes.into_iter().fold(0.0, f64::max),
    }
}

fn loses_a_label(plain: &Prediction, otherwise: &Prediction) -> bool {
    match (&plain.decision, plain.probabilities.len()) {
        // Of two exclusive labels the first is no flag to lose.
        (Decision::Label(0), 2) | (Decision::Abstain, _) => false,
        _ => plain.given().iter().zip(otherwise.given()).any(|(&before, after)| before && !after),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Task;

    /// A text that cannot be written otherwise is no decision that stood.
    #[test]
    fn shares_are_of_the_texts_that_change() {
        let texts = ["Bus", "...", "AB", "tram"].map(str::to_owned);
        let predict = |texts: &[String]| {
            let is_plain = |text: &String| text.chars().all(|character| character.is_lowercase() || character == '.');
            let of = |text| Prediction::new(Task::SingleLabel, if is_plain(text) { vec![1.0, 0.0] } else { vec![0.0, 1.0] }, 0);
            Ok(texts.iter().map(of).collect())
        };
        let found = Robustness::of(&texts, &[Perturbation::UpperCase, Perturbation::Typos], 1, predict).unwrap();
        let [upper_case, typos] = found.kinds.as_slice() else { panic!("{found:?}") };
        assert_eq!((upper_case.changed, upper_case.flips, upper_case.share, upper_case.mean_change), (2, 1, Some(0.5), 0.5));
        assert_eq!((typos.changed, typos.lost), (2, 0));
        assert!(Robustness::of(&texts[1..2], &[Perturbation::Typos], 1, predict).unwrap().kinds[0].share.is_none());
    }
}
