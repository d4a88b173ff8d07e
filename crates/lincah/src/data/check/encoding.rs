//! Characters that are not what their writer meant, or that nobody sees.

use serde::Serialize;

use crate::data::dataset::Dataset;

/// From this score on a text is taken for UTF-8 that was read as Windows-1252 or Latin-1.
const SURE: usize = 2;

/// What looks wrong with the characters of a data set; rows are numbers of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Encoding {
    /// Rows with such as `Ã©` for é or `â€™` for ’.
    pub mojibake: Vec<u64>,
    /// Rows with U+FFFD, which stands where a character was lost.
    pub replacement_characters: Vec<u64>,
    /// Rows with characters that have no width or steer the direction of writing, and are not needed where they stand.
    pub invisible_characters: Vec<u64>,
    /// In how many rows each script has most letters, the commonest first.
    pub scripts: Vec<ScriptCount>,
    /// Rows of other scripts than the commonest.
    pub other_scripts: Vec<u64>,
}

/// How many rows are written in a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScriptCount {
    /// The script's name.
    pub script: &'static str,
    /// Its rows.
    pub rows: usize,
}

impl Encoding {
    /// Looks through the texts.
    pub fn of(data: &Dataset) -> Self {
        let rows_with = |is: fn(&str) -> bool| -> Vec<u64> {
            data.texts.iter().zip(&data.rows).filter(|(text, _)| is(text)).map(|(_, &row)| row).collect()
        };
        let script_of: Vec<Option<&'static str>> = data.texts.iter().map(|text| main_script(text)).collect();
        let mut scripts: Vec<ScriptCount> = Vec::new();
        for script in script_of.iter().flatten() {
            match scripts.iter_mut().find(|count| count.script == *script) {
                Some(count) => count.rows += 1,
                None => scripts.push(ScriptCount { script, rows: 1 }),
            }
        }
        scripts.sort_by_key(|count| std::cmp::Reverse(count.rows));
        let commonest = scripts.first().map(|count| count.script);
        let others = script_of.iter().zip(&data.rows).filter(|(script, _)| script.is_some() && **script != commonest);
        Self {
            mojibake: rows_with(is_mojibake),
            replacement_characters: rows_with(|text| text.contains('\u{fffd}')),
            invisible_characters: rows_with(has_invisible),
            other_scripts: others.map(|(_, &row)| row).collect(),
            scripts,
        }
    }

    /// Whether nothing looks wrong; other scripts are not wrong.
    pub fn is_clean(&self) -> bool {
        self.mojibake.is_empty() && self.replacement_characters.is_empty() && self.invisible_characters.is_empty()
    }
}

/// The byte that Windows-1252, or Latin-1 where that has none, shows as this character.
fn byte(character: char) -> Option<u8> {
    const FROM_80: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’', '“',
        '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match u8::try_from(u32::from(character)) {
        Ok(byte) => Some(byte),
        Err(_) => FROM_80.iter().position(|&shown| shown == character).map(|place| place as u8 + 0x80),
    }
}

/// The bytes of a UTF-8 character that starts here, if what is shown are its bytes one by one, and the character.
fn misread(shown: &[char]) -> Option<(Vec<u8>, char)> {
    let length = match byte(*shown.first()?)? {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return None,
    };
    let bytes: Vec<u8> = shown.get(..length)?.iter().map(|&character| byte(character)).collect::<Option<_>>()?;
    let meant = std::str::from_utf8(&bytes).ok()?.chars().next()?;
    Some((bytes, meant))
}

