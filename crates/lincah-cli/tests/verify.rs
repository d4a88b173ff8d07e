//! `lincah verify`: what passes, what fails, and what is skipped.

mod support;

use serde_json::Value;
use support::{Bench, Ran};

fn trained() -> Bench {
    let bench = Bench::new();
    bench.run("train data.csv --text comment --label label --model model --members 1 --epochs 2 --out out").ok();
    bench
}

fn checks(ran: &Ran) -> Vec<(String, String)> {
    let found: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    let text = |check: &Value, key: &str| check[key].as_str().unwrap().to_owned();
    found["checks"].as_array().unwrap().iter().map(|check| (text(check, "name"), text(check, "status"))).collect()
}

fn status(ran: &Ran, name: &str) -> String {
    checks(ran).into_iter().find(|(found, _)| found == name).map_or(String::from("absent"), |(_, status)| status)
}

#[test]
fn a_folder_as_it_was_saved_passes() {
    let bench = trained();
    let ran = bench.run("verify out --json");
    for name in ["files", "batch", "order", "threads", "probes"] {
        assert_eq!(status(&ran, name), "passed", "{name} in {ran:?}");
    }
    assert!(bench.run("verify out").ok().ends_with("verified\n"));
    // Calibrating changes neither the adapter nor what the model says of the probes.
    bench.write(
        "other.csv",
        "comment,label\n".to_owned() + &(0..20).map(|row| format!("word {row},{}\n", ["A", "B"][row % 2])).collect::<String>(),
    );
    bench.run("calibrate out other.csv --text comment --label label --calibration platt --target f1").ok();
    bench.run("verify out").ok();
}

#[test]
fn what_was_changed_fails_by_name() {
    let bench = trained();
    let stored = |name: &str| std::fs::read(bench.path("out").join(name)).unwrap();
    for (file, change, check) in [
        ("classifier.json", ("Classify the following", "Sort the following"), "files"),
        ("adapter_config.json", ("\"lora_alpha\": 16", "\"lora_alpha\": 15"), "files"),
        ("probes.json", ("Thank you", "No thank you"), "probes"),
    ] {
        let before = stored(file);
        let text = String::from_utf8(before.clone()).unwrap();
        assert!(text.contains(change.0), "{file} has {}: {text}", change.0);
        bench.write(&format!("out/{file}"), text.replacen(change.0, change.1, 1));
        let ran = bench.run("verify out --json");
        assert_eq!((status(&ran, check), ran.code), (String::from("failed"), Some(1)), "{file}: {ran:?}");
        assert!(ran.refused().contains(check));
        bench.write(&format!("out/{file}"), before);
    }
    let mut weights = stored("adapter_model.safetensors");
    let last = weights.len() - 1;
    weights[last] ^= 0x40;
    bench.write("out/adapter_model.safetensors", weights);
    let ran = bench.run("verify out");
    assert!(ran.stdout.contains("files    FAILED"), "{ran:?}");
    assert!(ran.refused().contains("did not pass: files"));
}

#[test]
fn an_older_folder_has_no_probes_and_passes_all_the_same() {
    let bench = trained();
    std::fs::remove_file(bench.path("out/probes.json")).unwrap();
    let ran = bench.run("verify out --json");
    assert_eq!(status(&ran, "probes"), "skipped");
    assert_eq!(ran.code, Some(0));
    assert!(bench.run("verify nowhere").refused().contains("did not pass: files"));
}
