//! What each verb does, on a tiny model.

mod support;

use serde_json::Value;
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;
use support::{Bench, Ran};

const TRAIN: &str = "train data.csv --text comment --label label --labels A,B --model model --learning-rate 0.02";

#[test]
fn train_evaluate_and_predict_work_together() {
    let bench = Bench::new();
    bench.run(&format!("{TRAIN} --holdout 8 --epochs 8 --out out")).ok();
    let files =
        ["README.md", "adapter_config.json", "adapter_model.safetensors", "classifier.json", "probes.json", "training.jsonl"];
    assert_eq!(bench.list("out"), files);

    let report = bench.run("evaluate out data.csv --text comment --label label --holdout 8 --json").ok();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["n"], 8);
    for key in ["f1", "precision", "recall", "accuracy", "roc_auc", "pr_auc", "threshold", "texts_per_second"] {
        assert!(report[key].is_number(), "{key} in {report}");
    }
    assert_eq!(report["confusion_matrix"].as_array().unwrap().len(), 2);
    assert!(report["roc_auc"].as_f64().unwrap() > 0.9, "two kinds of texts with nothing in common are learned: {report}");
    let record: Value = serde_json::from_slice(&std::fs::read(bench.path("out/classifier.json")).unwrap()).unwrap();
    assert_eq!(record["metrics"]["f1"], report["f1"]);

    let lines = bench.run("predict out data.csv --text comment --keep id,label").ok();
    let predictions: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(predictions.len(), 40);
    for (row, prediction) in predictions.iter().enumerate() {
        assert_eq!(prediction["id"], row.to_string(), "order is kept");
        assert_eq!(prediction["input_label"], if row % 2 == 0 { "A" } else { "B" });
        let scores = prediction["scores"].as_object().unwrap();
        assert_eq!(scores.keys().collect::<Vec<_>>(), ["A", "B"]);
        assert!((scores.values().map(|p| p.as_f64().unwrap()).sum::<f64>() - 1.0).abs() < 1e-9);
    }
}

#[test]
fn int8_scores_nearly_as_f32_says_so_and_does_not_train() {
    let bench = Bench::new();
    bench.run(&format!("{TRAIN} --epochs 8 --out out")).ok();
    let evaluated = bench.run("evaluate out data.csv --text comment --label label --include-training-rows --precision int8").ok();
    assert!(evaluated.contains("int8 beside f32: F1 ") && evaluated.contains(" of 40 decisions differ"), "{evaluated}");
    let probability = |options: &str| {
        let line = bench.run(&format!("predict out --input aaaa {options}")).ok();
        serde_json::from_str::<Value>(&line).unwrap()["scores"]["A"].as_f64().unwrap()
    };
    let (exact, rounded) = (probability(""), probability("--precision int8"));
    assert!(exact != rounded && (exact - rounded).abs() < 0.1, "{exact} {rounded}");
    let message = bench.run(&format!("{TRAIN} --epochs 1 --out other --precision int8")).refused();
    assert!(message.contains("a model in int8 scores but does not train"), "{message}");
}

#[test]
fn the_fast_preset_adapts_the_upper_layers_and_a_profile_names_the_operations() {
    let bench = Bench::new();
    let ran = bench.run(&format!("{TRAIN} --preset fast --epochs 2 --device cpu --profile --out out"));
    for operation in ["adapted_linear_backward", "attention", "whole training"] {
        assert!(ran.stderr.contains(operation), "{ran:?}");
    }
    ran.ok();
    let layers = adapter_config(&bench, "out")["layers_to_transform"].clone();
    let layers: Vec<u64> = layers.as_array().unwrap().iter().map(|layer| layer.as_u64().unwrap()).collect();
    let config: Value = serde_json::from_slice(&std::fs::read(bench.path("model/config.json")).unwrap()).unwrap();
    let count = config["num_hidden_layers"].as_u64().unwrap();
    assert_eq!(layers, (count / 3..count).collect::<Vec<_>>());
}

#[test]
fn predict_reads_standard_input_and_one_text_and_writes_csv() {
    let bench = Bench::new();
    bench.run(&format!("{TRAIN} --epochs 1 --out out")).ok();
    let one: Value = serde_json::from_str(&bench.run("predict out --input hello").ok()).unwrap();
    assert!(one["label"] == "A" || one["label"] == "B");
    let mut child = bench.command("predict out - --text t").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{\"t\": \"hello\"}\n{\"t\": \"hello\"}\n").unwrap();
    let lines = Ran::of(child.wait_with_output().unwrap());
    let lines: Vec<Value> = lines.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, [one.clone(), one]);
    bench.run("predict out data.csv --text comment --format csv --out scored.csv").ok();
    let csv = std::fs::read_to_string(bench.path("scored.csv")).unwrap();
    assert_eq!(
        (csv.lines().next(), csv.lines().count()),
        (Some("label,scores_A,scores_B,decision,review,truncated_characters,reason"), 41)
    );
    bench.run("predict out data.csv --text comment --keep all --format parquet --out scored.parquet").ok();
    assert_eq!(&std::fs::read(bench.path("scored.parquet")).unwrap()[..4], b"PAR1");
}