/// Whether the text has characters whose bytes were shown one by one.
///
/// Every misread character adds to a score; quotes, dots and dashes behind an accented letter, as in `Spaß“` or `café…»`, spell one by
/// accident, so that only a pattern that no language writes is enough alone. Two such accidents behind a capital Ã or Â in one text are a false alarm. Words of Greek and
/// Cyrillic letters are told by their runs.
fn is_mojibake(text: &str) -> bool {
    if text.is_ascii() {
        return false;
    }
    let characters: Vec<char> = text.chars().collect();
    let (mut score, mut at, mut before) = (0, 0, None);
    while at < characters.len() && score < SURE {
        let Some((bytes, meant)) = misread(&characters[at..]) else {
            (at, before) = (at + 1, None);
            continue;
        };
        // C1 control characters stand in no text.
        let has_control = characters[at..at + bytes.len()].iter().any(|character| ('\u{80}'..='\u{9f}').contains(character));
        let is_symbol = (0xA1..=0xBF).contains(&bytes[1]) && !matches!(bytes[1], 0xAB | 0xBB);
        score += match (meant, bytes[0]) {
            _ if has_control => SURE,
            ('\u{2000}'..='\u{20cf}' | '\u{fffd}' | '\u{feff}' | '\u{1f000}'..='\u{1faff}', _) => SURE,
            (_, 0xC2 | 0xC3) => {
                if is_symbol {
                    SURE
                } else {
                    1
                }
            }
            (_, 0xC4 | 0xC5) => usize::from(is_symbol),
            (_, 0xCE..=0xD1) if before.is_some_and(|before| (0xCE..=0xD1).contains(&before)) => SURE,
            _ => 0,
        };
        (at, before) = (at + bytes.len(), Some(bytes[0]));
    }
    score >= SURE
}

/// Whether the text has a character without width, or one that turns the direction of writing, where none is needed: a joiner between Latin
/// letters, a mark of direction where nothing is written from right to left.
fn has_invisible(text: &str) -> bool {
    if text.is_ascii() {
        return false;
    }
    let from_right = text.chars().any(|character| matches!(script(character), Some("Arabic" | "Hebrew")));
    let mut before = None;
    text.chars().any(|character| {
        // Persian, the scripts of India and emoji are written with joiners.
        let plain = before
            .is_none_or(|before: char| before.is_whitespace() || matches!(script(before), Some("Latin" | "Greek" | "Cyrillic")));
        before = Some(character);
        match character {
            '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{ad}' | '\u{180e}' => true,
            '\u{200c}' | '\u{200d}' => plain,
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => !from_right,
            '\u{e0001}'..='\u{e007f}' => !text.contains('\u{1f3f4}'),
            _ => false,
        }
    })
}

/// The script of a letter, by the blocks of Unicode that most texts are written in.
fn script(character: char) -> Option<&'static str> {
    if !character.is_alphabetic() {
        return None;
    }
    Some(match u32::from(character) {
        0x41..=0x24F | 0x1E00..=0x1EFF | 0xFF21..=0xFF5A => "Latin",
        0x370..=0x3FF | 0x1F00..=0x1FFF => "Greek",
        0x400..=0x52F => "Cyrillic",
        0x530..=0x58F => "Armenian",
        0x590..=0x5FF => "Hebrew",
        0x600..=0x77F | 0x8A0..=0x8FF | 0xFB50..=0xFEFC => "Arabic",
        0x900..=0xDFF => "scripts of India",
        0xE00..=0xE7F => "Thai",
        0x10A0..=0x10FF => "Georgian",
        0x1100..=0x11FF | 0xAC00..=0xD7AF => "Hangul",
        0x3040..=0x30FF | 0x31F0..=0x31FF | 0x3400..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF => "Han and kana",
        _ => "other",
    })
}

/// The script of most letters; of as many the one that comes first. None where there are no letters.
fn main_script(text: &str) -> Option<&'static str> {
    let mut counts: Vec<(&'static str, usize)> = Vec::new();
    for script in text.chars().filter_map(script) {
        match counts.iter_mut().find(|(name, _)| *name == script) {
            Some((_, count)) => *count += 1,
            None => counts.push((script, 1)),
        }
    }
    counts.into_iter().reduce(|most, other| if other.1 > most.1 { other } else { most }).map(|(script, _)| script)
}

#[cfg(test)]
mod tests {
    use super::super::tests::data;
    use super::*;

