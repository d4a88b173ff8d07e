//! The journal: what is appended is read, the last word wins, and no crash or neighbour breaks it.

use std::path::{Path, PathBuf};

use lincah::Task;
use lincah::data::journal::{Action, Journal, JournalEntry, Timestamp};
use proptest::prelude::*;

use crate::message;

fn entry(id: &str, action: Action, text: Option<&str>, labels: &[&str]) -> JournalEntry {
    JournalEntry {
        time: "2026-01-31T12:00:00Z".parse().unwrap(),
        who: "ana".to_owned(),
        action,
        id: id.to_owned(),
        text: text.map(str::to_owned),
        labels: labels.iter().map(ToString::to_string).collect(),
        guideline: None,
        source: None,
        undo: false,
        milliseconds: None,
    }
}

fn labelled(id: &str, text: &str, labels: &[&str]) -> JournalEntry {
    entry(id, Action::Label, Some(text), labels)
}

fn new_path() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    (folder, path)
}

fn entries(path: &Path) -> Vec<JournalEntry> {
    Journal::read(path).unwrap().entries().to_vec()
}

fn parsed(text: &str) -> Result<Journal, lincah::data::DataError> {
    Journal::from_bytes("j", text.as_bytes())
}

#[test]
fn a_line_is_as_documented() {
    let (_folder, path) = new_path();
    assert!(entries(&path).is_empty(), "a journal that is not there yet is empty");
    let mut full = labelled("17", "Thank you.\n", &["civil"]);
    (full.guideline, full.source) = (Some("v2".to_owned()), Some("forum".to_owned()));
    Journal::append(&path, &[full.clone(), entry("17", Action::Remove, None, &[])]).unwrap();
    let expected = concat!(
        r#"{"time":"2026-01-31T12:00:00Z","who":"ana","action":"label","id":"17","text":"Thank you.\n","labels":["civil"],"#,
        r#""guideline":"v2","source":"forum"}"#,
        "\n",
        r#"{"time":"2026-01-31T12:00:00Z","who":"ana","action":"remove","id":"17"}"#,
        "\n"
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
    assert_eq!(entries(&path), [full, entry("17", Action::Remove, None, &[])]);
}

#[test]
fn times_are_utc() {
    let shown = |text: &str| text.parse::<Timestamp>().map(|time| time.to_string());
    assert_eq!(shown("2026-01-31T12:00:00.25+01:00").unwrap(), "2026-01-31T11:00:00.25Z");
    assert_eq!(message(shown("yesterday")), "`yesterday` is no time: give it as RFC 3339 has it, such as 2026-01-31T12:00:00Z");
    assert!(shown("9999-12-31T23:59:59-01:00").is_err());
    let now = Timestamp::now();
    assert!(now.to_string().ends_with('Z'));
    assert_eq!(now.to_string().parse::<Timestamp>().unwrap(), now);
}

#[test]
fn the_last_entry_of_an_id_wins() {
    let (_folder, path) = new_path();
    let all = [
        labelled("a", "one", &["no"]),
        labelled("b", "two", &["yes"]),
        entry("a", Action::Label, None, &["yes"]),
        labelled("c", "three", &["no"]),
        labelled("d", "four", &["no"]),
        entry("c", Action::Remove, None, &[]),
        entry("d", Action::Skip, None, &[]),
        labelled("b", "two, mended", &["no"]),
    ];
    Journal::append(&path, &all).unwrap();
    let journal = Journal::read(&path).unwrap();
    let data = journal.dataset(Task::SingleLabel, &[]).unwrap();
    assert_eq!(
        (data.texts, data.rows, data.truth),
        (vec!["one".to_owned(), "two, mended".to_owned()], vec![3, 8], vec![vec![false, true], vec![true, false]])
    );
    assert_eq!(data.labels.names(), ["no", "yes"]);
    let latest: Vec<_> =
        journal.latest().iter().map(|latest| (latest.line, latest.entry.id.clone(), latest.text.is_some())).collect();
    assert_eq!(
        latest,
        [(3, "a".to_owned(), true), (8, "b".to_owned(), true), (6, "c".to_owned(), true), (7, "d".to_owned(), true)]
    );
}

#[test]
fn independent_labels_may_be_none() {
    let lines = [labelled("a", "one", &["x", "y"]), labelled("b", "two", &[])];
    let (_folder, path) = new_path();
    Journal::append(&path, &lines).unwrap();
    let journal = Journal::read(&path).unwrap();
    let given = |labels: &[&str]| journal.dataset(Task::MultiLabel, &labels.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert_eq!(given(&["y", "z", "x"]).unwrap().truth, [[true, false, true], [false; 3]]);
    let unknown = message(given(&["y", "z"])).replace(path.to_str().unwrap(), "j");
    assert_eq!(unknown, "j, row 1 (line 1), column `labels`: `x` is not one of the labels `y`, `z`");
    let several = message(journal.dataset(Task::SingleLabel, &[])).replace(path.to_str().unwrap(), "j");
    assert_eq!(several, "j, line 1 is no entry of a journal: it has 2 labels, and exclusive labels are one per text");
}

#[test]
fn what_is_no_entry_is_refused_with_its_line() {
    let good = r#"{"time":"2026-01-31T12:00:00Z","who":"a","action":"label","id":"1","text":"x","labels":["y"]}"#;
    assert_eq!(parsed(&format!("{good}\n\n{good}")).unwrap().entries().len(), 2);
    let reason = |from: &str, to: &str| {
        let found = message(parsed(&format!("{good}\n{}\n", good.replace(from, to))));
        found.strip_prefix("j, line 2 is no entry of a journal: ").unwrap_or_else(|| panic!("{found}")).to_owned()
    };
    assert!(reason(r#""labels""#, r#""label""#).starts_with("unknown field `label`"));
    assert!(reason(r#""labels""#, r#""la\nbel""#).starts_with(r"unknown field `la\nbel`"), "on one line");
    assert!(reason(r#""label","id""#, r#""like","id""#).starts_with("unknown variant `like`"));
    assert!(reason("2026-01-31T12", "2026-01-32T12").starts_with("`2026-01-32T12:00:00Z` is no time"));
    assert!(reason(r#""id":"1","#, "").starts_with("missing field `id`"));
    assert_eq!(reason(r#""id":"1""#, r#""id":"""#), "its id is empty");
    assert_eq!(reason(r#""text":"x""#, r#""text":" ""#), "its text is blank");
    assert_eq!(reason(r#"["y"]"#, r#"["y","y"]"#), "it has the label `y` twice");
    assert_eq!(reason(r#"["y"]"#, r#"[""]"#), "one of its labels is empty");
    assert_eq!(reason(r#""label","id""#, r#""skip","id""#), "only the action `label` has labels");
    assert!(reason(good, "{\"time\":").starts_with("EOF while parsing"));
    // Without a text there is nothing to train on.
    let without = message(parsed(&good.replace(r#""text":"x","#, "")).unwrap().labelled().map(|_| ()));
    assert_eq!(without, "j, line 1 is no entry of a journal: its id `1` has no text, neither here nor before");
    assert_eq!(message(parsed("").unwrap().dataset(Task::SingleLabel, &[])), "j has no labelled text");
    let (_folder, path) = new_path();
    let refused = message(Journal::append(&path, &[labelled("1", "x", &["y"]), labelled("", "x", &[])]));
    assert!(refused.ends_with("line 2 is no entry of a journal: its id is empty"), "{refused}");
    assert!(!path.exists(), "nothing is written then");
    #[cfg(unix)]
    {
        let refused = message(Journal::append(Path::new("/dev/null"), &[labelled("1", "x", &["y"])]));
        assert_eq!(refused, "/dev/null is no regular file, as a journal must be");
        assert_eq!(message(Journal::read(Path::new("/dev/zero"))), "/dev/zero is no regular file, as a journal must be");
    }
}

#[test]
fn a_line_without_its_end_gets_one() {
    let (_folder, path) = new_path();
    let line = serde_json::to_string(&labelled("1", "x", &["y"])).unwrap();
    std::fs::write(&path, &line).unwrap();
    Journal::append(&path, &[labelled("2", "z", &["y"])]).unwrap();
    assert_eq!(entries(&path).len(), 2);
    // What somebody wrote by hand is never removed, even if it is no entry.
    std::fs::write(&path, "{\"id\": 7}").unwrap();
    assert!(Journal::read(&path).is_err());
    Journal::append(&path, &[labelled("2", "z", &["y"])]).unwrap();
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("{\"id\": 7}\n{"));
}

#[test]
fn appenders_wait_for_each_other() {
    let (_folder, path) = new_path();
    let text = "long ".repeat(20_000);
    std::thread::scope(|scope| {
        for who in 0..8 {
            let (path, text) = (&path, &text);
            scope.spawn(move || {
                (0..20).for_each(|turn| {
                    Journal::append(path, &[labelled(&format!("{who}-{turn}"), text, &["y"])]).unwrap();
                })
            });
        }
    });
    let journal = Journal::read(&path).unwrap();
    assert_eq!((journal.latest().len(), journal.torn_bytes()), (160, 0));
}

fn any_entry() -> impl Strategy<Value = JournalEntry> {
    let labels = prop::collection::btree_set("[a-c]{1,2}|é\n|\"", 0..3);
    let text = prop::option::of("[ -~é\n\r\t\u{0}]{0,20}x");
    let action = prop::sample::select(vec![Action::Label, Action::Skip, Action::Remove]);
    ("[0-4]", action, text, labels, prop::option::of(any::<String>()), 0_i64..4_000_000_000).prop_map(
        |(id, action, text, labels, extra, seconds)| {
            let days = seconds / 86_400;
            let time = format!("20{:02}-01-{:02}T00:00:{:02}Z", days % 100, days % 31 + 1, seconds % 60);
            JournalEntry {
                time: time.parse().unwrap(),
                who: extra.clone().unwrap_or_default(),
                action,
                id,
                text,
                labels: if action == Action::Label {
                    labels.into_iter().filter(|label| !label.trim().is_empty()).collect()
                } else {
                    Vec::new()
                },
                guideline: extra.clone(),
                source: extra,
                undo: seconds % 2 == 0,
                milliseconds: (seconds % 3 == 0).then_some(seconds as u64),
            }
        },
    )
}

#[test]
fn who_takes_back_uncovers_what_another_said() {
    let said = |who: &str, action: Action, labels: &[&str]| JournalEntry {
        text: Some("text".to_owned()),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        ..JournalEntry::new(who, action, "1")
    };
    let of = |entries: &[JournalEntry]| {
        let lines: Vec<String> = entries.iter().map(|entry| serde_json::to_string(entry).unwrap() + "\n").collect();
        let journal = Journal::from_bytes("journal", lines.concat().as_bytes()).unwrap();
        let latest = journal.latest();
        (latest.len(), latest[0].line, latest[0].entry.action, latest[0].entry.labels.clone())
    };
    let all = [
        said("ana", Action::Label, &["A"]),
        said("ben", Action::Label, &["B"]),
        JournalEntry { undo: true, ..said("ben", Action::Remove, &[]) },
        JournalEntry { undo: true, ..said("ana", Action::Remove, &[]) },
    ];
    assert_eq!(of(&all[..2]), (1, 2, Action::Label, vec!["B".to_owned()]));
    assert_eq!(of(&all[..3]), (1, 1, Action::Label, vec!["A".to_owned()]));
    assert_eq!(of(&all), (1, 4, Action::Remove, vec![]));
    // Without an undo, whoever removes it removes it for all.
    let removed = [all[0].clone(), said("ben", Action::Remove, &[])];
    assert_eq!(of(&removed), (1, 2, Action::Remove, vec![]));
}

proptest! {
    #[test]
    fn a_crash_at_any_byte_loses_the_last_entry_alone(written in prop::collection::vec(any_entry(), 1..6), cut: prop::sample::Index, next in any_entry()) {
        let (_folder, path) = new_path();
        written.iter().for_each(|entry| Journal::append(&path, std::slice::from_ref(entry)).unwrap());
        prop_assert_eq!(entries(&path), written.clone());
        let bytes = std::fs::read(&path).unwrap();
        let kept = cut.index(bytes.len() + 1);
        std::fs::write(&path, &bytes[..kept]).unwrap();
        // A line that lacks nothing but its end is whole.
        let ends: Vec<usize> = bytes.iter().enumerate().filter(|&(_, &byte)| byte == b'\n').map(|(at, _)| at).collect();
        let whole = ends.iter().filter(|&&end| end <= kept).count();
        let before = Journal::read(&path).unwrap();
        prop_assert_eq!(before.entries(), &written[..whole]);
        let last_end = ends[..whole].last().map_or(0, |end| (end + 1).min(kept));
        prop_assert_eq!(before.torn_bytes(), kept - last_end);
        Journal::append(&path, std::slice::from_ref(&next)).unwrap();
        let after = Journal::read(&path).unwrap();
        prop_assert_eq!(after.entries(), [&written[..whole], &[next]].concat());
        prop_assert_eq!(after.torn_bytes(), 0);
    }

    #[test]
    fn the_last_word_of_each_id_is_what_a_map_would_keep(written in prop::collection::vec(any_entry(), 1..12)) {
        let written: Vec<JournalEntry> = written.into_iter().map(|entry| JournalEntry { undo: false, ..entry }).collect();
        let bytes: String = written.iter().map(|entry| serde_json::to_string(entry).unwrap() + "\n").collect();
        let journal = Journal::from_bytes("j", bytes.as_bytes()).unwrap();
        let mut last = std::collections::BTreeMap::new();
        written.iter().zip(1_u64..).for_each(|(entry, line)| {
            last.insert(entry.id.clone(), (line, entry.clone()));
        });
        let latest: std::collections::BTreeMap<_, _> =
            journal.latest().into_iter().map(|latest| (latest.entry.id.clone(), (latest.line, latest.entry.clone()))).collect();
        prop_assert_eq!(latest, last);
    }

    #[test]
    fn whatever_the_bytes_there_is_a_journal_or_one_line(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Err(error) = Journal::from_bytes("j", &bytes) {
            prop_assert!(!error.to_string().contains('\n'), "{}", error);
        }
    }
}
