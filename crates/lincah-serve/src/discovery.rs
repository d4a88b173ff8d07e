//! The document that Google's client libraries fetch first, to learn what can be asked.

use serde_json::{Value, json};

/// The discovery document of Perspective's two methods, at this address. Form: <https://developers.google.com/discovery/v1/reference/apis>.
pub(crate) fn document(host: &str, scheme: &str) -> Value {
    let root = format!("{scheme}://{host}/");
    let text = |description: &str| json!({"type": "string", "description": description});
    let number = || json!({"type": "number", "format": "float"});
    let integer = || json!({"type": "integer", "format": "int32"});
    let reference = |name: &str| json!({"$ref": name});
    let list = |items: Value| json!({"type": "array", "items": items});
    let map = |name: &str| json!({"type": "object", "additionalProperties": {"$ref": name}});
    let object = |id: &str, properties: Value| json!({"id": id, "type": "object", "properties": properties});
    let method = |name: &str| {
        let capital = if name == "analyze" { "AnalyzeComment" } else { "SuggestCommentScore" };
        json!({
            "id": format!("commentanalyzer.comments.{name}"), "path": format!("v1alpha1/comments:{name}"),
            "flatPath": format!("v1alpha1/comments:{name}"), "httpMethod": "POST", "parameters": {}, "parameterOrder": [],
            "request": {"$ref": format!("{capital}Request")}, "response": {"$ref": format!("{capital}Response")},
        })
    };
    let parameters = json!({
        "key": {"type": "string", "location": "query", "description": "The key."},
        "alt": {"type": "string", "location": "query", "description": "Form of the answer.", "default": "json"},
        "prettyPrint": {"type": "boolean", "location": "query", "description": "Whether to indent.", "default": "true"},
    });
    json!({
        "kind": "discovery#restDescription", "discoveryVersion": "v1", "id": "commentanalyzer:v1alpha1", "name": "commentanalyzer",
        "version": "v1alpha1", "revision": "0", "title": "Comment analyzer", "description": "Scores of comments by lincah, in the form of Perspective.",
        "protocol": "rest", "rootUrl": root, "servicePath": "", "baseUrl": root, "basePath": "", "batchPath": "batch",
        "ownerDomain": "localhost", "ownerName": "lincah", "parameters": parameters, "auth": {},
        "schemas": {
            "TextEntry": object("TextEntry", json!({"text": text("The text."), "type": text("PLAIN_TEXT or HTML.")})),
            "AttributeParameters": object("AttributeParameters", json!({"scoreType": text("PROBABILITY."), "scoreThreshold": number()})),
            "Score": object("Score", json!({"value": number(), "type": text("PROBABILITY.")})),
            "SpanScore": object("SpanScore", json!({"begin": integer(), "end": integer(), "score": reference("Score")})),
            "AttributeScores": object("AttributeScores", json!({"summaryScore": reference("Score"), "spanScores": list(reference("SpanScore"))})),
            "AnalyzeCommentRequest": object("AnalyzeCommentRequest", json!({
                "comment": reference("TextEntry"), "requestedAttributes": map("AttributeParameters"), "languages": list(text("A language.")),
                "doNotStore": {"type": "boolean"}, "clientToken": text("Comes back."), "sessionId": text("A session."),
                "spanAnnotations": {"type": "boolean"}, "communityId": text("A community."),
            })),
            "AnalyzeCommentResponse": object("AnalyzeCommentResponse", json!({
                "attributeScores": map("AttributeScores"), "languages": list(text("A language.")), "detectedLanguages": list(text("A language.")),
                "clientToken": text("As asked."),
            })),
            "SuggestCommentScoreRequest": object("SuggestCommentScoreRequest", json!({
                "comment": reference("TextEntry"), "attributeScores": map("AttributeScores"), "languages": list(text("A language.")),
                "communityId": text("A community."), "clientToken": text("Comes back."), "sessionId": text("A session."),
            })),
            "SuggestCommentScoreResponse": object("SuggestCommentScoreResponse", json!({
                "clientToken": text("As asked."), "requestedLanguages": list(text("A language.")), "detectedLanguages": list(text("A language.")),
            })),
        },
        "resources": {"comments": {"methods": {"analyze": method("analyze"), "suggestscore": method("suggestscore")}}},
    })
}
