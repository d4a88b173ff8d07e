//! Folders that earlier versions wrote still load, with the same scores to the last bit. `tests/fixtures` was written by the command at
//! commit 339a557 with `fixtures/write.sh`; the tiny model's weights are the same everywhere.

mod support;

use serde_json::Value;
use std::path::{Path, PathBuf};
use support::Bench;

const TEXTS: &str = "--text comment";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A bench with copies of all fixtures.
fn bench() -> Bench {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => copy(&entry.path(), &to.join(entry.file_name())),
                false => drop(std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
            }
        }
    }
    let bench = Bench::new();
    for name in ["exclusive", "independent", "checkpoint", "folds", "sweep"] {
        copy(&fixture(name), &bench.path(name));
    }
    std::fs::copy(fixture("both.csv"), bench.path("both.csv")).unwrap();
    bench
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The parts of a prediction that both versions write.
fn scores(text: &str) -> Vec<Value> {
    lines(text).iter().map(|line| line["scores"].clone()).collect()
}

/// Also writes the model into the folder `MODEL`, for `fixtures/write.sh`.
#[test]
fn the_tiny_model_is_that_of_the_fixtures() {
    let bench = Bench::new();
    if let Some(folder) = std::env::var_os("MODEL") {
        support::write_tiny_model(Path::new(&folder));
    }
    let record: Value = serde_json::from_slice(&std::fs::read(fixture("exclusive").join("classifier.json")).unwrap()).unwrap();
    let weights = lincah::BaseModel::open(bench.path("model").to_str().unwrap(), lincah::Device::Cpu)
        .unwrap()
        .weights_fingerprint()
        .to_owned();
    assert_eq!(record["base_model"]["weights_sha256"], weights);
}

#[test]
fn classifiers_of_formats_1_and_2_load_and_give_the_same_scores_to_the_last_bit() {
    let bench = bench();
    for (folder, format) in [("exclusive", 1), ("independent", 2)] {
        let record = std::fs::read(fixture(folder).join("classifier.json")).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&record).unwrap()["format_version"], format);
        let expected = std::fs::read_to_string(fixture(&format!("{folder}-predictions.jsonl"))).unwrap();
        let found = bench.run(&format!("predict {folder} both.csv {TEXTS} --device cpu")).ok();
        assert_eq!(scores(&found), scores(&expected), "{folder}");
        assert_eq!(lines(&found).len(), 24);
    }
}

/// Asserts that every value of `before` is in `now`, which may say more. Resamples without a class are left out of the macro averages now, so
/// intervals may differ; the speed is the machine's.
fn assert_contains(now: &Value, before: &Value, place: &str) {
    match before {
        Value::Object(entries) => {
            for (key, value) in entries.iter().filter(|(key, _)| !key.contains("interval") && *key != "texts_per_second") {
                assert_contains(&now[key], value, &format!("{place}.{key}"));
            }
        }
        Value::Array(values) => {
            assert_eq!(now.as_array().map(Vec::len), Some(values.len()), "{place}");
            values.iter().enumerate().for_each(|(index, value)| assert_contains(&now[index], value, &format!("{place}.{index}")));
        }
        before => assert_eq!(now, before, "{place}"),
    }
}

#[test]
fn their_metrics_are_the_same_too() {
    let bench = bench();
    for (folder, labels) in [("exclusive", "--label label"), ("independent", "--multi-label rude,late")] {
        let expected: Value =
            serde_json::from_str(&std::fs::read_to_string(fixture(&format!("{folder}-evaluation.json"))).unwrap()).unwrap();
        let found = bench.run(&format!("evaluate {folder} both.csv {TEXTS} {labels} --device cpu --json")).ok();
        let found: Value = serde_json::from_str(&found).unwrap();
        assert_contains(&found, &expected, folder);
    }
}

#[test]
fn a_training_begun_by_an_earlier_version_is_refused_in_a_line() {
    let bench = bench();
    let train = "train both.csv --text comment --multi-label rude,late --model model --rank 2 --learning-rate 0.02 --epochs 400 --device cpu";
    let message = bench.run(&format!("{train} --out checkpoint --resume")).refused();
    assert!(message.contains("an earlier version") && message.contains("checkpoint"), "{message}");
}

#[test]
fn sweeps_and_cross_validations_of_earlier_versions_are_reported() {
    let bench = bench();
    bench.run("report folds --out folds.html").ok();
    bench.run("report sweep --out sweep.html").ok();
    assert!(std::fs::read_to_string(bench.path("sweep.html")).unwrap().contains("ROC-AUC"));
}
