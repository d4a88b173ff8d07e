//! What a text looks like, whatever it says.

/// A trait of a text's surface.
#[derive(Debug, Clone, Copy)]
pub(super) struct Feature {
    /// Its name in JSON.
    pub(super) name: &'static str,
    pub(super) of: fn(&str) -> f64,
}

/// All traits that are looked at. Counts enter as ln(1 + count), which changes no order.
pub(super) const FEATURES: [Feature; 23] = [
    Feature { name: "characters", of: |text| counted(text.chars().count()) },
    Feature { name: "words", of: |text| counted(text.split_whitespace().count()) },
    Feature { name: "leading_spaces", of: |text| counted(spaces(text.chars())) },
    Feature { name: "trailing_spaces", of: |text| counted(spaces(text.chars().rev())) },
    Feature { name: "doubled_spaces", of: |text| counted(text.trim().matches("  ").count()) },
    Feature { name: "tabs", of: |text| counted(text.matches('\t').count()) },
    Feature { name: "line_breaks", of: |text| counted(text.matches(['\n', '\r']).count()) },
    Feature { name: "upper_case_share", of: |text| share(text, char::is_uppercase, char::is_alphabetic) },
    Feature { name: "all_caps_words", of: |text| counted(words_that(text, is_all_caps)) },
    Feature { name: "digits", of: |text| share(text, |character| character.is_ascii_digit(), |_| true) },
    Feature { name: "ends_with_period", of: |text| ends_with(text, &['.', '…', '。']) },
    Feature { name: "ends_with_exclamation_mark", of: |text| ends_with(text, &['!', '！']) },
    Feature { name: "ends_with_question_mark", of: |text| ends_with(text, &['?', '？']) },
    Feature { name: "ends_without_punctuation", of: |text| flag(closing(text).is_some_and(char::is_alphanumeric)) },
    Feature { name: "exclamation_marks", of: |text| counted(text.matches(['!', '！']).count()) },
    Feature { name: "question_marks", of: |text| counted(text.matches(['?', '？']).count()) },
    Feature { name: "quotes", of: |text| counted(text.matches(['"', '“', '”', '„', '«', '»']).count()) },
    Feature { name: "urls", of: |text| counted(words_that(text, is_url)) },
    Feature { name: "mentions", of: |text| counted(words_that(text, |word| is_marked(word, '@'))) },
    Feature { name: "hashtags", of: |text| counted(words_that(text, |word| is_marked(word, '#'))) },
    Feature { name: "non_ascii_share", of: |text| share(text, |character| !character.is_ascii(), |_| true) },
    Feature { name: "emoji", of: |text| counted(text.chars().filter(|&character| is_emoji(character)).count()) },
    Feature { name: "markup", of: |text| counted(markup(text)) },
];

fn counted(count: usize) -> f64 {
    (count as f64).ln_1p()
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}

/// How many of the characters that count are such.
fn share(text: &str, is: fn(char) -> bool, counts: fn(char) -> bool) -> f64 {
    let (mut found, mut all) = (0_u32, 0_u32);
    for character in text.chars().filter(|&character| counts(character)) {
        all += 1;
        found += u32::from(is(character));
    }
    f64::from(found) / f64::from(all.max(1))
}

fn spaces(characters: impl Iterator<Item = char>) -> usize {
    characters.take_while(|character| character.is_whitespace()).count()
}

/// The last character that is neither white space nor a closing quote or bracket.
fn closing(text: &str) -> Option<char> {
    text.trim_end_matches(|character: char| character.is_whitespace() || "\"'”’»)]".contains(character)).chars().next_back()
}

fn ends_with(text: &str, marks: &[char]) -> f64 {
    flag(closing(text).is_some_and(|last| marks.contains(&last)))
}

fn words_that(text: &str, are: impl Fn(&str) -> bool) -> usize {
    text.split_whitespace().filter(|word| are(word)).count()
}

/// Two or more letters, all upper case.
fn is_all_caps(word: &str) -> bool {
    let letters = word.chars().filter(|character| character.is_alphabetic());
    letters.clone().count() > 1 && letters.clone().all(char::is_uppercase)
}

