//! Texts written so that people read them and classifiers do not, read as people do.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use unicode_normalization::UnicodeNormalization;
use unicode_security::confusable_detection::skeleton;

/// Which reading of a text is scored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Obfuscation {
    /// The text as it is written.
    #[default]
    AsWritten,
    /// The text as it is written and [deobfuscated](deobfuscated): the higher probability of the positive one of two labels, or of each
    /// independent label.
    HigherOfBoth,
}

impl Obfuscation {
    pub(super) fn is_as_written(&self) -> bool {
        *self == Self::AsWritten
    }

    /// The readings of a text: itself first.
    pub fn readings(self, text: &str) -> Vec<Cow<'_, str>> {
        let deobfuscated = (self == Self::HigherOfBoth).then(|| deobfuscated(text)).filter(|plain| plain != text);
        [Some(Cow::Borrowed(text)), deobfuscated].into_iter().flatten().collect()
    }
}

/// Fewest letters with the same sign between them that are one spaced word.
const FEWEST_SPACED: usize = 3;
/// What is written for a letter by shape.
const LEET: [(char, char); 9] =
    [('0', 'o'), ('1', 'i'), ('3', 'e'), ('4', 'a'), ('5', 's'), ('7', 't'), ('8', 'b'), ('9', 'g'), ('$', 's')];

/// The text as its readers see it, in four steps:
///
/// 1. characters that have no shape are left out; joiners only beside ASCII letters and digits, since other scripts write with them;
/// 2. letters in another style (mathematical, full width: Unicode NFKC) and, inside words with ASCII letters, those that look like them
///    (the skeleton of Unicode Technical Standard 39) become ASCII; so do whole words, where most of the text is ASCII and all else looks it;
/// 3. three or more single letters or digits with the same space or sign between them become a word;
/// 4. digits and signs between letters, or before three, become the letters that they look like.
///
/// Words wholly in another script stay as they are. What it cannot know: two spaced words side by side become one, and so do lists such as
/// `A B C`; and `@` for a is left alone, for the sake of addresses.
///
/// ```
/// use lincah::prompt::deobfuscated;
///
/// assert_eq!(deobfuscated("y\u{200b}ou аre w e i r d, 5tranger"), "you are weird, stranger");
/// assert_eq!(deobfuscated("Это 4 книги, naïve façade, 3pm"), "Это 4 книги, naïve façade, 3pm");
/// ```
pub fn deobfuscated(text: &str) -> Cow<'_, str> {
    let visible = visible(text);
    let lettered = with_latin_letters(&visible);
    let joined = with_joined_letters(&lettered);
    let plain = without_leetspeak(&joined);
    match plain == text {
        true => Cow::Borrowed(text),
        false => Cow::Owned(plain),
    }
}

fn visible(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let is_plain = |at: Option<usize>| at.and_then(|at| characters.get(at)).is_some_and(char::is_ascii_alphanumeric);
    let stays = |&(at, character): &(usize, &char)| match character {
        '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' => false,
        '\u{feff}' | '\u{e0000}'..='\u{e007f}' => false,
        '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' => !is_plain(at.checked_sub(1)) && !is_plain(Some(at + 1)),
        _ => true,
    };
    characters.iter().enumerate().filter(stays).map(|(_, character)| *character).collect()
}

/// The ASCII letter that a letter shows: itself, or one in another style or that looks like it.
fn latin(letter: char) -> Option<char> {
    if letter.is_ascii() {
        return letter.is_ascii_alphabetic().then_some(letter);
    }
    styled(letter).or_else(|| {
        let text = letter.to_string();
        let shape = only(skeleton(&text))?;
        // Standard 39 draws a capital I as a small l.
        let shape = if shape == 'l' && letter.is_uppercase() { 'I' } else { shape };
        shape.is_ascii_alphabetic().then_some(shape)
    })
}

/// The ASCII letter that a letter is by its very nature.
fn styled(letter: char) -> Option<char> {
    only(std::iter::once(letter).nfkc()).filter(|shown| !letter.is_ascii() && shown.is_ascii_alphabetic())
}

fn only(mut characters: impl Iterator<Item = char>) -> Option<char> {
    characters.next().filter(|_| characters.next().is_none())
}

