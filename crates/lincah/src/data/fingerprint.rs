//! A fingerprint of labelled texts, to say which data a classifier was trained on.

use sha2::{Digest, Sha256};

use lincah_model::sha256::hexadecimal;

use super::dataset::Dataset;
use crate::task::Task;

/// SHA-256, in lower-case hexadecimal, over the texts and their labels, in order.
///
/// What is hashed: for every row the length of the text in bytes (u64, little-endian), the text in UTF-8, and each label part behind its
/// length. Of exclusive labels the part is the name of the row's label; of independent labels there are two parts for every label in order,
/// its name and 1 or 0 (as f64, little-endian). So another order, another label or another set of rows is another fingerprint; the file's
/// format, its other columns and the numbers behind a threshold do not matter.
pub fn fingerprint(data: &Dataset) -> String {
    training_fingerprint(data, false)
}

/// [`fingerprint`], with `soft_labels` over the data's numbers as well (as f64, little-endian), for they decide a training then: of
/// exclusive labels one more part, the number; of independent labels in place of 1 or 0. Without numbers it is the same. Rows that count
/// differently have their weight as last part.
pub fn training_fingerprint(data: &Dataset, soft_labels: bool) -> String {
    let number =
        |row: usize, label: usize| data.fractions.as_ref().filter(|_| soft_labels).map(|fractions| fractions[row][label]);
    let parts = |row: usize| -> Vec<Vec<u8>> {
        let labels = data.labels.names().iter().enumerate();
        match data.task {
            Task::SingleLabel => {
                let class = labels.filter(|&(label, _)| data.truth[row][label]).map(|(_, name)| name.as_bytes().to_vec());
                let last = data.labels.len() - 1;
                class.take(1).chain(number(row, last).map(|number| number.to_le_bytes().to_vec())).collect()
            }
            Task::MultiLabel => {
                let fraction = |label: usize| number(row, label).unwrap_or(f64::from(u8::from(data.truth[row][label])));
                labels.flat_map(|(label, name)| [name.as_bytes().to_vec(), fraction(label).to_le_bytes().to_vec()]).collect()
            }
        }
    };
    let weight = |row: usize| data.weights.as_ref().map(|weights| weights[row].to_le_bytes().to_vec());
    of_rows(&data.texts, (0..data.len()).map(|row| parts(row).into_iter().chain(weight(row)).collect::<Vec<_>>()))
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
    hexadecimal(hash.finalize())
}
