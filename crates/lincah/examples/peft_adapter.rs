//! Scores texts with an adapter that PEFT trained.
//!
//! ```text
//! cargo run --release -p lincah --example peft_adapter -- MODEL ADAPTER_DIR LABEL,LABEL TEXTS.jsonl
//! ```
//! reads the texts from the field `text` and prints an object a text as `lincah predict` does. To compare with PEFT's own scores,
//! train and score with `tools/golden/peft_train.py … --texts TEXTS.jsonl --scores OUT.json --max-tokens 256`.

use lincah::data::records::{ReadOptions, RecordReader};
use lincah::prompt::{LabelTokens, PromptEncoder};
use lincah::{BaseModel, ComputeOptions, Device, LabelSet, Prediction, Prompt, Task};
use lincah_model::weights::ModelFiles;
use lincah_model::{Adapter, TokenBatch};
use std::collections::BTreeMap;
use std::sync::Arc;

const MAX_TOKENS: usize = 256;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, adapter, labels, texts] = arguments.as_slice() else {
        return Err("give MODEL ADAPTER_DIR LABEL,LABEL TEXTS.jsonl".into());
    };
    let tokenizer = BaseModel::tokenizer_of(model)?;
    let files = Arc::new(ModelFiles::open(&lincah::hub::resolve(model)?)?);
    let scorer = lincah_model::load(files, ComputeOptions::from(Device::Cpu))?.scorer(Some(&Adapter::read(adapter.as_ref())?))?;
    let prompt = Prompt::new(Task::SingleLabel, LabelSet::new(labels.split(','))?)?;
    let (prompt, label_tokens) = LabelTokens::resolve(prompt, &tokenizer)?;
    let encoder = PromptEncoder::new(&tokenizer, &prompt, MAX_TOKENS)?;
    let options = ReadOptions { columns: Some(vec![String::from("text")]), ..ReadOptions::default() };
    for record in RecordReader::open(texts.as_ref(), &options)? {
        let encoded = encoder.encode(record?.text(0)?)?;
        let logits = scorer.score(&TokenBatch::new(&[&encoded.prompts[0]]), label_tokens.ids())?;
        let prediction = Prediction::new(Task::SingleLabel, softmax(&logits), encoded.truncated_characters);
        let names = prompt.labels().names();
        let label = &names[prediction.most_probable()];
        let scores: BTreeMap<&String, f64> = names.iter().zip(prediction.probabilities).collect();
        println!("{}", serde_json::json!({ "label": label, "scores": scores }));
    }
    Ok(())
}

fn softmax(logits: &[f32]) -> Vec<f64> {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = logits.iter().map(|logit| f64::from(logit - highest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}