#[test]
fn training_log_has_an_event_a_line() {
    let bench = Bench::new();
    bench.run(&format!("{TRAIN} --epochs 2 --validation 0.2 --patience 2 --out out")).ok();
    let log = std::fs::read_to_string(bench.path("out/training.jsonl")).unwrap();
    let events: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let steps: Vec<&Value> = events.iter().filter(|event| event["event"] == "step").collect();
    assert_eq!(steps.len(), 8);
    for (index, step) in steps.iter().enumerate() {
        assert_eq!(step["step"], index + 1);
        assert_eq!(step["epoch"], index / 4 + 1);
        assert!(step["loss"].is_number() && step["examples_per_second"].is_number());
    }
    assert_eq!(events.iter().filter(|event| event["event"] == "validation").count(), 2);
    assert_eq!(events[events.len() - 1]["event"], "end");
}

fn adapter(bench: &Bench, folder: &str) -> Vec<u8> {
    std::fs::read(bench.path(folder).join("adapter_model.safetensors")).unwrap()
}

#[test]
fn a_killed_training_resumes_to_the_same_bits() {
    let bench = Bench::new();
    let train = format!("{TRAIN} --epochs 60 --dropout 0.1 --validation 0.2 --checkpoint-seconds 0 --seed 5");
    bench.run(&format!("{train} --out whole")).ok();
    assert_eq!(adapter(&bench, "whole"), {
        bench.run(&format!("{train} --threads 1 --out again")).ok();
        adapter(&bench, "again")
    });
    for milliseconds in [150, 300, 500] {
        let out = format!("killed-{milliseconds}");
        let mut child = bench.command(&format!("{train} --out {out}")).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
        if bench.path(&out).join("training.jsonl").exists() && !bench.path(&out).join("classifier.json").exists() {
            bench.run(&format!("{train} --out {out} --resume")).ok();
            assert_eq!(adapter(&bench, "whole"), adapter(&bench, &out), "killed after {milliseconds} ms");
        }
    }
    // However fast or slow the machine, one run is stopped in its middle.
    interrupt(&bench, &train, "stopped");
    bench.run(&format!("{train} --out stopped --resume")).ok();
    assert_eq!(adapter(&bench, "whole"), adapter(&bench, "stopped"));
    let other = bench.run(&format!("{train} --out stopped --resume")).refused();
    assert!(other.contains("stopped") && other.contains("finished"), "{other}");
}

fn adapter_config(bench: &Bench, folder: &str) -> Value {
    serde_json::from_slice(&std::fs::read(bench.path(folder).join("adapter_config.json")).unwrap()).unwrap()
}

#[test]
fn members_stopped_on_the_way_resume_to_the_same_mean() {
    let bench = Bench::new();
    // 15 steps a member, so that the interruption falls behind the first.
    let train = format!("{TRAIN} --epochs 3 --members 9 --checkpoint-seconds 0");
    bench.run(&format!("{train} --out whole")).ok();
    assert_eq!(adapter_config(&bench, "whole")["r"], 72);
    interrupt(&bench, &train, "stopped");
    bench.run(&format!("{train} --out stopped --resume")).ok();
    assert_eq!(adapter(&bench, "whole"), adapter(&bench, "stopped"));
    let message = bench.run(&format!("{train} --validation 0.2 --out other")).refused();
    assert_eq!(message, "error: --members is 9, but must be at least 1, and 1 with validation or the layout per-head");
}

#[test]
fn few_rows_get_more_epochs_and_several_members_unless_the_options_say_otherwise() {
    let bench = Bench::new();
    let recipe = |options: &str, out: &str| {
        bench.run(&format!("train data.csv --text comment --label label --labels A,B --model model {options} --out {out}")).ok();
        let record = std::fs::read(bench.path(out).join("classifier.json")).unwrap();
        let recipe = serde_json::from_slice::<Value>(&record).unwrap()["recipe"].clone();
        (recipe["epochs"].as_u64(), recipe["members"].as_u64(), recipe["learning_rate"].as_f64())
    };
    assert_eq!(recipe("", "few"), (Some(16), Some(3), Some(1e-3)));
    assert_eq!(recipe("--epochs 2 --members 1 --learning-rate 0.01", "given"), (Some(2), None, Some(0.01)));
    assert_eq!(recipe("--epochs 2 --validation 0.2", "validated"), (Some(2), None, Some(1e-3)));
}

