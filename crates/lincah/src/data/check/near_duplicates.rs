//! Texts that say nearly the same: MinHash finds the pairs, their Jaccard similarity decides.

use std::collections::{BTreeMap, HashMap, HashSet};

use rayon::prelude::*;
use serde::Serialize;

use crate::data::dataset::Dataset;

/// From this Jaccard similarity on, two texts are nearly the same.
pub const NEARLY_THE_SAME: f64 = 0.8;
/// Characters per shingle.
const SHINGLE: usize = 5;
/// Bands of the signature, and hashes per band. A pair of similarity s meets in a band with probability 1 - (1 - s⁴)³²: one of .8 is missed
/// once in 20 million, one of .2 is looked at once in 20.
const BANDS: usize = 32;
const BAND: usize = 4;

/// Rows whose texts are nearly the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NearDuplicates {
    /// The rows, as numbers of the file, in order.
    pub rows: Vec<u64>,
    /// The least similarity of the pairs that hold the group together.
    pub similarity: f64,
    /// Whether all of them have the same labels.
    pub same_labels: bool,
    /// Whether they are on both sides of the split.
    pub across_split: bool,
}

/// Groups of rows whose texts differ by more than case and white space, but hardly; the same texts among them count as one. Two texts are
/// nearly the same where the sets of their runs of five characters, letters and digits in lower case with single spaces between the words,
/// have a Jaccard similarity |A ∩ B| / |A ∪ B| of [`NEARLY_THE_SAME`] or more; a group is what such pairs connect. `held_out` says of each row
/// on which side of a split it is.
///
/// Source: Broder 1997, *On the resemblance and containment of documents*, doi 10.1109/SEQUEN.1997.666900; bands as in Leskovec, Rajaraman and
/// Ullman, *Mining of Massive Datasets*, chapter 3.
pub fn near_duplicates(data: &Dataset, held_out: Option<&[bool]>) -> Vec<NearDuplicates> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut rows_of: Vec<Vec<usize>> = Vec::new();
    for (row, text) in data.texts.iter().enumerate() {
        let place = *places.entry(crate::data::report::normalize(text)).or_insert_with(|| {
            rows_of.push(Vec::new());
            rows_of.len() - 1
        });
        rows_of[place].push(row);
    }
    let shingles: Vec<Vec<u64>> = rows_of.par_iter().map(|rows| shingles(&data.texts[rows[0]])).collect();
    let mut group_of: Vec<usize> = (0..shingles.len()).collect();
    let mut links = Vec::new();
    for (left, right) in candidates(&shingles) {
        let similarity = jaccard(&shingles[left], &shingles[right]);
        if similarity >= NEARLY_THE_SAME {
            let (a, b) = (root(&mut group_of, left), root(&mut group_of, right));
            group_of[a.max(b)] = a.min(b);
            links.push((left, similarity));
        }
    }
    let mut groups: BTreeMap<usize, (Vec<usize>, f64)> = BTreeMap::new();
    for (text, similarity) in links {
        let group = groups.entry(root(&mut group_of, text)).or_insert((Vec::new(), 1.0));
        group.1 = group.1.min(similarity);
    }
    for (text, rows) in rows_of.iter().enumerate() {
        if let Some(group) = groups.get_mut(&root(&mut group_of, text)) {
            group.0.extend(rows);
        }
    }
    let described = |(mut rows, similarity): (Vec<usize>, f64)| {
        rows.sort_unstable();
        let differ = |of: &dyn Fn(usize) -> bool| rows.iter().any(|&row| of(row));
        NearDuplicates {
            rows: rows.iter().map(|&row| data.rows[row]).collect(),
            similarity,
            same_labels: !differ(&|row| data.truth[row] != data.truth[rows[0]]),
            across_split: held_out.is_some_and(|held_out| differ(&|row| held_out[row] != held_out[rows[0]])),
        }
    };
    groups.into_values().map(described).collect()
}

/// The first text of a text's group.
fn root(group_of: &mut [usize], text: usize) -> usize {
    let mut at = text;
    while group_of[at] != at {
        group_of[at] = group_of[group_of[at]];
        at = group_of[at];
    }
    at
}

