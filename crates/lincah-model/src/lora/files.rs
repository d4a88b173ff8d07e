//! `adapter_config.json` and `adapter_model.safetensors`, as PEFT writes and reads them.

use super::config_file::ConfigFile;
use super::{Adapter, AdapterTensor, LABEL_ROWS_KEY};
use crate::new_file::write_atomically;
use crate::regular_file;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const CONFIG_FILE: &str = "adapter_config.json";
const WEIGHTS_FILE: &str = "adapter_model.safetensors";
/// More than any adapter has: rank 256 on every projection of a model of 20 billion weights is 3 GB.
const LARGEST_WEIGHTS: u64 = 1 << 32;
/// What can be wrong with an adapter.
#[derive(Debug, thiserror::Error)]
pub enum AdapterError {
    /// A target that no block has.
    #[error("there is no module `{name}` to adapt; the seven are q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj")]
    UnknownTarget {
        /// The name given.
        name: String,
    },
    /// A number outside its range.
    #[error("{field} is {value}, but must be {expected}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
        /// The range.
        expected: &'static str,
    },
    /// A rank beyond the width of the model's layers.
    #[error("rank is {rank}, but the model's hidden size allows 1 to {most}")]
    RankTooLarge {
        /// The rank.
        rank: usize,
        /// D.
        most: usize,
    },
    /// A layer that the model has not.
    #[error("layer {layer} cannot be adapted: the model has layers 0 to {}", layer_count - 1)]
    NoSuchLayer {
        /// The layer.
        layer: usize,
        /// How many the model has.
        layer_count: usize,
    },
    /// A file that cannot be read or written.
    #[error("cannot {action} {path}")]
    File {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Not JSON.
    #[error("{path} is not valid JSON")]
    Json {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A field of the configuration that cannot be honoured.
    #[error("{path}: `{field}` is {value}; lincah reads {expected}")]
    Field {
        /// The file.
        path: PathBuf,
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
        /// What would be read.
        expected: &'static str,
    },
    /// Not a safetensors file.
    #[error("{path} is not a valid safetensors file; it may be cut short: train or copy it again")]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: safetensors::SafeTensorError,
    },
    /// A tensor of a wrong kind.
    #[error("{path}: tensor `{key}` is {found}; expected {expected}")]
    Tensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        key: String,
        /// Its type or shape.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// The adapter's arrays are not those that its configuration and the model ask for.
    #[error("the adapter {problem} tensor `{key}`; it was made for another model or configuration")]
    Mismatch {
        /// `lacks` or `has an unexpected`.
        problem: &'static str,
        /// The tensor.
        key: String,
    },
    /// An array of another size than the model's.
    #[error("adapter tensor `{key}` has shape {found:?}, but the model needs {expected:?}")]
    Shape {
        /// The tensor.
        key: String,
        /// Its shape.
        found: [usize; 2],
        /// The model's.
        expected: [usize; 2],
    },
}

