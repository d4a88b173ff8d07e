//! `lincah serve`, asked over a socket.

mod support;
#[path = "../../lincah-serve/tests/asked/valid_bodies.rs"]
mod valid_bodies;

use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};
use support::Bench;
use support::serving::Serving;
use valid_bodies::valid_bodies;

const TRAIN: &str = "train data.csv --text comment --label label --epochs 3 --members 1";

/// What `predict` says of a text.
fn predicted(bench: &Bench, folder: &str, text: &str) -> Value {
    serde_json::from_str(&bench.run(&format!("predict {folder} --input {text}")).ok()).unwrap()
}

fn trained() -> Bench {
    let bench = Bench::new().with_encoder();
    bench.run(&format!("{TRAIN} --model model --out kind")).ok();
    bench
}

#[test]
fn it_says_what_predict_says_in_everyones_shape() {
    let bench = trained();
    bench.run(&format!("{TRAIN} --model model,bert --out both")).ok();
    let server = Serving::start(&bench, "kind committee=both");
    let expected = predicted(&bench, "kind", "zzzz");
    let score = &expected["scores"]["B"];

    let own = server.post("/v1/score", &json!({"model": "kind", "input": ["zzzz", "aaaa"]})).json();
    assert_eq!(
        (&own["model"], &own["results"][0], &own["results"][1]),
        (&"kind".into(), &expected, &predicted(&bench, "kind", "aaaa"))
    );
    let members = server.post("/v1/score", &json!({"model": "committee", "input": "zzzz", "members": true})).json();
    assert_eq!(members["results"][0]["members"].as_array().unwrap().len(), 2);
    assert_eq!(members["results"][0]["scores"], predicted(&bench, "both", "zzzz")["scores"]);

    let vllm = server.post("/classify", &json!({"model": "kind", "input": "zzzz"})).json();
    assert_eq!((&vllm["data"][0]["probs"][1], &vllm["data"][0]["num_classes"]), (score, &2.into()));
    let moderated = server.post("/v1/moderations", &json!({"model": "kind", "input": [{"type": "text", "text": "zzzz"}]})).json();
    let result = &moderated["results"][0];
    assert_eq!((&result["category_scores"]["B"], result["flagged"].is_boolean()), (score, true));
    assert!(result["categories"]["self-harm/intent"] == false && result["categories"].get("A").is_none(), "{result}");
    let pipeline = server.post("/models/kind", &json!({"inputs": "zzzz", "parameters": {"top_k": 1}})).json();
    assert_eq!(pipeline[0].as_array().unwrap().len(), 1);

    let asked = json!({"comment": {"text": "zzzz 🙂! aaaa."}, "requestedAttributes": {"B": {}, "KIND": {"scoreThreshold": 1.0}}, "spanAnnotations": true, "clientToken": "me"});
    let analyzed = server.post("/v1alpha1/comments:analyze?key=none", &asked).json();
    let scores = &analyzed["attributeScores"];
    assert_eq!((&analyzed["clientToken"], scores["B"]["spanScores"][0]["end"].as_u64()), (&"me".into(), Some(8)));
    assert!(scores.get("KIND").is_none() && scores["B"]["summaryScore"]["type"] == "PROBABILITY", "{analyzed}");

    for (path, body) in [("/v1/score", json!({"input": "zzzz"})), ("/predict", json!({"inputs": "zzzz"}))] {
        let refused = server.post(path, &body);
        assert!(refused.status == 400 && refused.body.contains("committee, kind"), "{}", refused.body);
    }
    let alone = Serving::start(&bench, "kind");
    let inferred = alone.post("/predict", &json!({"inputs": [["zzzz"], ["aaaa"]]})).json();
    assert!(inferred[0].as_array().unwrap().iter().any(|entry| entry["label"] == "B" && entry["score"] == *score), "{inferred}");
    assert_eq!(alone.post("/predict", &json!({"inputs": ["one", "two"]})).json()["error_type"], "Validation");
    // Clients that name models of others mean the only one.
    assert_eq!(
        alone.post("/v1/moderations", &json!({"model": "omni-moderation-latest", "input": "zzzz"})).json()["model"],
        "kind"
    );
    assert_eq!(alone.get("/info").json()["model_id"], "kind");
    let tasks = json!({"tasks": [{"id": 1, "data": {"comment": "zzzz"}}], "label_config": "<View><Text name=\"t\" value=\"$comment\"/><Choices name=\"c\" toName=\"t\"/></View>"});
    let labelled = alone.post("/label-studio/predict", &tasks).json();
    let result = &labelled["results"][0]["result"][0];
    assert_eq!(
        (&result["from_name"], &result["to_name"], &result["value"]["choices"][0]),
        (&"c".into(), &"t".into(), &expected["label"])
    );
}

