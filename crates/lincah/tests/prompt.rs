//! Prompts as people read them, their ids, what is cut, and what stands for the labels.

mod tiny;

use lincah::prompt::{EncodedText, LabelScheme, LabelTokens, PromptEncoder, PromptError, WhiteSpace, chat_turn, plain_text};
use lincah::tokenizer::Tokenizer;
use lincah::{LabelSet, LongTexts, Prompt, Task, Truncation};
use lincah_model::TokenBatch;
use proptest::prelude::*;

fn prompt(labels: &[&str]) -> Prompt {
    let prompt = Prompt::new(Task::SingleLabel, LabelSet::new(labels.iter().copied()).unwrap()).unwrap();
    // The texts here are about everything but white space.
    prompt.with_white_space(WhiteSpace::Keep)
}

/// The tokens of the only question.
fn tokens(encoded: &EncodedText) -> &[u32] {
    assert_eq!(encoded.prompts.len(), 1);
    &encoded.prompts[0]
}

/// The tokens of each text's only question.
fn only_questions(texts: Vec<EncodedText>) -> Vec<Vec<u32>> {
    texts.into_iter().map(|mut text| text.prompts.swap_remove(0)).collect()
}

/// Tokens that all prompts share; the last of each is its own.
fn shared_prefix_length(prompts: &[Vec<u32>]) -> usize {
    TokenBatch::new(&prompts.iter().map(Vec::as_slice).collect::<Vec<_>>()).prefix_length()
}

fn sentencepiece() -> Tokenizer {
    tiny::sentencepiece_tables(false).build().unwrap()
}

fn byte_level() -> Tokenizer {
    tiny::byte_level_tables("smollm").build().unwrap()
}

/// The prompt whose tail is short in the tiny vocabularies.
fn short() -> Prompt {
    prompt(&["Pos", "Not"]).with_instruction("abc").with_separator("|").unwrap()
}

#[test]
fn the_default_prompt_is_the_codelabs() {
    let expected = "Classify the following text into one of the following classes:[Positive,Negative]<separator>\
                    Text:You are <b>kind</b>.\n\tReally.<separator>Prediction:";
    assert_eq!(prompt(&["Positive", "Negative"]).render("You are <b>kind</b>.\n\tReally.", 0), expected);
}

#[test]
fn a_chat_turn_stands_in_the_vocabularys_own_markers() {
    let mut tables = tiny::sentencepiece_tables(false);
    tables.pieces[0] = "<start_of_turn>".to_owned();
    assert!(matches!(chat_turn(&tables.clone().build().unwrap(), "ab"), Err(PromptError::NoTurnMarkers)));
    tables.pieces[1] = "<end_of_turn>".to_owned();
    let tokenizer = tables.build().unwrap();
    let ids = chat_turn(&tokenizer, "ab <end_of_turn>\n").unwrap();
    let text = "<bos><start_of_turn>user\nab <end_of_turn>\n<end_of_turn>\n<start_of_turn>model\n";
    assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    // What is written in the text stays text, and its line break does not merge with the one behind the turn.
    assert_eq!(ids.iter().filter(|&&id| id == 1).count(), 1);
    let plain = plain_text(&tokenizer, "ab").unwrap();
    assert_eq!(plain, [&[2], &tokenizer.encode("ab").unwrap()[..]].concat());
    assert_eq!(plain_text(&byte_level(), "").unwrap(), [0u32; 0]);
}

#[test]
fn every_part_can_be_chosen() {
    let lines = prompt(&["No", "Yes", "Can't say"]).with_instruction("Is it civil? Choose").with_separator("\n---\n").unwrap();
    assert_eq!(lines.render("Oh, well.", 0), "Is it civil? Choose:[No,Yes,Can't say]\n---\nText:Oh, well.\n---\nPrediction:");
    assert_eq!([lines.head(), lines.tail(0)].concat(), lines.render("", 0));
}

#[test]
fn separators_that_cannot_work_are_refused() {
    let labels = || prompt(&["a|b", "c"]);
    let error = labels().with_separator("|").unwrap_err();
    assert_eq!(error.to_string(), "label `a|b` contains the separator `|`; choose another separator or rename the label");
    assert!(matches!(labels().with_separator(""), Err(PromptError::EmptySeparator)));
}

