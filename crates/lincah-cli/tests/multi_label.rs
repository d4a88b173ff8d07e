//! Labels that may hold together, soft labels, and three labels of which one holds, on the tiny model.

mod support;

use serde_json::Value;
use std::process::Stdio;
use std::time::Duration;
use support::Bench;

const TRAIN: &str = "train multi.csv --text comment --multi-label aa,zz,mm --model model --learning-rate 0.02";
const SCORES: [&str; 11] = [
    "micro_f1",
    "micro_precision",
    "micro_recall",
    "macro_f1",
    "macro_precision",
    "macro_recall",
    "example_f1",
    "example_precision",
    "example_recall",
    "subset_accuracy",
    "hamming_loss",
];

/// 48 texts with three labels that hold together in every way, as fractions, and as a list.
fn bench() -> Bench {
    let bench = Bench::new();
    let mut csv = String::from("id,comment,aa,zz,mm,tags,tone\n");
    for row in 0..48 {
        let has = [row & 1 > 0, row & 2 > 0, row % 5 == 0];
        let words = ["aaaa ", "zzzz ", "mmmm "];
        let text: String = words.iter().zip(has).filter(|(_, has)| *has).map(|(word, _)| *word).collect();
        let fractions = has.map(|has| if has { 0.5 + 0.25 * f64::from(row % 3) } else { 0.125 * f64::from(row % 4) });
        let tags: Vec<&str> = ["aa", "zz", "mm"].into_iter().zip(has).filter(|(_, has)| *has).map(|(tag, _)| tag).collect();
        let tone = ["low", "mid", "high"][row as usize % 3];
        let [aa, zz, mm] = fractions;
        csv += &format!("{row},{text}{tone},{aa},{zz},{mm},{},{tone}\n", tags.join(";"));
    }
    bench.write("multi.csv", csv);
    bench
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn lines(bench: &Bench, file: &str) -> Vec<Value> {
    std::fs::read_to_string(bench.path(file)).unwrap().lines().map(json).collect()
}

fn adapter(bench: &Bench, folder: &str) -> Vec<u8> {
    std::fs::read(bench.path(folder).join("adapter_model.safetensors")).unwrap()
}

#[test]
fn train_evaluate_and_predict_work_together() {
    let bench = bench();
    let ran = bench.run(&format!("{TRAIN} --holdout 12 --epochs 12 --device cpu --profile --out out"));
    assert!(ran.stderr.contains("adapted_linear_backward"), "{ran:?}");
    let printed = ran.ok();
    assert!(printed.contains("\n12 rows, in brackets"), "{printed}");
    assert!(printed.contains("(each label's more frequent answer: "), "{printed}");
    assert!(printed.contains("TF-IDF + logistic regression, same rows: micro F1 "), "{printed}");
    let files =
        ["README.md", "adapter_config.json", "adapter_model.safetensors", "classifier.json", "probes.json", "training.jsonl"];
    assert_eq!(bench.list("out"), files);

    let report = json(&bench.run("evaluate out multi.csv --text comment --holdout 12 --include-training-rows --json").ok());
    assert_eq!((&report["n"], report["labels"].as_array().unwrap().len()), (&Value::from(12), 3));
    for name in SCORES {
        let value = report[name].as_f64().unwrap();
        let [low, high]: [f64; 2] = serde_json::from_value(report["intervals"][name].clone()).unwrap();
        assert!(low <= value + 1e-12 && value <= high + 1e-12, "{name}: {value} outside [{low}, {high}]");
        assert!(report["majority"][name].is_number());
    }
    let whole = json(&bench.run("evaluate out multi.csv --text comment --include-training-rows --json").ok());
    assert!(whole["macro_roc_auc"].as_f64().unwrap() > 0.75, "three kinds of words are learned: {whole}");
    assert_eq!(whole["per_label"].as_array().unwrap().len(), 3);
    let record: Value = serde_json::from_slice(&std::fs::read(bench.path("out/classifier.json")).unwrap()).unwrap();
    assert_eq!((&record["format_version"], &record["task"]), (&Value::from(3), &Value::from("multi-label")));
    assert_eq!((&record["data"]["cut"], &record["data"]["rows"]), (&Value::from(0.5), &Value::from(36)));
    assert_eq!(record["metrics"]["micro_f1"], report["micro_f1"]);

    let predictions = bench.run("predict out multi.csv --text comment --keep id,labels,tags").refused();
    assert!(predictions.contains("no column `labels`"), "{predictions}");
    let predictions: Vec<Value> =
        bench.run("predict out multi.csv --text comment --keep id,tags").ok().lines().map(json).collect();
    assert_eq!(predictions.len(), 48);
    for (row, prediction) in predictions.iter().enumerate() {
        assert_eq!(prediction["id"], row.to_string(), "order is kept");
        let scores = prediction["scores"].as_object().unwrap();
        assert_eq!(scores.keys().collect::<Vec<_>>(), ["aa", "zz", "mm"]);
        let named: Vec<&str> = scores.iter().filter(|(_, p)| p.as_f64().unwrap() >= 0.5).map(|(name, _)| name.as_str()).collect();
        assert_eq!(prediction["labels"], serde_json::json!(named));
        assert_eq!(prediction["decision"], prediction["labels"]);
    }
    // A text's scores do not depend on what else is scored.
    let one = json(&bench.run("predict out --input aaaa").ok());
    bench.write("two.jsonl", "{\"t\":\"zzzz mmmm\"}\n{\"t\":\"aaaa\"}\n");
    let two = bench.run("predict out two.jsonl --text t --threads 1").ok();
    assert_eq!(two.lines().nth(1).map(json), Some(one));
    bench.run("predict out multi.csv --text comment --format csv --out scored.csv").ok();
    let csv = std::fs::read_to_string(bench.path("scored.csv")).unwrap();
    assert_eq!(csv.lines().next(), Some("labels,scores_aa,scores_zz,scores_mm,decision,review,truncated_characters,reason"));
}

#[test]
fn columns_of_other_names_and_lists_are_the_same_labels() {
    let bench = bench();
    bench.run(&format!("{TRAIN} --epochs 1 --out columns")).ok();
    let lists = "train multi.csv --text comment --label tags --label-separator ; --labels aa,zz,mm --model model";
    bench.run(&format!("{lists} --learning-rate 0.02 --epochs 1 --out lists")).ok();
    assert_eq!(adapter(&bench, "columns"), adapter(&bench, "lists"));
    let csv = std::fs::read_to_string(bench.path("multi.csv")).unwrap();
    bench.write("renamed.csv", csv.replacen("aa,zz,mm,tags", "x,y,z,w", 1));
    let untimed = |arguments: &str| {
        let mut report =
            json(&bench.run(&format!("evaluate columns {arguments} --text comment --include-training-rows --json")).ok());
        report["texts_per_second"] = Value::Null;
        report["per_label"].as_array_mut().unwrap().iter_mut().for_each(|label| label["texts_per_second"] = Value::Null);
        report
    };
    let expected = untimed("multi.csv");
    assert_eq!(untimed("renamed.csv --multi-label x,y,z"), expected);
    assert_eq!(untimed("renamed.csv --label w --label-separator ;"), expected);
    assert_ne!(untimed("multi.csv --positive-at 0.75"), expected);
}

#[test]
fn a_stopped_training_resumes_to_the_same_bits() {
    let bench = bench();
    let train = format!("{TRAIN} --epochs 12 --dropout 0.1 --validation 0.25 --checkpoint-seconds 0 --soft-labels --out");
    bench.run(&format!("{train} whole")).ok();
    let log = lines(&bench, "whole/training.jsonl");
    assert_eq!(log.iter().filter(|event| event["event"] == "validation").count(), 12);
    let child = bench.command(&format!("{train} stopped")).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = child.unwrap();
    let path = bench.path("stopped/training.jsonl");
    while std::fs::read_to_string(&path).map_or(0, |log| log.lines().count()) < 10 {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!bench.path("stopped/classifier.json").exists(), "the training is longer than ten steps");
    let other = bench.run(&format!("{} stopped --resume", train.replace("--soft-labels ", ""))).refused();
    assert!(other.contains("was begun with another recipe"), "{other}");
    bench.run(&format!("{train} stopped --resume --threads 1")).ok();
    assert_eq!(adapter(&bench, "whole"), adapter(&bench, "stopped"));
}

#[test]
fn cross_validation_scores_every_row_once_and_goes_on() {
    let bench = bench();
    let command = "cross-validate multi.csv --text comment --multi-label aa,zz,mm --model model --learning-rate 0.02 \
                   --holdout 8 --folds 3 --epochs 2 --label-description aa=the-first --out folds";
    let printed = bench.run(command).ok();
    assert!(printed.contains("mean ± standard deviation over 3 folds"), "{printed}");
    let results = lines(&bench, "folds/results.jsonl");
    assert_eq!(results.iter().map(|result| result["fold"].as_u64()).collect::<Vec<_>>(), [Some(0), Some(1), Some(2), None]);
    assert_eq!(results[3]["evaluation"]["n"], 40);
    let predictions = lines(&bench, "folds/predictions.jsonl");
    let mut rows: Vec<u64> = predictions.iter().map(|prediction| prediction["row"].as_u64().unwrap()).collect();
    rows.sort_unstable();
    rows.dedup();
    assert_eq!((rows.len(), predictions.len()), (40, 40));
    for prediction in &predictions {
        assert_eq!(prediction["tfidf_scores"].as_object().unwrap().len(), 3);
        // Row 1 is text number 0, which has the label mm alone.
        assert!(prediction["row"] != 1 || prediction["labels"] == serde_json::json!(["mm"]));
    }
    // With a line of the results gone, that fold alone is done again, and all comes out as before.
    let kept: Vec<String> = [0, 2, 3].map(|line| results[line].to_string() + "\n").to_vec();
    bench.write("folds/results.jsonl", kept.concat());
    let again = bench.run(command);
    assert_eq!(again.stderr.matches("(was finished)").count(), 2, "{again:?}");
    assert_eq!(lines(&bench, "folds/results.jsonl")[3]["evaluation"]["micro_f1"], results[3]["evaluation"]["micro_f1"]);
    bench.run("report folds --out page.html").ok();
    assert!(std::fs::read_to_string(bench.path("page.html")).unwrap().contains("micro F1"));
    let other = bench.run(&command.replace("the-first", "another")).refused();
    assert!(other.contains("was begun with another recipe, prompt"), "{other}");
}

#[test]
fn bad_input_is_named_and_leaves_nothing_behind() {
    let bench = bench();
    bench.write("outside.csv", "comment,aa,zz\nx,0,1\ny,1,1.25\n");
    bench.write("never.csv", "comment,aa,zz\nx,0,0\ny,1,0.25\n");
    bench.write("always.csv", "comment,aa,zz\nx,0,1\ny,1,0.5\n");
    for (arguments, expected) in [
        ("multi.csv --multi-label aa,bb", "no column `bb`"),
        ("multi.csv --multi-label aa", "do not make a set"),
        ("multi.csv --multi-label aa,aa", "aa"),
        ("multi.csv --multi-label aa,zz --labels aa,zz", "leave --labels out"),
        ("multi.csv --multi-label aa,zz --positive-at median", "give --positive-at a number"),
        ("multi.csv --multi-label aa,zz --positive-at 7", "from 0 to 1"),
        ("outside.csv --multi-label aa,zz", "row 2 (line 3), column `zz`: `1.25` is not 0, 1"),
        ("never.csv --multi-label aa,zz", "none of the 2 rows has the label `zz`"),
        ("always.csv --multi-label aa,zz", "every one of the 2 rows has the label `zz`"),
        ("multi.csv --multi-label aa,tone", "column `tone`: `low`"),
        ("multi.csv --label tags --label-separator ; --labels aa,zz", "`mm` is not one of the labels"),
        ("multi.csv --multi-label aa,zz --label-description bb=x", "description of `bb`"),
        ("multi.csv --label tone --labels low,mid,high --label-description low=x", "exclusive labels are asked about together"),
        ("multi.csv --multi-label aa,zz --max-tokens 90", "tokens without any text"),
        ("multi.csv --label tone --labels low,mid,high --soft-labels", "soft labels are fractions"),
        ("outside.csv --label zz --labels no,yes --positive-at 1.1 --soft-labels", "row 2: the label 1.25"),
    ] {
        let message = bench.run(&format!("train {arguments} --text comment --model model --out out")).refused();
        assert!(message.contains(expected), "{arguments}: {message}");
        assert!(!bench.path("out").exists(), "{arguments} left a folder");
    }
    for (arguments, expected) in [
        ("multi.csv --multi-label aa,zz --label tone", "cannot be used with"),
        ("multi.csv", "give --label COLUMN, or --multi-label"),
        ("multi.csv --multi-label aa,zz --label-description aa", "LABEL=TEXT"),
    ] {
        let ran = bench.run(&format!("train {arguments} --text comment --model model --out out"));
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stderr.contains(expected), "{arguments}: {ran:?}");
    }
}

