//! Figures of a training as trackers draw them, and the files that TensorBoard reads.

use crate::cross_validation::CrossValidationEvent;
use crate::error::Error;
use crate::experiment::ExperimentEvent;
use crate::trainer::TrainEvent;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// Figures of one moment of a training; none at its beginning or resumption.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackedFigures {
    /// Which curve they belong to: `fold-2` or `member-1`, both joined by `/`, or nothing where there is only one.
    pub run: String,
    /// Optimizer steps done.
    pub step: usize,
    /// Each by its name.
    pub values: Vec<(&'static str, f64)>,
}

/// Which training the events of an experiment are of.
#[derive(Debug, Default)]
pub struct Tracking {
    fold: Option<usize>,
    member: Option<usize>,
}

impl Tracking {
    /// The figures of an event that has some.
    pub fn figures(&mut self, event: &ExperimentEvent) -> Option<TrackedFigures> {
        let (fold, event) = match event {
            ExperimentEvent::Training(event) => (None, *event),
            ExperimentEvent::Folds(CrossValidationEvent::Training(fold, event)) => (Some(fold + 1), *event),
            ExperimentEvent::Folds(_) => return None,
        };
        if self.fold != fold {
            *self = Self { fold, member: None };
        }
        let (step, values) = match event {
            TrainEvent::Member { member, .. } => {
                self.member = Some(*member);
                return None;
            }
            TrainEvent::Start { step, .. } => (*step, Vec::new()),
            TrainEvent::Step { step, loss, learning_rate, gradient_norm, examples_per_second, .. } => {
                let values = vec![
                    ("training/loss", *loss),
                    ("training/learning_rate", *learning_rate),
                    ("training/gradient_norm", *gradient_norm),
                    ("training/examples_per_second", *examples_per_second),
                ];
                (*step, values)
            }
            TrainEvent::Validation { step, loss, accuracy, f1, roc_auc, .. } => {
                let values = [("validation/loss", *loss), ("validation/accuracy", *accuracy), ("validation/f1", *f1)];
                (*step, values.into_iter().chain(roc_auc.map(|area| ("validation/roc_auc", area))).collect())
            }
            _ => return None,
        };
        let names = [self.fold.map(|fold| format!("fold-{fold}")), self.member.map(|member| format!("member-{member}"))];
        Some(TrackedFigures { run: names.into_iter().flatten().collect::<Vec<_>>().join("/"), step, values })
    }
}

/// A folder of event files, one for each run, which TensorBoard reads while they grow.
#[derive(Debug)]
pub struct EventFiles {
    folder: PathBuf,
    files: BTreeMap<String, File>,
}

impl EventFiles {
    /// Files in this folder; it is made with the first one.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), files: BTreeMap::new() }
    }

    /// Appends figures to their run's file. Those of a beginning begin a file, before which TensorBoard forgets all later steps.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write<'a>(&mut self, run: &str, step: usize, values: impl IntoIterator<Item = (&'a str, f64)>) -> Result<(), Error> {
        let values: Vec<u8> = values.into_iter().flat_map(|(name, value)| message(1, &scalar(name, value))).collect();
        if values.is_empty() || !self.files.contains_key(run) {
            self.begin(run, if values.is_empty() { step + 1 } else { step })?;
        }
        match self.files.get_mut(run) {
            Some(file) if !values.is_empty() => {
                let event = [number(2, step as u64), message(5, &values)].concat();
                append(file, &event).map_err(Error::file("write", self.folder.join(run)))
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, run: &str, next_step: usize) -> Result<(), Error> {
        let folder = self.folder.join(run);
        std::fs::create_dir_all(&folder).map_err(Error::file("create", folder.clone()))?;
        let now = since_1970();
        // TensorBoard reads the files of a folder in the order of their names.
        let name = format!("events.out.tfevents.{:010}.{:09}.lincah.{}", now.as_secs(), now.subsec_nanos(), std::process::id());
        let path = folder.join(name);
        let mut file = File::create_new(&path).map_err(Error::file("create", path.clone()))?;
        let version = message(3, b"brain.Event:2");
        let start = [number(2, next_step as u64), message(7, &number(1, 1))].concat();
        append(&mut file, &version).and_then(|()| append(&mut file, &start)).map_err(Error::file("write", path))?;
        self.files.insert(run.to_owned(), file);
        Ok(())
    }
}

