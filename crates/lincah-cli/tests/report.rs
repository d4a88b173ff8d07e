//! `lincah report` on the tiny model: each kind of folder, each file it writes, and what it refuses.

mod support;

use serde_json::Value;
use support::Bench;

const DATA: &str = "data.csv --text comment --label label";
const QUICK: &str = "--labels A,B --model model --learning-rate 0.01 --holdout 8";

fn read(bench: &Bench, name: &str) -> String {
    std::fs::read_to_string(bench.path(name)).unwrap()
}

/// Width, height and the number of different colours of a PNG.
fn picture(bench: &Bench, name: &str) -> (u32, u32, usize) {
    let picture = resvg::tiny_skia::Pixmap::load_png(bench.path(name)).unwrap();
    let colours: std::collections::HashSet<[u8; 4]> =
        picture.pixels().iter().map(|pixel| [pixel.red(), pixel.green(), pixel.blue(), pixel.alpha()]).collect();
    (picture.width(), picture.height(), colours.len())
}

#[test]
fn a_classifiers_report_has_the_numbers_of_evaluate() {
    let bench = Bench::new();
    bench.run(&format!("train {DATA} {QUICK} --epochs 4 --out out")).ok();
    let ran = bench.run(&format!("report out {DATA} --holdout 8 --out page.html --plots plots"));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
    let page = read(&bench, "page.html");
    let evaluation: Value = serde_json::from_str(&bench.run(&format!("evaluate out {DATA} --holdout 8 --json")).ok()).unwrap();
    for value in [&evaluation["f1"], &evaluation["roc_auc"], &evaluation["log_loss"], &evaluation["intervals"]["accuracy"][0]] {
        assert!(page.contains(&format!("{:.3}", value.as_f64().unwrap())), "{value}");
    }
    for part in
        ["TF-IDF + logistic regression", "learning_rate", "SHA-256 of the weights", "lincah report out data.csv", "device auto"]
    {
        assert!(page.contains(part), "{part}");
    }
    assert!(page.contains("<p class=\"text\" dir=\"auto\">") && !page.contains("No TF-IDF baseline"));
    let names = ["calibration", "confusion-matrix", "precision-recall", "roc", "scores"];
    let files: Vec<String> = names.iter().flat_map(|name| [format!("{name}.png"), format!("{name}.svg")]).collect();
    assert_eq!(bench.list("plots"), files);
    for name in names {
        let (width, height, colours) = picture(&bench, &format!("plots/{name}.png"));
        assert!(width > 500 && height > 300 && colours > 20, "{name}: {width} x {height}, {colours} colours");
        assert!(!read(&bench, &format!("plots/{name}.svg")).contains("var("), "{name}");
    }
    bench.run(&format!("report out {DATA} --holdout 8 --without-texts --out bare.html")).ok();
    let bare = read(&bench, "bare.html");
    assert!(!bare.contains("aaaa bbbb") && !bare.contains("zzzz yyyy") && bare.contains("The closest calls"));
}

#[test]
fn rows_that_the_classifier_may_know_are_pointed_out() {
    let bench = Bench::new();
    bench.run(&format!("train {DATA} {QUICK} --epochs 1 --validation 0.25 --train-size 24 --out out")).ok();
    let page = |options: &str| {
        bench.run(&format!("report out {DATA} {options} --out page.html")).ok();
        read(&bench, "page.html")
    };
    assert!(
        !page("--holdout 8").contains("class=\"notice\" role=\"note\""),
        "the training rows were found, validation rows or not"
    );
    let all = page("");
    assert!(all.contains("24 of 40 rows were trained on; the figures are of the 16 others."), "they are remembered");
    assert!(all.contains("No TF-IDF baseline stands beside the scores"));
    assert!(page("--holdout 8 --split-seed 5").contains("are not those that the classifier was trained on"));
    bench.run("train data.csv --text comment --label label --labels A,B --model model --epochs 1 --out all").ok();
    let refused = bench.run(&format!("report all {DATA} --out page.html")).refused();
    assert!(refused.contains("was trained on all 40 rows"), "{refused}");
    bench.run(&format!("report all {DATA} --include-training-rows --out page.html")).ok();
    assert!(read(&bench, "page.html").contains("40 of 40 rows were trained on and are included"));
}

