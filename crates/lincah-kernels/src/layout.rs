//! Where each text of a ragged batch lies among its rows.

use std::ops::Range;

/// Rows of a ragged batch: first the prefix that all texts share, once, then each text's own tokens, one text after the other.
///
/// There is no padding. The token of row `offsets[s] + j` stands at position `prefix_length + j` of text `s`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaggedLayout {
    prefix_length: usize,
    offsets: Vec<usize>,
}

impl RaggedLayout {
    /// A layout for texts of `own_lengths` tokens, each of them after a shared prefix of `prefix_length` tokens (0 for none).
    ///
    /// # Panics
    /// If a text has no token of its own: its score row would be another text's too.
    pub fn new(prefix_length: usize, own_lengths: &[usize]) -> Self {
        assert!(own_lengths.iter().all(|&length| length > 0), "every text needs at least one row of its own");
        let mut offsets = Vec::with_capacity(own_lengths.len() + 1);
        offsets.push(prefix_length);
        for length in own_lengths {
            offsets.push(offsets[offsets.len() - 1] + length);
        }
        Self { prefix_length, offsets }
    }

    /// P: tokens of the shared prefix.
    pub fn prefix_length(&self) -> usize {
        self.prefix_length
    }

    /// N: rows in all.
    pub fn rows(&self) -> usize {
        self.offsets[self.offsets.len() - 1]
    }

    /// S: texts.
    pub fn sequences(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The rows of text `sequence`, without the prefix.
    pub fn own_rows(&self, sequence: usize) -> Range<usize> {
        self.offsets[sequence]..self.offsets[sequence + 1]
    }

    /// The row of each text's last token.
    pub fn last_rows(&self) -> Vec<usize> {
        self.offsets[1..].iter().map(|end| end - 1).collect()
    }

    /// Position of every row in its text.
    pub fn positions(&self) -> Vec<usize> {
        let own = (0..self.sequences()).flat_map(|s| (0..self.own_rows(s).len()).map(|j| self.prefix_length + j));
        (0..self.prefix_length).chain(own).collect()
    }

    /// One more than the highest position.
    pub fn longest(&self) -> usize {
        let own = (0..self.sequences()).map(|s| self.own_rows(s).len()).max().unwrap_or(0);
        self.prefix_length + own
    }

    /// The stretches of rows that attend among themselves: the prefix (if any) alone, then each text after the prefix.
    pub(crate) fn segments(&self) -> Vec<Segment> {
        let prefix = (self.prefix_length > 0).then_some(Segment { prefix_length: 0, own: 0..self.prefix_length });
        let texts = (0..self.sequences()).map(|s| Segment { prefix_length: self.prefix_length, own: self.own_rows(s) });
        prefix.into_iter().chain(texts).collect()
    }
}

/// Query rows `own`, which see rows `0..prefix_length` and their own past.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) prefix_length: usize,
    pub(crate) own: Range<usize>,
}

impl Segment {
    /// Tokens that the segment's last query sees.
    pub(crate) fn length(&self) -> usize {
        self.prefix_length + self.own.len()
    }

    /// The row that holds position `position`.
    pub(crate) fn row(&self, position: usize) -> usize {
        if position < self.prefix_length { position } else { self.own.start + position - self.prefix_length }
    }
}