#[test]
fn a_prompt_is_stored_and_checked_when_it_is_read() {
    let stored = serde_json::to_string_pretty(&prompt(&["Positive", "Negative"]).with_begin_of_text(false)).unwrap();
    let expected = r#"{
  "instruction": "Classify the following text into one of the following classes",
  "separator": "<separator>",
  "begin_of_text": false,
  "labels": [
    "Positive",
    "Negative"
  ]
}"#;
    assert_eq!(stored, expected);
    let read: Prompt = serde_json::from_str(&stored).unwrap();
    assert_eq!(read, prompt(&["Positive", "Negative"]).with_begin_of_text(false));
    let refused =
        |change: (&str, &str)| serde_json::from_str::<Prompt>(&stored.replace(change.0, change.1)).unwrap_err().to_string();
    assert!(refused(("<separator>", "")).starts_with("the separator is empty"));
    assert!(refused(("\"Negative\"", "\"Positive\"")).starts_with("label `Positive` was given twice"));
    assert!(refused(("false,", "false, \"letters\": [\"A\"],")).starts_with("the prompt has 1 letters for 2 answers"));
}

#[test]
fn begin_of_text_is_in_front_if_the_prompt_says_so() {
    let tokenizer = sentencepiece();
    let with = PromptEncoder::new(&tokenizer, &short(), 100).unwrap().encode("abc").unwrap();
    let without = PromptEncoder::new(&tokenizer, &short().with_begin_of_text(false), 100).unwrap().encode("abc").unwrap();
    assert_eq!(tokens(&with)[0], 2);
    assert_eq!(tokens(&with)[1..], *tokens(&without));
    assert_eq!(tokens(&without), tokenizer.encode("abc:[Pos,Not]|Text:abc|Prediction:").unwrap());
    assert_eq!((with.truncated_characters, without.truncated_characters), (0, 0));

    let none = lincah::tokenizer::TokenizerTables { begin_of_text: None, ..tiny::sentencepiece_tables(false) }.build().unwrap();
    assert!(matches!(PromptEncoder::new(&none, &short(), 100), Err(PromptError::NoBeginOfText)));
    assert!(PromptEncoder::new(&none, &short().with_begin_of_text(false), 100).is_ok());
}

#[test]
fn a_limit_without_room_for_any_text_is_refused() {
    let tokenizer = sentencepiece();
    let needed = PromptEncoder::new(&tokenizer, &short(), 1000).unwrap().encode("").unwrap().prompts[0].len();
    assert!(PromptEncoder::new(&tokenizer, &short(), needed).is_ok());
    let error = PromptEncoder::new(&tokenizer, &short(), needed - 1).unwrap_err();
    let expected = format!("the prompt takes {needed} tokens without any text, but at most {} are allowed", needed - 1);
    assert!(error.to_string().starts_with(&expected), "{error}");
}

#[test]
fn a_long_text_is_cut_at_its_end_and_nothing_else_is() {
    let tokenizer = byte_level();
    let encoder = PromptEncoder::new(&tokenizer, &short(), 60).unwrap();
    let text = "abc é 😀 ".repeat(50);
    let encoded = encoder.encode(&text).unwrap();
    assert!(tokens(&encoded).len() <= 60);
    let kept: String = text.chars().take(text.chars().count() - encoded.truncated_characters).collect();
    assert_eq!(tokenizer.decode(&tokens(&encoded)[1..]).unwrap(), short().render(&kept, 0));
    // One character more would not have fitted.
    let longer: String = text.chars().take(kept.chars().count() + 1).collect();
    assert!(tokenizer.encode(&short().render(&longer, 0)).unwrap().len() + 1 > 60);
}

#[test]
fn a_text_that_just_fits_is_whole() {
    let tokenizer = byte_level();
    for length in 1..40 {
        let text = "ab ".repeat(length);
        let needed = tokenizer.encode(&short().render(&text, 0)).unwrap().len() + 1;
        assert_eq!(PromptEncoder::new(&tokenizer, &short(), needed).unwrap().encode(&text).unwrap().truncated_characters, 0);
        assert!(PromptEncoder::new(&tokenizer, &short(), needed - 1).unwrap().encode(&text).unwrap().truncated_characters > 0);
    }
}

