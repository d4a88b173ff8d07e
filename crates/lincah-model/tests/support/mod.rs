//! What several test files need.
#![allow(dead_code, reason = "each test file uses a part")]

use std::path::PathBuf;

/// A model file in lincah's cache; only tests that are ignored by default call this.
pub fn cached_model(name: &str, file: &str) -> PathBuf {
    let home = std::env::var_os("LINCAH_HOME").map(PathBuf::from);
    let home = home.unwrap_or_else(|| std::env::home_dir().expect("a home folder").join(".cache/lincah"));
    let path = home.join("models").join(name).join(file);
    assert!(path.is_file(), "{} is missing: run `lincah pull {name}`", path.display());
    path
}

pub fn smollm2() -> PathBuf {
    cached_model("smollm2-135m", "SmolLM2-135M-Instruct.Q4_1.gguf")
}

pub fn gemma3() -> PathBuf {
    cached_model("gemma-3-270m", "gemma-3-270m-q4_k_m.gguf")
}

/// The first 16 hexadecimal digits of the SHA-256 of the numbers as little-endian bytes.
pub fn digest(numbers: &[f32]) -> String {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    for chunk in numbers.chunks(1 << 16) {
        hash.update(chunk.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>());
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Writes GGUF files, so that tests can damage them.
#[derive(Default)]
pub struct GgufBuilder {
    metadata_count: u64,
    metadata: Vec<u8>,
    tensors: Vec<(String, Vec<u64>, u32, Vec<u8>)>,
}

impl GgufBuilder {
    fn key(&mut self, key: &str, value_type: u32) {
        self.metadata_count += 1;
        put_text(&mut self.metadata, key);
        self.metadata.extend(value_type.to_le_bytes());
    }

    pub fn unsigned(mut self, key: &str, value: u32) -> Self {
        self.key(key, 4);
        self.metadata.extend(value.to_le_bytes());
        self
    }

    pub fn float(mut self, key: &str, value: f32) -> Self {
        self.key(key, 6);
        self.metadata.extend(value.to_le_bytes());
        self
    }

    pub fn boolean(mut self, key: &str, value: bool) -> Self {
        self.key(key, 7);
        self.metadata.push(value.into());
        self
    }

    pub fn text(mut self, key: &str, value: &str) -> Self {
        self.key(key, 8);
        put_text(&mut self.metadata, value);
        self
    }

    pub fn text_array(mut self, key: &str, values: &[&str]) -> Self {
        self.key(key, 9);
        self.metadata.extend(8u32.to_le_bytes());
        self.metadata.extend((values.len() as u64).to_le_bytes());
        for value in values {
            put_text(&mut self.metadata, value);
        }
        self
    }

    /// Any value, its type's number and bytes given.
    pub fn raw(mut self, key: &str, value_type: u32, bytes: &[u8]) -> Self {
        self.key(key, value_type);
        self.metadata.extend(bytes);
        self
    }

    /// An F32 tensor of row-major `shape`.
    pub fn tensor(self, name: &str, shape: &[u64], numbers: &[f32]) -> Self {
        let bytes = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.raw_tensor(name, shape, 0, bytes)
    }

    /// A tensor of any type, given by its number, whose bytes may not fit its shape.
    pub fn raw_tensor(mut self, name: &str, shape: &[u64], tensor_type: u32, bytes: Vec<u8>) -> Self {
        self.tensors.push((name.into(), shape.to_vec(), tensor_type, bytes));
        self
    }

    pub fn build(&self) -> Vec<u8> {
        let mut file = b"GGUF".to_vec();
        file.extend(3u32.to_le_bytes());
        file.extend((self.tensors.len() as u64).to_le_bytes());
        file.extend(self.metadata_count.to_le_bytes());
        file.extend(&self.metadata);
        let mut data = Vec::new();
        for (name, shape, tensor_type, bytes) in &self.tensors {
            put_text(&mut file, name);
            file.extend((shape.len() as u32).to_le_bytes());
            for dimension in shape.iter().rev() {
                file.extend(dimension.to_le_bytes());
            }
            file.extend(tensor_type.to_le_bytes());
            file.extend((data.len() as u64).to_le_bytes());
            data.extend(bytes);
            data.resize(data.len().next_multiple_of(32), 0);
        }
        file.resize(file.len().next_multiple_of(32), 0);
        file.extend(data);
        file
    }
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}