#[test]
fn compare_finds_the_better_of_two() {
    let bench = bench();
    bench
        .run("train multi.csv --text comment --multi-label aa,zz,mm --model model --learning-rate 1e-9 --epochs 1 --out poor")
        .ok();
    bench.run(&format!("{TRAIN} --epochs 16 --out good")).ok();
    let compare =
        |rest: &str| bench.run(&format!("compare poor good multi.csv --text comment --include-training-rows {rest}")).ok();
    let report = json(&compare("--json"));
    let alone = |key: &str| report["mcnemar"][key].as_i64().unwrap();
    let right = |key: &str| (report[key]["subset_accuracy"].as_f64().unwrap() * 48.0).round() as i64;
    assert_eq!(right("second") - right("first"), alone("only_second_right") - alone("only_first_right"));
    assert!(report["verdict"].as_str().unwrap().starts_with("the second is better, by "), "{}", report["verdict"]);
    for name in SCORES {
        let [first, second] = ["first", "second"].map(|key| report[key][name].as_f64().unwrap());
        assert!((report["differences"][name]["value"].as_f64().unwrap() - (second - first)).abs() < 1e-12, "{name}");
    }
    let labels: Vec<&str> = report["per_label"].as_array().unwrap().iter().map(|of| of["label"].as_str().unwrap()).collect();
    assert_eq!(labels, ["aa", "zz", "mm"]);
    let printed = compare("");
    assert!(printed.contains(" rows get another decision:") && printed.contains("Verdict: the second is better"), "{printed}");
    assert!(!printed.contains("aaaa") && compare("--show-texts").contains("aaaa"), "{printed}");
    let same = bench.run("compare good good multi.csv --text comment --holdout 12 --include-training-rows").ok();
    assert!(same.contains("\n0 rows get another decision\n") && same.contains("Verdict: no real difference"), "{same}");
    bench.run("train multi.csv --text comment --multi-label aa,mm --model model --epochs 1 --out other").ok();
    let message = bench.run("compare good other multi.csv --text comment").refused();
    assert!(message.contains("they must be the same, in the same order"), "{message}");
}

