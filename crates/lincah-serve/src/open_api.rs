//! What can be asked, as an OpenAPI document.

use serde_json::{Map, Value, json};

/// The document. Form: <https://spec.openapis.org/oas/v3.1.0>.
pub(crate) fn document() -> Value {
    let text_or_texts = || json!({"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]});
    let answer = |description: &str| json!({"description": description, "content": {"application/json": {"schema": {}}}});
    let responses = || {
        let mut responses = Map::new();
        for (status, description) in [
            ("200", "The answer."),
            ("400", "A request that cannot be answered, in words."),
            ("401", "No key, or a wrong one."),
            ("404", "No classifier of that name."),
            ("413", "More or longer texts than are allowed."),
            ("429", "Too many texts wait; Retry-After says when to come again."),
            ("503", "It took too long."),
        ] {
            responses.insert(String::from(status), answer(description));
        }
        Value::Object(responses)
    };
    let post = |summary: &str, required: &[&str], properties: Value| {
        let schema = json!({"type": "object", "required": required, "properties": properties});
        json!({"post": {"summary": summary, "requestBody": {"required": true, "content": {"application/json": {"schema": schema}}}, "responses": responses()}})
    };
    let get = |summary: &str| json!({"get": {"summary": summary, "responses": responses()}});
    let comment = || json!({"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}});
    let mut named = post(
        "Hugging Face's text-classification pipeline",
        &["inputs"],
        json!({"inputs": text_or_texts(), "parameters": {"type": "object"}}),
    );
    named["parameters"] = json!([{"name": "name", "in": "path", "required": true, "schema": {"type": "string"}}]);
    json!({
        "openapi": "3.1.0", "info": {"title": "lincah", "version": env!("CARGO_PKG_VERSION")},
        "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}}, "security": [{"key": []}, {}],
        "paths": {
            "/v1/score": post("Labels, probabilities, decisions", &["input"], json!({"model": {"type": "string"}, "input": text_or_texts(), "members": {"type": "boolean"}})),
            "/v1/models": get("The classifiers"),
            "/v1/moderations": post("OpenAI's moderations", &["input"], json!({"model": {"type": "string"}, "input": text_or_texts()})),
            "/classify": post("vLLM's classification", &["input"], json!({"model": {"type": "string"}, "input": text_or_texts()})),
            "/predict": post("text-embeddings-inference's prediction", &["inputs"], json!({"inputs": {}})),
            "/models/{name}": named,
            "/v1alpha1/comments:analyze": post("Perspective's analysis", &["comment", "requestedAttributes"], json!({
                "comment": comment(), "requestedAttributes": {"type": "object"}, "spanAnnotations": {"type": "boolean"},
            })),
            "/v1alpha1/comments:suggestscore": post("Perspective's suggestions, for the journal", &["comment", "attributeScores"], json!({
                "comment": comment(), "attributeScores": {"type": "object"},
            })),
            "/health": get("Whether requests are taken"),
            "/health/live": get("Whether the process answers"),
            "/info": get("The classifiers, in text-embeddings-inference's form"),
            "/metrics": get("For Prometheus"),
        },
    })
}
