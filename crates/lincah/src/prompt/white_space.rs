//! White space in texts.

use crate::data::dataset::Dataset;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What becomes of a text's white space before it is put into the prompt. What nobody sees can give labels away: see `lincah check`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhiteSpace {
    /// It stays as it is. What the codelab does, and what classifiers of lincah did before there was a choice.
    #[default]
    Keep,
    /// None at the ends, and one character for every run within: a line break where the run has one, else a space.
    Single,
}

lincah_model::named_choices!(WhiteSpace, "way to treat white space": Keep = "keep", Single = "single");

impl WhiteSpace {
    pub(super) fn is_kept(&self) -> bool {
        *self == Self::Keep
    }

    /// The text as it is put into the prompt.
    ///
    /// ```
    /// use lincah::prompt::WhiteSpace;
    ///
    /// assert_eq!(WhiteSpace::Single.applied("  Oh,  well. \n\n\tBye.  "), "Oh, well.\nBye.");
    /// assert_eq!(WhiteSpace::Keep.applied(" as it is "), " as it is ");
    /// ```
    pub fn applied(self, text: &str) -> Cow<'_, str> {
        if self == Self::Keep || is_single(text) {
            return Cow::Borrowed(text);
        }
        let mut single = String::with_capacity(text.len());
        let mut gap: Option<char> = None;
        for character in text.chars() {
            if character.is_whitespace() {
                let breaks = gap == Some('\n') || matches!(character, '\n' | '\r' | '\u{2028}' | '\u{2029}');
                gap = Some(if breaks { '\n' } else { ' ' });
                continue;
            }
            if let Some(gap) = gap.take().filter(|_| !single.is_empty()) {
                single.push(gap);
            }
            single.push(character);
        }
        Cow::Owned(single)
    }
}

impl Dataset {
    /// The rows as a prompt with this white space has them.
    #[must_use]
    pub fn with_white_space(&self, white_space: WhiteSpace) -> Self {
        let texts = self.texts.iter().map(|text| white_space.applied(text).into_owned()).collect();
        Self { texts, ..self.clone() }
    }
}

/// Whether there is nothing to change.
fn is_single(text: &str) -> bool {
    let mut before_is_white = true;
    for character in text.chars() {
        let is_white = character.is_whitespace();
        if is_white && (before_is_white || !matches!(character, ' ' | '\n')) {
            return false;
        }
        before_is_white = is_white;
    }
    text.is_empty() || !before_is_white
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn single_white_space_stays_single_and_nothing_else_changes(text in any::<String>()) {
            let single = WhiteSpace::Single.applied(&text);
            prop_assert_eq!(WhiteSpace::Single.applied(&single), Cow::Borrowed(&*single));
            prop_assert!(is_single(&single));
            let visible = |text: &str| text.chars().filter(|character| !character.is_whitespace()).collect::<String>();
            prop_assert_eq!(visible(&single), visible(&text));
            prop_assert_eq!(text.split_whitespace().count(), single.split_whitespace().count());
        }
    }
}
