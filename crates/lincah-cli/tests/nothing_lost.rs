//! Nothing is lost: outputs spare inputs, streams may close, folders have one writer, files keep their modes, numbers their digits.

mod support;

use serde_json::Value;
use std::process::Stdio;
use support::{Bench, Ran};

const TRAIN: &str = "train data.csv --text comment --label label --labels A,B --model model --learning-rate 0.02";

fn trained(options: &str) -> Bench {
    let bench = Bench::new();
    bench.run(&format!("{TRAIN} --epochs 1 {options} --out out")).ok();
    bench
}

#[test]
fn an_output_never_replaces_an_input_or_a_classifier() {
    let bench = trained("");
    let data = std::fs::read(bench.path("data.csv")).unwrap();
    let record = std::fs::read(bench.path("out/classifier.json")).unwrap();
    std::os::unix::fs::symlink("data.csv", bench.path("link.csv")).unwrap();
    let predict = "predict out data.csv --text comment --format csv --out";
    for output in ["data.csv", "./data.csv", "link.csv"] {
        let message = bench.run(&format!("{predict} {output}")).refused();
        assert!(message.contains("is an input of this command"), "{message}");
    }
    for output in ["out/classifier.json", "out/new.csv", "model/config.json"] {
        let message = bench.run(&format!("{predict} {output}")).refused();
        assert!(message.contains("a folder of a classifier or a model"), "{message}");
    }
    let report = "report out data.csv --text comment --label label --out";
    assert!(bench.run(&format!("{report} data.csv")).refused().contains("is an input of this command"));
    assert!(bench.run(&format!("{report} out/classifier.json")).refused().contains("a folder of a classifier"));
    assert_eq!(std::fs::read(bench.path("data.csv")).unwrap(), data);
    assert_eq!(std::fs::read(bench.path("out/classifier.json")).unwrap(), record);
    assert_eq!(bench.list("out").len(), 6);
}

/// Standard output and error that cannot be written, as `2>/dev/full` makes them.
fn full() -> Stdio {
    Stdio::from(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap())
}

/// A pipe whose reader went away.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    Stdio::from(writer)
}

#[test]
fn a_training_goes_on_without_anybody_to_tell() {
    let bench = Bench::new();
    bench.run(&format!("{TRAIN} --epochs 2 --out whole")).ok();
    for (out, stream) in [("full", full as fn() -> Stdio), ("closed", closed)] {
        let mut command = bench.command(&format!("{TRAIN} --epochs 2 --out {out}"));
        assert_eq!(command.stderr(stream()).output().unwrap().status.code(), Some(0), "{out}");
        let adapter = |folder: &str| std::fs::read(bench.path(folder).join("adapter_model.safetensors")).unwrap();
        assert_eq!(adapter(out), adapter("whole"));
    }
}

#[test]
fn a_closed_standard_output_ends_quietly_and_a_full_one_is_an_error() {
    let bench = trained("");
    let rows = "data.csv --text comment --label label";
    for verb in [
        String::from("models"),
        String::from("train --help"),
        format!("evaluate out {rows} --include-training-rows"),
        format!("compare out out {rows} --include-training-rows"),
        String::from("predict out data.csv --text comment"),
        format!("cross-validate {rows} --labels A,B --model model --folds 2 --epochs 1 --members 1 --out {{}}"),
        format!("{TRAIN} --epochs 1 --holdout 8 --out {{}}"),
    ] {
        let place = |out: &str| format!("{out}-{}", verb.split_whitespace().next().unwrap());
        let command = |out: &str| bench.command(&verb.replace("{}", &place(out)));
        let ended = Ran::of(command("closed").stdout(closed()).output().unwrap());
        assert_eq!(ended.code, Some(0), "{verb}: {ended:?}");
        assert!(!ended.stderr.contains("panicked") && !ended.stderr.contains("error: "), "{verb}: {ended:?}");
        let failed = Ran::of(command("full").stdout(full()).output().unwrap());
        assert_eq!(failed.code, Some(1), "{verb}: {failed:?}");
        assert!(!failed.stderr.contains("panicked"), "{verb}: {failed:?}");
    }
}

