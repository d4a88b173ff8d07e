//! Perspective's `comments:analyze` and `comments:suggestscore`.

use super::parsed;
use crate::error::Refusal;
use crate::state::ServeState;
use lincah::Task;
use lincah::data::DataError;
use lincah::data::journal::{Action, Journal, JournalEntry, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Comment {
    text: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Requested {
    score_type: Option<String>,
    score_threshold: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Analyze {
    comment: Comment,
    requested_attributes: BTreeMap<String, Requested>,
    #[serde(default)]
    languages: Vec<String>,
    client_token: Option<String>,
    #[serde(default)]
    span_annotations: bool,
}

/// The sentences of a text as ranges of bytes: up to behind `.`, `!`, `?`, `…` or a line break, white space at the ends left out.
fn sentences(text: &str) -> Vec<std::ops::Range<usize>> {
    let (mut found, mut begin, mut ended) = (Vec::new(), 0, false);
    let mut keep = |begin: usize, end: usize| {
        let part = &text[begin..end];
        let (left, right) = (part.len() - part.trim_start().len(), part.trim_end().len());
        if left < right {
            found.push(begin + left..begin + right);
        }
    };
    for (place, character) in text.char_indices() {
        if ended && character.is_whitespace() || character == '\n' {
            keep(begin, place);
            begin = place;
        }
        ended = matches!(character, '.' | '!' | '?' | '…' | '。' | '！' | '？')
            || ended && matches!(character, '"' | '\'' | ')' | '”' | '’');
    }
    keep(begin, text.len());
    found
}

/// A place in bytes as one in UTF-16 units.
fn utf16(text: &str, place: usize) -> usize {
    text[..place].encode_utf16().count()
}

fn probability(value: f64) -> Value {
    json!({"value": value, "type": "PROBABILITY"})
}

pub(crate) async fn analyze(state: &ServeState, body: &[u8]) -> Result<Value, Refusal> {
    let Analyze { comment: Comment { text }, requested_attributes, languages, client_token, span_annotations } = parsed(body)?;
    if text.trim().is_empty() {
        return Err(Refusal::Bad(String::from("Comment must be non-empty.")));
    }
    if requested_attributes.is_empty() {
        return Err(Refusal::Bad(String::from("At least one attribute must be requested.")));
    }
    let whole = std::iter::once(0..text.len());
    let spans = if span_annotations { sentences(&text) } else { whole.collect() };
    // Attributes of one classifier share its scores.
    let mut of_classifiers: BTreeMap<String, Vec<Vec<f64>>> = BTreeMap::new();
    let mut scores = Map::new();
    for (attribute, Requested { score_type, score_threshold }) in requested_attributes {
        if let Some(kind) = score_type.filter(|kind| kind != "PROBABILITY" && kind != "SCORE_TYPE_UNSPECIFIED") {
            return Err(Refusal::Bad(format!("score type `{kind}` is not available for attribute `{attribute}`")));
        }
        let (served, label) = state.attribute(&attribute)?;
        if !of_classifiers.contains_key(&served.name) {
            let mut texts = vec![text.clone()];
            if span_annotations {
                texts.extend(spans.iter().map(|span| text[span.clone()].to_owned()));
            }
            let scored = state.score(Some(&served.name), texts).await?;
            let rows = scored.predictions.into_iter().map(|prediction| prediction.probabilities).collect();
            of_classifiers.insert(served.name.clone(), rows);
        }
        let rows = &of_classifiers[&served.name];
        let whole = rows[0][label];
        if score_threshold.is_some_and(|threshold| whole < threshold) {
            continue;
        }
        let of_span = |(place, span): (usize, &std::ops::Range<usize>)| {
            let value = if span_annotations { rows[1 + place][label] } else { whole };
            json!({"begin": utf16(&text, span.start), "end": utf16(&text, span.end), "score": probability(value)})
        };
        let spans: Vec<Value> = spans.iter().enumerate().map(of_span).collect();
        scores.insert(attribute, json!({"spanScores": spans, "summaryScore": probability(whole)}));
    }
    let languages = if languages.is_empty() { vec![String::from("en")] } else { languages };
    let mut answer = json!({"attributeScores": scores, "languages": languages, "detectedLanguages": languages});
    if let Some(token) = client_token {
        answer["clientToken"] = token.into();
    }
    Ok(answer)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Suggest {
    comment: Comment,
    attribute_scores: BTreeMap<String, SuggestedScores>,
    #[serde(default)]
    languages: Vec<String>,
    community_id: Option<String>,
    client_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SuggestedScores {
    summary_score: SuggestedScore,
}

#[derive(Deserialize)]
struct SuggestedScore {
    value: f64,
}

/// Appends what a person says of a comment to the journal.
pub(crate) fn suggest_score(state: &ServeState, who: &str, body: &[u8]) -> Result<Value, Refusal> {
    let Suggest { comment: Comment { text }, attribute_scores, languages, community_id, client_token } = parsed(body)?;
    let Some(journal) = &state.config.feedback else {
        return Err(Refusal::Bad(String::from("suggestions are not taken here: the server was started without --feedback")));
    };
    let mut labels: Vec<String> = Vec::new();
    for (attribute, SuggestedScores { summary_score: SuggestedScore { value } }) in attribute_scores {
        if !(0.0..=1.0).contains(&value) {
            return Err(Refusal::Bad(format!("the score of `{attribute}` must be from 0 to 1")));
        }
        let (served, label) = state.attribute(&attribute)?;
        let names = served.classifier.labels().names();
        let suggested = match (value >= 0.5, served.classifier.task()) {
            (true, _) => Some(label),
            (false, Task::SingleLabel) if names.len() == 2 => Some(1 - label),
            (false, _) => None,
        };
        labels.extend(suggested.map(|label| names[label].clone()).filter(|name| !labels.contains(name)));
    }
    append(
        journal,
        JournalEntry {
            time: Timestamp::now(),
            who: who.to_owned(),
            action: Action::Label,
            id: client_token.clone().filter(|token| !token.is_empty()).unwrap_or_else(|| super::new_id("suggestion-")),
            text: Some(text),
            labels,
            guideline: None,
            source: community_id,
        },
    )?;
    let mut answer = json!({"requestedLanguages": languages});
    if let Some(token) = client_token {
        answer["clientToken"] = token.into();
    }
    Ok(answer)
}

pub(super) fn append(journal: &std::path::Path, entry: JournalEntry) -> Result<(), Refusal> {
    Journal::append(journal, &[entry]).map_err(|error| match error {
        DataError::Read { .. } | DataError::Write { .. } | DataError::JournalNotAFile { .. } => {
            Refusal::Failed(error.to_string())
        }
        error => Refusal::Bad(error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_at_their_marks_and_places_count_utf16_units() {
        let text = "Hi 🙂 there! \"Really?\" v1.5 is out…\n\n Last";
        let found: Vec<&str> = sentences(text).into_iter().map(|span| &text[span]).collect();
        assert_eq!(found, ["Hi 🙂 there!", "\"Really?\"", "v1.5 is out…", "Last"]);
        let last = sentences(text).pop().unwrap();
        assert_eq!(
            (utf16(text, last.start), utf16(text, last.end)),
            (text.encode_utf16().count() - 4, text.encode_utf16().count())
        );
        assert!(sentences(" \n ").is_empty());
    }
}
