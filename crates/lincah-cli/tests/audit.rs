//! `lincah audit`: parts, groups, slices, obfuscated texts and its gate.

mod support;

use serde_json::Value;
use support::Bench;

/// A classifier of the two kinds of texts, and a suite of which one functionality says the opposite.
fn audited() -> Bench {
    let bench = Bench::new();
    bench
        .run("train data.csv --text comment --label label --model model --members 1 --epochs 8 --learning-rate 0.02 --out out")
        .ok();
    let mut suite = String::from(",case,gold,what,whom,length\n");
    for row in 0..60 {
        let is_first = row % 2 == 0;
        let (text, label) = if is_first { ("aaaa bbbb", "fine") } else { ("zzzz yyyy", "bad") };
        let (what, label) = match row % 3 {
            0 => ("opposite", if is_first { "bad" } else { "fine" }),
            _ => ("plain", label),
        };
        let whom = if row % 4 < 2 { "dogs" } else { "cats" };
        suite += &format!("{row},{text} about {whom} {row},{label},{what},{whom},{row}\n");
    }
    bench.write("suite.csv", suite);
    bench
}

/// The same weights, which score obfuscated texts in both readings.
#[test]
fn two_readings_undo_look_alikes() {
    let bench = Bench::new();
    let train = "train data.csv --text comment --label label --model model --members 1 --epochs 8 --learning-rate 0.02 --deobfuscate --out out";
    bench.run(train).ok();
    bench.run(&train.replace(" --deobfuscate --out out", " --out written")).ok();
    let predict = |folder: &str, text: &str| -> f64 {
        bench.write("texts.csv", format!("comment\n{text}\n"));
        let line: Value = serde_json::from_str(&bench.run(&format!("predict {folder} texts.csv --text comment")).ok()).unwrap();
        line["scores"]["B"].as_f64().unwrap()
    };
    let (first, last) = (predict("out", "aaaa bbbb"), predict("out", "zzzz yyyy"));
    assert!(last > 0.5 && first < 0.5, "{first} {last}");
    for (disguised, plain) in
        [("zz\u{200b}zz y\u{443}yy", "zzzz yyyy"), ("aa\u{200b}aa b\u{44c}bb", "aaaa b\u{44c}bb"), ("z z z z yyyy", "zzzz yyyy")]
    {
        let (as_written, as_read) = (predict("written", disguised), predict("written", plain));
        assert_ne!(as_written, as_read, "{disguised}");
        assert_eq!(predict("out", disguised), as_written.max(as_read), "{disguised}");
    }
    assert!(bench.run("prompt out --input z.z.z.z").stderr.contains("the text is scored as \"zzzz\", too"));
    let many = "predict --model model --labels A,B,C --deobfuscate --input aaaa";
    assert!(bench.run(many).refused().contains("two readings"));
}

const SUITE: &str = "audit out suite.csv --text case --label gold --label-map fine=A,bad=B";