fn since_1970() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Appends an event with its time as a record: length, checksum, content, checksum (TensorFlow's `record_writer.cc`).
fn append(file: &mut File, event: &[u8]) -> std::io::Result<()> {
    let event = [&[0x09], since_1970().as_secs_f64().to_le_bytes().as_slice(), event].concat();
    let length = (event.len() as u64).to_le_bytes();
    let record =
        [length.as_slice(), &masked_checksum(&length).to_le_bytes(), &event, &masked_checksum(&event).to_le_bytes()].concat();
    // In one piece, so that whoever reads along finds no half of a record's head.
    file.write_all(&record)
}

/// A figure by its name: TensorFlow's `Summary.Value`.
fn scalar(name: &str, value: f64) -> Vec<u8> {
    [message(1, name.as_bytes()), vec![0x15], (value as f32).to_le_bytes().to_vec()].concat()
}

/// A field of a number, as protocol buffers write it.
fn number(field: u8, value: u64) -> Vec<u8> {
    let mut bytes = vec![field << 3];
    bytes.extend(variable_length(value));
    bytes
}

/// A field of bytes, text or another message.
fn message(field: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![field << 3 | 2];
    bytes.extend(variable_length(content.len() as u64));
    bytes.extend(content);
    bytes
}

/// Seven bits a byte, the lowest first; the eighth says that more follow.
fn variable_length(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// CRC-32C (Castagnoli), bit by bit: some hundred bytes a step need no table.
fn checksum(bytes: &[u8]) -> u32 {
    let by_bit = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), by_bit))
}

/// A checksum that differs from that of bytes which hold checksums.
fn masked_checksum(bytes: &[u8]) -> u32 {
    checksum(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standards() {
        // RFC 3720, appendix B.4.
        assert_eq!(checksum(b"123456789"), 0xe306_9283);
        assert_eq!(checksum(&[0; 32]), 0x8a91_36aa);
        assert_eq!(checksum(&(0..32).collect::<Vec<u8>>()), 0x46dd_794e);
    }

    #[test]
    fn numbers_are_as_long_as_they_must_be() {
        assert_eq!(number(2, 0), [0x10, 0]);
        assert_eq!(number(2, 127), [0x10, 0x7f]);
        assert_eq!(number(2, 300), [0x10, 0xac, 0x02]);
        assert_eq!(message(1, &[7; 300])[..3], [0x0a, 0xac, 0x02]);
    }

    #[test]
    fn figures_are_of_the_member_and_the_fold() {
        let member = |member| TrainEvent::Member { member, members: 2, method: crate::Method::Lora, models: Vec::new() };
        let validation =
            TrainEvent::Validation { step: 8, epoch: 1, loss: 0.5, accuracy: 0.75, f1: 0.7, roc_auc: None, best: true };
        let mut tracking = Tracking::default();
        let mut run = |event: &ExperimentEvent| tracking.figures(event).map(|figures| (figures.run, figures.values.len()));
        assert_eq!(run(&ExperimentEvent::Training(&validation)), Some((String::new(), 3)));
        assert_eq!(run(&ExperimentEvent::Folds(&CrossValidationEvent::Training(1, &member(2)))), None);
        let in_fold = CrossValidationEvent::Training(1, &validation);
        assert_eq!(run(&ExperimentEvent::Folds(&in_fold)), Some((String::from("fold-2/member-2"), 3)));
        assert_eq!(run(&ExperimentEvent::Training(&validation)), Some((String::new(), 3)));
    }

    #[test]
    fn a_beginning_begins_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = EventFiles::new(folder.path());
        files.write("member-1", 0, []).unwrap();
        files.write("member-1", 1, [("training/loss", 0.5)]).unwrap();
        files.write("member-1", 1, []).unwrap();
        let written =
            || folder.path().join("member-1").read_dir().unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
        assert_eq!(written().count(), 2);
        let with_loss = written().filter(|bytes| bytes.windows(13).any(|bytes| bytes == b"training/loss")).count();
        assert_eq!(with_loss, 1);
    }
}