#[test]
fn the_two_kinds_of_classifiers_are_told_apart() {
    let bench = bench();
    bench.run(&format!("{TRAIN} --epochs 1 --out several")).ok();
    bench.run("train data.csv --text comment --label label --labels A,B --model model --epochs 1 --out one").ok();
    let refused = |arguments: &str| bench.run(arguments).refused();
    let message = refused("compare several one multi.csv --text comment");
    assert!(message.contains("both exclusive or both independent"), "{message}");
    assert!(refused("compare one one data.csv --text comment").contains("give --label COLUMN"));
    assert!(
        refused("compare one one multi.csv --text comment --multi-label aa,zz").contains("gives each text one of its labels")
    );
    assert!(refused("evaluate one data.csv --text comment").contains("give --label COLUMN"));
    let asked = "evaluate multi.csv --text comment --labels aa,zz --model model";
    assert!(refused(asked).contains("give --label COLUMN"));
    assert!(refused(&format!("{asked} --multi-label aa,zz")).contains("--independent"));
    let message = refused("report several multi.csv --text comment --label tags --out page.html");
    assert!(message.contains("--label-separator"), "{message}");
    assert!(refused("predict several --labels aa,zz multi.csv --text comment").contains("no classifier folder goes with it"));
    bench.run("generate aaaa --model several --max-new-tokens 3").ok();
    assert!(refused("evaluate one multi.csv --text comment --multi-label aa,zz").contains("gives each text one of its labels"));
    assert!(refused("evaluate several data.csv --text comment").contains("no column `aa`"));
    assert!(refused("evaluate several data.csv --text comment --label label").contains("--label-separator"));
    assert!(refused("evaluate several multi.csv --text comment --multi-label aa,zz").contains("2 label columns"));
    let record = std::fs::read_to_string(bench.path("several/classifier.json")).unwrap();
    bench.write("several/classifier.json", record.replacen("\"format_version\": 3", "\"format_version\": 4", 1));
    assert!(refused("predict several --input x").contains("format version 4"));
    bench.write("several/classifier.json", record.replacen("\"multi-label\"", "\"sonnet\"", 1));
    assert!(refused("predict several --input x").contains("is damaged"));
    bench.write("several/classifier.json", record.replacen("\"mm\"", "\"nn\"", 1));
    assert!(refused("predict several --input x").contains("the prompt in classifier.json is not the one"));
}

