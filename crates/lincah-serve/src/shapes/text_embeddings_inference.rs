//! text-embeddings-inference's `POST /predict` and `GET /info`.

use super::{parsed, ranked};
use crate::error::Refusal;
use crate::state::ServeState;
use serde::Deserialize;
use serde_json::{Value, json};

/// One text, or a list of lists: of one text each. A list of two texts is a pair, which no classifier of ours takes.
#[derive(Deserialize)]
#[serde(untagged)]
enum Inputs {
    One(String),
    Flat(Vec<String>),
    Nested(Vec<Vec<String>>),
}

#[derive(Deserialize)]
struct Request {
    inputs: Inputs,
    #[serde(default)]
    raw_scores: bool,
}

pub(crate) async fn predict(state: &ServeState, body: &[u8]) -> Result<Value, Refusal> {
    let Request { inputs, raw_scores } = parsed(body)?;
    let pair = || Refusal::Bad(String::from("pairs of texts are not classified; several texts are [[\"a\"], [\"b\"]]"));
    if raw_scores {
        return Err(Refusal::Bad(String::from("raw_scores are not kept: scores are calibrated probabilities")));
    }
    let (texts, is_one) = match inputs {
        Inputs::One(text) => (vec![text], true),
        Inputs::Flat(texts) if texts.len() == 1 => (texts, true),
        Inputs::Flat(_) => return Err(pair()),
        Inputs::Nested(lists) => {
            let one = |list: Vec<String>| <[String; 1]>::try_from(list).map(|[text]| text).map_err(|_| pair());
            (lists.into_iter().map(one).collect::<Result<Vec<_>, _>>()?, false)
        }
    };
    if texts.is_empty() {
        return Err(Refusal::Bad(String::from("`inputs` cannot be empty")));
    }
    let scored = state.score(None, texts).await?;
    let labels = |prediction| -> Vec<Value> {
        ranked(&scored.served, prediction).into_iter().map(|(label, score)| json!({"score": score, "label": label})).collect()
    };
    let mut answers: Vec<Vec<Value>> = scored.predictions.iter().map(labels).collect();
    Ok(if is_one { answers.swap_remove(0).into() } else { answers.into_iter().map(Value::from).collect::<Vec<_>>().into() })
}

pub(crate) fn info(state: &ServeState) -> Value {
    let all = state.classifiers.all();
    let first = &all[0];
    let names = first.classifier.labels().names().iter().enumerate();
    let id_to_label: serde_json::Map<String, Value> =
        names.map(|(id, name)| (id.to_string(), Value::from(name.clone()))).collect();
    json!({
        "model_id": first.name, "model_sha": first.sha256, "model_dtype": first.classifier.base().precision().to_string(),
        "model_type": {"classifier": {"id2label": id_to_label}}, "max_concurrent_requests": state.config.max_waiting_texts,
        "max_input_length": first.classifier.max_tokens(), "max_client_batch_size": state.config.max_texts,
        "version": env!("CARGO_PKG_VERSION"), "classifiers": all.iter().map(|served| served.name.clone()).collect::<Vec<_>>(),
    })
}