#[test]
fn kept_values_come_back_digit_by_digit() {
    let bench = trained("");
    let row = r#"{"comment":"aaaa","score":0.030715352765850846,"id":1234567890123456789,"small":-9223372036854775808}"#;
    bench.write("rows.jsonl", format!("{row}\n"));
    let kept = bench.run("predict out rows.jsonl --text comment --keep score,id,small").ok();
    for value in ["0.030715352765850846", "1234567890123456789", "-9223372036854775808"] {
        assert!(kept.contains(value), "{kept}");
    }
}

#[test]
fn the_format_of_predictions_follows_the_files_name() {
    let bench = trained("");
    let predict = "predict out data.csv --text comment --keep id --out";
    let said = bench.run(&format!("{predict} p.csv"));
    assert!(said.stderr.contains("40"), "{said:?}");
    said.ok();
    let csv = std::fs::read_to_string(bench.path("p.csv")).unwrap();
    assert!(csv.starts_with("id,label,"), "{csv}");
    bench.run(&format!("{predict} p.parquet")).ok();
    assert!(std::fs::read(bench.path("p.parquet")).unwrap().starts_with(b"PAR1"));
    bench.run(&format!("{predict} p.jsonl.gz")).ok();
    assert!(std::fs::read(bench.path("p.jsonl.gz")).unwrap().starts_with(&[0x1f, 0x8b]));
    bench.run(&format!("{predict} p.jsonl")).ok();
    bench.run("predict out p.jsonl.gz --text label").ok();
}