#[test]
fn soft_labels_train_on_the_fractions() {
    let bench = bench();
    let train = "train multi.csv --text comment --label aa --labels no,yes --positive-at 0.5 --model model --learning-rate 0.02 --epochs 6";
    for (out, options) in [("hard", ""), ("soft", "--soft-labels"), ("soft-label", "--soft-labels --loss label")] {
        bench.run(&format!("{train} {options} --out {out}")).ok();
    }
    assert_ne!(adapter(&bench, "hard"), adapter(&bench, "soft"));
    let record = |out: &str| json(&std::fs::read_to_string(bench.path(out).join("classifier.json")).unwrap());
    assert_eq!(record("soft")["recipe"]["soft_labels"], true);
    assert!(record("hard")["recipe"].get("soft_labels").is_none());
    assert_ne!(record("hard")["data"]["fingerprint"], record("soft")["data"]["fingerprint"]);
    bench.run("report soft multi.csv --text comment --label aa --positive-at 0.5 --include-training-rows --out page.html").ok();
    let page = std::fs::read_to_string(bench.path("page.html")).unwrap();
    assert!(page.contains("48 of 48 rows were trained on and are included"));
    // Cross-entropy with the fractions is least where the probability is the fraction, so that certainty is not learned.
    let spread = |out: &str| {
        let lines = bench.run(&format!("predict {out} multi.csv --text comment")).ok();
        let scores: Vec<f64> = lines.lines().map(|line| json(line)["scores"]["yes"].as_f64().unwrap()).collect();
        scores.iter().map(|score| (score - 0.5).abs()).sum::<f64>() / scores.len() as f64
    };
    assert!(spread("soft") < spread("hard"), "{} and {}", spread("soft"), spread("hard"));
    let sweep = "sweep multi.csv --text comment --label aa --labels no,yes --positive-at 0.5 --soft-labels --model model --holdout 8 --epochs 1";
    assert!(bench.run(&format!("{sweep} --out grid")).ok().contains("F1"));
    bench.run(&format!("{} --folds 2 --out folds", sweep.replacen("sweep", "cross-validate", 1))).ok();
    // Whole numbers as fractions are hard labels.
    bench.write("whole.csv", "comment,aa\naaaa,1\nzzzz,0\naa,1.0\nzz,0.0\n");
    let whole = "train whole.csv --text comment --label aa --labels no,yes --positive-at 0.5 --model model --epochs 2";
    bench.run(&format!("{whole} --out whole-hard")).ok();
    bench.run(&format!("{whole} --soft-labels --out whole-soft")).ok();
    assert_eq!(adapter(&bench, "whole-hard"), adapter(&bench, "whole-soft"));
}

