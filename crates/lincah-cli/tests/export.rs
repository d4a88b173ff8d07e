//! `lincah export` and `lincah import`: what comes out is read by lincah again, and says the same.

mod support;

use serde_json::{Value, json};
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

/// A file of 36 rows, the labels in turn, and a list of texts.
fn write_labelled(bench: &Bench, name: &str, labels: &[&str]) {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let row =
        |row: usize| format!("{} {row},{}\n", ["aaaa", "zzzz", "mmmm"][row % labels.len()], quoted(labels[row % labels.len()]));
    bench.write(name, String::from("comment,label\n") + &(0..36).map(row).collect::<String>());
}

#[test]
fn labels_of_any_characters_come_back_as_they_were() {
    let bench = bench();
    let labels = ["\"quoted\" it's \\ {text} </s>", "naïve — 日本, \u{202e}x", "🙂 {\"a\": 1}|#"];
    write_labelled(&bench, "odd.csv", &labels);
    let train = "train odd.csv --text comment --label label --model model --epochs 1 --members 1";
    for (name, options) in [("asked", ""), ("rows", "--label-scheme rows")] {
        bench.run(&format!("{train} {options} --out {name}")).ok();
        bench.run(&format!("export {name} --to peft --out {name}-peft")).ok();
        bench.run(&format!("import {name}-peft --model model --out {name}-again")).ok();
        assert!(largest_difference(&predictions(&bench, name), &predictions(&bench, &format!("{name}-again"))) < 1e-12);
        bench.run(&format!("export {name} --to sequence-classification --out {name}-sequence")).ok();
        let config = file(&bench, &format!("{name}-sequence/config.json"));
        let mut named: Vec<&str> = config["id2label"].as_object().unwrap().values().map(|name| name.as_str().unwrap()).collect();
        named.sort_unstable();
        assert_eq!(named, labels);
    }
    for form in ["merged", "gguf-lora", "mlx"] {
        bench.run(&format!("export asked --to {form} --out {form}")).ok();
        assert_eq!(file(&bench, &format!("{form}/prompt.json"))["labels"].as_array().unwrap().len(), 3);
        let message = bench.run(&format!("export rows --to {form} --out nothing/below")).refused();
        assert!(message.contains("labels that are rows have no place in the form"), "{message}");
    }
    assert!(!bench.path("nothing").exists(), "a refused export leaves no folder behind");
    write_labelled(&bench, "lines.csv", &["one\nlabel", "two"]);
    let message = bench.run("train lines.csv --text comment --label label --model model --out no").refused();
    assert!(message.contains("line break"), "{message}");
}

#[test]
fn places_that_are_taken_are_refused_before_anything_is_read() {
    let bench = bench();
    bench.run(&format!("{TRAIN} --out kind")).ok();
    bench.run("export kind --to peft --out peft").ok();
    bench.write("file", "");
    std::fs::create_dir(bench.path("full")).unwrap();
    bench.write("full/file", "");
    for (out, word) in [
        ("file", "file is not a folder"),
        ("file/below", "file is not a folder"),
        ("full", "full is not empty; choose another output folder"),
        ("kind", "kind is not empty; choose another output folder"),
        (".", ". is not empty"),
        ("kind/new/deeper", "a folder of a classifier"),
        ("full/../kind/new", "a folder of a classifier"),
        ("peft/base/new", "a folder of a classifier or a model"),
    ] {
        for command in ["export kind --to merged", "import peft --model model"] {
            let message = bench.run(&format!("{command} --out {out}")).refused();
            assert!(message.contains(word) && !message.contains("--resume"), "{command} --out {out}: {message}");
        }
    }
    assert_eq!((bench.list("full"), bench.path("kind/new").exists()), (vec![String::from("file")], false));
    let told = bench.run("export kind --to merged --out new/and/it's/deep");
    assert!(told.stderr.contains(r"python 'new/and/it'\''s/deep/score.py'"), "{told:?}");
    assert!(bench.path("new/and/it's/deep/model.safetensors").exists());
}

#[cfg(unix)]
#[test]
fn a_link_to_an_empty_folder_is_written_through_and_one_to_nothing_is_not() {
    let bench = bench();
    bench.run(&format!("{TRAIN} --out kind")).ok();
    std::fs::create_dir(bench.path("empty")).unwrap();
    std::os::unix::fs::symlink("empty", bench.path("link")).unwrap();
    std::os::unix::fs::symlink("nothing", bench.path("lost")).unwrap();
    bench.run("export kind --to merged --out link").ok();
    assert!(bench.path("link").is_symlink() && bench.path("empty/model.safetensors").exists());
    let message = bench.run("export kind --to merged --out lost").refused();
    assert!(message.contains("lost is not a folder"), "{message}");
}

