//! Thresholds, calibration, review and gates, from training to prediction.

mod support;

use serde_json::Value;
use support::Bench;

const DATA: &str = "data.csv --text comment --label label";
const TRAIN: &str = "train data.csv --text comment --label label --model model --members 1 --epochs 8";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn record(bench: &Bench, folder: &str) -> Value {
    json(&std::fs::read_to_string(bench.path(folder).join("classifier.json")).unwrap())
}

/// Rows like those of `data.csv`, but none of them; every third one says one thing and is labelled another.
fn other_rows() -> String {
    let mut csv = String::from("comment,label,author,day\n");
    for row in 0..60 {
        let (text, label) = if row % 2 == 0 { ("aaaa bbbb", "A") } else { ("zzzz yyyy", "B") };
        let label = match (row % 3, label) {
            (0, "A") => "B",
            (0, _) => "A",
            (_, label) => label,
        };
        csv += &format!("{text} other {row},{label},author {},2026-01-{:02}\n", row / 4, row % 28 + 1);
    }
    csv
}

#[test]
fn a_target_is_chosen_on_out_of_fold_scores_and_stored() {
    let bench = Bench::new();
    let trained = bench.run(&format!("{TRAIN} --holdout 10 --target precision=0.9 --review 10% --oof-folds 3 --out chosen")).ok();
    assert!(trained.starts_with("decisions, chosen on out-of-fold scores of the training rows (30)"), "{trained}");
    assert!(trained.contains("calibration: ") && trained.contains("precision=0.9"), "{trained}");
    let record = record(&bench, "chosen");
    assert_eq!(record["decision_rule"]["targets"][1], "precision=0.9");
    let threshold = record["decision_rule"]["thresholds"][1].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&threshold));
    assert_eq!(record["decisions"]["source"], "out_of_fold");
    let point = &record["decisions"]["points"]["labels"][0];
    let rows = ["positives", "negatives"]
        .map(|side| ["flagged", "cleared", "reviewed"].map(|outcome| point[side][outcome].as_u64().unwrap()).iter().sum::<u64>());
    assert_eq!(rows.iter().sum::<u64>(), 30);
    // The folds are those of a cross-validation, which can be reported.
    assert_eq!(bench.list("chosen/folds"), ["predictions.jsonl", "results.jsonl"]);
    bench.run("report chosen/folds --out folds.html").ok();

    let found = json(&bench.run(&format!("evaluate chosen {DATA} --holdout 10 --prevalence 1% --json")).ok());
    assert_eq!(found["trained_on_rows"], 0);
    assert_eq!(found["threshold"].as_f64().unwrap(), threshold);
    assert_eq!(found["decision_rule"]["thresholds"][1].as_f64().unwrap(), threshold);
    let at = &found["at_prevalence"][0];
    assert_eq!((at["label"].as_str(), at["prevalence"].as_f64()), (Some("B"), Some(0.01)));
    for rate in ["recall", "false_positive_rate", "precision"] {
        let interval = [0, 1].map(|end| at[rate]["interval"][end].as_f64().unwrap());
        assert!(interval[0] <= interval[1] && (0.0..=1.0).contains(&interval[0]), "{rate}: {interval:?}");
    }
    assert!(found["summary"].as_str().unwrap().starts_with("Where 1 % of the texts are B"), "{found}");

    let predicted = bench.run("predict chosen data.csv --text comment").ok();
    for line in predicted.lines().map(json) {
        let (score, band) = (line["scores"]["B"].as_f64().unwrap(), &record["decision_rule"]["review"][1]);
        let [low, high] = [0, 1].map(|end| band[end].as_f64().unwrap());
        let expected = if (low..high).contains(&score) { None } else { Some(if score >= threshold { "B" } else { "A" }) };
        assert_eq!((line["decision"].as_str(), line["review"].as_bool()), (expected, Some(expected.is_none())), "{line}");
    }
}

