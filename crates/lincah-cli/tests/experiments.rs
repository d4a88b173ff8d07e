//! Cross-validation, sweeps, comparisons: on the tiny model, killed and gone on with.

mod support;

use serde_json::Value;
use std::process::Stdio;
use std::time::{Duration, Instant};
use support::{Bench, Ran};

const DATA: &str = "data.csv --text comment --label label --labels A,B";
const QUICK: &str = "--model model --learning-rate 0.01 --members 1 --holdout 8";

fn lines(bench: &Bench, file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(bench.path(file)).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Kills the command once `file` has `count` lines.
fn kill_at(bench: &Bench, command: &str, file: &str, count: usize) {
    let mut child = bench.command(command).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while lines(bench, file).len() < count && begun.elapsed() < Duration::from_secs(300) {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// What must not depend on the time a run took or when it was done.
fn untimed(mut results: Vec<Value>) -> Vec<Value> {
    for result in &mut results {
        result["seconds"] = Value::Null;
        for evaluation in ["evaluation", "tfidf"] {
            result[evaluation]["texts_per_second"] = Value::Null;
        }
    }
    results
}

#[test]
fn evaluate_gives_intervals_beside_the_old_keys() {
    let bench = Bench::new();
    let trained = bench.run(&format!("train {DATA} {QUICK} --epochs 4 --out out")).ok();
    assert!(trained.contains("TF-IDF + logistic regression, same rows: F1 "), "{trained}");
    let json = bench.run("evaluate out data.csv --text comment --label label --holdout 8 --json").ok();
    let json: Value = serde_json::from_str(&json).unwrap();
    for key in ["f1", "precision", "recall", "accuracy", "macro_f1", "roc_auc", "pr_auc"] {
        let interval: [f64; 2] = serde_json::from_value(json["intervals"][key].clone()).unwrap();
        let value = json[key].as_f64().unwrap();
        assert!(interval[0] <= value + 1e-12 && value <= interval[1] + 1e-12, "{key}: {value} outside {interval:?}");
    }
    assert_eq!(json["intervals"]["resamples"], 2000);
    let again = bench.run("evaluate out data.csv --text comment --label label --holdout 8 --json --threads 1").ok();
    let again: Value = serde_json::from_str(&again).unwrap();
    assert_eq!(again["intervals"], json["intervals"]);
    let printed = bench.run("evaluate out data.csv --text comment --label label --holdout 8").ok();
    assert!(printed.starts_with("Of 100 texts like these "), "{printed}");
    assert!(printed.contains("\n8 rows, in brackets 95 % bootstrap intervals over these rows\n"), "{printed}");
}

#[test]
fn a_killed_cross_validation_goes_on_and_ends_alike() {
    let bench = Bench::new();
    let command = |out: &str| format!("cross-validate {DATA} {QUICK} --epochs 3 --folds 4 --out {out}");
    let printed = bench.run(&command("whole")).ok();
    assert!(printed.contains("mean ± standard deviation over 4 folds"), "{printed}");
    kill_at(&bench, &command("killed"), "killed/results.jsonl", 1);
    let kept = lines(&bench, "killed/results.jsonl").len();
    let ran = bench.run(&command("killed"));
    assert_eq!(ran.stderr.matches("(was finished)").count(), kept.min(4), "{ran:?}");
    ran.ok();
    let results = untimed(lines(&bench, "whole/results.jsonl"));
    assert_eq!(results, untimed(lines(&bench, "killed/results.jsonl")));
    assert_eq!(results.len(), 5);
    let predictions = lines(&bench, "whole/predictions.jsonl");
    assert_eq!(predictions, lines(&bench, "killed/predictions.jsonl"));
    // The 32 rows that are not held out, each once.
    let mut rows: Vec<u64> = predictions.iter().map(|prediction| prediction["row"].as_u64().unwrap()).collect();
    rows.sort_unstable();
    rows.dedup();
    assert_eq!((rows.len(), predictions.len()), (32, 32));
    for prediction in &predictions {
        let scores: Vec<f64> = ["A", "B"].iter().map(|label| prediction["scores"][label].as_f64().unwrap()).collect();
        assert!((scores.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }
    let other = bench.run(&format!("{} --seed 9", command("whole"))).refused();
    assert!(other.contains("was begun with another recipe, prompt, model, folds or data"), "{other}");
    let many = bench.run(&format!("cross-validate {DATA} --model model --folds 30 --out many")).refused();
    assert!(many.contains("no more than the 20 rows of the smallest class"), "{many}");
    assert!(!bench.path("many").exists());
}

fn sweep(out: &str, rest: &str) -> String {
    format!("sweep {DATA} {QUICK} {rest} --out {out}")
}

/// Results by run, as the order in which jobs end is no property of the sweep.
fn by_run(bench: &Bench, out: &str) -> Vec<Value> {
    let mut results = untimed(lines(bench, &format!("{out}/results.jsonl")));
    results.sort_by_key(|result| result["run"].as_str().unwrap().to_string());
    results
}

#[test]
fn one_training_serves_every_epoch_count_bit_for_bit() {
    let bench = Bench::new();
    let constant = "--schedule constant --warmup 0 --dropout 0.1 --epochs";
    let printed = bench.run(&sweep("shared", &format!("{constant} 1,2,4"))).ok();
    assert!(printed.contains("to report, not to choose by"), "{printed}");
    for epochs in [1, 2, 4] {
        bench.run(&sweep("single", &format!("{constant} {epochs}"))).ok();
    }
    assert_eq!(by_run(&bench, "shared"), by_run(&bench, "single"));
    // And what `train` and `evaluate` make of the same settings.
    bench.run(&format!("train {DATA} {QUICK} {constant} 2 --out trained")).ok();
    let json = bench.run("evaluate trained data.csv --text comment --label label --holdout 8 --json").ok();
    let json: Value = serde_json::from_str(&json).unwrap();
    let results = lines(&bench, "shared/results.jsonl");
    let two = results.iter().find(|result| result["recipe"]["epochs"] == 2).unwrap();
    for key in ["f1", "roc_auc", "log_loss", "intervals"] {
        assert_eq!(two["evaluation"][key], json[key], "{key}");
    }
}

#[test]
fn a_killed_sweep_goes_on_and_jobs_change_nothing() {
    let bench = Bench::new();
    let grid = "--train-size 8,16 --epochs 1,2 --seed 1,2 --learning-rate 5e-3,1e-2 --targets all --targets q_proj,v_proj";
    let grid = grid.replace("--learning-rate 5e-3,1e-2", "--rank 2,4");
    let ran = bench.run(&sweep("whole", &format!("{grid} --jobs 2")));
    assert!(ran.stderr.contains("run 32/32"), "{ran:?}");
    let table = ran.ok();
    assert!(table.contains("TF-IDF ROC-AUC") && table.lines().count() >= 17, "{table}");
    kill_at(&bench, &sweep("killed", &grid), "killed/results.jsonl", 2);
    let kept = lines(&bench, "killed/results.jsonl").len();
    let ran = bench.run(&sweep("killed", &grid));
    assert!(ran.stderr.contains(&format!("32 runs, {kept} of them done")), "{ran:?}");
    ran.ok();
    assert_eq!(by_run(&bench, "whole"), by_run(&bench, "killed"));
    assert_eq!(by_run(&bench, "whole").len(), 32);
    // A longer list does what is new only.
    let ran = bench.run(&sweep("killed", &grid.replace("--seed 1,2", "--seed 1,2,3")));
    assert!(ran.stderr.contains("48 runs, 32 of them done"), "{ran:?}");
    ran.ok();
    let csv = std::fs::read_to_string(bench.path("killed/results.csv")).unwrap();
    let header: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
    for column in ["train_size", "epochs", "seed", "rank", "f1", "roc_auc_low", "tfidf_roc_auc", "majority_f1"] {
        assert!(header.contains(&column), "{column} in {header:?}");
    }
    assert_eq!(csv.lines().count(), 49);
}

#[test]
fn validation_rows_are_scored_without_the_holdout() {
    let bench = Bench::new();
    let printed = bench.run(&sweep("out", "--validation 0.25 --epochs 1,2 --seed 1,2")).ok();
    assert!(printed.contains("the holdout was not looked at"), "{printed}");
    for result in lines(&bench, "out/results.jsonl") {
        assert_eq!((&result["train_size"], &result["evaluation"]["n"]), (&Value::from(24), &Value::from(8)));
    }
    let refused = |rest: &str| bench.run(&format!("sweep {DATA} --model model --out none {rest}")).refused();
    assert!(refused("").contains("no rows to score"));
    assert!(refused("--holdout 8 --patience 2").contains("--patience is given, but must be left out"));
    assert!(refused("--holdout 8 --epochs 0,1").contains("--epochs is 0"));
    assert!(refused("--holdout 8 --train-size 8,99").contains("99"));
    assert!(!bench.path("none").exists());
    let bad = bench.run(&format!("sweep {DATA} --model model --out none --holdout 8 --epochs 1,x"));
    assert!(bad.code == Some(1) && bad.stderr.contains("'x'"), "{bad:?}");
}

#[test]
fn a_sweep_interrupted_by_ctrl_c_says_how_to_go_on() {
    let bench = Bench::new();
    let command = sweep("out", "--epochs 60 --seed 1,2,3,4,5,6,7,8");
    let child = bench.command(&command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while lines(&bench, "out/results.jsonl").is_empty() && begun.elapsed() < Duration::from_secs(300) {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert!(ran.stderr.contains("the same command goes on"), "{ran:?}");
    ran.refused();
}

#[test]
fn compare_finds_the_better_classifier_and_names_rows_only() {
    let bench = Bench::new();
    bench.run(&format!("train {DATA} --model model --learning-rate 1e-9 --epochs 1 --out poor")).ok();
    bench.run(&format!("train {DATA} --model model --learning-rate 0.01 --epochs 8 --out good")).ok();
    let compare = |rest: &str| {
        bench.run(&format!("compare poor good data.csv --text comment --label label --include-training-rows {rest}")).ok()
    };
    let json: Value = serde_json::from_str(&compare("--json")).unwrap();
    let right = |key: &str| (json[key]["accuracy"].as_f64().unwrap() * 40.0).round() as i64;
    let alone = |key: &str| json["mcnemar"][key].as_i64().unwrap();
    assert_eq!(right("second") - right("first"), alone("only_second_right") - alone("only_first_right"));
    assert_eq!(json["flips"].as_array().unwrap().len() as i64, alone("only_second_right") + alone("only_first_right"));
    assert!(json["verdict"].as_str().unwrap().starts_with("the second is better, by decisions"), "{}", json["verdict"]);
    let printed = compare("");
    assert!(
        printed.contains("rows get another decision:") && !printed.contains("aaaa") && !printed.contains("zzzz"),
        "{printed}"
    );
    assert!(compare("--show-texts").contains("aaaa"), "{printed}");
    let same = bench.run("compare good good data.csv --text comment --label label --include-training-rows").ok();
    assert!(same.contains("0 rows get another decision\n") && same.contains("Verdict: no real difference"), "{same}");
    bench
        .run(&format!(
            "{} --model model --epochs 1 --out other",
            DATA.replace("data.csv", "train data.csv").replace("A,B", "B,A")
        ))
        .ok();
    let message = bench.run("compare good other data.csv --text comment --label label").refused();
    assert!(message.contains("they must be the same, in the same order"), "{message}");
}

#[test]
fn a_diverged_run_is_written_down_and_the_others_go_on() {
    let bench = Bench::new();
    let grid = "--learning-rate 1e30,0.01 --train-size 8,32 --epochs 1,2 --schedule constant --warmup 0";
    let command = format!("sweep {DATA} --model model --holdout 8 {grid} --out out");
    let ran = bench.run(&command);
    assert_eq!(ran.stderr.matches("  diverged  ").count(), 4, "{ran:?}");
    ran.ok();
    let results = lines(&bench, "out/results.jsonl");
    for result in &results {
        assert_eq!(result["evaluation"].is_null(), result["recipe"]["learning_rate"] == 1e30, "{result}");
    }
    assert_eq!(results.len(), 8);
    let again = bench.run(&command);
    assert!(again.stderr.contains("8 runs, 8 of them done"), "{again:?}");
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("full")).unwrap();
    bench.write("full/notes.txt", "mine");
    for verb in ["sweep", "cross-validate"] {
        let message = bench.run(&format!("{verb} {DATA} {QUICK} --epochs 1 --out full")).refused();
        assert_eq!(
            message,
            "error: full is not empty and has no results.jsonl to go on from; choose another output folder (--out)"
        );
    }
    assert_eq!(bench.list("full"), ["notes.txt"]);
    bench.run(&sweep("out", "--epochs 1")).ok();
    let good = std::fs::read_to_string(bench.path("out/results.jsonl")).unwrap();
    bench.write("out/results.jsonl", format!("{good}{{\"run\": "));
    let message = bench.run(&sweep("out", "--epochs 1")).refused();
    assert!(message.starts_with("error: out/results.jsonl, line 2, is no result: ") && message.contains("delete that line"));
}

#[test]
fn two_devices_share_the_work_and_change_nothing() {
    let bench = Bench::new().with_encoder().with_other_decoder();
    let same = |first: &str, second: &str| assert_eq!(by_run(&bench, first), by_run(&bench, second));
    let (one, two) = ("--device cpu", "--device cpu,cpu");
    let folds = format!("cross-validate {DATA} {QUICK} --epochs 3 --folds 4");
    let grid = |out: &str| sweep(out, "--epochs 1,2 --seed 1,2 --rank 2,4");
    let train = format!("train {DATA} --model model,bert,other --learning-rate 0.01 --holdout 8 --epochs 3");
    bench.write("texts.csv", String::from("comment\n") + &(0..1500).map(|row| format!("text {row}\n")).collect::<String>());
    for (name, device) in [("one", one), ("two", two)] {
        bench.run(&format!("{folds} {device} --out {name}-folds")).ok();
        bench.run(&format!("{} {device}", grid(&format!("{name}-grid")))).ok();
        let trained = bench.run(&format!("{train} {device} --out {name}"));
        assert!(trained.stderr.contains("all members work together now"), "{trained:?}");
        trained.ok();
        bench.run(&format!("predict {name} texts.csv --text comment {device} --out {name}.jsonl")).ok();
    }
    same("one-folds", "two-folds");
    assert_eq!(lines(&bench, "one-folds/predictions.jsonl"), lines(&bench, "two-folds/predictions.jsonl"));
    same("one-grid", "two-grid");
    let scored = lines(&bench, "two.jsonl");
    assert!(scored.len() == 1500 && scored == lines(&bench, "one.jsonl"));
    // What cannot be shared says so, and what is no device too.
    let refused = bench.run(&format!("evaluate one data.csv --text comment --label label {two}")).refused();
    assert!(refused.contains("this verb computes on one device"), "{refused}");
    let bad = bench.run(&format!("{folds} --device cpu,auto --out none"));
    assert!(bad.code == Some(1) && bad.stderr.contains("auto is one device"), "{bad:?}");
}

#[test]
fn models_that_work_together_and_starts_are_swept_too() {
    let bench = Bench::new().with_encoder().with_other_decoder();
    bench.write(
        "before.csv",
        String::from("comment,label\n")
            + &(0..20)
                .map(|row| format!("{} {row} before,{}\n", ["aaaa", "zzzz"][row % 2], ["A", "B"][row % 2]))
                .collect::<String>(),
    );
    bench.run("train before.csv --text comment --label label --model model --members 1 --epochs 6 --rank 4 --out before").ok();
    let grid = "--model model,model+bert+other --init none,before --epochs 2";
    let command = |out: &str| format!("sweep {DATA} --learning-rate 0.01 --holdout 8 {grid} --out {out}");
    let table = bench.run(&command("grid")).ok();
    assert!(table.contains("model+other+bert") && table.contains("init"), "{table}");
    let results = lines(&bench, "grid/results.jsonl");
    assert_eq!(results.len(), 4);
    let together = results.iter().find(|result| !result["companions"].is_null() && result["recipe"]["start"].is_null()).unwrap();
    assert_eq!(together["evaluation"]["n"], 8);
    // As `train` does it.
    let train = format!("train {DATA} --model model,bert,other --learning-rate 0.01 --holdout 8 --epochs 2 --out trained --json");
    let trained: Value = serde_json::from_str(&bench.run(&train).ok()).unwrap();
    for key in ["roc_auc", "log_loss"] {
        assert_eq!(together["evaluation"][key], trained[key], "{key}");
    }
    assert!(bench.run(&command("grid")).stderr.contains("4 runs, 4 of them done"));
    bench.run("report grid --out report.html").ok();
    // Rows of the start are no rows to score.
    let refused = bench.run(&command("seen").replace(DATA, "before.csv --text comment --label label")).refused();
    assert!(refused.contains("trained on"), "{refused}");
}