#[test]
fn adapters_that_say_something_else_are_one_clear_line() {
    let bench = bench().with_encoder();
    bench.run(&format!("{TRAIN} --target precision=0.8 --out kind")).ok();
    bench.run("export kind --to peft --base-model model --out peft").ok();
    let original = |name: &str| file(&bench, &format!("peft/{name}"));
    let refused = |name: &str, change: &dyn Fn(&mut Value)| {
        let whole = original(name);
        let mut changed = whole.clone();
        change(&mut changed);
        bench.write(&format!("peft/{name}"), changed.to_string());
        let message = bench.run("import peft --out no").refused();
        bench.write(&format!("peft/{name}"), whole.to_string());
        message
    };
    for (field, value) in [
        ("use_dora", json!(true)),
        ("rank_pattern", json!({"q_proj": 4})),
        ("alpha_pattern", json!({"q_proj": 4})),
        ("task_type", json!("SEQ_2_SEQ_LM")),
        ("target_modules", json!([])),
    ] {
        let message = refused("adapter_config.json", &|config| config[field] = value.clone());
        assert!(message.contains(&format!("`{field}`")), "{message}");
    }
    for prompt in [json!([]), json!("text"), json!(null), json!({}), json!({"classifier": []})] {
        let message = refused("prompt.json", &|whole| *whole = prompt.clone());
        assert!(message.contains("prompt.json is damaged"), "{message}");
    }
    for (path, value) in [
        ("/classifier/prompt/labels", json!(["A"])),
        ("/classifier/prompt/labels", json!(["A", "A"])),
        ("/classifier/prompt/labels", json!(["A", "B\n"])),
        ("/classifier/prompt/labels", json!(["A", "B", "C"])),
        ("/classifier/max_tokens", json!(0)),
        ("/classifier/max_tokens", json!(1e30)),
        ("/classifier/decision_rule/thresholds", json!([5])),
        ("/classifier/calibration", json!({})),
    ] {
        let message = refused("prompt.json", &|whole| *whole.pointer_mut(path).unwrap() = value.clone());
        assert!(message.len() < 300, "{message}");
    }
    assert!(!bench.path("no").exists());
    // A committee's export has an adapter per model.
    let train = TRAIN.replace("--members 2", "--members 1").replace("--model model", "--model model,bert,other");
    let bench = bench.with_other_decoder();
    bench.run(&format!("{train} --out both")).ok();
    bench.run("export both --to peft --out both-peft").ok();
    let message = bench.run("import both-peft --model model --out no").refused();
    assert!(message.contains("import one of them, such as both-peft/1"), "{message}");
    bench.run("import both-peft/2 --out second").ok();
    assert!(largest_difference(&predictions(&bench, "both/members/2"), &predictions(&bench, "second")) < 1e-6);
}

#[test]
fn every_kind_of_classifier_has_each_form_or_is_refused_in_one_line() {
    let bench = bench().with_other_decoder();
    let rows = (0..60).map(|row| format!("{} {row},{},{}\n", ["aa", "zz", "mm"][row % 3], row % 2, u8::from(row % 3 == 0)));
    bench.write("several.csv", String::from("comment,a,z\n") + &rows.collect::<String>());
    let (one, both) = ("--model model --epochs 1 --members 1", "--model model,other --epochs 1 --members 1");
    for (name, options) in [
        ("several", format!("several.csv --multi-label a,z {one} --target f1 --calibration platt")),
        ("calibrated", format!("data.csv --label label {one} --target precision=0.8 --calibration isotonic")),
        ("committee", format!("data.csv --label label {both}")),
        ("instant", String::from("data.csv --label label --model model --preset instant")),
    ] {
        bench.run(&format!("train {options} --text comment --out {name}")).ok();
        for form in ["peft", "merged", "sequence-classification", "gguf-lora", "gguf", "mlx"] {
            let out = format!("{name}-{form}");
            let ran = bench.run(&format!("export {name} --to {form} --out {out}"));
            let refused = match (name, form) {
                ("instant", _) => "instant classifiers have no form in other programs",
                (_, "gguf") => "no GGUF file",
                _ => {
                    ran.ok();
                    let folders = if name == "committee" { vec![out.clone() + "/1", out + "/2"] } else { vec![out] };
                    for folder in folders {
                        let prompt = file(&bench, &format!("{folder}/prompt.json"));
                        assert_eq!(prompt["exclusive"], name != "several", "{folder}");
                        assert_eq!(
                            prompt["calibration"] != json!([]),
                            name != "committee",
                            "{folder}: {}",
                            prompt["calibration"]
                        );
                    }
                    continue;
                }
            };
            let message = ran.refused();
            assert!(message.contains(refused), "{message}");
            assert!(!bench.path(&out).exists());
        }
    }
}
