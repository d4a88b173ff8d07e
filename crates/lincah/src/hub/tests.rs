//! No test here touches the network, but for the ignored one at the end of `pulls`.

mod cache;
mod fake_hub;
mod hugging_face;
mod wheels;

use super::catalogue::{Artefact, CatalogueEntry, Origin, PinnedFile};
use super::record::{CachedModel, Check};
use super::settings::Settings;
use super::{PullEvent, Source};
use std::path::Path;
use std::time::Duration;

/// Settings of a machine with nothing on it, no token, and a Hub that refuses connections.
fn settings(root: &Path) -> Settings {
    Settings {
        home: root.join("lincah"),
        hub_cache: root.join("huggingface").join("hub"),
        endpoint: "http://127.0.0.1:9".to_string(),
        token: None,
        offline: false,
        python: root.join("no-such-python").into(),
        connect_limit: Duration::from_secs(5),
        quiet_limit: Duration::from_secs(5),
    }
}

fn sha256(content: &[u8]) -> String {
    lincah_model::sha256::of_bytes(content)
}

/// The model as it is found when it is used.
fn cached_with(settings: &Settings, entry: &CatalogueEntry) -> Option<CachedModel> {
    super::cached_with(settings, entry, Check::Changed)
}

/// Bytes without a pattern that a wrong order or a repeated block would leave unchanged.
fn content(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

const REPOSITORY: &str = "someone/tiny";
const HUB: Origin = Origin::Hub { repository: REPOSITORY, revision: None };

/// A catalogue entry for one GGUF file with this content.
fn gguf_entry(content: &[u8], origins: Vec<Origin>) -> &'static CatalogueEntry {
    let bytes = content.len() as u64;
    let artefact = Artefact::GgufFile { file: "tiny.gguf", bytes, sha256: sha256(content).leak() };
    entry(artefact, bytes, false, origins)
}

/// A catalogue entry for a Hugging Face folder.
fn folder_entry(gated: bool) -> &'static CatalogueEntry {
    entry(Artefact::HuggingFaceFolder, 1000, gated, vec![HUB])
}

/// Files of a pinned folder, one of them in a folder of its own.
fn pinned_folder() -> Vec<(&'static str, Vec<u8>)> {
    let small = |text: &str| text.as_bytes().to_vec();
    vec![("1_Pooling/config.json", small("{\"a\": 1}")), ("config.json", small("{}")), ("model.safetensors", content(10_000))]
}

/// A catalogue entry for such a folder.
fn pinned_folder_entry(files: &[(&'static str, Vec<u8>)], origins: Vec<Origin>) -> &'static CatalogueEntry {
    let pinned = |(name, content): &(&'static str, Vec<u8>)| PinnedFile {
        name,
        bytes: content.len() as u64,
        sha256: sha256(content).leak(),
    };
    entry(Artefact::PinnedFolder(files.iter().map(pinned).collect::<Vec<_>>().leak()), 10_000, false, origins)
}

fn entry(artefact: Artefact, bytes: u64, gated: bool, origins: Vec<Origin>) -> &'static CatalogueEntry {
    Box::leak(Box::new(CatalogueEntry {
        name: "tiny",
        title: "A tiny model",
        parameters: 10,
        bytes,
        licence: "Tiny Licence",
        licence_url: "https://example.org/licence",
        gated,
        artefact,
        origins: origins.leak(),
    }))
}

/// Pulls and returns the result with the events.
fn pull(
    settings: &Settings,
    entry: &'static CatalogueEntry,
    source: Option<Source>,
) -> (Result<std::path::PathBuf, super::HubError>, Vec<PullEvent>) {
    let mut events = Vec::new();
    let result = super::pull_with(settings, entry, source, &mut |event| events.push(event));
    (result, events)
}

/// The names of all files below a folder, temporaries among them.
fn files_below(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for file in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match file.file_type().unwrap().is_dir() {
            true => names.extend(files_below(&file.path())),
            false => names.push(file.file_name().into_string().unwrap()),
        }
    }
    names.sort();
    names
}