#[test]
fn what_it_cannot_answer_is_said_in_words_and_others_go_on() {
    let bench = trained();
    bench.write(
        "serve.toml",
        "max_body_bytes = 3000\nmax_text_bytes = 1000\nmax_texts = 3\nhead_seconds = 0.5\n[classifiers]\nkind = \"kind\"\n",
    );
    let server = Serving::start(&bench, "--config serve.toml");
    let status = |body: &[u8]| server.request("POST", "/v1/score", "", body).status;
    for body in ["", "{", "[]", "{\"input\": 1}", "{\"input\": \"a\", \"mode\": 1}"] {
        assert_eq!(status(body.as_bytes()), 400, "{body}");
    }
    assert_eq!(status(b"{\"input\": \"\xff\xfe\"}"), 400);
    assert_eq!(status(format!("{{\"input\": {}1", "[".repeat(2900)).as_bytes()), 400);
    assert_eq!(status(json!({"input": "x".repeat(1001)}).to_string().as_bytes()), 413);
    assert_eq!(status(json!({"input": ["a", "b", "c", "d"]}).to_string().as_bytes()), 413);
    assert_eq!(status(&vec![b' '; 3001]), 413);
    assert_eq!(status(json!({"input": []}).to_string().as_bytes()), 200);
    assert_eq!(server.get("/v1/score").status, 405);
    assert_eq!((server.get("/nothing").status, server.post("/v1alpha1/comments:delete", &json!({})).status), (404, 404));
    let google = server.post("/v1alpha1/comments:analyze", &json!({"comment": {"text": " "}, "requestedAttributes": {"B": {}}}));
    assert_eq!((google.status, &google.json()["error"]["status"]), (400, &"INVALID_ARGUMENT".into()));
    // One who says half a request and one who says nothing keep nobody.
    let mut half = TcpStream::connect(&server.address).unwrap();
    half.write_all(b"POST /v1/score HTTP/1.1\r\nHost: here\r\nContent-Length: 50\r\n\r\n{\"inp").unwrap();
    let _silent: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(&server.address).unwrap()).collect();
    assert_eq!(status(b"{\"input\": \"zzzz\"}"), 200);
    // Who takes too long to say what is wanted is hung up on.
    let mut slow = TcpStream::connect(&server.address).unwrap();
    slow.write_all(b"POST /v1/score HTTP/1.1\r\nHost: he").unwrap();
    slow.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert!(slow.read_to_end(&mut Vec::new()).is_ok(), "the connection is still open");
    let chunked = server.raw(b"POST /v1/score HTTP/1.1\r\nHost: here\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{\"input\":\"zzzz\"}\r\n0\r\n\r\n");
    assert_eq!(chunked.status, 200, "{}", chunked.body);
}

