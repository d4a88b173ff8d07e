//! Perspective's `comments:analyze` and `comments:suggestscore`.

use super::{append, parsed};
use crate::classifiers::Served;
use crate::error::Refusal;
use crate::state::ServeState;
use lincah::Task;
use lincah::data::journal::{Action, JournalEntry};
use lincah::sha256;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

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

/// Most attributes of a request.
const MOST_ATTRIBUTES: usize = 64;

/// An attribute that is asked for, and what it stands for.
struct Attribute {
    name: String,
    served: Arc<Served>,
    label: usize,
    threshold: Option<f64>,
}

/// The sentences of a text as ranges of bytes: up to behind `.`, `!`, `?`, `…` or a line break, white space at the ends left out.
fn sentences(text: &str) -> Vec<Range<usize>> {
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

/// Ranges of bytes that do not overlap, in order, as ranges of UTF-16 units.
fn in_utf16(text: &str, spans: &[Range<usize>]) -> Vec<Range<usize>> {
    let (mut bytes, mut units) = (0, 0);
    let mut upto = |place: usize| {
        units += text[bytes..place].encode_utf16().count();
        bytes = place;
        units
    };
    spans.iter().map(|span| upto(span.start)..upto(span.end)).collect()
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
    if requested_attributes.len() > MOST_ATTRIBUTES {
        return Err(Refusal::Bad(format!("At most {MOST_ATTRIBUTES} attributes can be requested.")));
    }
    // All are found before any is scored: a classifier that is loaded anew meanwhile may have other labels.
    let mut attributes = Vec::new();
    for (attribute, Requested { score_type, score_threshold }) in requested_attributes {
        if let Some(kind) = score_type.filter(|kind| kind != "PROBABILITY" && kind != "SCORE_TYPE_UNSPECIFIED") {
            return Err(Refusal::Bad(format!("score type `{kind}` is not available for attribute `{attribute}`")));
        }
        let (served, label) = state.attribute(&attribute)?;
        attributes.push(Attribute { name: attribute, served, label, threshold: score_threshold });
    }
    let whole = std::iter::once(0..text.len());
    let spans = if span_annotations { sentences(&text) } else { whole.collect() };
    let places = in_utf16(&text, &spans);
    let mut scores = Map::new();
    // Attributes of one classifier share its scores.
    let mut scored: Vec<(Arc<Served>, Vec<Vec<f64>>)> = Vec::new();
    for Attribute { name, served, label, threshold } in attributes {
        if !scored.iter().any(|(other, _)| Arc::ptr_eq(other, &served)) {
            let parts = spans.iter().filter(|_| span_annotations).map(|span| text[span.clone()].to_owned());
            let texts = std::iter::once(text.clone()).chain(parts).collect();
            let predictions = state.score_with(served.clone(), texts).await?.predictions;
            scored.push((served.clone(), predictions.into_iter().map(|prediction| prediction.probabilities).collect()));
        }
        let (_, rows) = scored.iter().find(|(other, _)| Arc::ptr_eq(other, &served)).expect("it was just scored");
        let whole = rows[0][label];
        if threshold.is_some_and(|threshold| whole < threshold) {
            continue;
        }
        let of_span = |(number, place): (usize, &Range<usize>)| {
            let value = if span_annotations { rows[1 + number][label] } else { whole };
            json!({"begin": place.start, "end": place.end, "score": probability(value)})
        };
        let spans: Vec<Value> = places.iter().enumerate().map(of_span).collect();
        scores.insert(name, json!({"spanScores": spans, "summaryScore": probability(whole)}));
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
    let mut of: Option<Arc<Served>> = None;
    let mut suggested = Vec::new();
    for (attribute, SuggestedScores { summary_score: SuggestedScore { value } }) in attribute_scores {
        if !(0.0..=1.0).contains(&value) {
            return Err(Refusal::Bad(format!("the score of `{attribute}` must be from 0 to 1")));
        }
        let (served, label) = state.attribute(&attribute)?;
        if of.as_ref().is_some_and(|other| !Arc::ptr_eq(other, &served)) {
            return Err(Refusal::Bad(String::from("one suggestion is about the attributes of one classifier")));
        }
        of = Some(served);
        suggested.push((label, value >= 0.5));
    }
    let served = of.ok_or_else(|| Refusal::Bad(String::from("at least one attribute must be scored")))?;
    let labels = suggested_labels(served.classifier.task(), served.classifier.labels().names(), &suggested);
    let labels = labels.ok_or_else(|| Refusal::Bad(String::from("the scores name no single one of the classifier's labels")))?;
    // What somebody says of a text replaces what the same one said of it before, and nothing else.
    let id = format!("suggestion-{who}-{}", &sha256::of_bytes(&text)[..16]);
    let entry = JournalEntry { text: Some(text), labels, source: community_id, ..JournalEntry::new(who, Action::Label, id) };
    append(journal, &[entry])?;
    let mut answer = json!({"requestedLanguages": languages});
    if let Some(token) = client_token {
        answer["clientToken"] = token.into();
    }
    Ok(answer)
}

/// The labels that a suggestion comes to: of exclusive ones a single one, or the other one of two; `None` where there is no such.
fn suggested_labels(task: Task, names: &[String], suggested: &[(usize, bool)]) -> Option<Vec<String>> {
    let mut labels: Vec<usize> = suggested.iter().filter(|(_, has)| *has).map(|(label, _)| *label).collect();
    if let (Task::SingleLabel, 2, [], &[(label, false)]) = (task, names.len(), labels.as_slice(), suggested) {
        labels.push(1 - label);
    }
    labels.sort_unstable();
    labels.dedup();
    let fits = task == Task::MultiLabel || labels.len() == 1;
    fits.then(|| labels.into_iter().map(|label| names[label].clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_at_their_marks_and_places_count_utf16_units() {
        let text = "Hi 🙂 there! \"Really?\" v1.5 is out…\n\n Last";
        let found: Vec<&str> = sentences(text).into_iter().map(|span| &text[span]).collect();
        assert_eq!(found, ["Hi 🙂 there!", "\"Really?\"", "v1.5 is out…", "Last"]);
        let units = in_utf16(text, &sentences(text));
        let length = text.encode_utf16().count();
        assert_eq!((units[0].clone(), units[1].clone(), units[3].clone()), (0..12, 13..22, length - 4..length));
        assert!(sentences(" \n ").is_empty());
    }

    #[test]
    fn a_suggestion_names_one_exclusive_label_or_any_independent_ones() {
        let names = ["a", "b", "c"].map(String::from);
        let of = |task, count: usize, suggested: &[(usize, bool)]| suggested_labels(task, &names[..count], suggested);
        let labels = |labels: &[&str]| Some(labels.iter().map(|label| String::from(*label)).collect::<Vec<_>>());
        assert_eq!(of(Task::SingleLabel, 2, &[(1, false)]), labels(&["a"]));
        assert_eq!(of(Task::SingleLabel, 2, &[(1, true), (0, false)]), labels(&["b"]));
        assert_eq!(of(Task::SingleLabel, 2, &[(1, true), (1, true)]), labels(&["b"]));
        for none in [&[(1, false)][..], &[(0, true), (1, true)], &[(0, false), (1, false)]] {
            assert_eq!(of(Task::SingleLabel, 3, none), None);
        }
        assert_eq!(of(Task::MultiLabel, 3, &[(2, true), (0, true), (1, false)]), labels(&["a", "c"]));
        assert_eq!(of(Task::MultiLabel, 3, &[(1, false)]), labels(&[]));
    }
}