fn with_latin_letters(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let letters = || text.chars().filter(|character| character.is_alphabetic());
    let ascii = letters().filter(char::is_ascii).count();
    // Where a letter of another script is one for certain, so are those beside it that could be either.
    let is_disguised = 2 * ascii >= letters().count() && letters().all(|letter| latin(letter).is_some());
    let characters: Vec<char> = text.chars().collect();
    let words = characters.chunk_by(|left, right| left.is_alphanumeric() == right.is_alphanumeric());
    let of = |word: &[char]| {
        let disguised = is_disguised || word.iter().any(char::is_ascii_alphabetic);
        let shown = |&letter: &char| styled(letter).or_else(|| latin(letter).filter(|_| disguised)).unwrap_or(letter);
        word.iter().map(shown).collect::<String>()
    };
    words.map(of).collect()
}

fn with_joined_letters(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let letter = |at: usize| characters.get(at).is_some_and(|character| character.is_alphanumeric());
    let sign = |at: usize| characters.get(at).copied().filter(|sign| matches!(sign, ' ' | '.' | '-' | '_' | '*'));
    let mut joined = String::with_capacity(text.len());
    let mut at = 0;
    while at < characters.len() {
        let mut letters = 0;
        let begins = letter(at) && !(at > 0 && letter(at - 1));
        if let Some(between) = sign(at + 1).filter(|_| begins) {
            // The last letter may not begin a word.
            while letter(at + 2 * letters) && !letter(at + 2 * letters + 1) {
                letters += 1;
                if sign(at + 2 * letters - 1) != Some(between) {
                    break;
                }
            }
        }
        match letters {
            FEWEST_SPACED.. => {
                joined.extend((0..letters).map(|letter| characters[at + 2 * letter]));
                at += 2 * letters - 1;
            }
            _ => {
                joined.push(characters[at]);
                at += 1;
            }
        }
    }
    joined
}

fn without_leetspeak(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let shown = |character: char| LEET.iter().find(|(sign, _)| *sign == character).map(|(_, letter)| *letter);
    let runs = characters.chunk_by(|left, right| shown(*left).is_some() == shown(*right).is_some());
    let (mut plain, mut begin) = (String::with_capacity(text.len()), 0);
    for run in runs {
        let end = begin + run.len();
        let letters_behind = characters[end..].iter().take_while(|character| character.is_alphabetic()).count();
        let enough = match begin > 0 && characters[begin - 1].is_alphabetic() {
            true => letters_behind > 0,
            false => letters_behind >= 3 && run.len() == 1,
        };
        plain.extend(run.iter().map(|&character| shown(character).filter(|_| enough).unwrap_or(character)));
        begin = end;
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::perturbation::Perturbation;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_plainly_stays() {
        let plain = [
            "",
            "The bus is late again.",
            "B2B, mp3, 4th, covid19, 90s, 1990, $5, me@home",
            "naïve façade in Zürich, señor",
            "Привет, как дела?",
            "Το λεωφορείο άργησε",
            "می‌خواهم",
            "👩‍👩‍👧 ❤️ ok 👍",
            "I a fish",
            "日本語のテキスト",
        ];
        for text in plain {
            assert_eq!(deobfuscated(text), text);
        }
    }

    #[test]
    fn what_is_disguised_is_read() {
        let disguised = [
            ("s.t.u.p.i.d", "stupid"),
            ("you i d i o t!", "you idiot!"),
            ("so-called c-r-a-p is here", "so-called crap is here"),
            ("𝐛𝐚𝐝 ｗｏｒｄ", "bad word"),
            ("раура1 is the раypal here", "paypa1 is the paypal here"),
            ("h4te and st0p, 5tupid", "hate and stop, stupid"),
            ("\u{feff}b\u{ad}a\u{200d}d", "bad"),
        ];
        for (text, plain) in disguised {
            assert_eq!(deobfuscated(text), plain, "{text}");
        }
    }

    #[test]
    fn look_alikes_and_invisible_characters_of_an_audit_are_undone() {
        let text = "The bus is late again, and nobody says when a driver comes.";
        for seed in 0..100 {
            for kind in [Perturbation::Homoglyphs, Perturbation::ZeroWidth] {
                assert_eq!(deobfuscated(&kind.perturbed(text, seed)), text, "{kind} {seed}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_text_is_never_longer_and_without_reason_the_same(text in any::<String>(), words in "[a-z]{2,9}( [a-z]{2,9}){0,6}") {
            prop_assert!(deobfuscated(&text).chars().count() <= text.chars().count());
            prop_assert_eq!(deobfuscated(&words), Cow::Borrowed(&*words));
            prop_assert_eq!(Obfuscation::AsWritten.readings(&text), vec![Cow::Borrowed(&*text)]);
        }
    }
}
