//! The one softmax.

use std::ops::Sub;

/// `e^(x_i - max) / Σ e^(x_j - max)`; the differences in the logits' own type, the rest in f64.
pub(crate) fn softmax<T: Copy + PartialOrd + Sub<Output = T> + Into<f64>>(logits: &[T]) -> Vec<f64> {
    let Some(&first) = logits.first() else { return Vec::new() };
    let highest = logits.iter().fold(first, |highest, &logit| if logit > highest { logit } else { highest });
    let powers: Vec<f64> = logits.iter().map(|&logit| (logit - highest).into().exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}