#[test]
fn the_codelab_preset_trains_in_kerass_layout_and_resumes() {
    let bench = Bench::new();
    let train = format!("{TRAIN} --preset codelab --epochs 6 --checkpoint-seconds 0");
    bench.run(&format!("{train} --out whole")).ok();
    let config = adapter_config(&bench, "whole");
    assert_eq!(config["target_modules"], serde_json::json!(["q_proj", "v_proj"]));
    // The rank is a head's, the alpha follows it.
    assert!(config["r"].as_u64().unwrap() > 4 && config["r"] == config["lora_alpha"], "{config}");
    interrupt(&bench, &train, "stopped");
    bench.run(&format!("{train} --out stopped --resume")).ok();
    assert_eq!(adapter(&bench, "whole"), adapter(&bench, "stopped"));
    let report = bench.run("evaluate whole data.csv --text comment --label label --include-training-rows --json").ok();
    assert_eq!(serde_json::from_str::<Value>(&report).unwrap()["n"], 40);
    let message = bench.run(&format!("{train} --loss label --out other")).refused();
    assert!(message.contains("all-tokens with the codelab's training texts"), "{message}");
}

/// Stops a training in its middle.
fn interrupt(bench: &Bench, train: &str, out: &str) {
    bench.interrupted(&format!("{train} --out {out}"), &format!("{out}/training.jsonl"));
    assert!(!bench.path(out).join("classifier.json").exists());
}

#[test]
fn obfuscated_copies_make_another_classifier_and_resume_to_the_same_bits() {
    let bench = Bench::new();
    let train = format!("{TRAIN} --augment obfuscation --epochs 30 --members 1 --checkpoint-seconds 0");
    bench.run(&format!("{train} --out whole")).ok();
    interrupt(&bench, &train, "stopped");
    bench.run(&format!("{train} --out stopped --resume")).ok();
    assert_eq!(adapter(&bench, "whole"), adapter(&bench, "stopped"));
    bench.run(&format!("{} --out plain", train.replace(" --augment obfuscation", ""))).ok();
    assert_ne!(adapter(&bench, "whole"), adapter(&bench, "plain"));
    let record: Value = serde_json::from_slice(&std::fs::read(bench.path("whole/classifier.json")).unwrap()).unwrap();
    assert_eq!((&record["recipe"]["augmentation"], &record["data"]["rows"]), (&"obfuscation".into(), &40.into()));
    assert!(std::fs::read_to_string(bench.path("whole/README.md")).unwrap().contains("obfuscated copy"));
    assert!(bench.run("evaluate whole data.csv --text comment --label label").refused().contains("trained on all 40 rows"));
}

#[test]
fn another_command_does_not_go_on_with_a_run() {
    let bench = Bench::new();
    let train = format!("{TRAIN} --epochs 60 --checkpoint-seconds 0");
    interrupt(&bench, &train, "out");
    let message = bench.run(&format!("{train} --seed 9 --out out --resume")).refused();
    assert!(message.contains("was begun with another recipe"), "{message}");
    let message = bench.run("predict out --input x").refused();
    assert!(message.contains("run the same command with --resume"), "{message}");
}

const ZERO_SHOT: &str = "--model model --labels A,B";

fn probabilities(bench: &Bench, command: &str) -> Vec<f64> {
    let line: Value = serde_json::from_str(&bench.run(command).ok()).unwrap();
    serde_json::from_value(serde_json::json!([line["scores"]["A"], line["scores"]["B"]])).unwrap()
}

