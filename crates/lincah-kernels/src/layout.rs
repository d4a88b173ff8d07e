//! Where each sequence of a ragged batch lies among its rows.

use std::ops::Range;

/// Rows of a ragged batch: the prefix that all sequences share, once; then each group of sequences: the prefix that the group shares, once,
/// and each sequence's own tokens, one sequence after the other.
///
/// There is no padding. The token of row `own_rows(s).start + j` stands at position `P + G + j` of sequence `s`, where G is the length of
/// its group's prefix: the sequence is the rows `0..P`, then `group_prefix(s)`, then `own_rows(s)`. Keys and values lie in the same rows,
/// unless the common prefix was computed before ([`RaggedLayout::continuing`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaggedLayout {
    prefix_length: usize,
    /// In the order of their rows.
    segments: Vec<Segment>,
    /// Each sequence's segment.
    sequences: Vec<usize>,
    key_rows: usize,
    /// First rows of keys and values that are no rows of the batch: 0, or the whole common prefix.
    earlier: usize,
}

/// Sequences that share more than the common prefix: one text's questions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupLayout {
    /// G: tokens after the common prefix that the group's sequences share; 0 for none.
    pub prefix_length: usize,
    /// Tokens of each sequence after both prefixes.
    pub own_lengths: Vec<usize>,
}

impl RaggedLayout {
    /// A layout for sequences of `own_lengths` tokens, each of them after a shared prefix of `prefix_length` tokens (0 for none).
    ///
    /// # Panics
    /// If a sequence has no token of its own: its score row would be another sequence's too.
    pub fn new(prefix_length: usize, own_lengths: &[usize]) -> Self {
        Self::with_groups(prefix_length, &[GroupLayout { prefix_length: 0, own_lengths: own_lengths.to_vec() }])
    }

    /// A layout for sequences whose shared prefix was computed by earlier passes: its keys and values lie in front of theirs, in P rows more,
    /// but the batch holds the rows of the sequences alone. With one sequence, that sequence goes on where it was left.
    ///
    /// # Panics
    /// As [`RaggedLayout::new`].
    pub fn continuing(prefix_length: usize, own_lengths: &[usize]) -> Self {
        Self::continuing_with_groups(prefix_length, &[GroupLayout { prefix_length: 0, own_lengths: own_lengths.to_vec() }])
    }

    /// A layout for groups of sequences, all of them after a common prefix of `prefix_length` tokens (0 for none). Where no group has
    /// a prefix, it is that of [`RaggedLayout::new`].
    ///
    /// # Panics
    /// As [`RaggedLayout::new`].
    pub fn with_groups(prefix_length: usize, groups: &[GroupLayout]) -> Self {
        Self::after(0, prefix_length, groups)
    }

    /// [`RaggedLayout::with_groups`] where the common prefix was computed by earlier passes, as in [`RaggedLayout::continuing`]: the batch
    /// holds the rows of the groups alone, their prefixes among them.
    ///
    /// # Panics
    /// As [`RaggedLayout::new`].
    pub fn continuing_with_groups(prefix_length: usize, groups: &[GroupLayout]) -> Self {
        Self::after(prefix_length, prefix_length, groups)
    }

    fn after(earlier: usize, prefix_length: usize, groups: &[GroupLayout]) -> Self {
        let mut layout = Self { prefix_length, segments: Vec::new(), sequences: Vec::new(), key_rows: earlier, earlier };
        if prefix_length > earlier {
            layout.push(0, 0..0, prefix_length);
        }
        for group in groups {
            let own_lengths = &group.own_lengths;
            assert!(own_lengths.iter().all(|&length| length > 0), "every sequence needs at least one row of its own");
            let mut prefix = 0..0;
            if group.prefix_length > 0 {
                prefix = layout.key_rows..layout.key_rows + group.prefix_length;
                layout.push(prefix_length, 0..0, group.prefix_length);
            }
            for &length in own_lengths {
                layout.sequences.push(layout.segments.len());
                layout.push(prefix_length, prefix.clone(), length);
            }
        }
        layout
    }

    /// The next rows, `length` of them, after both prefixes.
    fn push(&mut self, prefix_length: usize, group_prefix: Range<usize>, length: usize) {
        let first_key = self.key_rows;
        self.key_rows += length;
        let own = first_key - self.earlier..self.key_rows - self.earlier;
        self.segments.push(Segment { prefix_length, group_prefix, own, first_key });
    }

    /// P: tokens of the common prefix.
    pub fn prefix_length(&self) -> usize {
        self.prefix_length
    }

    /// N: rows in all.
    pub fn rows(&self) -> usize {
        self.key_rows - self.earlier
    }

    /// Rows of keys and values: N, and P more where the common prefix was computed before.
    pub fn key_rows(&self) -> usize {
        self.key_rows
    }

    /// S: sequences.
    pub fn sequences(&self) -> usize {
        self.sequences.len()
    }

    /// Stretches of rows that attend among themselves: the sequences, the groups' prefixes, and the common prefix if its rows are here.
    /// With N and P it says how much a device keeps of a layout ([`Kernels::replace_layout`](crate::Kernels::replace_layout)).
    pub fn segment_count(&self) -> usize {
        self.segments.len()
    }

    /// The rows of sequence `sequence` after both prefixes.
    pub fn own_rows(&self, sequence: usize) -> Range<usize> {
        self.segments[self.sequences[sequence]].own.clone()
    }

    /// The rows of the prefix of the group that sequence `sequence` belongs to; empty where there is none.
    pub fn group_prefix(&self, sequence: usize) -> Range<usize> {
        let keys = &self.segments[self.sequences[sequence]].group_prefix;
        if keys.is_empty() { 0..0 } else { keys.start - self.earlier..keys.end - self.earlier }
    }

    /// The row of each sequence's last token.
    pub fn last_rows(&self) -> Vec<usize> {
        self.sequences.iter().map(|&segment| self.segments[segment].own.end - 1).collect()
    }

    /// Position of every row in its sequence.
    pub fn positions(&self) -> Vec<usize> {
        self.segments.iter().flat_map(|segment| segment.first_position()..segment.length()).collect()
    }

    /// One more than the highest position.
    pub fn longest(&self) -> usize {
        self.segments.iter().map(Segment::length).max().unwrap_or(self.prefix_length)
    }

    /// The stretches of rows that attend among themselves, in the order of their rows: the common prefix (if its rows are here), then each
    /// group: its prefix (if any) and its sequences.
    pub(crate) fn segments(&self) -> &[Segment] {
        &self.segments
    }
}

/// Query rows `own`, which see key rows `0..prefix_length`, then those of their group's prefix, then their own past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    /// P, or 0 for the common prefix itself.
    pub(crate) prefix_length: usize,
    /// Key rows of the prefix of the group; empty for that prefix itself.
    pub(crate) group_prefix: Range<usize>,
    pub(crate) own: Range<usize>,
    /// Key row of the first own row.
    pub(crate) first_key: usize,
}

impl Segment {
    /// Position of the first own row: the length of both prefixes.
    pub(crate) fn first_position(&self) -> usize {
        self.prefix_length + self.group_prefix.len()
    }

    /// Tokens that the segment's last query sees.
    pub(crate) fn length(&self) -> usize {
        self.first_position() + self.own.len()
    }

    /// The key row that holds position `position`.
    pub(crate) fn key_row(&self, position: usize) -> usize {
        if position < self.prefix_length {
            position
        } else if position < self.first_position() {
            self.group_prefix.start + position - self.prefix_length
        } else {
            self.first_key + position - self.first_position()
        }
    }
}
