//! Pulls from a Hub on this machine.

use super::super::{HubError, PullEvent, record};
use super::fake_hub::{COMMIT, FakeHub, Fault};
use super::*;

fn at(root: &Path, hub: &FakeHub) -> Settings {
    Settings { endpoint: hub.endpoint.clone(), ..settings(root) }
}

const SMALL: [(&str, &[u8]); 3] = [("config.json", b"{}"), ("tokenizer.json", b"{\"a\": 1}"), ("README.md", b"read me")];

fn folder_with(weights: &[u8]) -> Vec<(&'static str, &[u8])> {
    SMALL.into_iter().chain([("model.safetensors", weights)]).collect()
}

#[test]
fn a_gguf_file_comes_whole_and_is_recorded() {
    let root = tempfile::tempdir().unwrap();
    let model = content(300_000);
    let hub = FakeHub::start(&[("tiny.gguf", &model)], Fault::Nothing);
    let settings = at(root.path(), &hub);
    let entry = gguf_entry(&model, vec![HUB]);
    let (result, events) = pull(&settings, entry, None);
    let path = result.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), model);
    assert_eq!(events.first(), Some(&PullEvent::Started { source: Source::Hub }));
    let total = Some(model.len() as u64);
    assert!(events.contains(&PullEvent::Progress { done: model.len() as u64, total }));
    assert_eq!(events.last(), Some(&PullEvent::Done { path: path.clone() }));

    let cached = cached_with(&settings, entry).unwrap();
    assert_eq!((cached.path, cached.revision.as_deref()), (path, Some(COMMIT)));
    assert_eq!(cached.origin, format!("hub {REPOSITORY}"));
    assert_eq!(cached.files[0].sha256, sha256(&model));
    let asked = hub.requests().len();
    pull(&Settings { offline: true, ..settings }, entry, None).0.unwrap();
    assert_eq!(hub.requests().len(), asked, "a model that is there is not asked for again");
}

#[test]
fn a_folder_comes_with_what_makes_a_model_only() {
    let root = tempfile::tempdir().unwrap();
    let weights = content(10_000);
    let hub = FakeHub::start(&folder_with(&weights), Fault::Nothing);
    let settings = at(root.path(), &hub);
    let path = pull(&settings, folder_entry(false), None).0.unwrap();
    assert_eq!(files_below(&path), ["config.json", "model.safetensors", "tokenizer.json"]);
    assert_eq!(std::fs::read(path.join("model.safetensors")).unwrap(), weights);
    assert_eq!(std::fs::read(path.join("tokenizer.json")).unwrap(), b"{\"a\": 1}");
    let main = path.parent().unwrap().parent().unwrap().join("refs").join("main");
    assert_eq!(std::fs::read_to_string(main).unwrap(), COMMIT, "Python finds the model by this");
}

#[test]
fn a_pinned_folder_comes_with_its_files_and_no_other_content() {
    let root = tempfile::tempdir().unwrap();
    let files = pinned_folder();
    let listed: Vec<(&str, &[u8])> = files.iter().map(|(name, content)| (*name, content.as_slice())).chain(SMALL).collect();
    let hub = FakeHub::start(&listed, Fault::Nothing);
    let settings = at(root.path(), &hub);
    let entry = pinned_folder_entry(&files, vec![HUB]);
    let path = pull(&settings, entry, None).0.unwrap();
    for (name, content) in &files {
        assert_eq!(std::fs::read(path.join(name)).unwrap(), *content);
    }
    assert!(!path.join("tokenizer.json").exists(), "only the pinned files");
    std::fs::remove_file(record::model_folder(&settings, entry).join("source.json")).unwrap();
    assert_eq!(cached_with(&settings, entry).unwrap().path, path, "found in the cache again");

    let mut others = files.clone();
    others[0].1 = b"{\"a\": 2}".to_vec();
    let root = tempfile::tempdir().unwrap();
    let error = pull(&at(root.path(), &hub), pinned_folder_entry(&others, vec![HUB]), None).0.unwrap_err();
    assert!(matches!(error, HubError::WrongHash { .. }), "{error}");
}

