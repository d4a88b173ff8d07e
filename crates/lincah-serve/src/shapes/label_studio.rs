//! Label Studio's ML backend, under `/label-studio/`.

use super::{append, parsed};
use crate::error::Refusal;
use crate::state::{Scored, ServeState};
use lincah::data::journal::{Action, JournalEntry};
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
    let text =
        |task: &LabelTask| text_of(&task.data, &field).ok_or_else(|| Refusal::Bad(format!("a task has no text `{field}`")));
    let texts = tasks.iter().map(text).collect::<Result<Vec<_>, _>>()?;
    let model = params.get("model").and_then(Value::as_str);
    let Scored { served, predictions } = state.score(model, texts).await?;
    let names = served.classifier.labels().names();
    let result = |prediction: &Prediction| {
        let choices = prediction.likely(served.classifier.task()).names(names);
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

/// A task's text: in the field of the labelling configuration, or the only one there is.
fn text_of(data: &Map<String, Value>, field: &str) -> Option<String> {
    let texts = || data.values().filter_map(Value::as_str);
    let only = || texts().next().filter(|_| texts().count() == 1);
    data.get(field).and_then(Value::as_str).or_else(only).map(str::to_owned)
}

#[derive(Deserialize)]
struct Webhook {
    action: String,
    annotation: Option<Annotation>,
    /// Of deleted ones nothing but the id is told.
    #[serde(default)]
    annotations: Vec<Deleted>,
    task: Option<LabelTask>,
    project: Option<Project>,
}

#[derive(Deserialize)]
struct Project {
    #[serde(default)]
    label_config: String,
}

#[derive(Deserialize)]
struct Deleted {
    id: Value,
}

#[derive(Deserialize)]
struct Annotation {
    id: Value,
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

/// Appends what a person has chosen, or taken back, to the journal; other events, and all where there is no journal, are taken note of and no more.
/// Every annotation is an entry of its own, so that a second opinion replaces none.
pub(crate) fn webhook(state: &ServeState, body: &[u8]) -> Result<Value, Refusal> {
    let Webhook { action, annotation, annotations, task, project } = parsed(body)?;
    let Some(journal) = &state.config.feedback else { return Ok(json!({"status": "ignored"})) };
    let entries = match (action.as_str(), annotation, task) {
        ("ANNOTATIONS_DELETED", ..) => annotations.iter().map(|deleted| entry_of(&deleted.id, Action::Remove)).collect(),
        ("ANNOTATION_CREATED" | "ANNOTATION_UPDATED", Some(annotation), Some(task)) => {
            let (_, _, field) = names_of(project.as_ref().map_or("", |project| &project.label_config));
            let text = text_of(&task.data, &field).ok_or_else(|| Refusal::Bad(format!("the task has no text `{field}`")))?;
            vec![answer_of(state, &annotation, text)?]
        }
        _ => return Ok(json!({"status": "ignored"})),
    };
    append(journal, &entries)?;
    Ok(json!({"status": "ok"}))
}

/// An entry about an annotation.
fn entry_of(id: &Value, action: Action) -> JournalEntry {
    let id = format!("label-studio-annotation-{}", name_of(id));
    JournalEntry { source: Some(String::from("label-studio")), ..JournalEntry::new("label-studio", action, id) }
}

/// What somebody has chosen for a text. Exclusive labels are one per text: no choice is no answer, and several could not be trained on.
fn answer_of(state: &ServeState, annotation: &Annotation, text: String) -> Result<JournalEntry, Refusal> {
    let choices = annotation.result.iter().filter_map(|result| result.value.get("choices")?.as_array()).flatten();
    let mut labels: Vec<String> = choices.filter_map(|choice| choice.as_str().map(str::to_owned)).collect();
    let exclusive = state.classifiers.all().iter().all(|served| served.classifier.task() == Task::SingleLabel);
    if exclusive && labels.len() > 1 {
        return Err(Refusal::Bad(String::from("several labels were chosen, where a text has one")));
    }
    let is_skipped = annotation.was_cancelled || exclusive && labels.is_empty();
    if is_skipped {
        labels.clear();
    }
    let who = match &annotation.completed_by {
        Some(Value::Object(person)) => person.get("email").or(person.get("id")).map(name_of),
        Some(value) => Some(name_of(value)),
        None => None,
    };
    let entry = entry_of(&annotation.id, if is_skipped { Action::Skip } else { Action::Label });
    Ok(JournalEntry { who: who.unwrap_or(entry.who), text: Some(text), labels, ..entry })
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

    #[test]
    fn a_text_is_in_its_field_or_the_only_one() {
        let data = |value: Value| value.as_object().unwrap().clone();
        assert_eq!(text_of(&data(json!({"author": "ana", "comment": "hello"})), "comment").as_deref(), Some("hello"));
        assert_eq!(text_of(&data(json!({"number": 1, "body": "hello"})), "text").as_deref(), Some("hello"));
        assert_eq!(text_of(&data(json!({"author": "ana", "comment": "hello"})), "text"), None);
    }
}
