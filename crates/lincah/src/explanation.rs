//! Which words did it: spans are left out, and the change of the score is their share in the decision.

use crate::classifier::AgileClassifier;
use crate::error::Error;
use crate::prediction::{Decision, Prediction};
use serde::Serialize;
use std::ops::Range;

/// Words of the spans that are left out, the longest first.
const SPAN_WORDS: [usize; 4] = [5, 3, 2, 1];
/// Most variants of one text; a long text is looked at in longer steps.
const MOST_VARIANTS: usize = 160;
/// Most reasons per text.
const MOST_REASONS: usize = 5;
/// A smaller change is no reason.
const LEAST_CHANGE: f64 = 0.01;
/// A longer span must change the score by so much more than a shorter one to be preferred, for each word more.
const PER_WORD: f64 = 1.1;

/// A span of a text and what leaving it out does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reason {
    /// Its first character, from 0, in Unicode scalar values.
    pub start: usize,
    /// One behind its last.
    pub end: usize,
    /// Its characters.
    pub text: String,
    /// The label that it speaks for, or against.
    pub label: String,
    /// The label's probability with the span less that without: above 0 it speaks for the label.
    pub change: f64,
}

/// A prediction and its reasons.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// Of the whole text.
    pub prediction: Prediction,
    /// Spans that do not overlap, the strongest first.
    pub reasons: Vec<Reason>,
    /// The labels that were explained, by number, with the probability of each where all of its reasons are left out.
    pub without_all: Vec<(usize, f64)>,
}

impl AgileClassifier {
    /// Explains each text by occlusion: runs of 1, 2, 3 and 5 words are left out in turn, and a label's reasons are those whose absence
    /// changes its probability most, chosen one after the other so that none overlap; a longer one must change it clearly more than a
    /// shorter one.
    ///
    /// What is explained is the decision: the exclusive label that is given, or the most probable where nothing was decided; each
    /// independent label that is given, or the most probable where none is.
    ///
    /// Evidence that is there twice has no single reason: `without_all` shows what all of them are worth together.
    ///
    /// Source: Zeiler and Fergus 2014, *Visualizing and Understanding Convolutional Networks*, for images; Li, Monroe and Jurafsky 2016,
    /// arXiv 1612.08220, for words.
    ///
    /// # Errors
    /// As [`AgileClassifier::predict`].
    pub fn explain<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Vec<Explanation>, Error> {
        let predictions = self.predict(texts)?;
        texts.iter().zip(predictions).map(|(text, prediction)| self.explained(text.as_ref(), prediction)).collect()
    }

    fn explained(&self, text: &str, prediction: Prediction) -> Result<Explanation, Error> {
        let characters: Vec<char> = text.chars().collect();
        let spans = spans(&words(&characters));
        let variants: Vec<String> =
            spans.iter().map(|span| without(&characters, std::slice::from_ref(&span.characters))).collect();
        let scored = self.predict_by_the_same(&prediction, &variants)?;
        let (mut reasons, mut left_out) = (Vec::new(), Vec::new());
        for label in decided(&prediction) {
            let change = |variant: &Prediction| prediction.probabilities[label] - variant.probabilities[label];
            let changes: Vec<f64> = scored.iter().map(change).collect();
            let chosen = chosen(&spans, &changes);
            let ranges: Vec<Range<usize>> = chosen.iter().map(|&span| spans[span].characters.clone()).collect();
            left_out.push((label, without(&characters, &ranges)));
            reasons.extend(chosen.into_iter().map(|span| {
                let Range { start, end } = spans[span].characters;
                let label = self.labels().names()[label].clone();
                Reason { start, end, text: characters[start..end].iter().collect(), label, change: changes[span] }
            }));
        }
        let texts: Vec<&String> = left_out.iter().map(|(_, text)| text).collect();
        let without_all = self.predict_by_the_same(&prediction, &texts)?.into_iter().zip(&left_out);
        let without_all = without_all.map(|(found, (label, _))| (*label, found.probabilities[*label])).collect();
        Ok(Explanation { prediction, reasons, without_all })
    }
}

/// The labels that a decision is explained by.
fn decided(prediction: &Prediction) -> Vec<usize> {
    match &prediction.decision {
        Decision::Label(label) => vec![*label],
        Decision::Labels(given) if given.contains(&true) => (0..given.len()).filter(|&label| given[label]).collect(),
        Decision::Labels(_) | Decision::Abstain => vec![prediction.most_probable()],
    }
}

