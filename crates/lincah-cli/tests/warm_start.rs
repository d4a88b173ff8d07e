//! `train --init`: a training that goes on from another classifier's adapter.

mod support;

use serde_json::Value;
use support::Bench;

const FIRST: &str = "train data.csv --text comment --label label --model model --epochs 6 --learning-rate 5e-3 --members 1";
/// So slow that the start is what is left.
const NEXT: &str = "train next.csv --text comment --label label --model model --epochs 1 --learning-rate 1e-9";

fn bench() -> Bench {
    let bench = Bench::new();
    let rows = (0..20).map(|row| format!("{} {row} later,{}\n", if row % 2 == 0 { "aaaa" } else { "zzzz" }, ["A", "B"][row % 2]));
    bench.write("next.csv", String::from("comment,label\n") + &rows.collect::<String>());
    bench
}

fn scores(bench: &Bench, who: &str) -> Vec<f64> {
    let lines = bench.run(&format!("predict {who} next.csv --text comment")).ok();
    lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["scores"]["A"].as_f64().unwrap()).collect()
}

fn largest_difference(first: &[f64], second: &[f64]) -> f64 {
    first.iter().zip(second).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn a_training_goes_on_from_the_adapter_and_remembers_its_rows() {
    let bench = bench().with_encoder().with_other_decoder();
    for scheme in ["tokens", "rows"] {
        let (first, next) = (format!("first-{scheme}"), format!("next-{scheme}"));
        bench.run(&format!("{FIRST} --rank 3 --alpha 5 --label-scheme {scheme} --out {first}")).ok();
        bench.run(&format!("{NEXT} --init {first} --label-scheme {scheme} --out {next}")).ok();
        bench.run(&format!("{NEXT} --members 1 --label-scheme {scheme} --out fresh-{scheme}")).ok();
        let of_first = scores(&bench, &first);
        assert!(largest_difference(&of_first, &scores(&bench, &next)) < 1e-3, "{scheme}");
        assert!(largest_difference(&of_first, &scores(&bench, &format!("fresh-{scheme}"))) > 0.05, "{scheme}");
        let config: Value =
            serde_json::from_slice(&std::fs::read(bench.path(&next).join("adapter_config.json")).unwrap()).unwrap();
        assert_eq!((&config["r"], &config["lora_alpha"]), (&3.into(), &5.into()));
        let refused = bench.run(&format!("evaluate {next} data.csv --text comment --label label")).refused();
        assert!(refused.contains("trained on all 40 rows"), "{refused}");
        bench.run(&format!("verify {next}")).ok();
    }
    // A committee gives and takes, each decoder its own.
    let several = |train: &str| train.replace("--model model", "--model model,bert,other");
    bench.run(&format!("{} --out both", several(FIRST))).ok();
    bench.run(&format!("{} --init both --out both-next", several(NEXT))).ok();
    for member in ["members/1", "members/2"] {
        let [first, next] = ["both", "both-next"].map(|folder| scores(&bench, &format!("{folder}/{member}")));
        assert!(largest_difference(&first, &next) < 1e-3, "{member}");
    }
}

#[test]
fn stopped_it_resumes_to_the_same_bits() {
    let bench = bench();
    bench.run(&format!("{FIRST} --out first")).ok();
    let train = "train next.csv --text comment --label label --model model --epochs 40 --init first --checkpoint-seconds 0";
    bench.run(&format!("{train} --out whole")).ok();
    bench.interrupted(&format!("{train} --out stopped"), "stopped/training.jsonl");
    let other = bench.run(&format!("{} --out stopped --resume", train.replace(" --init first", ""))).refused();
    assert!(other.contains("another recipe"), "{other}");
    bench.run(&format!("{train} --out stopped --resume")).ok();
    let weights = |name: &str| std::fs::read(bench.path(name).join("adapter_model.safetensors")).unwrap();
    assert!(weights("whole") == weights("stopped"));
}

#[test]
fn what_cannot_be_started_from_is_one_clear_line() {
    let bench = bench().with_encoder().with_other_decoder();
    bench.run(&format!("{FIRST} --out first")).ok();
    let refused = |arguments: &str| bench.run(arguments).refused();
    assert!(refused(&format!("{NEXT} --init first --rank 4 --out no")).contains("left out with"));
    assert!(
        refused(&format!("{} --init first --out no", NEXT.replace("--model model", "--model other")))
            .contains("has no adapter of other")
    );
    assert!(refused(&format!("{NEXT} --init nowhere --out no")).contains("nowhere"));
    let instant = "train next.csv --text comment --label label --preset instant --model bert --init first --out no";
    assert!(refused(instant).contains("left out with an instant classifier"));
    let again = "train data.csv --text comment --label label --model model --init first";
    assert!(refused(&format!("{again} --holdout 10 --out no")).contains("trained on 10 of the 10 rows"));
    let folds = again.replace("train", "cross-validate");
    assert!(refused(&format!("{folds} --folds 2 --out no-folds")).contains("trained on 40 of the 40 rows"));
    assert!(refused(&format!("{again} --target f1 --out no")).contains("trained on 40 of the 40 rows"));
}
