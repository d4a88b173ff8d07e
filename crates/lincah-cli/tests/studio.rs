//! `lincah studio`, asked over a socket as its page does.

mod support;

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::Bench;
use support::serving::{Answer, Serving};

fn bench() -> Bench {
    let bench = Bench::new().with_encoder();
    let rows = (0..60).map(|row| format!("{} {row}\n", ["aaaa", "zzzz"][row % 2]));
    bench.write("texts.csv", String::from("comment\n") + &rows.collect::<String>());
    bench
}

const BEGIN: &str = "studio project texts.csv --text comment --labels A,B --audit 30 --model model,bert";
const GO_ON: &str = "studio project --model model,bert";

/// The page's own headers.
fn ask(server: &Serving, path: &str, body: &Value) -> Answer {
    let headers = format!("Host: {0}\r\nOrigin: http://{0}\r\nContent-Type: application/json\r\n", server.address);
    server.request_with(&["POST", path], &headers, body.to_string().as_bytes())
}

fn status(server: &Serving) -> Value {
    server.request_with(&["GET", "/api/status"], &format!("Host: {}\r\n", server.address), b"").json()
}

/// Labels by the text's first letter until so many have labels.
fn label(server: &Serving, count: usize) {
    let mut next = ask(server, "/api/next", &json!({"who": "ana"})).json()["next"].clone();
    while status(server)["labelled"].as_u64().unwrap() < count as u64 {
        let right = usize::from(next["content"].as_str().unwrap().starts_with('z'));
        let said = json!({"who": "ana", "text": next["text"], "labels": [right], "milliseconds": 900});
        let answer = ask(server, "/api/say", &said);
        assert_eq!(answer.status, 200, "{}", answer.body);
        next = answer.json()["next"].clone();
    }
}

