//! `training.jsonl`: one line per event, as it happens.

use super::event::TrainEvent;
use crate::error::Error;
use lincah_model::new_file::write_atomically;
use std::fs::File;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

pub(super) const LOG_FILE: &str = "training.jsonl";

/// The log of a run, if it has a folder.
pub(super) struct Log {
    file: Option<(File, PathBuf)>,
}

impl Log {
    /// Opens the log of `folder`, keeping what it says of steps up to `step`.
    pub(super) fn open(folder: Option<&Path>, step: usize) -> Result<Self, Error> {
        let Some(folder) = folder else { return Ok(Self { file: None }) };
        let path = folder.join(LOG_FILE);
        let earlier = match std::fs::read_to_string(&path) {
            Ok(text) if step > 0 => text,
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::file("read", path)(error)),
            _ => String::new(),
        };
        let happened = |line: &&str| serde_json::from_str::<TrainEvent>(line).is_ok_and(|event| event.step() <= step);
        let kept: String = earlier.lines().filter(happened).map(|line| format!("{line}\n")).collect();
        write_atomically(&path, kept.as_bytes()).map_err(Error::file("write", &path))?;
        let file = File::options().append(true).open(&path).map_err(Error::file("write", &path))?;
        Ok(Self { file: Some((file, path)) })
    }

    /// Writes the event down, then passes it on.
    pub(super) fn tell(
        &mut self,
        event: &TrainEvent,
        on_event: &mut dyn FnMut(&TrainEvent) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Error> {
        if let Some((file, path)) = &mut self.file {
            let line = serde_json::to_string(event).expect("an event serializes") + "\n";
            file.write_all(line.as_bytes()).map_err(Error::file("write", path.clone()))?;
        }
        Ok(on_event(event))
    }
}
