//! TF-IDF of words and of parts of words.

use crate::regression::SparseRow;
use std::collections::HashMap;

/// Two vocabularies with their inverse document frequencies: words, then characters.
///
/// The value of term t in a text is tf(t) · idf(t), divided by the Euclidean norm of its vocabulary's values in the text, with tf the number
/// of times that t is in the text and idf(t) = ln((1 + n) / (1 + df(t))) + 1, df the number of the n training texts that have t.
///
/// Source: Salton and Buckley 1988, doi 10.1016/0306-4573(88)90021-0, in the form of scikit-learn's `TfidfVectorizer`.
#[derive(Debug, Clone)]
pub(super) struct Features {
    words: Vocabulary,
    characters: Vocabulary,
}

#[derive(Debug, Clone, Default)]
struct Vocabulary {
    indices: HashMap<String, usize>,
    inverse_document_frequencies: Vec<f64>,
}

impl Features {
    pub(super) fn of(texts: &[String]) -> Self {
        Self { words: Vocabulary::of(texts, word_terms), characters: Vocabulary::of(texts, character_terms) }
    }

    pub(super) fn len(&self) -> usize {
        self.words.indices.len() + self.characters.indices.len()
    }

    /// The features of any text; terms that no training text has are left out.
    pub(super) fn row(&self, text: &str) -> SparseRow {
        let mut row = self.words.row(&word_terms(text));
        let offset = self.words.indices.len();
        row.extend(self.characters.row(&character_terms(text)).into_iter().map(|(index, value)| (offset + index, value)));
        row
    }
}

impl Vocabulary {
    fn of(texts: &[String], terms: fn(&str) -> Vec<String>) -> Self {
        let mut vocabulary = Self::default();
        let mut documents: Vec<usize> = Vec::new();
        for text in texts {
            let mut seen = std::collections::HashSet::new();
            for term in terms(text) {
                let next = documents.len();
                let index = *vocabulary.indices.entry(term).or_insert(next);
                if index == next {
                    documents.push(0);
                }
                documents[index] += usize::from(seen.insert(index));
            }
        }
        let n = texts.len() as f64;
        let frequency = |&documents: &usize| ((1.0 + n) / (1.0 + documents as f64)).ln() + 1.0;
        vocabulary.inverse_document_frequencies = documents.iter().map(frequency).collect();
        vocabulary
    }

    fn row(&self, terms: &[String]) -> SparseRow {
        let mut indices: Vec<usize> = terms.iter().filter_map(|term| self.indices.get(term).copied()).collect();
        indices.sort_unstable();
        let value = |tied: &[usize]| (tied[0], tied.len() as f64 * self.inverse_document_frequencies[tied[0]]);
        let mut row: SparseRow = indices.chunk_by(|left, right| left == right).map(value).collect();
        let norm = row.iter().map(|(_, value)| value * value).sum::<f64>().sqrt();
        row.iter_mut().for_each(|(_, value)| *value /= norm);
        row
    }
}

/// Words of two or more letters, digits or underscores, in lower case, and neighbouring pairs of them.
fn word_terms(text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    let of_word = |character: char| character.is_alphanumeric() || character == '_';
    let words: Vec<&str> = text.split(|character| !of_word(character)).filter(|word| word.chars().nth(1).is_some()).collect();
    let pairs = words.windows(2).map(|pair| pair.join(" "));
    words.iter().map(ToString::to_string).chain(pairs).collect()
}

/// Runs of 2 to 5 characters inside each word with a space on either side; a word that is shorter than a run counts whole, once.
fn character_terms(text: &str) -> Vec<String> {
    let mut terms = Vec::new();
    for word in text.to_lowercase().split_whitespace() {
        let padded: Vec<char> = std::iter::once(' ').chain(word.chars()).chain([' ']).collect();
        for length in 2..=5 {
            if padded.len() <= length {
                terms.push(padded.iter().collect());
                break;
            }
            terms.extend(padded.windows(length).map(|run| run.iter().collect::<String>()));
        }
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_those_of_scikit_learn() {
        assert_eq!(word_terms("I agree, a_b x2!"), ["agree", "a_b", "x2", "agree a_b", "a_b x2"]);
        assert_eq!(character_terms("Ab\n c"), [" a", "ab", "b ", " ab", "ab ", " ab ", " c", "c ", " c "]);
    }
}
