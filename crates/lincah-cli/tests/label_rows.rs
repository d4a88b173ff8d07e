//! Labels that are rows of the adapter, of every task; and an encoder that compares texts with labels' names.

mod support;

use serde_json::Value;
use support::Bench;

const TRAIN: &str = "train many.csv --text comment --model model --epochs 12 --members 1 --label-scheme rows";

/// Sixty texts of six letters, with two labels that may hold together.
fn bench() -> Bench {
    let bench = Bench::new();
    let mut many = String::from("comment,label,half,a,z\n");
    for row in 0..60 {
        let letter = char::from(b'a' + row % 6);
        let half = if row % 6 < 3 { "A" } else { "B" };
        many += &format!(
            "{} {row},{letter},{half},{},{}\n",
            String::from(letter).repeat(4),
            u8::from(row % 6 < 3),
            u8::from(row % 2 == 0)
        );
    }
    bench.write("many.csv", many);
    bench
}

fn predictions(bench: &Bench, who: &str) -> Vec<Value> {
    let lines = bench.run(&format!("predict {who} many.csv --text comment")).ok();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn json(bench: &Bench, path: &str) -> Value {
    serde_json::from_slice(&std::fs::read(bench.path(path)).unwrap()).unwrap()
}

fn largest_difference(first: &[Value], second: &[Value]) -> f64 {
    let scores =
        |row: &Value| -> Vec<f64> { row["scores"].as_object().unwrap().values().map(|score| score.as_f64().unwrap()).collect() };
    let rows = first.iter().zip(second).flat_map(|(a, b)| scores(a).into_iter().zip(scores(b)).collect::<Vec<_>>());
    rows.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn rows_learn_every_task_and_travel() {
    let bench = bench();
    for (name, labels, rows) in [("two", "--label half", 2), ("six", "--label label", 6), ("several", "--multi-label a,z", 4)] {
        bench.run(&format!("{TRAIN} {labels} --learning-rate 5e-3 --target f1 --out {name}")).ok();
        let evaluated: Value = serde_json::from_str(
            &bench.run(&format!("evaluate {name} many.csv --text comment {labels} --json --include-training-rows")).ok(),
        )
        .unwrap();
        let f1 = evaluated["macro_f1"].as_f64().unwrap();
        assert!(f1 > 0.8, "{name} learned little: {f1}");
        let config = json(&bench, &format!("{name}/adapter_config.json"));
        assert_eq!((&config["task_type"], &config["modules_to_save"][0]), (&"SEQ_CLS".into(), &"score".into()));
        assert_eq!(json(&bench, &format!("{name}/classifier.json"))["label_tokens"]["scheme"], "label_rows");

        let before = predictions(&bench, name);
        bench.run(&format!("export {name} --to peft --out {name}-peft")).ok();
        bench.run(&format!("import {name}-peft --out {name}-again --model model")).ok();
        let again = predictions(&bench, &format!("{name}-again"));
        assert!(largest_difference(&before, &again) < 1e-6, "{name}");
        let decided = |rows: &[Value]| rows.iter().map(|row| row["decision"].clone()).collect::<Vec<_>>();
        assert_eq!(decided(&before), decided(&again), "{name}");
        bench.run(&format!("export {name} --to sequence-classification --out {name}-labels")).ok();
        let config = json(&bench, &format!("{name}-labels/config.json"));
        let several = name == "several";
        let problem = if several { "multi_label_classification" } else { "single_label_classification" };
        assert_eq!(
            (&config["problem_type"], &config["num_labels"]),
            (&problem.into(), &Value::from(if several { 2 } else { rows }))
        );
        bench.run(&format!("verify {name}")).ok();
        let refused = bench.run(&format!("export {name} --to merged --out no")).refused();
        assert!(refused.contains("labels that are rows have no place in the form merged"), "{refused}");
    }
    assert!(bench.run("prompt two --input zzzz").ok().contains("rows of the adapter"));
}

#[test]
fn stopped_rows_resume_to_the_same_bits() {
    let bench = bench();
    let train = TRAIN.replace("--members 1", "--members 2 --multi-label a,z --checkpoint-seconds 0");
    bench.run(&format!("{train} --out whole")).ok();
    bench.interrupted(&format!("{train} --out stopped"), "stopped/training.jsonl");
    bench.run(&format!("{train} --out stopped --resume")).ok();
    let weights = |name: &str| std::fs::read(bench.path(name).join("adapter_model.safetensors")).unwrap();
    assert!(weights("whole") == weights("stopped"));
}

#[test]
fn rows_work_beside_an_instant_classifier_and_in_cross_validation() {
    let bench = bench().with_encoder();
    let train = TRAIN.replace("--model model", "--model model,bert").replace("--members 1", "");
    bench.run(&format!("{train} --label label --out both")).ok();
    assert_eq!(json(&bench, "both/members/1/classifier.json")["label_tokens"]["scheme"], "label_rows");
    let sum: f64 = predictions(&bench, "both")[0]["scores"].as_object().unwrap().values().map(|p| p.as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    let folds = "cross-validate many.csv --text comment --label label --model model --label-scheme rows --epochs 2 --members 1";
    assert!(bench.run(&format!("{folds} --folds 2 --out folds")).ok().contains("macro F1"));
}

#[test]
fn what_rows_cannot_be_is_one_clear_line() {
    let bench = bench().with_encoder();
    let refused = |arguments: &str| bench.run(arguments).refused();
    assert!(refused(&format!("{TRAIN} --label half --loss all-tokens --out no")).contains("labels that are rows have no tokens"));
    assert!(
        refused(&format!("{TRAIN} --multi-label a,z --label-description a=first --out no")).contains("not named in the prompt")
    );
    assert!(refused("predict --labels A,B --model model --label-scheme rows --input zzzz").contains("train first"));
    assert!(refused("predict --labels A,B --model bert --independent --input zzzz").contains("only says which"));
    bench.run(&format!("{TRAIN} --label half --out two")).ok();
    let path = bench.path("two/classifier.json");
    let mut record = json(&bench, "two/classifier.json");
    record["prompt"]["labels"] = serde_json::json!(["A", "B", "C"]);
    record["prompt_sha256"] = Value::Null;
    std::fs::write(&path, record.to_string()).unwrap();
    assert!(refused("predict two --input zzzz").contains("2 label rows"));
}

#[test]
fn an_encoder_compares_texts_with_names() {
    let bench = bench().with_encoder();
    let scores = |text: &str| -> Value {
        serde_json::from_str(&bench.run(&format!("predict --labels aaaa,b_b,zzzz --model bert --input {text}")).ok()).unwrap()
    };
    for name in ["aaaa", "zzzz"] {
        assert_eq!(scores(name)["label"], name);
    }
    assert!(bench.run("evaluate --labels A,B --model bert many.csv --text comment --label half").ok().contains("accuracy"));
}
