//! The GGUF reader: values and tensors of good files, one clear error for each kind of damaged file.

mod support;

use std::path::Path;

use lincah_model::gguf::{GgufError, GgufFile, MetadataValue, TensorType};
use support::GgufBuilder;

fn small() -> GgufBuilder {
    GgufBuilder::default()
        .text("general.architecture", "llama")
        .unsigned("llama.block_count", 2)
        .raw("some.negative", 5, &(-3i32).to_le_bytes())
        .float("llama.rope.freq_base", 10000.0)
        .boolean("tokenizer.ggml.add_bos_token", true)
        .text_array("tokenizer.ggml.tokens", &["a", "", "Ġé"])
        .raw("tokenizer.ggml.scores", 9, &array_bytes(6, &[0.5f32.to_le_bytes(), (-1f32).to_le_bytes()]))
        .raw("tokenizer.ggml.token_type", 9, &array_bytes(5, &[1i32.to_le_bytes(), 3i32.to_le_bytes()]))
        .tensor("matrix", &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
        .raw_tensor("half", &[3], 1, vec![0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00])
        .raw_tensor("brain", &[2], 30, vec![0x80, 0x3f, 0x20, 0xc1])
}

fn array_bytes<const WIDTH: usize>(element_type: u32, elements: &[[u8; WIDTH]]) -> Vec<u8> {
    let mut bytes = element_type.to_le_bytes().to_vec();
    bytes.extend((elements.len() as u64).to_le_bytes());
    bytes.extend(elements.as_flattened());
    bytes
}

fn open(bytes: Vec<u8>) -> Result<GgufFile, GgufError> {
    GgufFile::from_bytes(Path::new("model.gguf"), bytes)
}

fn message(bytes: Vec<u8>) -> String {
    open(bytes).expect_err("the file is bad").to_string()
}

#[test]
fn metadata_values_are_read_by_type() {
    let file = open(small().build()).unwrap();
    assert_eq!(file.text("general.architecture").unwrap(), Some("llama"));
    assert_eq!(file.unsigned("llama.block_count").unwrap(), Some(2));
    assert_eq!(file.metadata("some.negative"), Some(&MetadataValue::Integer(-3)));
    assert_eq!(file.float("llama.rope.freq_base").unwrap(), Some(10000.0));
    assert_eq!(file.boolean("tokenizer.ggml.add_bos_token").unwrap(), Some(true));
    assert_eq!(file.text_array("tokenizer.ggml.tokens").unwrap(), Some(vec!["a", "", "Ġé"]));
    assert_eq!(file.float_array("tokenizer.ggml.scores").unwrap(), Some(vec![0.5, -1.0]));
    assert_eq!(file.integer_array("tokenizer.ggml.token_type").unwrap(), Some(vec![1, 3]));
    assert_eq!(file.text("no.such.key").unwrap(), None);
}

#[test]
fn every_integer_width_is_read() {
    let file = GgufBuilder::default()
        .raw("u8", 0, &[200])
        .raw("i8", 1, &[0xff])
        .raw("u16", 2, &[1, 2])
        .raw("i16", 3, &[0xfe, 0xff])
        .raw("u64", 10, &7u64.to_le_bytes())
        .raw("i64", 11, &(-7i64).to_le_bytes())
        .raw("f64", 12, &0.1f64.to_le_bytes())
        .raw("u8s", 9, &array_bytes(0, &[[1], [255]]))
        .raw("i8s", 9, &array_bytes(1, &[[1], [255]]))
        .raw("u16s", 9, &array_bytes(2, &[[1, 2]]))
        .raw("i16s", 9, &array_bytes(3, &[[0xfe, 0xff]]))
        .raw("u32s", 9, &array_bytes(4, &[u32::MAX.to_le_bytes()]))
        .raw("booleans", 9, &array_bytes(7, &[[1], [0]]))
        .raw("i64s", 9, &array_bytes(11, &[(-9i64).to_le_bytes()]))
        .raw("u64s", 9, &array_bytes(10, &[9u64.to_le_bytes()]))
        .raw("huge", 9, &array_bytes(10, &[u64::MAX.to_le_bytes()]))
        .raw("f64s", 9, &array_bytes(12, &[0.5f64.to_le_bytes()]));
    let file = open(file.build()).unwrap();
    assert_eq!(file.unsigned("u8").unwrap(), Some(200));
    assert_eq!(file.metadata("i8"), Some(&MetadataValue::Integer(-1)));
    assert_eq!(file.unsigned("u16").unwrap(), Some(513));
    assert_eq!(file.metadata("i16"), Some(&MetadataValue::Integer(-2)));
    assert_eq!(file.unsigned("u64").unwrap(), Some(7));
    assert_eq!(file.metadata("i64"), Some(&MetadataValue::Integer(-7)));
    assert_eq!(file.float("f64").unwrap(), Some(0.1));
    assert_eq!(file.integer_array("u8s").unwrap(), Some(vec![1, 255]));
    assert_eq!(file.integer_array("i8s").unwrap(), Some(vec![1, -1]));
    assert_eq!(file.integer_array("u16s").unwrap(), Some(vec![513]));
    assert_eq!(file.integer_array("i16s").unwrap(), Some(vec![-2]));
    assert_eq!(file.integer_array("u32s").unwrap(), Some(vec![4294967295]));
    assert_eq!(file.integer_array("booleans").unwrap(), Some(vec![1, 0]));
    assert_eq!(file.integer_array("i64s").unwrap(), Some(vec![-9]));
    assert_eq!(file.integer_array("u64s").unwrap(), Some(vec![9]));
    assert_eq!(file.float_array("f64s").unwrap(), Some(vec![0.5]));
    let error = file.integer_array("huge").unwrap_err().to_string();
    assert!(error.contains("`huge` holds an array with a number above 9223372036854775807"), "{error}");
}

#[test]
fn a_value_of_another_type_names_key_and_type() {
    let file = open(small().build()).unwrap();
    let error = file.unsigned("general.architecture").unwrap_err().to_string();
    assert!(error.contains("`general.architecture` holds text, expected an unsigned integer, in model.gguf"), "{error}");
    let error = file.unsigned("some.negative").unwrap_err().to_string();
    assert!(error.contains("`some.negative` holds a negative integer"), "{error}");
    let error = file.float_array("tokenizer.ggml.tokens").unwrap_err().to_string();
    assert!(error.contains("holds an array of texts, expected an array of floats"), "{error}");
    let error = file.missing("llama.embedding_length").to_string();
    assert!(error.contains("`llama.embedding_length` is missing in model.gguf"), "{error}");
}

#[test]
fn tensors_are_row_major_and_read_by_rows() {
    let file = open(small().build()).unwrap();
    let matrix = file.tensor("matrix").unwrap();
    assert_eq!((matrix.shape(), matrix.tensor_type(), matrix.bytes().len()), (&[2, 3][..], TensorType::F32, 24));
    assert_eq!(file.read_rows(matrix, 0..2).unwrap(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(file.read_rows(matrix, 1..2).unwrap(), [4.0, 5.0, 6.0]);
    assert!(file.read_rows(matrix, 1..1).unwrap().is_empty());
    assert_eq!(file.read_rows(file.tensor("half").unwrap(), 0..1).unwrap(), [1.0, -2.0, 5.9604645e-8]);
    assert_eq!(file.read_rows(file.tensor("brain").unwrap(), 0..1).unwrap(), [1.0, -10.0]);
    let error = file.read_rows(matrix, 1..3).unwrap_err().to_string();
    assert!(error.contains("`matrix` has 2 rows, asked for rows 1 to 3"), "{error}");
}

#[test]
fn not_gguf_and_other_versions_are_refused() {
    assert!(message(b"PK\x03\x04 a zip".to_vec()).contains("does not start with `GGUF`"));
    assert!(message(Vec::new()).contains("does not start with `GGUF`"));
    let mut old = small().build();
    old[4] = 1;
    assert!(message(old).contains("GGUF version 1; little-endian versions 2 and 3"));
    let mut second = small().build();
    second[4] = 2;
    assert!(open(second).is_ok());
    assert!(matches!(GgufFile::open(Path::new("no/such.gguf")), Err(GgufError::Open { .. })));
    assert!(matches!(GgufFile::open(Path::new("src")), Err(GgufError::Open { .. })));
}

#[test]
fn lengths_beyond_the_file_are_refused_before_anything_is_allocated() {
    let mut tensors = small().build();
    tensors[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(message(tensors).contains("model.gguf is cut short or damaged"));
    let mut keys = small().build();
    keys[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(message(keys).contains("model.gguf"));
    let text = message(GgufBuilder::default().raw("key", 8, &u64::MAX.to_le_bytes()).build());
    assert!(text.contains("the value of the metadata key `key` at byte 47 needs 18446744073709551615 bytes"), "{text}");
    let mut array = 12u32.to_le_bytes().to_vec();
    array.extend((u64::MAX / 2).to_le_bytes());
    let text = message(GgufBuilder::default().raw("key", 9, &array).build());
    assert!(text.contains("the 9223372036854775807 elements of the metadata key `key`"), "{text}");
}

#[test]
fn damaged_metadata_is_refused_with_its_place() {
    let text = message(GgufBuilder::default().raw("key", 13, &[0; 8]).build());
    assert!(text.contains("the metadata key `key` at byte 35 has the unknown value type 13"), "{text}");
    let text = message(GgufBuilder::default().raw("key", 7, &[2]).build());
    assert!(text.contains("`key` at byte 39 is a boolean of value 2"), "{text}");
    let text = message(GgufBuilder::default().raw("key", 9, &array_bytes(7, &[[1], [0], [9]])).build());
    assert!(text.contains("`key` at byte 53 is a boolean of value 9"), "{text}");
    let text = message(GgufBuilder::default().raw("key", 9, &array_bytes(9, &[[0u8; 12]])).build());
    assert!(text.contains("unknown value type 9"), "{text}");
    let text = message(GgufBuilder::default().raw("key", 8, b"\x02\0\0\0\0\0\0\0\xff\xfe").build());
    assert!(text.contains("the value of the metadata key `key` at byte 47 is not valid UTF-8"), "{text}");
    let text = message(GgufBuilder::default().unsigned("key", 1).unsigned("key", 2).build());
    assert!(text.contains("metadata key `key` appears twice"), "{text}");
    for alignment in [0, 4, 48, 1 << 17] {
        let text = message(GgufBuilder::default().unsigned("general.alignment", alignment).build());
        assert!(text.contains(&format!("`general.alignment` = {alignment}")), "{text}");
    }
}

#[test]
fn damaged_tensor_infos_are_refused_by_name() {
    let tensor = |shape: &[u64], number| message(GgufBuilder::default().raw_tensor("t", shape, number, vec![0; 64]).build());
    let text = tensor(&[1 << 40, 1 << 40], 0);
    assert!(text.contains("`t` has shape [1099511627776, 1099511627776], but its size overflows 64 bits"), "{text}");
    let text = tensor(&[4, 5], 0);
    assert!(text.contains("tensor `t` takes 80 bytes at offset 0 of the data section, which has 64 bytes"), "{text}");
    let text = tensor(&[0, 5], 0);
    assert!(text.contains("no dimension can be 0"), "{text}");
    let text = tensor(&[], 0);
    assert!(text.contains("0 dimensions are announced"), "{text}");
    let text = tensor(&[1, 1, 1, 1, 1], 0);
    assert!(text.contains("5 dimensions are announced"), "{text}");
    let text = tensor(&[2, 40], 3);
    assert!(text.contains("the last dimension must be a multiple of 32 for Q4_1"), "{text}");
    let text = tensor(&[2, 32], 20);
    assert!(text.contains("tensor `t` has type IQ4_NL, supported are F32, F16, BF16, Q4_0"), "{text}");
    let text = tensor(&[2, 32], 77);
    assert!(text.contains("tensor `t` has type number 77"), "{text}");
    let text = message(GgufBuilder::default().tensor("t", &[1], &[0.0]).tensor("t", &[1], &[0.0]).build());
    assert!(text.contains("tensor `t` appears twice"), "{text}");
    let mut bytes = GgufBuilder::default().tensor("t", &[1], &[0.0]).build();
    // magic, version and counts take 24 bytes; name 9, number of dimensions 4, dimension 8, type 4
    bytes[24 + 25..24 + 33].copy_from_slice(&8u64.to_le_bytes());
    let text = message(bytes);
    assert!(text.contains("`t` starts at offset 8, which is no multiple of the alignment 32"), "{text}");
}

#[test]
#[ignore = "needs the models smollm2-135m and gemma-3-270m"]
fn real_models_open_and_every_tensor_is_finite() {
    for (path, tensor_count) in [(support::smollm2(), 272), (support::gemma3(), 236)] {
        let file = GgufFile::open(&path).unwrap();
        assert_eq!(file.tensors().count(), tensor_count);
        assert!(file.text_array("tokenizer.ggml.tokens").unwrap().unwrap().len() > 40_000);
        for tensor in file.tensors() {
            let rows: usize = tensor.shape().iter().rev().skip(1).product();
            let numbers = file.read_rows(tensor, 0..rows).unwrap();
            assert_eq!(numbers.len(), tensor.shape().iter().product::<usize>());
            assert!(numbers.iter().all(|number| number.is_finite()), "{}", tensor.name());
        }
    }
}

/// The folder of what tools/golden/gguf_dequantize.py wrote.
fn golden(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/gguf").join(file)
}

#[test]
fn every_type_is_dequantized_bit_for_bit_as_by_the_gguf_package() {
    let file = GgufFile::open(&golden("types.gguf")).unwrap();
    let expected = std::fs::read(golden("types.safetensors")).unwrap();
    let expected = safetensors::SafeTensors::deserialize(&expected).unwrap();
    assert_eq!((file.tensors().count(), expected.len()), (13, 13));
    for tensor in file.tensors() {
        let expected = expected.tensor(tensor.name()).unwrap();
        assert_eq!(tensor.shape(), expected.shape());
        assert_eq!(format!("{:?}", tensor.tensor_type()), tensor.name());
        let expected: Vec<u32> = expected.data().as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        let bits = |rows| file.read_rows(tensor, rows).unwrap().iter().map(|number| number.to_bits()).collect::<Vec<_>>();
        assert!(bits(0..4) == expected, "{}", tensor.name());
        assert!(bits(1..3) == expected[256..768], "rows 1 and 2 of {}", tensor.name());
    }
}

#[test]
#[ignore = "needs the models smollm2-135m and gemma-3-270m"]
fn every_tensor_of_the_real_models_is_dequantized_bit_for_bit_as_by_the_gguf_package() {
    let recorded = std::fs::read(golden("real_models.json")).unwrap();
    let recorded: serde_json::Value = serde_json::from_slice(&recorded).unwrap();
    for (name, path) in [("smollm2-135m", support::smollm2()), ("gemma-3-270m", support::gemma3())] {
        let file = GgufFile::open(&path).unwrap();
        let recorded = recorded[name]["gguf"].as_object().unwrap();
        assert_eq!(file.tensors().count(), recorded.len());
        for tensor in file.tensors() {
            let rows: usize = tensor.shape().iter().rev().skip(1).product();
            let digest = support::digest(&file.read_rows(tensor, 0..rows).unwrap());
            assert_eq!(Some(digest.as_str()), recorded[tensor.name()].as_str(), "{} of {name}", tensor.name());
        }
    }
}

/// Reads all that a file gives; the test is that nothing panics.
fn read_everything(bytes: Vec<u8>) {
    let Ok(file) = open(bytes) else { return };
    let keys: Vec<String> = file.metadata_keys().map(str::to_owned).collect();
    for key in &keys {
        let _ = (file.text_array(key), file.float_array(key), file.integer_array(key));
    }
    for tensor in file.tensors() {
        let rows = tensor.shape().iter().rev().skip(1).product();
        assert_eq!(file.read_rows(tensor, 0..rows).unwrap().len(), tensor.shape().iter().product::<usize>());
    }
}

proptest::proptest! {
    #[test]
    fn a_truncated_file_is_an_error(length in 0..small().build().len()) {
        let mut bytes = small().build();
        // The last tensor is followed by padding that a file may lack.
        let needed = bytes.len() - 28;
        bytes.truncate(length);
        let opened = open(bytes);
        proptest::prop_assert_eq!(opened.is_ok(), length >= needed, "{:?}", opened.err().map(|error| error.to_string()));
    }

    #[test]
    fn changed_bytes_never_panic(changes in proptest::collection::vec((0..small().build().len(), proptest::num::u8::ANY), 1..8)) {
        let mut bytes = small().build();
        for (place, byte) in changes {
            bytes[place] = byte;
        }
        read_everything(bytes);
    }
}