impl Adapter {
    /// Writes a folder's two adapter files, each to a temporary name first, then renamed.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn write(&self, folder: &Path, base_model: &str) -> Result<(), AdapterError> {
        let weights = folder.join(WEIGHTS_FILE);
        let bytes: BTreeMap<&str, Vec<u8>> = self
            .tensors
            .iter()
            .map(|(key, tensor)| (key.as_str(), tensor.values.iter().flat_map(|v| v.to_le_bytes()).collect()))
            .collect();
        let views = bytes.iter().map(|(key, bytes)| {
            let view = TensorView::new(Dtype::F32, self.tensors[*key].shape.to_vec(), bytes).expect("the bytes are the shape's");
            (*key, view)
        });
        let metadata = Some([(String::from("format"), String::from("pt"))].into());
        let serialized = safetensors::serialize(views, metadata)
            .map_err(|source| AdapterError::Safetensors { path: weights.clone(), source })?;
        write(&weights, &serialized)?;
        let mut config = serde_json::to_string_pretty(&self.config_json(base_model)).expect("a JSON value serializes");
        config.push('\n');
        write(&folder.join(CONFIG_FILE), config.as_bytes())
    }

    fn config_json(&self, base_model: &str) -> Value {
        let config = &self.whole_config();
        json!({
            "alpha_pattern": {},
            "auto_mapping": null,
            "base_model_name_or_path": base_model,
            "bias": "none",
            "fan_in_fan_out": false,
            "inference_mode": true,
            "init_lora_weights": true,
            "layers_pattern": null,
            "layers_to_transform": config.layers,
            "lora_alpha": whole_if_possible(config.alpha),
            "lora_dropout": config.dropout,
            "modules_to_save": self.label_rows().map(|_| ["score"]),
            "peft_type": "LORA",
            "r": config.rank,
            "rank_pattern": {},
            "revision": null,
            "target_modules": config.targets,
            "task_type": if self.label_rows().is_some() { "SEQ_CLS" } else { "CAUSAL_LM" },
            "use_dora": false,
            "use_rslora": config.rank_stabilized,
        })
    }

    /// Reads a folder's two adapter files, PEFT's own or lincah's.
    ///
    /// Absent fields take PEFT's defaults (r 8, alpha 8, dropout 0). `target_modules` may be a list of names or of paths that end in one;
    /// a pattern is resolved by the arrays that are there.
    ///
    /// # Errors
    /// Files missing, damaged or not regular, settings of another type than PEFT's, and those that lincah does not compute: DoRA, biases,
    /// saved modules other than the `score` of SEQ_CLS, rank or alpha patterns.
    pub fn read(folder: &Path) -> Result<Self, AdapterError> {
        let weights = read(&folder.join(WEIGHTS_FILE), LARGEST_WEIGHTS)?;
        let config = read(&folder.join(CONFIG_FILE), regular_file::SMALL)?;
        Self::from_bytes(folder, &config, &weights)
    }

    /// The adapter in the content of the two files; `folder` names them in messages.
    ///
    /// # Errors
    /// As [`Adapter::read`], but that a file is missing.
    pub fn from_bytes(folder: &Path, config: &[u8], weights: &[u8]) -> Result<Self, AdapterError> {
        let tensors = read_tensors(&folder.join(WEIGHTS_FILE), weights)?;
        let path = folder.join(CONFIG_FILE);
        let json: Map<String, Value> =
            serde_json::from_slice(config).map_err(|source| AdapterError::Json { path: path.clone(), source })?;
        let config = ConfigFile { path: &path, json: &json }.resolve(&tensors)?;
        if json.get("task_type").is_some_and(|task| task == "SEQ_CLS") && !tensors.contains_key(LABEL_ROWS_KEY) {
            return Err(AdapterError::Mismatch { problem: "lacks", key: LABEL_ROWS_KEY.to_owned() });
        }
        Ok(Self { config, tensors })
    }
}

fn whole_if_possible(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e15 { json!(value as i64) } else { json!(value) }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), AdapterError> {
    write_atomically(path, bytes).map_err(|source| AdapterError::File { action: "write", path: path.to_path_buf(), source })
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, AdapterError> {
    regular_file::read(path, limit).map_err(|source| AdapterError::File { action: "read", path: path.to_path_buf(), source })
}

fn read_tensors(path: &Path, bytes: &[u8]) -> Result<BTreeMap<String, AdapterTensor>, AdapterError> {
    let file =
        SafeTensors::deserialize(bytes).map_err(|source| AdapterError::Safetensors { path: path.to_path_buf(), source })?;
    let mut tensors = BTreeMap::new();
    for (key, view) in file.iter() {
        let refuse = |found: String, expected: &str| AdapterError::Tensor {
            path: path.to_path_buf(),
            key: key.to_string(),
            found,
            expected: expected.to_string(),
        };
        let &[rows, columns] = view.shape() else {
            return Err(refuse(format!("of shape {:?}", view.shape()), "two dimensions (LoRA on linear layers only)"));
        };
        let values: Vec<f32> = match view.dtype() {
            Dtype::F32 => view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
            Dtype::F16 => view.data().chunks_exact(2).map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32()).collect(),
            Dtype::BF16 => view.data().chunks_exact(2).map(|b| half::bf16::from_le_bytes([b[0], b[1]]).to_f32()).collect(),
            other => return Err(refuse(format!("{other:?}"), "F32, F16 or BF16")),
        };
        if values.iter().any(|v| !v.is_finite()) {
            return Err(refuse(String::from("not finite everywhere"), "finite numbers"));
        }
        tensors.insert(key.to_string(), AdapterTensor { shape: [rows, columns], values });
    }
    Ok(tensors)
}

