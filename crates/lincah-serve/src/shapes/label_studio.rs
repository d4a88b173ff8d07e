//! Label Studio's ML backend, under `/label-studio/`.

use super::parsed;
use super::perspective::append;
use crate::error::Refusal;
use crate::state::{Scored, ServeState};
use lincah::data::journal::{Action, JournalEntry, Timestamp};
use lincah::{Prediction, Task};
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub(crate) fn health() -> Value {
    json!({"status": "UP", "model_class": "lincah"})
}

pub(crate) fn setup(state: &ServeState) -> Value {
    json!({"model_version": version(state)})
}

fn version(state: &ServeState) -> String {
    state.classifiers.all().iter().map(|served| format!("{}@{}", served.name, &served.sha256[..12])).collect::<Vec<_>>().join(",")
}

#[derive(Deserialize)]
struct Predict {
    tasks: Vec<LabelTask>,
    #[serde(default)]
    label_config: Option<String>,
    #[serde(default)]
    params: Map<String, Value>,
}

#[derive(Deserialize)]
struct LabelTask {
    data: Map<String, Value>,
}

/// The names in the labelling configuration: of the choices, of the text, and of its field.
fn names_of(config: &str) -> (String, String, String) {
    let attribute = |tag: &str, name: &str| {
        let tag = &config[config.find(&format!("<{tag}"))?..];
        let tag = &tag[..tag.find('>')?];
        let behind = &tag[tag.find(&format!("{name}=\""))? + name.len() + 2..];
        Some(behind[..behind.find('"')?].to_owned())
    };
    (
        attribute("Choices", "name").unwrap_or_else(|| String::from("label")),
        attribute("Choices", "toName").unwrap_or_else(|| String::from("text")),
        attribute("Text", "value").map_or(String::from("text"), |value| value.trim_start_matches('$').to_owned()),
    )
}

pub(crate) async fn predict(state: &ServeState, body: &[u8]) -> Result<Value, Refusal> {
    let Predict { tasks, label_config, params } = parsed(body)?;
    let (from, to, field) = names_of(label_config.as_deref().unwrap_or_default());
    let text = |task: &LabelTask| {
        let found = task.data.get(&field).or_else(|| task.data.values().find(|value| value.is_string()));
        found.and_then(Value::as_str).map(str::to_owned).ok_or_else(|| Refusal::Bad(format!("a task has no text `{field}`")))
    };
    let texts = tasks.iter().map(text).collect::<Result<Vec<_>, _>>()?;
    let model = params.get("model").and_then(Value::as_str);
    let Scored { served, predictions } = state.score(model, texts).await?;
    let names = served.classifier.labels().names();
    let result = |prediction: &Prediction| {
        let likely = Prediction::new(served.classifier.task(), prediction.probabilities.clone(), 0);
        let given = likely.given();
        let choices: Vec<&String> = names.iter().zip(&given).filter(|(_, given)| **given).map(|(name, _)| name).collect();
        let sure = match served.classifier.task() {
            Task::SingleLabel => prediction.probabilities[prediction.most_probable()],
            Task::MultiLabel => prediction.probabilities.iter().map(|p| p.max(1.0 - p)).fold(1.0, f64::min),
        };
        json!({
            "result": [{"from_name": from, "to_name": to, "type": "choices", "value": {"choices": choices}}],
            "score": sure, "model_version": format!("{}@{}", served.name, &served.sha256[..12]),
        })
    };
    Ok(json!({"results": predictions.iter().map(result).collect::<Vec<_>>(), "model_version": version(state)}))
}

#[derive(Deserialize)]
struct Webhook {
    action: String,
    annotation: Option<Annotation>,
    task: Option<WebhookTask>,
}

#[derive(Deserialize)]
struct Annotation {
    #[serde(default)]
    result: Vec<AnnotationResult>,
    #[serde(default)]
    was_cancelled: bool,
    completed_by: Option<Value>,
}

#[derive(Deserialize)]
struct AnnotationResult {
    #[serde(default)]
    value: Map<String, Value>,
}

#[derive(Deserialize)]
struct WebhookTask {
    id: Value,
    data: Map<String, Value>,
}

/// Appends what a person has chosen to the journal; other events, and all where there is no journal, are taken note of and no more.
pub(crate) fn webhook(state: &ServeState, body: &[u8]) -> Result<Value, Refusal> {
    let Webhook { action, annotation, task } = parsed(body)?;
    let (Some(journal), Some(task)) = (&state.config.feedback, task) else { return Ok(json!({"status": "ignored"})) };
    let action = match (action.as_str(), &annotation) {
        ("ANNOTATION_CREATED" | "ANNOTATION_UPDATED", Some(annotation)) if annotation.was_cancelled => Action::Skip,
        ("ANNOTATION_CREATED" | "ANNOTATION_UPDATED", Some(_)) => Action::Label,
        ("ANNOTATIONS_DELETED", _) => Action::Remove,
        _ => return Ok(json!({"status": "ignored"})),
    };
    let annotation = annotation.filter(|_| action == Action::Label);
    let choices =
        annotation.iter().flat_map(|annotation| &annotation.result).filter_map(|result| result.value.get("choices")?.as_array());
    let labels = choices.flatten().filter_map(|choice| choice.as_str().map(str::to_owned)).collect();
    let text = task.data.get("text").or_else(|| task.data.values().find(|value| value.is_string())).and_then(Value::as_str);
    let who = match annotation.as_ref().and_then(|annotation| annotation.completed_by.as_ref()) {
        Some(Value::Object(person)) => person.get("email").or(person.get("id")).map(name_of),
        Some(value) => Some(name_of(value)),
        None => None,
    };
    append(
        journal,
        JournalEntry {
            time: Timestamp::now(),
            who: who.unwrap_or_else(|| String::from("label-studio")),
            action,
            id: format!("label-studio-{}", name_of(&task.id)),
            text: text.map(str::to_owned),
            labels,
            guideline: None,
            source: Some(String::from("label-studio")),
        },
    )?;
    Ok(json!({"status": "ok"}))
}

fn name_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_out_of_the_labelling_configuration() {
        let config = "<View><Text name=\"body\" value=\"$comment\"/><Choices name=\"kind\" toName=\"body\"><Choice value=\"a\"/></Choices></View>";
        assert_eq!(names_of(config), ("kind".into(), "body".into(), "comment".into()));
        assert_eq!(names_of("<Choices name=\"ki"), ("label".into(), "text".into(), "text".into()));
    }
}
