//! What comes to a server from outside. The first byte chooses: a request's body for each route, the configuration, or the decision log.
//! All end in an answer or an error, none of them the server's own fault.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use lincah_serve::{DecisionLog, ServeConfig};

#[path = "../../crates/lincah-serve/tests/asked/mod.rs"]
mod asked;

use asked::{Asked, SECRET, valid_bodies};

thread_local! {
    static SERVER: (Asked, Vec<&'static str>) =
        (Asked::new(false), valid_bodies().into_iter().map(|(route, _)| route).collect());
}

fuzz_target!(|input: &[u8]| {
    let Some((&choice, bytes)) = input.split_first() else { return };
    SERVER.with(|(server, routes)| match usize::from(choice).checked_sub(2) {
        None if choice == 0 => {
            let text = String::from_utf8_lossy(bytes);
            let config = ServeConfig::from_toml(Path::new("fuzzed"), &text).ok();
            if let Some(config) = config.filter(|config| config.check().is_ok()) {
                assert!(config.max_texts > 0 && config.timeout_seconds > 0.0);
            }
        }
        // Without the secret nobody writes a line.
        None => assert_eq!(DecisionLog::verify_from(Path::new("fuzzed"), bytes, SECRET.as_bytes()).unwrap_or(0), 0),
        Some(route) => {
            let (status, answer) = server.ask(routes[route % routes.len()], bytes);
            assert!(!status.is_server_error());
            assert!(serde_json::from_slice::<serde_json::Value>(&answer).is_ok());
            let _ = std::fs::remove_file(server.path("journal.jsonl"));
        }
    });
});
