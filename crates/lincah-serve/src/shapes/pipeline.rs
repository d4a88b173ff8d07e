//! The text-classification pipeline of Hugging Face's inference API: `POST /models/NAME`.

use super::{OneOrMany, parsed, ranked};
use crate::error::Refusal;
use crate::state::ServeState;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Request {
    inputs: OneOrMany,
    #[serde(default)]
    parameters: Parameters,
}

#[derive(Default, Deserialize)]
struct Parameters {
    function_to_apply: Option<String>,
    top_k: Option<usize>,
}

pub(crate) async fn classify(state: &ServeState, name: &str, body: &[u8]) -> Result<Value, Refusal> {
    let Request { inputs, parameters } = parsed(body)?;
    if let Some(function) = parameters.function_to_apply.filter(|function| !matches!(function.as_str(), "softmax" | "sigmoid")) {
        return Err(Refusal::Bad(format!("`{function}` cannot be applied: scores are calibrated probabilities")));
    }
    let scored = state.score(Some(name), inputs.into_texts()).await?;
    let most = parameters.top_k.unwrap_or(usize::MAX);
    let labels = |prediction| -> Vec<Value> {
        let ranked = ranked(&scored.served, prediction).into_iter().take(most);
        ranked.map(|(label, score)| json!({"label": label, "score": score})).collect()
    };
    Ok(scored.predictions.iter().map(labels).map(Value::from).collect::<Vec<_>>().into())
}
