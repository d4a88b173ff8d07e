//! Whatever the bytes, opening them as a GGUF file and reading all that it then offers must neither panic nor allocate without bound.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use lincah_model::gguf::GgufFile;
use lincah_model::weights::ModelFiles;

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = GgufFile::from_bytes(Path::new("fuzzed.gguf"), bytes.to_vec()) else { return };
    for key in file.metadata_keys() {
        let _ = (file.text_array(key), file.float_array(key), file.integer_array(key));
    }
    for tensor in file.tensors() {
        let rows = tensor.shape().iter().rev().skip(1).product();
        let numbers = file.read_rows(tensor, 0..rows).expect("a tensor that was checked when the file was opened");
        assert_eq!(numbers.len(), tensor.shape().iter().product::<usize>());
    }
    if let Ok(model) = ModelFiles::from_gguf(file) {
        let _ = model.weights().read("model.norm.weight", &[model.config().hidden_size()]);
    }
});
