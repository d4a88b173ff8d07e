//! All that a training needs to go on as if it had never stopped, in one file.

use crate::error::Error;
use lincah_model::lora::AdapterTensor;
use lincah_model::new_file::write_atomically;
use lincah_model::{Adapter, LoraConfig, Moments, OptimizerState, regular_file};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Removes the checkpoint of a training whose classifier is saved.
pub(crate) fn remove_checkpoint(folder: &Path) -> Result<(), Error> {
    let path = folder.join(CHECKPOINT_FILE);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file("remove", path)(error)),
        _ => Ok(()),
    }
}

pub(super) const CHECKPOINT_FILE: &str = "checkpoint.safetensors";
const STATE_KEY: &str = "state";
/// Earlier versions, which summed the gradients of independent labels in another order, wrote none.
const FORMAT: u32 = 3;
/// Bytes; adapter, moments, best epoch and members are some ten times the adapter.
const LARGEST: u64 = 1 << 35;

/// The best epoch so far, by validation loss.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Best {
    pub(super) epoch: usize,
    pub(super) loss: f64,
    pub(super) adapter: Adapter,
}

/// The state of a training between two steps.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Checkpoint {
    /// What decides the run: recipe, prompt, model, data.
    pub(super) run: String,
    pub(super) step: usize,
    pub(super) adapter: Adapter,
    pub(super) optimizer: OptimizerState,
    pub(super) best: Option<Best>,
    /// Adapters of the members that are trained.
    pub(super) members: Vec<Adapter>,
}

/// The part of a checkpoint that is no array. The validation loss is kept as bits: a decimal might not come back the same.
#[derive(Serialize, Deserialize)]
struct State {
    #[serde(default)]
    format: u32,
    run: String,
    step: usize,
    optimizer_steps: u32,
    best: Option<(usize, u64)>,
    #[serde(default)]
    members: usize,
}