/// Every body that differs from `value` in one place by one of `odd`, or lacks one place.
fn with_one_odd_place(value: &Value, odd: &[Value]) -> Vec<Value> {
    let mut found = odd.to_vec();
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                let mut without = fields.clone();
                without.remove(name);
                found.push(without.into());
                found.extend(with_one_odd_place(inner, odd).into_iter().map(|inner| {
                    let mut changed = fields.clone();
                    changed.insert(name.clone(), inner);
                    changed.into()
                }));
            }
        }
        Value::Array(items) => {
            for (place, inner) in items.iter().enumerate() {
                found.extend(with_one_odd_place(inner, odd).into_iter().map(|inner| {
                    let mut changed = items.clone();
                    changed[place] = inner;
                    changed.into()
                }));
            }
        }
        _ => {}
    }
    found
}

#[test]
fn no_body_is_a_fault_of_the_servers() {
    let bench = trained();
    let server = Serving::start(&bench, "kind --feedback journal.jsonl --log none");
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    let odd = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1e300),
        json!(""),
        json!("\u{0}\u{feff}\u{1f642}"),
        json!([]),
        json!({}),
        deep,
    ];
    let mut asked = 0;
    for (path, body) in valid_bodies() {
        for body in with_one_odd_place(&body, &odd) {
            let answer = server.post(path, &body);
            assert!(matches!(answer.status, 200..=499), "{path} {body}: {} {}", answer.status, answer.body);
            answer.json();
            asked += 1;
        }
    }
    assert!(asked > 500, "{asked}");
    assert_eq!(server.post("/v1/score", &json!({"input": "zzzz"})).status, 200);
    lincah::data::journal::Journal::read(&bench.path("journal.jsonl")).unwrap();
}

#[test]
fn keys_are_asked_for_and_public_addresses_need_them() {
    let bench = trained();
    bench.write("keys", "ana:0123456789abcdef\n");
    let server = Serving::start(&bench, "kind --key-file keys");
    let body = json!({"input": "zzzz"}).to_string();
    let asked = |headers: &str| server.request("POST", "/v1/score", headers, body.as_bytes());
    let refused = asked("");
    assert!(refused.status == 401 && refused.headers.contains("www-authenticate: bearer"), "{}", refused.headers);
    assert_eq!(asked("Authorization: Bearer 0123456789abcdeg\r\n").status, 401);
    assert_eq!(asked("Authorization: Bearer 0123456789abcdef\r\n").status, 200);
    // bot:0123456789abcdef, as Label Studio sends it.
    assert_eq!(asked("Authorization: Basic Ym90OjAxMjM0NTY3ODlhYmNkZWY=\r\n").status, 200);
    assert_eq!(server.post("/v1/score?key=0123456789abcde%66", &json!({"input": "zzzz"})).status, 200);
    assert_eq!((server.get("/metrics").status, server.get("/health").status, server.get("/").status), (401, 200, 200));
    // Without keys no page of another origin asks in a browser's name; the server's own does.
    let open = Serving::start(&bench, "kind");
    let from = |origin: &str| open.request("POST", "/v1/score", &format!("Origin: {origin}\r\n"), body.as_bytes()).status;
    assert_eq!((from("http://elsewhere.example"), from("null"), from("http://here")), (403, 403, 200));
    for (options, word) in [
        ("serve kind --bind 0.0.0.0:0", "key file"),
        ("serve nothing --check", "nothing"),
        ("serve", "no classifier"),
        ("serve kind other/kind --check", "two classifiers are called `kind`"),
        ("serve kind --config nothing.toml --check", "nothing.toml"),
    ] {
        let message = bench.run(options).refused();
        assert!(message.contains(word), "{message}");
    }
    let told = bench.run("serve kind --bind 127.0.0.1:0 --check");
    assert!(told.stderr.contains("kind: loaded; nothing is wrong"), "{told:?}");
    told.ok();
}

