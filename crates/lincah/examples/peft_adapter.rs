//! Scores texts with an adapter that PEFT trained.
//!
//! ```text
//! cargo run --release -p lincah --example peft_adapter -- MODEL ADAPTER_DIR LABEL,LABEL TEXTS.jsonl
//! ```
//! reads the texts from the field `text` and prints an object a text as `lincah predict` does. To compare with PEFT's own scores,
//! train and score with `tools/golden/peft_train.py … --texts TEXTS.jsonl --scores OUT.json --max-tokens 256`.

use lincah::data::records::{ReadOptions, RecordReader};
use lincah::prompt::LabelTokens;
use lincah::{BaseModel, Device, LabelSet, Prompt, predict};
use lincah_model::Adapter;
use std::collections::BTreeMap;

const MAX_TOKENS: usize = 256;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, adapter, labels, texts] = arguments.as_slice() else {
        return Err("give MODEL ADAPTER_DIR LABEL,LABEL TEXTS.jsonl".into());
    };
    let mut base = BaseModel::open(model, Device::Cpu)?;
    base.model_mut().set_adapter(&Adapter::read(adapter.as_ref())?)?;
    let prompt = Prompt::new(LabelSet::new(labels.split(','))?)?;
    let (prompt, label_tokens) = LabelTokens::resolve(prompt, base.tokenizer())?;
    let options = ReadOptions { columns: Some(vec![String::from("text")]), ..ReadOptions::default() };
    let records = RecordReader::open(texts.as_ref(), &options)?;
    let texts = records.map(|record| Ok(record?.text(0)?.to_string())).collect::<Result<Vec<String>, lincah::Error>>()?;
    for prediction in predict(&base, (&prompt, &label_tokens), MAX_TOKENS, &texts)? {
        let names = prompt.labels().names();
        let scores: BTreeMap<&String, f64> = names.iter().zip(prediction.probabilities).collect();
        println!("{}", serde_json::json!({ "label": names[prediction.label], "scores": scores }));
    }
    Ok(())
}
