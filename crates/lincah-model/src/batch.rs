//! A batch of token sequences without padding, the tokens that all of them begin with held once.

use lincah_kernels::RaggedLayout;

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

    /// The same with one text more, of as many zeros as fill it up to `rows` rows: nobody asks for its score.
    pub(crate) fn filled(&self, rows: usize) -> Self {
        let own = |text: usize| self.layout.own_rows(text).len();
        let own_lengths: Vec<usize> = (0..self.texts()).map(own).chain([rows - self.rows()]).collect();
        let mut tokens = self.tokens.clone();
        tokens.resize(rows, 0);
        Self { tokens, layout: RaggedLayout::new(self.prefix_length(), &own_lengths) }
    }

    /// The same texts without their first `read` tokens, which all of them share and which were computed in an earlier pass.
    pub(crate) fn behind(&self, read: usize) -> Self {
        let prefix = self.prefix_length();
        let skipped = read - prefix;
        let own = |text: usize| &self.tokens[self.layout.own_rows(text)][skipped..];
        let texts = 0..self.texts();
        let lengths: Vec<usize> = texts.clone().map(|text| own(text).len()).collect();
        Self { tokens: texts.flat_map(own).copied().collect(), layout: RaggedLayout::continuing(read, &lengths) }
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
        [&self.tokens[..self.prefix_length()], &self.tokens[self.layout.own_rows(text)]].concat()
    }

    /// N: how many rows the model computes.
    pub fn rows(&self) -> usize {
        self.tokens.len()
    }

    /// P: how many tokens the texts share.
    pub fn prefix_length(&self) -> usize {
        self.layout.prefix_length()
    }
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
}
