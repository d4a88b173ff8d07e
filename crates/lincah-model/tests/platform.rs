//! What depends on the operating system has one place, so that a new system is one file's work.

use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in folder.read_dir().unwrap().map(|entry| entry.unwrap().path()) {
        match path.is_dir() {
            true if path.file_name().is_some_and(|name| name == "tests") => {}
            true => sources(&path, found),
            false if path.extension().is_some_and(|kind| kind == "rs") => found.push(path),
            false => {}
        }
    }
}

#[test]
fn no_other_file_asks_which_system_it_is() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    crates.read_dir().unwrap().map(|entry| entry.unwrap().path().join("src")).filter(|path| path.is_dir()).for_each(|source| {
        sources(&source, &mut files);
    });
    let asks = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        ["cfg(unix", "cfg(not(unix", "cfg(windows", "cfg!(unix", "cfg!(windows", "target_os", "std::os::"]
            .iter()
            .any(|asked| code.contains(asked))
    };
    let mut asking: Vec<String> =
        files.iter().filter(|path| asks(path)).map(|path| path.strip_prefix(crates).unwrap().display().to_string()).collect();
    asking.sort();
    assert_eq!(asking, ["lincah-kernels/src/cpu/large_pages.rs", "lincah-model/src/platform.rs"]);
}
