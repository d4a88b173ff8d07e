//! Texts as people write them who want to be read by others but not by a classifier.

use super::dataset::Dataset;
use crate::random::below;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// A way to write a text otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Perturbation {
    /// Digits and signs for letters that look alike, `l33t`: a half of those that have one.
    Leetspeak,
    /// Cyrillic and Greek letters that look like Latin ones: a half of those that have one.
    Homoglyphs,
    /// Characters without width inside words: behind a third of the letters.
    ZeroWidth,
    /// Spaces between the letters of a third of the words.
    SpacedLetters,
    /// Capitals only.
    UpperCase,
    /// Two letters of every third word change places, or one is left out or doubled.
    Typos,
    /// A letter of every third word is written three times more.
    RepeatedLetters,
    /// An emoji behind every fourth word, and at the end.
    Emoji,
}

lincah_model::named_choices!(Perturbation, "perturbation": Leetspeak = "leetspeak", Homoglyphs = "homoglyphs", ZeroWidth = "zero-width", SpacedLetters = "spaced-letters", UpperCase = "upper-case", Typos = "typos", RepeatedLetters = "repeated-letters", Emoji = "emoji");

const LEET: [(char, char); 8] = [('a', '4'), ('e', '3'), ('i', '1'), ('o', '0'), ('s', '5'), ('t', '7'), ('b', '8'), ('g', '9')];
/// Latin letters and the Cyrillic or Greek ones that look like them.
const LOOK_ALIKES: [(char, char); 14] = [
    ('a', 'а'),
    ('c', 'с'),
    ('e', 'е'),
    ('i', 'і'),
    ('j', 'ј'),
    ('o', 'о'),
    ('p', 'р'),
    ('s', 'ѕ'),
    ('x', 'х'),
    ('y', 'у'),
    ('v', 'ν'),
    ('A', 'А'),
    ('E', 'Е'),
    ('O', 'О'),
];
const ZERO_WIDTH: [char; 3] = ['\u{200b}', '\u{200c}', '\u{2060}'];
const EMOJI: [char; 6] = ['🙂', '🔥', '👍', '😀', '⭐', '🎉'];

impl Perturbation {
    /// The text written otherwise, in at least one place where there is one; capitals stay capitals, and two letters have no typo. The same seed
    /// and text give the same.
    pub fn perturbed(self, text: &str, seed: u64) -> String {
        // Each text has draws of its own, so that not all have them at the same places.
        let of_text =
            text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        let mut random = ChaCha8Rng::seed_from_u64(seed ^ of_text);
        let mut draw = |count: usize| below(&mut random, count);
        let alike = |table: &'static [(char, char)], draw: &mut dyn FnMut(usize) -> usize| {
            let other = |unit: &[char]| table.iter().find(|(letter, _)| *letter == unit[0]).map(|(_, other)| *other);
            rewritten(characters(text), 2, draw, |unit| other(unit).is_some(), |unit, _| other(unit).into_iter().collect())
        };
        match self {
            Self::Leetspeak => alike(&LEET, &mut draw),
            Self::Homoglyphs => alike(&LOOK_ALIKES, &mut draw),
            Self::UpperCase => text.to_uppercase(),
            Self::ZeroWidth => {
                let behind = |letter: &[char], draw: Draw<'_>| vec![letter[0], ZERO_WIDTH[draw(ZERO_WIDTH.len())]];
                rewritten(characters(text), 3, &mut draw, |unit| unit[0].is_alphabetic(), behind)
            }
            Self::SpacedLetters => {
                let spaced =
                    |word: &[char], _: Draw<'_>| word.iter().flat_map(|&letter| [letter, ' ']).take(2 * word.len() - 1).collect();
                rewritten(words(text), 3, &mut draw, |unit| is_word(unit) && unit.len() > 1, spaced)
            }
            Self::Typos => rewritten(words(text), 3, &mut draw, |unit| is_word(unit) && unit.len() > 2, mistyped),
            Self::RepeatedLetters => rewritten(words(text), 3, &mut draw, is_word, |word, draw| {
                let at = draw(word.len());
                let mut longer = word.to_vec();
                longer.splice(at..at, std::iter::repeat_n(word[at], 3));
                longer
            }),
            Self::Emoji => {
                let behind = |word: &[char], draw: Draw<'_>| [word, &[' ', EMOJI[draw(EMOJI.len())]]].concat();
                let with = rewritten(words(text), 4, &mut draw, is_word, behind);
                format!("{with} {}", EMOJI[draw(EMOJI.len())])
            }
        }
    }
}

