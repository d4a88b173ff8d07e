//! What `lincah check` finds, and what a training says of its rows.

mod support;

use serde_json::Value;
use support::Bench;

const CHECK: &str = "check rows.csv --text text --label label";

/// A number below `bound` that looks drawn (the finalizer of SplitMix64).
fn drawn(row: usize, salt: u64, bound: usize) -> usize {
    let mut mixed = (row as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ salt.wrapping_mul(0xD1B5_4A32_D192_ED03);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((mixed ^ (mixed >> 31)) % bound as u64) as usize
}

/// A sentence that says nothing of a label; no two are alike.
fn sentence(row: usize) -> String {
    const WORDS: [&str; 12] =
        ["harbour", "Ladder", "meets", "softly", "yellow", "count", "under", "Paper", "singing", "winter", "old", "glass"];
    let words: Vec<&str> = (0..6 + drawn(row, 0, 8)).map(|place| WORDS[drawn(row, place as u64 + 2, WORDS.len())]).collect();
    words.join(" ") + [".", "!", "?", ""][drawn(row, 1, 4)]
}

/// The label of a row: as good as drawn.
fn label(row: usize) -> &'static str {
    ["calm", "cross"][drawn(row, 99, 2)]
}

/// 120 rows of two labels, written by `write`, a line each.
fn rows(header: &str, write: impl Fn(usize, &str) -> String) -> String {
    (0..120).fold(format!("{header}\n"), |text, row| text + &write(row, label(row)) + "\n")
}

fn json(bench: &Bench, arguments: &str) -> Value {
    serde_json::from_str(&bench.run(&format!("{arguments} --json")).ok()).unwrap()
}

fn flagged(found: &Value) -> Vec<String> {
    let shortcuts = found["shortcuts"].as_array().unwrap();
    let flagged = shortcuts.iter().filter(|shortcut| shortcut["flagged"] == true);
    flagged.map(|shortcut| format!("{} {}", shortcut["feature"].as_str().unwrap(), shortcut["label"].as_str().unwrap())).collect()
}

#[test]
fn a_planted_shortcut_is_found_and_nothing_without_it() {
    let bench = Bench::new();
    bench.write("rows.csv", rows("text,label", |row, label| format!("\"{}\",{label}", sentence(row))));
    let plain = json(&bench, CHECK);
    assert_eq!(flagged(&plain), Vec::<String>::new());
    for key in [
        "rows",
        "classes",
        "shortcuts",
        "near_duplicates",
        "label_errors",
        "conflicting_labels",
        "similar_labels",
        "encoding",
        "lengths",
        "groups",
    ] {
        assert!(plain.get(key).is_some(), "{key}");
    }
    assert_eq!((&plain["rows"], &plain["near_duplicates"]), (&Value::from(120), &Value::Array(Vec::new())));
    let spaced = |row: usize, label: &str| format!("\"{}{}\",{label}", sentence(row), if label == "cross" { "  " } else { "" });
    bench.write("rows.csv", rows("text,label", spaced));
    let found = json(&bench, CHECK);
    assert!(flagged(&found).contains(&String::from("trailing_spaces cross")), "{found}");
    assert!(flagged(&found).contains(&String::from("all cross")), "{found}");
    assert_eq!(found["shortcuts_after_trimming"], Value::Array(Vec::new()));
    let ran = bench.run(CHECK);
    assert!(ran.stderr.contains("Next:") && ran.stderr.contains("--from folds"), "{ran:?}");
    let printed = ran.ok();
    assert!(printed.contains("texts that are cross have more trailing spaces (ROC-AUC 1.00 ["), "{printed}");
    assert!(printed.contains("; gone where white space is trimmed"), "{printed}");
    assert!(printed.contains("is this what should be learned?") && !printed.contains("harbour"), "no text is printed: {printed}");
}

