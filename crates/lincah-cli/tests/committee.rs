//! Several models that work together: an instant classifier on all of them, and an adapter for each decoder.

mod support;

use serde_json::Value;
use support::Bench;

const DATA: &str = "data.csv --text comment --label label";
const TRAIN: &str = "train data.csv --text comment --label label --model model,bert,other --holdout 8 --epochs 3";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn file(bench: &Bench, path: &str) -> Value {
    json(&std::fs::read_to_string(bench.path(path)).unwrap())
}

fn score(bench: &Bench, folder: &str, text: &str) -> f64 {
    json(&bench.run(&format!("predict {folder} --input {text}")).ok())["scores"]["B"].as_f64().unwrap()
}

fn bench() -> Bench {
    Bench::new().with_encoder().with_other_decoder()
}

#[test]
fn every_member_is_a_classifier_and_all_are_one() {
    let bench = bench();
    let ran = bench.run(&format!("{TRAIN} --out out --json"));
    for part in [
        "member 1 of 3: instant classifier on model and other and bert",
        "a classifier of 1 of 3 members is saved",
        "member 3 of 3: adapter of other",
        "all members work together now",
    ] {
        assert!(ran.stderr.contains(part), "{part}: {ran:?}");
    }
    let evaluated = json(&ran.ok());
    let members = evaluated["members"].as_array().unwrap();
    assert!(members.len() == 3 && members.iter().all(|member| member["scores"]["roc_auc"].is_f64()), "{evaluated}");
    assert_eq!(bench.list("out"), ["README.md", "classifier.json", "members", "probes.json"]);
    assert_eq!(bench.list("out/members"), ["0", "1", "2"]);
    let record = file(&bench, "out/classifier.json");
    assert_eq!(record["weights"], serde_json::json!([1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0]));
    assert!(record.get("members_to_come").is_none() && record["members"][2]["base_models"][0]["name"] == "other");
    let card = std::fs::read_to_string(bench.path("out/README.md")).unwrap();
    assert!(card.contains("- adapter of other; weight 0.333") && !card.contains("library_name: peft"), "{card}");

    // Each is a classifier by itself, and together they are the normalized geometric mean.
    for text in ["zzzz", "aaaa", "something-else"] {
        let members: Vec<f64> = (0..3).map(|member| score(&bench, &format!("out/members/{member}"), text)).collect();
        // Nothing is surer than that before it is mixed.
        let logit = |p: &f64| (p.clamp(1e-12, 1.0 - 1e-12) / (1.0 - p.clamp(1e-12, 1.0 - 1e-12))).ln();
        let mean = 1.0 / (1.0 + (-members.iter().map(logit).sum::<f64>() / 3.0).exp());
        let together = score(&bench, "out", text);
        assert!((together - mean).abs() < 1e-9 && (members[1] - members[2]).abs() > 1e-6, "{text}: {together} {members:?}");
    }
}

#[test]
fn every_verb_takes_it() {
    let bench = bench();
    bench.run(&format!("{TRAIN} --out out")).ok();
    bench.run("verify out").ok();
    bench.run(&format!("report out {DATA} --holdout 8 --out page.html")).ok();
    assert!(std::fs::read_to_string(bench.path("page.html")).unwrap().contains("adapter of other"));
    bench.run(&format!("calibrate out {DATA} --holdout 8 --target f1")).ok();
    bench.run("verify out").ok();
    let shown = bench.run(&format!("evaluate out {DATA} --holdout 8")).ok();
    assert!(shown.contains("each member by itself") && shown.contains("adapter of model; weight 0.333"), "{shown}");
    bench.run(&format!("audit out {DATA} --include-training-rows --robustness --robustness-rows 4")).ok();
    bench.run(&format!("{TRAIN} --out other-seed --seed 2")).ok();
    bench.run(&format!("compare out other-seed {DATA} --holdout 8")).ok();
    assert!(bench.run("prompt out --input zzzz").ok().contains("zzzz"));
    bench.run("generate --model out zzzz --max-new-tokens 3").ok();
    assert!(json(&bench.run("predict out --input word.zzzz.word --explain").ok())["reasons"].is_array());
}

#[test]
fn stopped_between_and_within_members_it_resumes_to_the_same_scores() {
    let bench = bench();
    let train = TRAIN.replace("--epochs 3", "--epochs 60 --checkpoint-seconds 0");
    bench.run(&format!("{train} --out whole")).ok();
    let stopped = format!("{train} --out stopped");
    bench.interrupted(&stopped, "stopped/members/1/training.jsonl");
    // What there is can be used already.
    assert_eq!(file(&bench, "stopped/classifier.json")["members_to_come"], 2);
    assert!(std::fs::read_to_string(bench.path("stopped/README.md")).unwrap().contains("2 more members were to come"));
    let used = bench.run("predict stopped --input zzzz");
    assert!(used.stderr.contains("was not finished"), "{used:?}");
    used.ok();
    assert!(bench.run("verify stopped").refused().contains("training"));
    assert!(bench.run(&format!("calibrate stopped {DATA} --target f1")).refused().contains("finish it first"));
    // Another list of models is another training, whichever was begun.
    let alone = stopped.replace("--model model,bert,other", "--model model");
    assert!(bench.run(&format!("{alone} --resume")).refused().contains("list of models"));
    assert!(bench.run(&stopped).refused().contains("--resume"));
    let other = bench.run(&format!("{} --resume", stopped.replace("--epochs 60", "--epochs 50"))).refused();
    assert!(other.contains("recipe"), "{other}");
    bench.interrupted(&format!("{stopped} --resume"), "stopped/members/2/training.jsonl");
    bench.run(&format!("{stopped} --resume --threads 1")).ok();
    for text in ["zzzz", "aaaa", "something-else"] {
        assert_eq!(score(&bench, "whole", text), score(&bench, "stopped", text));
    }
    assert!(bench.run(&format!("{stopped} --resume")).refused().contains("finished"));
    bench.run("verify stopped").ok();
}

