//! A fingerprint of labelled texts, to say which data a classifier was trained on.

use sha2::{Digest, Sha256};

use super::dataset::LabelledDataset;
use super::multi_label::MultiLabelDataset;

/// SHA-256, in lower-case hexadecimal, over the texts and the names of their labels, in order.
///
/// What is hashed: for every row the length of the text in bytes (u64, little-endian), the text in UTF-8, the length of the label's
/// name, the name. So another order, another label or another set of rows is another fingerprint; the file's format, its other columns
/// and the numbers behind a cut do not matter.
pub fn fingerprint(dataset: &LabelledDataset) -> String {
    let labels = dataset.labels.iter().map(|&label| [dataset.label_names[label].as_bytes()]);
    of_rows(&dataset.texts, labels)
}

/// [`fingerprint`], with `soft_labels` over the numbers behind the cut as well (as f64, little-endian), for they decide a training then.
pub(crate) fn training_fingerprint(dataset: &LabelledDataset, soft_labels: bool) -> String {
    match &dataset.fractions {
        Some(fractions) if soft_labels => {
            let labels = dataset.labels.iter().zip(fractions);
            let fractions: Vec<_> = labels.map(|(&label, fraction)| (label, fraction.to_le_bytes())).collect();
            of_rows(&dataset.texts, fractions.iter().map(|(label, bytes)| [dataset.label_names[*label].as_bytes(), bytes]))
        }
        _ => fingerprint(dataset),
    }
}

/// The same over texts and, for every label in order, its name and its fraction (f64, little-endian): 1 or 0, or with `soft_labels` the
/// fraction in the data.
pub fn multi_label_fingerprint(dataset: &MultiLabelDataset, soft_labels: bool) -> String {
    let names = dataset.label_names.iter();
    let fraction = |row: usize, label: usize| match soft_labels {
        true => dataset.fractions[row][label],
        false => f64::from(u8::from(dataset.labels[row][label])),
    };
    let row = |row: usize| {
        let labels = names.clone().enumerate().map(move |(label, name)| (name.as_bytes(), fraction(row, label).to_le_bytes()));
        labels.flat_map(|(name, fraction)| [name.to_vec(), fraction.to_vec()]).collect::<Vec<_>>()
    };
    of_rows(&dataset.texts, (0..dataset.len()).map(row))
}

/// SHA-256 over each text and the parts that belong to it, every one behind its length.
fn of_rows<P: AsRef<[u8]>>(texts: &[String], rows: impl Iterator<Item = impl IntoIterator<Item = P>>) -> String {
    let mut hash = Sha256::new();
    let mut put = |part: &[u8]| {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    for (text, parts) in texts.iter().zip(rows) {
        put(text.as_bytes());
        parts.into_iter().for_each(|part| put(part.as_ref()));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