#[test]
fn the_codelab_cuts_the_end_of_the_prompt() {
    let tokenizer = sentencepiece();
    let prompt = short().with_truncation(Truncation::Prompt);
    let encoder = PromptEncoder::new(&tokenizer, &prompt, 60).unwrap();
    let fitting = encoder.encode("abc").unwrap();
    assert_eq!(fitting, PromptEncoder::new(&tokenizer, &short(), 60).unwrap().encode("abc").unwrap());
    let text = "abc ".repeat(100);
    let cut = encoder.encode(&text).unwrap();
    let whole = tokenizer.encode(&prompt.render(&text, 0)).unwrap();
    assert_eq!((tokens(&cut).len(), &tokens(&cut)[1..]), (60, &whole[..59]));
    let kept = tokenizer.decode(&tokens(&cut)[1..]).unwrap();
    assert_eq!(kept.chars().count() + cut.truncated_characters, prompt.render(&text, 0).chars().count());
    assert_eq!(serde_json::from_str::<Prompt>(&serde_json::to_string(&prompt).unwrap()).unwrap(), prompt);
}

#[test]
fn a_training_text_of_the_codelab_has_a_written_end_and_a_real_one_and_loses_its_label_when_long() {
    let tokenizer = sentencepiece();
    let encoder = PromptEncoder::new(&tokenizer, &short().with_truncation(Truncation::Prompt), 60).unwrap();
    let (begin, end) = (tokenizer.begin_of_text().unwrap(), tokenizer.end_of_text().unwrap());
    let sequence = encoder.encode_training("abc", "Not").unwrap();
    let pieces = &tokens(&sequence)[1..tokens(&sequence).len() - 1];
    assert_eq!([tokens(&sequence)[0], *tokens(&sequence).last().unwrap()], [begin, end]);
    assert_eq!(tokenizer.decode(pieces).unwrap(), short().render("abc", 0) + "Not<eos>");
    assert!(!pieces.contains(&end), "the written end is plain characters");
    let long = encoder.encode_training(&"abc ".repeat(100), "Not").unwrap();
    assert_eq!((tokens(&long).len(), tokens(&long)[60]), (61, end));
    assert!(long.truncated_characters > 0 && !tokenizer.decode(tokens(&long)).unwrap().contains("Prediction:"));
    let mut tables = tiny::sentencepiece_tables(false);
    tables.end_of_text = None;
    let endless = tables.build().unwrap();
    let encoder = PromptEncoder::new(&endless, &short(), 60).unwrap();
    assert!(matches!(encoder.encode_training("abc", "Not"), Err(PromptError::NoEndOfText)));
}

#[test]
fn a_megabyte_costs_no_more_than_what_is_kept() {
    let tokenizer = sentencepiece();
    let encoder = PromptEncoder::new(&tokenizer, &short(), 128).unwrap();
    let text = "abc de\n".repeat(150_000);
    let started = std::time::Instant::now();
    let encoded = encoder.encode(&text).unwrap();
    assert!(tokens(&encoded).len() <= 128 && tokens(&encoded).len() > 120);
    assert!(encoded.truncated_characters > 1_000_000);
    // Milliseconds; encoding the megabyte at each of 20 halvings would take minutes.
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
}

#[test]
fn the_shared_prefix_is_that_of_the_ids() {
    let tokenizer = sentencepiece();
    let encoder = PromptEncoder::new(&tokenizer, &short(), 100).unwrap();
    let shared = |texts: &[&str]| shared_prefix_length(&only_questions(encoder.encode_batch(texts).unwrap()));
    let head = 1 + tokenizer.encode(&short().head()).unwrap().len();
    assert_eq!(shared(&["abc", "de", "x"]), head);
    assert_eq!(shared(&["abc de", "abc e"]), head + 2);
    // Equal prompts keep a last token of their own; one alone shares nothing.
    let length = encoder.encode("abc").unwrap().prompts[0].len();
    assert_eq!((shared(&["abc", "abc"]), shared(&["abc"])), (length - 1, 0));
    assert_eq!(shared_prefix_length(&[vec![5, 6, 7, 8], vec![5, 6, 9, 8], vec![5, 6, 7]]), 2);
}