#[test]
fn hostile_texts_and_labels_stay_text() {
    let bench = Bench::new();
    let mut csv = String::from("comment,label\n");
    for row in 0..24 {
        csv += &format!("\"</p><script>alert({row})</script>\",{}\n", if row % 2 == 0 { "ok" } else { "<b>x</b>" });
    }
    bench.write("hostile.csv", csv);
    bench
        .run("train hostile.csv --text comment --label label --labels ok,<b>x</b> --model model --epochs 1 --holdout 8 --out out")
        .ok();
    bench.run("report out hostile.csv --text comment --label label --holdout 8 --out page.html --plots plots").ok();
    let page = read(&bench, "page.html");
    assert!(page.contains("&lt;script&gt;alert(") && !page.contains("<script") && !page.contains("<b>x"));
    assert!(page.contains("&lt;b&gt;x&lt;/b&gt;"));
    let svg = read(&bench, "plots/confusion-matrix.svg");
    assert!(svg.contains("&lt;b&gt;x") && !svg.contains("<b>"));
}

#[test]
fn a_cross_validation_and_a_sweep_need_no_data() {
    let bench = Bench::new();
    bench.run(&format!("cross-validate {DATA} {QUICK} --epochs 2 --folds 3 --out folds")).ok();
    bench.run("report folds --out page.html").ok();
    let page = read(&bench, "page.html");
    for part in ["Cross-validation. 32 rows", "over 3 folds", "learning_rate", "calibration-title", "<h1>folds</h1>"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("<details>"));
    let all: Vec<Value> = read(&bench, "folds/results.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(page.contains(&format!("{:.3}", all[3]["evaluation"]["f1"].as_f64().unwrap())));
    bench.run(&format!("report folds {DATA} --out page.html")).ok();
    let page = read(&bench, "page.html");
    assert!(page.contains("<details>") && page.contains("aaaa bbbb") && page.contains("characters per text"));
    bench.write("other.csv", read(&bench, "data.csv").replace(",A\n", ",C\n").replace(",B\n", ",A\n").replace(",C\n", ",B\n"));
    let message = bench.run("report folds other.csv --text comment --label label --out page.html").refused();
    assert!(message.contains("was scored as") && message.contains("in the data it is"), "{message}");

    bench.run(&format!("sweep {DATA} {QUICK} --epochs 1,2 --train-size 8,16 --seed 1,2 --out grid")).ok();
    let ran = bench.run("report grid --out page.html --plots plots --codelab-points");
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), "written: page.html; open it in a browser\n"), "{ran:?}");
    let page = read(&bench, "page.html");
    for part in ["Sweep. 8 runs of 4 settings", "16 training rows", "800 training rows, codelab", "<th scope=\"col\">epochs</th>"]
    {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(bench.list("plots").len(), 4);
}

#[test]
fn what_cannot_be_reported_is_one_clear_line() {
    let bench = Bench::new();
    let refused = |command: &str| bench.run(&format!("report {command} --out page.html")).refused();
    let message = refused("model");
    assert_eq!(
        message,
        "error: model is nothing to report on: it has neither classifier.json (train), predictions.jsonl (cross-validate) nor results.jsonl (sweep)"
    );
    bench.run(&format!("train {DATA} {QUICK} --epochs 1 --out out")).ok();
    assert!(refused("out").contains("give DATA, --text"));
    assert!(refused(&format!("out {DATA} --codelab-points")).contains("--codelab-points are for a sweep's report"));
    bench.run(&format!("sweep {DATA} {QUICK} --epochs 1 --out grid")).ok();
    assert!(refused(&format!("grid {DATA}")).contains("a sweep's report needs no data"));
    assert!(refused("grid --holdout 8").contains("--holdout, --model, --audit and --explain are for a classifier's report"));
    std::fs::create_dir(bench.path("empty")).unwrap();
    bench.write("empty/results.jsonl", "");
    assert_eq!(refused("empty"), "error: no run of the sweep in empty is finished; give its command again to go on");
    bench.run(&format!("cross-validate {DATA} {QUICK} --epochs 1 --folds 2 --out folds")).ok();
    let lines = read(&bench, "folds/results.jsonl");
    bench.write("folds/results.jsonl", lines.lines().next().unwrap().to_string() + "\n");
    assert!(refused("folds").contains("no cross-validation over all its folds in folds is finished"));
    assert!(!bench.path("page.html").exists());
    let ran = bench.run(&format!("report out {DATA} --out missing/page.html"));
    assert!(ran.refused().contains("cannot write missing/page.html"));
    assert_eq!(bench.run("report out data.csv --out page.html").code, Some(1));
}