fn is_url(word: &str) -> bool {
    let word = word.trim_start_matches(['(', '<', '"', '[']);
    ["http://", "https://", "www."]
        .iter()
        .any(|start| word.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start)))
}

/// A word behind a sign, such as `@name`.
fn is_marked(word: &str, mark: char) -> bool {
    word.trim_start_matches(['(', '"', '.'])
        .strip_prefix(mark)
        .is_some_and(|rest| rest.starts_with(|first: char| first.is_alphanumeric() || first == '_'))
}

fn is_emoji(character: char) -> bool {
    matches!(u32::from(character), 0x1F300..=0x1FAFF | 0x2600..=0x27BF | 0x1F1E6..=0x1F1FF)
}

/// Tags, character references, and the signs of Markdown for links, emphasis, code and headings.
fn markup(text: &str) -> usize {
    let behind = |sign: char| text.split(sign).skip(1);
    let is_tag = |rest: &&str| {
        let name = rest.trim_start_matches('/');
        name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.split('>').next().is_some_and(|inside| inside.len() < name.len() && !inside.contains('<'))
    };
    let is_reference = |rest: &&str| {
        let name = rest.split(';').next().unwrap_or_default();
        name.len() < rest.len()
            && (2..=8).contains(&name.len())
            && name.trim_start_matches('#').chars().all(|character| character.is_ascii_alphanumeric())
    };
    let headings = text.lines().filter(|line| line.trim_start_matches('#').starts_with(' ') && line.starts_with('#')).count();
    let signs = ["](", "**", "__", "```"].iter().map(|sign| text.matches(sign).count()).sum::<usize>();
    behind('<').filter(is_tag).count() + behind('&').filter(is_reference).count() + headings + signs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(name: &str, text: &str) -> f64 {
        let feature = FEATURES.iter().find(|feature| feature.name == name).unwrap();
        (feature.of)(text)
    }

    #[test]
    fn each_trait_is_seen_where_it_is_and_only_there() {
        let plain = "A plain text without anything";
        let cases = [
            ("leading_spaces", " x", 2.0_f64.ln()),
            ("trailing_spaces", "x  ", 3.0_f64.ln()),
            ("doubled_spaces", " a  b ", 2.0_f64.ln()),
            ("tabs", "a\tb", 2.0_f64.ln()),
            ("line_breaks", "a\nb", 2.0_f64.ln()),
            ("all_caps_words", "this is GREAT, I say", 2.0_f64.ln()),
            ("digits", "a1b2", 0.5),
            ("ends_with_period", "He said “yes.” ", 1.0),
            ("ends_with_exclamation_mark", "Yes!", 1.0),
            ("ends_with_question_mark", "Is it?)", 1.0),
            ("exclamation_marks", "a! b!", 3.0_f64.ln()),
            ("question_marks", "a? b", 2.0_f64.ln()),
            ("quotes", "a \"b\"", 3.0_f64.ln()),
            ("urls", "see (https://example.org) or WWW.example.org", 3.0_f64.ln()),
            ("mentions", "@ann and mail@example.org", 2.0_f64.ln()),
            ("hashtags", "#one # two", 2.0_f64.ln()),
            ("non_ascii_share", "é1", 0.5),
            ("emoji", "fine 🙂", 2.0_f64.ln()),
            ("markup", "<b>bold</b> &amp; **strong**", 6.0_f64.ln()),
        ];
        for (name, text, expected) in cases {
            assert!((value(name, text) - expected).abs() < 1e-12, "{name} of {text:?}: {}", value(name, text));
            assert_eq!(value(name, plain), 0.0, "{name}");
        }
        assert_eq!(value("ends_without_punctuation", plain), 1.0);
        assert_eq!(value("ends_without_punctuation", "A sentence."), 0.0);
        assert_eq!(value("upper_case_share", "Ab cD 1"), 0.5);
        assert_eq!(value("markup", "1 < 2 & 3 > 2; a & b"), 0.0);
        assert!(FEATURES.iter().all(|feature| (feature.of)("").is_finite()));
    }
}