/// The places of the words: runs of letters, digits and marks inside them; any other sign is a word of its own.
fn words(characters: &[char]) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    let is_inside = |at: usize| {
        let is_joined = |at: usize| characters.get(at).is_some_and(|character| character.is_alphanumeric());
        characters[at].is_alphanumeric() || "'’-_".contains(characters[at]) && at > 0 && is_joined(at - 1) && is_joined(at + 1)
    };
    for at in (0..characters.len()).filter(|&at| !characters[at].is_whitespace()) {
        match words.last_mut() {
            Some(last) if last.end == at && is_inside(at) && is_inside(at - 1) => last.end = at + 1,
            _ => words.push(at..at + 1),
        }
    }
    words
}

/// A run of words.
struct Span {
    characters: Range<usize>,
    words: usize,
}

/// The runs of words that are left out, as many as may be; the whole text is none.
fn spans(words: &[Range<usize>]) -> Vec<Span> {
    let mut spans = Vec::new();
    for length in SPAN_WORDS.into_iter().filter(|&length| length < words.len()) {
        let places = words.len() - length + 1;
        // All lengths get a like share of the variants.
        let step = places.div_ceil(MOST_VARIANTS / SPAN_WORDS.len());
        let span = |first: usize| Span { characters: words[first].start..words[first + length - 1].end, words: length };
        spans.extend((0..places).step_by(step).map(span));
    }
    spans
}

/// The strongest spans that do not overlap.
fn chosen(spans: &[Span], changes: &[f64]) -> Vec<usize> {
    let strength = |span: usize| changes[span].abs() / PER_WORD.powi(spans[span].words as i32 - 1);
    let mut order: Vec<usize> = (0..spans.len()).filter(|&span| changes[span].abs() >= LEAST_CHANGE).collect();
    order.sort_by(|&left, &right| strength(right).total_cmp(&strength(left)));
    let mut chosen: Vec<usize> = Vec::new();
    for span in order {
        let Range { start, end } = spans[span].characters;
        let is_apart = |&other: &usize| spans[other].characters.end <= start || end <= spans[other].characters.start;
        if chosen.len() < MOST_REASONS && chosen.iter().all(is_apart) {
            chosen.push(span);
        }
    }
    chosen
}

/// The text without some spans; of the white space around each, one side stays.
fn without(characters: &[char], spans: &[Range<usize>]) -> String {
    let is_out = |at: usize| spans.iter().any(|span| span.contains(&at));
    let mut text = String::new();
    for (at, &character) in characters.iter().enumerate().filter(|&(at, _)| !is_out(at)) {
        let after_a_span = at > 0 && is_out(at - 1);
        if after_a_span && character.is_whitespace() && (text.is_empty() || text.ends_with(char::is_whitespace)) {
            continue;
        }
        text.push(character);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_left_out_with_their_space() {
        let characters: Vec<char> = "It isn't late, is it?".chars().collect();
        let texts: Vec<String> = words(&characters).into_iter().map(|word| characters[word].iter().collect()).collect();
        assert_eq!(texts, ["It", "isn't", "late", ",", "is", "it", "?"]);
        assert_eq!(without(&characters, std::slice::from_ref(&(3..8))), "It late, is it?");
        assert_eq!(without(&characters, &[0..2, 3..8]), "late, is it?");
    }

    proptest! {
        #[test]
        fn spans_are_in_the_text_and_reasons_do_not_overlap(text in any::<String>(), seed in any::<u64>()) {
            let characters: Vec<char> = text.chars().collect();
            let words = words(&characters);
            prop_assert!(words.windows(2).all(|pair| pair[0].end <= pair[1].start));
            let spans = spans(&words);
            prop_assert!(spans.len() <= MOST_VARIANTS + SPAN_WORDS.len());
            for span in &spans {
                prop_assert!(span.characters.start < span.characters.end && span.characters.end <= characters.len());
                let shorter = without(&characters, std::slice::from_ref(&span.characters));
                prop_assert!(shorter.chars().count() < characters.len());
            }
            let changes: Vec<f64> = (0..spans.len() as u64).map(|span| ((span ^ seed) % 97) as f64 / 97.0 - 0.5).collect();
            let reasons = chosen(&spans, &changes);
            for (index, &a) in reasons.iter().enumerate() {
                for &b in &reasons[index + 1..] {
                    let (a, b) = (&spans[a].characters, &spans[b].characters);
                    prop_assert!(a.end <= b.start || b.end <= a.start);
                }
            }
        }
    }
}