#[test]
fn the_environment_says_what_the_file_says_and_comes_before_it() {
    let bench = trained();
    bench.write("serve.toml", "max_texts = 1\nmax_text_bytes = 5\nlog_texts = true\n[classifiers]\nnothing = \"nothing\"\n");
    let variables = [
        ("LINCAH_CLASSIFIERS", "kind=kind, again=kind"),
        ("LINCAH_ATTRIBUTES", "TOXICITY=kind:B"),
        ("LINCAH_MAX_TEXTS", "2"),
        ("LINCAH_MAX_BODY_BYTES", " 200 "),
        ("LINCAH_MAX_TEXT_BYTES", ""),
        ("LINCAH_LOG_TEXTS", "false"),
        ("LINCAH_RELOAD_SECONDS", "0"),
    ];
    let server = Serving::start_with(&bench, "--config serve.toml", &variables);
    let models: Vec<Value> =
        server.get("/v1/models").json()["data"].as_array().unwrap().iter().map(|model| model["id"].clone()).collect();
    assert_eq!(models, ["again", "kind"]);
    let status = |input: Value| server.post("/v1/score", &json!({"model": "kind", "input": input})).status;
    assert_eq!((status(json!(["a", "zzzz"])), status(json!(["a", "b", "c"]))), (200, 413));
    // The empty variable leaves the file's five bytes.
    assert_eq!((status(json!("abcdef")), status(json!("x".repeat(201)))), (413, 413));
    let asked = json!({"comment": {"text": "zzzz"}, "requestedAttributes": {"TOXICITY": {}}});
    let score = predicted(&bench, "kind", "zzzz")["scores"]["B"].clone();
    let answer = server.post("/v1alpha1/comments:analyze", &asked).json();
    assert_eq!(answer["attributeScores"]["TOXICITY"]["summaryScore"]["value"], score);
    assert!(!server.told.lock().unwrap().concat().contains("zzzz"));

    for (name, value, expected) in [
        ("LINCAH_MAX_TEXTS", "many", "LINCAH_MAX_TEXTS says `many`; it must be a whole number"),
        ("LINCAH_MAX_TEXTS", "0", "`max_texts` must be at least 1"),
        ("LINCAH_MAX_CONNECTIONS", "-1", "LINCAH_MAX_CONNECTIONS says `-1`"),
        ("LINCAH_BATCH_BYTES", "0", "`batch_bytes` must be at least 1"),
        ("LINCAH_MAX_WAITING_TEXTS", "1.5", "LINCAH_MAX_WAITING_TEXTS says `1.5`"),
        ("LINCAH_TIMEOUT_SECONDS", "soon", "LINCAH_TIMEOUT_SECONDS says `soon`; it must be a number of seconds"),
        ("LINCAH_HEAD_SECONDS", "NaN", "`head_seconds` must be from 0.001 to 3600"),
        ("LINCAH_RELOAD_SECONDS", "-1", "`reload_seconds` must be from 0 to 86400"),
        ("LINCAH_LOG_TEXTS", "perhaps", "LINCAH_LOG_TEXTS says `perhaps`; it must be true or false"),
        ("LINCAH_ATTRIBUTES", "TOXICITY", "LINCAH_ATTRIBUTES says `TOXICITY`; it must be NAME=VALUE"),
        ("LINCAH_ATTRIBUTES", "TOXICITY=spam", "the attribute `TOXICITY` is of the classifier `spam`"),
        ("LINCAH_CASCADE", "kind=little", "LINCAH_CASCADE says `kind=little`"),
        ("LINCAH_CASCADE", "kind=1", "`cascade` must be from 0 to below 1"),
        ("LINCAH_CLASSIFIERS", "kind=kind,kind=kind", "LINCAH_CLASSIFIERS says `kind=kind`"),
    ] {
        let classifiers = if name == "LINCAH_CLASSIFIERS" { "" } else { "kind" };
        let mut command = bench.command(&format!("serve {classifiers} --check"));
        let message = support::Ran::of(command.env(name, value).output().unwrap()).refused();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn many_at_once_get_the_same_bits_and_figures_are_kept() {
    let bench = trained();
    let server = Serving::start(&bench, "kind");
    let texts = ["zzzz", "aaaa", "something", "a-text-that-is-longer-than-the-others"];
    let expected: Vec<Value> = texts.iter().map(|text| predicted(&bench, "kind", text)["scores"].clone()).collect();
    std::thread::scope(|scope| {
        for client in 0..32 {
            let (server, expected) = (&server, &expected);
            scope.spawn(move || {
                for turn in 0..8 {
                    let place = (client + turn) % texts.len();
                    let answer = server.post("/v1/score", &json!({"input": texts[place]}));
                    assert_eq!((answer.status, &answer.json()["results"][0]["scores"]), (200, &expected[place]));
                }
            });
        }
    });
    let metrics = server.get("/metrics").body;
    assert!(metrics.contains("lincah_texts_total{classifier=\"kind\"} 256"), "{metrics}");
    assert!(metrics.contains("lincah_scores_count{classifier=\"kind\",label=\"B\"} 256"), "{metrics}");
    assert!(metrics.contains("lincah_waiting_texts{classifier=\"kind\"} 0"), "{metrics}");
    assert!(metrics.contains("lincah_requests_total{route=\"/v1/score\",status=\"200\"} 256"), "{metrics}");
    let document = server.get("/openapi.json").json();
    assert!(document["paths"]["/v1/score"]["post"].is_object() && document["openapi"] == "3.1.0");
    let discovered = server.get("/$discovery/rest?version=v1alpha1").json();
    assert_eq!((&discovered["rootUrl"], &discovered["version"]), (&"http://here/".into(), &"v1alpha1".into()));
    assert!(server.get("/").headers.contains("content-security-policy") && server.get("/page.js").status == 200);
}

#[test]
fn a_changed_folder_is_loaded_anew_and_a_broken_one_is_not() {
    let bench = trained();
    bench.write("serve.toml", "reload_seconds = 0.1\n[classifiers]\nkind = \"kind\"\n");
    bench.run(&format!("{TRAIN} --model model --seed 9 --out next")).ok();
    let server = Serving::start(&bench, "--config serve.toml");
    let score = || server.post("/v1/score", &json!({"input": "zzzz"})).json()["results"][0]["scores"].clone();
    let (before, after) =
        (predicted(&bench, "kind", "zzzz")["scores"].clone(), predicted(&bench, "next", "zzzz")["scores"].clone());
    assert!(before != after && score() == before);
    let record = std::fs::read(bench.path("kind/classifier.json")).unwrap();
    bench.write("kind/classifier.json", "no record");
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(score(), before);
    assert!(server.get("/metrics").body.contains("lincah_reloads_total{classifier=\"kind\",outcome=\"failed\"} 1"));
    bench.write("kind/classifier.json", record);
    // The record last, as a training writes it.
    for name in ["adapter_model.safetensors", "adapter_config.json", "probes.json", "classifier.json"] {
        std::fs::copy(bench.path("next").join(name), bench.path("kind").join(name)).unwrap();
    }
    let begun = Instant::now();
    while score() != after {
        assert!(begun.elapsed() < Duration::from_secs(20), "it was not loaded anew");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_people_say_is_a_journal_that_trains() {
    let bench = trained();
    let server = Serving::start(&bench, "kind --feedback journal.jsonl");
    let suggest = |text: &str, score: f64| json!({"comment": {"text": text}, "attributeScores": {"B": {"summaryScore": {"value": score}}}, "clientToken": "17"});
    let said = |body: &Value| server.post("/v1alpha1/comments:suggestscore", body);
    assert_eq!(said(&suggest("zzzz", 0.9)).json()["clientToken"], "17");
    // The same person's second thought of a text replaces the first; another score is refused.
    said(&suggest("zzzz", 0.1));
    assert_eq!(said(&suggest("zzzz", 7.0)).status, 400);
    let event = |action: &str, annotation: u32, choice: &str| {
        json!({
            "action": action, "task": {"id": 5, "data": {"text": "aaaa"}},
            "annotation": {"id": annotation, "completed_by": {"email": "ana@example.org"}, "result": [{"value": {"choices": [choice]}}]},
        })
    };
    let deleted = json!({"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 1}]});
    let empty = json!({"action": "PROJECT_UPDATED"});
    for (body, status) in [
        (event("ANNOTATION_CREATED", 1, "B"), "ok"),
        (event("ANNOTATION_CREATED", 2, "B"), "ok"),
        (event("ANNOTATION_UPDATED", 2, "A"), "ok"),
        (deleted, "ok"),
        (empty, "ignored"),
    ] {
        assert_eq!(server.post("/label-studio/webhook", &body).json()["status"], status, "{body}");
    }
    let read = || lincah::data::journal::Journal::read(&bench.path("journal.jsonl")).unwrap();
    let journal = read();
    let answers: Vec<_> =
        journal.labelled().unwrap().iter().map(|row| (row.text.to_owned(), row.entry.labels.to_vec())).collect();
    assert_eq!(answers, [("zzzz".to_owned(), vec!["A".to_owned()]), ("aaaa".to_owned(), vec!["A".to_owned()])]);
    assert_eq!(journal.entries()[2].who, "ana@example.org");

    for row in 0..20 {
        said(&suggest(&format!("aaaa {row}"), 0.0));
        said(&suggest(&format!("zzzz {row}"), 1.0));
    }
    bench.run("train journal.jsonl --model model --epochs 1 --members 1 --out from-journal").ok();
    assert_eq!(bench.run("train journal.jsonl --model model --text text --out other").code, Some(1));
}

#[test]
fn what_is_under_way_is_answered_and_decisions_are_written_down() {
    let bench = trained();
    bench.write("secret", "a-secret-of-more-than-thirty-two-characters");
    let options = "kind --log json --decision-log log.jsonl --decision-log-key-file secret";
    let checked = bench.run(&format!("serve {options} --check"));
    assert!(checked.code == Some(0) && !bench.path("log.jsonl").exists(), "{checked:?}");
    let server = Serving::start(&bench, options);
    let message = bench.run(&format!("serve {options} --bind 127.0.0.1:0")).refused();
    assert!(message.contains("log.jsonl is written by another server"), "{message}");

    let many =
        json!({"input": (0..400).map(|row| format!("zzzz {row} a somewhat longer text to take its time")).collect::<Vec<_>>()});
    let answered = std::thread::scope(|scope| {
        let answer = scope.spawn(|| server.post("/v1/score", &many));
        std::thread::sleep(Duration::from_millis(30));
        server.ask_to_end();
        answer.join().unwrap()
    });
    assert_eq!((answered.status, answered.json()["results"].as_array().unwrap().len()), (200, 400));
    let told = server.told.clone();
    assert!(server.has_ended());
    while !told.lock().unwrap().concat().contains("everything is answered") {
        std::thread::sleep(Duration::from_millis(10));
    }
    // Requests are logged, one object per line, and their texts are not.
    let lines: Vec<Value> = told.lock().unwrap().iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let request = lines.iter().find(|line| line["message"] == "request").unwrap();
    assert_eq!((&request["route"], &request["status"], &request["who"]), (&"/v1/score".into(), &200.into(), &"anyone".into()));
    assert!(lines.iter().any(|line| line["texts"] == 400) && !told.lock().unwrap().concat().contains("zzzz"), "{lines:?}");

    let log = std::fs::read_to_string(bench.path("log.jsonl")).unwrap();
    let last: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    assert!(log.lines().count() == 400 && last["hmac"].as_str().unwrap().len() == 64 && !log.contains("zzzz"));
    // The chain goes on where it ended, and a changed line keeps the next server from going on.
    let server = Serving::start(&bench, options);
    server.post("/v1/score", &json!({"input": "zzzz"}));
    server.ask_to_end();
    assert!(server.has_ended());
    let log = std::fs::read_to_string(bench.path("log.jsonl")).unwrap();
    assert_eq!(log.lines().count(), 401);
    bench.write("log.jsonl", log.replacen("\"review\":false", "\"review\":true", 1));
    let message = bench.run(&format!("serve {options} --bind 127.0.0.1:0")).refused();
    assert!(message.contains("line 1 of log.jsonl"), "{message}");
}

/// Clients that ask until told to stop; what each of them was answered, in order. `None` is a request that was not answered.
fn asking<T: Send>(
    clients: usize,
    ask: impl Fn(usize, usize) -> Option<T> + Sync,
    meanwhile: impl FnOnce(),
) -> Vec<Vec<Option<T>>> {
    let ends = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (ask, ends) = (&ask, &ends);
        let client = |client| {
            scope.spawn(move || {
                let mut answers = Vec::new();
                while !ends.load(std::sync::atomic::Ordering::Relaxed) && answers.last().is_none_or(Option::is_some) {
                    answers.push(ask(client, answers.len()));
                }
                answers
            })
        };
        let clients: Vec<_> = (0..clients).map(client).collect();
        meanwhile();
        ends.store(true, std::sync::atomic::Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    })
}

#[test]
fn a_server_that_is_killed_while_it_logs_has_lost_no_decision_that_it_answered() {
    let bench = trained();
    bench.write("secret", "a-secret-of-more-than-thirty-two-characters");
    let options = "kind --log none --decision-log log.jsonl --decision-log-key-file secret";
    let read = || std::fs::read(bench.path("log.jsonl")).unwrap();
    let whole_lines = |log: &[u8]| log.split_inclusive(|&byte| byte == b'\n').filter(|line| line.ends_with(b"\n")).count();
    let (mut before, mut lines) = (Vec::new(), 0);
    for round in 0..6 {
        let server = Serving::start(&bench, options);
        let address = server.address.clone();
        let ask = |client: usize, turn: usize| {
            let body = json!({"input": [format!("{client} {turn}"), "zzzz"]}).to_string();
            let mut stream = TcpStream::connect(&address).ok()?;
            write!(
                stream,
                "POST /v1/score HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).ok()?;
            let (head, body) = answer.split_once("\r\n\r\n")?;
            assert!(head.starts_with("HTTP/1.1 200"), "{head}");
            serde_json::from_str::<Value>(body).ok()
        };
        let answers = asking(8, ask, || {
            // Killed while it writes, at another moment each time.
            let behind = before.len() + 1500 + 977 * round;
            while read().len() < behind {
                std::thread::sleep(Duration::from_micros(200));
            }
            assert!(Command::new("kill").args(["-KILL", &server.child.id().to_string()]).status().unwrap().success());
        });
        drop(server);
        let answered = answers.iter().flatten().flatten().count();
        let asked = answers.iter().flatten().count();
        let log = read();
        let new = whole_lines(&log) - lines;
        assert!(answered > 0 && (2 * answered..=2 * asked).contains(&new), "{answered} answered, {asked} asked, {new} new lines");
        assert!(log.starts_with(&before), "what was there is as it was");
        // Half a line, as a disk that lost its power leaves it.
        let half = log[..log.iter().position(|&byte| byte == b'\n').unwrap() / 2].to_vec();
        bench.write("log.jsonl", [log, half].concat());
        let checked = bench.run(&format!("serve {options} --check"));
        assert!(checked.stderr.contains("nothing is wrong"), "{checked:?}");
        let log = read();
        lines = whole_lines(&log);
        before = log[..log.iter().rposition(|&byte| byte == b'\n').unwrap() + 1].to_vec();
    }
    // The next answer takes the half line's place.
    let server = Serving::start(&bench, options);
    assert_eq!(server.post("/v1/score", &json!({"input": "zzzz"})).status, 200);
    let log = read();
    assert!(log.starts_with(&before) && log.ends_with(b"\n") && whole_lines(&log) == lines + 1);
}

#[test]
fn a_folder_that_is_replaced_while_requests_run_gives_no_mixture_and_drops_none() {
    let bench = trained();
    bench.write("serve.toml", "reload_seconds = 0.02\n[classifiers]\nkind = \"kind\"\n");
    bench.run(&format!("{TRAIN} --model model --seed 9 --out other")).ok();
    let texts = ["zzzz", "aaaa", "something"];
    let scores = |folder: &str| Value::from(texts.map(|text| predicted(&bench, folder, text)["scores"].clone()).to_vec());
    let states = [scores("kind"), scores("other")];
    assert_ne!(states[0], states[1]);
    let files = |folder: &str| {
        bench
            .list(folder)
            .into_iter()
            .map(|name| (name.clone(), std::fs::read(bench.path(folder).join(name)).unwrap()))
            .collect::<Vec<_>>()
    };
    let folders = [files("kind"), files("other")];
    let server = Serving::start(&bench, "--config serve.toml --log none");
    let score = || {
        let answer = server.post("/v1/score", &json!({"input": texts}));
        assert_eq!(answer.status, 200, "{}", answer.body);
        let results = answer.json()["results"].as_array().unwrap().clone();
        Value::from(results.into_iter().map(|result| result["scores"].clone()).collect::<Vec<_>>())
    };
    let wait_for = |state: &Value| {
        let begun = Instant::now();
        while score() != *state {
            assert!(begun.elapsed() < Duration::from_secs(30), "it was not loaded anew");
        }
    };
    let rounds = 6;
    let answers = asking(
        6,
        |_, _| Some(score()),
        || {
            for round in 1..=rounds {
                let (now, next) = (&states[(round + 1) % 2], round % 2);
                let put = |name: &str, bytes: &[u8]| bench.write(&format!("kind/{name}"), bytes);
                if round % 3 == 0 {
                    // The whole folder in place of another one, which is gone for a moment.
                    let fresh = bench.path("fresh");
                    std::fs::create_dir(&fresh).unwrap();
                    folders[next].iter().for_each(|(name, bytes)| std::fs::write(fresh.join(name), bytes).unwrap());
                    std::fs::rename(bench.path("kind"), bench.path(&format!("gone-{round}"))).unwrap();
                    std::thread::sleep(Duration::from_millis(100));
                    std::fs::rename(fresh, bench.path("kind")).unwrap();
                } else {
                    // The record first, and half of each file: the wrong order, and slowly.
                    let mut order: Vec<_> = folders[next].iter().collect();
                    order.sort_by_key(|(name, _)| name != "classifier.json");
                    for (name, bytes) in order {
                        put(name, &bytes[..bytes.len() / 2]);
                        std::thread::sleep(Duration::from_millis(60));
                        if name.starts_with("adapter") || name == "classifier.json" {
                            assert_eq!(score(), *now, "{name} is half written");
                        }
                        put(name, bytes);
                        std::thread::sleep(Duration::from_millis(60));
                    }
                }
                wait_for(&states[next]);
            }
        },
    );
    for answers in &answers {
        let seen: Vec<usize> =
            answers.iter().flatten().map(|answer| states.iter().position(|state| state == answer).expect("a mixture")).collect();
        let changes = seen.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(changes <= rounds, "an older classifier answered after a newer one");
    }
    assert!(answers.iter().flatten().count() > 50);
    assert!(
        server.get("/metrics").body.contains(&format!("lincah_reloads_total{{classifier=\"kind\",outcome=\"loaded\"}} {rounds}")),
        "{}",
        server.get("/metrics").body
    );
}