#[cfg(test)]
mod tests {
    use super::super::{LoraConfig, LoraLayout, Target};
    use super::*;
    use std::sync::LazyLock;

    fn adapter() -> Adapter {
        let config = LoraConfig {
            rank: 2,
            alpha: 4.0,
            dropout: 0.1,
            targets: vec![Target::Query, Target::Down],
            layers: Some(vec![0]),
            rank_stabilized: true,
            layout: LoraLayout::Whole,
        };
        let tensor =
            |shape: [usize; 2]| AdapterTensor { shape, values: (0..shape[0] * shape[1]).map(|i| i as f32 * 0.5).collect() };
        let tensors = [Target::Query, Target::Down].into_iter().flat_map(|target| {
            [
                (super::super::tensor_key(0, target, 'A'), tensor([2, 3])),
                (super::super::tensor_key(0, target, 'B'), tensor([5, 2])),
            ]
        });
        Adapter { config, tensors: tensors.collect() }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        adapter().write(folder.path(), "a-model").unwrap();
        assert_eq!(Adapter::read(folder.path()).unwrap(), adapter());
        let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "no temporary file is left: {names:?}");
    }

    #[test]
    fn a_layout_per_head_is_saved_in_its_whole_form() {
        let folder = tempfile::tempdir().unwrap();
        for rank_stabilized in [false, true] {
            let mut adapter = adapter();
            (adapter.config.rank, adapter.config.rank_stabilized) = (1, rank_stabilized);
            adapter.config.layout = LoraLayout::PerHead;
            adapter.write(folder.path(), "a-model").unwrap();
            let read = Adapter::read(folder.path()).unwrap();
            assert_eq!((read.config.rank, read.config.layout), (2, LoraLayout::Whole));
            assert!((read.config.scale() - adapter.config.scale()).abs() < 1e-6);
            assert_eq!(read.tensors, adapter.tensors);
        }
    }

    #[test]
    fn settings_that_are_not_computed_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for (field, value) in [
            ("use_dora", json!(true)),
            ("bias", json!("all")),
            ("task_type", json!("SEQ_2_SEQ_LM")),
            ("task_type", json!(1)),
            ("rank_pattern", json!({"q_proj": 4})),
            ("layer_replication", json!([[0, 1], [0, 1]])),
            ("r", json!(0)),
            ("lora_alpha", json!(1e308)),
            ("lora_alpha", json!("16")),
            ("use_rslora", json!("yes")),
            ("use_dora", json!("true")),
            ("fan_in_fan_out", json!(1)),
            ("peft_type", json!(["LORA"])),
            ("bias", json!(false)),
            ("alpha_pattern", json!("none")),
            ("lora_dropout", json!(true)),
        ] {
            adapter().write(folder.path(), "a-model").unwrap();
            let path = folder.path().join(CONFIG_FILE);
            let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            config[field] = value;
            std::fs::write(&path, config.to_string()).unwrap();
            let message = Adapter::read(folder.path()).unwrap_err().to_string();
            assert!(message.contains(&format!("`{field}`")), "{message}");
        }
    }

    #[test]
    fn absent_settings_take_the_defaults_and_a_pattern_is_resolved_by_the_arrays() {
        let folder = tempfile::tempdir().unwrap();
        adapter().write(folder.path(), "a-model").unwrap();
        let path = folder.path().join(CONFIG_FILE);
        std::fs::write(&path, r#"{"peft_type": "LORA", "target_modules": ".*(q|down)_proj"}"#).unwrap();
        let config = Adapter::read(folder.path()).unwrap().config;
        assert_eq!((config.rank, config.alpha, config.dropout), (8, 8.0, 0.0));
        assert_eq!(config.targets, [Target::Query, Target::Down]);
    }

    #[test]
    fn the_hash_follows_what_the_adapter_computes() {
        let folder = tempfile::tempdir().unwrap();
        let changed = |change: &dyn Fn(&mut Adapter)| {
            let mut other = adapter();
            change(&mut other);
            other.sha256()
        };
        let hash = adapter().sha256();
        assert_eq!(hash.len(), 64);
        assert_ne!(changed(&|other| other.config.alpha = 5.0), hash);
        assert_ne!(changed(&|other| other.config.rank_stabilized = false), hash);
        assert_ne!(changed(&|other| other.tensors.first_entry().unwrap().get_mut().values[0] = -0.0), hash);
        let rename = |other: &mut Adapter| {
            let (_, tensor) = other.tensors.pop_first().unwrap();
            other.tensors.insert(String::from("a"), tensor);
        };
        assert_ne!(changed(&rename), hash);
        assert_eq!(changed(&|other| other.config.dropout = 0.5), hash);
        for layout in [LoraLayout::Whole, LoraLayout::PerHead] {
            let mut adapter = adapter();
            (adapter.config.layout, adapter.config.rank) = (layout, if layout == LoraLayout::Whole { 2 } else { 1 });
            adapter.write(folder.path(), "a-model").unwrap();
            assert_eq!(Adapter::read(folder.path()).unwrap().sha256(), adapter.sha256());
        }
    }

    #[test]
    fn a_configuration_that_is_no_object_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        adapter().write(folder.path(), "a-model").unwrap();
        std::fs::write(folder.path().join(CONFIG_FILE), "[]").unwrap();
        assert!(matches!(Adapter::read(folder.path()), Err(AdapterError::Json { .. })));
    }

    #[test]
    #[cfg(unix)]
    fn devices_and_pipes_are_not_read() {
        for file in [CONFIG_FILE, WEIGHTS_FILE] {
            let folder = tempfile::tempdir().unwrap();
            adapter().write(folder.path(), "a-model").unwrap();
            let path = folder.path().join(file);
            std::fs::remove_file(&path).unwrap();
            std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
            assert!(matches!(Adapter::read(folder.path()), Err(AdapterError::File { .. })));
            std::fs::remove_file(&path).unwrap();
            assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
            assert!(matches!(Adapter::read(folder.path()), Err(AdapterError::File { .. })));
        }
    }

    #[test]
    fn a_file_cut_short_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        adapter().write(folder.path(), "a-model").unwrap();
        let path = folder.path().join(WEIGHTS_FILE);
        let bytes = std::fs::read(&path).unwrap();
        for length in [0, 7, 40, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..length]).unwrap();
            assert!(Adapter::read(folder.path()).unwrap_err().to_string().contains(WEIGHTS_FILE));
        }
    }

    proptest::proptest! {
        /// A byte of either file changed, put in or left out: a whole adapter, or an error, never a panic.
        #[test]
        fn changed_files_give_an_adapter_or_an_error(place in 0.0..1.0_f64, byte: u8, how in 0..3, of_config: bool) {
            static FILES: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
                let folder = tempfile::tempdir().unwrap();
                adapter().write(folder.path(), "a-model").unwrap();
                [CONFIG_FILE, WEIGHTS_FILE].map(|file| std::fs::read(folder.path().join(file)).unwrap())
            });
            let mut files = FILES.clone();
            let changed = &mut files[usize::from(!of_config)];
            let place = (place * changed.len() as f64) as usize;
            match how {
                0 => changed[place] = byte,
                1 => changed.insert(place, byte),
                _ => drop(changed.remove(place)),
            }
            if let Ok(adapter) = Adapter::from_bytes(Path::new("folder"), &files[0], &files[1]) {
                proptest::prop_assert!(adapter.config.scale().is_finite());
                let whole = |tensor: &AdapterTensor| tensor.values.len() == tensor.shape[0] * tensor.shape[1];
                proptest::prop_assert!(adapter.tensors.values().all(whole));
            }
        }
    }
}
