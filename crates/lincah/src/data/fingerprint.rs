//! A fingerprint of labelled texts, to say which data a classifier was trained on.

use sha2::{Digest, Sha256};

use super::dataset::LabelledDataset;

/// SHA-256, in lower-case hexadecimal, over the texts and the names of their labels, in order.
///
/// What is hashed: for every row the length of the text in bytes (u64, little-endian), the text in UTF-8, the length of the label's
/// name, the name. So another order, another label or another set of rows is another fingerprint; the file's format, its other columns
/// and the numbers behind a cut do not matter.
pub fn fingerprint(dataset: &LabelledDataset) -> String {
    let mut hash = Sha256::new();
    for (text, &label) in dataset.texts.iter().zip(&dataset.labels) {
        for part in [text, &dataset.label_names[label]] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
