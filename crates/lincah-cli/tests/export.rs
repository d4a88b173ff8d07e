//! `lincah export` and `lincah import`: what comes out is read by lincah again, and says the same.

mod support;

use serde_json::Value;
use support::Bench;

const TRAIN: &str = "train data.csv --text comment --label label --model model --epochs 3 --members 2";

fn predictions(bench: &Bench, who: &str) -> Vec<Value> {
    let lines = bench.run(&format!("predict {who} texts.csv --text comment")).ok();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("texts.csv", "comment\nzzzz\naaaa bbbb\n\"  two   words \"\nsomething else that is longer than the others\n");
    bench
}

fn largest_difference(first: &[Value], second: &[Value]) -> f64 {
    let scores =
        |row: &Value| row["scores"].as_object().unwrap().values().map(|score| score.as_f64().unwrap()).collect::<Vec<_>>();
    let rows = first.iter().zip(second).flat_map(|(a, b)| scores(a).into_iter().zip(scores(b)).collect::<Vec<_>>());
    rows.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn file(bench: &Bench, path: &str) -> Value {
    serde_json::from_slice(&std::fs::read(bench.path(path)).unwrap()).unwrap()
}

#[test]
fn decisions_are_the_same_after_export_and_import() {
    let bench = bench();
    let mut many = String::from("comment,label,a,z\n");
    for row in 0..60 {
        let letter = char::from(b'a' + row % 6);
        many += &format!("{} {row},{letter},{},{}\n", String::from(letter).repeat(4), row % 2, u8::from(row % 3 == 0));
    }
    bench.write("many.csv", many);
    let train = "train many.csv --text comment --model model --epochs 2 --members 1";
    for (name, command) in [
        ("two", format!("{TRAIN} --target precision=0.8 --calibration platt --out two")),
        ("six", format!("{train} --label label --out six")),
        ("several", format!("{train} --multi-label a,z --target f1 --out several")),
    ] {
        bench.run(&command).ok();
        let before = predictions(&bench, name);
        bench.run(&format!("export {name} --to peft --out {name}-peft")).ok();
        bench.run(&format!("import {name}-peft --out {name}-again --model model")).ok();
        let again = predictions(&bench, &format!("{name}-again"));
        assert!(largest_difference(&before, &again) < 1e-12, "{name}");
        let decided =
            |rows: &[Value]| rows.iter().map(|row| (row["decision"].clone(), row["review"].clone())).collect::<Vec<_>>();
        assert_eq!(decided(&before), decided(&again), "{name}");
        bench.run(&format!("verify {name}-again")).ok();
    }
    // On the copy of the base model beside it, whose tokenizer is written anew.
    bench.run("import two-peft --out beside").ok();
    assert!(largest_difference(&predictions(&bench, "two"), &predictions(&bench, "beside")) < 1e-6);
    let card = std::fs::read_to_string(bench.path("beside/README.md")).unwrap();
    assert!(card.contains("It was not trained by lincah"), "{card}");
}

#[test]
fn merged_models_answer_as_the_classifier_does() {
    let bench = bench();
    bench.run(&format!("{TRAIN} --out kind")).ok();
    bench.run("export kind --to merged --out merged").ok();
    let asked = predictions(&bench, "--labels A,B --model merged");
    assert!(largest_difference(&predictions(&bench, "kind"), &asked) < 1e-5);
    bench.run("export kind --to merged --dtype bf16 --out half").ok();
    assert!(largest_difference(&asked, &predictions(&bench, "--labels A,B --model half")) < 0.1);
    let size = |name: &str| std::fs::metadata(bench.path(name)).unwrap().len();
    assert!(size("half/model.safetensors") < size("merged/model.safetensors") * 6 / 10);

    bench.run("export kind --to sequence-classification --out labels").ok();
    let config = file(&bench, "labels/config.json");
    assert_eq!((&config["id2label"]["1"], &config["torch_dtype"]), (&"B".into(), &"float32".into()));
    assert_eq!(
        bench.list("labels"),
        ["README.md", "config.json", "model.safetensors", "prompt.json", "score.py", "tokenizer.json", "tokenizer_config.json"]
    );
    let tokenizer = file(&bench, "labels/tokenizer.json");
    assert_eq!(tokenizer["post_processor"]["special_tokens"]["<s>"]["ids"][0], 256);
    bench.run("export kind --to mlx --base-model somewhere/model --out mlx").ok();
    assert!(!bench.path("mlx/base").exists() && bench.path("mlx/adapters.safetensors").exists());
    bench.run("export kind --to peft --base-model somewhere/model --out peft").ok();
    assert_eq!(file(&bench, "peft/adapter_config.json")["base_model_name_or_path"], "somewhere/model");
    bench.run("export kind --to gguf-lora --out lora").ok();
    assert_eq!(file(&bench, "lora/prompt.json")["labels"][1], "B");
}

#[test]
fn of_several_models_each_decoder_is_exported_and_what_is_not_is_said() {
    let bench = bench().with_encoder().with_other_decoder();
    bench
        .run(&format!(
            "{} --out both",
            TRAIN.replace("--members 2", "--members 1").replace("--model model", "--model model,bert,other")
        ))
        .ok();
    let told = bench.run("export both --to merged --out merged");
    assert!(told.stderr.contains("the instant member, and the mixture of all, have no such form"), "{told:?}");
    assert_eq!(bench.list("merged"), ["1", "2"]);
    let asked = predictions(&bench, "--labels A,B --model merged/2");
    assert!(largest_difference(&predictions(&bench, "both/members/2"), &asked) < 1e-5);
}

#[test]
fn what_cannot_be_exported_or_imported_is_one_clear_line() {
    let bench = bench().with_encoder();
    bench.run(&format!("{TRAIN} --out kind")).ok();
    let refused = |arguments: &str| bench.run(arguments).refused();
    assert!(refused("export kind --to gguf --out no").contains("no GGUF file"));
    assert!(refused("export kind --to merged --out kind").contains("empty"));
    assert!(!bench.path("no").exists() && bench.list(".").iter().all(|name| !name.ends_with(".tmp")));
    assert!(bench.run("export kind --to word --out no").stderr.contains("sequence-classification"));
    assert!(refused("export kind --to merged --base-model x --out no").contains("--base-model goes with"));
    assert!(refused("export kind --to gguf-lora --dtype f16 --out no").contains("--dtype is of weights"));
    bench.run("train data.csv --text comment --label label --preset instant --model bert --out quick").ok();
    assert!(refused("export quick --to merged --out no").contains("instant classifiers have no form"));
    bench.run("export kind --to peft --out peft").ok();
    std::fs::remove_file(bench.path("peft/prompt.json")).unwrap();
    assert!(refused("import peft --out again").contains("--labels"));
    bench.run("import peft --labels A,B --out again").ok();
    assert!(refused("import peft --labels A,B --out again").contains("again"));
    assert!(refused("import quick --labels A,B --out no").contains("adapter_config.json"));
    bench.write("peft/prompt.json", "{\"classifier\": {}}");
    assert!(refused("import peft --out no").contains("prompt.json"));
}
