//! What a classifier says about a text.

/// One text's label and probabilities.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Index of the most probable label; of equals the first.
    pub label: usize,
    /// Probability of each label, in the labels' order.
    pub probabilities: Vec<f64>,
    /// Characters of the text that did not fit into the prompt and were not seen.
    pub cut_characters: usize,
}

impl Prediction {
    /// The most probable label of these, of equals the first.
    pub(crate) fn of(probabilities: Vec<f64>, cut_characters: usize) -> Self {
        Self { label: most_probable(&probabilities), probabilities, cut_characters }
    }
}

fn most_probable(probabilities: &[f64]) -> usize {
    (1..probabilities.len()).fold(0, |best, index| if probabilities[index] > probabilities[best] { index } else { best })
}
