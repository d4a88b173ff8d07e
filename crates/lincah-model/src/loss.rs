//! Which row should predict which token, and how much that counts.

use crate::batch::TokenBatch;
use serde::{Deserialize, Serialize};

/// What the training minimizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Cross-entropy of the label's token at each text's last position, over the whole vocabulary.
    Label,
    /// The same over the labels' tokens alone.
    RestrictedLabel,
    /// Cross-entropy of every next token, prompt included, the label's last (what the codelab does).
    AllTokens,
}

named_choices!(Loss, "loss": Label = "label", RestrictedLabel = "restricted-label", AllTokens = "all-tokens");

/// One summand of a loss: `weight * cross_entropy(logits of row, target)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LossTerm {
    pub(crate) row: usize,
    pub(crate) target: u32,
    pub(crate) weight: f32,
}

/// A batch's targets: M entries, each a token that a text should be answered with and how much that counts.
///
/// A text with one entry of weight w has a hard target. One with an entry for each label c of weight w·p(c) has the soft target p: the
/// entries' losses add up to w times the cross-entropy `-Σ p(c) log q(c)`, and their gradients to its gradient. The text passes through
/// the model once either way.
#[derive(Debug, Clone)]
pub struct Targets<'a> {
    /// The text of each entry, `[M]`, ascending.
    pub texts: &'a [usize],
    /// Its token id, `[M]`.
    pub tokens: &'a [u32],
    /// What its loss is multiplied by, `[M]`; the loss is the plain sum over the entries of weight times loss.
    pub weights: &'a [f32],
}

impl Loss {
    /// The summands over a batch. For [`Loss::AllTokens`] the weights of a text's entries together multiply the *sum* over its earlier
    /// positions.
    ///
    /// Rows are those of the batch for `AllTokens`, the number of the text otherwise.
    pub(crate) fn terms(self, batch: &TokenBatch, targets: &Targets) -> Vec<LossTerm> {
        let answers = targets.tokens.iter().zip(targets.weights);
        let entries: Vec<LossTerm> =
            targets.texts.iter().zip(answers).map(|(&row, (&target, &weight))| LossTerm { row, target, weight }).collect();
        if self != Self::AllTokens {
            return entries;
        }
        let prefix = batch.layout.prefix_length();
        let mut terms = Vec::new();
        for entries in entries.chunk_by(|left, right| left.row == right.row) {
            let text = entries[0].row;
            let shared = (0..prefix).chain(batch.layout.group_prefix(text));
            let rows: Vec<usize> = shared.chain(batch.layout.own_rows(text)).collect();
            let weight = entries.iter().map(|entry| entry.weight).sum();
            terms.extend(rows.windows(2).map(|pair| LossTerm { row: pair[0], target: batch.tokens[pair[1]], weight }));
            terms.extend(entries.iter().map(|entry| LossTerm { row: rows[rows.len() - 1], ..*entry }));
        }
        terms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_predicts_its_own_next_tokens_even_from_the_shared_prefix() {
        let batch = TokenBatch::new(&[&[1, 2, 3, 4], &[1, 2, 5]]);
        let targets = Targets { texts: &[0, 1], tokens: &[8, 9], weights: &[0.5, 2.0] };
        let term = |row, target, weight| LossTerm { row, target, weight };
        let expected = [
            term(0, 2, 0.5),
            term(1, 3, 0.5),
            term(2, 4, 0.5),
            term(3, 8, 0.5),
            term(0, 2, 2.0),
            term(1, 5, 2.0),
            term(4, 9, 2.0),
        ];
        assert_eq!(Loss::AllTokens.terms(&batch, &targets), expected);
        assert_eq!(Loss::Label.terms(&batch, &targets), [term(0, 8, 0.5), term(1, 9, 2.0)]);
    }

    #[test]
    fn a_soft_target_is_an_entry_a_label() {
        let batch = TokenBatch::new(&[&[1, 2, 3], &[1, 4]]);
        let targets = Targets { texts: &[0, 0, 1], tokens: &[8, 9, 8], weights: &[0.5, 0.25, 2.0] };
        let term = |row, target, weight| LossTerm { row, target, weight };
        assert_eq!(Loss::RestrictedLabel.terms(&batch, &targets), [term(0, 8, 0.5), term(0, 9, 0.25), term(1, 8, 2.0)]);
        let expected = [term(0, 2, 0.75), term(1, 3, 0.75), term(2, 8, 0.5), term(2, 9, 0.25), term(0, 4, 2.0), term(3, 8, 2.0)];
        assert_eq!(Loss::AllTokens.terms(&batch, &targets), expected);
    }
}
