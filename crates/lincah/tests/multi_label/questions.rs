//! The questions about a text's labels: their bytes, how they are stored, what they share and what is cut.

use crate::tiny;
use lincah::label::LabelSet;
use lincah::prompt::{MultiLabelEncoder, MultiLabelPrompt, Prompt, PromptError, shared_prefix_length};

fn prompt(labels: &[&str]) -> MultiLabelPrompt {
    MultiLabelPrompt::new(LabelSet::new(labels.iter().copied()).unwrap()).unwrap()
}

/// A prompt that is short in the tiny vocabularies.
fn short(labels: &[&str]) -> MultiLabelPrompt {
    let question = Prompt::new(MultiLabelPrompt::answers()).unwrap().with_instruction("abc").with_separator("|").unwrap();
    MultiLabelPrompt::asking(question, LabelSet::new(labels.iter().copied()).unwrap()).unwrap()
}

fn described(label: &str, description: &str) -> Vec<(String, String)> {
    vec![(label.to_owned(), description.to_owned())]
}

#[test]
fn the_text_comes_before_the_label() {
    let prompt = prompt(&["rude", "off-topic"]).with_descriptions(&described("off-topic", "about something else ")).unwrap();
    let head =
        "Answer whether the label behind the text applies to it with one of the following words:[No,Yes]<separator>Text:Hm.";
    assert_eq!(prompt.render("Hm.", 0), format!("{head}<separator>Label:rude<separator>Prediction:"));
    assert_eq!(prompt.render("Hm.", 1), format!("{head}<separator>Label:off-topic (about something else)<separator>Prediction:"));
    assert_eq!(short(&["a", "b"]).render("x", 1), "abc:[No,Yes]|Text:x|Label:b|Prediction:");
}

#[test]
fn prompts_that_cannot_work_are_refused() {
    let refused = |error: PromptError| error.to_string();
    let labels = || LabelSet::new(["a", "b<separator>"]).unwrap();
    assert!(refused(MultiLabelPrompt::new(labels()).unwrap_err()).starts_with("label `b<separator>` contains the separator"));
    let error = refused(prompt(&["a", "b"]).with_descriptions(&described("c", "x")).unwrap_err());
    assert_eq!(error, "there is a description of `c`, which is none of the labels [\"a\", \"b\"]");
    let error = refused(prompt(&["a", "b"]).with_descriptions(&described("a", "x<separator>y")).unwrap_err());
    assert!(error.contains("contains the separator"), "{error}");
    let three = Prompt::new(LabelSet::new(["No", "Maybe", "Yes"]).unwrap()).unwrap();
    assert!(matches!(MultiLabelPrompt::asking(three, labels()), Err(PromptError::AnswerCount { .. })));
}

#[test]
fn a_prompt_is_stored_and_checked_when_it_is_read() {
    let whole = prompt(&["a", "b"]).with_descriptions(&described("b", "the second")).unwrap();
    let stored = serde_json::to_string(&whole).unwrap();
    assert_eq!(serde_json::from_str::<MultiLabelPrompt>(&stored).unwrap(), whole);
    assert!(!serde_json::to_string(&prompt(&["a", "b"])).unwrap().contains("descriptions"));
    let error = serde_json::from_str::<MultiLabelPrompt>(&stored.replace("\"Yes\"", "\"Yes\",\"Maybe\"")).unwrap_err();
    assert!(error.to_string().starts_with("the answers are [\"No\", \"Yes\", \"Maybe\"]"), "{error}");
    assert!(serde_json::from_str::<MultiLabelPrompt>(&stored.replace("[\"b\",", "[\"c\",")).is_err());
}

#[test]
fn a_text_s_questions_share_all_but_the_label() {
    let tokenizer = tiny::byte_level_tables("smollm").build().unwrap();
    let prompt = short(&["ab", "abcd", "2"]);
    let encoder = MultiLabelEncoder::new(&tokenizer, &prompt, 200).unwrap();
    let encoded = encoder.encode("abc 12").unwrap();
    assert_eq!((encoded.prompts.len(), encoded.cut_characters), (3, 0));
    for (label, found) in encoded.prompts.iter().enumerate() {
        let expected = tokenizer.encode(&prompt.render("abc 12", label)).unwrap();
        assert_eq!(found.tokens[1..], expected);
    }
    let text = tokenizer.encode("abc:[No,Yes]|Text:abc 12|Label:").unwrap().len();
    assert_eq!(shared_prefix_length(&encoded.prompts), 1 + text);
}

#[test]
fn a_long_text_is_cut_alike_for_all_labels() {
    let tokenizer = tiny::byte_level_tables("smollm").build().unwrap();
    let prompt = short(&["a", "a label of many bytes", "b"]);
    let encoder = MultiLabelEncoder::new(&tokenizer, &prompt, 80).unwrap();
    for text in ["é😀x ".repeat(40), "ab ".repeat(90), "x".repeat(200)] {
        let encoded = encoder.encode(&text).unwrap();
        let kept: String = text.chars().take(text.chars().count() - encoded.cut_characters).collect();
        assert!(encoded.cut_characters > 0 && !kept.is_empty());
        for (label, found) in encoded.prompts.iter().enumerate() {
            assert!(found.tokens.len() <= 80);
            assert_eq!(tokenizer.decode(&found.tokens[1..]).unwrap(), prompt.render(&kept, label));
        }
        // One character more would not have fitted into the longest.
        let longer: String = text.chars().take(kept.chars().count() + 1).collect();
        assert!(tokenizer.encode(&prompt.render(&longer, 1)).unwrap().len() + 1 > 80);
    }
    let batch = encoder.encode_batch(&["a", "b"]).unwrap();
    assert_eq!(batch, [encoder.encode("a").unwrap(), encoder.encode("b").unwrap()]);
    assert!(matches!(MultiLabelEncoder::new(&tokenizer, &prompt, 40), Err(PromptError::NoRoom { .. })));
}
