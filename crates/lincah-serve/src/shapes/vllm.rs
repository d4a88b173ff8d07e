//! vLLM's `POST /classify`.

use super::{OneOrMany, new_id, parsed, unix_seconds};
use crate::error::Refusal;
use crate::state::{Scored, ServeState};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Request {
    model: Option<String>,
    input: OneOrMany,
}

pub(crate) async fn classify(state: &ServeState, body: &[u8]) -> Result<Value, Refusal> {
    let Request { model, input } = parsed(body)?;
    let Scored { served, predictions } = state.score(model.as_deref(), input.into_texts()).await?;
    let names = served.classifier.labels().names();
    let data = predictions.iter().enumerate().map(|(index, prediction)| {
        json!({"index": index, "label": names[prediction.most_probable()], "probs": prediction.probabilities, "num_classes": names.len()})
    });
    Ok(json!({
        "id": new_id("classify-"), "object": "list", "created": unix_seconds(), "model": served.name, "data": data.collect::<Vec<_>>(),
        "usage": {"prompt_tokens": 0, "total_tokens": 0, "completion_tokens": 0, "prompt_tokens_details": null},
    }))
}
