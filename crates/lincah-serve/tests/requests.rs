//! No body makes a handler panic or is a fault of the server's, and no configuration or decision log makes its reader panic.

mod asked;

use asked::{Asked, SECRET, valid_bodies};
use lincah::data::journal::Journal;
use lincah_serve::{DecisionLog, ServeConfig};
use proptest::prelude::*;
use std::path::Path;

/// A valid text, some of whose bytes are changed, left out, or followed by others; now and then with a piece of its own repeated.
fn damaged(valid: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let marks = prop::sample::select(b"{}[]\",:\\0-9eE.nul\x00\xff\xf0 ".to_vec());
    let change = (any::<prop::sample::Index>(), 0..4usize, prop_oneof![marks, any::<u8>()], 1..12usize);
    prop::collection::vec(change, 0..5).prop_map(move |changes| {
        let mut bytes = valid.clone();
        for (place, kind, byte, length) in changes {
            let place = place.index(bytes.len() + 1);
            let end = (place + length).min(bytes.len());
            match kind {
                0 if place < bytes.len() => bytes[place] = byte,
                1 => drop(bytes.drain(place..end)),
                2 => {
                    let piece = bytes[place..end].to_vec();
                    bytes.splice(place..place, piece);
                }
                _ => bytes.insert(place, byte),
            }
        }
        bytes
    })
}

fn times(cases: u32) -> proptest::test_runner::TestRunner {
    // The same cases each time: what is found is found again.
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let random = proptest::test_runner::TestRng::deterministic_rng(config.rng_algorithm);
    proptest::test_runner::TestRunner::new_with_rng(config, random)
}

#[test]
fn no_body_makes_a_handler_panic() {
    let server = Asked::new(true);
    for (route, body) in valid_bodies() {
        let (status, answer) = server.ask(route, body.to_string().as_bytes());
        assert_eq!(status, 200, "{route}: {}", String::from_utf8_lossy(&answer));
        times(500)
            .run(&damaged(body.to_string().into_bytes()), |body| {
                let (status, answer) = server.ask(route, &body);
                prop_assert!(!status.is_server_error(), "{route}: {status} {}", String::from_utf8_lossy(&answer));
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&answer).is_ok());
                Ok(())
            })
            .unwrap();
    }
    // What was written meanwhile is whole.
    assert!(DecisionLog::verify(&server.path("log.jsonl"), &server.path("secret")).unwrap() > 100);
    Journal::read(&server.path("journal.jsonl")).unwrap();
}

#[test]
fn no_configuration_makes_its_reader_panic() {
    let valid = "bind = \"127.0.0.1:9000\"\nmax_texts = 3\ntimeout_seconds = 1.5\nlog_texts = true\n[classifiers]\nkind = \"kind\"\n[attributes]\nTOXICITY = \"kind:B\"\n[cascade]\nkind = 0.02\n";
    assert!(ServeConfig::from_toml(Path::new("valid"), valid).unwrap().check().is_ok());
    times(1000)
        .run(&damaged(valid.as_bytes().to_vec()), |bytes| {
            let text = String::from_utf8_lossy(&bytes);
            let config = ServeConfig::from_toml(Path::new("damaged"), &text).ok();
            if let Some(config) = config.filter(|config| config.check().is_ok()) {
                prop_assert!(config.max_texts > 0 && config.timeout_seconds > 0.0 && config.bind.ip().is_loopback());
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn no_changed_decision_log_is_taken_for_whole() {
    let server = Asked::new(true);
    server.ask("/v1/score", br#"{"input": ["zzzz", "aaaa", "one"]}"#);
    let log = std::fs::read(server.path("log.jsonl")).unwrap();
    let lines = |bytes: &[u8]| DecisionLog::verify_from(Path::new("log"), bytes, SECRET.as_bytes());
    assert_eq!(lines(&log).unwrap(), 3);
    times(1000)
        .run(&damaged(log.clone()), |bytes| {
            if let Ok(whole) = lines(&bytes) {
                // Only what was written counts; what is behind the last whole line is a line that was cut off.
                let end = log.split_inclusive(|&byte| byte == b'\n').take(whole).map(<[u8]>::len).sum::<usize>();
                prop_assert!(bytes.starts_with(&log[..end]) && !bytes[end..].contains(&b'\n'));
            }
            Ok(())
        })
        .unwrap();
}