#[test]
fn a_sharded_folder_comes_with_all_shards() {
    let root = tempfile::tempdir().unwrap();
    let (first, second) = (content(700), content(900));
    let index = br#"{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}"#;
    let mut files = SMALL.to_vec();
    files.extend([
        ("model-00001-of-00002.safetensors", &first[..]),
        ("model-00002-of-00002.safetensors", &second[..]),
        ("model.safetensors.index.json", &index[..]),
    ]);
    let hub = FakeHub::start(&files, Fault::Nothing);
    let settings = at(root.path(), &hub);
    let entry = folder_entry(false);
    let path = pull(&settings, entry, None).0.unwrap();
    assert_eq!(files_below(&path).len(), 5);

    let forget = || std::fs::remove_file(record::model_folder(&settings, entry).join("source.json")).unwrap();
    forget();
    assert_eq!(cached_with(&settings, entry).unwrap().path, path, "what lies whole in the Hugging Face cache is used from there");
    forget();
    std::fs::remove_file(path.join("model-00002-of-00002.safetensors")).unwrap();
    assert!(cached_with(&settings, entry).is_none(), "a folder without one of its shards is no model");
}

#[test]
fn a_repository_without_weights_is_said() {
    let root = tempfile::tempdir().unwrap();
    let hub = FakeHub::start(&SMALL, Fault::Nothing);
    let error = pull(&at(root.path(), &hub), folder_entry(false), None).0.unwrap_err();
    assert!(matches!(error, HubError::Incomplete { missing: "safetensors weights", .. }), "{error}");
}

#[test]
fn a_gated_model_says_where_to_accept_and_how_to_pass_a_token() {
    let root = tempfile::tempdir().unwrap();
    let weights = content(10_000);
    let without = FakeHub::start(&folder_with(&weights), Fault::Status(401));
    let error = pull(&at(root.path(), &without), folder_entry(true), None).0.unwrap_err().to_string();
    for part in ["gated", "Tiny Licence", "https://huggingface.co/someone/tiny", "set HF_TOKEN"] {
        assert!(error.contains(part), "{part} is missing in: {error}");
    }
    let refused = FakeHub::start(&folder_with(&weights), Fault::Status(403));
    let with_token = Settings { token: Some("hf_secret".to_string()), ..at(root.path(), &refused) };
    let error = pull(&with_token, folder_entry(true), None).0.unwrap_err().to_string();
    assert!(error.contains("the token that was sent") && !error.contains("hf_secret"), "{error}");
    assert!(refused.requests().iter().all(|request| request.ends_with("Bearer hf_secret")));
    assert!(without.requests().iter().all(|request| request.ends_with(" -")));
}