proptest! {
    #[test]
    fn any_text_keeps_the_prompt_whole(text in r"[a-e<>|eos:\n \PC]{0,80}", room in 0usize..40) {
        for tokenizer in [byte_level(), sentencepiece()] {
            let empty = PromptEncoder::new(&tokenizer, &short(), usize::MAX).unwrap().encode("").unwrap().prompts.swap_remove(0);
            let max_tokens = empty.len() + room;
            let encoded = PromptEncoder::new(&tokenizer, &short(), max_tokens).unwrap().encode(&text).unwrap();
            prop_assert!(tokens(&encoded).len() <= max_tokens);
            prop_assert_eq!(Some(tokens(&encoded)[0]), tokenizer.begin_of_text());
            prop_assert!(tokens(&encoded)[1..].iter().all(|&id| !tokenizer.is_control(id)));
            // The last ids of the tail are those of the empty prompt; the first may merge with the text.
            let answer = tokenizer.encode("Prediction:").unwrap();
            prop_assert!(tokens(&encoded).ends_with(&answer) && empty.ends_with(&answer));
            let kept: String = text.chars().take(text.chars().count() - encoded.truncated_characters).collect();
            let expected: Vec<u32> = tokenizer.begin_of_text().into_iter().chain(tokenizer.encode(&short().render(&kept, 0)).unwrap()).collect();
            prop_assert_eq!(tokens(&encoded), &expected);
        }
    }
}

/// What stands for the labels, as pieces.
fn resolved(tokenizer: &Tokenizer, labels: &[&str]) -> (Prompt, LabelTokens, Vec<String>) {
    let (prompt, tokens) = LabelTokens::resolve(prompt(labels), tokenizer).unwrap();
    tokens.verify(&prompt, tokenizer).unwrap();
    let pieces = tokens.ids().iter().map(|&id| tokenizer.token(id).unwrap().to_owned()).collect();
    (prompt, tokens, pieces)
}

#[test]
fn labels_of_one_piece_are_scored_directly() {
    let tokenizer = sentencepiece();
    let (with, tokens, pieces) = resolved(&tokenizer, &["Pos", "Not", "Po"]);
    assert_eq!((tokens.scheme(), pieces), (LabelScheme::WholeLabel, vec!["Pos".to_owned(), "Not".to_owned(), "Po".to_owned()]));
    assert_eq!(with, prompt(&["Pos", "Not", "Po"]));
}

#[test]
fn labels_of_several_pieces_are_scored_by_the_first() {
    let tokenizer = sentencepiece();
    let (with, tokens, pieces) = resolved(&tokenizer, &["Not ab", "Pos"]);
    assert_eq!((tokens.scheme(), pieces), (LabelScheme::FirstPiece, vec!["Not".to_owned(), "Pos".to_owned()]));
    assert_eq!(with, prompt(&["Not ab", "Pos"]));
}

#[test]
fn labels_that_collide_get_letters() {
    let tokenizer = sentencepiece();
    for labels in [["Not ab", "Not de"], ["Not", "Not ab"]] {
        let (with, tokens, pieces) = resolved(&tokenizer, &labels);
        assert_eq!((tokens.scheme(), pieces), (LabelScheme::Letter, vec!["A".to_owned(), "B".to_owned()]));
        assert_eq!(
            (with.labels().names(), with.answers(), with.answer_names()),
            (&labels.map(str::to_owned)[..], vec!["A", "B"], labels.to_vec())
        );
        assert_eq!(
            with.render("abc", 0),
            format!(
                "Classify the following text into one of the following classes:[A: {},B: {}]<separator>Text:abc<separator>Prediction:",
                labels[0], labels[1]
            )
        );
        // Stored, read and resolved again, it is the same.
        let stored: Prompt = serde_json::from_str(&serde_json::to_string(&with).unwrap()).unwrap();
        assert_eq!(stored, with);
        assert_eq!(LabelTokens::resolve(stored, &tokenizer).unwrap(), (with, tokens));
    }
}

#[test]
fn labels_that_merge_with_the_tail_get_letters() {
    // `:` and `:` merge here, so a label that starts with it has no pieces of its own behind the prompt.
    let mut tables = tiny::sentencepiece_tables(false);
    tables.pieces.push("::".to_owned());
    tables.types.push(lincah::tokenizer::PieceType::Normal);
    tables.scores.push(-0.5);
    let tokenizer = tables.build().unwrap();
    assert_eq!(resolved(&tokenizer, &[":a", "Not"]).1.scheme(), LabelScheme::Letter);
    assert_eq!(resolved(&tokenizer, &["a", "Not"]).1.scheme(), LabelScheme::WholeLabel);
}

