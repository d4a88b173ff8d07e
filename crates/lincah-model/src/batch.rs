//! A batch of token sequences without padding: the tokens that all of them begin with are held once, and so are those that a group's do.

use lincah_kernels::{GroupLayout, RaggedLayout};
use std::ops::Range;

/// Most rows that are computed at once where texts are scored or read; a longer text is a batch of its own.
pub const ROWS_PER_BATCH: usize = 1024;

/// The tokens of S texts, `[N]`, and where each text lies.
#[derive(Debug, Clone)]
pub struct TokenBatch {
    pub(crate) tokens: Vec<u32>,
    pub(crate) layout: RaggedLayout,
}

impl TokenBatch {
    /// A batch in which the longest common prefix of the texts is one segment; every text keeps at least its last token to itself.
    ///
    /// # Panics
    /// If there is no text, or one without a token.
    pub fn new(texts: &[&[u32]]) -> Self {
        Self::with_prefix(texts, if texts.len() > 1 { common_prefix(texts) } else { 0 })
    }

    /// A batch whose texts share nothing.
    ///
    /// # Panics
    /// If there is no text, or one without a token.
    pub fn without_prefix(texts: &[&[u32]]) -> Self {
        Self::with_prefix(texts, 0)
    }

    /// The next tokens of one text, of which `read` tokens went before in earlier passes.
    pub(crate) fn continuing(read: usize, tokens: &[u32]) -> Self {
        Self { tokens: tokens.to_vec(), layout: RaggedLayout::continuing(read, &[tokens.len()]) }
    }

    /// A batch of groups of sequences that share more than all do, such as the questions about one text: the longest common prefix of all is
    /// one segment, and so is what a group's sequences share behind it. Of one group, that is what they share in all.
    ///
    /// # Panics
    /// If there is no sequence, or one without a token.
    pub fn grouped(groups: &[Vec<&[u32]>]) -> Self {
        let all: Vec<&[u32]> = groups.iter().flatten().copied().collect();
        if groups.iter().all(|group| group.len() == 1) {
            return Self::new(&all);
        }
        let prefix = if groups.len() > 1 { common_prefix(&all) } else { 0 };
        let mut tokens = all[0][..prefix].to_vec();
        let mut layouts = Vec::with_capacity(groups.len());
        for group in groups.iter().filter(|group| !group.is_empty()) {
            let shared = if group.len() > 1 { common_prefix(group) } else { prefix };
            tokens.extend_from_slice(&group[0][prefix..shared]);
            group.iter().for_each(|sequence| tokens.extend_from_slice(&sequence[shared..]));
            let own_lengths = group.iter().map(|sequence| sequence.len() - shared).collect();
            layouts.push(GroupLayout { prefix_length: shared - prefix, own_lengths });
        }
        Self { tokens, layout: RaggedLayout::with_groups(prefix, &layouts) }
    }

    /// The same with one text more, of as many zeros as fill it up to `rows` rows: nobody asks for its score.
    pub(crate) fn filled(&self, rows: usize) -> Self {
        let filler = GroupLayout { prefix_length: 0, own_lengths: vec![rows - self.rows()] };
        let groups: Vec<GroupLayout> =
            self.groups().iter().map(|texts| self.group_layout(texts.clone(), 0)).chain([filler]).collect();
        let mut tokens = self.tokens.clone();
        tokens.resize(rows, 0);
        Self { tokens, layout: RaggedLayout::with_groups(self.prefix_length(), &groups) }
    }

    /// The same texts without their first `read` tokens, which all of them share and which were computed in an earlier pass.
    pub(crate) fn behind(&self, read: usize) -> Self {
        let skipped = read - self.prefix_length();
        let (mut tokens, mut layouts) = (Vec::new(), Vec::new());
        for texts in self.groups() {
            let prefix = &self.tokens[self.layout.group_prefix(texts.start)];
            tokens.extend_from_slice(&prefix[skipped.min(prefix.len())..]);
            for text in texts.clone() {
                tokens.extend_from_slice(&self.tokens[self.layout.own_rows(text)][skipped.saturating_sub(prefix.len())..]);
            }
            layouts.push(self.group_layout(texts, skipped));
        }
        Self { tokens, layout: RaggedLayout::continuing_with_groups(read, &layouts) }
    }

    /// The texts of each group, those that belong to none together.
    fn groups(&self) -> Vec<Range<usize>> {
        let mut groups: Vec<Range<usize>> = Vec::new();
        for text in 0..self.texts() {
            match groups.last_mut() {
                Some(group) if self.layout.group_prefix(group.start) == self.layout.group_prefix(text) => group.end = text + 1,
                _ => groups.push(text..text + 1),
            }
        }
        groups
    }

    /// The layout of a group without its first `skipped` tokens.
    fn group_layout(&self, texts: Range<usize>, skipped: usize) -> GroupLayout {
        let prefix = self.layout.group_prefix(texts.start).len();
        let own = |text| self.layout.own_rows(text).len() - skipped.saturating_sub(prefix);
        GroupLayout { prefix_length: prefix.saturating_sub(skipped), own_lengths: texts.map(own).collect() }
    }

