//! OpenAI's `POST /v1/moderations`.

use super::{new_id, parsed};
use crate::error::Refusal;
use crate::state::{Scored, ServeState};
use lincah::{Prediction, Task};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The categories that strict clients look for: false and 0 where no label has the name.
const CATEGORIES: [&str; 11] = [
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
];

#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    One(String),
    Many(Vec<String>),
    /// Parts of one input; only texts can be looked at.
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
struct Part {
    r#type: String,
    text: Option<String>,
}

#[derive(Deserialize)]
struct Request {
    model: Option<String>,
    input: Input,
}

pub(crate) async fn moderate(state: &ServeState, body: &[u8]) -> Result<Value, Refusal> {
    let Request { model, input } = parsed(body)?;
    let texts = match input {
        Input::One(text) => vec![text],
        Input::Many(texts) => texts,
        Input::Parts(parts) => {
            let text = |part: Part| {
                let kind = part.r#type;
                part.text
                    .filter(|_| kind == "text")
                    .ok_or_else(|| Refusal::Bad(format!("an input of type `{kind}` cannot be classified")))
            };
            vec![parts.into_iter().map(text).collect::<Result<Vec<_>, _>>()?.join("\n")]
        }
    };
    // Clients name OpenAI's own models; what is no classifier's name means the only one.
    let name = model.filter(|name| state.classifiers.get(Some(name)).is_ok());
    let Scored { served, predictions } = state.score(name.as_deref(), texts).await?;
    let (names, task) = (served.classifier.labels().names(), served.classifier.task());
    // The first of two exclusive labels is the absence of the other.
    let first = usize::from(task == Task::SingleLabel && names.len() == 2);
    let result = |prediction: &Prediction| {
        let given = prediction.decision.given(names.len());
        let mut categories: Map<String, Value> =
            CATEGORIES.iter().map(|name| (String::from(*name), Value::from(false))).collect();
        let mut scores: Map<String, Value> = CATEGORIES.iter().map(|name| (String::from(*name), Value::from(0.0))).collect();
        let mut kinds: Map<String, Value> = CATEGORIES.iter().map(|name| (String::from(*name), json!([]))).collect();
        for label in first..names.len() {
            categories.insert(names[label].clone(), Value::from(given[label]));
            scores.insert(names[label].clone(), Value::from(prediction.probabilities[label]));
            kinds.insert(names[label].clone(), json!(["text"]));
        }
        let flagged = match task {
            Task::SingleLabel if names.len() == 2 => given[1],
            Task::SingleLabel => false,
            Task::MultiLabel => given.contains(&true),
        };
        json!({"flagged": flagged, "categories": categories, "category_scores": scores, "category_applied_input_types": kinds})
    };
    Ok(json!({"id": new_id("modr-"), "model": served.name, "results": predictions.iter().map(result).collect::<Vec<_>>()}))
}
