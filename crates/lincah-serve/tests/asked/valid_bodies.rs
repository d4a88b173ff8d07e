//! A valid body for each route that takes one, with every field that the route knows.

use serde_json::{Value, json};

/// The routes, each with a body for a classifier `kind` of the labels A and B.
pub fn valid_bodies() -> Vec<(&'static str, Value)> {
    let comment = json!({"text": "zzzz. aaaa"});
    let task = json!({"id": 1, "data": {"text": "zzzz"}});
    vec![
        ("/v1/score", json!({"model": "kind", "input": ["zzzz"], "members": true})),
        ("/v1/moderations", json!({"model": "kind", "input": [{"type": "text", "text": "zzzz"}]})),
        ("/classify", json!({"model": "kind", "input": ["zzzz"]})),
        ("/predict", json!({"inputs": [["zzzz"], ["aaaa"]], "truncate": true, "raw_scores": false})),
        ("/models/kind", json!({"inputs": ["zzzz"], "parameters": {"top_k": 1, "function_to_apply": "softmax"}})),
        (
            "/v1alpha1/comments:analyze",
            json!({"comment": comment, "requestedAttributes": {"B": {"scoreType": "PROBABILITY", "scoreThreshold": 0.1}}, "languages": ["en"], "spanAnnotations": true, "clientToken": "a"}),
        ),
        (
            "/v1alpha1/comments:suggestscore",
            json!({"comment": comment, "attributeScores": {"B": {"summaryScore": {"value": 0.9}}}, "communityId": "a"}),
        ),
        (
            "/label-studio/predict",
            json!({"tasks": [task], "label_config": "<Text value=\"$text\"/>", "params": {"model": "kind"}}),
        ),
        (
            "/label-studio/webhook",
            json!({"action": "ANNOTATION_CREATED", "annotation": {"id": 1, "result": [{"value": {"choices": ["A"]}}], "completed_by": {"email": "ana@example.org"}}, "task": task, "project": {"label_config": "<Text value=\"$text\"/>"}}),
        ),
        ("/label-studio/webhook", json!({"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 1}]})),
        ("/label-studio/setup", json!({"project": "1", "schema": "<View/>"})),
    ]
}