fn wait_until(server: &Serving, what: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let status = status(server);
        if what(&status) {
            return status;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "{status}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_sitting_learns_survives_a_kill_and_its_journal_trains() {
    let bench = bench();
    let server = Serving::of(&bench, BEGIN, &[]);
    assert!(bench.run(GO_ON).refused().contains("another lincah"));
    label(&server, 12);
    let mut server = server;
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    let server = Serving::of(&bench, GO_ON, &[]);
    assert_eq!(status(&server)["labelled"], 12);
    label(&server, 40);
    let learned = wait_until(&server, |status| status["trained_on"] == 40 && status["judged_by"].as_u64().unwrap() >= 10);
    let roc_auc = learned["figures"].as_array().unwrap().iter().find(|figure| figure["name"] == "ROC-AUC").unwrap();
    assert!(learned["stale_by"] == 0 && learned["failure"].is_null() && roc_auc["value"].as_f64().unwrap() > 0.9, "{learned}");
    // Undone, the text comes again with what it had before: nothing.
    let undone = ask(&server, "/api/undo", &json!({"who": "ana"})).json();
    assert!(undone["next"]["content"].is_string() && undone["next"]["labels"].is_null(), "{undone}");
    assert_eq!(ask(&server, "/api/undo", &json!({"who": "ben"})).json()["next"], Value::Null);
    wait_until(&server, |status| status["trained_on"] == 39);
    server.ask_to_end();
    assert!(server.has_ended());
    let trained = bench.run("train project/journal.jsonl --preset instant --model model,bert --out out --json");
    trained.ok();
    let record: Value = serde_json::from_slice(&std::fs::read(bench.path("out/classifier.json")).unwrap()).unwrap();
    assert_eq!(record["data"]["rows"], 39);
}

#[test]
fn what_is_published_decides_as_chosen_and_a_guideline_brings_labels_back() {
    let bench = bench();
    let server = Serving::of(&bench, BEGIN, &[]);
    label(&server, 40);
    wait_until(&server, |status| status["trained_on"] == 40 && status["judged_by"].as_u64().unwrap() >= 10);
    // What is published decides by the threshold that was chosen on the page.
    let published = ask(&server, "/api/publish", &json!({"thresholds": [[1, 0.3]]}));
    assert_eq!((published.status, &published.json()["version"], &published.json()["rows"]), (200, &json!(1), &json!(40)));
    bench.write("new.csv", "text\naaaa\nzzzz\n");
    assert_eq!(bench.run("predict project/classifiers/1 new.csv --text text --out scores.jsonl").code, Some(0));
    let record: Value =
        serde_json::from_slice(&std::fs::read(bench.path("project/classifiers/1/classifier.json")).unwrap()).unwrap();
    assert_eq!(record["decision_rule"]["thresholds"][1], 0.3, "{record}");
    assert_eq!(ask(&server, "/api/publish", &json!({"thresholds": [[7, 0.3]]})).status, 400);
    assert_eq!(ask(&server, "/api/publish", &json!({"thresholds": [[1, 7]]})).status, 400);
    assert_eq!(
        ask(&server, "/api/publish", &json!({"thresholds": [[0, 0.3]]})).status,
        400,
        "of two the last one has a threshold"
    );
    assert_eq!(ask(&server, "/api/publish", &json!({"thresholds": []})).json()["version"], 2);
    let scored = server.request_with(&["GET", "/api/scored"], &format!("Host: {}\r\n", server.address), b"").json();
    assert_eq!(scored["truth"].as_array().unwrap().len(), scored["probabilities"].as_array().unwrap().len());
    let changed = ask(&server, "/api/guideline", &json!({"who": "ana", "text": "z is B", "touches": [1]})).json();
    assert!(changed["guideline_version"] == 1 && changed["to_review"].as_u64().unwrap() > 10, "{changed}");
    let mut next = ask(&server, "/api/next", &json!({"who": "ana"})).json()["next"].clone();
    let mut again = 0;
    for _ in 0..6 {
        let is_again = next["reason"] == "review";
        assert_eq!(
            is_again,
            next["labels"] == json!([1]),
            "what comes again shows its label, and it is the one that changed: {next}"
        );
        again += u64::from(is_again);
        let right = usize::from(next["content"].as_str().unwrap().starts_with('z'));
        let said = json!({"who": "ana", "text": next["text"], "labels": [right], "guideline": 1});
        next = ask(&server, "/api/say", &said).json()["next"].clone();
    }
    assert_eq!((again, status(&server)["to_review"].as_u64().unwrap()), (3, changed["to_review"].as_u64().unwrap() - 3));
}

#[test]
fn other_pages_other_hosts_and_other_machines_are_kept_out() {
    let bench = bench();
    let server = Serving::of(&bench, BEGIN, &[]);
    let body = json!({"who": "ana"}).to_string();
    let host = format!("Host: {}\r\n", server.address);
    let json = "Content-Type: application/json\r\n";
    let post = |headers: &str| server.request_with(&["POST", "/api/next"], headers, body.as_bytes()).status;
    assert_eq!(post(&format!("{host}{json}")), 200);
    assert_eq!(post(&format!("Host: evil.example\r\n{json}")), 403);
    assert_eq!(post(&format!("{host}{json}Origin: http://evil.example\r\n")), 403);
    assert_eq!(post(&format!("{host}{json}Origin: null\r\n")), 403);
    assert_eq!(post(&format!("{host}Content-Type: text/plain\r\n")), 415);
    let page = server.request_with(&["GET", "/"], &host, b"");
    assert!(
        page.headers.contains("content-security-policy: default-src 'none'") && !page.body.contains("<script>"),
        "{}",
        page.headers
    );
    for (body, what) in [
        ("{", "EOF"),
        (r#"{"who":"a","text":999,"labels":[0]}"#, "no text 999"),
        (r#"{"who":"a","text":1,"labels":[0,1]}"#, "2 labels"),
    ] {
        let answer = server.request_with(&["POST", "/api/say"], &format!("{host}{json}"), body.as_bytes());
        assert!(answer.status == 400 && answer.body.contains(what), "{} {}", answer.status, answer.body);
    }
    drop(server);
    assert!(bench.run(&format!("{GO_ON} --bind 0.0.0.0:0")).refused().contains("can be reached by other machines"));
    assert!(bench.run("studio none").refused().contains("no project.json"));
    assert!(bench.run(BEGIN).refused().contains("not empty"));
}