/// Hashes of the distinct runs of [`SHINGLE`] characters, sorted: of a shorter text the whole, of a text without letters and digits its signs.
fn shingles(text: &str) -> Vec<u64> {
    let spaced: String =
        text.to_lowercase().chars().map(|character| if character.is_alphanumeric() { character } else { ' ' }).collect();
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let plain: Vec<char> = if words.is_empty() { text.trim().chars().collect() } else { words.join(" ").chars().collect() };
    let mut hashes: Vec<u64> = match plain.len() {
        0..SHINGLE => vec![hash(&plain)],
        _ => plain.windows(SHINGLE).map(hash).collect(),
    };
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// FNV-1a over the characters: 64 bits, the same on every machine.
fn hash(characters: &[char]) -> u64 {
    characters.iter().fold(0xCBF2_9CE4_8422_2325, |hash, &character| (hash ^ u64::from(character)).wrapping_mul(0x100_0000_01B3))
}

/// A permutation of the 64-bit numbers, another for each `seed`: the finalizer of SplitMix64 (Steele, Lea and Flood 2014,
/// doi 10.1145/2660193.2660195).
fn mixed(value: u64, seed: u64) -> u64 {
    let mut mixed = value ^ seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// The pairs of texts that agree in a whole band of their signatures, the lower one first, in order.
fn candidates(shingles: &[Vec<u64>]) -> Vec<(usize, usize)> {
    let minimum = |shingles: &[u64], seed: u64| shingles.iter().map(|&shingle| mixed(shingle, seed)).min().unwrap_or(0);
    let of_band = |band: usize| {
        let mut texts_of: HashMap<[u64; BAND], Vec<usize>> = HashMap::new();
        for (text, shingles) in shingles.iter().enumerate() {
            let signature = std::array::from_fn(|place| minimum(shingles, (band * BAND + place) as u64 + 1));
            texts_of.entry(signature).or_default().push(text);
        }
        // Of many in one place each is compared with the first: what is much alike hangs together through it.
        let pairs = |texts: Vec<usize>| -> Vec<(usize, usize)> {
            let firsts = if texts.len() > 50 { 1 } else { texts.len() };
            (0..firsts)
                .flat_map(|first| texts[first + 1..].iter().map(|&other| (texts[first], other)).collect::<Vec<_>>())
                .collect()
        };
        texts_of.into_values().flat_map(pairs).collect::<HashSet<_>>()
    };
    let met: HashSet<(usize, usize)> = (0..BANDS).into_par_iter().flat_map_iter(of_band).collect();
    let mut pairs: Vec<(usize, usize)> = met.into_iter().collect();
    pairs.sort_unstable();
    pairs
}

/// |A ∩ B| / |A ∪ B| of two sorted sets.
fn jaccard(left: &[u64], right: &[u64]) -> f64 {
    let (mut shared, mut at) = (0, 0);
    for value in left {
        while right.get(at).is_some_and(|other| other < value) {
            at += 1;
        }
        shared += usize::from(right.get(at) == Some(value));
    }
    shared as f64 / (left.len() + right.len() - shared) as f64
}

#[cfg(test)]
mod tests {
    use super::super::tests::data;
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "The bridge over the river is closed until Monday, please take the ferry by the old mill instead";

    #[test]
    fn a_changed_word_is_found_and_another_text_is_not() {
        let changed = TEXT.replace("Monday", "Friday");
        let other = "The library opens again in May with a reading for children and a small exhibition of maps";
        let rows = data(&[(TEXT, 0), (other, 1), (&changed, 1), (&TEXT.to_uppercase(), 0)]);
        let found = near_duplicates(&rows, Some(&[false, false, true, false]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].rows, [1, 3, 4]);
        assert!((0.8..0.95).contains(&found[0].similarity));
        assert!(!found[0].same_labels && found[0].across_split);
        let split_elsewhere = near_duplicates(&rows, Some(&[false, true, false, false]));
        assert!(!split_elsewhere[0].across_split);
        assert!(!near_duplicates(&rows, None)[0].across_split);
    }

    #[test]
    fn punctuation_alone_makes_near_duplicates_and_case_alone_does_not() {
        let rows = data(&[("Well said!", 0), ("well, said.", 0), ("WELL SAID!", 0), (":-)", 1), (":-(", 1)]);
        let found = near_duplicates(&rows, None);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].rows.as_slice(), found[0].similarity, found[0].same_labels), ([1, 2, 3].as_slice(), 1.0, true));
        assert!(near_duplicates(&data(&[("Well said!", 0), ("WELL  SAID!", 1)]), None).is_empty());
    }

    #[test]
    fn hashes_are_the_same_on_every_machine() {
        assert_eq!(shingles("a"), [hash(&['a'])]);
        assert_eq!(hash(&['a']), 0xAF63_DC4C_8601_EC8C, "the published FNV-1a of one byte");
        assert_eq!(mixed(0, 1), 0xE220_A839_7B1D_CDAF, "SplitMix64's first number from seed 0");
        assert_eq!(jaccard(&[1, 2, 3], &[2, 3, 4]), 0.5);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        /// Whatever is alike by every pair compared is what the bands find.
        #[test]
        fn bands_miss_nothing(texts in proptest::collection::vec("[ab]{4,9} [ab]{4,9}", 2..30)) {
            let labelled: Vec<(&str, usize)> = texts.iter().map(|text| (text.as_str(), 0)).collect();
            let rows = data(&labelled);
            let sets: Vec<Vec<u64>> = texts.iter().map(|text| shingles(text)).collect();
            let grouped: HashSet<u64> = near_duplicates(&rows, None).into_iter().flat_map(|group| group.rows).collect();
            for (left, text) in texts.iter().enumerate() {
                let alike = |right: usize| texts[right] != *text && jaccard(&sets[left], &sets[right]) >= NEARLY_THE_SAME;
                let expected = (0..texts.len()).any(alike);
                let same_as_grouped = (0..texts.len()).any(|right| texts[right] == *text && grouped.contains(&(right as u64 + 1)));
                prop_assert_eq!(expected, same_as_grouped);
            }
        }
    }
}