impl Checkpoint {
    /// Writes the checkpoint in place of the last one, in one rename.
    pub(super) fn write(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(CHECKPOINT_FILE);
        let mut arrays: BTreeMap<String, (Vec<usize>, Vec<u8>)> = BTreeMap::new();
        let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let mut add_adapter = |group: &str, adapter: &Adapter| {
            for (key, tensor) in &adapter.tensors {
                arrays.insert(format!("{group}/{key}"), (tensor.shape.to_vec(), bytes(&tensor.values)));
            }
        };
        add_adapter("adapter", &self.adapter);
        if let Some(best) = &self.best {
            add_adapter("best", &best.adapter);
        }
        for (index, member) in self.members.iter().enumerate() {
            add_adapter(&format!("member {index}"), member);
        }
        for (key, moments) in &self.optimizer.moments {
            arrays.insert(format!("first/{key}"), (vec![moments.first.len()], bytes(&moments.first)));
            arrays.insert(format!("second/{key}"), (vec![moments.second.len()], bytes(&moments.second)));
        }
        let state = State {
            format: FORMAT,
            run: self.run.clone(),
            step: self.step,
            optimizer_steps: self.optimizer.steps,
            best: self.best.as_ref().map(|best| (best.epoch, best.loss.to_bits())),
            members: self.members.len(),
        };
        let metadata = HashMap::from([(STATE_KEY.to_string(), serde_json::to_string(&state).expect("a state serializes"))]);
        let views = arrays.iter().map(|(key, (shape, bytes))| {
            (key.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).expect("the bytes are the shape's"))
        });
        let serialized = safetensors::serialize(views, Some(metadata)).expect("arrays of f32 serialize");
        write_atomically(&path, &serialized).map_err(Error::file("write", &path))
    }

    /// Reads the checkpoint of a folder, for a training of `steps` steps.
    pub(super) fn read(folder: &Path, config: &LoraConfig, steps: usize) -> Result<Self, Error> {
        let path = folder.join(CHECKPOINT_FILE);
        let bytes = match regular_file::read(&path, LARGEST) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::NothingToResume { path: folder.to_path_buf() });
            }
            Err(error) => return Err(Error::file("read", path)(error)),
        };
        let damaged = |reason: String| Error::Damaged { path: path.clone(), reason };
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| damaged(error.to_string()))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
        let state = header.metadata().as_ref().and_then(|metadata| metadata.get(STATE_KEY));
        let state: State = state
            .and_then(|state| serde_json::from_str(state).ok())
            .ok_or_else(|| damaged(String::from("it holds no training state")))?;
        if state.format != FORMAT {
            return Err(Error::EarlierCheckpoint { path: folder.to_path_buf() });
        }
        let mut adapters: BTreeMap<String, BTreeMap<String, AdapterTensor>> = BTreeMap::new();
        let is_adapter = |group: &str| matches!(group, "adapter" | "best") || group.starts_with("member ");
        let mut moments: BTreeMap<String, Moments> = BTreeMap::new();
        for (key, view) in file.iter() {
            if view.dtype() != Dtype::F32 {
                return Err(damaged(format!("its array `{key}` is {:?}, not F32", view.dtype())));
            }
            let values: Vec<f32> = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            let entry = || Moments { first: Vec::new(), second: Vec::new() };
            match (key.split_once('/'), view.shape()) {
                (Some((group, key)), &[rows, columns]) if is_adapter(group) => {
                    adapters
                        .entry(group.to_string())
                        .or_default()
                        .insert(key.to_string(), AdapterTensor { shape: [rows, columns], values });
                }
                (Some(("first", key)), _) => moments.entry(key.to_string()).or_insert_with(entry).first = values,
                (Some(("second", key)), _) => moments.entry(key.to_string()).or_insert_with(entry).second = values,
                _ => return Err(damaged(format!("it holds an unexpected array `{key}`"))),
            }
        }
        let best_epoch = state.best.map_or(0, |(epoch, _)| epoch);
        if state.step > steps || best_epoch > state.step || state.optimizer_steps as usize > state.step {
            return Err(damaged(format!("it is at step {} of {steps}, best epoch {best_epoch}", state.step)));
        }
        let groups = 1 + usize::from(state.best.is_some());
        if state.members != adapters.len().saturating_sub(groups) {
            return Err(damaged(format!("it has not the arrays of the {} members that it counts", state.members)));
        }
        let mut take = |group: &str| match adapters.remove(group) {
            Some(tensors) => Ok(Adapter { config: config.clone(), tensors }),
            None => Err(damaged(format!("it has no arrays of `{group}`"))),
        };
        Ok(Self {
            run: state.run,
            step: state.step,
            adapter: take("adapter")?,
            optimizer: OptimizerState { steps: state.optimizer_steps, moments },
            members: (0..state.members).map(|index| take(&format!("member {index}"))).collect::<Result<_, _>>()?,
            best: match state.best {
                Some((epoch, bits)) => Some(Best { epoch, loss: f64::from_bits(bits), adapter: take("best")? }),
                None => None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lincah_model::Target;

    fn checkpoint() -> Checkpoint {
        let config = LoraConfig {
            rank: 1,
            alpha: 1.0,
            dropout: 0.0,
            targets: vec![Target::Query],
            layers: None,
            rank_stabilized: false,
            layout: Default::default(),
        };
        let adapter = |value: f32| Adapter {
            config: config.clone(),
            tensors: BTreeMap::from([(
                String::from("a.weight"),
                AdapterTensor { shape: [1, 3], values: vec![value, -0.0, 1e-40] },
            )]),
        };
        Checkpoint {
            run: String::from("0123"),
            step: 7,
            adapter: adapter(0.1),
            optimizer: OptimizerState {
                steps: 7,
                moments: BTreeMap::from([(String::from("a.weight"), Moments { first: vec![0.1; 3], second: vec![1e-30; 3] })]),
            },
            best: Some(Best { epoch: 2, loss: 0.1 + 0.2, adapter: adapter(0.3) }),
            members: vec![adapter(0.5), adapter(0.7)],
        }
    }

    #[test]
    fn a_checkpoint_comes_back_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        for checkpoint in [checkpoint(), Checkpoint { best: None, ..checkpoint() }] {
            checkpoint.write(folder.path()).unwrap();
            assert_eq!(Checkpoint::read(folder.path(), &checkpoint.adapter.config, 8).unwrap(), checkpoint);
        }
    }

    #[test]
    fn a_missing_and_a_damaged_checkpoint_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let config = checkpoint().adapter.config;
        assert!(matches!(Checkpoint::read(folder.path(), &config, 8), Err(Error::NothingToResume { .. })));
        checkpoint().write(folder.path()).unwrap();
        let path = folder.path().join(CHECKPOINT_FILE);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        assert!(matches!(Checkpoint::read(folder.path(), &config, 8), Err(Error::Damaged { .. })));
    }

    #[test]
    fn counts_that_the_arrays_do_not_bear_out_are_damage() {
        let folder = tempfile::tempdir().unwrap();
        let config = checkpoint().adapter.config;
        let path = folder.path().join(CHECKPOINT_FILE);
        let state = |step: usize, members: usize, best: &str| {
            format!(r#"{{"format":{FORMAT},"run":"0123","step":{step},"optimizer_steps":7,"best":{best},"members":{members}}}"#)
        };
        let write = |state: String| {
            checkpoint().write(folder.path()).unwrap();
            let bytes = std::fs::read(&path).unwrap();
            let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
            assert!(header.metadata().is_some());
            let file = SafeTensors::deserialize(&bytes).unwrap();
            let changed = safetensors::serialize(file.iter(), Some(HashMap::from([(STATE_KEY.to_string(), state)]))).unwrap();
            std::fs::write(&path, changed).unwrap();
        };
        write(state(7, 2, "[2,0]"));
        assert!(Checkpoint::read(folder.path(), &config, 8).is_ok());
        for (step, members, best) in [
            (1_000_000_000_000_000, 2, "[2,0]"),
            (9, 2, "[2,0]"),
            (6, 2, "[2,0]"),
            (7, 1_000_000_000, "[2,0]"),
            (7, usize::MAX, "[2,0]"),
            (7, 1, "[2,0]"),
            (7, 3, "null"),
            (7, 2, "[8,0]"),
        ] {
            write(state(step, members, best));
            let found = Checkpoint::read(folder.path(), &config, 8);
            assert!(matches!(found, Err(Error::Damaged { .. })), "{step} {members} {best}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_device_is_no_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/dev/zero", folder.path().join(CHECKPOINT_FILE)).unwrap();
        let found = Checkpoint::read(folder.path(), &checkpoint().adapter.config, 8);
        assert!(matches!(found, Err(Error::File { .. })));
    }
}