#[test]
fn leaks_contradictions_characters_and_lengths_are_named_by_their_rows() {
    let bench = Bench::new();
    let mut text = rows("text,label", |row, label| format!("\"{}\",{label}", sentence(row)));
    text += "\"The ferry leaves at noon from the long pier, bring a coat and your own lunch with you today\",calm\n";
    text += "\"The ferry leaves at noon from the long pier, bring a coat and your own lunch with you, Anna\",calm\n";
    text += "Exactly this one.,calm\nexactly  THIS one.,cross\nSchÃ¶ne GrÃ¼Ã\u{9f}e,Calm\nzero\u{200b}width,Calm\n";
    bench.write("rows.csv", text);
    let found = json(&bench, &format!("{CHECK} --model model --max-tokens 60 --holdout 63"));
    assert_eq!(found["conflicting_labels"], serde_json::json!([[123, 124]]));
    assert_eq!(found["similar_labels"], serde_json::json!([["Calm", "calm"]]));
    assert_eq!(found["small_labels"], serde_json::json!([{"label": "Calm", "rows": 2}]));
    assert_eq!(found["encoding"]["mojibake"], serde_json::json!([125]));
    assert_eq!(found["encoding"]["invisible_characters"], serde_json::json!([126]));
    let near = &found["near_duplicates"][0];
    assert_eq!((&near["rows"], &near["same_labels"]), (&serde_json::json!([121, 122]), &Value::from(true)));
    assert!(near["similarity"].as_f64().unwrap() >= 0.8);
    assert_eq!(found["split"]["holdout_rows"], 63);
    let tokens = &found["lengths"]["tokens"];
    let long = tokens["too_long"].as_array().unwrap().len();
    assert!(tokens["max_tokens"] == 60 && long > 0, "{tokens}");
    let printed = bench.run(&format!("{CHECK} --model model --max-tokens 60 --holdout 63")).ok();
    for line in
        ["Contradictions: 1 text", "Labels: Calm, calm differ", "Characters invisible: 1 row: 126", "longer than 60 tokens"]
    {
        assert!(printed.contains(line), "{line} in {printed}");
    }
    let without = bench.run(CHECK);
    assert!(without.stderr.contains("note: lengths in tokens are left out: "), "{without:?}");
}

#[test]
fn groups_on_both_sides_of_a_split_are_counted() {
    let bench = Bench::new();
    let author = |row: usize, label: &str| format!("\"{}\",{label},{label}-{},{row}", sentence(row), row % 10);
    bench.write("rows.csv", rows("text,label,author,id", author));
    let named = json(&bench, &format!("{CHECK} --holdout 40 --group author"));
    let groups = &named["groups"][0];
    assert_eq!(
        (&groups["column"], &groups["given"], &groups["determines_label"]),
        (&"author".into(), &true.into(), &true.into())
    );
    assert_eq!(groups["on_both_sides"], 0, "a named group is held out whole");
    let found = json(&bench, &format!("{CHECK} --holdout 40"));
    assert!(found["groups"][0]["on_both_sides"].as_u64().unwrap() > 10, "{found}");
    let columns: Vec<&Value> = found["groups"].as_array().unwrap().iter().map(|groups| &groups["column"]).collect();
    assert_eq!(columns, ["author"], "found without being named, and the identifier is not");
    let printed = bench.run(&format!("{CHECK} --holdout 40")).ok();
    assert!(printed.contains("Groups, perhaps: column author has ") && printed.contains("each has one label only"), "{printed}");
    let message = bench.run(&format!("{CHECK} --group writer")).refused();
    assert!(message.contains("`writer`"), "{message}");
}

#[test]
fn labels_that_may_be_wrong_are_written_with_their_rows() {
    let bench = Bench::new();
    let wrong = [10, 23, 41, 55, 78, 102];
    let told = |row: usize, label: &str| {
        let said = if (label == "calm") != wrong.contains(&row) { "thank you kindly" } else { "go away now" };
        format!("\"{} {said}\",{label}", sentence(row))
    };
    bench.write("rows.csv", rows("text,label", told));
    bench.run(&format!("{CHECK} --label-errors wrong.csv")).ok();
    let written = std::fs::read_to_string(bench.path("wrong.csv")).unwrap();
    let lines: Vec<Vec<&str>> = written.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines[0], ["row", "label", "suggested", "score"]);
    let found: Vec<usize> = lines[1..].iter().map(|line| line[0].parse::<usize>().unwrap() - 1).collect();
    assert!(found.len() >= 3 && found.iter().all(|row| wrong.contains(row)), "{written}");
    assert!(lines[1..].iter().all(|line| line[1] != line[2]));
    let all = json(&bench, CHECK);
    assert_eq!(all["label_errors"].as_array().unwrap().len(), lines.len() - 1);
    assert_eq!(all["label_errors"][0]["row"].to_string(), lines[1][0]);
    assert!(all["label_errors_agreement"].as_f64().unwrap() > 0.9, "{all}");
    let left_out = json(&bench, &format!("{CHECK} --without-label-errors"));
    assert_eq!((&left_out["label_errors"], &left_out["label_errors_from"]), (&serde_json::json!([]), &Value::Null));
    let message = bench.run(&format!("{CHECK} --label-errors rows.csv")).refused();
    assert!(message.contains("is an input of this command"), "{message}");
}