#[test]
fn the_worst_parts_come_first_and_a_gate_closes() {
    let bench = audited();
    let command =
        format!("{SUITE} --functionality what --group whom --slice length --terms dogs,mice --robustness --robustness-rows 20");
    let found: Value = serde_json::from_str(&bench.run(&format!("{command} --json")).ok()).unwrap();
    assert_eq!(found["n"], 60);
    let names = |key: &str| -> Vec<String> {
        found[key].as_array().unwrap().iter().map(|part| part["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("functionalities"), ["opposite", "plain"]);
    assert_eq!((&found["functionalities"][0]["rows"], names("groups").len()), (&20.into(), 2));
    let accuracy = |part: &Value| part["accuracy"].as_f64().unwrap();
    assert!(accuracy(&found["functionalities"][0]) < 0.2 && accuracy(&found["functionalities"][1]) > 0.8, "{found}");
    let [low, high] = [0, 1].map(|end| found["functionalities"][0]["interval"][end].as_f64().unwrap());
    assert!(low <= accuracy(&found["functionalities"][0]) && high > 0.1 && high < 0.4);
    let groups: Vec<&str> =
        found["identity"][0]["groups"].as_array().unwrap().iter().map(|group| group["group"].as_str().unwrap()).collect();
    assert!(["cats", "dogs", "mice"].iter().all(|group| groups.contains(group)), "{groups:?}");
    assert_eq!(found["slices"].as_array().unwrap().len(), 4, "numbers are cut into quarters");
    assert!(found["slices"].as_array().unwrap().iter().all(|slice| (0.0..=1.0).contains(&slice["p_value"].as_f64().unwrap())));
    let kinds = found["robustness"]["kinds"].as_array().unwrap();
    assert_eq!((kinds.len(), &found["robustness"]["rows"]), (8, &20.into()));
    assert!(kinds.iter().all(|kind| kind["changed"] == 20), "every text has letters: {found}");

    bench.write("audit.json", found.to_string());
    let report = "report out suite.csv --text case --label gold --label-map fine=A,bad=B";
    bench.run(&format!("{report} --audit audit.json --explain --out page.html")).ok();
    let page = std::fs::read_to_string(bench.path("page.html")).unwrap();
    for part in ["<h2>Audit</h2>", "opposite", "power mean", "leetspeak", " speaks for "] {
        assert!(page.contains(part), "{part}");
    }
    let no_audit = format!("{report} --audit data.csv --out page.html");
    assert!(bench.run(&no_audit).refused().contains("is not what `lincah audit --json` prints"));

    let printed = bench.run(&command).ok();
    assert!(printed.contains("functionality") && printed.contains("opposite") && printed.contains("leetspeak"), "{printed}");
    let closed = bench.run(&format!("{SUITE} --functionality what --fail-under worst_functionality=0.5"));
    assert!(closed.stdout.contains("opposite"));
    assert!(closed.refused().contains("worst_functionality is "));
    bench.run(&format!("{SUITE} --functionality what --fail-under functionality:plain=0.5,accuracy=0.3")).ok();
    assert!(bench.run(&format!("{SUITE} --functionality nothing")).refused().contains("`nothing`"));
}

#[test]
fn independent_labels_are_audited_label_by_label() {
    let bench = Bench::new();
    let mut csv = String::from("comment,rude,spam,author\n");
    for row in 0..80 {
        let (rude, spam) = (row % 2, (row / 2) % 2);
        let words = [["aaaa", "zzzz"][rude], ["bbbb", "yyyy"][spam]].join(" ");
        csv += &format!("{words} {row},{rude},{spam},{}\n", ["Ann", "Ben"][row / 40]);
    }
    bench.write("both.csv", csv);
    let both = "both.csv --text comment --multi-label rude,spam --holdout 60";
    bench.run(&format!("train {both} --model model --epochs 2 --out both")).ok();
    let found: Value =
        serde_json::from_str(&bench.run(&format!("audit both {both} --slice author --group author --json")).ok()).unwrap();
    assert_eq!((&found["n"], found["identity"].as_array().unwrap().len()), (&60.into(), 2));
    assert_eq!(found["slices"].as_array().unwrap().len(), 2);
}

#[test]
fn drift_needs_no_labels() {
    let bench = audited();
    let texts = |first: usize| {
        (0..40).fold(String::from("case\n"), |csv, row| csv + if row < first { "aaaa bbbb\n" } else { "zzzz yyyy\n" })
    };
    bench.write("before.csv", texts(20));
    bench.write("after.csv", texts(4));
    let found: Value =
        serde_json::from_str(&bench.run("audit out after.csv --text case --drift before.csv --json").ok()).unwrap();
    let second = &found["labels"][1];
    assert_eq!((second["label"].as_str(), found["texts"].to_string().as_str()), (Some("B"), "[40,40]"));
    assert!(second["given"][1].as_f64().unwrap() > 0.8 && second["given"][0].as_f64().unwrap() < 0.6, "{found}");
    assert!(second["p_value"].as_f64().unwrap() < 0.05 && second["prevalence"].as_f64().unwrap() > 0.7, "{found}");
    let printed = bench.run("audit out after.csv --text case --drift before.csv").ok();
    assert!(printed.contains("estimated share after "), "{printed}");
}

#[test]
fn decisions_that_change_need_no_labels() {
    let bench = audited();
    bench
        .run("train data.csv --text comment --label label --model model --members 1 --epochs 1 --learning-rate 1e-30 --out poor")
        .ok();
    let command = "compare poor out suite.csv --text case --unlabelled";
    let found: Value = serde_json::from_str(&bench.run(&format!("{command} --json")).ok()).unwrap();
    let changed = found["changed"].as_u64().unwrap();
    assert_eq!((&found["n"], found["changes"].as_array().unwrap().len() as u64), (&60.into(), changed));
    assert!(
        changed > 0
            && found["kinds"].as_array().unwrap().iter().map(|kind| kind["texts"].as_u64().unwrap()).sum::<u64>() == changed
    );
    let printed = bench.run(command).ok();
    assert!(printed.contains(&format!("decided otherwise: {changed} texts")) && !printed.contains("zzzz"), "{printed}");
    let same: Value = serde_json::from_str(&bench.run("compare out out suite.csv --text case --unlabelled --json").ok()).unwrap();
    assert_eq!(same["changed"], 0);
}