#[test]
fn a_classifier_is_calibrated_on_rows_of_their_own() {
    let bench = Bench::new();
    bench.write("other.csv", other_rows());
    bench.run(&format!("{TRAIN} --out plain")).ok();
    let before = bench.run("predict plain --input").stderr;
    assert!(before.contains("error"), "{before}");
    let scores = |folder: &str| -> Vec<f64> {
        let lines = bench.run(&format!("predict {folder} other.csv --text comment")).ok();
        lines.lines().map(|line| json(line)["scores"]["B"].as_f64().unwrap()).collect()
    };
    let before = scores("plain");
    let other = "other.csv --text comment --label label";
    // Its own rows are refused.
    let refused = bench.run(&format!("calibrate plain {DATA} --target f1")).refused();
    assert!(refused.contains("was trained on all 40 rows"), "{refused}");
    let chosen = json(&bench.run(&format!("calibrate plain {other} --calibration platt --target recall=0.9 --json")).ok());
    assert_eq!((chosen["decisions"]["source"].as_str(), chosen["decisions"]["rows"].as_u64()), (Some("rows"), Some(60)));
    assert_eq!(chosen["calibration"][0]["method"], "platt");
    let (slope, intercept) =
        (chosen["calibration"][0]["slope"].as_f64().unwrap(), chosen["calibration"][0]["intercept"].as_f64().unwrap());
    let after = scores("plain");
    for (before, after) in before.iter().zip(&after) {
        let expected = 1.0 / (1.0 + (-(slope * (before / (1.0 - before)).ln() + intercept)).exp());
        assert!((expected - after).abs() < 1e-6, "{before} became {after} and not {expected}");
    }
    // Every third row is wrong, so the probabilities were too sure.
    let loss = |when: &str| chosen["decisions"][when]["log_loss"]["value"].as_f64().unwrap();
    assert!(loss("after") < loss("before"), "{chosen}");
    let told = bench.run(&format!("evaluate plain {other}"));
    assert!(told.stderr.contains("60 of the rows chose the decisions"), "{told:?}");
    assert!(told.stdout.contains("recall=0.9"), "{told:?}");
}

#[test]
fn rows_that_were_trained_on_do_not_judge_a_classifier() {
    let bench = Bench::new();
    bench.run(&format!("{TRAIN} --holdout 10 --out some")).ok();
    let evaluate = format!("evaluate some {DATA}");
    let found = bench.run(&evaluate);
    assert!(found.stderr.contains("30 of 40 rows were trained on; the figures are of the 10 others"), "{found:?}");
    let found = json(&bench.run(&format!("{evaluate} --json")).ok());
    assert_eq!((found["trained_on_rows"].as_u64(), found["n"].as_u64()), (Some(30), Some(10)));
    let all = json(&bench.run(&format!("{evaluate} --include-training-rows --json")).ok());
    assert_eq!((all["trained_on_rows"].as_u64(), all["n"].as_u64()), (Some(30), Some(40)));
    assert_eq!((found["training_rows_included"].as_bool(), all["training_rows_included"].as_bool()), (Some(false), Some(true)));
    let stored = std::fs::read_to_string(bench.path("some/classifier.json")).unwrap();
    assert!(!stored.contains("aaaa") && !stored.contains("zzzz"), "no text is stored");
    bench.run(&format!("report some {DATA} --out page.html")).ok();
    let page = std::fs::read_to_string(bench.path("page.html")).unwrap();
    assert!(page.contains("30 of 40 rows were trained on; the figures are of the 10 others."));
}

#[test]
fn a_gate_closes_with_exit_code_1_after_the_figures() {
    let bench = Bench::new();
    bench.run(&format!("{TRAIN} --holdout 10 --out gated")).ok();
    let evaluate = format!("evaluate gated {DATA} --holdout 10 --json");
    bench.run(&format!("{evaluate} --fail-under f1=0.0,log_loss=100")).ok();
    let closed = bench.run(&format!("{evaluate} --fail-under accuracy=1.5"));
    assert!(json(&closed.stdout)["f1"].is_number(), "the figures come all the same");
    assert!(closed.refused().contains("accuracy is "));
    let unknown = bench.run(&format!("{evaluate} --fail-under speed=3")).refused();
    assert!(unknown.contains("there is no `speed` here; there are f1, precision"), "{unknown}");
}