#[test]
fn three_labels_of_which_one_holds_work_end_to_end() {
    let bench = bench();
    let columns = "multi.csv --text comment --label tone";
    let printed = bench
        .run(&format!(
            "train {columns} --labels low,mid,high --model model --learning-rate 0.02 --epochs 12 --holdout 12 --out tone"
        ))
        .ok();
    for expected in ["macro F1", "micro F1", "weighted F1", "label", "low", "mid", "high"] {
        assert!(printed.contains(expected), "{expected} in {printed}");
    }
    let report = json(&bench.run(&format!("evaluate tone {columns} --include-training-rows --json")).ok());
    assert!(report["accuracy"].as_f64().unwrap() > 0.6, "{report}");
    let labels = report["per_label"].as_array().unwrap();
    assert_eq!(labels.iter().map(|label| label["label"].as_str().unwrap()).collect::<Vec<_>>(), ["low", "mid", "high"]);
    let mean = labels.iter().map(|label| label["f1"].as_f64().unwrap()).sum::<f64>() / 3.0;
    assert!((mean - report["macro_f1"].as_f64().unwrap()).abs() < 1e-12);
    assert!(labels.iter().all(|label| label["rows"] == 16 && label["roc_auc"].is_number()));
    assert_eq!(report["micro_f1"], report["accuracy"]);
    let prediction = json(&bench.run("predict tone --input aaaa").ok());
    assert_eq!(prediction["scores"].as_object().unwrap().len(), 3);
}