#[test]
fn an_output_keeps_its_mode_and_a_link_its_target() {
    use std::os::unix::fs::PermissionsExt;
    let bench = trained("");
    bench.write("private.jsonl", "old");
    std::fs::set_permissions(bench.path("private.jsonl"), std::fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink("private.jsonl", bench.path("link.jsonl")).unwrap();
    bench.run("predict out data.csv --text comment --out link.jsonl").ok();
    assert!(std::fs::symlink_metadata(bench.path("link.jsonl")).unwrap().is_symlink());
    assert_eq!(std::fs::metadata(bench.path("private.jsonl")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(bench.path("private.jsonl")).unwrap().lines().count(), 40);
}

#[test]
fn a_folder_has_one_writer() {
    let bench = Bench::new();
    let train = format!("{TRAIN} --epochs 200 --checkpoint-seconds 0 --out out");
    let mut first = bench.command(&train).stderr(Stdio::null()).spawn().unwrap();
    while !bench.path("out/training.jsonl").exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let message = bench.run(&format!("{train} --resume")).refused();
    assert!(message.contains("out") && message.contains("another"), "{message}");
    first.kill().unwrap();
    first.wait().unwrap();
    // The lock of a killed process is gone with it.
    let message = bench.run(&format!("{} --resume", train.replace("--epochs 200", "--epochs 100"))).refused();
    assert!(message.contains("was begun with another recipe"), "{message}");
}

#[test]
fn a_finished_folder_says_so() {
    let bench = trained("");
    let message = bench.run(&format!("{TRAIN} --epochs 1 --out out --resume")).refused();
    assert!(message.contains("finished") && !message.contains("without --resume"), "{message}");
}

#[test]
fn training_rows_are_warned_of() {
    let bench = trained("--holdout 8");
    let rows = "data.csv --text comment --label label";
    let warned = |command: &str| bench.run(command).stderr.contains("warning:");
    assert!(!warned(&format!("evaluate out {rows} --holdout 8")), "the rows held out are fine");
    let bench = trained("");
    for command in [format!("evaluate out {rows}"), format!("compare out out {rows}")] {
        let refused = bench.run(&command).refused();
        assert!(refused.contains("was trained on all 40 rows"), "{refused}");
        assert!(bench.run(&format!("{command} --include-training-rows")).stderr.contains("warning:"));
    }
}

#[test]
fn control_characters_are_shown_not_sent() {
    let bench = Bench::new();
    bench.write("esc.csv", "comment,label\naaaa,\u{1b}[31mred\nbbbb,plain\naaaa,\u{1b}[31mred\nbbbb,plain\n");
    let train = "train esc.csv --text comment --label label --model model --epochs 1 --members 1 --out out";
    let ran = bench.run(train);
    assert!(!ran.stderr.contains('\u{1b}') && ran.stderr.contains("\\u{1b}[31mred"), "{ran:?}");
    let ran = bench.run("evaluate out esc.csv --text comment --label label");
    assert!(!ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'), "{ran:?}");
}

#[test]
fn an_infinite_training_saves_nothing() {
    let bench = Bench::new();
    let train = format!(
        "{} --learning-rate 1e20 --warmup 0 --epochs 1 --batch-size 12 --out out",
        TRAIN.replace(" --learning-rate 0.02", "")
    );
    let message = bench.run(&train).refused();
    assert!(message.contains("no longer a number"), "{message}");
    assert!(!bench.path("out/classifier.json").exists());
}

#[test]
fn edited_classifiers_are_refused() {
    let bench = trained("");
    let edit = |file: &str, from: &str, to: &str| {
        let path = bench.path(&format!("out/{file}"));
        let before = std::fs::read_to_string(&path).unwrap();
        assert!(before.contains(from), "{before}");
        std::fs::write(&path, before.replace(from, to)).unwrap();
        let message = bench.run("predict out --input x").refused();
        std::fs::write(&path, before).unwrap();
        message
    };
    edit("adapter_config.json", "\"lora_alpha\": ", "\"lora_alpha\": 1");
    edit("adapter_config.json", "\"use_rslora\": false", "\"use_rslora\": true");
    edit("classifier.json", "\"format_version\": 3", "\"format_version\": 4294967297");
    edit("classifier.json", "\"format_version\": 3", "\"format_version\": 3, \"surprise\": 1");
    let mut adapter = std::fs::read(bench.path("out/adapter_model.safetensors")).unwrap();
    let last = adapter.len() - 1;
    adapter[last - 40] ^= 1;
    bench.write("out/adapter_model.safetensors", adapter);
    assert!(bench.run("predict out --input x").refused().contains("adapter"));
}

#[test]
fn predictions_of_unusable_rows_are_null_and_say_why() {
    let bench = trained("");
    bench.write("gaps.csv", "id,comment\n1,aaaa\n2,\n3,zzzz\n");
    let lines = bench.run("predict out gaps.csv --text comment --keep id").ok();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[1]["label"].is_null() && lines[1].to_string().contains("the text is empty"), "{}", lines[1]);
    assert_eq!(lines[2]["id"], "3");
    let message = bench.run("predict out gaps.csv --text comment --strict").refused();
    assert!(message.contains("row 2"), "{message}");
}

#[test]
fn helpful_words_for_common_slips() {
    let bench = trained("");
    assert!(bench.run("predict out some_text").refused().contains("--input"));
    let tip = bench.run("evaluat out data.csv");
    assert!(tip.stderr.contains("evaluate"), "{tip:?}");
    bench.run("eval out data.csv --text comment --label label --include-training-rows").ok();
    let shown = bench.run("prompt --labels A,B --model model --input aaaa").ok();
    assert!(shown.contains("tokens: ") && shown.contains("aaaa") && shown.contains("answers: A"), "{shown}");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(bench.run(&format!("completions {shell}")).ok().contains("lincah"));
    }
    bench.run("man pages").ok();
    assert!(bench.list("pages").contains(&String::from("lincah-train.1")));
}
