//! Where each text of a ragged batch lies among its rows.

use std::ops::Range;

/// Rows of a ragged batch: first the prefix that all texts share, once, then each text's own tokens, one text after the other.
///
/// There is no padding. The token of row `own_rows(s).start + j` stands at position `prefix_length + j` of text `s`. Keys and values lie
/// in the same rows, unless the prefix was computed before ([`RaggedLayout::continuing`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaggedLayout {
    prefix_length: usize,
    /// Key rows at which each text begins, and the end.
    offsets: Vec<usize>,
    /// First rows of keys and values that are no rows of the batch: 0, or the whole prefix.
    earlier: usize,
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
        Self { prefix_length, offsets, earlier: 0 }
    }

    /// A layout for texts whose shared prefix was computed by earlier passes: its keys and values lie in front of theirs, in P rows more,
    /// but the batch holds the rows of the texts alone. With one text, that text goes on where it was left.
    ///
    /// # Panics
    /// As [`RaggedLayout::new`].
    pub fn continuing(prefix_length: usize, own_lengths: &[usize]) -> Self {
        Self { earlier: prefix_length, ..Self::new(prefix_length, own_lengths) }
    }

    /// P: tokens of the shared prefix.
    pub fn prefix_length(&self) -> usize {
        self.prefix_length
    }

    /// N: rows in all.
    pub fn rows(&self) -> usize {
        self.key_rows() - self.earlier
    }

    /// Rows of keys and values: N, and P more where the prefix was computed before.
    pub fn key_rows(&self) -> usize {
        self.offsets[self.offsets.len() - 1]
    }

    /// S: texts.
    pub fn sequences(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The rows of text `sequence`, without the prefix.
    pub fn own_rows(&self, sequence: usize) -> Range<usize> {
        self.offsets[sequence] - self.earlier..self.offsets[sequence + 1] - self.earlier
    }

    /// The row of each text's last token.
    pub fn last_rows(&self) -> Vec<usize> {
        self.offsets[1..].iter().map(|end| end - self.earlier - 1).collect()
    }

    /// Position of every row in its text.
    pub fn positions(&self) -> Vec<usize> {
        let own = (0..self.sequences()).flat_map(|s| (0..self.own_rows(s).len()).map(|j| self.prefix_length + j));
        (self.earlier..self.prefix_length).chain(own).collect()
    }

    /// One more than the highest position.
    pub fn longest(&self) -> usize {
        let own = (0..self.sequences()).map(|s| self.own_rows(s).len()).max().unwrap_or(0);
        self.prefix_length + own
    }

    /// The stretches of rows that attend among themselves: the prefix (if any) alone, then each text after the prefix.
    pub(crate) fn segments(&self) -> Vec<Segment> {
        let prefix = self.earlier..self.prefix_length;
        let prefix = (!prefix.is_empty()).then_some(Segment { prefix_length: 0, own: prefix, first_key: 0 });
        let texts = (0..self.sequences()).map(|s| Segment {
            prefix_length: self.prefix_length,
            own: self.own_rows(s),
            first_key: self.offsets[s],
        });
        prefix.into_iter().chain(texts).collect()
    }
}

/// Query rows `own`, which see key rows `0..prefix_length` and their own past.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) prefix_length: usize,
    pub(crate) own: Range<usize>,
    /// Key row of the first own row.
    pub(crate) first_key: usize,
}

impl Segment {
    /// Tokens that the segment's last query sees.
    pub(crate) fn length(&self) -> usize {
        self.prefix_length + self.own.len()
    }

    /// The key row that holds position `position`.
    pub(crate) fn key_row(&self, position: usize) -> usize {
        if position < self.prefix_length { position } else { self.first_key + position - self.prefix_length }
    }
}
