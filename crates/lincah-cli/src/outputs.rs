//! Places that must not be written to: inputs, classifiers, models.

use anyhow::bail;
use std::path::{Path, PathBuf};

/// Refuses an output that is one of the inputs or lies in the folder of a classifier or a model, whose files it would replace.
pub(crate) fn check(output: &Path, inputs: &[&Path]) -> anyhow::Result<()> {
    let place = resolved(output);
    for input in inputs {
        if resolved(input) == place {
            bail!("{} is an input of this command; choose another output, or its rows would be lost", output.display());
        }
    }
    let kept = ["classifier.json", "adapter_config.json", "config.json", "lincah.json"];
    if let Some(folder) = place.ancestors().skip(1).find(|folder| kept.iter().any(|file| folder.join(file).is_file())) {
        bail!("{} lies in {}, a folder of a classifier or a model; choose another output", output.display(), folder.display());
    }
    if let Ok(cache) = lincah::hub::home()
        && place.starts_with(resolved(&cache))
    {
        bail!("{} lies in the cache of models; choose another output", output.display());
    }
    Ok(())
}

/// Refuses, beyond [`check`], a place where no new folder can be: one that has something in it, or that is or lies in what is no folder.
pub(crate) fn check_new_folder(output: &Path) -> anyhow::Result<()> {
    check(output, &[])?;
    // Of a link it is asked where it leads; one that leads nowhere is no folder.
    let there = output.ancestors().find(|place| place.symlink_metadata().is_ok());
    if let Some(taken) = there.filter(|place| !place.is_dir()) {
        bail!("{} is not a folder; choose another output folder", taken.display());
    }
    if std::fs::read_dir(output).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("{} is not empty; choose another output folder", output.display());
    }
    Ok(())
}

/// Refuses a folder of the cache of models, in which nothing is to be changed.
pub(crate) fn check_writable(folder: &Path) -> anyhow::Result<()> {
    if let Ok(cache) = lincah::hub::home()
        && resolved(folder).starts_with(resolved(&cache))
    {
        bail!("{} lies in the cache of models; copy it elsewhere first", folder.display());
    }
    Ok(())
}

/// The file that a path leads to, whether it is there or not.
fn resolved(path: &Path) -> PathBuf {
    if let Ok(found) = path.canonicalize() {
        return found;
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let parent = parent.canonicalize().unwrap_or_else(|_| parent.to_path_buf());
    path.file_name().map_or(parent.clone(), |name| parent.join(name))
}
