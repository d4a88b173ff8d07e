//! Any bytes as adapter_config.json, beside the weights of a small adapter: an adapter with a finite scale, or an error.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use lincah_model::Adapter;

/// An empty safetensors file: the length of its header, and the header.
const WEIGHTS: &[u8] = b"\x02\0\0\0\0\0\0\0{}";

fuzz_target!(|bytes: &[u8]| {
    if let Ok(adapter) = Adapter::from_bytes(Path::new("fuzzed"), bytes, WEIGHTS) {
        assert!(adapter.config.scale().is_finite());
        assert_eq!(adapter.sha256().len(), 64);
    }
    // The other way round: any bytes as the weights.
    if let Ok(adapter) = Adapter::from_bytes(Path::new("fuzzed"), b"{}", bytes) {
        let whole = |values: usize, shape: [usize; 2]| values == shape[0] * shape[1];
        assert!(adapter.tensors.values().all(|tensor| whole(tensor.values.len(), tensor.shape)));
    }
});