#[test]
fn more_labels_than_letters_are_refused() {
    // No two capitals merge in the tiny vocabulary, so A to Z is all there is.
    let tokenizer = sentencepiece();
    let labels: Vec<String> = (0..27).map(|index| format!("Not {index}")).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    assert_eq!(resolved(&tokenizer, &labels[..26]).0.answers()[25], "Z");
    let error = LabelTokens::resolve(prompt(&labels), &tokenizer).unwrap_err();
    assert_eq!(
        error.to_string(),
        "27 labels need a letter each, but the vocabulary has only 26 that work; use fewer labels, or train with --preset instant or --label-scheme rows"
    );
}

#[test]
fn stored_tokens_are_checked_against_the_tokenizer() {
    let tokenizer = sentencepiece();
    let (with, tokens, _) = resolved(&tokenizer, &["Pos", "Not"]);
    let stored = serde_json::to_string(&tokens).unwrap();
    assert_eq!(stored, format!(r#"{{"scheme":"whole_label","ids":[{},{}]}}"#, tokens.ids()[0], tokens.ids()[1]));
    let changed = |ids: &str| -> PromptError {
        let tokens: LabelTokens = serde_json::from_str(&format!(r#"{{"scheme":"whole_label","ids":{ids}}}"#)).unwrap();
        tokens.verify(&with, &tokenizer).unwrap_err()
    };
    let error = changed(&format!("[{},7]", tokens.ids()[0]));
    assert!(matches!(&error, PromptError::LabelTokenChanged { label, stored: 7, .. } if label == "Not"), "{error}");
    assert!(error.to_string().contains("but this tokenizer gives token"), "{error}");
    assert!(matches!(changed("[7]"), PromptError::LabelTokenCount { tokens: 1, labels: 2 }));
    assert!(matches!(changed("[7,7]"), PromptError::LabelTokenTwice { token: 7 }));
    assert!(tokens.verify(&with, &byte_level()).is_err());
}

/// The questions about independent labels, short in the tiny vocabularies.
fn questions(labels: &[&str]) -> Prompt {
    let prompt = Prompt::new(Task::MultiLabel, LabelSet::new(labels.iter().copied()).unwrap()).unwrap();
    let prompt = prompt.with_white_space(WhiteSpace::Keep);
    prompt.with_instruction("abc").with_separator("|").unwrap()
}

fn described(label: &str, description: &str) -> Vec<(String, String)> {
    vec![(label.to_owned(), description.to_owned())]
}

#[test]
fn the_text_comes_before_an_independent_label() {
    let prompt = Prompt::new(Task::MultiLabel, LabelSet::new(["rude", "off-topic"]).unwrap()).unwrap();
    let prompt = prompt.with_descriptions(&described("off-topic", "about something else ")).unwrap();
    let head =
        "Answer whether the label behind the text applies to it with one of the following words:[No,Yes]<separator>Text:Hm.";
    let [first, second] = [0, 1].map(|question| prompt.render("Hm.", question));
    assert_eq!(first, format!("{head}<separator>Label:rude<separator>Prediction:"));
    assert_eq!(second, format!("{head}<separator>Label:off-topic (about something else)<separator>Prediction:"));
    assert_eq!(prompt.render_all("Hm."), [first, second].join("\n"));
    assert_eq!((prompt.questions(), prompt.answers()), (2, vec!["No", "Yes"]));
    assert_eq!(questions(&["a", "b"]).render("x", 1), "abc:[No,Yes]|Text:x|Label:b|Prediction:");
    assert_eq!((short().questions(), short().answers(), short().answer_names()), (1, vec!["Pos", "Not"], vec!["Pos", "Not"]));
}

#[test]
fn questions_that_cannot_work_are_refused() {
    let labels = LabelSet::new(["a", "b<separator>"]).unwrap();
    let error = Prompt::new(Task::MultiLabel, labels).unwrap_err().to_string();
    assert!(error.starts_with("label `b<separator>` contains the separator"), "{error}");
    let refused =
        |description: &[(String, String)]| questions(&["a", "b"]).with_descriptions(description).unwrap_err().to_string();
    assert_eq!(refused(&described("c", "x")), "there is a description of `c`, which is none of the labels [\"a\", \"b\"]");
    assert!(refused(&described("a", "x|y")).contains("contains the separator"));
    let exclusive = short().with_descriptions(&described("Pos", "x")).unwrap_err();
    assert!(matches!(exclusive, PromptError::DescriptionNotAsked { label } if label == "Pos"));
    let max = |prompt: Prompt| prompt.with_long_texts(LongTexts::Max);
    assert!(matches!(max(prompt(&["a", "b", "c"])), Err(PromptError::WindowsOfMany { labels: 3 })));
    assert!(matches!(max(short().with_truncation(Truncation::Prompt)), Err(PromptError::WindowsOfPrompt)));
    assert!(max(questions(&["a", "b", "c"])).is_ok() && prompt(&["a", "b", "c"]).with_long_texts(LongTexts::Mean).is_ok());
}

#[test]
fn a_text_s_questions_share_all_but_the_label() {
    let tokenizer = byte_level();
    let prompt = questions(&["ab", "abcd", "2"]);
    let encoded = PromptEncoder::new(&tokenizer, &prompt, 200).unwrap().encode("abc 12").unwrap();
    assert_eq!((encoded.prompts.len(), encoded.truncated_characters), (3, 0));
    for (question, found) in encoded.prompts.iter().enumerate() {
        assert_eq!(found[1..], tokenizer.encode(&prompt.render("abc 12", question)).unwrap());
    }
    let text = tokenizer.encode("abc:[No,Yes]|Text:abc 12|Label:").unwrap().len();
    assert_eq!(shared_prefix_length(&encoded.prompts), 1 + text);
}

#[test]
fn a_long_text_is_cut_alike_for_all_labels() {
    let tokenizer = byte_level();
    let prompt = questions(&["a", "a label of many bytes", "b"]);
    let encoder = PromptEncoder::new(&tokenizer, &prompt, 80).unwrap();
    for text in ["é😀x ".repeat(40), "ab ".repeat(90), "x".repeat(200)] {
        let encoded = encoder.encode(&text).unwrap();
        let kept: String = text.chars().take(text.chars().count() - encoded.truncated_characters).collect();
        assert!(encoded.truncated_characters > 0 && !kept.is_empty());
        for (question, found) in encoded.prompts.iter().enumerate() {
            assert!(found.len() <= 80);
            assert_eq!(tokenizer.decode(&found[1..]).unwrap(), prompt.render(&kept, question));
        }
        // One character more would not have fitted into the longest.
        let longer: String = text.chars().take(kept.chars().count() + 1).collect();
        assert!(tokenizer.encode(&prompt.render(&longer, 1)).unwrap().len() + 1 > 80);
    }
    let batch = encoder.encode_batch(&["a", "b"]).unwrap();
    assert_eq!(batch, [encoder.encode("a").unwrap(), encoder.encode("b").unwrap()]);
    assert!(matches!(PromptEncoder::new(&tokenizer, &prompt, 40), Err(PromptError::NoRoom { .. })));
}

#[test]
fn windows_are_the_whole_text_in_parts_that_fit() {
    let tokenizer = byte_level();
    for prompt in [short(), questions(&["a", "a label of many bytes"])] {
        let encoder = PromptEncoder::new(&tokenizer, &prompt, 80).unwrap();
        for text in ["é😀x ".repeat(40), "ab ".repeat(90), String::from("short"), String::new()] {
            let windows = encoder.encode_windows(&text).unwrap();
            let mut rest = text.as_str();
            for window in &windows {
                assert_eq!(window, &encoder.encode(rest).unwrap());
                assert!(window.prompts.iter().all(|prompt| prompt.len() <= 80));
                let read = rest.char_indices().nth(rest.chars().count() - window.truncated_characters);
                rest = &rest[read.map_or(rest.len(), |(at, _)| at)..];
            }
            assert_eq!((rest, windows.len() > 1), ("", text.len() > 80));
        }
    }
}

#[test]
fn stored_prompts_of_all_formats_are_read() {
    let with = questions(&["a", "b"]).with_descriptions(&described("b", "the second")).unwrap();
    let read = |stored: &str| serde_json::from_str::<Prompt>(stored).map_err(|error| error.to_string());
    let stored = serde_json::to_string(&with).unwrap();
    assert_eq!(read(&stored).as_ref(), Ok(&with));
    assert!(read(&stored.replace("[\"b\",", "[\"c\",")).unwrap_err().starts_with("there is a description of `c`"));
    assert!(!serde_json::to_string(&questions(&["a", "b"])).unwrap().contains("descriptions"));
    // Format 1 knew no task.
    let format_1 = r#"{"instruction":"abc","separator":"|","begin_of_text":true,"labels":["Pos","Not"]}"#;
    assert_eq!(read(format_1), Ok(short()));
    let cut = format_1.replace("]}", r#"],"cut":"prompt","letters":["A","B"]}"#);
    assert_eq!(
        (read(&cut).unwrap().truncation(), read(&cut).unwrap().head()),
        (Truncation::Prompt, "abc:[A: Pos,B: Not]|Text:".to_owned())
    );
    // Format 2 was of independent labels: the answers were the labels of one question.
    let format_2 = r#"{"question":{"instruction":"abc","separator":"|","begin_of_text":true,"labels":["No","Yes"]},
        "labels":["a","b"],"descriptions":[["b","the second"]]}"#;
    assert_eq!(read(format_2), Ok(with));
    let error = read(&format_2.replace("\"Yes\"", "\"Yes\",\"Maybe\"")).unwrap_err();
    assert!(error.starts_with("the answers are [\"No\", \"Yes\", \"Maybe\"]"), "{error}");
    let error = read(&format_1.replace("\"labels\"", "\"calibration\":1,\"labels\"")).unwrap_err();
    assert!(error.starts_with("unknown field `calibration`"), "{error}");
}

/// All comments in the codelab's order; it tests on those from 800 on.
fn ethos_texts() -> Vec<String> {
    let folders = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("shared/ethos"));
    let folder = folders.into_iter().find(|folder| folder.is_dir()).expect("shared/ethos lies beside the repository");
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_path(folder.join("Ethos_Dataset_Binary.csv")).unwrap();
    let rows: Vec<String> = reader.records().map(|row| row.unwrap()[0].to_owned()).collect();
    let order: Vec<usize> = serde_json::from_slice(&std::fs::read(folder.join("codelab_permutation.json")).unwrap()).unwrap();
    order.iter().map(|&row| rows[row].clone()).collect()
}

/// Tokens of all prompts together, and how many all of them share: of the codelab's 198 test rows, then of all 998.
fn ethos_lengths(tokenizer: &Tokenizer) -> [(usize, usize); 2] {
    let (prompt, tokens) = LabelTokens::resolve(prompt(&["Positive", "Negative"]), tokenizer).unwrap();
    assert_eq!(tokens.scheme(), LabelScheme::WholeLabel);
    let texts = ethos_texts();
    assert_eq!(texts.len(), 998);
    [&texts[800..], &texts].map(|texts| {
        let prompts = only_questions(PromptEncoder::new(tokenizer, &prompt, 100_000).unwrap().encode_batch(texts).unwrap());
        (prompts.iter().map(Vec::len).sum(), shared_prefix_length(&prompts))
    })
}

// The sums are those of transformers; of all rows one less is shared, as one text merges with the colon before it.

#[test]
#[ignore = "needs SmolLM2-135M in the model cache and the ETHOS files"]
fn smollm2_prompts_are_as_long_as_those_of_transformers() {
    assert_eq!(ethos_lengths(&tiny::smollm2()), [(10_624, 23), (57_373, 22)]);
}

#[test]
#[ignore = "needs Gemma 3 270M in the model cache and the ETHOS files"]
fn gemma_prompts_are_as_long_as_those_of_transformers() {
    assert_eq!(ethos_lengths(&tiny::gemma()), [(9_625, 21), (51_683, 20)]);
}

#[test]
#[ignore = "needs both models in the model cache"]
fn real_vocabularies_score_all_kinds_of_labels() {
    for tokenizer in [tiny::smollm2(), tiny::gemma()] {
        assert_eq!(resolved(&tokenizer, &["Positive", "Negative"]).2, ["Positive", "Negative"]);
        assert_eq!(resolved(&tokenizer, &["uncivil remark", "civil"]).1.scheme(), LabelScheme::FirstPiece);
        assert_eq!(resolved(&tokenizer, &["Not spam", "Not sure", "Spam"]).2, ["A", "B", "C"]);
        let many: Vec<String> = (0..100).map(|index| format!("class {index}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(resolved(&tokenizer, &many).1.ids().len(), 100);
    }
}
