//! Classifiers without LoRA: probes on frozen models, alone and together, through every verb.

mod support;

use serde_json::Value;
use support::Bench;

const DATA: &str = "data.csv --text comment --label label";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Two probes, on a decoder and on an encoder.
fn trained() -> Bench {
    let bench = Bench::new().with_encoder();
    let ran = bench.run(&format!("train {DATA} --preset instant --model model,bert --holdout 8 --out out --json"));
    assert!(
        ["model has read them", "probe on bert, embeddings", "log loss"].iter().all(|part| ran.stderr.contains(part)),
        "{ran:?}"
    );
    let found = json(&ran.ok());
    assert!(found["accuracy"].as_f64().unwrap() > 0.9, "{found}");
    bench
}

#[test]
fn it_is_a_classifier_like_any_other() {
    let bench = trained();
    assert_eq!(bench.list("out"), ["README.md", "classifier.json", "members", "probes.json"]);
    assert_eq!(bench.list("out/members"), ["0", "1"]);
    let record = json(&std::fs::read_to_string(bench.path("out/classifier.json")).unwrap());
    assert_eq!((record["members"].as_array().unwrap().len(), record["weights"].as_array().unwrap().len()), (2, 2));
    assert!(record.get("label_tokens").is_none() && record.get("adapter_sha256").is_none_or(Value::is_null));
    assert_eq!(record["members"][1]["states"], "embedding");
    let card = std::fs::read_to_string(bench.path("out/README.md")).unwrap();
    assert!(
        card.contains("logistic regression on layer 1 of model") && !card.contains("peft") && !card.contains("LoRA"),
        "{card}"
    );

    let evaluated = json(&bench.run(&format!("evaluate out {DATA} --holdout 8 --json")).ok());
    assert!(evaluated["accuracy"].as_f64().unwrap() > 0.9 && evaluated["trained_on_rows"] == 0);
    let one = json(&bench.run("predict out --input zzzz").ok());
    assert!(one["scores"]["B"].as_f64().unwrap() > 0.5, "{one}");
    let explained = json(&bench.run("predict out --input word.zzzz.word --explain").ok());
    assert!(explained["reasons"].is_array(), "{explained}");
    bench.run("verify out").ok();
    bench.run(&format!("report out {DATA} --holdout 8 --out page.html")).ok();
    let page = std::fs::read_to_string(bench.path("page.html")).unwrap();
    assert!(page.contains("logistic regression on embeddings of bert") && !page.contains("learning_rate"));
    bench.run(&format!("calibrate out {DATA} --holdout 8 --target f1")).ok();
    bench.run("verify out").ok();
    bench.run(&format!("audit out {DATA} --include-training-rows --robustness --robustness-rows 4")).ok();
    bench.run(&format!("train {DATA} --preset instant --model bert --holdout 8 --out alone")).ok();
    bench.run(&format!("compare out alone {DATA} --holdout 8")).ok();
    let alone = json(&std::fs::read_to_string(bench.path("alone/classifier.json")).unwrap());
    assert!(alone["members"].as_array().unwrap().len() == 1 && alone.get("weights").is_none());
}

#[test]
fn scores_have_the_same_bits_alone_and_together_and_again() {
    let bench = trained();
    let score = |folder: &str, text: &str| json(&bench.run(&format!("predict {folder} --input {text}")).ok())["scores"].clone();
    bench.write("texts.csv", "comment\nzzzz\naaaa\nzzzz-and-a-longer-text-beside-it\n");
    let together: Vec<Value> =
        bench.run("predict out texts.csv --text comment").ok().lines().map(|line| json(line)["scores"].clone()).collect();
    for (text, scores) in ["zzzz", "aaaa", "zzzz-and-a-longer-text-beside-it"].iter().zip(&together) {
        assert_eq!(score("out", text), *scores);
    }
    bench.run(&format!("train {DATA} --preset instant --model model,bert --holdout 8 --out again")).ok();
    assert_eq!(score("again", "zzzz"), together[0]);
}

#[test]
fn labels_may_hold_together_or_be_many() {
    let bench = Bench::new().with_encoder();
    let mut csv = String::from("comment,aa,zz\n");
    for row in 0..40 {
        let (aa, zz) = (row % 2, u8::from(row % 3 == 0));
        let text = format!("{}{}{row}", ["", "aaaa "][aa], ["", "zzzz "][usize::from(zz)]);
        csv += &format!("{text},{aa},{zz}\n");
    }
    bench.write("multi.csv", csv);
    bench.run("train multi.csv --text comment --multi-label aa,zz --preset instant --model model,bert --out multi").ok();
    let found = json(&bench.run("predict multi --input aaaa").ok());
    assert!(found["scores"]["aa"].as_f64() > found["scores"]["zz"].as_f64(), "{found}");
    bench.run("verify multi").ok();

    // The prompt would take more tokens than there are.
    let mut csv = String::from("comment,label\n");
    for row in 0..240 {
        csv += &format!("{0}{0}{0} {row},a-label-with-a-long-name-{0}\n", char::from(b'a' + row % 24));
    }
    bench.write("many.csv", csv);
    let many = "train many.csv --text comment --label label --model model,bert";
    assert!(bench.run(&format!("{many} --epochs 2 --out lora")).refused().contains("--preset instant"));
    let ran = bench.run(&format!("{many} --out many"));
    assert!(ran.stderr.contains("24 labels don't fit into a prompt"), "{ran:?}");
    ran.ok();
    let found = json(&bench.run("evaluate many many.csv --text comment --label label --include-training-rows --json").ok());
    assert!(found["accuracy"].as_f64().unwrap() > 0.8, "{found}");
}

#[test]
fn folds_and_decisions_come_with_it() {
    let bench = Bench::new().with_encoder();
    let folds = json(
        bench
            .run(&format!("cross-validate {DATA} --preset instant --model model,bert --folds 4 --out folds --json"))
            .ok()
            .lines()
            .last()
            .unwrap(),
    );
    assert!(folds["fold"].is_null() && folds["evaluation"]["n"] == 40, "{folds}");
    bench.run(&format!("train {DATA} --preset instant --model bert --target precision=0.9 --out out")).ok();
    let record = json(&std::fs::read_to_string(bench.path("out/classifier.json")).unwrap());
    assert_eq!((&record["decisions"]["source"], &record["decisions"]["rows"]), (&"out_of_fold".into(), &40.into()));
    bench.run("verify out").ok();
}

#[test]
fn what_does_not_go_together_is_one_clear_line() {
    let bench = trained();
    let refused = |arguments: &str| bench.run(arguments).refused();
    assert!(refused(&format!("train {DATA} --model bert --out no")).contains("`bert` is an encoder"));
    assert!(refused(&format!("train {DATA} --preset instant --model bert --epochs 2 --out no")).contains("trains no LoRA"));
    assert!(refused("generate --model bert text").contains("`bert` is an encoder"));
    assert!(refused("generate --model out text").contains("asks no model"));
    assert!(refused("prompt out --input text").contains("asks no model"));
    assert!(!bench.path("no").join("classifier.json").exists());

    let probe = bench.path("out/members/1/probe.safetensors");
    let mut bytes = std::fs::read(&probe).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&probe, bytes).unwrap();
    assert!(refused("predict out --input text").contains("not the probe that the classifier was saved with"));
    assert!(refused("verify out").contains("files"));
    std::fs::remove_file(&probe).unwrap();
    assert!(refused("predict out --input text").contains("probe.safetensors"));
}