#[test]
fn a_status_is_explained() {
    let root = tempfile::tempdir().unwrap();
    let weights = content(10_000);
    for (status, words) in [(401, "access is denied"), (404, "not there"), (429, "too many requests"), (503, "try again later")] {
        let hub = FakeHub::start(&folder_with(&weights), Fault::Status(status));
        let error = pull(&at(root.path(), &hub), folder_entry(false), None).0.unwrap_err();
        assert!(matches!(error, HubError::Refused { status: found, .. } if found == status), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn a_cut_connection_is_taken_up_where_it_broke() {
    let root = tempfile::tempdir().unwrap();
    let model = content(300_000);
    let hub = FakeHub::start(&[("tiny.gguf", &model)], Fault::CutOnce(100_000));
    let path = pull(&at(root.path(), &hub), gguf_entry(&model, vec![HUB]), None).0.unwrap();
    assert_eq!(std::fs::read(path).unwrap(), model);
    let ranges: Vec<String> =
        hub.requests().iter().filter(|request| request.starts_with("/large/") && !request.contains(" 0-0 ")).cloned().collect();
    assert_eq!(ranges, ["/large/tiny.gguf 0- -", "/large/tiny.gguf 100000- -"]);
}

#[test]
fn a_killed_pull_is_taken_up_where_it_broke() {
    let root = tempfile::tempdir().unwrap();
    let model = content(300_000);
    let hub = FakeHub::start(&[("tiny.gguf", &model)], Fault::Nothing);
    let settings = at(root.path(), &hub);
    let blobs = settings.hub_cache.join("models--someone--tiny").join("blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    std::fs::write(blobs.join(format!("{}.part", sha256(&model))), &model[..200_000]).unwrap();
    let path = pull(&settings, gguf_entry(&model, vec![HUB]), None).0.unwrap();
    assert_eq!(std::fs::read(path).unwrap(), model);
    assert!(hub.requests().iter().any(|request| request == "/large/tiny.gguf 200000- -"));
}

#[test]
fn a_server_that_cannot_resume_does_not_spoil_the_file() {
    let root = tempfile::tempdir().unwrap();
    let model = content(300_000);
    let hub = FakeHub::start(&[("tiny.gguf", &model)], Fault::CutOnceThenIgnoreRange(100_000));
    let path = pull(&at(root.path(), &hub), gguf_entry(&model, vec![HUB]), None).0.unwrap();
    assert_eq!(std::fs::read(path).unwrap(), model);
}

#[test]
fn wrong_content_is_thrown_away() {
    let root = tempfile::tempdir().unwrap();
    let weights = content(10_000);
    let hub = FakeHub::start(&folder_with(&weights), Fault::WrongContent);
    let settings = at(root.path(), &hub);
    let error = pull(&settings, folder_entry(false), None).0.unwrap_err();
    assert!(matches!(&error, HubError::WrongHash { expected, .. } if *expected == sha256(&weights)), "{error}");
    assert!(cached_with(&settings, folder_entry(false)).is_none());
    assert!(!files_below(root.path()).iter().any(|name| name == "model.safetensors" || *name == sha256(&weights)));
}

#[test]
fn a_file_that_is_not_the_pinned_one_is_not_even_fetched() {
    let root = tempfile::tempdir().unwrap();
    let (pinned, other) = (content(10_000), vec![7; 10_000]);
    let hub = FakeHub::start(&[("tiny.gguf", &other)], Fault::Nothing);
    let error = pull(&at(root.path(), &hub), gguf_entry(&pinned, vec![HUB]), None).0.unwrap_err();
    assert!(matches!(&error, HubError::WrongHash { found, .. } if *found == sha256(&other)), "{error}");
    assert!(hub.requests().iter().all(|request| !request.contains("tiny.gguf 0- ")));
}

#[test]
fn a_hub_that_never_answers_is_given_up_on() {
    let root = tempfile::tempdir().unwrap();
    let hub = FakeHub::start(&[], Fault::Silent);
    let settings = Settings { connect_limit: Duration::from_millis(500), ..at(root.path(), &hub) };
    let start = std::time::Instant::now();
    let error = pull(&settings, folder_entry(false), None).0.unwrap_err();
    assert!(matches!(error, HubError::Stalled { .. }), "{error}");
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_hub_that_refuses_connections_is_said() {
    let root = tempfile::tempdir().unwrap();
    let error = pull(&settings(root.path()), folder_entry(false), None).0.unwrap_err();
    assert!(matches!(error, HubError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("http://127.0.0.1:9"), "{error}");
}

#[test]
fn names_with_paths_in_them_are_refused_before_anything_is_written() {
    let root = tempfile::tempdir().unwrap();
    let hostile = "model-a/../../../../../elsewhere/PWN.safetensors";
    let index = ("model.safetensors.index.json", &b"{}"[..]);
    let files: Vec<_> = SMALL.into_iter().chain([index, (hostile, b"weights")]).collect();
    let hub = FakeHub::start(&files, Fault::Nothing);
    let error = pull(&at(root.path(), &hub), folder_entry(false), None).0.unwrap_err();
    assert!(matches!(&error, HubError::UnsafeName { name, .. } if name == hostile), "{error}");
    assert_eq!(files_below(root.path()), [".lock"]);
}

#[test]
fn another_size_than_the_pinned_one_is_refused_at_once() {
    let root = tempfile::tempdir().unwrap();
    let model = content(10_000);
    let hub = FakeHub::start(&[("tiny.gguf", &model)], Fault::Announce(1_000_000_000_000_000));
    let error = pull(&at(root.path(), &hub), gguf_entry(&model, vec![HUB]), None).0.unwrap_err();
    assert!(matches!(error, HubError::WrongSize { expected: 10_000, found: 1_000_000_000_000_000, .. }), "{error}");
    assert!(hub.requests().iter().all(|request| !request.contains("tiny.gguf 0- ")));

    let folder = FakeHub::start(&folder_with(&model), Fault::Announce(1_000_000_000_000_000));
    let error = pull(&at(root.path(), &folder), folder_entry(false), None).0.unwrap_err();
    assert!(matches!(error, HubError::TooLarge { expected: 1000, .. }), "{error}");
    assert_eq!(files_below(root.path()), [".lock"]);
}

#[test]
fn no_more_is_taken_than_was_announced() {
    let root = tempfile::tempdir().unwrap();
    let model = content(10_000);
    let hub = FakeHub::start(&[("tiny.gguf", &model)], Fault::Endless);
    let path = pull(&at(root.path(), &hub), gguf_entry(&model, vec![HUB]), None).0.unwrap();
    assert_eq!(std::fs::read(path).unwrap(), model);
}

#[test]
fn a_download_that_always_breaks_off_is_called_so() {
    let root = tempfile::tempdir().unwrap();
    let model = content(10_000);
    let hub = FakeHub::start(&[("tiny.gguf", &model)], Fault::CutAlways(100));
    let error = pull(&at(root.path(), &hub), gguf_entry(&model, vec![HUB]), None).0.unwrap_err();
    assert!(matches!(error, HubError::BrokenOff { .. }) && error.to_string().contains("broke off"), "{error}");
    let rests: Vec<String> = hub.requests().into_iter().filter(|request| request.contains("/large/")).skip(1).collect();
    assert_eq!(rests, ["/large/tiny.gguf 0- -", "/large/tiny.gguf 100- -", "/large/tiny.gguf 200- -"]);
}

#[test]
fn the_token_stays_with_its_origin() {
    let root = tempfile::tempdir().unwrap();
    let weights = content(10_000);
    // Another port of the same host is another origin.
    let elsewhere = FakeHub::start(&folder_with(&weights), Fault::Nothing);
    let hub = FakeHub::start(&folder_with(&weights), Fault::RedirectTo(elsewhere.endpoint.clone().leak()));
    let settings = Settings { token: Some("hf_secret".to_string()), ..at(root.path(), &hub) };
    pull(&settings, folder_entry(true), None).0.unwrap();
    assert!(!hub.requests().is_empty() && hub.requests().iter().all(|request| request.ends_with("Bearer hf_secret")));
    assert!(elsewhere.requests().len() >= 2 && elsewhere.requests().iter().all(|request| request.ends_with(" -")));
}

#[test]
fn answers_that_make_no_sense_are_said() {
    let root = tempfile::tempdir().unwrap();
    let weights = content(10_000);
    for (fault, words) in [
        (Fault::RedirectTo("gopher://elsewhere"), "address that cannot be used"),
        (Fault::RedirectTo("/round?"), "redirects without end"),
        (Fault::NoJson, "not the JSON"),
    ] {
        let hub = FakeHub::start(&folder_with(&weights), fault);
        let error = pull(&at(root.path(), &hub), folder_entry(false), None).0.unwrap_err();
        assert!(matches!(error, HubError::Nonsense { .. }) && error.to_string().contains(words), "{error}");
    }
    let nowhere = Settings { endpoint: "no address".to_string(), ..settings(root.path()) };
    let error = pull(&nowhere, folder_entry(false), None).0.unwrap_err();
    assert!(matches!(error, HubError::Unreachable { .. }), "{error}");
}