impl Dataset {
    /// The rows, and behind them one copy of each whose text is written otherwise, in a way drawn for it, or in the next that changes it;
    /// labels, numbers and columns are the row's.
    pub fn with_perturbed_copies(&self, seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let twice: Vec<usize> = (0..self.len()).chain(0..self.len()).collect();
        let mut both = self.subset(&twice);
        for text in &mut both.texts[self.len()..] {
            let first = below(&mut random, Perturbation::ALL.len());
            let kinds = Perturbation::ALL.iter().cycle().skip(first).take(Perturbation::ALL.len());
            // An emoji is put behind any text.
            *text = kinds.map(|kind| kind.perturbed(text, seed)).find(|other| other != text).unwrap_or_default();
        }
        both
    }
}

/// A number below the one given.
type Draw<'d> = &'d mut dyn FnMut(usize) -> usize;

/// The units one after the other, each of the `eligible` ones rewritten with a chance of one in `one_in`; where there are any, one is for sure.
fn rewritten(
    units: Vec<Vec<char>>,
    one_in: usize,
    draw: Draw<'_>,
    eligible: impl Fn(&[char]) -> bool,
    rewrite: impl Fn(&[char], Draw<'_>) -> Vec<char>,
) -> String {
    let eligible: Vec<usize> = (0..units.len()).filter(|&at| eligible(&units[at])).collect();
    let mut chosen: Vec<usize> = eligible.iter().copied().filter(|_| draw(one_in) == 0).collect();
    if chosen.is_empty() && !eligible.is_empty() {
        chosen.push(eligible[draw(eligible.len())]);
    }
    let mut units = units;
    for at in chosen {
        units[at] = rewrite(&units[at], draw);
    }
    units.into_iter().flatten().collect()
}

fn characters(text: &str) -> Vec<Vec<char>> {
    text.chars().map(|character| vec![character]).collect()
}

/// Runs of letters and digits, and what is between them.
fn words(text: &str) -> Vec<Vec<char>> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunk_by(|left, right| left.is_alphanumeric() == right.is_alphanumeric()).map(<[char]>::to_vec).collect()
}

fn is_word(unit: &[char]) -> bool {
    unit[0].is_alphanumeric()
}

fn mistyped(word: &[char], draw: Draw<'_>) -> Vec<char> {
    let mut typed = word.to_vec();
    let at = draw(word.len() - 1);
    match draw(3) {
        0 if word[at] != word[at + 1] => typed.swap(at, at + 1),
        1 => {
            typed.remove(at);
        }
        _ => typed.insert(at, word[at]),
    }
    typed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::{DatasetOptions, LabelColumns};
    use crate::data::records::ReadOptions;
    use proptest::prelude::*;

    #[test]
    fn every_kind_changes_a_text_with_letters() {
        let text = "The bus is late again, and nobody says when the next one comes.";
        for kind in Perturbation::ALL {
            assert_ne!(kind.perturbed(text, 1), text, "{kind}");
            for seed in 0..200 {
                for short in ["bad", "Eek!", "so bus"] {
                    assert_ne!(kind.perturbed(short, seed), short, "{kind} {seed}");
                }
            }
        }
    }

    #[test]
    fn a_copy_differs_from_its_text() {
        let csv = "text,label\nAB,no\n!,yes\n...,no\nBus,yes\n7,no\n";
        let options = DatasetOptions::new("text", LabelColumns::one("label", ["no", "yes"]));
        let data = Dataset::from_reader("texts", Box::new(csv.as_bytes()), &ReadOptions::default(), &options).unwrap();
        for seed in 0..50 {
            let both = data.with_perturbed_copies(seed);
            for (text, copy) in both.texts[..5].iter().zip(&both.texts[5..]) {
                assert_ne!(text, copy);
            }
        }
    }

    proptest! {
        #[test]
        fn what_was_put_in_can_be_taken_out(text in any::<String>(), seed in any::<u64>()) {
            let without = |text: &str, left_out: &[char]| text.chars().filter(|character| !left_out.contains(character)).collect::<String>();
            for kind in Perturbation::ALL {
                let found = kind.perturbed(&text, seed);
                prop_assert_eq!(&found, &kind.perturbed(&text, seed), "the same again");
                match kind {
                    Perturbation::ZeroWidth => prop_assert_eq!(without(&found, &ZERO_WIDTH), without(&text, &ZERO_WIDTH)),
                    Perturbation::SpacedLetters => prop_assert_eq!(without(&found, &[' ']), without(&text, &[' '])),
                    Perturbation::Emoji => {
                        let left_out = [EMOJI.as_slice(), &[' ']].concat();
                        prop_assert_eq!(without(&found, &left_out), without(&text, &left_out));
                    }
                    Perturbation::Homoglyphs | Perturbation::Leetspeak => prop_assert_eq!(found.chars().count(), text.chars().count()),
                    Perturbation::UpperCase => prop_assert_eq!(found, text.to_uppercase()),
                    Perturbation::Typos | Perturbation::RepeatedLetters => {}
                }
            }
        }
    }
}