#[test]
fn independent_labels_are_checked_one_by_one() {
    let bench = Bench::new();
    let wrong = [30_u64, 47, 61, 74, 96, 110];
    let told = |row: usize, label: &str| {
        let late = row.is_multiple_of(3);
        let said = if late { "the train was late again" } else { "it came on time" };
        format!(
            "\"{} {said}{}\",{},{}",
            sentence(row),
            if label == "cross" { "!!" } else { "" },
            u8::from(label == "cross"),
            u8::from(late != wrong.contains(&(row as u64)))
        )
    };
    bench.write("rows.csv", rows("text,cross,late", told));
    let found = json(&bench, "check rows.csv --text text --multi-label cross,late --holdout 30");
    assert!(flagged(&found).contains(&String::from("exclamation_marks cross")), "{found}");
    assert!(!flagged(&found).iter().any(|shortcut| shortcut.starts_with("exclamation_marks late")), "{found}");
    let suspects = found["label_errors"].as_array().unwrap();
    let late = |names: &Value| names.as_array().unwrap().contains(&Value::from("late"));
    let of_late = suspects.iter().filter(|suspect| late(&suspect["labels"]) != late(&suspect["suggested"]));
    let rows: Vec<u64> = of_late.map(|suspect| suspect["row"].as_u64().unwrap() - 1).collect();
    assert!(rows.len() >= 3 && rows.iter().all(|row| wrong.contains(row)), "{rows:?}");
}

#[test]
fn the_scores_of_a_cross_validation_find_labels_too_and_its_report_shows_them() {
    let bench = Bench::new();
    let data = "data.csv --text comment --label label";
    bench.run(&format!("cross-validate {data} --model model --folds 2 --epochs 8 --learning-rate 0.02 --out folds")).ok();
    let found = json(&bench, &format!("check {data} --from folds"));
    assert_eq!(found["label_errors_from"], "folds");
    assert!(found["label_errors_agreement"].as_f64().unwrap() > 0.9, "{found}");
    bench.run("report folds --out report.html").ok();
    let page = std::fs::read_to_string(bench.path("report.html")).unwrap();
    assert!(page.contains("Rows whose label may be wrong"));
    let message = bench.run(&format!("check {data} --from folds --positive-at 1")).refused();
    assert!(!message.is_empty());
}

#[test]
fn a_training_warns_of_a_shortcut_and_of_near_duplicates_and_is_quiet_about_the_sample() {
    let bench = Bench::new();
    let train = "train rows.csv --text text --label label --model model --epochs 1 --out";
    let mut text =
        rows("text,label", |row, label| format!("\"{}{}\",{label}", sentence(row), if label == "cross" { "  " } else { "" }));
    for row in 0..40 {
        text += &format!(
            "\"{}; that is what was written on the door of the old house by the sea in {row} tall letters\",calm\n",
            sentence(0)
        );
    }
    bench.write("rows.csv", text);
    let ran = bench.run(&format!("{train} kept --holdout 40 --keep-whitespace"));
    assert!(ran.stderr.contains("warning: texts that are cross have more trailing spaces (ROC-AUC 1.00"), "{ran:?}");
    let ran = bench.run(&format!("{train} out --holdout 40"));
    assert!(!ran.stderr.contains("trailing spaces"), "what is trimmed is no shortcut: {ran:?}");
    assert!(ran.stderr.contains("held-out texts are nearly those of training rows"), "{ran:?}");
    ran.ok();
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples/comments.csv");
    let ran =
        bench.run(&format!("train {sample} --text comment --label label --model model --epochs 1 --out sample --holdout 96"));
    assert!(!ran.stderr.contains("warning:"), "{ran:?}");
    ran.ok();
}
