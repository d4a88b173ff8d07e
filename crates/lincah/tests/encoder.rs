//! The real encoder against sentence-transformers: `tools/golden/encoder.py`.

use lincah::{BaseModel, Device};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    texts: Vec<String>,
    embeddings: Vec<Vec<f32>>,
}

#[test]
#[ignore = "needs `lincah pull minilm`"]
fn embeddings_are_those_of_sentence_transformers() {
    let golden: Golden = serde_json::from_str(include_str!("golden/minilm.json")).unwrap();
    let model = BaseModel::open("minilm", Device::Cpu).unwrap();
    let found = model.embed(&golden.texts).unwrap();
    for ((text, expected), found) in golden.texts.iter().zip(&golden.embeddings).zip(&found) {
        let difference = expected.iter().zip(found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(found.len() == expected.len() && difference < 1e-5, "{text:?} differs by {difference}");
    }
    assert!(model.sizes().layers == 6 && model.sizes().hidden_size == 384);
}
