//! Texts that are longer than what is read of them.

use serde::Serialize;

use crate::data::report::LengthQuantiles;

/// Lengths in tokens against the most that are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenLengths {
    /// The most tokens that are read.
    pub max_tokens: usize,
    /// The lengths.
    pub tokens: LengthQuantiles,
    /// Rows that are longer, as numbers of the file.
    pub too_long: Vec<u64>,
}

impl TokenLengths {
    /// Compares the lengths of rows with `max_tokens`.
    pub fn of(rows: &[u64], tokens: &[usize], max_tokens: usize) -> Self {
        let too_long = rows.iter().zip(tokens).filter(|&(_, &tokens)| tokens > max_tokens).map(|(&row, _)| row);
        Self { max_tokens, too_long: too_long.collect(), tokens: LengthQuantiles::of(tokens.to_vec()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_at_the_limit_is_read_whole() {
        let found = TokenLengths::of(&[4, 5, 9], &[256, 257, 12], 256);
        assert_eq!(found.too_long, [5]);
        assert_eq!((found.tokens.minimum, found.tokens.median, found.tokens.maximum), (12, 256, 257));
    }
}
