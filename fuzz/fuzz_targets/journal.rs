//! Any bytes, read as a journal: they end in entries or in an error, and what was read is written as it was read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lincah::Task;
use lincah::data::journal::Journal;

fuzz_target!(|input: &[u8]| {
    let Ok(journal) = Journal::from_bytes("input", input) else { return };
    assert!(journal.latest().len() <= journal.entries().len());
    for task in [Task::SingleLabel, Task::MultiLabel] {
        if let Ok(data) = journal.dataset(task, &[]) {
            assert_eq!(data.truth.len(), data.texts.len());
        }
    }
    let lines: Vec<String> = journal.entries().iter().map(|entry| serde_json::to_string(entry).unwrap() + "\n").collect();
    let again = Journal::from_bytes("input", lines.concat().as_bytes()).unwrap();
    assert_eq!(again.entries(), journal.entries());
});
