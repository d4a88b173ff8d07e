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
    /// The text written otherwise. The same seed and text give the same.
    pub fn perturbed(self, text: &str, seed: u64) -> String {
        // Each text has draws of its own, so that not all have them at the same places.
        let of_text =
            text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        let mut random = ChaCha8Rng::seed_from_u64(seed ^ of_text);
        let mut draw = |count: usize| below(&mut random, count);
        match self {
            Self::Leetspeak => replaced(text, &LEET, &mut draw),
            Self::Homoglyphs => replaced(text, &LOOK_ALIKES, &mut draw),
            Self::UpperCase => text.to_uppercase(),
            Self::ZeroWidth => {
                let behind = |character: char| match character.is_alphabetic() && draw(3) == 0 {
                    true => vec![character, ZERO_WIDTH[draw(ZERO_WIDTH.len())]],
                    false => vec![character],
                };
                text.chars().flat_map(behind).collect()
            }
            Self::SpacedLetters => words(text, |word| match word.len() > 1 && draw(3) == 0 {
                true => word.iter().flat_map(|&letter| [letter, ' ']).take(2 * word.len() - 1).collect(),
                false => word.to_vec(),
            }),
            Self::Typos => {
                words(text, |word| if word.len() > 2 && draw(3) == 0 { mistyped(word, &mut draw) } else { word.to_vec() })
            }
            Self::RepeatedLetters => words(text, |word| {
                let at = draw(word.len());
                let repeated = if draw(3) == 0 { 3 } else { 0 };
                let mut longer = word.to_vec();
                longer.splice(at..at, std::iter::repeat_n(word[at], repeated));
                longer
            }),
            Self::Emoji => {
                let with = words(text, |word| match draw(4) {
                    0 => [word, &[' ', EMOJI[draw(EMOJI.len())]]].concat(),
                    _ => word.to_vec(),
                });
                format!("{with} {}", EMOJI[draw(EMOJI.len())])
            }
        }
    }
}

impl Dataset {
    /// The rows, and behind them one copy of each whose text is written otherwise, in a way drawn for it; labels, numbers and columns are the row's.
    pub fn with_perturbed_copies(&self, seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let twice: Vec<usize> = (0..self.len()).chain(0..self.len()).collect();
        let mut both = self.subset(&twice);
        for text in &mut both.texts[self.len()..] {
            *text = Perturbation::ALL[below(&mut random, Perturbation::ALL.len())].perturbed(text, seed);
        }
        both
    }
}

/// A half of the letters that have something that looks like them.
fn replaced(text: &str, alike: &[(char, char)], draw: &mut impl FnMut(usize) -> usize) -> String {
    let other = |character: char| match alike.iter().find(|(letter, _)| *letter == character) {
        Some((_, other)) if draw(2) == 0 => *other,
        _ => character,
    };
    text.chars().map(other).collect()
}

/// Runs of letters and digits, each made something else; all between them stays.
fn words(text: &str, mut of: impl FnMut(&[char]) -> Vec<char>) -> String {
    let characters: Vec<char> = text.chars().collect();
    let runs = characters.chunk_by(|left, right| left.is_alphanumeric() == right.is_alphanumeric());
    runs.flat_map(|run| if run[0].is_alphanumeric() { of(run) } else { run.to_vec() }).collect()
}

fn mistyped(word: &[char], draw: &mut impl FnMut(usize) -> usize) -> Vec<char> {
    let mut typed = word.to_vec();
    let at = draw(word.len() - 1);
    match draw(3) {
        0 => typed.swap(at, at + 1),
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
    use proptest::prelude::*;

    #[test]
    fn every_kind_changes_a_text_with_letters() {
        let text = "The bus is late again, and nobody says when the next one comes.";
        for kind in Perturbation::ALL {
            assert_ne!(kind.perturbed(text, 1), text, "{kind}");
            assert_ne!(kind.perturbed(text, 1), kind.perturbed("x", 1), "{kind}");
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