#[test]
fn a_model_classifies_without_training_as_before_its_first_step() {
    let bench = Bench::new();
    // So small a step leaves the adapter's product at zero.
    bench
        .run("train data.csv --text comment --label label --labels A,B --model model --learning-rate 1e-30 --epochs 1 --out out")
        .ok();
    let asked = probabilities(&bench, &format!("predict {ZERO_SHOT} --input aaaa"));
    assert!((asked.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{asked:?}");
    let trained = probabilities(&bench, "predict out --input aaaa");
    assert!(asked.iter().zip(&trained).all(|(a, b)| (a - b).abs() < 1e-6), "{asked:?} {trained:?}");

    let all = bench.run(&format!("predict {ZERO_SHOT} data.csv --text comment --keep id")).ok();
    assert_eq!(all.lines().count(), 40);
    assert!(all.starts_with("{\"id\":"), "{all}");
    let report = |command: &str| serde_json::from_str::<Value>(&bench.run(command).ok()).unwrap();
    let columns = "data.csv --text comment --label label --holdout 8";
    let asked = report(&format!("evaluate {ZERO_SHOT} {columns} --json"));
    let trained = report(&format!("evaluate out {columns} --include-training-rows --json"));
    assert_eq!((&asked["n"], &asked["confusion_matrix"]), (&trained["n"], &trained["confusion_matrix"]));
    let printed = bench.run(&format!("evaluate {ZERO_SHOT} {columns}")).ok();
    assert!(printed.contains("\n8 rows") && printed.contains("TF-IDF + logistic regression, same rows: F1 "), "{printed}");
    // Without other rows there is nothing to train the baseline on.
    let printed = bench.run(&format!("evaluate {ZERO_SHOT} data.csv --text comment --label label")).ok();
    assert!(printed.contains("\n40 rows") && !printed.contains("TF-IDF"), "{printed}");
}

#[test]
fn prompt_options_change_what_the_model_is_asked() {
    let bench = Bench::new();
    let asked = |options: &str| probabilities(&bench, &format!("predict {ZERO_SHOT} --input aaaa {options}"));
    let plain = asked("");
    for option in ["--instruction Choose", "--separator |", "--no-bos"] {
        assert_ne!(asked(option), plain, "{option}");
    }
    let long = |text: &str| probabilities(&bench, &format!("predict {ZERO_SHOT} --max-tokens 120 --input {text}"));
    assert_eq!(long(&"a".repeat(200)), long(&"a".repeat(300)), "what does not fit is cut");
    // Labels that begin alike are asked for by letters.
    let line = bench.run("predict --model model --labels Spam,Spin --input aaaa").ok();
    assert!(line.contains("\"Spam\":") && line.contains("\"Spin\":"), "{line}");
}

#[test]
fn generate_goes_on_from_a_text() {
    let bench = Bench::new();
    let generate = |rest: &str| bench.run(&format!("generate --model {rest}"));
    // A random model over bytes mostly says what is no text.
    let says_text = |prompt: &String| {
        let text = generate(&format!("model {prompt} --max-new-tokens 30")).ok();
        text.len() > 20 && text.as_bytes()[0].is_ascii_alphanumeric()
    };
    let prompt =
        ('0'..='z').filter(char::is_ascii_alphanumeric).map(|letter| letter.to_string().repeat(4)).find(says_text).unwrap();
    let ran = generate(&format!("model {prompt} --max-new-tokens 30"));
    assert!(ran.stderr.contains("tokens read in ") && ran.stderr.contains(" tokens/s; not at its end\n"), "{ran:?}");
    let text = ran.ok();
    assert!(text.ends_with('\n'), "{text:?}");
    assert_eq!(generate(&format!("model {prompt} --max-new-tokens 30 --threads 1")).ok(), text);
    let shorter = generate(&format!("model {prompt} --max-new-tokens 9")).ok();
    assert!(text.starts_with(shorter.trim_end_matches('\n')) && shorter.len() < text.len(), "{shorter:?} {text:?}");

    let mut child = bench.command("generate --model model - --max-new-tokens 30");
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{prompt}\n").as_bytes()).unwrap();
    assert_eq!(Ran::of(child.wait_with_output().unwrap()).ok(), text);

    bench.run(&format!("{TRAIN} --epochs 4 --out out")).ok();
    let adapted = generate(&format!("out {prompt} --max-new-tokens 30")).ok();
    assert_ne!(adapted, text, "the adapter changes nothing");

    // The first generated byte becomes an end of text.
    let first = text.as_bytes()[0];
    bench.write("model/generation_config.json", format!("{{\"eos_token_id\": [3, {first}]}}"));
    let ran = generate(&format!("model {prompt}"));
    assert!(ran.stderr.ends_with(", 0 generated\n"), "{ran:?}");
    assert_eq!(ran.ok(), "\n");
}

#[test]
fn help_says_what_it_said() {
    let bench = Bench::new();
    for verb in [
        "",
        "quickstart",
        "pull",
        "models",
        "check",
        "train",
        "evaluate",
        "calibrate",
        "predict",
        "generate",
        "audit",
        "verify",
        "cross-validate",
        "sweep",
        "compare",
        "report",
        "prompt",
        "completions",
        "man",
    ] {
        let help = bench.run(&format!("{verb} --help")).ok();
        let name = if verb.is_empty() { "lincah" } else { verb };
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/help").join(format!("{name}.txt"));
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(&path, &help).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(help, expected, "set UPDATE_SNAPSHOTS=1 to accept the new text of {}", path.display());
    }
}