    /// Text in languages with accents, quotes and dashes where they meet the letters; all of it as it should be.
    const FINE: [&str; 22] = [
        "Über die Brücke ging es schön langsam, „aber mit Spaß“ – so hieß es.",
        "Er sagte: »Größe ist nicht alles« … und ging ins Café.",
        "„Müßig“, fand sie, „ist das Ä“ und lachte.",
        "Le garçon a mangé à l’été « café… » puis s’est tu ; où ça ?",
        "« Déjà… », dit-elle. L’élève fût ravi — naïf, peut-être.",
        "ÇA ALORS ! À BIENTÔT, MÉMÉ… “CAFÉ”",
        "Tôi rất thích quyển sách này, cảm ơn bạn đã gửi nó cho tôi.",
        "Đường phố Hà Nội đẹp quá… “Ồ”, cô ấy nói, ngã tư ở đâu?",
        "NGÃ… Â và Ô là chữ cái.",
        "AMANHÃ… a gente vê. “MAÇÔ é fruta, coração não é.",
        "¿Dónde está el niño? ¡Mañana, señor! Cuesta 5 € – o 6 £.",
        "Smørrebrød på Åland: “blåbær”, sa å… og gikk. Það er gott, ÞÓRÐUR.",
        "Zażółć gęślą jaźń — „łódź”, powiedział.",
        "Příliš žluťoučký kůň… „úpěl“ ďábelské ódy.",
        "Şişli’de güneş… “ığdır” dedi. Îmi place România, „mâine” plecăm.",
        "Привет, как дела? «Хорошо», — ответил он…",
        "Καλημέρα… «τι κάνεις;»",
        "25 °C ± 2, 3 µm² © 2020, 5½ § 4, naïve façade ™",
        "日本語の文章です。「はい」…",
        "مرحبا بكم، كيف الحال؟",
        "नमस्ते दुनिया",
        "Plain text with nothing in it 🙂👍🏽 👩‍👩‍👧",
    ];

    /// The bytes of UTF-8 shown one by one in Windows-1252, as broken exports do.
    fn broken(text: &str) -> String {
        let shown = |byte: u8| {
            (0..=0x2122)
                .filter_map(char::from_u32)
                .find(|&character| self::byte(character) == Some(byte) && (byte < 0x80 || !character.is_control()))
                .unwrap_or(char::from(byte))
        };
        text.bytes().map(shown).collect()
    }

    #[test]
    fn real_accents_are_fine_and_broken_ones_are_found() {
        for text in FINE {
            assert!(!is_mojibake(text), "{text}");
            assert!(!has_invisible(text), "{text}");
        }
        let cases = [
            "schöne Grüße",
            "it’s",
            "café",
            "“quoted”",
            "a – b",
            "Привет",
            "Καλημέρα",
            "🙂",
            "naïve",
            "5 €",
            "garçon",
            "señor",
            "żółć",
        ];
        for text in cases {
            assert!(is_mojibake(&broken(text)), "{text} as {}", broken(text));
        }
        let latin_1: String = "it’s".bytes().map(char::from).collect();
        assert!(is_mojibake(&latin_1));
    }

    #[test]
    fn what_nobody_sees_is_found_where_it_is_not_needed() {
        for text in ["zero\u{200b}width", "\u{feff}mark", "soft\u{ad}hyphen", "join\u{200d}er", "turn\u{202e}ed", "tag\u{e0041}"]
        {
            assert!(has_invisible(text), "{text:?}");
        }
        for text in ["می\u{200c}خواهم", "שלום\u{200f}!", "👩\u{200d}👩", "क्\u{200d}ष"] {
            assert!(!has_invisible(text), "{text:?}");
        }
    }

    #[test]
    fn rows_are_counted_by_script() {
        let rows = data(&[("One", 0), ("Привет all", 1), ("two", 0), ("123 !", 1), ("lost \u{fffd}", 0)]);
        let found = Encoding::of(&rows);
        assert_eq!(found.scripts, [ScriptCount { script: "Latin", rows: 3 }, ScriptCount { script: "Cyrillic", rows: 1 }]);
        assert_eq!((found.other_scripts.as_slice(), found.replacement_characters.as_slice()), ([2].as_slice(), [5].as_slice()));
        assert!(!found.is_clean());
    }
}
