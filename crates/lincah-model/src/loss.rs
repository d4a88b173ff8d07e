//! Which row should predict which token, and how much that counts.

use crate::batch::TokenBatch;
use serde::{Deserialize, Serialize};

/// What the training minimizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Cross-entropy of the label's token at each text's last position, over the whole vocabulary.
    Label,
    /// The same over the labels' tokens alone.
    RestrictedLabel,
    /// Cross-entropy of every next token, prompt included, the label's last (what the codelab does).
    AllTokens,
}

/// One summand of a loss: `weight * cross_entropy(logits of row, target)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LossTerm {
    pub(crate) row: usize,
    pub(crate) target: u32,
    pub(crate) weight: f32,
}

/// A batch's targets: the label's token of each text and the weight of the text.
#[derive(Debug, Clone)]
pub struct Targets<'a> {
    /// Token ids, `[S]`.
    pub tokens: &'a [u32],
    /// What each text's loss is multiplied by, `[S]`; the loss is the plain sum over the texts of weight times loss.
    pub weights: &'a [f32],
}

impl Loss {
    /// The summands over a batch. For [`Loss::AllTokens`] a text's weight multiplies the *sum* over its positions.
    ///
    /// Rows are those of the batch for `AllTokens`, the number of the text otherwise.
    pub(crate) fn terms(self, batch: &TokenBatch, targets: &Targets) -> Vec<LossTerm> {
        let texts = targets.tokens.iter().zip(targets.weights).enumerate();
        if self != Self::AllTokens {
            return texts.map(|(row, (&target, &weight))| LossTerm { row, target, weight }).collect();
        }
        let prefix = batch.layout.prefix_length();
        let mut terms = Vec::new();
        for (text, (&label, &weight)) in texts {
            let rows: Vec<usize> = (0..prefix).chain(batch.layout.own_rows(text)).collect();
            terms.extend(rows.windows(2).map(|pair| LossTerm { row: pair[0], target: batch.tokens[pair[1]], weight }));
            terms.push(LossTerm { row: rows[rows.len() - 1], target: label, weight });
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
        let targets = Targets { tokens: &[8, 9], weights: &[0.5, 2.0] };
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
}