#[test]
fn groups_and_dates_are_not_divided() {
    let bench = Bench::new();
    bench.write("other.csv", other_rows());
    let other = "other.csv --text comment --label label";
    let train = format!("train {other} --model model --members 1 --epochs 2");
    let n = |arguments: &str| -> u64 {
        let found = bench.run(&format!("evaluate {arguments} --json"));
        assert!(!found.stderr.contains("were trained on"), "{found:?}");
        json(&found.ok())["n"].as_u64().unwrap()
    };
    bench.run(&format!("{train} --holdout 10 --group author --out grouped")).ok();
    // Authors have four rows each, so three of them are held out.
    assert_eq!(n(&format!("grouped {other} --holdout 10 --group author")), 12);
    bench.run(&format!("{train} --holdout-after 2026-01-20 --time day --out dated")).ok();
    assert_eq!(n(&format!("dated {other} --holdout-after 2026-01-20 --time day")), 16);
    bench.run(&format!("cross-validate {other} --model model --epochs 1 --folds 3 --group author --out folds")).ok();
    let lines = std::fs::read_to_string(bench.path("folds/predictions.jsonl")).unwrap();
    let mut fold_of_author = std::collections::HashMap::new();
    for line in lines.lines().map(json) {
        let (author, fold) = ((line["row"].as_u64().unwrap() - 1) / 4, line["fold"].as_u64().unwrap());
        assert_eq!(*fold_of_author.entry(author).or_insert(fold), fold, "an author is in two folds");
    }
    assert_eq!(fold_of_author.len(), 15);
    let undated = bench.run(&format!("{train} --holdout-after 2026-01-20 --time author --out undated")).refused();
    assert!(undated.contains("row 1 has no date in `author`"), "{undated}");
}

#[test]
fn independent_labels_have_a_threshold_and_a_calibration_each() {
    let bench = Bench::new();
    let mut csv = String::from("comment,rude,spam\n");
    for row in 0..48 {
        let (rude, spam) = (row % 2, (row / 2) % 2);
        let text = format!("{} {}", if rude == 1 { "zzzz" } else { "aaaa" }, if spam == 1 { "yyyy" } else { "bbbb" });
        csv += &format!("{text} {row},{rude},{spam}\n");
    }
    bench.write("both.csv", csv);
    let both = "both.csv --text comment --multi-label rude,spam";
    let command = format!(
        "train {both} --model model --epochs 4 --holdout 16 --oof-folds 2 --target rude:recall=0.9 --target spam:fpr=0.1"
    );
    bench.run(&format!("{command} --out both")).ok();
    let record = record(&bench, "both");
    assert_eq!(record["decision_rule"]["targets"], serde_json::json!(["recall=0.9", "fpr=0.1"]));
    assert_eq!(record["decisions"]["points"]["labels"].as_array().unwrap().len(), 2);
    let found = json(&bench.run(&format!("evaluate both {both} --holdout 16 --prevalence rude=0.1 --json")).ok());
    assert_eq!(found["at_prevalence"].as_array().unwrap().len(), 1);
    let wrong = bench.run(&format!("{command} --target cross:f1 --out never")).refused();
    assert!(wrong.contains("there is no threshold of `cross`"), "{wrong}");
    assert!(!bench.path("never").exists(), "nothing is begun");
    bench.run(&format!("report both {both} --holdout 16 --prevalence 5% --out both.html")).ok();
    let page = std::fs::read_to_string(bench.path("both.html")).unwrap();
    assert!(page.contains("Where 5 % of the texts are rude") && page.contains("recall=0.9"));
}