    fn with_prefix(texts: &[&[u32]], prefix: usize) -> Self {
        assert!(!texts.is_empty() && texts.iter().all(|text| !text.is_empty()), "a batch needs texts, and each text a token");
        let own_lengths: Vec<usize> = texts.iter().map(|text| text.len() - prefix).collect();
        let mut tokens = texts[0][..prefix].to_vec();
        texts.iter().for_each(|text| tokens.extend_from_slice(&text[prefix..]));
        Self { tokens, layout: RaggedLayout::new(prefix, &own_lengths) }
    }

    /// S: how many texts.
    pub fn texts(&self) -> usize {
        self.layout.sequences()
    }

    /// All tokens of one text, the shared ones included.
    pub(crate) fn text_tokens(&self, text: usize) -> Vec<u32> {
        let rows = [0..self.prefix_length(), self.layout.group_prefix(text), self.layout.own_rows(text)];
        rows.into_iter().flat_map(|rows| &self.tokens[rows]).copied().collect()
    }

    /// N: how many rows the model computes.
    pub fn rows(&self) -> usize {
        self.tokens.len()
    }

    /// P: how many tokens all texts share.
    pub fn prefix_length(&self) -> usize {
        self.layout.prefix_length()
    }
}

/// The numbers of texts with so many rows each, those of like length together, in batches of at most `most_rows` rows; a longer text is alone.
pub fn batches_by_length(lengths: &[usize], most_rows: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&index| lengths[index]);
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut rows = 0;
    for index in order {
        match batches.last_mut().filter(|_| rows + lengths[index] <= most_rows) {
            Some(batch) => batch.push(index),
            None => {
                batches.push(vec![index]);
                rows = 0;
            }
        }
        rows += lengths[index];
    }
    batches
}

/// How many leading tokens all texts share, short of any text's last token.
fn common_prefix(texts: &[&[u32]]) -> usize {
    let shortest = texts.iter().map(|text| text.len()).min().unwrap_or(0).saturating_sub(1);
    (0..shortest).take_while(|&i| texts.iter().all(|text| text[i] == texts[0][i])).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_prefix_is_held_once_and_every_text_keeps_its_last_token() {
        let batch = TokenBatch::new(&[&[1, 2, 3], &[1, 2, 4, 5], &[1, 2]]);
        assert_eq!((batch.prefix_length(), batch.rows(), batch.texts()), (1, 1 + 2 + 3 + 1, 3));
        assert_eq!(batch.tokens, [1, 2, 3, 2, 4, 5, 2]);
        let same = TokenBatch::new(&[&[7, 8], &[7, 8]]);
        assert_eq!((same.prefix_length(), same.tokens), (1, vec![7, 8, 8]));
        let filled = batch.filled(10);
        assert_eq!((filled.rows(), filled.texts(), &filled.tokens[..7]), (10, 4, &batch.tokens[..]));
        assert_eq!(filled.layout.last_rows()[..3], batch.layout.last_rows());
        assert_eq!(TokenBatch::without_prefix(&[&[7, 8], &[7, 8]]).rows(), 4);
    }

    #[test]
    fn batches_have_texts_of_like_length_and_every_text_once() {
        let batches = batches_by_length(&[9, 1, 30, 4, 4, 2], 10);
        assert_eq!(batches, [vec![1, 5, 3], vec![4], vec![0], vec![2]]);
        assert!(batches_by_length(&[], 10).is_empty());
    }

    #[test]
    fn a_group_shares_its_own_prefix_behind_that_of_all() {
        let questions: [&[&[u32]]; 2] =
            [&[&[1, 2, 3, 4, 5], &[1, 2, 3, 4, 6, 7]], &[&[1, 2, 8, 5], &[1, 2, 8, 6, 7], &[1, 2, 8, 9]]];
        let batch = TokenBatch::grouped(&questions.map(<[_]>::to_vec));
        assert_eq!((batch.prefix_length(), batch.texts()), (2, 5));
        assert_eq!(batch.tokens, [1, 2, 3, 4, 5, 6, 7, 8, 5, 6, 7, 9]);
        let all: Vec<Vec<u32>> = questions.iter().copied().flatten().map(|question| question.to_vec()).collect();
        assert_eq!((0..5).map(|text| batch.text_tokens(text)).collect::<Vec<_>>(), all);
        let filled = batch.filled(20);
        assert_eq!((filled.rows(), filled.texts(), &filled.tokens[..12]), (20, 6, &batch.tokens[..]));
        assert_eq!(filled.layout.last_rows()[..5], batch.layout.last_rows());
        assert_eq!((0..5).map(|text| filled.text_tokens(text)).collect::<Vec<_>>(), all);
        assert_eq!(batch.behind(2).tokens, batch.tokens[2..]);
        let alone = TokenBatch::grouped(&[questions[1].to_vec()]);
        assert_eq!((alone.prefix_length(), alone.tokens.as_slice()), (0, [1, 2, 8, 5, 6, 7, 9].as_slice()));
        assert_eq!((alone.behind(2).tokens, alone.behind(3).tokens), (vec![8, 5, 6, 7, 9], vec![5, 6, 7, 9]));
    }
}