#[test]
fn labels_may_hold_together_and_folds_come_with_it() {
    let bench = bench();
    let mut csv = String::from("comment,aa,zz\n");
    for row in 0..40 {
        let (aa, zz) = (row % 2, u8::from(row % 3 == 0));
        csv += &format!("{}{}{row},{aa},{zz}\n", ["", "aaaa "][aa], ["", "zzzz "][usize::from(zz)]);
    }
    bench.write("multi.csv", csv);
    bench.run("train multi.csv --text comment --multi-label aa,zz --model model,bert --epochs 2 --out multi").ok();
    let found = json(&bench.run("predict multi --input aaaa").ok());
    assert!(found["scores"]["aa"].is_f64() && found["scores"]["zz"].is_f64(), "{found}");
    bench.run("verify multi").ok();

    let folds = bench.run(&format!("cross-validate {DATA} --model model,bert --epochs 2 --folds 4 --out folds --json")).ok();
    let pooled = json(folds.lines().last().unwrap());
    assert!(pooled["fold"].is_null() && pooled["evaluation"]["n"] == 40, "{pooled}");
    bench.run(&format!("train {DATA} --model model,bert --epochs 2 --target f1 --out chosen")).ok();
    bench.run("calibrate chosen --from folds --target f1").ok();
    bench.run(&format!("train {DATA} --model model,other --epochs 2 --out others")).ok();
    assert!(bench.run("calibrate others --from folds --target f1").refused().contains("other models"));
    assert_eq!(file(&bench, "chosen/classifier.json")["decisions"]["source"], "out_of_fold");
    bench.run("verify chosen").ok();

    // As a kill between the last member and the decisions leaves it.
    let mut record = file(&bench, "chosen/classifier.json");
    record.as_object_mut().unwrap().remove("decisions");
    bench.write("chosen/classifier.json", record.to_string());
    let stopped = bench.run(&format!("train {DATA} --model model,bert --epochs 2 --target f1 --out chosen --resume")).refused();
    assert!(stopped.contains("`lincah calibrate chosen --from chosen/folds`"), "{stopped}");
    bench.run("calibrate chosen --from chosen/folds --target f1").ok();
    bench.run("verify chosen").ok();

    // The first member answers what it is sure of; where no other decision is allowed, none changes.
    let cascade = file(&bench, "chosen/classifier.json")["cascade"].clone();
    assert_eq!(
        (&cascade["source"], &cascade["rows"], cascade["points"].as_array().unwrap().len()),
        (&"out_of_fold".into(), &40.into(), 7)
    );
    let decisions = |arguments: &str| -> (Vec<Value>, String) {
        let ran = bench.run(&format!("predict chosen data.csv --text comment {arguments}"));
        let told = ran.stderr.clone();
        (ran.ok().lines().map(|line| json(line)["decision"].clone()).collect(), told)
    };
    let ((whole, _), (quick, told)) = (decisions(""), decisions("--cascade"));
    assert_eq!(whole, quick);
    let answered = told.lines().find_map(|line| line.strip_prefix("note: the first member answered ")).unwrap();
    assert!(answered.ends_with(" of 40 texts") && !answered.starts_with("0 "), "{told}");
    let explained = json(&bench.run("predict chosen --input word.zzzz.word --explain --cascade=10%").ok());
    assert!(explained["reasons"].is_array(), "{explained}");
    assert!(decisions("--cascade=0%").1.contains("cascade: the first member answers"));
    bench.run(&format!("evaluate chosen {DATA} --include-training-rows --cascade=10% --json")).ok();
}

#[test]
fn what_is_wrong_is_one_clear_line() {
    let bench = bench();
    let refused = |arguments: &str| bench.run(arguments).refused();
    assert!(refused(&format!("train {DATA} --model model,model --out no")).contains("`model` is named twice"));
    assert!(refused(&format!("train {DATA} --model bert --out no")).contains("`bert` is an encoder"));
    assert!(!bench.path("no").exists());
    bench.run(&format!("train {DATA} --model model,bert --epochs 2 --out out")).ok();
    assert!(refused("predict out --input text --cascade").contains("when its first member is enough"));
    assert!(bench.run("predict out --input text --cascade=2").stderr.contains("no share such as 2%"));
    // A member that was changed, one that is another, and one that is gone.
    let record = bench.path("out/members/1/classifier.json");
    let whole = std::fs::read_to_string(&record).unwrap();
    std::fs::write(&record, whole.replace("\"seed\": 1", "\"seed\": 2")).unwrap();
    assert!(refused("predict out --input text").contains("not the member that the classifier was saved with"));
    assert!(refused("verify out").contains("files"));
    std::fs::write(&record, whole).unwrap();
    bench.run("predict out --input text").ok();
    let adapter = bench.path("out/members/1/adapter_model.safetensors");
    let mut bytes = std::fs::read(&adapter).unwrap();
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    std::fs::write(&adapter, bytes).unwrap();
    assert!(refused("predict out --input text").contains("not the one that the classifier was saved with"));
    std::fs::remove_dir_all(bench.path("out/members/1")).unwrap();
    assert!(refused("predict out --input text").contains("classifier.json"));
}