#[test]
fn white_space_tells_nothing_unless_it_is_kept() {
    let bench = Bench::new();
    let train = "train data.csv --text comment --label label --model model --epochs 1 --members 1";
    bench.run(&format!("{train} --out single")).ok();
    bench.run(&format!("{train} --keep-whitespace --out kept")).ok();
    bench.write("spaced.jsonl", "{\"comment\": \"aaaa bbbb\"}\n{\"comment\": \"  aaaa \\t bbbb  \"}\n");
    let scores = |folder: &str| -> Vec<f64> {
        let lines = bench.run(&format!("predict {folder} spaced.jsonl --text comment")).ok();
        lines.lines().map(|line| json(line)["scores"]["B"].as_f64().unwrap()).collect()
    };
    let (single, kept) = (scores("single"), scores("kept"));
    assert_eq!(single[0], single[1]);
    assert_ne!(kept[0], kept[1]);
}

#[test]
fn reasons_are_spans_of_the_text_whose_absence_changes_the_score() {
    let bench = Bench::new();
    bench.run(&format!("{TRAIN} --learning-rate 0.02 --out out")).ok();
    let text = "aaaa bbbb, 😀 zzzz yyyy";
    bench.write("one.jsonl", format!("{{\"comment\": \"{text}\"}}\n{{\"comment\": \"\"}}\n"));
    let lines = bench.run("predict out one.jsonl --text comment --explain").ok();
    let (found, empty) = lines.split_once('\n').unwrap();
    let (found, empty) = (json(found), json(empty));
    assert!(empty["reasons"].is_null() && empty["reason"].is_string(), "{empty}");
    let reasons = found["reasons"].as_array().unwrap();
    assert!(!reasons.is_empty(), "{found}");
    let characters: Vec<char> = text.chars().collect();
    for reason in reasons {
        let (start, end) = (reason["start"].as_u64().unwrap() as usize, reason["end"].as_u64().unwrap() as usize);
        assert_eq!(characters[start..end].iter().collect::<String>(), reason["text"].as_str().unwrap());
        let without: String = [&characters[..start], &characters[end..]].concat().iter().collect();
        bench.write("less.jsonl", format!("{{\"comment\": {}}}\n", serde_json::to_string(&without).unwrap()));
        let less = json(&bench.run("predict out less.jsonl --text comment").ok());
        let label = reason["label"].as_str().unwrap();
        let score = |line: &Value| line["scores"][label].as_f64().unwrap();
        // Double spaces count as one.
        let change = score(&found) - score(&less);
        assert!((reason["change"].as_f64().unwrap() - change).abs() < 1e-6, "{reason} and not {change}");
    }
    let csv = bench.run("predict out one.jsonl --text comment --explain --format csv").ok();
    assert!(csv.starts_with("label,scores_A,scores_B,decision,review,truncated_characters,reasons,reason\n"), "{csv}");
}

#[test]
fn a_training_that_was_stopped_in_its_folds_goes_on_and_ends_alike() {
    let bench = Bench::new();
    let train = "train data.csv --text comment --label label --model model --members 1 --epochs 40 --checkpoint-seconds 0 --target f1 --oof-folds 3";
    bench.run(&format!("{train} --out whole")).ok();
    let child = bench.command(&format!("{train} --out stopped")).stderr(std::process::Stdio::piped()).spawn().unwrap();
    while !bench.path("stopped/folds/results.jsonl").exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let told = support::Ran::of(child.wait_with_output().unwrap()).refused();
    assert!(told.contains("--resume"), "{told}");
    assert!(!bench.path("stopped/classifier.json").exists());
    let without = bench.run(&format!("{train} --out stopped")).refused();
    assert!(without.contains("--resume"), "{without}");
    let resumed = bench.run(&format!("{train} --out stopped --resume"));
    assert!(resumed.stderr.contains("(was finished)"), "{resumed:?}");
    resumed.ok();
    for file in ["adapter_model.safetensors", "folds/predictions.jsonl"] {
        let read = |folder: &str| std::fs::read(bench.path(folder).join(file)).unwrap();
        assert_eq!(read("whole"), read("stopped"), "{file}");
    }
    assert_eq!(record(&bench, "whole")["decision_rule"], record(&bench, "stopped")["decision_rule"]);
    let again = bench.run(&format!("{train} --out stopped --resume")).refused();
    assert!(again.contains("finished"), "{again}");
}
