//! Our own shape: `POST /v1/score`, `GET /v1/models`.

use super::{OneOrMany, parsed};
use crate::error::Refusal;
use crate::state::{Scored, ServeState};
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    /// The classifier; left out where there is one.
    model: Option<String>,
    /// A text or a list of texts.
    input: OneOrMany,
    /// Whether each member's probabilities are wanted.
    #[serde(default)]
    members: bool,
}

/// `{model, results: [{label | labels, scores, decision, review, truncated_characters, members?}], thresholds?}`
pub(crate) async fn score(state: &ServeState, body: &[u8]) -> Result<Value, Refusal> {
    let Request { model, input, members } = parsed(body)?;
    let Scored { served, predictions } = state.score(model.as_deref(), input.into_texts()).await?;
    let (task, labels) = (served.classifier.task(), served.classifier.labels());
    let descriptions = served.classifier.record().map_or(Vec::new(), |record| record.member_descriptions());
    let result = |prediction: &lincah::Prediction| {
        let mut named = prediction.named(task, labels);
        if members {
            let member = |(place, scores): (usize, &Vec<f64>)| json!({"member": descriptions.get(place), "scores": labels.by_name(scores)});
            named.insert(String::from("members"), prediction.members.iter().enumerate().map(member).collect());
        }
        named
    };
    let results: Vec<Map<String, Value>> = predictions.iter().map(result).collect();
    let mut answer = json!({"model": served.name, "results": results});
    let thresholds = &served.classifier.rule().thresholds;
    if !thresholds.is_empty() {
        answer["thresholds"] = labels.by_name(thresholds).into();
    }
    Ok(answer)
}

/// The classifiers, in the form of OpenAI's list of models.
pub(crate) fn models(state: &ServeState) -> Value {
    let model = |served: &std::sync::Arc<crate::classifiers::Served>| {
        json!({
            "id": served.name, "object": "model", "owned_by": "lincah", "created": 0, "labels": served.classifier.labels().names(),
            "task": served.classifier.task(), "sha256": served.sha256,
        })
    };
    json!({"object": "list", "data": state.classifiers.all().iter().map(model).collect::<Vec<_>>()})
}
